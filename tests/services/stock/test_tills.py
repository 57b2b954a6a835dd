"""Tills: numbered, repeated, late, offline, with wrong clocks; and the same stock in the end
whatever the order (properties).
"""

import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models import (
    Item,
    ItemState,
    MachineKey,
    Movement,
    TillEvent,
    TillEventKind,
    UnmatchedReference,
    WebhookDelivery,
)
from services import clock, webhooks
from services.finance import books
from services.stock import items, tills
from services.unit import db, unit_of_work
from services.workflow import Refused
from tests import factories
from tests.acceptance.sizes import size
from tests.factories import a_feed, a_key, a_shoe, quantity, stocked, told

NOON = datetime(2026, 11, 20, 11, 0, tzinfo=UTC)


def test_a_counter_sale_leaves_the_stock_with_its_price_and_ticket():
    shoe = a_shoe()
    stocked(shoe, 3)
    key, _secret = a_key()
    assert told(key, 1, "sale", shoe, 2, price_cents=8900, reference="T-17") == {
        "status": "ok",
        "quantity": 1,
        "conflicts": 0,
        "again": False,
    }
    sale = db.session.scalars(db.select(Movement).where(Movement.kind == "sale")).one()
    assert (sale.quantity, sale.price_cents, sale.reference, sale.channel, sale.by_name) == (
        -2,
        8900,
        "T-17",
        "till",
        "Caisse 1",
    )
    assert told(key, 2, "return", shoe)["quantity"] == 2
    assert books.check() == []


def test_goods_received_and_corrections_move_the_stock_and_a_later_count_knows_them():
    shoe = a_shoe()
    stocked(shoe, 3)
    key, _secret = a_key()
    assert told(key, 1, "receipt", shoe, 12, reference="BL 118")["quantity"] == 15
    assert told(key, 2, "correction", shoe, -2, reference="casse")["quantity"] == 13
    assert told(key, 3, "correction", shoe, 1)["quantity"] == 14
    moved = db.session.execute(
        db.select(Movement.kind, Movement.quantity, Movement.reference)
        .where(Movement.channel == "till")
        .order_by(Movement.id)
    ).all()
    assert [tuple(row) for row in moved] == [
        ("entry", 12, "BL 118"),
        ("adjustment", -2, "casse"),
        ("adjustment", 1, "Caisse 1 3"),
    ]
    assert told(key, 5, "count", shoe, 9, includes=3)["quantity"] == 9
    assert told(key, 4, "receipt", shoe, 6)["quantity"] == 15  # after the count, told before it
    assert books.check() == []


def test_a_correction_takes_away_no_more_than_there_is_and_never_a_second_hand_unit():
    shoe = a_shoe()
    stocked(shoe, 3)
    key, _secret = a_key()
    answer = told(key, 1, "correction", shoe, -5)
    assert (answer["quantity"], answer["warnings"]) == (0, ["below_zero"])
    assert told(key, 2, "receipt", shoe, 4)["quantity"] == 4  # what was missing is no debt
    for number, facts in ((3, {"quantity": 0}), (4, {"quantity": 1, "used": True})):
        with pytest.raises(Refused):
            told(key, number, "correction", shoe, **facts)
    assert quantity(shoe) == 4


def test_a_refused_event_of_a_queue_leaves_nothing_of_itself():
    shoe = a_shoe()
    stocked(shoe, 5)
    counting, _secret = a_key()
    told(counting, 1, "count", shoe, 5)
    key, _secret = a_key(name="Caisse 2")

    def event(number, kind, units):
        return tills.Told(number, TillEventKind(kind), shoe.ean, units, clock.now(), 900)

    queue = [event(1, "sale", 1), event(2, "count", 40), event(3, "sale", 1)]
    with unit_of_work() as session:
        found = tills.take_many(session.get_one(MachineKey, key.id), queue)
    assert [getattr(one, "code", "taken") for one in found] == [
        "taken",
        "counts_elsewhere",
        "taken",
    ]
    kept = db.session.scalars(db.select(TillEvent.number).where(TillEvent.key_id == key.id))
    assert sorted(kept) == [1, 3]
    assert quantity(shoe) == 3


