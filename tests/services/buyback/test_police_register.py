"""The « livre de police »: numbered without a hole, frozen, chained, sealed, never rewritten; each
look is written down.
"""

import threading
from datetime import timedelta

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from models import (
    Consultation,
    Item,
    Message,
    Offer,
    OfferLine,
    PaymentMeans,
    PoliceRecord,
    RecordKind,
)
from services import clock, retention
from services.buyback import offers, police_register, reception
from services.people import customers
from services.unit import db, is_sqlite, unit_of_work
from services.workflow import CLOCK, Refused
from tests import factories
from tests.factories import LEA, MARC


@pytest.fixture
def register(app):
    factories.a_register()
    return factories.the_vendor().id


def entries() -> list[PoliceRecord]:
    db.session.rollback()
    return list(db.session.scalars(select(PoliceRecord).order_by(PoliceRecord.number)))


def tamper(*statements: str) -> None:
    """What a thief with the database would do: the triggers set aside."""
    db.session.rollback()
    with db.engine.connect() as connection:
        if is_sqlite():
            connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
            for name in ("update", "delete"):
                connection.exec_driver_sql(f"DROP TRIGGER police_record_no_{name}")
        else:
            connection.exec_driver_sql("SET session_replication_role = replica")
        for statement in statements:
            connection.exec_driver_sql(statement)
        connection.commit()
        if not is_sqlite():
            connection.exec_driver_sql("SET session_replication_role = DEFAULT")
            connection.commit()
    db.session.expire_all()


def test_each_article_bought_is_an_entry_with_all_the_law_asks(register):
    offer = factories.an_open_parcel()
    with unit_of_work() as session:
        reception.record_identity(session.get_one(Offer, offer.id), factories.DOCUMENT, by=MARC)
    for line in offers.active_lines(offer):
        factories.sent(line)
    first, second = entries()
    said = police_register.opened(first)
    assert (first.number, second.number) == (1, 2)
    assert db.session.get(Item, first.item_id).register_number == 1
    assert said["seller"] == {
        "name": "Aubry",
        "first_names": "Camille Jeanne",
        "profession": "Libraire",
        "address": "12 rue des Tanneurs, 44000 Nantes",
        "birth_date": "1990-02-03",
        "consent_by": "",
    }
    assert said["document"] == {
        "kind": "Passeport",
        "number": "12AB34567",
        "issued_on": "01/01/2020",
        "issued_by": "Préfecture 44",
    }
    assert said["price_cents"] == offer.lines[0].price_cents
    assert said["means"] == "Virement"
    assert "très bon" in said["description"]
    assert "12AB34567" not in first.sealed
    assert police_register.verify(register).broken is None


def test_a_seller_corrected_later_leaves_what_was_written_as_it_was(register):
    offer = factories.a_received_offer()
    with unit_of_work() as session:
        customer = session.get_one(Offer, offer.id).customer
        customers.correct(
            customer,
            **{name: getattr(customer, name) for name in customers.PERSONAL}
            | {"last_name": "Autre"},
        )
    assert police_register.opened(entries()[0])["seller"]["name"] == "Aubry"


def test_the_database_itself_refuses_to_change_or_drop_an_entry(register):
    factories.a_received_offer()
    for statement in (
        "UPDATE police_record SET price_cents = 1",
        "DELETE FROM police_record",
        "UPDATE entry SET cents = 1",
        "DELETE FROM ledger_transaction",
    ):
        with pytest.raises(DBAPIError, match="append-only"):
            db.session.execute(text(statement))
        db.session.rollback()


@pytest.mark.parametrize(
    ("statement", "broken", "says"),
    [
        ("UPDATE police_record SET price_cents = 1 WHERE number = 2", 2, "montre autre chose"),
        ("UPDATE police_record SET what = 'x' WHERE number = 2", 2, "montre autre"),
        ("UPDATE police_record SET sealed = 'trial:AAAA' WHERE number = 3", 3, "ne s’ouvre pas"),
        ("UPDATE police_record SET sealed = 'x' WHERE number = 3", 3, "ne s’ouvre pas"),
        ("UPDATE police_record SET hash = previous_hash WHERE number = 2", 2, "chaîne"),
        ("DELETE FROM police_record WHERE number = 2", 2, "manque"),
        ("DELETE FROM police_record WHERE number = 4", 4, "manque"),
        (
            (
                "UPDATE police_record SET sealed = (SELECT sealed FROM police_record WHERE number ="
                " 1) WHERE number = 2"
            ),
            2,
            "ne s’ouvre pas",
        ),
    ],
)
def test_verify_names_the_first_broken_entry(register, statement, broken, says):
    factories.a_received_offer()
    factories.a_received_offer()
    assert police_register.verify(register).count == 4
    tamper(statement)
    verdict = police_register.verify(register)
    assert verdict.broken == broken
    assert says in verdict.sentence


def test_a_chain_rewritten_whole_does_not_fit_the_seal_of_the_day(register):
    factories.a_received_offer()
    with clock.at(clock.now() + timedelta(days=1)), unit_of_work():
        seal = police_register.seal_day(factories.the_vendor(), clock.today() - timedelta(days=1))
        assert (seal.first_number, seal.last_number, seal.count) == (1, 2, 2)
    with clock.at(clock.now() + timedelta(days=1)), unit_of_work():
        assert police_register.unsealed_days(register) == []
        assert (
            police_register.seal_day(factories.the_vendor(), clock.today() - timedelta(days=1))
            is None
        )
    assert police_register.verify(register).broken is None
    item_id = entries()[1].item_id
    tamper("DELETE FROM police_record WHERE number = 2")
    with unit_of_work() as session:
        session.execute(text("UPDATE counter SET value = 1 WHERE name LIKE 'register:%'"))
        item = session.get_one(Item, item_id)
        police_register.record(item, session.get_one(Offer, 1).lines[1], by=LEA)
    assert "sceau" in police_register.verify(register).sentence


