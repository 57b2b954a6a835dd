import pytest

from models import Item, ItemState, Movement
from services.finance import books
from services.stock import items
from services.unit import db, unit_of_work
from services.workflow import Refused
from tests import factories
from tests.factories import MARC


def test_stock_and_sales_are_counted_from_what_moved(app):
    game = factories.a_game()
    first, second, _third = (factories.an_item(game) for _n in range(3))
    with unit_of_work():
        items.sell(first, 2000, by=MARC)
        items.sell(second, 2501, by=MARC)
    vendor = factories.the_vendor().id
    assert items.stock_of(vendor, [game.id]) == {game.id: 1}
    assert items.sold_of(vendor, [game.id]) == {game.id: (2, 2251)}
    assert db.session.scalar(db.select(db.func.sum(Movement.quantity))) == 1


def test_a_unit_is_sold_once(app):
    item = factories.an_item(factories.a_game())
    with unit_of_work():
        items.sell(item, 2000, by=MARC)
    with pytest.raises(Refused, match="Vendu"), unit_of_work():
        items.sell(item, 2000, by=MARC)
    assert (
        db.session.scalar(db.select(db.func.count(Movement.id)).where(Movement.kind == "sale")) == 1
    )


def test_a_sale_needs_a_price_and_can_be_undone(app):
    item = factories.an_item(factories.a_game())
    with pytest.raises(Refused), unit_of_work():
        items.sell(item, 0, by=MARC)
    with unit_of_work():
        items.withdraw(item, by=MARC)
        items.give_back(item, by=MARC)
    assert item.status is ItemState.in_stock


def test_a_sale_undone_is_no_sale(app):
    game = factories.a_game()
    item = factories.an_item(game)
    with unit_of_work():
        items.sell(item, 2000, by=MARC)
        items.give_back(item, by=MARC)
    assert items.sold_of(factories.the_vendor().id, [game.id]) == {}
    with unit_of_work():
        items.sell(item, 3000, by=MARC)
    assert items.sold_of(factories.the_vendor().id, [game.id]) == {game.id: (1, 3000)}


def test_one_vendor_does_not_count_the_stock_of_another(app):
    game = factories.a_game()
    vendor, _site, store = factories.another_vendor()
    factories.an_item(game, store=store)
    assert items.stock_of(factories.the_vendor().id, [game.id]) == {}
    assert items.stock_of(vendor.id, [game.id]) == {game.id: 1}


def test_a_unit_is_sent_to_a_store_of_its_vendor_only_and_not_while_it_is_offered():
    item, there = factories.an_item(factories.a_game()), factories.a_store()
    _vendor, _site, strange = factories.another_vendor()
    for store in (strange, factories.the_store()):
        with pytest.raises(Refused), unit_of_work() as session:
            items.send_to(session.get_one(Item, item.id), session.merge(store), by=MARC)
    with unit_of_work() as session:
        items.send_to(session.get_one(Item, item.id), session.merge(there), by=MARC)
    assert db.session.get(Item, item.id).store_id == there.id
    assert books.check() == []
    with unit_of_work() as session:
        items.ITEM.fire(session.get_one(Item, item.id), "put_on_sale", by=MARC)
    with pytest.raises(Refused), unit_of_work() as session:
        items.send_to(session.get_one(Item, item.id), session.merge(factories.the_store()), by=MARC)
