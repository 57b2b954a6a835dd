"""The dossier of a product, a store, a vendor: what waits for somebody first, what is linked to it
and where to see it, and what happened on one timeline. That of a sale is the buy-back's
(services/buyback/dossier.py).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from flask_babel import lazy_gettext as _l
from sqlalchemy import ColumnElement, Select, func, or_, select

from models import (
    ArgusValue,
    BuyingRule,
    CountState,
    FeedSource,
    ImportRun,
    ImportState,
    Item,
    Listing,
    ListingState,
    Membership,
    Movement,
    MovementKind,
    Offer,
    OfferLine,
    OfferState,
    PayingAccount,
    PaymentState,
    Product,
    ProductState,
    SellerPayment,
    Site,
    StockCount,
    StockLevel,
    StockTransfer,
    StockTransferState,
    Store,
    Vendor,
)
from services import money, timeline, workflow
from services.payments import seller_payments
from services.shipping import contracts
from services.stock import items, watch
from services.timeline import Fact
from services.unit import db

P = PaymentState
MOST = 60  # facts of a timeline
MOST_COUNTED = 10_000
# Sales the shop knows of: not a cart, not one that was deleted.
_REAL_SALES = Offer.status.not_in([OfferState.draft, OfferState.deleted])


@dataclass(frozen=True)
class Way:
    """Something to do, or something linked: its words, how many, and the list that shows them with
    what it is asked for.
    """

    words: Any
    endpoint: str
    asked: dict[str, Any] = field(default_factory=dict)
    count: int | None = None


@dataclass(frozen=True)
class Dossier:
    """What a page says of a noun before its columns."""

    todo: list[Way]
    linked: list[Way]
    timeline: list[Fact]


# ── a product ──


def of_product(product: Product) -> Dossier:
    """A sheet of the catalogue: its stock, its sale offers, what was bought and sold of it."""
    ids = [variant.id for variant in product.variants]
    eans = [variant.ean for variant in product.variants]
    its = {"q": eans[0] if len(eans) == 1 else product.title}
    used = _many(
        _l("Second-hand, in stock"),
        ("ItemView.list", its),
        Item,
        Item.variant_id.in_(ids),
        Item.status.in_(items.ON_HAND),
    )
    listed = _many(
        _l("On sale"),
        ("ListingView.list", its),
        Listing,
        Listing.variant_id.in_(ids),
        Listing.status == ListingState.active,
    )
    todo = []
    if product.status is ProductState.proposed:
        todo.append(Way(_l("This sheet waits to be validated."), ""))
    if not product.cover and not product.images:
        todo.append(Way(_l("It has no picture: buyers see a drawn cover."), ""))
    if used.count and not listed.count:
        words = _l("Second-hand units in stock, none on sale")
        todo.append(Way(words, "ItemView.list", its, used.count))
    bought = select(OfferLine.id).join(Offer).where(OfferLine.variant_id.in_(ids), _REAL_SALES)
    linked = [
        Way(_l("New, in stores"), "StockLevelView.list", its, _units(ids)),
        used,
        listed,
        Way(_l("Copies offered by sellers"), "", {}, _count(bought)),
        _many(
            _l("Units sold"),
            ("MovementView.list", {**its, "kind": "sale"}),
            Movement,
            Movement.variant_id.in_(ids),
            Movement.kind == MovementKind.sale,
        ),
        Way(_l("Argus, day by day"), "ArgusView.list", its),
    ]
    happened = [
        *timeline.events([("product", [product.id]), ("variant", ids)], MOST),
        *_movements(Movement.variant_id.in_(ids)),
        *_argus(ids),
    ]
    return Dossier(todo, _some(linked), timeline.newest_first(happened, MOST))


def _units(ids: list[int]) -> int:
    total = select(func.sum(StockLevel.quantity)).where(StockLevel.variant_id.in_(ids))
    return int(db.session.scalar(total) or 0)


def _movements(of_which: ColumnElement[bool]) -> Iterable[Fact]:
    rows = select(Movement).where(of_which).order_by(Movement.id.desc()).limit(MOST)
    for move in db.session.scalars(rows):
        parts = [f"{move.quantity:+d}", str(move.store), move.channel, move.reference]
        if move.price_cents is not None:
            parts.insert(1, money.text(move.price_cents))
        words = f"{workflow.words_of(move.kind)} : " + " · ".join(filter(None, parts))
        yield Fact(move.at, "movement", words, move.by_name)


def _argus(ids: list[int]) -> Iterable[Fact]:
    rows = (
        select(ArgusValue)
        .where(ArgusValue.variant_id.in_(ids))
        .order_by(ArgusValue.since.desc())
        .limit(MOST)
    )
    for value in db.session.scalars(rows):
        at = datetime(value.since.year, value.since.month, value.since.day, tzinfo=UTC)
        yield Fact(at, "argus_value", f"Argus : {money.text(value.value_cents)}", value.source)


# ── a store ──


def of_store(store: Store) -> Dossier:
    """A point of sale: its stock, its files, what travels to it."""
    here = {"store": store.id}
    todo = [
        _many(
            _l("Files wait for a click"),
            ("ImportRunView.list", {**here, "state": "to_confirm"}),
            ImportRun,
            ImportRun.store_id == store.id,
            ImportRun.state == ImportState.to_confirm,
        ),
        _many(
            _l("Transfers to receive"),
            ("StockTransferView.list", {"status": "on_its_way"}),
            StockTransfer,
            StockTransfer.to_store_id == store.id,
            StockTransfer.status == StockTransferState.on_its_way,
        ),
        _many(
            _l("Inventories under way"),
            ("StockCountView.list", here),
            StockCount,
            StockCount.store_id == store.id,
            StockCount.status == CountState.counting,
        ),
        _many(
            _l("References under their threshold"),
            ("StockLevelView.list", {**here, "niveau": "bas"}),
            StockLevel,
            StockLevel.store_id == store.id,
            StockLevel.quantity < StockLevel.alert_under,
        ),
    ]
    found = [way for way in todo if way.count]
    feed = next((one for one in watch.troubled(store.vendor_id) if one.store_id == store.id), None)
    if feed is not None:
        found.insert(0, Way(feed.words, "FeedWatchView.watch"))
    linked = [
        _many(
            _l("References in stock"),
            ("StockLevelView.list", here),
            StockLevel,
            StockLevel.store_id == store.id,
            StockLevel.quantity > 0,
        ),
        _many(
            _l("Second-hand, in stock"),
            ("ItemView.list", here),
            Item,
            Item.store_id == store.id,
            Item.status.in_(items.ON_HAND),
        ),
        Way(_l("Movements"), "MovementView.list", here),
        _many(
            _l("Files given"),
            ("ImportRunView.list", here),
            ImportRun,
            ImportRun.store_id == store.id,
        ),
        _many(
            _l("Places files are fetched from"),
            ("SourceView.list", {}),
            FeedSource,
            FeedSource.store_id == store.id,
        ),
        _many(
            _l("People who work here only"),
            ("MembershipView.list", {}),
            Membership,
            Membership.store_id == store.id,
        ),
        Way(_l("Its vendor"), "VendorView.show", {"pk": store.vendor_id}),
    ]
    ends = or_(StockTransfer.from_store_id == store.id, StockTransfer.to_store_id == store.id)
    subjects = [
        ("store", [store.id]),
        ("stock_transfer", _last(StockTransfer, ends)),
        ("stock_count", _last(StockCount, StockCount.store_id == store.id)),
    ]
    happened = [*timeline.events(subjects, MOST), *_files(ImportRun.store_id == store.id)]
    return Dossier(found, _some(linked), timeline.newest_first(happened, MOST))


def _files(of_which: ColumnElement[bool]) -> Iterable[Fact]:
    rows = select(ImportRun).where(of_which).order_by(ImportRun.id.desc()).limit(MOST)
    for run in db.session.scalars(rows):
        words = f"{run.file_name} : {workflow.words_of(run.state)}"
        yield Fact(run.ended_at or run.started_at, "import_run", words, run.by_name)


# ── a vendor ──


def of_vendor(vendor: Vendor) -> Dossier:
    """An enseigne: its stores and sites, what it buys, what it owes, what is missing to do so."""
    mine, payments = {"vendor": vendor.id}, {"enseigne": vendor.id}
    waiting = seller_payments.counts([vendor.id])
    to_pay, held = (waiting.get(state, (0, 0))[0] for state in (P.to_pay, P.held))
    todo = [
        _many(
            _l("Offers to check"),
            ("OfferView.list", {**mine, "status": "to_check"}),
            Offer,
            Offer.vendor_id == vendor.id,
            Offer.status == OfferState.to_check,
        ),
        Way(_l("Payments to make"), "PaymentsView.payments", payments, to_pay),
        Way(_l("Payments held"), "PaymentsView.payments", {**payments, "etat": "held"}, held),
    ]
    linked = [
        _many(_l("Stores"), ("StoreView.list", mine), Store, Store.vendor_id == vendor.id),
        _many(_l("Sites"), ("SiteView.list", mine), Site, Site.vendor_id == vendor.id),
        _many(
            _l("Buying rules"),
            ("RuleView.list", mine),
            BuyingRule,
            BuyingRule.vendor_id == vendor.id,
        ),
        _many(
            _l("Offers"), ("OfferView.list", mine), Offer, Offer.vendor_id == vendor.id, _REAL_SALES
        ),
        _many(
            _l("Payments to sellers"),
            ("SellerPaymentView.list", mine),
            SellerPayment,
            SellerPayment.vendor_id == vendor.id,
        ),
        _many(
            _l("On sale"),
            ("ListingView.list", {**mine, "status": "active"}),
            Listing,
            Listing.vendor_id == vendor.id,
            Listing.status == ListingState.active,
        ),
        _many(
            _l("People"),
            ("MembershipView.list", mine),
            Membership,
            Membership.vendor_id == vendor.id,
        ),
    ]
    subjects = [
        ("vendor", [vendor.id]),
        ("store", _last(Store, Store.vendor_id == vendor.id)),
        ("site", _last(Site, Site.vendor_id == vendor.id)),
    ]
    happened = [*timeline.events(subjects, MOST), *_files(ImportRun.vendor_id == vendor.id)]
    return Dossier(
        [*(way for way in todo if way.count), *_missing(vendor)],
        _some(linked),
        timeline.newest_first(happened, MOST),
    )


def _missing(vendor: Vendor) -> Iterable[Way]:
    """What a vendor cannot do without."""
    account = db.session.get(PayingAccount, vendor.id)
    if account is None or not account.iban_sealed:
        yield Way(_l("No account pays its sellers yet."), "PayingAccountView.list")
    if contracts.why_no_label(contracts.contract_of(vendor.id)):
        yield Way(_l("No carrier contract makes its labels yet."), "CarrierView.list")
    if vendor.police_register and not vendor.declaration_number:
        yield Way(_l("The number of its declaration to the préfecture is missing."), "")


# ── what all have ──


def _many(
    words: Any, place: tuple[str, dict[str, Any]], model: Any, *of_which: ColumnElement[bool]
) -> Way:
    """A list, with how many rows of a table it holds."""
    return Way(words, *place, _count(select(model.id).where(*of_which)))


def _count(rows: Select[Any]) -> int:
    """How many, counted up to a cap."""
    capped = rows.limit(MOST_COUNTED).subquery()
    return db.session.scalar(select(func.count()).select_from(capped)) or 0


def _last(model: Any, of_which: ColumnElement[bool]) -> list[int]:
    """The ids of the last rows."""
    rows = select(model.id).where(of_which).order_by(model.id.desc()).limit(MOST)
    return list(db.session.scalars(rows))


def _some(ways: list[Way]) -> list[Way]:
    """What there is; a way without a count always."""
    return [way for way in ways if way.count is None or way.count]
