"""Sale offers of vendors, called listings: what is sold by whom, in which condition, at what price,
when, how soon (domain 2.34).

They come from a vendor's file or software (`listing_files.py`), or from a graded unit put on sale.
New stock without a listing is sold at the catalogue price where the site assigns the store.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import ColumnElement, Select, and_, case, exists, func, null, or_, select
from sqlalchemy.orm import selectinload

from models import (
    Brand,
    BrandAgreement,
    Condition,
    Item,
    Listing,
    ListingState,
    PricePoint,
    Product,
    ProductState,
    StockLevel,
    Variant,
    Vendor,
)
from services import clock, webhooks, workflow
from services.catalogue import products
from services.stock import items
from services.stock.items import LISTING
from services.unit import db
from services.workflow import Actor, Refused

L = ListingState
workflow.says(
    "listing",
    price_listing=_l("Price changed"),
    set_terms=_l("Dates and delay"),
)


def offer(
    vendor: Vendor,
    sku: str,
    variant: Variant,
    price_cents: int,
    *,
    by: Actor,
    condition: Condition | None = None,
    item: Item | None = None,
) -> Listing:
    """Offer a reference, or one unit, for sale under the vendor's own name for it. Raises Refused
    with what stands against it.
    """
    if reason := products.why_not_sold_by(vendor.id, variant.product):
        raise Refused(reason)
    if db.session.scalar(
        select(Listing.id).where(Listing.vendor_id == vendor.id, Listing.sku == sku)
    ):
        raise Refused(_("You already offer something as « %(sku)s ».", sku=sku))
    _check_price(price_cents)
    now = clock.now()
    row = Listing(
        vendor_id=vendor.id,
        sku=sku[:60],
        variant_id=variant.id,
        item_id=item.id if item else None,
        condition=condition,
        price_cents=price_cents,
        status=L.active,
        created_at=now,
        updated_at=now,
    )
    db.session.add(row)
    workflow.record(row, "create", by=by)
    db.session.add(
        PricePoint(variant_id=variant.id, listing_id=row.id, price_cents=price_cents, since=now)
    )
    return row


# The columns of a price, in the order of `plan_price`.
PRICE = ("price_cents", "discount_cents", "discount_from", "discount_to")


def put_on_sale(item: Item, price_cents: int, *, by: Actor) -> Listing:
    """One graded unit, at a price of its own. Raises Refused."""
    if item.condition is None:
        raise Refused(_("Grade this unit first: a second-hand unit is sold in a condition."))
    vendor = db.session.get_one(Vendor, item.vendor_id)
    known: Listing | None = db.session.scalar(
        select(Listing).where(Listing.vendor_id == vendor.id, Listing.sku == f"ITEM-{item.id}")
    )
    items.ITEM.fire(item, "put_on_sale", by=by)
    if known is None:
        return offer(
            vendor,
            f"ITEM-{item.id}",
            item.variant,
            price_cents,
            by=by,
            condition=item.condition,
            item=item,
        )
    LISTING.fire(known, "offer_again", by=by)
    price(known, price_cents, by=by)
    return known


# ── one law for one listing and for a file of fifty thousand ──


@dataclass(frozen=True)
class Change:
    """What happens to one listing: the move it makes, the columns that change, the entry of the log
    with its facts, what its price history gains, and what the vendor's software is told.
    """

    verb: str
    values: dict[str, Any] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    asked_cents: int | None = None
    told: tuple[tuple[str, dict[str, Any]], ...] = ()


def plan_price(
    row: Any,
    price_cents: int,
    discount_cents: int | None,
    starts: date | None,
    ends: date | None,
    *,
    today: date,
) -> Change | None:
    """A new price, perhaps reduced for a while; None when it is the one there is. `row` is a
    listing or its columns. Raises Refused.
    """
    _check_price(price_cents)
    check_discount(price_cents, discount_cents, starts, ends)
    wanted: dict[str, Any] = dict(
        zip(PRICE, (price_cents, discount_cents, starts, ends), strict=True)
    )
    if all(getattr(row, name) == value for name, value in wanted.items()):
        return None
    return Change(
        "price_listing",
        values=wanted,
        facts={"before_cents": row.price_cents, "after_cents": price_cents},
        asked_cents=asked_on(today, **wanted),
    )


def plan_withdrawal(row: Any, reason: str = "WITHDRAWN") -> Change:
    """No longer offered; the vendor's software is told why."""
    return Change(
        "withdraw",
        values={"was_shown": False},
        told=(("listing.delisted", {"sku": row.sku, "reason": reason}),),
    )


