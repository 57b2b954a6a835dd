"""S2, the second half: new stock of two shops lived in any order. A machine plays files, software,
tills, carts, orders, hands, inventories, transfers and the clock beside two shelves kept in plain
Python; after each verb the shelves and the shops say the same, today and at each past moment.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import func, select

from models import (
    ConflictState,
    ImportState,
    MachineKey,
    Reservation,
    StockConflict,
    StockLevel,
    StockTransfer,
    Store,
)
from services import clock, outbox
from services.finance import books
from services.imports import runs
from services.stock import feeds, inventories, levels
from services.unit import db, unit_of_work
from services.workflow import Refused
from tests import factories
from tests.acceptance.sizes import LONG, size
from tests.factories import HUGO, LEA, MARC

STORE, REFERENCE, UNITS, ABSOLUTE = (
    st.integers(0, 1),
    st.integers(0, 2),
    st.integers(1, 4),
    st.integers(0, 9),
)
COUNTS = st.dictionaries(REFERENCE, ABSOLUTE, min_size=1)
steps = 0


@dataclass
class Promise:
    """What the picture knows of units kept for somebody: how many, since when paid, until when
    not.
    """

    id: int
    place: tuple[int, int]
    units: int
    until: datetime
    is_paid: bool = False


@dataclass
class Picture:
    """Two shops, three references: what is there, what is promised, what is on the road."""

    held: dict[tuple[int, int], int] = field(default_factory=dict)
    promises: list[Promise] = field(default_factory=list)
    road: list[tuple[int, dict[int, int]]] = field(
        default_factory=list
    )  # transfer sent from the first shop -> what travels
    conflicts: int = 0
    last_file: dict[int, str] = field(default_factory=dict)
    past: list[tuple[datetime, dict[tuple[int, int], int]]] = field(default_factory=list)

    def units(self, place: tuple[int, int]) -> int:
        return self.held.get(place, 0)

    def promised(self, place: tuple[int, int]) -> int:
        return sum(p.units for p in self.promises if p.place == place)

    def free(self, place: tuple[int, int]) -> int:
        return self.units(place) - self.promised(place)

    def put(self, place: tuple[int, int], units: int) -> None:
        """So many are there now. Who was promised more than that loses: carts first, the newest
        first, then orders.
        """
        self.held[place] = max(0, units)
        for promise in sorted(self.promises, key=lambda p: (p.is_paid, -p.id)):
            if promise.place == place and self.promised(place) > self.held[place]:
                self.promises.remove(promise)
                self.conflicts += promise.is_paid


class Shops(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        FRESH()
        self.now, self.picture, self.folder, self.numbers = (
            clock.now(),
            Picture(),
            Path(tempfile.mkdtemp()),
            [0, 0],
        )

    @contextmanager
    def a_minute_later(self) -> Iterator[None]:
        global steps
        steps += 1
        self.now += timedelta(minutes=1)
        with clock.at(self.now):
            yield

    @initialize()
    def open(self):
        first, second = factories.the_store(), factories.a_store()
        self.stores = [first.id, second.id]
        self.references = [
            (v.id, v.ean)
            for v in (factories.a_shoe(), factories.a_game("Jeu"), factories.a_game("Autre"))
        ]
        self.tills = [
            factories.a_key(store=store, name=f"Caisse {store.id}")[0].id
            for store in (first, second)
        ]
        for store in (0, 1):  # the third reference was never there
            with self.a_minute_later():
                self.publish(store, {0: 5, 1: 5})

    def ean(self, reference: int) -> str:
        return self.references[reference][1]

    def store(self, store: int) -> Store:
        return db.session.get_one(Store, self.stores[store])

    def level(self, place: tuple[int, int]) -> StockLevel | None:
        ids = (
            StockLevel.store_id == self.stores[place[0]],
            StockLevel.variant_id == self.references[place[1]][0],
        )
        return db.session.scalars(select(StockLevel).where(*ids)).one_or_none()

    def publish(self, store: int, counts: dict[int, int]) -> None:
        with unit_of_work():
            feeds.publish(self.store(store), {self.ean(r): n for r, n in counts.items()}, by=LEA)
        for reference, units in counts.items():
            self.picture.put((store, reference), units)

    # ── what says how many there are ──

    @rule(store=STORE, counts=COUNTS, full=st.booleans(), sure=st.booleans())
    def a_file(self, store, counts, full, sure):
        with self.a_minute_later():
            text = "ean;quantite\n" + "".join(
                f"{self.ean(r)};{n}\n" for r, n in sorted(counts.items())
            )
            path = factories.a_file(self.folder, text)
            run = factories.given(path, store=self.store(store), mode="full" if full else "delta")
            if self.picture.last_file.get(store) == text:  # sent twice, it changes nothing
                assert run.state is ImportState.complete
                assert run.report["same_file"]
                return
            said = {(store, r): n for r, n in counts.items()}
            if full:
                said |= {
                    place: 0
                    for place in self.picture.held
                    if place[0] == store and place not in said
                }
                on_shelf = sum(
                    1 for place, n in self.picture.held.items() if place[0] == store and n
                )
                emptied = sum(
                    1 for place, n in said.items() if n == 0 and self.picture.units(place)
                )
                if emptied * 100 > on_shelf * 50:
                    assert run.state is ImportState.to_confirm
                    with unit_of_work():
                        (runs.confirm if sure else runs.cancel)(run, by=LEA)
                    outbox.work()
                    db.session.expire_all()
                    assert db.session.get_one(type(run), run.id).state is (
                        ImportState.complete if sure else ImportState.cancelled
                    )
                    if not sure:
                        return
            self.picture.last_file[store] = text
            for place, units in said.items():
                self.picture.put(place, units)

    @rule(store=STORE, counts=COUNTS)
    def software_publishes(self, store, counts):
        with self.a_minute_later():
            self.publish(store, counts)

    @rule(store=STORE, reference=REFERENCE, units=ABSOLUTE)
    def a_hand_corrects(self, store, reference, units):
        with self.a_minute_later():
            from models import Variant

            with unit_of_work() as session:
                levels.adjust(
                    levels.of(
                        self.store(store), session.get_one(Variant, self.references[reference][0])
                    ),
                    units,
                    by=MARC,
                )
            self.picture.put((store, reference), units)

    @rule(store=STORE, counts=COUNTS, whole=st.booleans(), sold=st.integers(0, 3))
    def an_inventory(self, store, counts, whole, sold):
        with self.a_minute_later(), unit_of_work():
            count = inventories.open_count(self.store(store), "", whole=whole, by=MARC).id
        with self.a_minute_later():
            for reference, units in counts.items():
                with unit_of_work() as session:
                    inventories.say(
                        session.get_one(inventories.StockCount, count),
                        self.ean(reference),
                        units,
                        by=MARC,
                    )
        counted = min(counts)
        if sold:  # while the shop sells
            self.a_sale(store, counted, sold)
        with self.a_minute_later():
            with unit_of_work() as session:
                inventories.validate(session.get_one(inventories.StockCount, count), by=MARC)
            if whole:
                for place in [p for p in self.picture.held if p[0] == store and p[1] not in counts]:
                    self.picture.put(place, 0)
            for reference, units in counts.items():
                self.picture.put((store, reference), units - (sold if reference == counted else 0))

    # ── tills ──

    def tell(self, kind: str, store: int, reference: int, units: int) -> None:
        self.numbers[store] += 1
        key = db.session.get_one(MachineKey, self.tills[store])
        said = factories.told(key, self.numbers[store], kind, self.ean(reference), units)
        assert factories.told(key, self.numbers[store], kind, self.ean(reference), units) == {
            **said,
            "again": True,
        }

    @rule(store=STORE, reference=REFERENCE, units=UNITS)
    def a_sale(self, store, reference, units):
        with self.a_minute_later():
            self.tell("sale", store, reference, units)
            self.picture.put((store, reference), self.picture.units((store, reference)) - units)

    @rule(store=STORE, reference=REFERENCE, units=UNITS)
    def a_return(self, store, reference, units):
        with self.a_minute_later():
            self.tell("return", store, reference, units)
            self.picture.put((store, reference), self.picture.units((store, reference)) + units)

    @rule(store=STORE, reference=REFERENCE, units=ABSOLUTE)
    def a_till_counts(self, store, reference, units):
        with self.a_minute_later():
            self.tell("count", store, reference, units)
            self.picture.put((store, reference), units)

    # ── carts and orders ──

    @rule(store=STORE, reference=REFERENCE, units=UNITS, paid=st.booleans())
    def a_cart_keeps(self, store, reference, units, paid):
        place = (store, reference)
        with self.a_minute_later():
            level = self.level(place)
            if level is None:
                return
            if self.picture.free(place) < units:
                with pytest.raises(Refused):
                    factories.a_reservation(level, units)
                return
            row = factories.a_reservation(level, units, holder=f"panier {steps}")
            self.picture.promises.append(Promise(row.id, place, units, row.until))
        if paid:
            self.what_becomes_of(self.picture.promises[-1], "promise")

    @precondition(lambda self: self.picture.promises)
    @rule(
        pick=st.integers(0, 99),
        verb=st.sampled_from(["promise", "promise", "release", "hand_over", "hand_over"]),
    )
    def one_ends(self, pick, verb):
        self.what_becomes_of(self.picture.promises[pick % len(self.picture.promises)], verb)

    def what_becomes_of(self, promise: Promise, verb: str) -> None:
        with self.a_minute_later():
            may = (
                not promise.is_paid
                if verb == "promise"
                else promise.is_paid
                if verb == "hand_over"
                else True
            )

            def act() -> None:
                with unit_of_work() as session:
                    row = session.get_one(Reservation, promise.id)
                    (
                        levels.hand_over(row, 1990, by=HUGO)
                        if verb == "hand_over"
                        else getattr(levels, verb)(row, by=HUGO)
                    )

            if not may:
                with pytest.raises(Refused):
                    act()
                return
            act()
            if verb == "promise":
                promise.is_paid = True
                return
            self.picture.promises.remove(promise)
            if verb == "hand_over":
                self.picture.put(promise.place, self.picture.units(promise.place) - promise.units)

    @precondition(lambda self: self.picture.conflicts)
    @rule()
    def an_order_finds_a_twin(self):
        with self.a_minute_later(), unit_of_work() as session:
            conflict = session.scalars(
                select(StockConflict)
                .where(StockConflict.status == ConflictState.open)
                .order_by(StockConflict.id)
            ).first()
            place = (
                self.stores.index(conflict.store_id),
                next(
                    n for n, (id, _ean) in enumerate(self.references) if id == conflict.variant_id
                ),
            )
            there = (1 - place[0], place[1])
            found = levels.twins(conflict)
            assert bool(found) == (self.picture.free(there) >= conflict.quantity)
            if found:
                row = levels.replace(conflict, found[0].store, None, by=MARC)
                session.flush()
                self.picture.promises.append(
                    Promise(row.id, there, row.quantity, None, is_paid=True)
                )
            else:
                levels.give_up(conflict, by=MARC)
            self.picture.conflicts -= 1

    @rule(minutes=st.integers(1, 40))
    def time_passes(self, minutes):
        self.now += timedelta(minutes=minutes)
        with self.a_minute_later():
            for id in levels.over():
                with unit_of_work() as session:
                    levels.lapse(session.get_one(Reservation, id))
            self.picture.promises = [
                p for p in self.picture.promises if p.is_paid or p.until >= self.now
            ]

    # ── from one shop to the other ──

    @rule(
        counts=st.dictionaries(REFERENCE, st.integers(1, 2), min_size=1, max_size=2),
        lost=st.integers(0, 2),
    )
    def a_transfer_leaves(self, counts, lost):
        """And the one that left before it, if any, arrives meanwhile."""
        if self.picture.road:
            self.it_arrives(lost)
        with self.a_minute_later():

            def act() -> int:
                with unit_of_work():
                    transfer = inventories.open_transfer(self.store(0), self.store(1), by=MARC)
                    for reference, units in counts.items():
                        inventories.put_in(transfer, self.ean(reference), units, by=MARC)
                    inventories.send(transfer, by=MARC)
                    return transfer.id

            if any(self.picture.free((0, r)) < units for r, units in counts.items()):
                with pytest.raises(Refused):
                    act()
                return
            self.picture.road.append((act(), counts))
            for reference, units in counts.items():
                self.picture.put((0, reference), self.picture.units((0, reference)) - units)

    def it_arrives(self, lost):
        id, counts = self.picture.road.pop(0)
        with self.a_minute_later():
            with unit_of_work() as session:
                transfer = session.get_one(StockTransfer, id)
                came = {line.id: max(0, line.quantity - lost) for line in transfer.lines}
                inventories.arrive(transfer, came, by=MARC)
            for reference, units in counts.items():
                self.picture.put(
                    (1, reference), self.picture.units((1, reference)) + max(0, units - lost)
                )

    # ── the shelves and the shops agree, after every step ──

    @invariant()
    def they_agree(self):
        db.session.rollback()
        db.session.expire_all()
        picture, places = (
            self.picture,
            [(store, reference) for store in (0, 1) for reference in range(3)],
        )
        kept = {place: self.level(place) for place in places}
        assert {p: (row.quantity, row.reserved) if row else (0, 0) for p, row in kept.items()} == {
            p: (picture.units(p), picture.promised(p)) for p in places
        }
        live = db.session.scalars(
            select(Reservation).where(Reservation.status.in_(["held", "promised"]))
        ).all()
        assert {row.id: row.status.value == "promised" for row in live} == {
            p.id: p.is_paid for p in picture.promises
        }
        rows = select(func.count(StockConflict.id)).where(StockConflict.status == "open")
        assert db.session.scalar(rows) == picture.conflicts
        picture.past.append((self.now, dict(picture.held)))
        moment, then = picture.past[steps % len(picture.past)]
        for store, reference in places:
            assert levels.at(self.stores[store], self.references[reference][0], moment) == then.get(
                (store, reference), 0
            ), moment
        assert books.check() == []
        db.session.rollback()


FRESH = None


def test_stock_lived_in_any_order_agrees_with_its_picture(fresh_database, figure):
    global FRESH, steps
    FRESH, steps = fresh_database, 0
    seed = os.environ.get("COMPTOIR_SEED")
    examples = settings(
        max_examples=size(16, 150),
        stateful_step_count=size(25, 50),
        deadline=None,
        derandomize=not seed,
        database=None,
        suppress_health_check=list(HealthCheck),
        print_blob=LONG,
    )
    run_state_machine_as_test(Shops, settings=examples)
    figure("stock transitions", steps, at_least=7_000)