def test_the_seal_is_mailed_so_that_it_is_known_elsewhere(register):
    with unit_of_work():
        factories.the_site().contact_email = "boutique@exemple.fr"
    factories.a_received_offer()
    with clock.at(clock.now() + timedelta(days=1)):
        import tasks

        for day in police_register.unsealed_days(register):
            with unit_of_work():
                police_register.seal_day(factories.the_vendor(), day)
        assert tasks.seal_registers
    letter = db.session.scalars(select(Message).where(Message.event == "register_sealed")).one()
    assert entries()[-1].hash in letter.body


def test_a_correction_is_a_new_entry_that_names_the_one_it_corrects(register):
    factories.a_received_offer()
    with pytest.raises(Refused, match="pourquoi"), unit_of_work() as session:
        police_register.correct(session.get_one(PoliceRecord, entries()[0].id), " ", by=LEA)
    with unit_of_work() as session:
        made = police_register.correct(
            session.get_one(PoliceRecord, entries()[0].id), "Titre mal lu", by=LEA
        )
        assert (made.number, made.corrects, made.kind) == (3, 1, RecordKind.correction)
    assert "Titre mal lu" in police_register.as_row(entries()[2])[-1]
    assert police_register.verify(register).broken is None


def test_a_document_shown_later_completes_the_entries_that_lack_it_even_corrected_ones(register):
    offer = factories.an_open_parcel()
    for line in offers.active_lines(offer):
        factories.sent(line)
    with unit_of_work() as session:
        police_register.correct(
            session.get_one(PoliceRecord, entries()[0].id), "Titre mal lu", by=LEA
        )
        reception.undo(session.get_one(Offer, offer.id).lines[1], by=MARC)
    with unit_of_work() as session:
        reception.record_identity(session.get_one(Offer, offer.id), factories.DOCUMENT, by=MARC)
    completed = [
        e.corrects for e in entries() if e.corrects and police_register.opened(e).get("document")
    ]
    assert completed == [1]
    with unit_of_work() as session:
        assert (
            police_register.identity_came(
                register, session.get_one(Offer, offer.id).customer, by=MARC
            )
            == 0
        )


def test_choosing_store_credit_completes_the_means_of_payment(register):
    offer = factories.an_open_parcel()
    factories.sent(offer.lines[0])
    with unit_of_work() as session:
        offer = session.get_one(Offer, offer.id)
        reception.choose_means(offer, PaymentMeans.store_credit, by=customers.actor(offer.customer))
    assert police_register.opened(entries()[1])["means"] == "Bon d’achat"


def test_nobody_looks_without_saying_why_and_each_look_is_kept_a_year(register):
    vendor = factories.the_vendor()
    for purpose, authority in (("", ""), ("curious", ""), ("authority", " ")):
        with pytest.raises(Refused), unit_of_work():
            police_register.consult(vendor, purpose, by=LEA, what="list", authority=authority)
    with unit_of_work():
        police_register.consult(
            vendor, "authority", by=LEA, what="list", authority="Brigadier Roux, BRB, PV 12"
        )
    look = db.session.scalars(select(Consultation)).one()
    assert (look.by_name, look.authority) == ("Léa Martin", "Brigadier Roux, BRB, PV 12")
    for days, kept in ((360, 1), (370, 0)):
        with clock.at(clock.now() + timedelta(days=days)):
            retention.run(by=LEA)
        assert len(db.session.scalars(select(Consultation)).all()) == kept


def test_a_register_verified_while_it_is_written_shows_no_false_hole(register, app):
    factories.a_received_offer()
    line_ids = [
        line.id
        for line in factories.an_open_parcel(
            *(factories.a_game(f"Jeu {n}", argus_cents=3000) for n in range(12))
        ).lines
    ]
    db.session.remove()
    verdicts, over = [], threading.Event()

    def look():
        with app.app_context():
            while not over.is_set():
                verdicts.append(police_register.verify(register).broken)
                db.session.remove()

    reader = threading.Thread(target=look)
    reader.start()
    for id in line_ids:
        factories.sent(db.session.get(OfferLine, id))
    over.set()
    reader.join()
    assert verdicts
    assert set(verdicts) == {None}
    assert police_register.verify(register).count == 14


def test_a_register_written_by_many_at_once_has_no_hole(register, app):
    offer_ids = [factories.an_open_parcel().id for _n in range(6)]
    line_ids = [line.id for id in offer_ids for line in db.session.get(Offer, id).lines]
    db.session.remove()
    trouble = []

    def send(id):
        with app.app_context():
            from services.unit import retried

            def work():
                with unit_of_work() as session:
                    from models import OfferLine

                    reception.send(
                        session.get_one(OfferLine, id),
                        factories.GRADES,
                        "",
                        factories.the_store(),
                        by=MARC,
                    )

            try:
                retried(work)
            except Exception as error:
                trouble.append(error)
            finally:
                db.session.remove()

    threads = [threading.Thread(target=send, args=(id,)) for id in line_ids]
    [t.start() for t in threads], [t.join() for t in threads]
    assert trouble == []
    assert police_register.verify(register).count == len(line_ids)
    assert police_register.verify(register).broken is None


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
    assert db.session.scalars(select(PoliceRecord)).all() == []
    assert police_register.verify(1).broken is None
    db.session.rollback()
    factories.a_received_offer()
    db.session.expire_all()
    assert police_register.verify(1).broken is None
    assert list(db.session.scalars(select(PoliceRecord.number).order_by(PoliceRecord.number))) == [
        3,
        4,
    ]
