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
    MovementKind,
    Reservation,
    ReservationState,
    StockConflict,
    StockLevel,
    Store,
    Variant,
)
from services import clock, settings, workflow
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


# ── one level ──


def moved(level: StockLevel, quantity_: int, **how) -> None:
    with unit_of_work() as session:
        levels.move(
            session.get_one(StockLevel, level.id), quantity_, MovementKind.feed, by=MARC, **how
        )


def test_the_levels_of_more_references_than_one_question_holds_are_all_found():
    shoe, store = a_shoe(), factories.the_store()
    now = clock.now()
    with unit_of_work() as session:
        product = session.merge(shoe).product
        session.add_all(
            StockLevel(
                vendor_id=store.vendor_id,
                store_id=store.id,
                variant=Variant(product=product, ean=f"{number:014d}", updated_at=now),
                quantity=number,
                reserved=0,
                counted=0,
                place="",
                updated_at=now,
            )
            for number in range(1002)
        )
    meant = {row.variant_id: row.quantity for row in db.session.scalars(db.select(StockLevel))}
    found = levels.locked(store, meant)
    assert {variant: level.quantity for variant, level in found.items()} == meant
    assert levels.locked(store, []) == {}


def test_a_level_that_is_locked_is_read_anew_and_is_of_that_store_alone():
    level = stocked(a_shoe(), 5)
    stocked(level.variant, 9, factories.a_store())
    stocked(a_shoe("Autre"), 7)
    with unit_of_work() as session:
        known = session.get_one(StockLevel, level.id)
        assert known.quantity == 5
        with session.no_autoflush:
            session.connection().execute(
                db.update(StockLevel.__table__).where(StockLevel.id == level.id).values(quantity=4)
            )
        assert levels.locked(factories.the_store(), [level.variant_id]) == {level.variant_id: known}
        assert known.quantity == 4
        session.rollback()


def test_a_store_holds_at_most_a_million_of_a_reference():
    level = stocked(a_shoe(), 0)
    moved(level, levels.MOST)
    assert again(level).quantity == levels.MOST
    with pytest.raises(Refused, match="1000001"):
        moved(level, 1)
    assert again(level).quantity == levels.MOST


def test_a_movement_keeps_as_much_of_its_reference_as_a_row_holds():
    level = stocked(a_shoe(), 0)
    moved(level, 1, reference="r" * 100)
    assert db.session.scalars(db.select(Movement.reference)).all() == ["r" * 60]


def test_a_person_may_say_the_most_a_shop_is_allowed_and_hears_the_difference():
    most = settings.value("stock_most_quantity")
    level = stocked(a_shoe(), 5)
    for quantity_, difference in ((3, -2), (3, 0), (most, most - 3)):
        with unit_of_work() as session:
            row = session.get_one(StockLevel, level.id)
            assert levels.adjust(row, quantity_, by=MARC) == difference
    told = [event.facts for event in workflow.history(again(level)) if event.verb == "adjust"]
    assert [(facts["was"], facts["now"]) for facts in told] == [(3, most), (5, 3), (0, 5)]


def test_what_left_for_orders_after_the_moment_a_file_speaks_of_is_taken_from_its_count():
    shoe, now = a_shoe(), clock.now()
    other = factories.a_store()
    with clock.at(now - timedelta(hours=3)):
        here, there = stocked(shoe, 5), stocked(shoe, 5, other)
        factories.an_item(shoe)
    for level, count in ((here, 2), (there, 1)):
        row = a_reservation(level, count, "1702-A", promised=True)
        with clock.at(now - timedelta(hours=1)), unit_of_work() as session:
            levels.hand_over(session.get_one(Reservation, row.id), 8900, by=LEA)
    with clock.at(now - timedelta(hours=1)), unit_of_work() as session:
        items.sell(session.scalars(db.select(Item)).one(), 4500, channel="web", by=LEA)
    then = now - timedelta(hours=2)
    assert levels.moved_since(factories.the_store().id, then) == {shoe.id: (-2, -2)}
    with unit_of_work() as session:
        row = session.get_one(StockLevel, here.id)
        levels.state(row, 6, MovementKind.feed, by=MARC, at=then)
    assert quantity(shoe) == 4
    assert books.check() == []


