"""What an administrator types, and what the clock does; the worker as a real process."""

import dataclasses
import os
import signal
import threading
import time
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

import tasks
from models import (
    Customer,
    ImportRun,
    Message,
    MessageState,
    Offer,
    OfferState,
    Vendor,
    VisitDay,
)
from services import clock, outbox, visits, webhooks
from services.imports import runs
from services.unit import db, unit_of_work
from services.workflow import Refused
from simulators.inbox import serve
from tests import factories, processes
from tests.gateways.test_mail_and_sms import free_port


@pytest.fixture
def ticking(app, monkeypatch):
    monkeypatch.setattr(tasks, "_app", lambda: app)


def test_the_clock_declines_second_chances_nobody_answered(ticking):
    offer = factories.a_second_chance()
    tasks.lapse.call_local()
    db.session.rollback()
    assert db.session.get(Offer, offer.id).status is OfferState.second_chance
    with clock.at(clock.now() + timedelta(days=8)):
        tasks.lapse.call_local()
    db.session.rollback()
    assert db.session.get(Offer, offer.id).status is OfferState.declined


def test_the_clock_tidies_carts_and_counts_visits(ticking):
    cart_id = factories.a_cart(factories.a_game()).id
    visits.came(factories.the_site().id, "1.1.1.1", "Mozilla/5.0 Firefox")
    tasks.count_visits.call_local()
    with clock.at(clock.now() + timedelta(days=8)):
        tasks.tidy.call_local()
    db.session.rollback()
    assert db.session.get(Offer, cart_id) is None
    assert db.session.scalar(select(VisitDay.visitors)) == 1


def test_one_bad_row_does_not_stop_the_others(app):
    people = [factories.a_customer().id for _n in range(4)]
    seen = []

    def verb(customer):
        if customer.id == people[1]:
            raise ZeroDivisionError
        if customer.id == people[2]:
            raise Refused("non")
        customer.city = "Brest"
        seen.append(customer.id)

    assert tasks.each([*people, 999_999], Customer, verb) == 3
    db.session.rollback()
    assert [db.session.get(Customer, id).city for id in people] == [
        "Brest",
        "Nantes",
        "Nantes",
        "Brest",
    ]
    assert seen == [people[0], people[3]]


def test_a_price_list_is_loaded_from_the_command_line(app, tmp_path):
    (tmp_path / "liste.csv").write_text(
        "ean;titre;plateforme;argus\n5060327534393;A.O.T. 2;Nintendo Switch;25,00\n123;Faux;PC;1\n"
    )
    said = app.test_cli_runner().invoke(
        args=[
            "argus",
            "import",
            str(tmp_path / "liste.csv"),
            "--refused",
            str(tmp_path / "refusees.csv"),
        ]
    )
    assert said.exit_code == 0
    assert "2 lignes lues, 1 créées, 0 mises à jour, 0 inchangées, 1 refusées" in said.output
    assert "Ligne 3 refusée" in said.output
    assert "123;Faux" in (tmp_path / "refusees.csv").read_text("utf-8-sig")
    (tmp_path / "faux.csv").write_text("titre;prix\nx;1\n")
    assert (
        app.test_cli_runner().invoke(args=["argus", "import", str(tmp_path / "faux.csv")]).exit_code
        != 0
    )


def test_an_administrator_is_made_from_the_command_line(app, client):
    said = app.test_cli_runner().invoke(
        args=["staff", "add", "lea@exemple.fr", "--role", "Administrateur"]
    )
    password = said.output.strip().rpartition(" ")[2]
    assert (
        client.post(
            "/gestion/login/", data={"username": "lea@exemple.fr", "password": password}
        ).status_code
        == 302
    )
    again = app.test_cli_runner().invoke(args=["staff", "add", "lea@exemple.fr"])
    assert again.exit_code == 1
    assert "déjà un accès" in again.output
    assert (
        app.test_cli_runner()
        .invoke(args=["staff", "add", "x@exemple.fr", "--role", "Roi"])
        .exit_code
        == 1
    )


def test_a_real_worker_sends_what_waits_and_survives_being_killed(app, machine):
    """huey_consumer, a real SMTP server: killed -9, started again, every letter arrives."""
    smtp = free_port()
    inbox, mail, web = serve(smtp, free_port())
    env = {
        **os.environ,
        "COMPTOIR_DATA_DIR": str(machine.data_dir),
        "COMPTOIR_DATABASE_URL": machine.database_url,
        "COMPTOIR_REDIS_URL": machine.redis_url,
        "COMPTOIR_SMTP_URL": f"smtp://127.0.0.1:{smtp}",
    }
    command = ["huey_consumer", "tasks.huey", "-w", "2", "-k", "thread", "-t", "5", "-f", "-q"]

    def start():
        return processes.start(command, env)

    def wait_for(count):
        end = (
            time.monotonic() + outbox.LEASE.total_seconds() + 60
        )  # what the killed worker had begun is taken up when its lease is over
        while time.monotonic() < end:
            db.session.rollback()
            sent = len(
                db.session.scalars(
                    select(Message.id).where(Message.state == MessageState.sent)
                ).all()
            )
            if sent >= count:
                return
            time.sleep(0.2)
        raise AssertionError(f"{sent} sent of {count}")

    worker = start()
    try:
        first = factories.an_offer()
        wait_for(1)
        worker.send_signal(signal.SIGKILL)
        worker.wait()
        with unit_of_work() as session:
            offer = session.get_one(Offer, first.id)
            from services.buyback import offers

            offers.accept(offer, by=factories.MARC)
        worker = start()
        wait_for(2)
        assert {m["subject"].split(" CDE")[0] for m in inbox.mails} == {
            "Votre proposition",
            "Votre vente",
        }
    finally:
        worker.send_signal(signal.SIGINT)
        worker.wait(20)
        mail.stop()
        web.shutdown()


