"""S2: the life of sales in any order. A machine plays verbs at random beside a small picture of the
shop kept in plain Python; after each one the shop and the picture must say the same, and everything
that must agree agrees (I1–I9).
"""

import os
from dataclasses import dataclass, field
from datetime import timedelta

import hypothesis.strategies as st
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
    Customer,
    Item,
    ItemState,
    LineState,
    Offer,
    OfferLine,
    OfferState,
    PaymentMeans,
    PaymentPart,
    PaymentState,
    SellerPayment,
)
from services import clock, outbox
from services.buyback import offers, reception
from services.finance import books
from services.payments import (
    bank_answers,
    bank_details,
    ledger,
    store_credit,
    transfers,
)
from services.people import customers
from services.stock import items
from services.unit import db, unit_of_work
from services.workflow import Refused
from tests import factories
from tests.acceptance.killing import invariants
from tests.acceptance.sizes import LONG, size
from tests.factories import LEA, MARC
from tests.services.payments.test_transfers import said

S, P, L = OfferState, PaymentState, LineState
steps = 0


@dataclass
class Article:
    """What the picture knows of one article: its price, and what became of it."""

    id: int
    price: int
    state: str = "expected"
    paid: int = 0
    part: str = "first"


@dataclass
class Sale:
    """What the picture knows of one sale."""

    id: int
    seller: int
    state: str
    articles: list[Article]
    means: str = "transfer"
    payments: dict[str, str] = field(default_factory=dict)  # part → state

    def accepted(self, part: str = "") -> int:
        return sum(a.paid for a in self.articles if a.state == "accepted" and part in ("", a.part))

    def waits_for_an_answer(self) -> bool:
        return any(a.state in ("countered", "refused") for a in self.articles)

    def money_left(self) -> bool:
        return any(
            state in ("in_file", "paid") and self.accepted(part)
            for part, state in self.payments.items()
        )

    def settle(self) -> None:
        if all(state == "paid" for state in self.payments.values()):
            self.state = "settled"


@dataclass
class Picture:
    """The shop as a child would draw it."""

    sales: list[Sale] = field(default_factory=list)
    sellers: dict[int, bool] = field(default_factory=dict)  # id → has given an IBAN
    stock: int = 0
    sold: int = 0
    credit: dict[int, int] = field(default_factory=dict)


