"""The stock of a vendor's stores for their software: what there is, what changed since, what they
publish; and their listings.
"""

from collections import Counter
from typing import Annotated, Any, ClassVar, Literal

from flask import Response
from flask_babel import gettext as _
from pydantic import BeforeValidator, Field, SkipValidation, ValidationError
from sqlalchemy import select

from api import routes
from api.door import store_of, vendor_of
from api.fields import (
    N_,
    Answer,
    At,
    Body,
    Day,
    Digits,
    Ean,
    Euros,
    Invalid,
    Moment,
    Page,
    Price,
    Query,
    Text,
    UpTo,
    Whole,
    problems,
)
from models import Listing, MachineKey, MovementKind, StockLevel, Store, Variant
from services import clock, money
from services.people import machine_keys
from services.stock import feeds, levels, listing_exports, listing_files, listings
from services.unit import db, retried, unit_of_work

MOST_LINES = 1_000


class StoreOfVendor(Answer):
    code: str
    name: str
    postcode: str
    city: str
    last_feed_at: At | None


class Stores(Answer):
    """`server_time`: our clock, to set yours by."""

    results: list[StoreOfVendor]
    server_time: At


@routes.get(
    "/stores",
    N_("Your stores, by the codes every call names them with"),
    scopes=("stock", "till", "imports", "listings"),
    returns=N_("All of them, or the one this key stands in."),
)
def stores(key: MachineKey) -> Stores:
    """`last_feed_at` is the moment the last full stock file spoke of."""
    rows = select(Store).where(Store.vendor_id == key.vendor_id).order_by(Store.code, Store.id)
    if key.store_id:
        rows = rows.where(Store.id == key.store_id)
    return Stores(
        results=[
            StoreOfVendor(
                code=store.code or "",
                name=store.name,
                postcode=store.postcode or "",
                city=store.city or "",
                last_feed_at=store.last_feed_at,
            )
            for store in db.session.scalars(rows)
        ],
        server_time=clock.now(),
    )


class StorePage(Page):
    store: Annotated[
        str,
        Text(20),
        Field(description=N_("Code of one of your stores; the key's own store without it.")),
    ] = ""
    limit: Annotated[int, Digits(1, 1000), Field(description=N_("How many in one page."))] = 500


class Level(Answer):
    ean: str
    quantity: int
    reserved: int
    available: int
    place: str
    updated_at: At


class Levels(Answer):
    store: str
    results: list[Level]
    next: int | None


@routes.get(
    "/stock", N_("What a store holds, new"), scopes=("stock", "till"), returns=N_("A page.")
)
def stock(key: MachineKey, query: StorePage) -> Levels:
    """Second-hand units are offered one by one, and not among these."""
    store = store_of(key, query.store)
    rows = db.session.execute(
        select(
            StockLevel.id,
            Variant.ean,
            StockLevel.quantity,
            StockLevel.reserved,
            StockLevel.place,
            StockLevel.updated_at,
        )
        .join(Variant, Variant.id == StockLevel.variant_id)
        .where(
            StockLevel.store_id == store.id,
            StockLevel.id > query.cursor,
        )
        .order_by(StockLevel.id)
        .limit(query.limit)
    ).all()
    return Levels(
        store=store.code or "",
        results=[
            Level(
                ean=row.ean,
                quantity=row.quantity,
                reserved=row.reserved,
                available=max(0, row.quantity - row.reserved),
                place=row.place,
                updated_at=row.updated_at,
            )
            for row in rows
        ],
        next=rows[-1].id if len(rows) == query.limit else None,
    )


class ChangesPage(StorePage):
    limit: Annotated[int, Digits(1, 1000), Field(description=N_("How many in one page."))] = 100


class Change(Answer):
    id: int
    ean: str
    kind: MovementKind
    quantity: int
    item: int | None
    reference: str
    at: At
    now: int


class Changes(Answer):
    store: str
    results: list[Change]
    cursor: int
    more: bool