def test_what_tills_told_of_other_shops_of_second_hand_units_and_of_the_unknown_moves_no_level():
    shoe, now = a_shoe(), clock.now()
    other = factories.a_store()
    with clock.at(now - timedelta(hours=3)):
        stocked(shoe, 5), stocked(shoe, 5, other)
        used = factories.an_item(shoe)
    (here, _secret), (there, _secret) = factories.a_key(), factories.a_key(store=other, name="C2")
    then = now - timedelta(hours=1)
    factories.told(here, 1, "sale", shoe, 2, at=then)
    factories.told(here, 2, "sale", shoe, at=then, item=used.id)
    factories.told(here, 3, "sale", "5060327534393", at=then)
    factories.told(there, 1, "sale", shoe, 3, at=then)
    since = now - timedelta(hours=2)
    assert levels.moved_since(factories.the_store().id, since) == {shoe.id: (-2, -2)}
    assert levels.moved_since(other.id, since) == {shoe.id: (-3, -3)}


def test_a_statement_is_a_movement_of_the_moment_it_speaks_of_under_its_reference():
    level, then = stocked(a_shoe(), 0), clock.now() + timedelta(hours=1)
    with clock.at(then + timedelta(hours=2)), unit_of_work() as session:
        row = session.get_one(StockLevel, level.id)
        levels.state(row, 6, MovementKind.feed, by=MARC, at=then, reference="stock.csv")
    (row,) = db.session.scalars(db.select(Movement)).all()
    assert (row.quantity, row.at, row.reference) == (6, then, "stock.csv")


def test_a_file_dated_the_very_moment_of_a_sale_or_an_order_knows_it():
    shoe, now = a_shoe(), clock.now()
    store = factories.the_store().id
    with clock.at(now - timedelta(hours=3)):
        level = stocked(shoe, 9)
    key, _secret = factories.a_key()
    told, ordered = now - timedelta(hours=2), now - timedelta(hours=1)
    factories.told(key, 1, "sale", shoe, at=told)
    row = a_reservation(level, 3, "1702-A", promised=True)
    with clock.at(ordered), unit_of_work() as session:
        levels.hand_over(session.get_one(Reservation, row.id), 8900, by=LEA)
    before = timedelta(microseconds=1)
    assert levels.moved_since(store, told - before) == {shoe.id: (-4, -4)}
    assert levels.moved_since(store, told) == {shoe.id: (-3, -3)}
    assert levels.moved_since(store, ordered - before) == {shoe.id: (-3, -3)}
    assert levels.moved_since(store, ordered) == {}


def test_a_store_is_named_to_machines_by_its_own_code():
    coded = factories.a_store("Rennes", "R7")
    factories.a_store("Rezé", "R8")
    assert levels.named(coded.id) == {"store": "R7", "store_id": coded.id}


@pytest.mark.parametrize("under", [0, -1, 1_000_001])
def test_an_alert_threshold_that_is_none_is_refused(under):
    level = stocked(a_shoe(), 5)
    with pytest.raises(Refused, match="de 1 à"), unit_of_work() as session:
        levels.set_alert(session.get_one(StockLevel, level.id), under, by=MARC)
    assert again(level).alert_under is None


@pytest.mark.parametrize("under", [1, 1_000_000, None])
def test_an_alert_threshold_is_kept_or_taken_away(under):
    level = stocked(a_shoe(), 5)
    for value in (3, under):
        with unit_of_work() as session:
            levels.set_alert(session.get_one(StockLevel, level.id), value, by=MARC)
    assert again(level).alert_under == under


def test_a_place_is_kept_in_one_line_as_long_as_a_row_holds():
    level = stocked(a_shoe(), 5)
    for typed, kept in (("  R3 \n B2 ", "R3 B2"), ("x" * 80, "x" * 60)):
        with unit_of_work() as session:
            levels.set_place(session.get_one(StockLevel, level.id), typed, by=MARC)
        assert again(level).place == kept


# ── kept for somebody ──


