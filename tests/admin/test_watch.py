"""What the administrator watches: health, tasks given up, the audit log, personal data, what
browsers refused.
"""

from datetime import timedelta

import pytest
from sqlalchemy import select

import tasks
from models import (
    AuditEntry,
    CspReport,
    Customer,
    Message,
    Outbox,
    OutboxState,
    Parcel,
    ParcelState,
)
from services import audit, clock, days, limits, outbox, retention
from services.installation import csp, health
from services.unit import db, unit_of_work
from services.workflow import CLOCK
from tests import factories
from tests.factories import LEA


@pytest.fixture
def boss(as_staff):
    return as_staff("Administrateur")


def found() -> dict[str, health.Check]:
    db.session.rollback()
    return {check.name: check for check in health.checks()}


def test_the_health_page_says_what_is_missing_and_what_to_do(app, boss):
    page = boss.get("/gestion/sante/").text
    assert "n’a jamais été vu" in page and "make worker" in page
    assert found()["worker"].state == "bad" and found()["database"].state == "ok"
    with unit_of_work():
        days.beat("worker", queue=3)
        days.beat("backup", file="x", bytes=12_000_000, files=2)
        days.beat("invariants", found=0, sentences=[])
    state = found()
    assert {state[name].state for name in ("worker", "queue", "backup", "invariants")} == {
        "ok"
    } and state["queue"].figure == 3
    with clock.at(clock.now() + timedelta(minutes=5)):
        assert found()["worker"].state == "bad"
    with clock.at(clock.now() + timedelta(hours=40)):
        assert found()["backup"].state == "warn"
    factories.an_offer()
    with clock.at(clock.now() + timedelta(minutes=30)):
        assert found()["outbox"].state == "warn"
    with clock.at(clock.now() + timedelta(hours=3)):
        assert found()["outbox"].state == "bad"


def test_health_for_a_load_balancer_is_a_word_and_no_secret(client):
    page = client.get("/api/v1/health")
    assert (page.status_code, page.json) == (
        200,
        {"status": "ok"},
    ) and "Set-Cookie" not in page.headers


def test_a_database_of_another_version_is_not_worked_on(app, client, monkeypatch):
    import app as program

    monkeypatch.setattr(program, "_right_version_until", 0.0)
    monkeypatch.setattr(health, "_program", "9999")
    page = client.get("/")
    assert (
        page.status_code == 503
        and "mise à jour" in page.text
        and page.headers["Retry-After"] == "60"
    )
    monkeypatch.setattr(tasks, "_app", tasks._app.__wrapped__)
    with pytest.raises(SystemExit):
        if not health.is_another_version():
            raise AssertionError
        raise SystemExit


def test_a_dead_letter_is_seen_and_tried_again_or_given_up_with_a_reason(app, boss, mail):
    mail.refuses()
    factories.an_offer()
    outbox.work()
    page = boss.get("/gestion/taches/list/?state=dead")
    assert (
        "En échec" in page.text
        and boss.get("/gestion/").text.count("Tâches")
        and found()["dead"].state == "warn"
    )
    db.session.rollback()
    first, *others = db.session.scalars(
        select(Outbox.id).where(Outbox.state == OutboxState.dead).order_by(Outbox.id)
    ).all()
    mail.works_again()
    boss.post(f"/gestion/taches/action/retry/{first}")
    outbox.work()
    db.session.expire_all()
    assert db.session.get(Outbox, first).state is OutboxState.done and len(mail.letters) == 1
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
    assert (
        label.state is OutboxState.dead
        and db.session.scalars(select(Parcel.status)).one() is ParcelState.label_unknown
    )
    page = boss.get(f"/gestion/taches/show/{label.id}").text
    assert "pourrait coûter deux fois" in page
    boss.post(f"/gestion/taches/action/retry/{label.id}")
    db.session.expire_all()
    assert (
        db.session.get(Outbox, label.id).state is OutboxState.dead and len(carrier.shipments) == 1
    )
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
    assert "Les envois sont retenus" in page and found()["held"].state == "bad"
    boss.post("/gestion/taches/reprendre")
    outbox.work()
    assert mail.letters and "Les envois sont retenus" not in boss.get("/gestion/").text