def test_an_event_told_twice_counts_once_and_its_number_never_means_something_else():
    shoe = a_shoe()
    stocked(shoe, 3)
    key, _secret = a_key()
    at = clock.now()
    first = told(key, 1, "sale", shoe, at=at)
    assert told(key, 1, "sale", shoe, at=at) == {**first, "again": True}
    assert quantity(shoe) == 2
    with pytest.raises(tills.NumberReused):
        told(key, 1, "sale", shoe, 2, at=at)
    assert quantity(shoe) == 2


def test_a_count_names_the_last_event_it_knows_and_later_ones_are_applied_on_top():
    shoe = a_shoe()
    key, _secret = a_key()
    told(key, 1, "sale", shoe)
    told(key, 3, "sale", shoe)
    assert told(key, 4, "count", shoe, 10, includes=2)["quantity"] == 9
    assert told(key, 2, "sale", shoe)["status"] == "already_counted"
    assert quantity(shoe) == 9
    assert books.check() == []
    assert db.session.scalar(db.select(db.func.count()).where(Movement.kind == "sale")) == 3


def test_the_counts_of_a_store_come_from_one_till():
    shoe = a_shoe()
    first, _s = a_key(name="Caisse 1")
    second, _s = a_key(name="Caisse 2")
    told(first, 1, "count", shoe, 5)
    with pytest.raises(Refused, match="Caisse 1"):
        told(second, 1, "count", shoe, 2)
    assert told(second, 2, "sale", shoe)["quantity"] == 4


def test_a_sale_of_what_we_thought_was_not_there_is_believed():
    shoe = a_shoe()
    key, _secret = a_key()
    assert told(key, 1, "sale", shoe)["quantity"] == 0
    assert books.check() == []


def test_an_unknown_barcode_is_kept_and_waits_in_the_queue():
    key, _secret = a_key()
    assert told(key, 1, "sale", factories.ean(905))["status"] == "unknown_ean"
    assert db.session.scalars(db.select(UnmatchedReference.ean)).all() == [factories.ean(905)]
    assert db.session.scalar(db.select(db.func.count(TillEvent.id))) == 1


def test_a_clock_that_is_wrong_is_set_right_by_the_moment_the_till_says_it_sent():
    shoe = a_shoe()
    stocked(shoe, 3)
    key, _secret = a_key()
    now = clock.now()
    ahead = timedelta(hours=5)
    with unit_of_work() as session:
        tills.take(
            session.get_one(MachineKey, key.id),
            tills.Told(1, TillEventKind.sale, shoe.ean, 1, now + ahead - timedelta(minutes=3), 100),
            drift=ahead,
        )
        tills.take(
            session.get_one(MachineKey, key.id),
            tills.Told(2, TillEventKind.sale, shoe.ean, 1, now + ahead, 100),
        )
    first, second = db.session.scalars(db.select(TillEvent).order_by(TillEvent.number))
    assert abs(first.at - (now - timedelta(minutes=3))) < timedelta(seconds=2)
    assert second.at <= clock.now()


def test_a_trade_in_makes_units_and_a_used_sale_takes_the_oldest():
    shoe = a_shoe()
    key, _secret = a_key()
    made = told(key, 1, "trade_in", shoe, 2, price_cents=500)["items"]
    assert [db.session.get(Item, id).cost_cents for id in made] == [500, 500]
    assert told(key, 2, "sale", shoe, used=True)["item"] == made[0]
    assert told(key, 3, "return", shoe, used=True)["item"] == made[0]
    db.session.expire_all()
    assert db.session.get(Item, made[0]).status is ItemState.in_stock
    assert quantity(shoe) == 0
    assert books.check() == []


def test_a_unit_of_another_store_or_already_sold_is_refused():
    shoe = a_shoe()
    _vendor, _site, strange = factories.another_vendor()
    key, _secret = a_key()
    other = factories.an_item(shoe, store=strange)
    with pytest.raises(Refused):
        told(key, 1, "sale", shoe, item=other.id)
    mine = factories.an_item(shoe)
    with unit_of_work() as session:
        items.sell(session.get_one(Item, mine.id), 900, by=factories.MARC)
    with pytest.raises(Refused):
        told(key, 2, "sale", shoe, item=mine.id)
    assert db.session.scalar(db.select(db.func.count(TillEvent.id))) == 0


