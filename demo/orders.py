"""What buyers find in the shop: second-hand units of two vendors beside the shoes of a third; then
what they reserve and collect, in every state an order knows.
"""

import random
from collections.abc import Callable
from datetime import datetime, timedelta

from demo.cast import SELLERS, TELLER
from models import (
    Cart,
    Condition,
    Customer,
    Item,
    ItemState,
    Listing,
    OrderEnd,
    Site,
    SiteKind,
    StockConflict,
    StockLevel,
    Store,
    Variant,
    VendorOrder,
)
from services import clock, numbering
from services.orders import carts, checkout, fulfilment, pickup
from services.people import customers
from services.stock import items, levels, listings
from services.unit import db, unit_of_work

OPENED_DAYS_AGO = 35


def fill_the_shelves(today: datetime) -> None:
    """« Chez Manette » opens its shop; RétroShop puts two units in three on sale as they come,
    PixelCave a few of the same games, a little cheaper.
    """
    dice = random.Random(15)  # of its own: the rest of the demonstration stays what it was
    opened = today - timedelta(days=OPENED_DAYS_AGO)
    with clock.at(opened), unit_of_work() as session:
        session.scalars(db.select(Site).where(Site.is_default)).one().kind = SiteKind.both
    bouffay = db.session.scalars(db.select(Store).where(Store.name == "Nantes Bouffay")).one()
    units = db.session.scalars(
        db.select(Item)
        .where(Item.store_id == bouffay.id, Item.status == ItemState.in_stock)
        .order_by(Item.id)
    ).all()
    games = {unit.variant_id: unit.variant.argus_cents for unit in units}
    for unit_id, entered, value in [(u.id, u.entered_at, u.variant.argus_cents) for u in units]:
        if dice.random() < 0.67 and value:
            at = max(entered + timedelta(hours=3), opened)
            with clock.at(min(at, today)), unit_of_work() as session:
                unit = session.get_one(Item, unit_id)
                listings.put_on_sale(unit, _asked(unit.variant, dice), by=TELLER)
    with clock.at(opened + timedelta(hours=2)), unit_of_work() as session:
        rennes = session.scalars(db.select(Store).where(Store.code == "R1")).one()
        for variant_id, value in list(games.items())[::3]:
            if not value:
                continue
            variant = session.get_one(Variant, variant_id)
            unit = items.enter(
                variant,
                rennes,
                cost_cents=value // 3,
                by=TELLER,
                condition=dice.choice(list(Condition)),
            )
            listings.put_on_sale(unit, _asked(variant, dice), by=TELLER)


