"""Sale offers of vendors, called listings: what is sold by whom, in which condition, at what price, when, how soon (domain 2.34).

They come from a vendor's file or software (OF01, prices alone: PRI01, stock alone: STO01), or from a graded unit put on sale. New
stock without a listing is sold at the catalogue price where the site assigns the store.
"""

import csv
import io
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import func, select

from models import Condition, Item, Listing, ListingState, PricePoint, StockLevel, Store, Variant, Vendor, VendorReference
from services import clock, money, words, workflow
from services.stock import catalogue, imports, items, levels, matching, runs
from services.stock.items import LISTING
from services.unit import db, retried, unit_of_work
from services.workflow import Actor, Refused

L = ListingState
workflow.VERBS.update(price_listing=_l("Price changed"))
# Mirakl's numbers, our words, and ours: what files may say of a condition. 11 is new there.
CONDITIONS: dict[str, Condition | None] = {
    "11": None, "new": None, "neuf": None, "": None,
    "1": Condition.like_new_unit, "comme neuf": Condition.like_new_unit, "used - like new": Condition.like_new_unit, "like_new": Condition.like_new_unit,
    "2": Condition.very_good_unit, "tres bon": Condition.very_good_unit, "very_good": Condition.very_good_unit, "tbe": Condition.very_good_unit,
    "3": Condition.good_unit, "bon": Condition.good_unit, "good": Condition.good_unit, "be": Condition.good_unit,
    "4": Condition.acceptable_unit, "acceptable": Condition.acceptable_unit, "moyen": Condition.acceptable_unit,
}  # fmt: skip
CODES = {None: "11", Condition.like_new_unit: "1", Condition.very_good_unit: "2", Condition.good_unit: "3", Condition.acceptable_unit: "4"}
_FOLDED = {imports.fold(name): condition for name, condition in CONDITIONS.items()}


def offer(
    vendor: Vendor, sku: str, variant: Variant, price_cents: int, *, by: Actor, condition: Condition | None = None, item: Item | None = None,
) -> Listing:  # fmt: skip
    """Offer a reference, or one unit, for sale under the vendor's own name for it. Raises Refused with what stands against it."""
    if reason := catalogue.why_not_sold_by(vendor.id, variant.product):
        raise Refused(reason)
    if db.session.scalar(select(Listing.id).where(Listing.vendor_id == vendor.id, Listing.sku == sku)):
        raise Refused(_("You already offer something as « %(sku)s ».", sku=sku))
    _check_price(price_cents)
    now = clock.now()
    row = Listing(vendor_id=vendor.id, sku=sku[:60], variant_id=variant.id, item_id=item.id if item else None, condition=condition, price_cents=price_cents,
                  status=L.active, created_at=now, updated_at=now)  # fmt: skip
    db.session.add(row)
    workflow.record(row, "create", by=by)
    db.session.add(PricePoint(variant_id=variant.id, listing_id=row.id, price_cents=price_cents, since=now))
    return row


def put_on_sale(item: Item, price_cents: int, *, by: Actor) -> Listing:
    """One graded unit, at a price of its own. Raises Refused."""
    vendor = db.session.get_one(Vendor, item.vendor_id)
    known = db.session.scalar(select(Listing).where(Listing.vendor_id == vendor.id, Listing.sku == f"ITEM-{item.id}"))
    items.ITEM.fire(item, "put_on_sale", by=by)
    if known is None:
        return offer(vendor, f"ITEM-{item.id}", item.variant, price_cents, by=by, condition=item.condition, item=item)
    LISTING.fire(known, "offer_again", by=by)
    price(known, price_cents, by=by)
    return known


def price(
    row: Listing, price_cents: int, *, by: Actor, discount_cents: int | None = None, starts: date | None = None, ends: date | None = None
) -> None:
    """A new price, perhaps reduced for a while; kept in the history that says the lowest of 30 days."""
    _check_price(price_cents)
    _check_discount(price_cents, discount_cents, starts, ends)
    before, now = row.price_cents, clock.now()
    if (row.price_cents, row.discount_cents, row.discount_from, row.discount_to) == (price_cents, discount_cents, starts, ends):
        return
    row.price_cents, row.discount_cents, row.discount_from, row.discount_to, row.updated_at = price_cents, discount_cents, starts, ends, now
    db.session.add(PricePoint(variant_id=row.variant_id, listing_id=row.id, price_cents=discount_cents or price_cents, since=now))
    workflow.record(row, "price_listing", by=by, before_cents=before, after_cents=price_cents)


