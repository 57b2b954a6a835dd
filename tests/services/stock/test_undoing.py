"""A stock file given by mistake is taken back whole, while nothing moved since."""

from datetime import timedelta

import pytest

from models import ImportRun, Movement, UnmatchedReference
from services import clock, settings
from services.finance import books
from services.imports import undoing
from services.stock import levels
from services.unit import db, unit_of_work
from services.workflow import Refused
from tests import factories
from tests.factories import LEA, a_feed, a_shoe, quantity, stocked


@pytest.fixture
def shoes(app):
    found = [a_shoe(f"Derby {n}") for n in range(3)]
    stocked(found[0], 5)
    stocked(found[1], 2)
    return found


def undo(run):
    with unit_of_work() as session:
        return undoing.undo(session.get_one(ImportRun, run.id), by=LEA)


def held(shoes):
    return [quantity(shoe) for shoe in shoes]


def test_what_a_file_changed_emptied_and_created_is_as_before(shoes, tmp_path):
    run = a_feed(tmp_path, {shoes[0]: 9, shoes[2]: 4}, mode="full")
    assert held(shoes) == [9, 0, 4]
    assert undo(run).count == 3
    assert held(shoes) == [5, 2, 0]
    assert books.check() == []
    with pytest.raises(Refused):
        undo(run)


def test_nothing_is_undone_once_one_reference_moved(shoes, tmp_path):
    run = a_feed(tmp_path, {shoes[0]: 9, shoes[1]: 8}, mode="delta")
    key, _secret = factories.a_key()
    factories.told(key, 1, "sale", shoes[1])
    before = held(shoes)
    with pytest.raises(Refused, match="1 référence"):
        undo(run)
    assert held(shoes) == before


def test_what_is_named_is_what_moved(shoes, tmp_path):
    run = a_feed(tmp_path, {shoes[0]: 9, shoes[1]: 8}, mode="delta")
    key, _secret = factories.a_key()
    factories.told(key, 1, "sale", shoes[1])
    with pytest.raises(Refused, match=shoes[1].ean):
        undo(run)
    assert db.session.get(ImportRun, run.id).state.value == "complete"


def test_what_an_order_holds_is_not_taken_away(shoes, tmp_path):
    run = a_feed(tmp_path, {shoes[0]: 9}, mode="delta")
    with unit_of_work() as session:
        level = levels.of(session.merge(factories.the_store()), session.merge(shoes[0]))
        levels.reserve(level, 7, "1702-A", clock.now() + timedelta(hours=1), by=LEA)
    with pytest.raises(Refused, match="paniers"):
        undo(run)
    assert quantity(shoes[0]) == 9


def test_the_same_file_given_again_after_an_undo_is_applied(shoes, tmp_path):
    run = a_feed(tmp_path, {shoes[0]: 9}, mode="delta")
    undo(run)
    again = a_feed(tmp_path, {shoes[0]: 9}, mode="delta")
    assert again.state.value == "complete"
    assert quantity(shoes[0]) == 9


def test_what_the_file_did_and_what_took_it_back_stay_in_the_movements(shoes, tmp_path):
    run = a_feed(tmp_path, {shoes[0]: 9}, mode="delta")
    undo(run)
    rows = db.session.execute(
        db.select(Movement.quantity, Movement.reference)
        .where(Movement.variant_id == shoes[0].id)
        .order_by(Movement.id)
    ).all()
    assert [tuple(row) for row in rows][-2:] == [
        (4, f"import {run.id}"),
        (-4, f"annule import {run.id}"),
    ]


def test_a_file_of_last_week_is_no_longer_undone(shoes, tmp_path):
    run = a_feed(tmp_path, {shoes[0]: 9}, mode="delta")
    with clock.at(clock.now() + timedelta(days=8)), pytest.raises(Refused):
        undo(run)


def test_the_right_file_counts_after_an_undo_whenever_it_is_dated(shoes, tmp_path):
    wrong = clock.now() - timedelta(hours=3)
    with clock.at(wrong - timedelta(days=1)):
        shoes = [a_shoe(f"Botte {n}") for n in range(2)]
        for shoe, units in zip(shoes, (5, 2), strict=True):
            stocked(shoe, units)
    run = a_feed(tmp_path, {shoes[0]: 9, shoes[1]: 9}, mode="full", dated_at=wrong)
    undo(run)
    right = wrong + timedelta(minutes=50)
    again = a_feed(tmp_path, {shoes[0]: 7, shoes[1]: 2}, mode="full", dated_at=right)
    assert (again.state.value, again.ignored) == ("complete", 0), again.error
    assert held(shoes) == [7, 2]