def test_the_audit_log_shows_who_looked_and_a_changed_entry_is_found(app, boss):
    payment = factories.a_payment()
    boss.get(f"/gestion/paiements/{payment.id}/iban")
    page = boss.get("/gestion/journal-des-acces/list/").text
    assert "IBAN lu" in page and "Connecté" in page
    assert boss.get("/gestion/journal-des-acces/export/csv").status_code == 200
    assert (
        "aucune ne manque"
        in boss.get("/gestion/journal-des-acces/verifier", follow_redirects=True).text
    )
    count = audit.verify().count
    from services.unit import is_sqlite

    with db.engine.begin() as connection:
        connection.exec_driver_sql(
            "DROP TRIGGER audit_entry_no_update"
            if is_sqlite()
            else "SET LOCAL session_replication_role = replica"
        )
        connection.exec_driver_sql(
            "UPDATE audit_entry SET actor_name = 'Personne' WHERE number = 2"
        )
    db.session.rollback()
    assert audit.verify().broken == 2 and count >= 3
    assert "Journal des accès" in " ".join(
        __import__("services.finance.books", fromlist=["check"]).check()
    )


def test_an_entry_taken_out_of_the_log_is_missed(app, boss):
    from services.unit import is_sqlite

    boss.get("/gestion/")
    for _n in range(3):
        audit.note_now("iban_read", by=LEA)
    last = audit.verify().count
    with db.engine.begin() as connection:
        connection.exec_driver_sql(
            "DROP TRIGGER audit_entry_no_delete"
            if is_sqlite()
            else "SET LOCAL session_replication_role = replica"
        )
        connection.exec_driver_sql(f"DELETE FROM audit_entry WHERE number = {last - 1}")
    db.session.rollback()
    assert audit.verify().broken == last - 1
    with db.engine.begin() as connection:
        if not is_sqlite():
            connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        connection.exec_driver_sql(f"DELETE FROM audit_entry WHERE number >= {last - 1}")
    db.session.rollback()
    assert audit.verify().broken == last - 1  # the end cut off is missed too


@pytest.mark.parametrize(
    "statement", ["UPDATE audit_entry SET what = 'x'", "DELETE FROM audit_entry"]
)
def test_the_database_itself_refuses_to_change_the_log(app, statement):
    from sqlalchemy.exc import DBAPIError

    audit.note_now("iban_read", by=LEA)
    with pytest.raises(DBAPIError), db.engine.begin() as connection:
        connection.exec_driver_sql(statement)
    assert audit.verify().broken is None


def test_signing_in_wrong_is_written_without_the_address_whole(app, client):
    client.post(
        "/gestion/login/", data={"username": "camille.secrete@exemple.fr", "password": "faux"}
    )
    entry = db.session.scalars(select(AuditEntry)).one()
    assert (entry.what, entry.actor_name) == ("sign_in_refused", "c•••@exemple.fr")


# ── what browsers refused ──


def test_what_a_browser_refuses_is_counted_without_what_is_personal(app, client, boss):
    old = {
        "csp-report": {
            "effective-directive": "script-src-elem",
            "blocked-uri": "https://evil.example/x.js?camille",
            "document-uri": "http://localhost/ventes/CDE000000012?x=1",
        }
    }
    new = [
        {
            "type": "csp-violation",
            "body": {
                "effectiveDirective": "img-src",
                "blockedURL": "inline",
                "documentURL": "http://localhost/documents/" + "a" * 60,
            },
        }
    ]
    for _n in range(2):
        assert client.post("/api/v1/csp", json=old).status_code == 204
    assert (
        client.post(
            "/api/v1/csp", data=str(new).replace("'", '"'), content_type="application/reports+json"
        ).status_code
        == 204
    )
    rows = {
        r.directive: (r.blocked, r.page, r.times) for r in db.session.scalars(select(CspReport))
    }
    assert rows["script-src-elem"] == ("https://evil.example", "/ventes/…", 2) and rows[
        "img-src"
    ] == ("inline", "/documents/…", 1)
    assert (
        "evil.example" in boss.get("/gestion/rapports-navigateurs/list/").text
        and found()["csp"].figure == 3
    )
    for body in (
        b"",
        b"[]",
        b"{}",
        b"[" * 9000,
        b"\xff",
        b'{"csp-report": 3}',
        b'{"csp-report": {"effective-directive": 3}}',
        b"x" * 200_000,
    ):
        assert (
            client.post("/api/v1/csp", data=body, content_type="application/json").status_code
            == 204
        )
    db.session.rollback()
    assert len(db.session.scalars(select(CspReport)).all()) == 2