def withdraw(row: Listing, *, by: Actor) -> None:
    """No longer offered; a unit goes back to the shelf."""
    LISTING.fire(row, "withdraw", by=by)
    row.updated_at = clock.now()
    if row.item is not None and row.item.status is items.S.listed:
        items.ITEM.fire(row.item, "take_off_sale", by=by)


def offer_again(row: Listing, *, by: Actor) -> None:
    if row.item is not None:
        items.ITEM.fire(row.item, "put_on_sale", by=by)
    LISTING.fire(row, "offer_again", by=by)
    row.updated_at = clock.now()


def _check_price(price_cents: int) -> None:
    if price_cents <= 0:
        raise Refused(_("A price is above zero."))


def _check_discount(price_cents: int, discount_cents: int | None, starts: date | None, ends: date | None) -> None:
    if discount_cents is not None and not 0 < discount_cents <= price_cents:
        raise Refused(_("A reduced price is above zero and below the price."))
    if starts and ends and starts > ends:
        raise Refused(_("The reduction ends before it begins."))


# ── what a buyer would see ──


def price_on(row: Listing, day: date) -> int:
    """What is asked on a day, the reduction of that day applied."""
    reduced = (
        row.discount_cents is not None
        and (row.discount_from is None or row.discount_from <= day)
        and (row.discount_to is None or day <= row.discount_to)
    )
    return row.discount_cents if reduced and row.discount_cents is not None else row.price_cents


def stock_of(row: Listing) -> int:
    """How many units of a listing can be had: one for a unit, else what the vendor's stores hold and nobody reserved."""
    if row.item_id is not None:
        return 1 if row.item is not None and row.item.status is items.S.listed else 0
    found = db.session.scalar(
        select(func.sum(StockLevel.quantity - StockLevel.reserved)).where(
            StockLevel.vendor_id == row.vendor_id, StockLevel.variant_id == row.variant_id, StockLevel.quantity > StockLevel.reserved
        )
    )
    return int(found or 0)


def why_not_shown(row: Listing, day: date) -> str | None:
    """None when buyers see it, else the reason, in the words of the marketplaces (docs/rules/files.md)."""
    if row.status is not L.active:
        return "WITHDRAWN"
    if row.variant.product.status.value != "validated" or not row.variant.active:
        return "PRODUCT_DISABLED"
    if catalogue.why_not_sold_by(row.vendor_id, row.variant.product):
        return "BRAND_UNAUTHORIZED_TO_SELL"
    if (row.available_from and day < row.available_from) or (row.available_to and day > row.available_to):
        return "NOT_IN_AVAILABILITY_PERIOD"
    return None if stock_of(row) else "ZERO_QUANTITY"


# ── files: OF01 and PRI01 in, both and STO01 out ──

OFFERS: dict[str, tuple[str, ...]] = {
    "sku": ("sku", "offer-sku", "reference"),
    "product_id": ("product-id", "ean", "code-barres"),
    "id_type": ("product-id-type",),
    "description": ("description",),
    "price": ("price", "prix"),
    "quantity": ("quantity", "quantite"),
    "alert": ("min-quantity-alert",),
    "state": ("state", "etat"),
    "available_from": ("available-start-date",),
    "available_to": ("available-end-date",),
    "logistic": ("logistic-class",),
    "discount": ("discount-price",),
    "discount_from": ("discount-start-date",),
    "discount_to": ("discount-end-date",),
    "delay": ("leadtime-to-ship",),
    "what": ("update-delete",),
}
OF01 = ["sku", "product-id", "product-id-type", "description", "internal-description", "price", "price-additional-info", "quantity", "min-quantity-alert", "state",
        "available-start-date", "available-end-date", "logistic-class", "discount-price", "discount-start-date", "discount-end-date", "discount-ranges",
        "price-ranges", "leadtime-to-ship", "min-order-quantity", "max-order-quantity", "package-quantity", "update-delete"]  # fmt: skip
PRICES = {name: OFFERS[name] for name in ("sku", "price", "discount", "discount_from", "discount_to")}
PRI01 = ["offer-sku", "price", "discount-price", "discount-start-date", "discount-end-date"]
STO01 = ["offer-sku", "quantity", "warehouse-code", "update-delete"]


