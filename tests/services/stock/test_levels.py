"""New stock: the sum of what moved, reserved without overselling, right at any date, apart from
second-hand units.
"""

from datetime import timedelta

import pytest
from sqlalchemy.exc import DBAPIError

from models import (
    ConflictState,
    Item,
    ItemState,
    Movement,
    Reservation,
    ReservationState,
    StockConflict,
    StockLevel,
    Store,
)
from services import clock
from services.finance import books
from services.stock import inventories, items, levels, listings
from services.unit import db, unit_of_work
from services.workflow import Refused
from tests import factories
from tests.factories import HUGO, LEA, MARC, a_reservation, a_shoe, quantity, stocked


def movements(level: StockLevel) -> list[tuple[str, int]]:
    rows = db.session.scalars(
        db.select(Movement)
        .where(Movement.variant_id == level.variant_id, Movement.store_id == level.store_id)
        .order_by(Movement.id)
    )
    return [(m.kind.value, m.quantity) for m in rows]


def again(row):
    db.session.expire_all()
    return db.session.get(type(row), row.id)


def test_a_hand_writes_a_movement_and_the_level_is_their_sum():
    level = stocked(a_shoe(), 5)
    stocked(level.variant, 3)
    assert movements(level) == [("adjustment", 5), ("adjustment", -2)]
    assert again(level).quantity == 3
    assert books.check() == []


@pytest.mark.parametrize("quantity_", [-1, 1_000_001])
def test_a_quantity_that_is_none_is_refused_and_changes_nothing(quantity_):
    level = stocked(a_shoe(), 5)
    with pytest.raises(Refused), unit_of_work() as session:
        levels.adjust(session.get_one(StockLevel, level.id), quantity_, by=MARC)
    assert again(level).quantity == 5


def test_a_movement_is_never_changed_nor_dropped():
    stocked(a_shoe(), 5)
    for sql in ("UPDATE movement SET quantity = 9", "DELETE FROM movement"):
        with pytest.raises(DBAPIError), unit_of_work() as session:
            session.execute(db.text(sql))


def test_stock_at_a_date_is_what_had_moved_by_then():
    variant, start = a_shoe(), clock.now()
    for days, count in ((10, 4), (5, 9), (1, 2)):
        with clock.at(start - timedelta(days=days)):
            stocked(variant, count)
    store = factories.the_store()
    assert [levels.at(store.id, variant.id, start - timedelta(days=d)) for d in (11, 7, 3, 0)] == [
        0,
        4,
        9,
        2,
    ]
    assert levels.all_at(store.id, start - timedelta(days=7)) == [(variant.id, 4, 0)]


def test_a_cart_keeps_units_and_frees_them_when_its_time_is_over():
    level = stocked(a_shoe(), 2)
    row = a_reservation(level, 2)
    assert again(level).available == 0
    with pytest.raises(Refused, match="dernière"), unit_of_work() as session:
        levels.reserve(session.get_one(StockLevel, level.id), 1, "panier 2", clock.now(), by=HUGO)
    with clock.at(clock.now() + timedelta(hours=1)):
        assert levels.over() == [row.id]
        with unit_of_work() as session:
            levels.lapse(session.get_one(Reservation, row.id))
    assert again(level).available == 2
    assert again(row).status is ReservationState.released
    assert books.check() == []


def test_an_order_handed_over_takes_its_units_with_it():
    level = stocked(a_shoe(), 3)
    row = a_reservation(level, 2, "1702-A", promised=True)
    with unit_of_work() as session:
        levels.hand_over(session.get_one(Reservation, row.id), 8900, by=LEA)
    level = again(level)
    assert (level.quantity, level.reserved) == (1, 0)
    assert movements(level)[-1] == ("sale", -2)
    assert books.check() == []


def test_the_counter_beats_the_newest_unpaid_carts_first_and_an_order_becomes_a_conflict():
    level = stocked(a_shoe(), 3)
    old, new, order = (
        a_reservation(level, 1, "panier 1"),
        a_reservation(level, 1, "panier 2"),
        a_reservation(level, 1, "1702-A", promised=True),
    )
    key, _secret = factories.a_key()
    assert factories.told(key, 1, "sale", level.variant)["conflicts"] == 0
    assert [again(r).status.value for r in (order, old, new)] == ["promised", "held", "beaten"]
    factories.told(key, 2, "sale", level.variant)
    assert factories.told(key, 3, "sale", level.variant)["conflicts"] == 1
    assert [again(r).status.value for r in (order, old)] == ["beaten", "beaten"]
    conflict = db.session.scalars(db.select(StockConflict)).one()
    assert (conflict.status, conflict.reservation_id, quantity(level.variant)) == (
        ConflictState.open,
        order.id,
        0,
    )
    assert books.check() == []