@routes.get(
    "/stock/changes",
    N_("What moved in a store after a cursor"),
    scopes=("stock", "till"),
    returns=N_("Oldest first; give `cursor` next time."),
)
def changes(key: MachineKey, query: ChangesPage) -> Changes:
    """Nothing is skipped for who keeps `cursor` for the next call."""
    store = store_of(key, query.store)
    rows = levels.changes(store.id, query.cursor, query.limit)
    levels_now = {
        level.variant_id: level
        for level in db.session.scalars(
            select(StockLevel).where(
                StockLevel.store_id == store.id,
                StockLevel.variant_id.in_({row.variant_id for row in rows}),
            )
        )
    }
    eans = dict(
        db.session.execute(
            select(Variant.id, Variant.ean).where(Variant.id.in_({row.variant_id for row in rows}))
        ).all()
    )
    return Changes(
        store=store.code or "",
        results=[
            Change(
                id=row.id,
                ean=eans[row.variant_id],
                kind=row.kind,
                quantity=row.quantity,
                item=row.item_id,
                reference=row.reference,
                at=row.at,
                now=levels_now[row.variant_id].quantity if row.variant_id in levels_now else 0,
            )
            for row in rows
        ],
        cursor=rows[-1].id if rows else query.cursor,
        more=len(rows) == query.limit,
    )


class Quantity(Body):
    ean: Ean
    quantity: Annotated[int, Whole(0, levels.MOST)]


class Quantities(Body):
    EXAMPLE: ClassVar[dict[str, Any]] = {
        "store": "N1",
        "lines": [{"ean": "5060327534393", "quantity": 3}],
    }
    store: Annotated[str, Text(20)] = ""
    dated_at: Moment | None = None
    # Each is read alone, so that one that is refused stops no other.
    lines: Annotated[list[SkipValidation[Quantity]], UpTo(MOST_LINES)]


class PublishedLine(Answer):
    """What became of one line. Of `ignored` and `refused` ones, `reason` and `message` say why."""

    line: int
    ean: str
    status: Literal["changed", "unchanged", "ignored", "refused"]
    reason: (
        Literal[
            "unknown_ean",
            "fanciful_quantity",
            "older_than_known",
            "named_twice",
            "invalid",
        ]
        | None
    ) = None
    message: str = ""


class IgnoredLine(Answer):
    ean: str
    reason: Literal["unknown_ean", "fanciful_quantity", "older_than_known"]


class Published(Answer):
    """`lines`: one answer for each line, in the order given."""

    changed: int
    unchanged: int
    refused: int
    ignored: list[IgnoredLine]
    lines: list[PublishedLine]


def _read_lines(sent: list[Any]) -> tuple[dict[int, Quantity], dict[int, PublishedLine]]:
    """The lines that are good, by their places, and the refused ones. Two quantities for one
    barcode: neither is believed (docs/rules/files.md).
    """
    good: dict[int, Quantity] = {}
    refused: dict[int, PublishedLine] = {}
    for place, row in enumerate(sent):
        try:
            good[place] = Quantity.model_validate(row)
        except ValidationError as wrong:
            ean = str(row.get("ean", ""))[:40] if isinstance(row, dict) else ""
            refused[place] = PublishedLine(
                line=place, ean=ean, status="refused", reason="invalid", message=problems(wrong)
            )
    quantities: dict[str, set[int]] = {}
    for line in good.values():
        quantities.setdefault(line.ean, set()).add(line.quantity)
    for place, line in list(good.items()):
        if len(quantities[line.ean]) > 1:
            refused[place] = PublishedLine(
                line=place,
                ean=line.ean,
                status="refused",
                reason="named_twice",
                message=_("This barcode is named twice with two quantities."),
            )
            del good[place]
    return good, refused


@routes.put(
    "/stock",
    N_("Publish absolute quantities of a store"),
    scopes=("stock",),
    returns=N_("What became of each line; 422 only when none is good."),
)
def publish(key: MachineKey, body: Quantities) -> Published:
    """A line that is refused stops no other; what is older than what is known is ignored."""
    store_of(key, body.store)
    good, refused = _read_lines(body.lines)
    if not good:
        raise Invalid(
            [
                {
                    "field": f"lines[{one.line}]",
                    "code": one.reason or "invalid",
                    "message": one.message,
                }
                for one in refused.values()
            ][:100]
        )
    counts = {line.ean: line.quantity for line in good.values()}

    def work() -> dict[str, str]:
        with unit_of_work():
            return feeds.publish(
                store_of(key, body.store),
                counts,
                by=machine_keys.actor(key),
                dated_at=body.dated_at,
            )

    became = retried(work)
    lines = refused | {place: _became(place, line.ean, became) for place, line in good.items()}
    statuses = Counter(became.values())
    return Published(
        changed=statuses["changed"],
        unchanged=statuses["unchanged"],
        refused=len(refused),
        ignored=[
            IgnoredLine.model_validate({"ean": ean, "reason": reason})
            for ean, reason in became.items()
            if reason not in ("changed", "unchanged")
        ],
        lines=[lines[place] for place in sorted(lines)],
    )


