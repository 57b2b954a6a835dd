"""Everything that must agree: each rule is broken once by SQL, behind the back of the product, and
is told.
"""

from datetime import timedelta

import pytest

from models import (
    Entry,
    Item,
    Offer,
    OfferLine,
    Parcel,
    SellerPayment,
    StockLevel,
    TransferBatch,
    TransferLine,
)
from services import clock
from services.buyback import offers, police_register, reception
from services.finance import books
from services.unit import db, unit_of_work
from tests import factories
from tests.factories import MARC


@pytest.fixture
def shop(app):
    """A shop in the middle of its life, where everything agrees: sales at each stage, a file of
    transfers, units on sale and reserved, a register.
    """
    factories.an_offer()
    factories.an_accepted_offer()
    factories.a_batch(1)
    factories.a_payment()
    factories.a_register()
    offer = factories.an_open_parcel()
    with unit_of_work() as session:
        reception.record_identity(session.get_one(Offer, offer.id), factories.DOCUMENT, by=MARC)
    for line in offers.active_lines(offer):
        factories.sent(line)
    factories.ended(offer)
    level = factories.stocked(factories.a_shoe(), 5)
    factories.a_reservation(level)
    factories.an_item(factories.a_game())
    assert books.check() == []
    db.session.rollback()


def broken(statement) -> list[str]:
    """What is told once a statement was run past every guard of the database."""
    db.session.rollback()
    if db.engine.dialect.name == "sqlite":
        triggers = db.session.execute(
            db.text("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        ).scalars()
        for name in triggers.all():
            db.session.execute(db.text(f'DROP TRIGGER "{name}"'))
        db.session.execute(db.text("PRAGMA ignore_check_constraints = ON"))
    else:
        db.session.execute(db.text("SET LOCAL session_replication_role = replica"))
        checks = db.session.execute(
            db.text(
                "SELECT conrelid::regclass::text, conname FROM pg_constraint WHERE contype = 'c'"
                " AND connamespace = 'public'::regnamespace"
            )
        )
        for table, name in checks.all():  # they come back with the rollback
            db.session.execute(db.text(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"'))
    db.session.execute(statement)
    found = books.check()
    db.session.rollback()
    return found


def first(model, *conditions) -> int:
    return db.session.scalars(db.select(model.id).where(*conditions).order_by(model.id)).first()


def change(model, id: int, **columns):
    return db.update(model).where(model.id == id).values(**columns)


@pytest.mark.parametrize(
    ("told", "statement"),
    [
        (
            "trou",
            lambda: change(Offer, first(Offer, Offer.number.is_not(None)), number="CDE000000999"),
        ),
        ("somme", lambda: change(Offer, first(Offer), total_cents=1)),
        (
            "colis",
            lambda: change(Parcel, first(Parcel), status="abandoned"),
        ),
        (
            "personne n’est à payer|payé",
            lambda: change(Offer, first(Offer, Offer.status == "accepted"), status="received"),
        ),
        (
            "historique",
            lambda: change(Offer, first(Offer, Offer.status == "to_check"), status="refused"),
        ),
        ("mouvements", lambda: change(Item, first(Item), status="lost")),
        ("mouvements", lambda: db.update(StockLevel).values(quantity=StockLevel.quantity + 1)),
        ("a coûté", lambda: change(Item, first(Item, Item.offer_line_id > 0), cost_cents=1)),
        ("promesses", lambda: db.update(StockLevel).values(reserved=0)),
        ("réservé", lambda: change(Item, first(Item), status="reserved")),
        ("zéro", lambda: change(Entry, first(Entry), cents=Entry.cents + 1)),
        ("articles disent", lambda: change(SellerPayment, first(SellerPayment), amount_cents=1)),
        ("supportent", lambda: change(SellerPayment, first(SellerPayment), fee_cents=1)),
        ("paiement", lambda: change(SellerPayment, first(SellerPayment), status="paid")),
        ("total", lambda: change(TransferBatch, first(TransferBatch), total_cents=1)),
        ("total", lambda: change(TransferLine, first(TransferLine), amount_cents=1)),
        ("grand livre", lambda: db.update(TransferLine).values(status="executed")),
        (
            "en stock",
            lambda: change(OfferLine, first(OfferLine, OfferLine.status == "accepted"),
                           status="refused"),
        ),
    ],
)  # fmt: skip
def test_what_no_longer_agrees_is_told(shop, told, statement):
    import re

    found = broken(statement())
    assert any(re.search(told, sentence) for sentence in found), found


def test_a_transfer_file_that_was_changed_on_disk_is_told(shop, app):
    from services import files

    name = db.session.scalars(db.select(TransferBatch.file)).one()
    files.path(name).write_bytes(b"something else")
    assert any(sentence.startswith("VIR-") for sentence in books.check())


def test_a_register_with_a_changed_entry_is_told(shop):
    from models import PoliceRecord

    found = broken(db.update(PoliceRecord).values(hash="0" * 64))
    assert any("Ma boutique" in sentence for sentence in found), found


def test_the_audit_log_with_a_changed_entry_is_told(shop):
    from models import AuditEntry

    found = broken(change(AuditEntry, first(AuditEntry), subject="somebody else"))
    assert any("Journal des accès" in sentence for sentence in found), found


def test_seals_of_the_register_that_are_gone_are_told(shop):
    from models import RegisterSeal

    with clock.at(clock.now() + timedelta(days=4)):
        assert any("n’ont pas de sceau" in sentence for sentence in books.check())
    for day in (1, 2, 3):
        with clock.at(clock.now() + timedelta(days=day - 1)):
            factories.a_received_offer()
        with clock.at(clock.now() + timedelta(days=day)), unit_of_work():
            police_register.seal_day(factories.the_vendor(), clock.today() - timedelta(days=1))
    with clock.at(clock.now() + timedelta(days=4)):
        assert not any("sceau" in sentence for sentence in books.check())
        second = db.session.scalars(db.select(RegisterSeal.id).order_by(RegisterSeal.day)).all()[1]
        found = broken(db.delete(RegisterSeal).where(RegisterSeal.id == second))
        assert any("il manque un sceau" in sentence for sentence in found)