def read_day(words: str) -> date | None:
    """« 2026-11-25 », « 25/11/2026 », « 2026-11-25T10:00:00Z ». Raises Refused."""
    bare = words.strip()[:10]
    if not bare:
        return None
    for form in ("%Y-%m-%d", "%d/%m/%Y"):
        try:
            return datetime.strptime(bare, form).date()  # noqa: DTZ007  (a day has no zone)
        except ValueError:
            continue
    raise Refused(_("« %(words)s » is no date: write 2026-11-25.", words=words[:20]))


def _whole(words: str, low: int, high: int) -> int | None:
    bare = words.strip()
    if not bare:
        return None
    if not (bare.isascii() and bare.isdigit() and len(bare) < 9 and low <= int(bare) <= high):
        raise Refused(_("« %(words)s » is no whole number from %(low)s to %(high)s.", words=words[:20], low=low, high=high))
    return int(bare)


class _Row:
    """One line of an offers file, read; `ean`, `title`, `brand` and `supplier_ref` are what the mapping asks of it."""

    title = brand = supplier_ref = ""

    def __init__(self, line: int, cells: list[str], at: dict[str, int]) -> None:
        def cell(name: str) -> str:
            place = at.get(name)
            return cells[place].strip() if place is not None and place < len(cells) else ""

        self.line, self.sku, self.ean = line, cell("sku")[:60], ""
        if not self.sku:
            raise Refused(_("This line has no sku: your own name for this offer."))
        product, kind = cell("product_id"), cell("id_type").upper()
        if product and kind in ("", "EAN", "UPC", "GTIN"):
            self.ean = catalogue.read_ean(product)
        elif product:
            self.supplier_ref = product[:60]
        self.deleted = cell("what").lower() == "delete"
        self.price = imports.amount(cell("price"))
        if self.price == 0:
            raise Refused(_("A price is above zero."))
        self.discount = imports.amount(cell("discount"))
        self.discount_from, self.discount_to = read_day(cell("discount_from")), read_day(cell("discount_to"))
        state = cell("state")
        if imports.fold(state) not in _FOLDED:
            raise Refused(_("« %(state)s » is no condition we know: 11 is new, 1 to 4 like new to acceptable.", state=state[:20]))
        self.condition = _FOLDED[imports.fold(state)]
        self.quantity = _whole(cell("quantity"), 0, 1_000_000)
        self.alert = _whole(cell("alert"), 1, 1_000_000)
        self.delay = _whole(cell("delay"), 0, 90)
        self.available_from, self.available_to = read_day(cell("available_from")), read_day(cell("available_to"))
        self.logistic, self.description = cell("logistic")[:40], catalogue.visible_lines(cell("description"))[:5_000]
        if self.price is not None:
            _check_discount(self.price, self.discount, self.discount_from, self.discount_to)


def _load_offers(loading: runs.Loading) -> None:
    at = loading.open()
    seen: dict[str, _Row] = {}
    for row in loading.rows(lambda line, cells: _Row(line, cells, at)):
        if row.sku in seen:
            loading.repeat(row.line, row.sku)
        seen[row.sku] = row  # the last line of an offer counts
    loading.progress()
    matched = matching.match(loading.vendor_id or 0, seen.values())
    mark = loading.mark()

    def work() -> None:
        loading.back_to(mark)
        with unit_of_work() as session:
            _apply_offers(loading, seen, matched, session)

    retried(work)


def _apply_offers(loading: runs.Loading, seen: dict[str, _Row], matched: dict[int, int], session: Any) -> None:
    vendor = session.get_one(Vendor, loading.vendor_id)
    by = Actor("machine", loading.run_id, loading.by_name)
    known = {row.sku: row for row in session.scalars(select(Listing).where(Listing.vendor_id == vendor.id))}
    counts = {"created": 0, "updated": 0, "unchanged": 0, "removed": 0}
    wrong: dict[int, str] = {}
    unknown = []
    variants = {v.id: v for v in _variants(set(matched.values()))}
    for row in seen.values():
        try:
            listing = known.get(row.sku)
            if row.deleted:
                if listing is not None and listing.status is L.active:
                    withdraw(listing, by=by)
                    counts["removed"] += 1
                continue
            variant = listing.variant if listing is not None and not row.ean else variants.get(matched.get(row.line, 0))
            if variant is None:
                unknown.append(row)
                continue
            with session.begin_nested():  # a line fails alone
                counts[_apply_offer(vendor, row, listing, variant, by)] += 1
        except Refused as refusal:
            wrong[row.line] = str(refusal)
    if loading.mode == "replace":
        for sku, listing in known.items():
            if sku not in seen and listing.status is L.active and listing.item_id is None:
                withdraw(listing, by=by)
                counts["removed"] += 1
    loading.put_aside(wrong)
    loading.put_aside({row.line: _("We do not know this reference: it waits in the queue of unknown references.") for row in unknown}, ignored=True)
    matching.note_unknown(vendor.id, unknown)
    loading.ended(session, **counts)  # type: ignore[arg-type]