def plan_return(row: Any) -> Change:
    """Offered again after it was withdrawn."""
    return Change("offer_again")


def apply(row: Listing, change: Change, *, by: Actor) -> None:
    """Make one change. A file makes the same ones in bulk (listing_files)."""
    now = clock.now()
    written = {**change.values, "updated_at": now}
    if change.verb in {move.verb for move in LISTING.moves}:
        LISTING.fire(row, change.verb, by=by, set=written, **change.facts)
    else:
        for name, value in written.items():
            setattr(row, name, value)
        workflow.record(row, change.verb, by=by, **change.facts)
    if change.asked_cents is not None:
        db.session.add(
            PricePoint(
                variant_id=row.variant_id,
                listing_id=row.id,
                price_cents=change.asked_cents,
                since=now,
            )
        )
    for event, data in change.told:
        webhooks.tell(row.vendor_id, event, data)


def price(
    row: Listing,
    price_cents: int,
    *,
    by: Actor,
    discount_cents: int | None = None,
    starts: date | None = None,
    ends: date | None = None,
) -> None:
    """A new price, perhaps reduced for a while; what is asked from now on goes to the history that
    says the lowest of 30 days.
    """
    change = plan_price(row, price_cents, discount_cents, starts, ends, today=clock.today())
    if change is not None:
        apply(row, change, by=by)


TURNED_WITHIN = timedelta(days=31)


def turn_prices() -> int:
    """Reductions that began or ended without anybody's hand become points of the price history,
    dated at their midnight; returns how many.

    Looks back a month, so that days on which no worker ran are made up for; what is known is not
    written again.
    """
    today = clock.today()
    since = today - TURNED_WITHIN
    turned = Listing.discount_from.between(since, today) | Listing.discount_to.between(
        since, today - timedelta(days=1)
    )
    last = (
        select(func.max(PricePoint.id))
        .where(PricePoint.listing_id == Listing.id)
        .correlate(Listing)
        .scalar_subquery()
    )
    rows = db.session.execute(
        select(Listing, PricePoint)
        .join(PricePoint, PricePoint.id == last)
        .where(Listing.discount_cents.is_not(None), turned)
    ).all()
    done = 0
    for row, point in rows:
        asked, ended = point.price_cents, row.discount_to and row.discount_to + timedelta(days=1)
        for day in sorted(day for day in (row.discount_from, ended) if day and day <= today):
            midnight = clock.from_paris(datetime.combine(day, time(0)))
            if midnight > point.since and price_on(row, day) != asked:
                asked = price_on(row, day)
                db.session.add(
                    PricePoint(
                        variant_id=row.variant_id,
                        listing_id=row.id,
                        price_cents=asked,
                        since=midnight,
                    )
                )
                done += 1
    return done


def withdraw(row: Listing, *, by: Actor) -> None:
    """No longer offered; a unit goes back to the shelf."""
    apply(row, plan_withdrawal(row), by=by)
    if row.item is not None and row.item.status is items.S.listed:
        items.ITEM.fire(row.item, "take_off_sale", by=by)


def offer_again(row: Listing, *, by: Actor) -> None:
    if row.item is not None:
        items.ITEM.fire(row.item, "put_on_sale", by=by)
    apply(row, plan_return(row), by=by)


def set_terms(
    row: Listing,
    *,
    available_from: date | None,
    available_to: date | None,
    delay_days: int | None,
    by: Actor,
) -> None:
    """From when to when it is offered, and within how many days it leaves, by hand (AN-017). Raises
    Refused.
    """
    if available_from and available_to and available_from > available_to:
        raise Refused(_("It would end before it begins."))
    if delay_days is not None and not 0 <= delay_days <= 90:
        raise Refused(_("It leaves within 0 to 90 days."))
    if (row.available_from, row.available_to, row.delay_days) == (
        available_from,
        available_to,
        delay_days,
    ):
        return
    row.available_from, row.available_to, row.delay_days, row.updated_at = (
        available_from,
        available_to,
        delay_days,
        clock.now(),
    )
    workflow.record(row, "set_terms", by=by)


