"""Whose stock files fail, stop or get worse is seen before the shop sells what it does not have."""

from datetime import timedelta

import pytest

from models import Store
from services import clock
from services.stock import watch
from services.stock.watch import Health
from services.unit import db
from tests import factories
from tests.factories import a_file, a_shoe, given


@pytest.fixture
def shoes(app):
    return [a_shoe(f"Botte {n}") for n in range(10)]


def a_stock_file(folder, shoes, store: Store, wrong: int = 0, days_ago: int = 0):
    lines = [f"{shoe.ean};{3 if n >= wrong else 'abc'}" for n, shoe in enumerate(shoes)]
    text = "ean;quantite\n" + "\n".join(lines) + "\n"
    with clock.at(clock.now() - timedelta(days=days_ago)):
        return given(a_file(folder, text, f"{store.id}-{days_ago}.csv"), store=store, mode="delta")


def health(store: Store) -> Health:
    db.session.rollback()
    return next(feed.health for feed in watch.feeds() if feed.store == store.name)


def test_a_store_whose_files_come_and_are_read_is_well(shoes, tmp_path):
    a_stock_file(tmp_path, shoes, factories.the_store())
    assert health(factories.the_store()) is Health.well


def test_a_store_that_never_sent_a_file_is_no_trouble(app):
    assert health(factories.a_store("Rennes")) is Health.never
    assert Health.never not in watch.TROUBLES


def test_a_store_is_silent_two_days_after_its_last_good_file(shoes, tmp_path):
    a_stock_file(tmp_path, shoes, factories.the_store(), days_ago=1)
    assert health(factories.the_store()) is Health.well
    with clock.at(clock.now() + timedelta(days=2)):
        assert health(factories.the_store()) is Health.silent


def test_a_store_whose_last_file_failed_comes_first(shoes, tmp_path):
    other = factories.a_store("Aaa")
    a_stock_file(tmp_path, shoes, other)
    a_stock_file(tmp_path, shoes, factories.the_store(), days_ago=1)
    given(a_file(tmp_path, "rien;du tout\n1;2\n", "faux.csv"), store=factories.the_store())
    feeds = watch.feeds()
    assert (feeds[0].store, feeds[0].health) == (factories.the_store().name, Health.failed)
    assert feeds[0].last.error
    assert feeds[0].last_good is not None


def test_a_file_much_worse_than_the_ones_before_is_seen(shoes, tmp_path):
    store = factories.the_store()
    for days in (4, 3, 2):
        a_stock_file(tmp_path, shoes, store, wrong=1, days_ago=days)
    a_stock_file(tmp_path, shoes, store, wrong=2, days_ago=1)
    assert health(store) is Health.well, "as bad as usual"
    a_stock_file(tmp_path, shoes, store, wrong=6)
    assert health(store) is Health.worse
    assert watch.feeds()[0].refused_percent == 60


def test_a_store_is_found_by_its_name_its_code_or_its_vendor(app):
    factories.a_store("Rennes Liberté", code="R1")
    factories.another_vendor("PixelCave")
    for words, names in (("liberté", ["Rennes Liberté"]), ("r1", ["Rennes Liberté"])):
        assert [feed.store for feed in watch.feeds(words)] == names
    assert [feed.vendor for feed in watch.feeds("pixelcave")] == ["PixelCave"]
