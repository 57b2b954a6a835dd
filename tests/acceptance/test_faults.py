"""Kill -9 at every statement, many at once: the short form of the long suites. Nothing lost, nothing twice, no half."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from sqlalchemy import func, select

from models import (
    BatchState,
    Counter,
    Event,
    ImportRun,
    Item,
    LineState,
    Message,
    Offer,
    OfferLine,
    OfferState,
    Outbox,
    Parcel,
    ParcelState,
    PoliceRecord,
    Product,
    SellerPayment,
    TransferBatch,
    TransferLine,
    Variant,
)  # fmt: skip
from services import clock, outbox
from services.finance import books
from services.unit import db
from tests import factories

ROOT = Path(__file__).parent.parent.parent
LONG = bool(os.environ.get("COMPTOIR_LONG"))

# Runs in a process of its own that dies before its N-th statement or commit, as a machine does.
VICTIM = """
import os, signal, sys
from dataclasses import replace
from pathlib import Path
import config
from app import create_app
from sqlalchemy import event
machine = config.Config("trial", Path(sys.argv[1]), sys.argv[2], "", "http://127.0.0.1:8000", "x" * 48, "", "", "", 8000)
app = create_app(machine, bell=None)
left = int(sys.argv[3])
def step(*_):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
with app.app_context():
    from services.unit import db, unit_of_work
    from services.buyback import offers
    from services.people import customers
    from services.stock import argus
    from services.workflow import Actor
    from services import outbox
    from models import Offer
    from gateways import live
    from gateways.fakes import FakeCarrier, FakeMail
    from models import OfferLine, PoliceRecord, TransferBatch
    from services.buyback import reception
    from services.payments import seller_payments, transfers
    from services.people import identity
    live.mail, live.carrier = FakeMail(), FakeCarrier()
    asked = live.carrier.create_label
    def order(account, shipment):
        Path(sys.argv[1], "labels.log").open("a").write(shipment.reference + chr(10))  # the carrier's own memory
        label = replace(asked(account, shipment), number=str(90000000 + int(shipment.reference[3:12])))
        step()
        return label
    live.carrier.create_label = order
    event.listen(db.engine, "before_cursor_execute", step)
    event.listen(db.engine, "commit", step)
    what, id = sys.argv[4], int(sys.argv[5])
    marc = Actor("staff", 1, "Marc")
    if what in ("finalise", "accept", "counter"):
        with unit_of_work() as session:
            offer = session.get_one(Offer, id)
            if what == "finalise":
                offers.finalise(offer, offer.customer, by=customers.actor(offer.customer))
            elif what == "accept":
                offers.accept(offer, by=marc)
            else:
                offers.counter(offer, {line.id: line.price_cents - 10 for line in offer.lines}, "motif", by=marc)
    elif what == "import":
        argus.load(id)
    elif what == "outbox":
        outbox.work()
        outbox.work()
    elif what == "open":
        with unit_of_work() as session:
            reception.open_parcel(session.get_one(Offer, id), by=marc)
    elif what == "send":
        with unit_of_work() as session:
            line = session.get_one(OfferLine, id)
            reception.send(line, {"article": "good", "box": "good", "manual": "good"}, "", session.query(__import__("models").Store).first(), by=marc)
    elif what == "undo":
        with unit_of_work() as session:
            reception.undo(session.get_one(OfferLine, id), by=marc)
    elif what == "end":
        with unit_of_work() as session:
            offer = session.get_one(Offer, id)
            reception.end(offer, by=marc)
            reception.tell(offer, by=marc)
    elif what == "answer":
        with unit_of_work() as session:
            offer = session.get_one(Offer, id)
            reception.answer(offer, {line.id: "agree" for line in reception.pending(offer)}, by=customers.actor(offer.customer))
    elif what == "pay":
        with unit_of_work() as session:
            vendor = session.get_one(__import__("models").Vendor, 1)
            transfers.validate(vendor, "PAIEMENT", transfers.totals(1), by=marc)
        outbox.work()
        for payment_id in seller_payments.untold():
            with unit_of_work() as session:
                seller_payments.tell_paid(session.get_one(__import__("models").SellerPayment, payment_id))
    elif what == "executed":
        with unit_of_work() as session:
            transfers.all_went_through(session.get_one(TransferBatch, id), by=marc)
    db.session.remove()