def _variants(ids: set[int]) -> Iterator[Variant]:
    wanted = sorted(ids)
    for start in range(0, len(wanted), 500):
        yield from db.session.scalars(select(Variant).where(Variant.id.in_(wanted[start : start + 500])))


def _apply_offer(vendor: Vendor, row: _Row, listing: Listing | None, variant: Variant, by: Actor) -> str:
    if listing is None:
        if row.price is None:
            raise Refused(_("A new offer needs a price."))
        listing, done = offer(vendor, row.sku, variant, row.price, by=by, condition=row.condition), "created"
    else:
        done = "unchanged"
        if listing.status is L.withdrawn:
            offer_again(listing, by=by)
            done = "updated"
    wanted = {"variant_id": variant.id, "condition": row.condition, "available_from": row.available_from, "available_to": row.available_to,
              "delay_days": row.delay, "alert_under": row.alert, "logistic_class": row.logistic, "description": row.description}  # fmt: skip
    if listing.item_id is not None:
        wanted = {name: value for name, value in wanted.items() if name not in ("variant_id", "condition")}
    if any(getattr(listing, name) != value for name, value in wanted.items()):
        for name, value in wanted.items():
            setattr(listing, name, value)
        listing.updated_at = clock.now()
        done = "updated" if done == "unchanged" else done
    before = (listing.price_cents, listing.discount_cents, listing.discount_from, listing.discount_to)
    if row.price is not None and before != (row.price, row.discount, row.discount_from, row.discount_to):
        price(listing, row.price, by=by, discount_cents=row.discount, starts=row.discount_from, ends=row.discount_to)
        done = "updated" if done == "unchanged" else done
    if row.quantity is not None and listing.item_id is None:
        done = "updated" if _global_stock(vendor, variant, row.quantity, by) and done == "unchanged" else done
    return done


def _global_stock(vendor: Vendor, variant: Variant, quantity: int, by: Actor) -> bool:
    """An offer that says how many there are, without a store, speaks of a vendor who has one; with several, STO01 names them."""
    stores = db.session.scalars(select(Store).where(Store.vendor_id == vendor.id).limit(2)).all()
    if len(stores) != 1:
        raise Refused(_("You have several stores: give their stock by a stock file, which names them."))
    level = levels.of(stores[0], variant)
    before = level.quantity
    levels.lock_store(stores[0].id)
    levels.state(level, quantity, levels.K.feed, by=by, at=clock.now(), reference="offres")
    levels.settle(level, cause=_("offers file"), by=by)
    return level.quantity != before


def _load_prices(loading: runs.Loading) -> None:
    at = loading.open()

    def read(line: int, cells: list[str]) -> tuple[int, str, int, int | None, date | None, date | None]:
        def cell(name: str) -> str:
            place = at.get(name)
            return cells[place].strip() if place is not None and place < len(cells) else ""

        amount, discount = imports.amount(cell("price")), imports.amount(cell("discount"))
        if not amount:
            raise Refused(_("A price is above zero."))
        starts, ends = read_day(cell("discount_from")), read_day(cell("discount_to"))
        _check_discount(amount, discount, starts, ends)
        return line, cell("sku")[:60], amount, discount, starts, ends

    rows = {row[1]: row for row in loading.rows(read)}
    loading.progress()
    mark = loading.mark()

    def work() -> None:
        loading.back_to(mark)
        with unit_of_work() as session:
            known = {row.sku: row for row in session.scalars(select(Listing).where(Listing.vendor_id == loading.vendor_id))}
            by = Actor("machine", loading.run_id, loading.by_name)
            unknown, updated = {}, 0
            for line, sku, amount, discount, starts, ends in rows.values():
                listing = known.get(sku)
                if listing is None:
                    unknown[line] = _("You offer nothing as « %(sku)s ».", sku=sku)
                    continue
                before = listing.updated_at
                price(listing, amount, by=by, discount_cents=discount, starts=starts, ends=ends)
                updated += listing.updated_at != before
            loading.put_aside(unknown, ignored=True)
            loading.ended(session, updated=updated, unchanged=len(rows) - len(unknown) - updated)

    retried(work)