def _became(place: int, ean: str, became: dict[str, str]) -> PublishedLine:
    word = became[ean]
    if word in ("changed", "unchanged"):
        return PublishedLine.model_validate({"line": place, "ean": ean, "status": word})
    return PublishedLine.model_validate(
        {"line": place, "ean": ean, "status": "ignored", "reason": word}
    )


class ListingsPage(Page):
    limit: Annotated[int, Digits(1, 100), Field(description=N_("How many in one page."))] = 50


class ListingOfVendor(Answer):
    id: int
    sku: str
    ean: str
    state: str
    price: Euros
    price_today: Euros
    quantity: int
    leadtime_to_ship: int | None
    why_not_shown: str | None
    updated_at: At


class ListingsOfVendor(Answer):
    results: list[ListingOfVendor]
    next: int | None


@routes.get(
    "/listings",
    N_("Your sale offers, and what keeps one from being shown"),
    scopes=("listings",),
    returns=N_("A page."),
)
def offers(key: MachineKey, query: ListingsPage) -> ListingsOfVendor:
    """The vendor's listings, each with what keeps it from being shown, if anything does."""
    rows = db.session.scalars(
        select(Listing)
        .where(
            Listing.vendor_id == key.vendor_id,
            Listing.id > query.cursor,
        )
        .order_by(Listing.id)
        .limit(query.limit)
    ).all()
    today = clock.today()
    why_not = listings.why_none_is_shown([row.id for row in rows], today)
    return ListingsOfVendor(
        results=[
            ListingOfVendor(
                id=row.id,
                sku=row.sku,
                ean=row.variant.ean,
                state=listing_files.CODES[row.condition],
                price=row.price_cents,
                price_today=listings.price_on(row, today),
                quantity=listings.stock_of(row),
                leadtime_to_ship=row.delay_days,
                why_not_shown=why_not[row.id],
                updated_at=row.updated_at,
            )
            for row in rows
        ],
        next=rows[-1].id if len(rows) == query.limit else None,
    )


class Publication(Body):
    """What a line may say of an offer. What it does not name stays as it is."""

    sku: Annotated[
        str, Text(60, blank=False), Field(description=N_("Your own name for this offer."))
    ]
    price: Price | None = None
    discount_price: Price | None = None
    discount_from: Annotated[Day | None, Field(description=N_("First day of the discount."))] = None
    discount_to: Annotated[Day | None, Field(description=N_("Last day of the discount."))] = None

    def cells(self) -> dict[str, str]:
        """The line as the columns of a file (services/stock/listing_files.py). A discount that is
        null ends; one that is not named stays.
        """
        given = {name: getattr(self, name) for name in self.model_fields_set}
        cells = {_COLUMNS[name]: _cell(name, value) for name, value in given.items()}
        if "discount" not in cells:
            return {name: cell for name, cell in cells.items() if not name.startswith("discount_")}
        return cells


class PublishedOffer(Publication):
    ean: Ean = ""
    state: Annotated[
        Literal["11", "1", "2", "3", "4"],
        Field(description=N_("11 new; used: 1 like new, 2 very good, 3 good, 4 acceptable.")),
    ] = "11"
    quantity: Annotated[int, Whole(0, levels.MOST)] | None = None
    available_from: Day | None = None
    available_to: Day | None = None
    leadtime_to_ship: Annotated[int, Whole(0, 90)] | None = None
    min_quantity_alert: Annotated[int, Whole(1, levels.MOST)] | None = None
    description: Annotated[str, Text(5_000)] = ""
    delete: Annotated[
        bool, Field(strict=True, description=N_("Withdraws this offer; nothing else is read."))
    ] = False