def test_a_sale_told_late_still_counts_after_an_undo(shoes, tmp_path):
    start = clock.now() - timedelta(hours=4)
    with clock.at(start):
        stocked(shoes[2], 5)
    run = a_feed(tmp_path, {shoes[2]: 9}, mode="delta", dated_at=start + timedelta(hours=1))
    undo(run)
    assert quantity(shoes[2]) == 5
    key, _secret = factories.a_key()
    factories.told(key, 1, "sale", shoes[2], at=start + timedelta(hours=2))
    assert quantity(shoes[2]) == 4


def test_what_somebody_confirmed_since_is_not_undone(shoes, tmp_path):
    run = a_feed(tmp_path, {shoes[0]: 9}, mode="delta")
    stocked(shoes[0], 9)  # « there are nine »: a person counted
    with pytest.raises(Refused, match="a bougé"):
        undo(run)
    assert quantity(shoes[0]) == 9


def test_another_store_and_a_used_unit_keep_no_file_from_being_undone(shoes, tmp_path):
    run = a_feed(tmp_path, {shoes[0]: 9}, mode="delta")
    stocked(shoes[0], 3, factories.a_store("Rennes", "R9"))
    factories.an_item(shoes[0])
    undo(run)
    assert quantity(shoes[0]) == 5


def test_a_file_of_two_stores_is_undone_in_both(shoes, tmp_path):
    one, two = factories.the_store(), factories.a_store("Rennes", "R9")
    with unit_of_work() as session:
        session.merge(one).code = "P1"
    stocked(shoes[0], 8, two)
    text = f"ean;quantite;magasin\n{shoes[0].ean};9;P1\n{shoes[0].ean};1;R9\n"
    run = factories.given(
        factories.a_file(tmp_path, text), vendor=factories.the_vendor(), mode="delta"
    )
    assert (quantity(shoes[0], one), quantity(shoes[0], two)) == (9, 1)
    undo(run)
    assert (quantity(shoes[0], one), quantity(shoes[0], two)) == (5, 8)


def test_of_two_wrong_stock_files_the_last_goes_first_then_the_other(shoes, tmp_path):
    one = a_feed(tmp_path, {shoes[0]: 9}, mode="delta")
    two = a_feed(tmp_path, {shoes[0]: 70}, mode="delta")
    with pytest.raises(Refused):
        undo(one)
    undo(two)
    assert quantity(shoes[0]) == 9
    undo(one)
    assert quantity(shoes[0]) == 5


def test_a_count_that_cannot_go_back_is_said_and_nothing_is_undone(app, tmp_path):
    shoe = a_shoe("Mule")
    with unit_of_work():
        settings.change("stock_most_jump", "100", by=LEA)
    run = a_feed(tmp_path, {shoe: 9000}, mode="delta")
    with pytest.raises(Refused, match="ne peut revenir"):
        undo(run)
    assert db.session.get(ImportRun, run.id).state.value == "complete"


def test_the_last_feed_of_a_store_is_again_the_one_before(shoes, tmp_path):
    store, other = factories.the_store(), factories.a_store("Rennes", "R9")
    now = clock.now()

    def full(hours, count, place=store):
        moment = now - timedelta(hours=hours)
        return a_feed(tmp_path, {shoes[2]: count}, place, mode="full", dated_at=moment)

    first, second, third = full(9, 4), full(7, 5), full(5, 6)
    full(6, 3, other)
    undo(third)
    undo(second)
    db.session.expire_all()
    assert factories.the_store().last_feed_at == first.dated_at


def test_the_only_feed_of_a_store_leaves_none_when_it_is_undone(app, tmp_path):
    shoe = a_shoe("Mule")
    stocked(shoe, 5)
    undo(a_feed(tmp_path, {shoe: 9}, mode="full"))
    db.session.expire_all()
    assert factories.the_store().last_feed_at is None


def test_what_only_an_undone_file_named_leaves_the_queue_of_unknown_references(shoes, tmp_path):
    def queue():
        return sorted(db.session.scalars(db.select(UnmatchedReference.sku)))

    unknown, known_before = "4006381333931", "4006381333948"
    a_feed(tmp_path, {known_before: 2}, mode="delta")
    run = a_feed(tmp_path, {shoes[0]: 9, unknown: 1, known_before: 3}, mode="delta")
    assert queue() == [unknown, known_before]
    undo(run)
    assert queue() == [known_before]