def _check_price(price_cents: int) -> None:
    if price_cents <= 0:
        raise Refused(_("A price is above zero."))


def check_discount(
    price_cents: int, discount_cents: int | None, starts: date | None, ends: date | None
) -> None:
    if discount_cents is not None and not 0 < discount_cents <= price_cents:
        raise Refused(_("A reduced price is above zero and below the price."))
    if starts and ends and starts > ends:
        raise Refused(_("The reduction ends before it begins."))


# ── what a buyer would see ──


def price_on(row: Listing, day: date) -> int:
    """What is asked on a day, the reduction of that day applied."""
    return asked_on(day, row.price_cents, row.discount_cents, row.discount_from, row.discount_to)


def asked_on(
    day: date,
    price_cents: int,
    discount_cents: int | None,
    discount_from: date | None,
    discount_to: date | None,
) -> int:
    """Of a price and its reduction, which counts on a day; the reduction counts on its first and
    its last day.
    """
    is_reduced = (discount_from is None or discount_from <= day) and (
        discount_to is None or day <= discount_to
    )
    return discount_cents if is_reduced and discount_cents is not None else price_cents


def asked_now(day: date) -> ColumnElement[int]:
    """The same price as a column of a statement over listings."""
    is_reduced = and_(
        Listing.discount_cents.is_not(None),
        or_(Listing.discount_from.is_(None), Listing.discount_from <= day),
        or_(Listing.discount_to.is_(None), Listing.discount_to >= day),
    )
    return case((is_reduced, Listing.discount_cents), else_=Listing.price_cents)


def stock_of(row: Listing) -> int:
    """How many units of a listing can be had: one for a unit, else of used ones what its vendor
    says, of new ones what their stores hold and nobody reserved.
    """
    if row.item_id is not None:
        return 1 if row.item is not None and row.item.status is items.S.listed else 0
    if row.condition is not None:
        return row.quantity or 0
    found = db.session.scalar(
        select(func.sum(StockLevel.quantity - StockLevel.reserved)).where(
            StockLevel.vendor_id == row.vendor_id,
            StockLevel.variant_id == row.variant_id,
            StockLevel.quantity > StockLevel.reserved,
        )
    )
    return int(found or 0)


def why_not_shown(row: Listing, day: date) -> str | None:
    """None when buyers see it, else the reason, in the words of the marketplaces
    (docs/rules/files.md).
    """
    return why_none_is_shown([row.id], day)[row.id]


def why_none_is_shown(ids: list[int], day: date) -> dict[int, str | None]:
    """The same of many listings at once, by their ids."""
    rows = _with_reasons(day).with_only_columns(Listing.id, _reason(day))
    return dict(db.session.execute(rows.where(Listing.id.in_(ids))).all())


def _read(*columns: Any) -> Select[Any]:
    """Columns of listings, with all that decides whether buyers see them (`_reason`)."""
    return (
        select(*columns)
        .select_from(Listing)
        .join(Variant, Variant.id == Listing.variant_id)
        .join(Product, Product.id == Variant.product_id)
        .outerjoin(Brand, Brand.id == Product.brand_id)
        .outerjoin(
            BrandAgreement,
            (BrandAgreement.brand_id == Brand.id) & (BrandAgreement.vendor_id == Listing.vendor_id),
        )
    )


def _had(day: date, vendor_id: int | None, *columns: Any) -> Select[Any]:
    """The same of the listings buyers can have on a day, of one vendor or of all."""
    statement = _read(*columns).where(_reason(day).is_(None))
    return statement if vendor_id is None else statement.where(Listing.vendor_id == vendor_id)


def shown(
    product_ids: Sequence[int], day: date, vendor_id: int | None = None, most: int | None = None
) -> list[Listing]:
    """What buyers can have of these products, the cheapest of the day first, read with all that a
    page says of it.
    """
    statement = (
        _had(day, vendor_id, Listing)
        .where(Product.id.in_(product_ids))
        .options(
            selectinload(Listing.variant),
            selectinload(Listing.vendor),
            selectinload(Listing.item).selectinload(Item.store),
        )
        .order_by(asked_now(day), Listing.id)
        .limit(most)
    )
    return list(db.session.scalars(statement))