def test_a_till_is_told_where_it_stands():
    shoe = a_shoe()
    key, _secret = a_key()
    for number in (1, 2, 5):
        told(key, number, "sale", shoe)
    assert (tills.last_number(key), tills.missing(key)) == (5, [3, 4])


# ── the same stock in the end, in whatever order ──

EVENT = st.tuples(
    st.sampled_from(["sale", "sale", "return", "receipt", "count", "feed"]),
    st.integers(1, 3),
    st.integers(0, 12),
    st.booleans(),
)


def truth(story: list) -> int:
    """What the shop holds in the end, told in the order things happened."""
    held = 0
    for kind, count, absolute, _flag in story:
        held = (
            absolute
            if kind in ("count", "feed")
            else max(0, held - count)
            if kind == "sale"
            else held + count
        )
    return held


@settings(
    max_examples=size(12, 300),
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(
    story=st.lists(EVENT, min_size=1, max_size=9),
    order=st.randoms(use_true_random=False),
    repeats=st.integers(0, 4),
)
def test_repeated_and_late_events_and_dated_files_end_in_the_same_stock(
    fresh_database, story, order, repeats
):
    fresh_database()
    # A shop that never sells what it has not: else its own story, told in another order, is another
    # story.
    story = [("count", 1, 9, False), *[one for one in story]]
    held, kept = 0, []
    for kind, count, absolute, flag in story:
        if kind == "sale" and held < count:
            continue
        held = (
            absolute
            if kind in ("count", "feed")
            else held - count
            if kind == "sale"
            else held + count
        )
        kept.append((kind, count, absolute, flag))
    shoe = a_shoe()
    key, _secret = a_key()
    folder = Path(tempfile.mkdtemp())
    number, tellings = 0, []
    for minute, (kind, count, absolute, flag) in enumerate(kept):
        at = NOON + timedelta(minutes=minute)
        if kind == "feed":
            tellings.append((kind, 0, absolute, at, flag))
        else:
            number += 1
            tellings.append((kind, number, absolute if kind == "count" else count, at, flag))
    tellings += [order.choice(tellings) for _n in range(repeats)]
    order.shuffle(tellings)
    with clock.at(NOON + timedelta(hours=3)):
        for kind, number, count, at, _flag in tellings:
            if (
                kind == "feed"
            ):  # a partial one: a full one older than another is refused, which is another promise
                a_feed(folder, {shoe: count}, mode="delta", dated_at=at)
            else:
                told(key, number, kind, shoe, count, at=at)
    assert quantity(shoe) == held, (kept, tellings)
    assert books.check() == []


def test_a_refused_count_takes_nothing_from_the_events_behind_it():
    counted, shoe = a_shoe(), a_shoe("Neuve")
    counting, _secret = a_key()
    told(counting, 1, "count", counted, 5)
    key, _secret = a_key(name="Caisse 2")

    def event(number, kind, units):
        return tills.Told(number, TillEventKind(kind), shoe.ean, units, clock.now(), 900)

    queue = [event(1, "count", 5), event(2, "receipt", 5), event(3, "sale", 1)]
    with unit_of_work() as session:
        found = tills.take_many(session.get_one(MachineKey, key.id), queue)
    assert [getattr(one, "code", "taken") for one in found] == [
        "counts_elsewhere",
        "taken",
        "taken",
    ]
    assert quantity(shoe) == 4


def test_a_queue_is_dated_by_the_clock_of_its_till_and_told_once_to_software(hooks):
    shoe = a_shoe()
    stocked(shoe, 5)
    with unit_of_work() as session:
        vendor = session.merge(factories.the_vendor())
        webhooks.open_for(vendor, "https://a.example/b", ["stock.changed"], by=factories.LEA)
    key, _secret = a_key()
    ahead = timedelta(hours=1)
    at = clock.now() + ahead - timedelta(minutes=5)
    queue = [tills.Told(1, TillEventKind.sale, shoe.ean, 1, at, 900)]

    def take():
        with unit_of_work() as session:
            tills.take_many(session.get_one(MachineKey, key.id), queue, drift=ahead)
        return db.session.scalar(db.select(db.func.count(WebhookDelivery.id)))

    before = take()
    kept = db.session.scalars(db.select(TillEvent.at)).one()
    assert abs(kept - (at - ahead)) < timedelta(seconds=1)
    assert take() == before, "told again, it changed nothing"