def test_who_asks_for_more_than_is_left_hears_how_many_he_asked_for():
    level = stocked(a_shoe(), 1)
    for count, says in ((2, "2 unités"), (0, "au moins"), (-1, "au moins")):
        with pytest.raises(Refused, match=says), unit_of_work() as session:
            row = session.get_one(StockLevel, level.id)
            levels.reserve(row, count, "panier", clock.now(), by=HUGO)
    assert again(level).reserved == 0


def test_a_second_hand_unit_is_kept_as_one():
    item = factories.an_item(a_shoe())
    with unit_of_work() as session:
        row = levels.reserve_item(
            session.get_one(Item, item.id), "panier 1", clock.now() + timedelta(minutes=5), by=HUGO
        )
        assert (row.quantity, row.item_id, row.status) == (1, item.id, ReservationState.held)


def test_the_last_units_handed_over_leave_nothing():
    level = stocked(a_shoe(), 2)
    row = a_reservation(level, 2, "1702-A", promised=True)
    with unit_of_work() as session:
        levels.hand_over(session.get_one(Reservation, row.id), 8900, by=LEA)
    level = again(level)
    assert (level.quantity, level.reserved) == (0, 0)
    assert books.check() == []


def test_what_is_free_again_is_seen_at_once_where_the_level_was_read_before():
    level, other = stocked(a_shoe(), 2), stocked(a_shoe("Autre"), 2)
    row = a_reservation(level, 2)
    a_reservation(other, 1)
    with unit_of_work() as session:
        known, beside = (session.get_one(StockLevel, one.id) for one in (level, other))
        assert (known.reserved, beside.reserved) == (2, 1)
        levels.release(session.get_one(Reservation, row.id), by=HUGO)
        assert (known.reserved, beside.reserved) == (0, 1)


def test_a_cart_is_kept_until_its_very_last_moment_and_an_order_longer():
    cart = a_reservation(stocked(a_shoe(), 1))
    order = a_reservation(stocked(a_shoe("Autre"), 1), promised=True)

    def lapse(at) -> list[str]:
        with clock.at(at):
            over = levels.over()
            for row in (cart, order):
                with unit_of_work() as session:
                    levels.lapse(session.get_one(Reservation, row.id))
        return [again(row).status.value for row in (cart, order)] + over

    assert lapse(clock.now()) == ["held", "promised"]
    assert lapse(cart.until) == ["held", "promised"]
    assert lapse(cart.until + timedelta(microseconds=1)) == ["released", "promised", cart.id]


# ── the shop was faster ──


def a_conflict(variant: Variant, item: Item | None = None) -> StockConflict:
    """An order of the first shop that its counter was faster than."""
    if item is None:
        a_reservation(stocked(variant, 1), 1, "1702-A", promised=True)
    else:
        with unit_of_work() as session:
            unit, until = session.get_one(Item, item.id), clock.now() + timedelta(minutes=5)
            levels.promise(levels.reserve_item(unit, "1702-A", until, by=HUGO), by=HUGO)
    key, _secret = factories.a_key()
    factories.told(key, 1, "sale", variant, **({"item": item.id} if item else {}))
    return db.session.scalars(db.select(StockConflict)).one()


def test_a_twin_is_where_enough_units_are_free_and_places_nobody_knows_come_last():
    shoe = a_shoe()
    with unit_of_work():
        factories.the_store().postcode = "44000"
    nowhere = factories.a_store("Sans adresse", "S1", postcode="")
    near, taken = factories.a_store("Rennes", "R1", postcode="35000"), factories.a_store("Rezé")
    for store in (nowhere, near, taken):
        stocked(shoe, 1, store)
    with unit_of_work() as session:
        kept = session.scalars(db.select(StockLevel).where(StockLevel.store_id == taken.id)).one()
        levels.reserve(kept, 1, "panier", clock.now() + timedelta(minutes=5), by=HUGO)
    twins = levels.twins(a_conflict(shoe))
    assert [(twin.store.id, twin.available) for twin in twins] == [(near.id, 1), (nowhere.id, 1)]
    assert [twin.km is None for twin in twins] == [False, True]