def _asked(variant: Variant, dice: random.Random) -> int:
    """A price as shops write them: « 19,90 € »."""
    value = (variant.argus_cents or 0) * dice.randint(90, 125) // 100
    return max(190, value // 100 * 100 + 90)


# ── what is reserved and collected ──

# How long ago each order was placed, in hours, and what became of its parts.
STORY: tuple[tuple[int, str], ...] = (
    *((hours, "collect") for hours in (700, 620, 560, 480, 410, 360, 300, 250, 200, 170, 150)),
    *((hours, "nobody came") for hours in (390, 330)),
    *((hours, "refuse") for hours in (340, 190)),
    *((hours, "cancel") for hours in (280, 120)),
    (310, "nobody answered"),
    (27, "new code"),
    (240, "give up"),
    *((hours, "in part") for hours in (145, 22)),
    *((hours, "ready") for hours in (26, 24, 20)),
    *((hours, "accept") for hours in (19, 12, 9)),
    *((hours, "wait") for hours in (21, 6, 4, 2, 1)),
)
FIRST_NUMBER = 1702
KEEP_FOR_BUYERS = ("Nantes Bouffay", "R1")


def people_reserve(today: datetime) -> None:
    """The stores keep goods for buyers; a month of reservations, the last of them still open."""
    dice = random.Random(1702)
    with clock.at(today - timedelta(days=OPENED_DAYS_AGO)), unit_of_work() as session:
        numbering.leave_a_gap("ORDER", FIRST_NUMBER)
        for store in session.scalars(db.select(Store)):
            of_shoes = store.vendor.name == "Souliers du Port"
            known = {store.name, store.code} & set(KEEP_FOR_BUYERS)
            store.reserve_collect = of_shoes or bool(known)
    confirmed = Customer.email_confirmed_at.is_not(None)
    rows = db.select(Customer.id).where(confirmed).order_by(Customer.id).limit(len(SELLERS))
    people = list(db.session.scalars(rows))
    for place, (hours, story) in enumerate(sorted(STORY, reverse=True)):
        at = today - timedelta(hours=hours)
        with clock.at(at):
            placed = _somebody_reserves(people[place % len(people)], dice)
        for id in placed:
            _then(id, story, at)
    _the_counter_was_faster(people[0], dice, today)


def _the_counter_was_faster(customer_id: int, dice: random.Random, today: datetime) -> None:
    """Two pairs of one shoe shop are accepted, and one of them turns out to be gone."""
    with clock.at(today - timedelta(hours=8)):
        pairs: dict[int, list[tuple[int, int]]] = {}
        for listing_id, store_id in _to_be_had(dice, 400):
            if db.session.get_one(Listing, listing_id).condition is None:
                pairs.setdefault(store_id, []).append((listing_id, store_id))
        both = next(found[:2] for found in pairs.values() if len(found) > 1)
        (id,) = _reserves(customer_id, both)
    _at(id, today - timedelta(hours=8), 1, _accept)
    with clock.at(today - timedelta(hours=6)), unit_of_work() as session:
        variant_id = session.get_one(Listing, both[0][0]).variant_id
        level = session.scalars(
            db.select(StockLevel).where(
                StockLevel.store_id == both[0][1], StockLevel.variant_id == variant_id
            )
        ).one()
        levels.adjust(level, level.reserved - 1, by=TELLER)
    with clock.at(today - timedelta(hours=5)):
        for conflict_id in fulfilment.beaten():
            with unit_of_work() as session:
                fulfilment.settle(session.get_one(StockConflict, conflict_id))


def _somebody_reserves(customer_id: int, dice: random.Random) -> list[int]:
    """One order of one to three articles, of one or several stores; returns its parts."""
    return _reserves(customer_id, _to_be_had(dice, dice.choice((1, 1, 2, 3))))


def _reserves(customer_id: int, wanted: list[tuple[int, int]]) -> list[int]:
    with unit_of_work() as session:
        customer = session.get_one(Customer, customer_id)
        site = session.scalars(db.select(Site).where(Site.is_default)).one()
        cart = carts.of_customer(customer, site)
        if cart is None:
            cart, _token = carts.open_cart(site, customer)
        for listing_id, store_id in wanted:
            listing = session.get_one(Listing, listing_id)
            carts.add(cart, listing, session.get_one(Store, store_id))
        id = cart.id
    with unit_of_work() as session:
        customer = session.get_one(Customer, customer_id)
        order = checkout.reserve(session.get_one(Cart, id), customer, by=customers.actor(customer))
        return [part.id for part in order.parts]


def _to_be_had(dice: random.Random, count: int) -> list[tuple[int, int]]:
    """Some listings of today with a store that keeps them for buyers, by their ids."""
    on_sale = (Listing.status == listings.L.active, Listing.created_at <= clock.now())
    new = (
        db.select(Listing.id, StockLevel.store_id)
        .join(StockLevel, StockLevel.variant_id == Listing.variant_id)
        .join(Store, Store.id == StockLevel.store_id)
        .where(
            *on_sale,
            Listing.condition.is_(None),
            Store.vendor_id == Listing.vendor_id,
            Store.reserve_collect,
            StockLevel.quantity - StockLevel.reserved > 2,
        )
        .order_by(Listing.id)
    )
    used = (
        db.select(Listing.id, Item.store_id)
        .join(Item, Item.id == Listing.item_id)
        .join(Store, Store.id == Item.store_id)
        .where(*on_sale, Item.status == ItemState.listed, Store.reserve_collect)
        .order_by(Listing.id)
    )
    every = [tuple(row) for rows in (new, used) for row in db.session.execute(rows.limit(200))]
    reasons = listings.why_none_is_shown([listing for listing, _store in every], clock.today())
    there = [pair for pair in every if reasons[pair[0]] is None]
    return dice.sample(there, min(count, len(there)))


def _then(id: int, story: str, placed: datetime) -> None:
    """What became of one part, hour by hour."""
    if story == "wait":
        return
    if story == "refuse":
        _at(id, placed, 3, lambda part: fulfilment.refuse(part, by=TELLER))
        return
    if story == "nobody answered":
        _at(id, placed, 24 * 9, fulfilment.lapse)
        return
    if story == "cancel":
        _at(id, placed, 2, _cancel)
        return
    _at(id, placed, 2, _accept_in_part if story == "in part" else _accept)
    if story == "give up":
        _at(id, placed, 5, lambda part: fulfilment.fail(part, OrderEnd.closed, by=TELLER))
    if story in ("collect", "nobody came", "ready"):
        _at(id, placed, 6, lambda part: pickup.ready(part, by=TELLER))
    if story == "collect":
        _at(id, placed, 29, _collect)
    if story == "new code":
        _at(id, placed, 4, lambda part: pickup.give_code(part, by=TELLER))
    if story == "nobody came":
        _at(id, placed, 24 * 8, pickup.lapse)


def _at(id: int, placed: datetime, hours: int, verb: Callable[[VendorOrder], object]) -> None:
    with clock.at(placed + timedelta(hours=hours)), unit_of_work() as session:
        verb(session.get_one(VendorOrder, id))


def _accept(part: VendorOrder) -> None:
    fulfilment.accept(part, by=TELLER)


def _accept_in_part(part: VendorOrder) -> None:
    """The first article is missing where there are several; else all of it is there."""
    if len(part.lines) > 1:
        fulfilment.report(part, {part.lines[0].id: 0}, {}, by=TELLER)
    else:
        _accept(part)


def _cancel(part: VendorOrder) -> None:
    buyer = part.order.customer
    assert buyer is not None
    fulfilment.cancel(part, by=customers.actor(buyer))


def _collect(part: VendorOrder) -> None:
    code = pickup.code_of(part)
    assert code is not None
    pickup.collect(part, code.digits, by=TELLER)