print("done")
"""


def run_until_killed(machine, left: int, what: str, id: int) -> bool:
    """True when the work got to its end before the kill."""
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    victim = subprocess.run([sys.executable, "-c", VICTIM, str(machine.data_dir), machine.database_url, str(left), what, str(id)], env=env, capture_output=True, text=True)  # fmt: skip
    assert victim.returncode in (0, -signal.SIGKILL), victim.stderr[-2000:]
    return victim.returncode == 0


def invariants() -> None:
    """Counters are sums, numbers have no hole, every letter has its outbox row, every state its event."""
    db.session.rollback()
    db.session.expire_all()
    numbers = sorted(n for n in db.session.scalars(select(Offer.number)) if n)
    last = db.session.scalar(select(Counter.value).where(Counter.name == "CDE")) or 0
    assert numbers == [f"CDE{n:09d}" for n in range(1, last + 1)]
    for offer in db.session.scalars(select(Offer)):
        kept = [line for line in offer.lines if line.removed_at is None and not line.is_surplus]
        assert (offer.articles, offer.total_cents) == (len(kept), sum(line.price_cents for line in kept))
        if offer.status is not OfferState.draft:
            last_event = db.session.scalars(select(Event).where(Event.subject == "offer", Event.subject_id == offer.id, Event.to_state.is_not(None)).order_by(Event.id.desc())).first()  # fmt: skip
            assert last_event.to_state == offer.status
    assert db.session.scalar(select(func.count(Message.id))) <= db.session.scalar(select(func.count(Outbox.id)).where(Outbox.kind == "message"))
    assert db.session.scalar(select(func.count(Product.id))) == db.session.scalar(select(func.count(Variant.id)))
    assert books.check() == []


def points(every: int) -> range:
    return range(0, 400) if LONG else range(0, 400, every)


@pytest.mark.parametrize("what", ["finalise", "accept", "counter"])
def test_an_offer_killed_at_any_statement_is_all_or_nothing(machine, what):
    camille = factories.a_customer()
    if what == "finalise":
        id = factories.a_cart(factories.a_game(argus_cents=9000), customer=camille).id
        before, after = OfferState.draft, OfferState.to_check
    else:
        id = factories.an_offer(factories.a_game(argus_cents=9000), customer=camille).id
        before, after = OfferState.to_check, {"accept": OfferState.accepted, "counter": OfferState.second_chance}[what]
    db.session.remove()
    db.engine.dispose()
    killed = 0
    for left in points(7):
        done = run_until_killed(machine, left, what, id)
        invariants()
        state = db.session.get(Offer, id).status
        db.session.remove()
        if done or state is after:
            assert state is after
            break
        killed += 1
        assert state is before
    assert killed >= 2


def test_an_import_killed_at_any_statement_is_all_or_nothing_and_goes_on(machine, tmp_path):
    from services.stock import argus
    from services.unit import unit_of_work

    path = tmp_path / "liste.csv"
    path.write_text("ean;titre;plateforme;argus\n" + "".join(f"{factories.ean(900 + n)};Jeu {n};Console {n % 3};{n + 1}\n" for n in range(40)))
    with unit_of_work():
        id = argus.receive(argus.keep(path, "liste.csv"), by=factories.COMMAND).id
    db.session.remove()
    db.engine.dispose()
    for left in points(6):
        done = run_until_killed(machine, left, "import", id)
        invariants()
        count = db.session.scalar(select(func.count(Product.id)))
        db.session.remove()
        assert count in (0, 40)
        if done:
            break
    assert done
    assert (db.session.get(ImportRun, id).state, db.session.scalar(select(func.count(Product.id)))) == ("complete", 40)


def test_a_worker_killed_anywhere_loses_no_letter(machine, mail):
    from datetime import timedelta

    from services import clock

    factories.an_offer()
    waiting = outbox.waiting()
    db.session.remove()
    db.engine.dispose()
    for left in points(8) if LONG else points(8)[:4]:
        done = run_until_killed(machine, left, "outbox", 0)
        assert db.session.scalar(select(func.count(Outbox.id))) == waiting
        db.session.remove()
        if done:
            break
    with clock.at(clock.now() + timedelta(hours=2)):
        outbox.work()
    db.session.expire_all()
    assert outbox.waiting() == 0 and db.session.scalar(select(func.count(Message.id)).where(Message.state == "sent")) == waiting


def test_fifty_decisions_at_once_make_one(app, as_staff):
    """Two people, fifty clicks: one decision, one letter, no error page."""
    offer = factories.an_offer()
    clients = [as_staff("Opérateur reprise", factories.the_vendor(), email=f"marc{n}@staff.test") for n in range(10 if not LONG else 50)]
    id, version = offer.id, offer.version
    db.session.remove()
    codes = []

    def decide(number, client):
        verb = ("accept", "refuse")[number % 2]
        codes.append(client.post(f"/gestion/offres/valider/{id}/{verb}", data={"version": version}).status_code)

    threads = [threading.Thread(target=decide, args=pair) for pair in enumerate(clients)]
    [t.start() for t in threads], [t.join() for t in threads]
    assert set(codes) <= {302, 422}, codes
    verbs = [e.verb for e in db.session.scalars(select(Event).where(Event.subject == "offer", Event.subject_id == id))]
    assert sorted(verbs) in (["accept", "finalise"], ["finalise", "refuse"])
    assert db.session.scalar(select(func.count(Message.id)).where(Message.event.in_(["offer_validated", "offer_refused"]))) == 1
    invariants()


def test_many_sellers_at_once_all_get_their_number(app, as_customer):
    count = 12 if not LONG else 60
    game = factories.a_game(argus_cents=9000)
    people = [factories.a_customer() for _n in range(count)]
    for person in people:
        factories.a_cart(game, customer=person)
    clients = [as_customer(person) for person in people]
    db.session.remove()
    codes = []
    threads = [threading.Thread(target=lambda c=c: codes.append(c.post("/finaliser").status_code)) for c in clients]
    [t.start() for t in threads], [t.join() for t in threads]
    done = db.session.scalar(select(func.count(Offer.id)).where(Offer.status == OfferState.to_check))
    assert set(codes) <= {302, 503} and done == codes.count(302)
    assert done == count
    assert db.session.scalar(select(func.count(OfferLine.id))) == count
    invariants()


# ── the second half: label, reception, register, payment file ──


def prepared(what: str) -> tuple[int, object]:
    """The shop just before something happens, and how to ask how far it got."""
    if what != "executed":
        factories.a_register()
    if what == "open":
        id = factories.an_accepted_offer().id
        return id, lambda: db.session.scalars(select(Parcel.status)).one() is ParcelState.inspecting
    if what in ("send", "undo"):
        line = factories.an_open_parcel().lines[0]
        if what == "undo":
            factories.sent(line)
        line_id = line.id
        return line_id, lambda: (db.session.get(OfferLine, line_id).status is LineState.accepted) is (what == "send")
    if what in ("end", "answer"):
        offer = factories.an_open_parcel()
        factories.sent(offer.lines[0])
        factories.countered(offer.lines[1])
        second = offer.lines[1].id
        if what == "answer":
            factories.ended(offer)
            return offer.id, lambda: db.session.get(OfferLine, second).status is LineState.accepted
        id = offer.id
        return id, lambda: db.session.get(Offer, id).status is OfferState.received
    batch = factories.a_batch(2)
    batch_id = batch.id
    return batch_id, lambda: db.session.get(TransferBatch, batch_id).status is BatchState.answered


@pytest.mark.parametrize("what", ["open", "send", "undo", "end", "answer", "executed"])
def test_the_bench_and_the_bank_killed_at_any_statement_are_all_or_nothing(machine, what):
    id, happened = prepared(what)
    db.session.remove()
    db.engine.dispose()
    killed = 0
    for left in points(25):
        done = run_until_killed(machine, left, what, id)
        invariants()
        there = happened()
        db.session.remove()
        if done or there:
            assert there
            break
        killed += 1
    assert killed >= 1


def test_a_label_killed_anywhere_is_never_ordered_twice(machine, carrier):
    """A new sale for each point: the worker dies there, another one comes back once the lease has run out."""
    factories.a_contract()
    log = machine.data_dir / "labels.log"
    log.touch()
    seen = set()
    for left in points(7):
        offer = factories.an_accepted_offer()
        id, number = offer.id, offer.number
        db.session.remove()
        db.engine.dispose()
        done = run_until_killed(machine, left, "outbox", 0)
        with clock.at(clock.now() + 2 * outbox.LEASE):
            outbox.work()
            outbox.work()
        db.session.expire_all()
        ordered = log.read_text().split().count(number) + [shipment.reference for shipment in carrier.shipments.values()].count(number)
        state = db.session.scalars(select(Parcel.status).where(Parcel.offer_id == id)).one()
        # Nobody knows how far a worker that died came: a person looks, and no label is ordered by itself again.
        assert (ordered, state) in {(1, ParcelState.not_sent), (1, ParcelState.label_unknown), (0, ParcelState.label_unknown)}, left
        seen.add((ordered, state))
        invariants()
        db.session.remove()
        if done:
            break
    assert done and seen >= {(1, ParcelState.not_sent), (1, ParcelState.label_unknown)}
    log.unlink()


def test_a_payment_run_killed_anywhere_makes_one_file_and_tells_each_seller_once(machine):
    factories.a_paying_account()
    for _n in range(2):
        factories.a_payment()
    db.session.remove()
    db.engine.dispose()
    killed = 0
    for left in points(30):
        done = run_until_killed(machine, left, "pay", 0)
        invariants()
        made = db.session.scalar(select(func.count(TransferBatch.id)))
        db.session.remove()
        if done or made:
            break
        killed += 1
    assert killed >= 1
    import tasks

    with clock.at(clock.now() + 2 * outbox.LEASE):
        outbox.work()
        tasks.tell_paid()
        tasks.tell_paid()
    db.session.expire_all()
    batch = db.session.scalars(select(TransferBatch)).one()
    assert batch.status is BatchState.ready and db.session.scalar(select(func.count(TransferLine.id))) == 2
    told = db.session.scalars(select(Message.recipient).where(Message.event == "payment_sent")).all()
    assert len(told) == 2 and all(db.session.scalars(select(SellerPayment.told_at)))
    invariants()


def test_two_hands_on_every_article_of_a_parcel_make_one_of_each(app, as_staff):
    """Two people, the same seven articles, at once: one unit and one entry each, no error page."""
    factories.a_register()
    offer = factories.an_open_parcel(*(factories.a_game(f"Jeu {n}", argus_cents=3000) for n in range(7)))
    clients = [as_staff("Opérateur reprise", factories.the_vendor(), email=f"marc{n}@staff.test") for n in range(2)]
    number, ids = offer.number, [line.id for line in offer.lines]
    db.session.remove()
    codes = []

    def grade(client):
        for id in ids:
            codes.append(
                client.post(f"/gestion/reception/{number}/article/{id}/send", data=factories.GRADES, headers={"X-Fragment": "bench"}).status_code
            )

    threads = [threading.Thread(target=grade, args=(c,)) for c in clients]
    [t.start() for t in threads], [t.join() for t in threads]
    assert set(codes) <= {200, 409, 422, 503}, codes
    assert db.session.scalar(select(func.count(Item.id))) == db.session.scalar(select(func.count(PoliceRecord.id))) == 7
    invariants()
