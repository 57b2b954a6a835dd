"""What a second reader found missing: money that waits, a restore that finds damage, counts that
hold, chains that begin late.
"""

import shutil
from datetime import timedelta

import pytest
from sqlalchemy import delete, select

from models import (
    AuditEntry,
    CspReport,
    Customer,
    Offer,
    PoliceRecord,
    SellerPayment,
    StaffSession,
    TransferBatch,
    User,
)
from services import audit, clock, limits, numbering, outbox, sealing, trace
from services.buyback import police_register, reception
from services.finance import books
from services.installation import backups, health, keys, restores
from services.payments import seller_payments, transfers
from services.people import links, passwords, sessions
from services.unit import db, unit_of_work
from services.workflow import CLOCK, Refused
from tests import factories
from tests.factories import LEA

PASSWORD = "trois mots très simples"
needs_pg_dump = pytest.mark.skipif(
    shutil.which("pg_dump") is None, reason="pg_dump is not installed"
)


def the_payment() -> SellerPayment:
    db.session.expire_all()
    return db.session.scalars(select(SellerPayment)).one()


# ── money that waits ──


def test_a_cancelled_file_does_not_pay_an_iban_replaced_meanwhile(app):
    batch = factories.a_batch(1)
    factories.an_iban(the_payment().customer, factories.IBANS[0])
    with unit_of_work() as session:
        row = session.get_one(TransferBatch, batch.id)
        row.status, row.error, row.sha256, row.file = "preparing", "disque plein", "", ""
    with unit_of_work() as session:
        transfers.cancel(session.get_one(TransferBatch, batch.id), by=LEA)
    assert (
        the_payment().status.value == "held"
        and the_payment().iban_wait
        and transfers.totals(1) == (0, 0)
    )
    with clock.at(clock.now() + timedelta(hours=73)):
        for id in seller_payments.iban_wait_over():
            with unit_of_work() as session:
                reception.review(session.get_one(Offer, id), by=CLOCK)
        assert the_payment().status.value == "to_pay" and transfers.totals(1)[0] == 1


def test_the_clock_never_lifts_what_a_person_held(app):
    factories.a_paying_account()
    payment = factories.a_payment()
    with unit_of_work() as session:
        seller_payments.hold(session.get_one(SellerPayment, payment.id), "Carte périmée", by=LEA)
    factories.an_iban(payment.customer, factories.IBANS[0])
    with clock.at(clock.now() + timedelta(hours=80)):
        for id in seller_payments.iban_wait_over():
            with unit_of_work() as session:
                reception.review(session.get_one(Offer, id), by=CLOCK)
        assert the_payment().status.value == "held" and "Carte périmée" in seller_payments.why_held(
            the_payment()
        )


def test_no_file_is_made_while_sendings_are_held(app):
    factories.a_paying_account()
    factories.a_payment()
    with unit_of_work():
        outbox.hold("essai", by=LEA)
    seen = transfers.totals(1)
    with pytest.raises(Refused, match="retenus"), unit_of_work():
        transfers.validate(factories.the_vendor(), transfers.WORD, seen, by=LEA)
    with unit_of_work():
        outbox.lift(by=LEA)
    with unit_of_work():
        assert transfers.validate(factories.the_vendor(), transfers.WORD, seen, by=LEA).count == 1


# ── restores ──


@needs_pg_dump
def test_a_restore_that_finds_damage_still_holds_and_leaves_a_gap(app, machine, tmp_path):
    factories.a_batch(1)
    last, file = numbering.last("CDE"), numbering.series("VIR-")[0]
    path = backups.make(machine.database_url, machine.data_dir, tmp_path).path
    manifest = backups.open_backup(path, tmp_path / "opened")
    with backups.scratch_database(machine.database_url, tmp_path) as (url, data_dir):
        backups.load(manifest, tmp_path / "opened", url, data_dir)
        for stored in (data_dir / "files").iterdir():
            stored.write_bytes(b"damaged")
        with restores.elsewhere(app, url, data_dir):
            report = restores._finish(app, manifest, url, path.name, LEA)
            assert report.troubles and outbox.held() is not None
            assert numbering.last("CDE") == last + 1_000 and numbering.last(file) == 101
            db.session.rollback()
            new = factories.an_offer().number
            assert new == f"CDE{last + 1_001:09d}"
            assert not [
                sentence for sentence in books.check() if "CDE" in sentence and "manque" in sentence
            ]
            db.session.rollback()
    assert (
        outbox.held() is None and numbering.last("CDE") == last
    )  # this installation was left as it is