def test_the_twin_of_a_second_hand_unit_is_another_free_unit_of_the_same_reference():
    shoe, elsewhere = a_shoe(), factories.a_store()
    sold, twin = factories.an_item(shoe), factories.an_item(shoe, store=elsewhere)
    kept = factories.an_item(shoe, store=elsewhere)
    factories.an_item(a_shoe("Autre"), store=elsewhere)
    stocked(shoe, 1, elsewhere)
    with unit_of_work() as session:
        levels.reserve_item(session.get_one(Item, kept.id), "panier", clock.now(), by=HUGO)
    conflict = a_conflict(shoe, sold)
    assert [(found.item.id, found.available) for found in levels.twins(conflict)] == [(twin.id, 1)]
    with unit_of_work() as session:
        row = levels.replace(
            session.get_one(StockConflict, conflict.id),
            session.get_one(Store, elsewhere.id),
            session.get_one(Item, twin.id),
            by=LEA,
        )
        session.flush()
        assert (row.item_id, row.holder, row.status, row.until) == (
            twin.id,
            "1702-A",
            ReservationState.promised,
            None,
        )
    assert books.check() == []


def test_a_store_that_never_had_it_is_no_twin_to_take():
    conflict, store = a_conflict(a_shoe()), factories.a_store()
    with pytest.raises(Refused, match="ne l’a plus"), unit_of_work() as session:
        row = session.get_one(StockConflict, conflict.id)
        levels.replace(row, session.get_one(Store, store.id), None, by=LEA)
    assert again(conflict).status is ConflictState.open


def test_a_unit_nobody_was_promised_beats_nobody():
    item = factories.an_item(a_shoe())
    assert levels.settle_item(item, cause="vendu", by=LEA) is None


def test_a_conflict_says_its_cause_in_as_much_as_a_row_holds():
    level = stocked(a_shoe(), 1)
    a_reservation(level, 1, "1702-A", promised=True)
    with unit_of_work() as session:
        row = session.get_one(StockLevel, level.id)
        levels.move(row, -1, MovementKind.feed, by=MARC)
        levels.settle(row, cause="c" * 300, by=MARC)
    assert db.session.scalars(db.select(StockConflict.cause)).all() == ["c" * 200]


# ── questions ──


def test_the_stock_of_a_store_at_a_moment_counts_what_moved_at_that_very_moment_and_pages():
    now = clock.now()
    then = now - timedelta(hours=1)
    new, used, both, gone = (a_shoe(title) for title in ("Neuve", "Usée", "Les deux", "Partie"))
    with clock.at(then):
        for shoe, count in ((new, 4), (both, 1), (gone, 2)):
            stocked(shoe, count)
        for shoe in (used, both):
            factories.an_item(shoe)
        stocked(gone, 0)
        stocked(new, 9, factories.a_store())
    stocked(new, 5)
    store = factories.the_store().id
    rows = [(new.id, 4, 0), (used.id, 0, 1), (both.id, 1, 1)]
    assert levels.all_at(store, then) == rows
    assert levels.all_at(store, then - timedelta(microseconds=1)) == []
    assert levels.all_at(store, then, new.id) == rows[1:]
    assert levels.all_at(store, then, 0, 2) == rows[:2]
    assert [levels.at(store, shoe.id, then) for shoe in (new, used, both)] == [4, 0, 1]


def test_new_and_second_hand_units_are_counted_of_one_vendor_or_of_all():
    new, used, nothing = (a_shoe(title) for title in ("Neuve", "Usée", "Rien"))
    _vendor, _site, theirs = factories.another_vendor()
    stocked(new, 4)
    stocked(new, 3, factories.a_store())
    stocked(new, 2, theirs)
    factories.an_item(used)
    factories.an_item(used, store=theirs)
    ids = [new.id, used.id, nothing.id]
    of_all = {new.id: (9, 0), used.id: (0, 2), nothing.id: (0, 0)}
    ours = {new.id: (7, 0), used.id: (0, 1), nothing.id: (0, 0)}
    assert levels.by_condition(None, ids) == of_all
    assert levels.by_condition(factories.the_vendor().id, ids) == ours