# The fields of a line as the columns of an offers file.
_COLUMNS = {
    "sku": "sku",
    "ean": "product_id",
    "price": "price",
    "discount_price": "discount",
    "discount_from": "discount_from",
    "discount_to": "discount_to",
    "state": "state",
    "quantity": "quantity",
    "available_from": "available_from",
    "available_to": "available_to",
    "leadtime_to_ship": "delay",
    "min_quantity_alert": "alert",
    "description": "description",
    "delete": "what",
}


def _cell(name: str, value: Any) -> str:
    if name == "delete":
        return "delete" if value else ""
    if value is None:
        return ""
    return money.dotted(value) if name in ("price", "discount_price") else str(value)


class PublishedOffers(Body):
    EXAMPLE: ClassVar[dict[str, Any]] = {
        "lines": [
            {
                "sku": "ZEPH-36",
                "ean": "5060327534393",
                "price": "89.00",
                "state": "11",
                "leadtime_to_ship": 2,
            },
            {"sku": "ZEPH-37", "delete": True},
        ]
    }
    lines: Annotated[list[SkipValidation[PublishedOffer]], UpTo(MOST_LINES)]


class PublishedPrices(Body):
    EXAMPLE: ClassVar[dict[str, Any]] = {
        "lines": [
            {
                "sku": "ZEPH-36",
                "price": "89.00",
                "discount_price": "69.00",
                "discount_from": "2026-12-01",
                "discount_to": "2026-12-24",
            }
        ]
    }
    lines: Annotated[list[SkipValidation[Publication]], UpTo(MOST_LINES)]


class OfferLine(Answer):
    """What became of one line; `message` says why one is refused or ignored."""

    line: int
    sku: str
    status: Literal["created", "changed", "unchanged", "withdrawn", "ignored", "refused"]
    message: str = ""


class OfferLines(Answer):
    lines: list[OfferLine]


_OF_EACH = N_("What became of each line; one that is refused stops no other.")


@routes.put(
    "/listings",
    N_("Publish sale offers: new ones, changes, withdrawals"),
    scopes=("offers",),
    returns=_OF_EACH,
)
def publish_offers(key: MachineKey, body: PublishedOffers) -> OfferLines:
    """As an OF01 file of partial lines does, answered at once."""
    return _said(key, body.lines, PublishedOffer)


@routes.put(
    "/prices",
    N_("Publish the prices of your offers"),
    scopes=("offers",),
    returns=_OF_EACH,
)
def publish_prices(key: MachineKey, body: PublishedPrices) -> OfferLines:
    """As a PRI01 file does, answered at once."""
    return _said(key, body.lines, Publication)


def _said(key: MachineKey, sent: list[Any], model: type[Publication]) -> OfferLines:
    answers: dict[int, OfferLine] = {}
    good: dict[int, dict[str, str]] = {}
    for place, row in enumerate(sent):
        try:
            good[place] = model.model_validate(row).cells()
        except ValidationError as wrong:
            sku = str(row.get("sku", ""))[:60] if isinstance(row, dict) else ""
            answers[place] = OfferLine(
                line=place, sku=sku, status="refused", message=problems(wrong)
            )
    became = listing_files.say(
        vendor_of(key),
        list(good.values()),
        by=machine_keys.actor(key),
        prices_only=model is Publication,
    )
    for (place, cells), one in zip(good.items(), became, strict=True):
        said = {"message": one.message} if one.message else {}
        answers[place] = OfferLine.model_validate(
            {"line": place, "sku": cells["sku"], "status": one.status, **said}
        )
    return OfferLines(lines=[answers[place] for place in sorted(answers)])


class ListingsFileAsked(Query):
    file: Annotated[Literal["of01", "pri01", "sto01"], BeforeValidator(str.lower)] = "of01"


@routes.get(
    "/listings.csv",
    N_("Your offers as OF01, PRI01 or STO01"),
    scopes=("listings",),
    returns=N_("CSV, « ; », UTF-8."),
    media="text/csv",
)
def offers_file(key: MachineKey, query: ListingsFileAsked) -> Response:
    """The same as a file."""
    write = {
        "of01": listing_exports.as_of01,
        "pri01": listing_exports.as_pri01,
        "sto01": listing_exports.as_sto01,
    }[query.file]
    return Response("".join(write(vendor_of(key))), mimetype="text/csv")
