"""S2, the third part: orders lived in any order. A machine places, answers, makes ready, hands
over, cancels, lets time pass and sells at a till, beside a small picture of two stores; after each
verb the books agree, and the store without a till holds and promises what the picture says.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

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
from sqlalchemy import select

from models import (
    Cart,
    Customer,
    Listing,
    MachineKey,
    OrderEnd,
    Reservation,
    StockConflict,
    StockLevel,
    Store,
    VendorOrder,
)
from services import clock
from services import settings as service_settings
from services.finance import books
from services.orders import carts, checkout, fulfilment, parts, pickup
from services.people import customers
from services.stock import levels
from services.unit import db, unit_of_work
from services.workflow import Refused
from tests import factories
from tests.acceptance.sizes import LONG, size
from tests.factories import MARC

PICK, UNITS, WHY = st.integers(0, 99), st.integers(0, 3), st.sampled_from(parts.PROBLEMS)
OPEN = {"waiting_acceptance", "shipping", "to_collect"}
# What each verb needs, and what it leads to.
VERBS = {
    "accept": ({"waiting_acceptance"}, "shipping"),
    "refuse": ({"waiting_acceptance"}, "refused"),
    "ready": ({"shipping"}, "to_collect"),
    "collect": ({"shipping", "to_collect"}, "received"),
    "cancel": (OPEN, "canceled"),
    "fail": ({"shipping", "to_collect"}, "canceled"),
}
steps = 0


@dataclass
class Kept:
    """A part as the picture knows it: its store, its state, and what is kept of each reference."""

    store: int
    state: str
    lines: dict[int, int]


@dataclass
class Picture:
    """The store without a till: what it holds of each reference, and every part of both."""

    held: dict[int, int] = field(default_factory=dict)
    parts: dict[int, Kept] = field(default_factory=dict)

    def promised(self, reference: int) -> int:
        return sum(
            part.lines.get(reference, 0)
            for part in self.parts.values()
            if part.store == 0 and part.state in OPEN
        )


class Orders(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        FRESH()
        self.now, self.picture, self.number = clock.now(), Picture(), 0

    @contextmanager
    def a_minute_later(self) -> Iterator[None]:
        global steps
        steps += 1
        self.now += timedelta(minutes=1)
        with clock.at(self.now):
            yield

    @initialize()
    def open(self):
        factories.a_shop()
        quiet = factories.keeps_for_buyers()
        busy = factories.keeps_for_buyers(factories.a_store())
        self.stores = [quiet.id, busy.id]
        self.key_id = factories.a_key(store=busy)[0].id
        with unit_of_work() as session:
            session.get_one(MachineKey, self.key_id).used_at = clock.now()
        shoes = [factories.a_shoe(), factories.a_shoe("Botte Aubrac")]
        self.listings = [factories.on_sale(shoe, 8900, 9, quiet).id for shoe in shoes]
        self.variants = [shoe.id for shoe in shoes]
        for shoe in shoes:
            factories.stocked(shoe, 9, busy)
        self.picture.held = {0: 9, 1: 9}
        with unit_of_work():  # a life in any order never meets the limit
            service_settings.change("reservations_open", "50", by=MARC)
        self.buyer = factories.a_buyer().id

    @rule(store=st.integers(0, 1), first=UNITS, second=UNITS, way=st.integers(0, 2))
    def somebody_orders(self, store, first, second, way):
        """And the shop answers at once, more often than not."""
        wanted = {n: units for n, units in enumerate((first, second)) if units}
        free = {n: self.picture.held[n] - self.picture.promised(n) for n in wanted}
        with self.a_minute_later():
            if not wanted:
                return
            try:
                with unit_of_work() as session:
                    cart = self.cart(session)
                    for n, units in wanted.items():
                        listing = session.get_one(Listing, self.listings[n])
                        carts.add(cart, listing, session.get_one(Store, self.stores[store]), units)
                    buyer = session.get_one(Customer, self.buyer)
                    order = checkout.reserve(cart, buyer, by=customers.actor(buyer))
                    id = order.parts[0].id
            except Refused:
                assert store == 1 or any(free[n] < units for n, units in wanted.items())
                return
            assert store == 1 or all(free[n] >= units for n, units in wanted.items())
            known = Kept(store, "waiting_acceptance", dict(wanted))
            self.picture.parts[id] = known
            for verb in ("accept", "ready")[:way]:
                with unit_of_work() as session:
                    part = session.get_one(VendorOrder, id)
                    (fulfilment.accept if verb == "accept" else pickup.ready)(part, by=MARC)
                known.state = VERBS[verb][1]

    def cart(self, session) -> Cart:
        buyer = session.get_one(Customer, self.buyer)
        cart = carts.of_customer(buyer, factories.the_site())
        if cart is None:
            cart, _token = carts.open_cart(session.merge(factories.the_site()), buyer)
        carts.empty(cart)
        session.flush()
        return cart

    @precondition(lambda self: self.picture.parts)
    @rule(pick=PICK, verb=st.sampled_from(sorted(VERBS)), why=WHY)
    def one_is_decided(self, pick, verb, why):
        id = sorted(self.picture.parts)[pick % len(self.picture.parts)]
        known, (sources, after) = self.picture.parts[id], VERBS[verb]

        def act() -> None:
            with unit_of_work() as session:
                part = session.get_one(VendorOrder, id)
                if verb == "collect":
                    code = pickup.code_of(part)
                    pickup.collect(part, code.digits if code else "123456", by=MARC)
                elif verb == "ready":
                    pickup.ready(part, by=MARC)
                elif verb == "fail":
                    fulfilment.fail(part, why, by=MARC)
                else:
                    getattr(fulfilment, verb)(part, by=MARC)

        with self.a_minute_later():
            if known.state not in sources:
                with pytest.raises(Refused):
                    act()
                return
            act()
        known.state = after
        gone = (
            verb == "collect"
            or verb == "refuse"
            or (verb == "fail" and why is OrderEnd.out_of_stock)
        )
        if gone and known.store == 0:
            for n, units in known.lines.items():
                self.picture.held[n] = max(0, self.picture.held[n] - units)

    @precondition(lambda self: self.picture.parts)
    @rule(pick=PICK, there=UNITS, why=WHY)
    def a_problem_is_reported(self, pick, there, why):
        id = sorted(self.picture.parts)[pick % len(self.picture.parts)]
        known = self.picture.parts[id]
        reference = min(known.lines)
        before = known.lines[reference]

        def act() -> None:
            with unit_of_work() as session:
                part = session.get_one(VendorOrder, id)
                line = next(one for one in part.lines if one.variant_id == self.variants[reference])
                fulfilment.report(part, {line.id: there}, {line.id: why}, by=MARC)

        with self.a_minute_later():
            if known.state != "waiting_acceptance" or there >= before:
                with pytest.raises(Refused):
                    act()
                return
            act()
        left = sum(known.lines.values()) - before + there
        if why is OrderEnd.out_of_stock and known.store == 0:
            self.picture.held[reference] -= before - there
        known.state = "shipping" if left else "refused"
        if left:
            known.lines[reference] = there

    @rule(pick=st.integers(0, 1), units=st.integers(1, 3))
    def the_till_of_the_busy_store_sells(self, pick, units):
        with self.a_minute_later():
            self.number += 1
            ean = db.session.get_one(Listing, self.listings[pick]).variant.ean
            db.session.rollback()
            key = db.session.get_one(MachineKey, self.key_id)
            factories.told(key, self.number, "sale", ean, units, at=self.now)

    @rule(hours=st.sampled_from([1, 6, 30, 80]))
    def time_passes(self, hours):
        self.now += timedelta(hours=hours)
        with self.a_minute_later():
            watched: tuple[tuple[list[int], Any, Any], ...] = (
                (fulfilment.beaten(), StockConflict, fulfilment.settle),
                (fulfilment.late(), VendorOrder, fulfilment.lapse),
                (pickup.late(), VendorOrder, pickup.lapse),
                (levels.untold(), Reservation, pickup.tell_untold),
            )
            for ids, model, verb in watched:
                for id in ids:
                    with unit_of_work() as session:
                        verb(session.get_one(model, id))
            db.session.expire_all()
            for id, known in self.picture.parts.items():
                part = db.session.get_one(VendorOrder, id)
                if known.state == "waiting_acceptance" and part.accept_by < self.now:
                    known.state = "canceled"
                if known.state == "to_collect" and part.collect_by < self.now:
                    known.state = "canceled"
                if known.store == 1:  # its till may have been faster
                    known.state = part.status.value
                    known.lines = {
                        n: sum(
                            line.kept for line in part.lines if line.variant_id == self.variants[n]
                        )
                        for n in known.lines
                    }
            db.session.rollback()

    @invariant()
    def they_agree(self):
        db.session.rollback()
        db.session.expire_all()
        assert books.check() == []
        for id, known in self.picture.parts.items():
            assert db.session.get_one(VendorOrder, id).status.value == known.state, id
        for n, variant_id in enumerate(self.variants):
            level = db.session.scalars(
                select(StockLevel).where(
                    StockLevel.store_id == self.stores[0], StockLevel.variant_id == variant_id
                )
            ).one()
            assert (level.quantity, level.reserved) == (
                self.picture.held[n],
                self.picture.promised(n),
            )
        db.session.rollback()


FRESH = None


def test_orders_lived_in_any_order_agree_with_their_picture(fresh_database, figure):
    global FRESH, steps
    FRESH, steps = fresh_database, 0
    seed = os.environ.get("COMPTOIR_SEED")
    examples = settings(
        max_examples=size(10, 220),
        stateful_step_count=size(25, 50),
        deadline=None,
        derandomize=not seed,
        database=None,
        suppress_health_check=list(HealthCheck),
        print_blob=LONG,
    )
    run_state_machine_as_test(Orders, settings=examples)
    figure("order transitions", steps, at_least=10_000)