runs.kind("offers", _l("Sale offers (OF01)"), OFFERS, ("sku",), _load_offers, modes=("normal", "replace"),
          help=_l("Columns of OF01: sku, product-id (EAN), price, state, dates, leadtime-to-ship; update-delete takes an offer off."))  # fmt: skip
runs.kind("prices", _l("Prices (PRI01)"), PRICES, ("sku", "price"), _load_prices,
          help=_l("Columns of PRI01: offer-sku, price, discount-price and its dates."))  # fmt: skip


def _out(header: list[str], rows: Iterator[list[Any]]) -> Iterator[str]:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=";")
    writer.writerow(header)
    yield "\ufeff"
    for number, row in enumerate(rows, 1):
        writer.writerow([imports.neutral(words.visible(cell)) if isinstance(cell, str) else cell for cell in row])
        if number % 500 == 0:
            yield out.getvalue()
            out.seek(0)
            out.truncate()
    yield out.getvalue()


def _pages(vendor_id: int) -> Iterator[tuple[Listing, Variant]]:
    after = 0
    while rows := db.session.execute(
        select(Listing, Variant).join(Variant, Variant.id == Listing.variant_id).where(Listing.vendor_id == vendor_id, Listing.id > after)
        .order_by(Listing.id).limit(500)
    ).all():  # fmt: skip
        after = rows[-1][0].id
        yield from (tuple(row) for row in rows)  # type: ignore[misc]


def _day(day: date | None) -> str:
    return day.isoformat() if day else ""


def as_of01(vendor_id: int) -> Iterator[str]:
    """A vendor's offers as the file he could send back."""
    return _out(OF01, ([
        row.sku, variant.ean, "EAN", row.description, "", money.dotted(row.price_cents), "", stock_of(row), row.alert_under or "", CODES[row.condition],
        _day(row.available_from), _day(row.available_to), row.logistic_class, money.dotted(row.discount_cents) if row.discount_cents else "",
        _day(row.discount_from), _day(row.discount_to), "", "", "" if row.delay_days is None else row.delay_days, "", "", "",
        "delete" if row.status is L.withdrawn else "",
    ] for row, variant in _pages(vendor_id)))  # fmt: skip


def as_pri01(vendor_id: int) -> Iterator[str]:
    return _out(PRI01, ([row.sku, money.dotted(row.price_cents), money.dotted(row.discount_cents) if row.discount_cents else "", _day(row.discount_from),
                         _day(row.discount_to)] for row, _variant in _pages(vendor_id) if row.status is L.active))  # fmt: skip


def as_sto01(vendor_id: int, store_id: int | None = None) -> Iterator[str]:
    """What a vendor's stores hold, one line a reference and store: the sku he gave it, else its barcode."""

    def rows() -> Iterator[list[Any]]:
        after = 0
        codes = {store.id: store.code or store.name for store in db.session.scalars(select(Store).where(Store.vendor_id == vendor_id))}
        wanted = [store_id] if store_id is not None else list(codes)
        while found := db.session.execute(
            select(StockLevel.id, StockLevel.store_id, StockLevel.quantity, Variant.ean, VendorReference.sku)
            .join(Variant, Variant.id == StockLevel.variant_id)
            .outerjoin(VendorReference, (VendorReference.variant_id == Variant.id) & (VendorReference.vendor_id == vendor_id))
            .where(StockLevel.vendor_id == vendor_id, StockLevel.store_id.in_(wanted), StockLevel.id > after)
            .order_by(StockLevel.id).limit(1000)
        ).all():  # fmt: skip
            after = found[-1].id
            yield from ([row.sku or row.ean, row.quantity, codes[row.store_id], ""] for row in found)

    return _out(STO01, rows())


def of_variant(variant_id: int) -> list[Listing]:
    """Who offers a reference, the cheapest first."""
    return list(
        db.session.scalars(
            select(Listing).where(Listing.variant_id == variant_id, Listing.status == L.active).order_by(Listing.price_cents).limit(50)
        )
    )