def test_a_conflict_proposes_the_twin_of_the_same_vendor_first_then_the_nearest_and_takes_it():
    variant = a_shoe()
    with unit_of_work():
        factories.the_store().postcode = "44000"
    _other, _site, far = factories.another_vendor()
    with unit_of_work() as session:
        session.get_one(Store, far.id).postcode = "44100"
    paris = factories.a_store("Paris", "P1", postcode="75011")
    lyon = factories.a_store("Rennes", "R1", postcode="35000")
    for store in (far, paris, lyon):
        stocked(variant, 1, store)
    level = stocked(variant, 1)
    a_reservation(level, 1, "1702-A", promised=True)
    key, _secret = factories.a_key()
    factories.told(key, 1, "sale", variant)
    conflict = db.session.scalars(db.select(StockConflict)).one()
    assert [twin.store.id for twin in levels.twins(conflict)] == [lyon.id, paris.id, far.id]
    with unit_of_work() as session:
        row = levels.replace(
            session.get_one(StockConflict, conflict.id),
            session.get_one(Store, lyon.id),
            None,
            by=LEA,
        )
        session.flush()
        assert (row.status, row.holder, row.store_id) == (
            ReservationState.promised,
            "1702-A",
            lyon.id,
        )
    assert again(conflict).status is ConflictState.moved
    assert books.check() == []


def test_a_second_hand_unit_sold_at_the_counter_leaves_every_channel_and_beats_a_cart():
    item = factories.an_item(a_shoe())
    with unit_of_work() as session:
        listings.put_on_sale(session.get_one(Item, item.id), 4500, by=MARC)
        row = levels.reserve_item(
            session.get_one(Item, item.id), "panier 1", clock.now() + timedelta(minutes=5), by=HUGO
        )
        session.flush()
        row_id = row.id
    assert books.check() == []
    key, _secret = factories.a_key()
    assert factories.told(key, 1, "sale", item.variant, item=item.id)["status"] == "ok"
    assert again(item).status is ItemState.sold
    assert db.session.get(Reservation, row_id).status is ReservationState.beaten
    assert [row.status.value for row in db.session.scalars(db.select(listings.Listing))] == [
        "withdrawn"
    ]
    assert books.check() == []


def test_a_freed_unit_is_on_sale_again_when_it_was():
    item = factories.an_item(a_shoe())
    with unit_of_work() as session:
        listings.put_on_sale(session.get_one(Item, item.id), 4500, by=MARC)
        levels.release(
            levels.reserve_item(session.get_one(Item, item.id), "panier 1", clock.now(), by=HUGO),
            by=HUGO,
        )
    assert again(item).status is ItemState.listed
    assert books.check() == []


def test_new_and_second_hand_are_never_one_number():
    variant = a_shoe()
    stocked(variant, 4)
    factories.an_item(variant)
    factories.an_item(variant)
    assert levels.by_condition(factories.the_vendor().id, [variant.id]) == {variant.id: (4, 2)}
    assert items.stock_of(factories.the_vendor().id, [variant.id]) == {variant.id: 2}


# ── inventories ──


def a_count(whole: bool = False):
    with unit_of_work():
        count = inventories.open_count(factories.the_store(), "", whole=whole, by=LEA)
        db.session.flush()
        id = count.id
    return db.session.get(inventories.StockCount, id)


def test_what_was_sold_beyond_what_we_knew_of_is_no_debt_of_units_that_come_later():
    shoe, there = a_shoe(), factories.a_store()
    stocked(shoe, 0)
    stocked(shoe, 5, there)
    key, _secret = factories.a_key()
    for number in (1, 2, 3):
        factories.told(key, number, "sale", shoe)
    with unit_of_work() as session:
        transfer = inventories.open_transfer(
            session.get_one(Store, there.id), factories.the_store(), by=LEA
        )
        session.flush()
        inventories.put_in(transfer, shoe.ean, 5, by=LEA)
        inventories.send(transfer, by=LEA)
        inventories.arrive(transfer, by=LEA)
    factories.told(key, 4, "sale", shoe)
    assert quantity(shoe) == 4
    assert books.check() == []


def test_as_many_as_we_thought_is_a_statement_too():
    shoe = a_shoe()
    now = clock.now()
    with clock.at(now - timedelta(hours=3)):
        level = stocked(shoe, 5)
    levels.adjust(again(level), 5, by=LEA)
    db.session.commit()
    key, _secret = factories.a_key()
    assert (
        factories.told(key, 1, "sale", shoe, at=now - timedelta(hours=1))["status"]
        == "already_counted"
    )
    assert quantity(shoe) == 5