def lowest_prices(
    product_ids: Sequence[int], day: date, vendor_id: int | None = None
) -> dict[int, int]:
    """For each of these products that can be had, the lowest price of the day, in cents."""
    statement = (
        _had(day, vendor_id, Product.id, func.min(asked_now(day)))
        .where(Product.id.in_(product_ids))
        .group_by(Product.id)
    )
    return dict(db.session.execute(statement).all())


def newest_shown(day: date, most: int, vendor_id: int | None = None) -> list[int]:
    """The products of the newest listings that can be had, by their numbers; some of them more than
    once.
    """
    statement = _had(day, vendor_id, Product.id)
    return list(db.session.scalars(statement.order_by(Listing.id.desc()).limit(most)))


def _with_reasons(day: date) -> Select[int, str, bool | None, str | None]:
    return _read(Listing.id, Listing.sku, Listing.was_shown, _reason(day))


def _reason(day: date) -> ColumnElement[str | None]:
    agreed, asks = BrandAgreement.allowed, Brand.needs_agreement
    free = StockLevel.quantity - StockLevel.reserved
    new_units = (
        select(func.sum(free))
        .where(
            StockLevel.vendor_id == Listing.vendor_id,
            StockLevel.variant_id == Listing.variant_id,
            free > 0,
        )
        .correlate(Listing)
        .scalar_subquery()
    )
    unit = exists().where(Item.id == Listing.item_id, Item.status == items.S.listed)
    is_there = case(
        (Listing.item_id.is_not(None), unit),
        (Listing.condition.is_not(None), func.coalesce(Listing.quantity, 0) > 0),
        else_=func.coalesce(new_units, 0) > 0,
    )
    return case(
        (Listing.status != L.active, "WITHDRAWN"),
        (or_(Product.status != ProductState.validated, ~Variant.active), "PRODUCT_DISABLED"),
        (
            or_(agreed.is_(False), and_(asks.is_(True), agreed.is_not(True))),
            "BRAND_UNAUTHORIZED_TO_SELL",
        ),
        (
            or_(Listing.available_from > day, Listing.available_to < day),
            "NOT_IN_AVAILABILITY_PERIOD",
        ),
        (~is_there, "ZERO_QUANTITY"),
        else_=null(),
    ).label("reason")


AT_ONCE = 500


def to_tell(day: date) -> list[int]:
    """Listings of vendors whose software listens, which buyers see no more or see again since it
    was told, whatever the cause: stock, a file, a brand, a date.
    """
    listeners = webhooks.listeners("listing.delisted")
    if not listeners:
        return []
    is_shown = _reason(day).is_(None)
    rows = (
        _with_reasons(day)
        .with_only_columns(Listing.id)
        .where(
            Listing.vendor_id.in_(listeners),
            or_(Listing.was_shown.is_(None), Listing.was_shown != is_shown),
            or_(Listing.status == L.active, Listing.was_shown.is_(True)),
        )
    )
    return list(db.session.scalars(rows.order_by(Listing.id)))


def tell_shown(ids: list[int], day: date) -> None:
    """Tell who listens which of these are no longer shown, and why; in the caller's unit. What was
    never looked at, or is shown again, is only noted.
    """
    rows = db.session.scalars(select(Listing).where(Listing.id.in_(ids)).with_for_update()).all()
    reasons = why_none_is_shown(ids, day)
    for row in rows:
        reason = reasons[row.id]
        if row.was_shown and reason is not None:
            webhooks.tell(row.vendor_id, "listing.delisted", {"sku": row.sku, "reason": reason})
        row.was_shown = reason is None


def of_variant(variant_id: int) -> list[Listing]:
    """Who offers a reference, the cheapest first."""
    return list(
        db.session.scalars(
            select(Listing)
            .where(Listing.variant_id == variant_id, Listing.status == L.active)
            .order_by(Listing.price_cents)
            .limit(50)
        )
    )