class Shop(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        FRESH()
        self.picture = Picture()
        self.now = clock.now()
        self._at = clock.at(self.now)
        self._at.__enter__()

    def teardown(self):
        self._at.__exit__(None, None, None)
        db.session.rollback()
        if self.picture.sales:
            invariants()
        db.session.rollback()

    # ── helpers: a sale in some states, or nothing to do ──

    def pick(self, pick: int, *states: str) -> Sale | None:
        fitting = [s for s in self.picture.sales if s.state in states]
        return fitting[pick % len(fitting)] if fitting else None

    def counted(self):
        global steps
        steps += 1

    def refused(self, act) -> None:
        """The shop must say no, in a sentence, and change nothing."""
        before = self.fingerprint()
        try:
            with unit_of_work():
                act()
        except Refused as refusal:
            assert str(refusal)
        else:
            raise AssertionError("this should have been refused")
        assert self.fingerprint() == before

    @staticmethod
    def fingerprint():
        db.session.rollback()
        found = [
            db.session.execute(select(m.id, m.status).order_by(m.id)).all()
            for m in (Offer, OfferLine, Item, SellerPayment)
        ]
        db.session.rollback()
        return found

    # ── rules ──

    @initialize()
    def open(self):
        factories.a_paying_account()
        self.games = [factories.a_game(f"Jeu {n}", argus_cents=3000 + 500 * n).id for n in range(3)]
        for _n in range(2):
            self.picture.sellers[factories.a_customer().id] = False

    @rule(pick=st.integers(0, 9), copies=st.integers(2, 4))
    def sell(self, pick, copies):
        """A seller fills a cart and sends it."""
        self.counted()
        from models import Variant

        seller = list(self.picture.sellers)[pick % len(self.picture.sellers)]
        with unit_of_work() as session:
            person = session.get_one(Customer, seller)
            cart = offers.open_cart(factories.the_site(), person)
            for n in range(copies):
                offers.add(cart, session.get_one(Variant, self.games[(pick + n) % 3]).ean)
            offers.finalise(cart, person, by=customers.actor(person))
            articles = [Article(line.id, line.price_cents) for line in cart.lines]
            self.picture.sales.append(Sale(cart.id, seller, "to_check", articles))

    @precondition(lambda self: self.picture.sales)
    @rule(
        pick=st.integers(0, 9),
        verb=st.sampled_from(["accept", "accept", "accept", "counter", "refuse"]),
    )
    def decide(self, pick, verb):
        self.counted()
        sale = self.pick(pick, "to_check")
        if sale is None:
            other = self.picture.sales[pick % len(self.picture.sales)]
            if (
                other.state == "second_chance"
            ):  # it may still be refused, never accepted over the seller's head
                self.refused(lambda: offers.accept(db.session.get_one(Offer, other.id), by=MARC))
            else:
                self.refused(
                    lambda: offers.refuse(db.session.get_one(Offer, other.id), "non", by=MARC)
                )
            return
        with unit_of_work() as session:
            offer = session.get_one(Offer, sale.id)
            if verb == "accept":
                offers.accept(offer, by=MARC)
                sale.state = "accepted"
            elif verb == "counter":
                offers.counter(
                    offer, {a.id: a.price - 100 for a in sale.articles}, "Boîtes abîmées.", by=MARC
                )
                sale.state = "second_chance"
            else:
                offers.refuse(offer, "Trop de stock.", by=MARC)
                sale.state = "refused"

    @precondition(lambda self: any(s.state == "second_chance" for s in self.picture.sales))
    @rule(pick=st.integers(0, 9), agrees=st.booleans(), late=st.booleans())
    def answer_second_chance(self, pick, agrees, late):
        self.counted()
        sale = self.pick(pick, "second_chance")
        if sale is None:
            return
        if late:
            with clock.at(clock.now() + timedelta(days=9)):
                self.refused(
                    lambda: offers.agree(
                        db.session.get_one(Offer, sale.id),
                        by=customers.actor(db.session.get_one(Offer, sale.id).customer),
                    )
                )
                with unit_of_work() as session:
                    offers.lapse(session.get_one(Offer, sale.id))
            sale.state = "declined"
            return
        with unit_of_work() as session:
            offer = session.get_one(Offer, sale.id)
            (offers.agree if agrees else offers.disagree)(offer, by=customers.actor(offer.customer))
        sale.state = "accepted" if agrees else "declined"
        if agrees:
            for article in sale.articles:
                article.price -= 100

    @precondition(lambda self: any(s.state == "accepted" for s in self.picture.sales))
    @rule(pick=st.integers(0, 9))
    def abandon(self, pick):
        self.counted()
        sale = self.pick(pick, "accepted")
        if sale is None:
            return
        if any(a.state != "expected" for a in sale.articles):
            self.refused(lambda: offers.abandon(db.session.get_one(Offer, sale.id), by=MARC))
            return
        with unit_of_work() as session:
            offers.abandon(session.get_one(Offer, sale.id), by=MARC)
        sale.state = "abandoned"

    @precondition(
        lambda self: any(s.state in ("accepted", "abandoned") for s in self.picture.sales)
    )
    @rule(pick=st.integers(0, 9))
    def open_parcel(self, pick):
        self.counted()
        sale = self.pick(pick, "accepted", "abandoned")
        if sale is None:
            return
        with unit_of_work() as session:
            reception.open_parcel(session.get_one(Offer, sale.id), by=MARC)
        sale.state = "accepted"
        for article in sale.articles:
            if article.state == "expected":
                article.state = "received"

    def article(self, pick, state):
        fitting = [
            (s, a)
            for s in self.picture.sales
            if s.state == "accepted"
            for a in s.articles
            if a.state == state
        ]
        return fitting[pick % len(fitting)] if fitting else (None, None)

    @precondition(lambda self: self.article(0, "received")[1])
    @rule(
        pick=st.integers(0, 99),
        verb=st.sampled_from(["send", "send", "send", "counter", "refuse", "miss"]),
    )
    def control(self, pick, verb):
        self.counted()
        _sale, article = self.article(pick, "received")
        if article is None:
            return
        with unit_of_work() as session:
            line = session.get_one(OfferLine, article.id)
            if verb == "send":
                reception.send(line, factories.GRADES, "", factories.the_store(), by=MARC)
                article.state, article.paid = "accepted", article.price
                self.picture.stock += 1
            elif verb == "counter":
                if not line.photos:
                    reception.photograph(line, f"p{article.id}-{steps}.jpg", by=MARC)
                reception.counter(
                    line, factories.GRADES, "", article.price - 50, "Notice déchirée.", by=MARC
                )
                article.state = "countered"
            elif verb == "refuse":
                reception.refuse(line, {}, "", "Disque rayé.", by=MARC)
                article.state = "refused"
            else:
                reception.miss(line, by=MARC)
                article.state = "missing"

    @precondition(lambda self: self.article(0, "accepted")[1])
    @rule(pick=st.integers(0, 99))
    def undo(self, pick):
        """Taken back until the reception ends, unless the unit was sold meanwhile."""
        self.counted()
        _sale, article = self.article(pick, "accepted")
        if article is None:
            return
        db.session.rollback()
        item = db.session.scalar(
            select(Item).where(Item.offer_line_id == article.id, Item.status != ItemState.returned)
        )
        if item.status is not ItemState.in_stock:
            self.refused(lambda: reception.undo(db.session.get_one(OfferLine, article.id), by=MARC))
            return
        with unit_of_work() as session:
            reception.undo(session.get_one(OfferLine, article.id), by=MARC)
        article.state, article.paid = "received", 0
        self.picture.stock -= 1

    @precondition(
        lambda self: any(
            s.state == "accepted"
            and all(a.state not in ("expected", "received") for a in s.articles)
            for s in self.picture.sales
        )
    )
    @rule(pick=st.integers(0, 9))
    def end(self, pick):
        self.counted()
        ready = [
            s
            for s in self.picture.sales
            if s.state == "accepted"
            and all(a.state not in ("expected", "received") for a in s.articles)
        ]
        if not ready:
            return
        sale = ready[pick % len(ready)]
        with unit_of_work() as session:
            offer = session.get_one(Offer, sale.id)
            reception.end(offer, by=MARC)
            reception.tell(offer, by=MARC)
        sale.state = "received"
        self.pay_where_it_belongs(sale)

    def pay_where_it_belongs(self, sale: Sale) -> None:
        sale.payments.setdefault("first", "held")
        if sale.waits_for_an_answer() and sale.accepted():
            sale.payments.setdefault("contested", "held")
        for part, state in sale.payments.items():
            if state not in ("in_file", "paid"):
                sale.payments[part] = self.where_it_belongs(sale, part)
        sale.settle()

    def where_it_belongs(self, sale: Sale, part: str) -> str:
        amount = sale.accepted(part)
        alone = len(sale.payments) == 1
        if sale.waits_for_an_answer() and (alone or part == "contested"):
            return "held"
        if not amount:
            return "paid"
        if sale.means == "store_credit":
            given = amount + store_credit.bonus_of(amount)
            self.picture.credit[sale.seller] = self.picture.credit.get(sale.seller, 0) + given
            return "paid"
        # One who left while his sale was abandoned, and whose parcel came all the same, has no
        # account to give an IBAN with.
        return "to_pay" if self.picture.sellers.get(sale.seller) else "awaiting_iban"

    def to_answer(self) -> list[Sale]:
        return [s for s in self.picture.sales if s.state == "received" and s.waits_for_an_answer()]

    def payments_in(self, state: str) -> list[tuple[Sale, str]]:
        """Which parts of which sales are in a state."""
        return [
            (s, part)
            for s in self.picture.sales
            for part, is_in in s.payments.items()
            if is_in == state
        ]

    @precondition(lambda self: self.to_answer())
    @rule(pick=st.integers(0, 9), takes=st.booleans())
    def answer_reception(self, pick, takes):
        """The seller takes the new prices; or lets everything be recycled."""
        self.counted()
        waiting = self.to_answer()
        sale = waiting[pick % len(waiting)]
        with unit_of_work() as session:
            offer = session.get_one(Offer, sale.id)
            chosen = {}
            for article in sale.articles:
                if article.state == "countered":
                    chosen[article.id] = "agree" if takes else "recycled"
                elif article.state == "refused":
                    chosen[article.id] = "recycled"
            reception.answer(offer, chosen, by=customers.actor(offer.customer))
        for article in sale.articles:
            if article.state in ("countered", "refused") and "contested" in sale.payments:
                article.part = "contested"
            if article.state == "countered" and takes:
                article.state, article.paid = "accepted", article.price - 50
                self.picture.stock += 1
            elif article.state in ("countered", "refused"):
                article.state = "recycled"
        self.pay_where_it_belongs(sale)

    @rule(pick=st.integers(0, 9))
    def give_iban(self, pick):
        self.counted()
        without = [id for id, has in self.picture.sellers.items() if not has]
        if not without:
            return
        seller = without[pick % len(without)]
        with unit_of_work() as session:
            person = session.get_one(Customer, seller)
            bank_details.give(
                person, factories.IBANS[1], "Camille Aubry", site=factories.the_site()
            )
        self.picture.sellers[seller] = True
        for sale, part in self.payments_in("awaiting_iban"):
            if sale.seller == seller:
                sale.payments[part] = "to_pay"

    @precondition(
        lambda self: any(
            s.state in ("to_check", "accepted", "received") and not s.money_left()
            for s in self.picture.sales
        )
    )
    @rule(pick=st.integers(0, 9), means=st.sampled_from(["transfer", "store_credit"]))
    def choose(self, pick, means):
        self.counted()
        sale = self.pick(pick, "to_check", "accepted", "received")
        if sale is None or sale.money_left():
            return
        with unit_of_work() as session:
            offer = session.get_one(Offer, sale.id)
            reception.choose_means(offer, PaymentMeans(means), by=customers.actor(offer.customer))
        if sale.means != means:
            sale.means = means
            if sale.payments:
                self.pay_where_it_belongs(sale)

    @rule()
    def pay(self):
        self.counted()
        ready = self.payments_in("to_pay")
        if not ready:
            self.refused(
                lambda: transfers.validate(
                    factories.the_vendor(), "PAIEMENT", transfers.totals(1), by=LEA
                )
            )
            return
        self.refused(
            lambda: transfers.validate(factories.the_vendor(), "PAIEMENT", (len(ready), 1), by=LEA)
        )
        with unit_of_work():
            assert transfers.totals(1) == (len(ready), sum(s.accepted(part) for s, part in ready))
            batch = transfers.validate(
                factories.the_vendor(), "PAIEMENT", transfers.totals(1), by=LEA
            )
            key = f"transfer_file:{batch.id}"
        outbox.work_now(key)
        for sale, part in ready:
            sale.payments[part] = "in_file"

    @precondition(lambda self: self.payments_in("in_file"))
    @rule(
        pick=st.integers(0, 9), outcome=st.sampled_from(["executed", "executed", "closed account"])
    )
    def the_bank_answers(self, pick, outcome):
        self.counted()
        on_their_way = self.payments_in("in_file")
        sale, part = on_their_way[pick % len(on_their_way)]
        db.session.rollback()
        payment = db.session.scalars(
            select(SellerPayment).where(
                SellerPayment.offer_id == sale.id, SellerPayment.part == PaymentPart(part)
            )
        ).one()
        line = payment.batch_lines[-1]
        word = "ACSC" if outcome == "executed" else "RJCT:AC04"
        data = said(line.batch, **{line.end_to_end.replace("-", "_"): word})
        with unit_of_work():
            bank_answers.read(data, "reponse.xml", by=LEA)
        self.refused(
            lambda: bank_answers.read(data, "encore.xml", by=LEA)
        )  # the same answer counts once
        if outcome == "executed":
            sale.payments[part] = "paid"
            sale.settle()
        else:
            sale.payments[part] = "awaiting_iban"
            self.picture.sellers[sale.seller] = False
            for other, its in self.payments_in("to_pay"):  # whatever waits for this account stops
                if other.seller == sale.seller:
                    other.payments[its] = "awaiting_iban"

    @precondition(lambda self: self.picture.stock)
    @rule(pick=st.integers(0, 99))
    def sell_item(self, pick):
        self.counted()
        db.session.rollback()
        ids = db.session.scalars(
            select(Item.id).where(Item.status == ItemState.in_stock).order_by(Item.id)
        ).all()
        if not ids:
            return
        id = ids[pick % len(ids)]
        with unit_of_work() as session:
            items.sell(session.get_one(Item, id), 1990, by=MARC)
        self.refused(lambda: items.sell(db.session.get_one(Item, id), 1990, by=MARC))
        self.picture.stock -= 1
        self.picture.sold += 1

    @precondition(lambda self: self.picture.sold)
    @rule(pick=st.integers(0, 99))
    def give_back_item(self, pick):
        self.counted()
        db.session.rollback()
        ids = db.session.scalars(
            select(Item.id).where(Item.status == ItemState.sold).order_by(Item.id)
        ).all()
        if not ids:
            return
        with unit_of_work() as session:
            items.give_back(session.get_one(Item, ids[pick % len(ids)]), by=MARC)
        self.picture.stock += 1
        self.picture.sold -= 1

    @precondition(lambda self: self.picture.sellers)
    @rule(pick=st.integers(0, 9))
    def leave(self, pick):
        """A seller erases his account: refused while something is under way or in credit."""
        self.counted()
        seller = list(self.picture.sellers)[pick % len(self.picture.sellers)]
        busy = any(
            s.seller == seller and s.state in ("to_check", "second_chance", "accepted", "received")
            for s in self.picture.sales
        )
        if busy or self.picture.credit.get(seller) or len(self.picture.sellers) == 1:
            if busy or self.picture.credit.get(seller):
                self.refused(lambda: customers.erase(db.session.get_one(Customer, seller)))
            return
        with unit_of_work() as session:
            customers.erase(session.get_one(Customer, seller))
        del self.picture.sellers[seller]
        new = factories.a_customer().id
        self.picture.sellers[new] = False

    @rule(hours=st.integers(1, 30))
    def time_passes(self, hours):
        """The worker rings: letters leave, nothing else moves by itself this early."""
        self.counted()
        outbox.work()

    # ── the picture and the shop agree, after every step ──

    @invariant()
    def they_agree(self):
        db.session.rollback()
        db.session.expire_all()
        states = {
            id: state.value for id, state in db.session.execute(select(Offer.id, Offer.status))
        }
        assert {s.id: states[s.id] for s in self.picture.sales} == {
            s.id: s.state for s in self.picture.sales
        }
        lines = {
            id: (state.value, paid or 0)
            for id, state, paid in db.session.execute(
                select(OfferLine.id, OfferLine.status, OfferLine.paid_cents)
            )
        }
        for sale in self.picture.sales:
            if sale.state in ("to_check", "second_chance", "refused", "declined", "abandoned"):
                continue
            for article in sale.articles:
                assert lines[article.id] == (article.state, article.paid), (sale.id, article)
        paid = {
            (payment.offer_id, payment.part.value): (payment.status.value, payment.amount_cents)
            for payment in db.session.scalars(select(SellerPayment))
        }
        assert paid == {
            (s.id, part): (state, s.accepted(part))
            for s in self.picture.sales
            for part, state in s.payments.items()
        }
        stock = db.session.scalar(
            select(func.count(Item.id)).where(Item.status == ItemState.in_stock)
        )
        assert (
            stock,
            db.session.scalar(select(func.count(Item.id)).where(Item.status == ItemState.sold)),
        ) == (self.picture.stock, self.picture.sold)
        for seller in {s.seller for s in self.picture.sales}:
            owed = sum(
                s.accepted(part)
                for s in self.picture.sales
                for part, state in s.payments.items()
                if s.seller == seller and state in ("held", "awaiting_iban", "to_pay")
            )
            assert ledger.owed(1, seller) == owed
            assert store_credit.balance(1, seller) == self.picture.credit.get(seller, 0)
        if steps % size(10, 1) == 0:
            assert books.check() == []
        db.session.rollback()


FRESH = None


def test_sales_lived_in_any_order_agree_with_their_picture(fresh_database, figure):
    global FRESH, steps
    FRESH, steps = fresh_database, 0
    seed = os.environ.get("COMPTOIR_SEED")
    examples = settings(
        max_examples=size(6, 260),
        stateful_step_count=size(25, 50),
        deadline=None,
        derandomize=not seed,
        database=None,
        suppress_health_check=list(HealthCheck),
        print_blob=LONG,
    )
    run_state_machine_as_test(Shop, settings=examples)
    figure("transitions", steps, at_least=10_000)
