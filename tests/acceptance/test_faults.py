"""Kill -9 at every statement, many at once: the short form of the long suites. Nothing lost, nothing twice, no half."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from sqlalchemy import func, select

from models import Counter, Event, ImportRun, Message, Offer, OfferLine, OfferState, Outbox, Product, Variant
from services import outbox
from services.unit import db
from tests import factories

ROOT = Path(__file__).parent.parent.parent
LONG = bool(os.environ.get("COMPTOIR_LONG"))

# Runs in a process of its own that dies before its N-th statement or commit, as a machine does.
VICTIM = """
import os, signal, sys
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
    from gateways.fakes import FakeMail
    live.mail = FakeMail()
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
        kept = [line for line in offer.lines if line.removed_at is None]
        assert (offer.articles, offer.total_cents) == (len(kept), sum(line.price_cents for line in kept))
        if offer.status is not OfferState.draft:
            last_event = db.session.scalars(select(Event).where(Event.subject == "offer", Event.subject_id == offer.id, Event.to_state.is_not(None)).order_by(Event.id.desc())).first()  # fmt: skip
            assert last_event.to_state == offer.status
    assert db.session.scalar(select(func.count(Message.id))) <= db.session.scalar(select(func.count(Outbox.id)).where(Outbox.kind == "message"))
    assert db.session.scalar(select(func.count(Product.id))) == db.session.scalar(select(func.count(Variant.id)))


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
