"""What is forgotten, when, and what stays."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from models import (
    AuditEntry,
    BankDetails,
    Consultation,
    Customer,
    IdentityDocument,
    ImportRun,
    Label,
    Message,
    Offer,
    Parcel,
    Photo,
    PoliceRecord,
    RegisterSeal,
    RetentionRun,
    StaffSession,
)
from services import audit, clock, files, outbox, retention
from services.buyback import police_register, reception
from services.payments import bank_answers
from services.people import customers, identity
from services.unit import db, unit_of_work
from services.workflow import CLOCK, Refused
from tests import factories
from tests.factories import LEA, MARC


def forgotten() -> dict[str, int]:
    run = retention.run(by=CLOCK)
    return {name: count["forgotten"] for name, count in run.counts.items() if count["forgotten"]}


def later(**how):
    return clock.at(clock.now() + timedelta(**how))


# ── retention ──


def test_nothing_is_forgotten_before_its_time(app, mail):
    factories.a_batch(1)
    factories.a_register()
    factories.an_offer()
    outbox.work()
    assert mail.letters
    with later(days=300):
        assert forgotten() == {}


def test_an_unused_account_is_told_then_erased_a_month_later(app, mail):
    customer = factories.a_customer(email="camille@exemple.fr")
    id = customer.id
    with later(days=712):
        assert customers.to_tell_leaving() == [id]
        with unit_of_work() as session:
            customers.tell_leaving(session.get_one(Customer, id))
        assert customers.to_tell_leaving() == []
        outbox.work()
        assert "sera effacé" in mail.letters[-1].subject
        assert "accounts" not in forgotten()
    with later(days=745):
        assert forgotten()["accounts"] == 1
    assert db.session.get(Customer, id).erased_at is not None


def test_signing_in_keeps_an_account_that_was_told(app):
    customer = factories.a_customer()
    id = customer.id
    with later(days=715), unit_of_work() as session:
        customers.tell_leaving(session.get_one(Customer, id))
    with later(days=720), unit_of_work() as session:
        customers.came(session.get_one(Customer, id))
    with later(days=760):
        assert "accounts" not in forgotten()
    assert db.session.get(Customer, id).erased_at is None


def test_a_sale_under_way_keeps_its_seller_whatever_his_age(app):
    offer = factories.an_accepted_offer()
    id = offer.customer_id
    with later(days=900):
        assert customers.to_tell_leaving() == [id]
        with unit_of_work() as session:
            customers.tell_leaving(session.get_one(Customer, id))
            assert session.get_one(Customer, id).leaving_told_at is None
    with later(days=1000):
        assert "accounts" not in forgotten()


def test_letters_photos_labels_and_lists_go_with_their_files(app, carrier, tmp_path):
    from services.imports import runs
    from services.shipping import labels
    from tests.acceptance.hostile_files import photo

    factories.a_contract()
    offer = factories.an_open_parcel()
    kept = files.keep_picture(photo())
    with unit_of_work() as session:
        line = session.get_one(Offer, offer.id).lines[0]
        reception.photograph(line, kept, by=MARC)
        reception.refuse(line, {}, "", "Disque rayé.", by=MARC)
    factories.sent(db.session.get(Offer, offer.id).lines[1])
    factories.ended(db.session.get(Offer, offer.id))
    outbox.work()
    parcel = db.session.scalars(select(Parcel).where(Parcel.is_return.is_(False))).one()
    if parcel.label_number:
        labels.pdf(parcel.label, "A4")
    (tmp_path / "liste.csv").write_text("ean;titre;argus\n5060327534393;Jeu;25\n")
    runs.import_file(tmp_path / "liste.csv", by=LEA)
    stored = {entry.name for entry in files.store().entries()}
    assert kept in stored
    assert files.named() <= stored
    with later(days=800):
        gone = forgotten()
    assert gone["letters"] >= 1
    assert gone["imports"] == 1
    assert set(db.session.scalars(select(Message.recipient))) == {""}
    assert db.session.scalars(select(ImportRun.file_path)).one() == ""
    assert files.named() <= {
        entry.name for entry in files.store().entries()
    }  # nothing named is missing
    assert db.session.scalar(select(func.count(Photo.id))) in (0, 1)


def test_bank_details_and_documents_go_when_nobody_sells_any_more(app):
    factories.a_register()
    payment = factories.a_payment()
    customer, offer_id = payment.customer, payment.offer_id
    with unit_of_work() as session:
        identity.record(
            factories.the_vendor(),
            session.get_one(Customer, customer.id),
            factories.DOCUMENT,
            by=MARC,
        )
    with later(days=800):
        gone = forgotten()
    assert "ibans" not in gone  # money is still owed to him
    assert gone.get("identity") == 1
    assert db.session.scalar(select(func.count(IdentityDocument.id))) == 0
    assert db.session.scalar(select(func.count(BankDetails.customer_id))) == 1
    factories.a_paying_account()
    from services.payments import transfers

    with unit_of_work() as session:
        reception.review(session.get_one(Offer, offer_id), by=CLOCK)
        session.flush()
    with unit_of_work():
        totals = transfers.totals(1)
        if totals[0]:
            batch_id = transfers.validate(factories.the_vendor(), "PAIEMENT", totals, by=LEA).id
    outbox.work()
    if totals[0]:
        from models import TransferBatch

        with unit_of_work() as session:
            bank_answers.all_went_through(session.get_one(TransferBatch, batch_id), by=LEA)
        with later(days=800):
            assert forgotten().get("ibans") == 1


def test_the_register_goes_by_whole_sealed_days_after_ten_years_and_its_chain_still_holds(app):
    factories.a_register()
    long_ago = clock.now() - timedelta(days=3700)
    for shift in (0, 1, 60):
        with clock.at(long_ago + timedelta(days=shift)):
            factories.a_received_offer()
        with clock.at(long_ago + timedelta(days=shift + 1)):
            for day in police_register.unsealed_days(1):
                with unit_of_work():
                    police_register.seal_day(factories.the_vendor(), day)
    before = db.session.scalar(select(func.count(PoliceRecord.id)))
    assert before == 6
    assert police_register.verify(1).broken is None
    assert forgotten()["register"] == 2
    db.session.expire_all()
    assert db.session.scalar(select(func.count(PoliceRecord.id))) == 2
    assert db.session.scalar(select(func.count(RegisterSeal.id))) == 3
    verdict = police_register.verify(1)
    assert verdict.broken is None, verdict.sentence
    from services.finance import books

    assert books.check() == []


def test_the_database_keeps_a_young_register_even_from_us(app):
    from sqlalchemy.exc import DBAPIError

    factories.a_register()
    factories.a_received_offer()
    with pytest.raises(DBAPIError), db.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM police_record")
    assert police_register.verify(1).broken is None


def test_the_audit_log_is_kept_a_year_and_still_verifies(app):
    with clock.at(clock.now() - timedelta(days=500)):
        for _n in range(3):
            audit.note_now("iban_read", by=LEA)
    audit.note_now("iban_read", by=LEA)
    assert forgotten()["audit"] == 3
    assert audit.verify().broken is None
    assert db.session.scalar(select(func.count(AuditEntry.id))) == 1


def test_looks_and_sessions_go_and_the_report_says_how_many(app, as_staff):
    as_staff("Comptable")
    with unit_of_work():
        police_register.consult(factories.the_vendor(), "check", by=LEA, what="list")
    with later(days=370):
        gone = forgotten()
    assert gone["consultations"] == 1
    assert gone["sessions"] == 1
    assert db.session.scalar(select(func.count(Consultation.id))) == 0
    assert db.session.scalar(select(func.count(StaffSession.id))) == 0
    assert db.session.scalars(select(RetentionRun)).one().counts["consultations"]["forgotten"] == 1


def test_a_file_nothing_names_is_swept_after_a_week(app):
    import os

    lost, young = files.keep(b"perdu", ".jpg"), files.keep(b"jeune", ".jpg")
    week_old = clock.now().timestamp() - 8 * 86400
    os.utime(files.path(lost), (week_old, week_old))
    assert forgotten()["litter"] >= 1
    assert not files.path(lost).exists()
    assert files.path(young).exists()


def test_a_rule_that_breaks_stops_no_other(app, monkeypatch):
    with unit_of_work():
        police_register.consult(factories.the_vendor(), "check", by=LEA, what="list")

    def breaks(_row):
        raise ZeroDivisionError

    broken = retention.Rule(
        "cassée", "x", lambda: "x", "x", Customer, lambda _now: select(Customer.id), breaks
    )
    factories.a_customer()
    monkeypatch.setattr(retention, "RULES", [broken, *retention.RULES])
    with later(days=370):
        run = retention.run(by=CLOCK)
    assert run.counts["cassée"] == {"forgotten": 0, "kept": 1}
    assert run.counts["consultations"]["forgotten"] == 1


def test_a_label_that_is_still_followed_is_kept_whatever_its_age(app, carrier):
    factories.a_contract()
    id = factories.a_parcel().label.id
    assert db.session.get(Label, id).follow_at is not None
    with clock.at(clock.now() + timedelta(days=800)):
        retention.run(by=CLOCK)
        db.session.expire_all()
        assert db.session.get(Label, id).url
        with unit_of_work() as session:
            session.get_one(Label, id).follow_at = None
        retention.run(by=CLOCK)
    db.session.expire_all()
    assert db.session.get(Label, id).url == ""


def test_a_clock_that_leapt_forgets_nothing_before_somebody_looked_at_it(app, as_staff):
    letter = factories.a_customer_with_password()
    retention.run(by=CLOCK)
    with later(days=3 * 365):
        with pytest.raises(Refused, match="1095 jours"):
            retention.run(by=CLOCK)
        assert db.session.get(Customer, letter.id) is not None
        boss = as_staff("Administrateur")
        page = boss.get("/gestion/donnees-personnelles/").get_data(as_text=True)
        assert "La date est juste" in page
        assert boss.post("/gestion/donnees-personnelles/date").status_code == 302
        assert retention.leap() is None
        assert retention.run(by=CLOCK).counts
    with later(days=3 * 365 + 10):
        assert retention.leap() is None, "ten days later is no leap"
    with later(days=6 * 365):
        assert retention.leap() is not None, "a click is believed once"


def test_a_machine_that_was_off_for_a_fortnight_forgets_as_before(app):
    retention.run(by=CLOCK)
    with later(days=15):
        assert retention.run(by=CLOCK)


def test_a_date_believed_while_the_clock_was_ahead_is_not_believed_when_it_is_back(app):
    retention.run(by=CLOCK)
    with later(days=400), unit_of_work():
        retention.believe_the_clock(by=LEA)
    with later(days=60):
        assert retention.leap() is not None
