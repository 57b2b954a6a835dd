"""Whose stock files fail, stop or get worse is seen before the shop sells what it does not have."""

from datetime import timedelta

import pytest

import tasks
from models import Message, Store, Vendor
from services import clock
from services.stock import watch
from services.stock.watch import Health
from services.unit import db, unit_of_work
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


def told() -> list[Message]:
    """The letters of one morning."""
    db.session.rollback()
    before = {row.id for row in letters()}
    tasks.each(watch.vendors_to_tell(), Vendor, watch.tell)
    return [row for row in letters() if row.id not in before]


def letters() -> list[Message]:
    rows = db.select(Message).where(Message.event == "feeds_in_trouble").order_by(Message.id)
    return list(db.session.scalars(rows))


def test_a_vendor_is_written_to_once_for_each_new_trouble(shoes, tmp_path):
    with unit_of_work():
        db.session.merge(factories.the_vendor()).email = "boutique@exemple.fr"
    store = factories.the_store()
    a_stock_file(tmp_path, shoes, store)
    assert told() == []
    failed = a_file(tmp_path, "ean;quantite\n" + "".join(f"{s.ean};1\n" for s in shoes), "f.csv")
    given(failed, store=store, dated_at=clock.now() + timedelta(days=2))  # its clock is ahead
    (letter,) = told()
    assert letter.recipient == "boutique@exemple.fr"
    assert store.name in letter.body
    assert "/gestion/imports/magasins/" in letter.body
    assert told() == [], "the same trouble is told once"
    a_stock_file(tmp_path, shoes, store)
    assert told() == []
    with clock.at(clock.now() + timedelta(days=4)):
        assert len(told()) == 1, "another trouble of the same store"


def test_another_vendor_hears_nothing_of_it(shoes, tmp_path):
    vendor, _site, _theirs = factories.another_vendor()
    with unit_of_work():
        db.session.merge(vendor).email = "voisin@exemple.fr"
    a_stock_file(tmp_path, shoes, factories.the_store(), days_ago=9)
    assert watch.vendors_to_tell() == [factories.the_vendor().id]
    told()
    assert "voisin@exemple.fr" not in {row.recipient for row in letters()}


def fails(store, folder, name):
    given(a_file(folder, "rien;du tout\n1;2\n", name), store=store)


def test_a_store_that_fails_again_after_it_was_well_is_told_again(shoes, tmp_path):
    with unit_of_work():
        db.session.merge(factories.the_vendor()).email = "boutique@exemple.fr"
    store = factories.the_store()
    fails(store, tmp_path, "a.csv")
    assert len(told()) == 1
    a_stock_file(tmp_path, shoes, store)
    assert told() == []
    fails(store, tmp_path, "b.csv")
    assert len(told()) == 1


def test_a_letter_names_its_own_vendor_s_stores_all_of_them_and_a_second_trouble(shoes, tmp_path):
    vendor, _site, theirs = factories.another_vendor()
    with unit_of_work():
        db.session.merge(factories.the_vendor()).email = "boutique@exemple.fr"
        db.session.merge(vendor).email = "voisin@exemple.fr"
    mine, second = factories.the_store(), factories.a_store("Quimper", "Q1")
    fails(mine, tmp_path, "a.csv")
    fails(theirs, tmp_path, "b.csv")
    for letter in told():
        other = theirs if letter.recipient == "boutique@exemple.fr" else mine
        assert other.name not in letter.body
    fails(second, tmp_path, "c.csv")
    (letter,) = told()
    assert mine.name in letter.body
    assert second.name in letter.body


def test_a_file_that_waits_for_a_click_is_a_trouble(shoes, tmp_path):
    a_stock_file(tmp_path, shoes, factories.the_store())
    given(a_file(tmp_path, f"ean;quantite\n{shoes[0].ean};1\n"), store=factories.the_store())
    assert health(factories.the_store()) is Health.waits
    assert watch.vendors_to_tell() == [factories.the_vendor().id]