@needs_pg_dump
def test_a_backup_of_a_newer_program_is_refused(app, machine, tmp_path):
    path = backups.make(machine.database_url, machine.data_dir, tmp_path).path
    manifest = backups.open_backup(path, tmp_path / "opened")
    with pytest.raises(Refused, match="plus récente"):
        restores._known({**manifest, "revision": "9999"})


def test_a_check_that_breaks_is_never_called_well(app, monkeypatch):
    import tasks

    def broken() -> list[str]:
        raise OSError("plus de disque")

    monkeypatch.setattr(books, "check", broken)
    tasks.check_everything()
    db.session.rollback()
    assert {c.name: c.state for c in health.checks()}["invariants"] != "ok"


# ── keys, sessions, places ──


def test_a_change_of_key_goes_on_to_the_last_row(app, machine, monkeypatch):
    monkeypatch.setattr(keys, "AT_ONCE", 2)
    for n in range(5):
        factories.an_iban(factories.a_customer(email=f"v{n}@exemple.fr"), factories.IBANS[n % 2])
    ring = (machine.data_dir / "sealing_key").read_text()
    try:
        sealing.plug("neuve:" + "C" * 43 + "=," + ring)
        report = keys.rotate(by=LEA)
        assert report.sealed >= 5 and keys.left() == 0 and report.unreadable == []
    finally:
        sealing.plug(ring)


def test_signing_in_by_the_link_of_a_forgotten_password_counts_as_a_visit(app, client):
    person = factories.a_customer_with_password()
    with unit_of_work() as session:
        session.get_one(Customer, person.id).seen_at = clock.now() - timedelta(days=900)
    link = links.reset(db.session.get_one(Customer, person.id))
    db.session.rollback()
    form = {"password": "un tout autre secret", "confirm": "un tout autre secret"}
    assert (
        client.post(
            link,
            data={
                f"{prefix}{name}": word for prefix in ("", "new-") for name, word in form.items()
            },
        ).status_code
        == 302
    )
    db.session.expire_all()
    assert clock.now() - db.session.get_one(Customer, person.id).seen_at < timedelta(minutes=1)


def test_one_network_of_ipv6_is_one_place(app):
    def place(address: str) -> str:
        trace.begin("", address)
        return limits._place()

    assert place("2001:db8:1:2::1") == place("2001:db8:1:2:ffff::9") != place("2001:db8:1:3::1")
    assert place("192.0.2.1") != place("192.0.2.2")


def test_a_page_that_refreshes_itself_does_not_keep_a_session_open(app, as_staff):
    boss = as_staff("Administrateur")
    now = clock.now()
    for minute in range(5, 30, 5):
        with clock.at(now + timedelta(minutes=minute)):
            assert boss.get("/gestion/sante/", headers={"X-Refresh": "1"}).status_code == 200
    with clock.at(now + timedelta(minutes=32)):
        assert boss.get("/gestion/sante/", headers={"X-Refresh": "1"}).status_code == 302


def test_the_key_of_before_is_accepted_half_a_minute_and_never_written_again(app, as_staff):
    boss = as_staff("Administrateur")
    session = db.session.scalars(select(StaffSession)).first()
    old = boss.get_cookie("comptoir").value
    with unit_of_work():
        new = sessions.renew(session.id)
    assert new
    tab = app.test_client()
    tab.set_cookie("comptoir", old, domain="localhost")
    answer = tab.get("/gestion/")
    assert answer.status_code == 200 and not any(
        c.startswith("comptoir=") and "seen" in c for c in answer.headers.getlist("Set-Cookie")
    )
    with clock.at(clock.now() + timedelta(seconds=40)):
        assert tab.get("/gestion/").status_code == 302


