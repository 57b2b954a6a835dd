"""Inventories and transfers."""

from datetime import timedelta

import pytest

from models import (
    Store,
)
from services import clock
from services.finance import books
from services.stock import inventories
from services.unit import db, unit_of_work
from services.workflow import Refused
from tests import factories
from tests.factories import LEA, a_reservation, a_shoe, quantity, stocked


def again(row):
    db.session.expire_all()
    return db.session.get(type(row), row.id)


# ── inventories ──


def a_count(whole: bool = False):
    with unit_of_work():
        count = inventories.open_count(factories.the_store(), "", whole=whole, by=LEA)
        db.session.flush()
        id = count.id
    return db.session.get(inventories.StockCount, id)


def test_a_count_shows_its_differences_and_stock_follows_it():
    shoe, boot = a_shoe(), a_shoe("Botte Aubrac")
    stocked(shoe, 5)
    stocked(boot, 2)
    count = a_count(whole=True)
    with unit_of_work():
        for _n in range(3):
            inventories.scan(again(count), shoe.ean, by=LEA)
    assert [
        (d.variant.id, d.thought, d.counted, d.gap) for d in inventories.differences(again(count))
    ] == [
        (shoe.id, 5, 3, -2),
        (boot.id, 2, None, -2),
    ]
    with unit_of_work():
        assert inventories.validate(again(count), by=LEA) == 2
    assert (quantity(shoe), quantity(boot)) == (3, 0)
    assert books.check() == []


def test_what_is_sold_while_people_count_is_no_difference():
    shoe = a_shoe()
    stocked(shoe, 5)
    start = clock.now()
    with clock.at(start + timedelta(minutes=1)):
        count = a_count()
        with unit_of_work():
            inventories.say(again(count), shoe.ean, 5, by=LEA)
    key, _secret = factories.a_key()
    with clock.at(start + timedelta(minutes=20)):
        factories.told(key, 1, "sale", shoe)
    with clock.at(start + timedelta(minutes=40)):
        assert inventories.differences(again(count)) == []
        with unit_of_work():
            inventories.validate(again(count), by=LEA)
    assert quantity(shoe) == 4
    assert books.check() == []


def test_a_store_is_counted_once_at_a_time_and_an_unknown_barcode_is_said():
    count = a_count()
    with pytest.raises(Refused, match="déjà"):
        a_count()
    with pytest.raises(Refused, match="ne connaît pas"), unit_of_work():
        inventories.scan(again(count), factories.ean(990), by=LEA)
    with unit_of_work():
        inventories.drop(again(count), by=LEA)
    shoe = a_shoe()
    with pytest.raises(Refused, match="terminé"), unit_of_work():
        inventories.scan(again(count), shoe.ean, by=LEA)


# ── transfers ──


def test_units_travel_from_one_store_to_another_and_what_is_missing_is_missing():
    shoe, there = a_shoe(), factories.a_store()
    stocked(shoe, 5)
    with unit_of_work() as session:
        transfer = inventories.open_transfer(
            factories.the_store(), session.get_one(Store, there.id), by=LEA
        )
        session.flush()
        inventories.put_in(transfer, shoe.ean, 4, by=LEA)
        id = transfer.id
    with unit_of_work() as session:
        inventories.send(session.get_one(inventories.StockTransfer, id), by=LEA)
    assert (quantity(shoe), quantity(shoe, there)) == (1, 0)
    with unit_of_work() as session:
        transfer = session.get_one(inventories.StockTransfer, id)
        inventories.arrive(transfer, {transfer.lines[0].id: 3}, by=LEA)
    assert (quantity(shoe), quantity(shoe, there)) == (1, 3)
    assert books.check() == []
    with pytest.raises(Refused), unit_of_work() as session:
        inventories.arrive(session.get_one(inventories.StockTransfer, id), by=LEA)


def test_what_is_promised_does_not_travel_and_other_vendors_get_nothing():
    shoe, there = a_shoe(), factories.a_store()
    a_reservation(stocked(shoe, 2), 2, promised=True)
    with unit_of_work() as session:
        transfer = inventories.open_transfer(
            factories.the_store(), session.get_one(Store, there.id), by=LEA
        )
        session.flush()
        with pytest.raises(Refused, match="0 "):
            inventories.put_in(transfer, shoe.ean, 1, by=LEA)
    _vendor, _site, strange = factories.another_vendor()
    with pytest.raises(Refused), unit_of_work() as session:
        inventories.open_transfer(factories.the_store(), session.get_one(Store, strange.id), by=LEA)


def test_what_came_after_a_whole_count_was_opened_is_no_part_of_its_forecast():
    start = clock.now()
    with clock.at(start - timedelta(minutes=10)):
        count = a_count(whole=True)
    shoe = a_shoe()
    stocked(shoe, 4)
    assert inventories.differences(again(count)) == []
    with unit_of_work():
        assert inventories.validate(again(count), by=LEA, sure=False) == 0
    assert quantity(shoe) == 4


def test_a_used_unit_and_a_later_correction_are_no_difference_of_a_count():
    shoe = a_shoe()
    stocked(shoe, 5)
    factories.an_item(shoe)
    count = a_count()
    with unit_of_work():
        inventories.say(again(count), shoe.ean, 5, by=LEA)
    assert inventories.differences(again(count)) == []
    with clock.at(clock.now() + timedelta(minutes=5)):
        stocked(shoe, 7)
        with unit_of_work():
            inventories.validate(again(count), by=LEA)
    assert quantity(shoe) == 7
