"""What waits for somebody in stock and catalogue."""

from models import StockLevel
from services import access
from services.stock import todo
from services.unit import db, unit_of_work
from tests import factories


def a_low_level(**how) -> StockLevel:
    level = factories.stocked(factories.a_shoe(f"Derby {how}"), 1, **how)
    with unit_of_work() as session:
        session.get_one(StockLevel, level.id).alert_under = 2
    return level


def test_a_quiet_shop_has_nothing_to_do(app):
    assert todo.counts() == todo.Counts(0, 0, 0, 0, 0)


def test_what_is_under_its_alert_is_counted_and_what_reaches_it_is_not(app):
    level = a_low_level()
    assert todo.counts().low == 1
    factories.stocked(db.session.get_one(StockLevel, level.id).variant, 2)
    assert todo.counts().low == 0


def test_each_sees_what_waits_at_their_own_vendor(app):
    a_low_level()
    other, _site, store = factories.another_vendor()
    a_low_level(store=store)
    assert todo.counts().low == 2
    with access.limited_to(access.Scope(frozenset({other.id}), None)):
        assert todo.counts().low == 1


def test_counting_stops_at_a_thousand(app, monkeypatch):
    monkeypatch.setattr(todo, "MOST", 2)
    for store in (None, factories.a_store("A", "A1"), factories.a_store("B", "B1")):
        a_low_level(**({"store": store} if store else {}))
    assert todo.counts().low == 2