def test_a_page_that_only_gives_a_file_asks_for_the_password_too(app, as_staff):
    boss = as_staff("Administrateur")
    seller = factories.a_customer()
    with unit_of_work() as session:
        session.get_one(User, boss.user_id).password = passwords.hashed(PASSWORD)
    from tests.admin.test_sign_in import stale

    stale(boss)
    place = f"/gestion/donnees-vendeur/{seller.id}"
    asked = boss.get(place)
    assert asked.status_code == 401 or "Confirmez" in asked.text
    answer = boss.post(place, data={"proof_password": PASSWORD}, follow_redirects=True)
    assert answer.status_code == 200 and "Confirmez" not in answer.text


# ── chains ──


def test_a_register_emptied_by_its_ten_years_verifies_and_goes_on(app):
    from services import retention

    factories.a_register()
    long_ago = clock.now() - timedelta(days=3700)
    with clock.at(long_ago):
        factories.a_received_offer()
    with clock.at(long_ago + timedelta(days=1)):
        for day in police_register.unsealed_days(1):
            with unit_of_work():
                police_register.seal_day(factories.the_vendor(), day)
    retention.run(by=CLOCK)
    db.session.expire_all()
    assert (
        db.session.scalars(select(PoliceRecord)).all() == []
        and police_register.verify(1).broken is None
    )
    db.session.rollback()
    factories.a_received_offer()
    db.session.expire_all()
    assert police_register.verify(1).broken is None
    assert list(db.session.scalars(select(PoliceRecord.number).order_by(PoliceRecord.number))) == [
        3,
        4,
    ]


def test_the_beginning_of_the_audit_log_cannot_be_cut_off(app):
    with clock.at(
        clock.now() - timedelta(days=500)
    ):  # old enough for the database to let go of them
        for _n in range(4):
            audit.note_now("iban_read", by=LEA)
    assert audit.verify().broken is None
    db.session.rollback()
    with db.engine.begin() as connection:  # somebody at the database itself
        connection.execute(delete(AuditEntry).where(AuditEntry.number <= 2))
    assert audit.verify().broken == 1


def test_a_lone_half_of_a_sign_in_a_report_of_a_browser_is_no_error(app, client):
    body = (
        '{"csp-report": {"effective-directive": "img-src\\ud800", "blocked-uri":'
        ' "https://x.fr/\\ud800", "document-uri": "https://y.fr/"}}'
    )
    assert (
        client.post("/api/v1/csp", data=body, content_type="application/csp-report").status_code
        == 204
    )
    assert db.session.scalars(select(CspReport)).all()


# ── what the reading against ASVS found ──


def test_a_spreadsheet_that_unpacks_a_hundred_times_its_size_is_refused_at_once(app, tmp_path):
    import zipfile

    from services.imports import tables

    path = tmp_path / "liste.xlsx"
    row = b'<row r="1"><c r="A1"><v>1</v></c></row>'
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as parts:
        parts.writestr("[Content_Types].xml", "<Types/>")
        parts.writestr(
            "xl/worksheets/sheet1.xml",
            b"<worksheet><sheetData>" + row * 500_000 + b"</sheetData></worksheet>",
        )
    assert path.stat().st_size < 200_000
    with pytest.raises(Refused, match=r"volumineu|trop"):
        tables.open_table(path)


@pytest.mark.parametrize(
    "word", ["1q2w3e4r5t6y7u8i9o", "telechargement", "fallen_angel", "Telechargement"]
)
def test_passwords_of_the_lists_that_go_round_are_refused(app, word):
    with pytest.raises(passwords.Weak):
        passwords.check_strength(word)


def test_who_proves_himself_again_goes_on_alone(app, as_customer):
    person = factories.a_customer_with_password()
    client = as_customer(person)
    stolen = client.get_cookie("comptoir_client").value
    answer = client.post(
        "/compte/email",
        data={"new-email": "nouvelle@exemple.fr", "new-password": factories.PASSWORD},
    )
    assert answer.status_code == 302 and client.get("/compte").status_code == 200
    thief = app.test_client()
    thief.set_cookie("comptoir_client", stolen, domain="localhost")
    assert thief.get("/compte").status_code == 302


def test_no_link_of_ours_reaches_a_log(app):
    from services import logs

    person = factories.a_customer_with_password()
    for link in (
        links.reset(person),
        links.confirm(person, person.email),
        links.document("label", 12),
    ):
        token = link.rpartition("/")[2]
        assert token not in logs.scrub(f"broke at {link} [500]") and "[link]" in logs.scrub(link)
