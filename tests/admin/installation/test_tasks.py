"""Tasks given up, held sendings."""

from datetime import timedelta

import pytest
from sqlalchemy import select

import tasks
from models import (
    Customer,
    Label,
    LabelState,
    Message,
    Outbox,
    OutboxState,
)
from services import clock, days, outbox
from services.installation import health
from services.unit import db, unit_of_work
from tests import factories
from tests.factories import LEA


@pytest.fixture
def boss(as_staff):
    return as_staff("Administrateur")


def found() -> dict[str, health.Check]:
    db.session.rollback()
    return {check.name: check for check in health.checks()}


def test_a_dead_letter_is_seen_and_tried_again_or_given_up_with_a_reason(app, boss, mail):
    mail.refuses()
    factories.an_offer()
    outbox.work()
    page = boss.get("/gestion/taches/list/?state=dead")
    assert "En échec" in page.text
    assert boss.get("/gestion/").text.count("Tâches")
    assert found()["dead"].state == "warn"
    db.session.rollback()
    first, *others = db.session.scalars(
        select(Outbox.id).where(Outbox.state == OutboxState.dead).order_by(Outbox.id)
    ).all()
    mail.works_again()
    boss.post(f"/gestion/taches/action/retry/{first}")
    outbox.work()
    db.session.expire_all()
    assert db.session.get(Outbox, first).state is OutboxState.done
    assert len(mail.letters) == 1
    for id in others:
        assert (
            boss.post("/gestion/taches/abandonner", data={"rowid": id, "reason": " "}).status_code
            == 302
        )
        db.session.expire_all()
        assert db.session.get(Outbox, id).state is OutboxState.dead
        boss.post("/gestion/taches/abandonner", data={"rowid": id, "reason": "adresse morte"})
        db.session.expire_all()
        assert db.session.get(Outbox, id).state is OutboxState.abandoned
    assert "adresse morte" in boss.get(f"/gestion/taches/show/{others[0]}").text if others else True


def test_a_label_and_a_personal_link_are_never_tried_again_from_there(app, boss, mail, carrier):
    factories.a_contract()
    carrier.loses_its_answer()
    factories.an_accepted_offer()
    outbox.work()
    db.session.rollback()
    label = db.session.scalars(select(Outbox).where(Outbox.kind == "label")).one()
    assert label.state is OutboxState.dead
    assert db.session.scalars(select(Label.status)).one() is LabelState.unknown
    page = boss.get(f"/gestion/taches/show/{label.id}").text
    assert "pourrait coûter deux fois" in page
    boss.post(f"/gestion/taches/action/retry/{label.id}")
    db.session.expire_all()
    assert db.session.get(Outbox, label.id).state is OutboxState.dead
    assert len(carrier.shipments) == 1
    mail.refuses()
    with unit_of_work() as session:
        from services.people import customers

        customers.forgot_password(session.get_one(Customer, 1).email, site=factories.the_site())
    outbox.work()
    db.session.rollback()
    link = db.session.scalars(
        select(Outbox)
        .join(Message, Message.event == "new_password")
        .where(Outbox.kind == "message")
        .order_by(Outbox.id.desc())
    ).first()
    assert "lien personnel" in boss.get(f"/gestion/taches/show/{link.id}").text


def test_held_sendings_are_told_on_every_page_and_resumed_with_a_proof(app, boss, mail):
    factories.an_offer()
    with unit_of_work():
        outbox.hold("une sauvegarde a été restaurée", by=LEA)
    assert outbox.work() == 0
    page = boss.get("/gestion/offres/list/").text
    assert "Les envois sont retenus" in page
    assert found()["held"].state == "bad"
    boss.post("/gestion/taches/reprendre")
    outbox.work()
    assert mail.letters
    assert "Les envois sont retenus" not in boss.get("/gestion/").text


# ── the clock ──


def test_each_job_of_the_day_is_done_once_and_its_failure_seen(app, monkeypatch):
    monkeypatch.setattr(tasks, "_app", lambda: app)
    done = []

    def breaks() -> None:
        raise ZeroDivisionError

    from datetime import time

    monkeypatch.setattr(
        tasks,
        "JOBS",
        [
            days.Job("marche", time(0, 0), lambda: done.append(1)),
            days.Job("casse", time(0, 0), breaks),
        ],
    )
    for _minute in range(3):
        tasks.run_days()
    assert done == [1]
    assert found()["daily"].state == "warn"
    assert "casse" in found()["daily"].found
    with clock.at(clock.now() + timedelta(days=1)):
        tasks.run_days()
    assert done == [1, 1]