def test_what_moved_in_a_store_is_read_from_a_cursor_on_and_in_its_order():
    shoe = a_shoe()
    for count in (1, 3, 2):
        stocked(shoe, count)
    stocked(shoe, 9, factories.a_store())
    store = factories.the_store().id
    first, second, third = levels.changes(store, 0)
    assert [row.quantity for row in (first, second, third)] == [1, 2, -1]
    assert levels.changes(store, first.id) == [second, third]
    assert levels.changes(store, 0, 2) == [first, second]
    assert levels.changes(store, third.id) == []


def test_a_level_that_is_not_its_movements_nor_its_reservations_disagrees():
    right, unmoved, promised = (stocked(a_shoe(title), 0) for title in "abc")
    stocked(right.variant, 4)
    a_reservation(right, 1)
    assert levels.disagreements() == []
    with unit_of_work() as session:
        session.get_one(StockLevel, unmoved.id).quantity = 1
        wrong = session.get_one(StockLevel, promised.id)
        levels.move(wrong, 3, MovementKind.feed, by=MARC)
        wrong.reserved = 1
    store = factories.the_store().id
    assert levels.disagreements() == [
        (store, unmoved.variant_id, 1),
        (store, promised.variant_id, 3),
    ]


def test_units_that_moved_where_there_is_no_level_disagree():
    level = stocked(a_shoe(), 1)
    stocked(level.variant, 2, factories.a_store())
    stocked(a_shoe("Autre"), 3)
    with unit_of_work() as session:
        session.delete(session.get_one(StockLevel, level.id))
    assert levels.disagreements() == [(level.store_id, level.variant_id, 1)]


# ── what happened, step by step ──


def test_the_lowest_of_what_happened_is_looked_at_step_by_step_and_reference_by_reference():
    shoe, other, now = a_shoe(), a_shoe("Autre"), clock.now()
    with clock.at(now - timedelta(hours=9)):
        stocked(shoe, 5), stocked(other, 5)
    key, _secret = factories.a_key()
    at = [now - timedelta(hours=hours) for hours in (8, 7, 6, 5)]
    for number, (kind, variant, count, moment) in enumerate(
        [
            ("sale", other, 1, at[0]),
            ("sale", shoe, 3, at[1]),
            ("return", shoe, 2, at[2]),
            ("sale", shoe, 2, at[3]),
            ("return", shoe, 1, at[3]),
        ],
        start=1,
    ):
        factories.told(key, number, kind, variant, count, at=moment)
    store = factories.the_store().id
    before = now - timedelta(hours=9)
    assert levels.moved_since(store, before) == {shoe.id: (-2, -3), other.id: (-1, -1)}
    # At one moment what comes in is first.
    assert levels.moved_since(store, at[2]) == {shoe.id: (-1, -1)}


def test_what_files_and_hands_said_after_the_moment_of_a_file_did_not_happen_in_the_shop():
    shoe, now = a_shoe(), clock.now()
    with clock.at(now - timedelta(hours=3)):
        level = stocked(shoe, 5)
    with unit_of_work() as session:
        row = session.get_one(StockLevel, level.id)
        levels.move(row, 2, MovementKind.feed, by=MARC, reference="stock.csv")
        levels.adjust(row, 6, by=MARC, reason="casse")
    assert levels.moved_since(factories.the_store().id, now - timedelta(hours=1)) == {}
    told = db.session.scalars(db.select(Movement.reference).order_by(Movement.id)).all()
    assert told == ["", "stock.csv", "casse"]


def test_a_file_dated_two_seconds_ago_is_told_what_moved_since():
    shoe, now = a_shoe(), clock.now()
    with clock.at(now - timedelta(hours=1)):
        stocked(shoe, 5)
    key, _secret = factories.a_key()
    with clock.at(now + timedelta(seconds=1)):
        factories.told(key, 1, "sale", shoe)
    with clock.at(now + timedelta(seconds=2)):
        assert levels.moved_since(factories.the_store().id, now) == {shoe.id: (-1, -1)}