def test_a_flood_of_reports_fills_nothing(app, client):
    for n in range(40):
        client.post(
            "/api/v1/csp",
            json={
                "csp-report": {
                    "effective-directive": "img-src",
                    "blocked-uri": f"https://h{n}.example",
                    "document-uri": "http://localhost/",
                }
            },
        )
    assert (
        len(db.session.scalars(select(CspReport)).all()) == 30
    )  # an address may report thirty a minute
    with unit_of_work():
        csp.note([("img-src", f"https://x{n}.example", "/") for n in range(csp.MOST_ROWS + 50)])
    assert len(db.session.scalars(select(CspReport)).all()) <= csp.MOST_ROWS


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
    assert done == [1] and found()["daily"].state == "warn" and "casse" in found()["daily"].found
    with clock.at(clock.now() + timedelta(days=1)):
        tasks.run_days()
    assert done == [1, 1]


def test_the_nights_check_tells_what_does_not_agree(app, monkeypatch, boss):
    monkeypatch.setattr(tasks, "_app", lambda: app)
    tasks.check_everything.call_local()
    assert found()["invariants"].state == "ok"
    offer = factories.an_offer()
    with db.engine.begin() as connection:
        connection.exec_driver_sql(
            f"UPDATE offer SET total_cents = total_cents + 1 WHERE id = {offer.id}"
        )
    tasks.check_everything.call_local()
    assert (
        found()["invariants"].state == "bad"
        and "n’est pas la somme" in boss.get("/gestion/sante/").text
    )


def test_what_is_kept_and_what_was_forgotten_can_be_read(app, boss):
    page = boss.get("/gestion/donnees-personnelles/").text
    for words in (
        "IBAN des vendeurs",
        "Inscriptions du livre de police",
        "dix ans",
        "24\u00a0mois",
        "Journal des accès",
    ):
        assert words in page or words.replace("\u00a0", " ") in page, words
    with clock.at(clock.now() + timedelta(days=10)):
        retention.run(by=CLOCK)
    assert "Rien n’était échu" in boss.get("/gestion/donnees-personnelles/").text


def test_staff_give_a_seller_his_data_or_erase_him_at_his_request(app, boss):
    customer = factories.a_customer(email="camille@exemple.fr")
    id = customer.id
    file = boss.get(f"/gestion/donnees-vendeur/{id}")
    assert (
        file.json["account"]["email"] == "camille@exemple.fr"
        and "attachment" in file.headers["Content-Disposition"]
    )
    assert boss.get("/gestion/donnees-vendeur/99").status_code == 404
    boss.post(f"/gestion/vendeurs-particuliers/action/erase/{id}")
    db.session.expire_all()
    assert db.session.get(Customer, id).erased_at is not None
    done = db.session.scalars(select(AuditEntry.what).order_by(AuditEntry.number))
    assert [w for w in done if w in ("personal_data_exported", "person_erased")] == [
        "personal_data_exported",
        "person_erased",
    ]


def test_limits_tell_when_they_cannot_be_counted(app, monkeypatch):
    import redis

    class Away:
        def count(self, key):
            raise redis.RedisError

    monkeypatch.setattr(limits, "store", Away())
    assert found()["limits"].state == "warn"