def test_a_task_is_skipped_while_its_last_run_is_not_over_and_runs_again_afterwards(app):
    began: list[Any] = []
    runs: list[Any] = []

    @tasks.alone
    def slow() -> None:
        began.append(1)
        if len(began) == 1:
            slow()  # the next minute rings while the first is still at it
        runs.append(1)

    slow()
    assert (len(began), len(runs)) == (1, 1)
    slow()
    assert len(runs) == 2


def test_the_lock_of_a_killed_worker_is_freed_when_a_worker_starts(app):
    @tasks.alone
    def killed() -> int:
        return 1

    tasks.huey.put_if_empty(tasks.huey.lock_task("killed")._key, "1")
    assert killed() is None
    tasks.huey.flush_locks()
    assert killed() == 1


def test_a_worker_runs_nothing_that_we_did_not_put_in_the_queue(tmp_path, monkeypatch):
    monkeypatch.setenv("COMPTOIR_DATA_DIR", str(tmp_path))
    queue = tasks._queue()
    monkeypatch.setattr(queue, "_registry", tasks.huey._registry)
    message = queue.serialize_task(tasks.ring.s())
    queue.storage.enqueue(message.rpartition(b":")[0])
    queue.storage.enqueue(message.rpartition(b":")[0] + b":" + b"0" * 40)
    for _unsigned in range(2):
        with pytest.raises(ValueError, match=r"Separator|mismatch"):
            queue.dequeue()
    queue.storage.enqueue(message)
    assert queue.dequeue().name == "ring"


def test_a_call_that_takes_its_time_keeps_no_other_kind_waiting(ticking, monkeypatch, tmp_path):
    began, over = threading.Event(), threading.Event()

    def slow(_payload, _key):
        began.set()
        assert over.wait(20)
        return None

    monkeypatch.setitem(
        outbox.KINDS, "message", dataclasses.replace(outbox.KINDS["message"], call=slow)
    )
    factories.a_customer_with_password()  # a letter waits
    with unit_of_work():
        run_id = runs.receive(
            runs.keep(factories.a_file(tmp_path, "ean;quantite\n"), "stock.csv"),
            "stock",
            by=factories.LEA,
            store=factories.the_store(),
        ).id
    try:
        tasks.ring.call_local()
        assert began.wait(20)
        tasks._lanes["import"].end(20)
        db.session.rollback()
        assert db.session.get(ImportRun, run_id).state.value in ("complete", "failed")
    finally:
        over.set()
        tasks._lanes["message"].end(20)
    db.session.rollback()
    assert "message" not in outbox.kinds_due()


def test_a_slow_address_keeps_no_other_vendor_s_waiting(ticking, monkeypatch):
    other, _site, _store = factories.another_vendor()
    # By number: an object of this thread's session is not another thread's to read.
    other_id, own_id = other.id, factories.the_vendor().id
    told, over = threading.Event(), threading.Event()

    def call(payload, _key):
        if payload["vendor"] == other_id:
            told.set()
        else:
            assert over.wait(20)
        return "200"

    kind = dataclasses.replace(outbox.KINDS["webhook"], call=call)
    monkeypatch.setitem(outbox.KINDS, "webhook", kind)
    with unit_of_work() as session:
        for vendor_id in (own_id, other_id):
            vendor = session.get_one(Vendor, vendor_id)
            webhooks.open_for(vendor, "https://a.exemple.fr/x", ["buyback.paid"], by=factories.LEA)
            webhooks.tell(vendor_id, "buyback.paid", {"number": 1, "reference": "x"})
    try:
        tasks.ring.call_local()
        assert told.wait(20)
    finally:
        over.set()
        tasks._lanes["webhook"].end(20)


def test_a_worker_that_stops_begins_no_other_call(ticking, monkeypatch):
    factories.a_customer_with_password()  # a letter waits
    monkeypatch.setattr(tasks, "_stopping", threading.Event())
    tasks.end_lanes()
    tasks.work_lanes()
    tasks._lanes["message"].end(20)
    assert "message" in outbox.kinds_due()
