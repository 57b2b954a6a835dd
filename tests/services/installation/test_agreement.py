"""Everything that lies in two places is compared: each thing is broken once, by hand, in the
database.
"""

import secrets
from datetime import timedelta

import pytest
from sqlalchemy import text

from models import Outbox, OutboxState, VendorOrder
from services import clock, files, outbox
from services.buyback import offers
from services.installation import agreement
from services.orders import pickup
from services.people import customers
from services.unit import db, unit_of_work
from tests import factories
from tests.factories import LEA, a_file, given


@pytest.fixture
def shop(app, tmp_path):
    """A shop with a paid sale, letters, a transfer file and a loaded file."""
    batch = factories.a_batch(1)
    given(a_file(tmp_path, "ean;quantite\n"))
    factories.a_customer("lea@exemple.fr")
    db.session.rollback()
    assert agreement.check() == []
    return batch


def broken(*statements: str) -> str:
    with unit_of_work() as session:
        for statement in statements:
            session.execute(text(statement))
    db.session.expire_all()
    return " | ".join(agreement.check()).replace("\u00a0", " ")


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("UPDATE bank_details SET iban_sealed = 'k9:AAAA'", "bank_details.iban_sealed"),
        ("UPDATE message SET state = 'waiting', sends = sends + 1, sent_at = NULL", "message"),
        ("DELETE FROM outbox WHERE kind = 'message' AND state = 'todo'", "message"),
        ("UPDATE transfer_batch SET status = 'preparing', sha256 = ''", "transfer_batch"),
        ("UPDATE import_run SET state = 'waiting'", "import_run"),
        ("UPDATE import_run SET state = 'running', confirmed = true", "import_run"),
        ("UPDATE bank_details SET iban_tail = '0000'", "n’est pas celui qui est payé"),
        ("DELETE FROM event WHERE subject = 'offer'", "offer"),
        ("DELETE FROM event WHERE subject = 'transfer_batch'", "transfer_batch"),
        ("UPDATE import_run SET sha256 = 'x'", "n’est pas celui"),
        ("UPDATE offer SET total_cents = total_cents - 1", "le journal dit"),
    ],
)
def test_what_was_changed_behind_the_program_is_told(shop, statement, says):
    assert says in broken(statement)


def test_ibans_exchanged_between_two_people_are_told(shop):
    factories.an_iban(factories.a_customer("autre@exemple.fr"))
    found = broken(
        "UPDATE bank_details SET iban_sealed = (SELECT max(iban_sealed) FROM bank_details)"
    )
    assert "bank_details.iban_sealed" in found


def test_a_payment_to_another_person_than_its_sale_s_is_told(shop):
    other = factories.a_customer("autre@exemple.fr")
    assert "une autre personne" in broken(f"UPDATE seller_payment SET customer_id = {other.id}")


def test_a_file_that_is_gone_is_told(shop):
    files.drop(shop.file)
    assert shop.file in broken("SELECT 1")


def test_a_task_nobody_does_for_hours_is_told_unless_somebody_holds_all(shop):
    with unit_of_work() as session:
        session.add(
            Outbox(
                kind="message",
                key=f"late:{secrets.token_hex(4)}",
                payload={},
                next_at=clock.now() - timedelta(days=10),
                created_at=clock.now(),
            )
        )
    assert any("en retard" in sentence for sentence in agreement._tasks())
    with unit_of_work():
        outbox.hold("une sauvegarde", by=LEA)
    assert list(agreement._tasks()) == []


def test_what_is_left_of_an_erased_person_is_told(app):
    customer = factories.a_customer("partie@exemple.fr")
    with unit_of_work() as session:
        customers.erase(session.merge(customer), by=LEA)
    assert agreement.check() == []
    assert "a été effacé" in broken(f"UPDATE customer SET city = 'Dol' WHERE id = {customer.id}")
    with unit_of_work() as session:
        session.execute(text("UPDATE customer SET city = ''"))
    factories.an_iban(customer)
    assert "bank_details" in broken("SELECT 1")


def test_a_price_changed_in_the_sale_and_its_articles_is_told_by_the_log(shop):
    found = broken(
        "UPDATE offer_line SET price_cents = price_cents + 100",
        "UPDATE offer SET total_cents = (SELECT SUM(price_cents) FROM offer_line"
        " WHERE offer_line.offer_id = offer.id AND removed_at IS NULL)",
    )
    assert "le journal dit" in found


def test_a_task_begun_by_a_worker_that_is_gone_for_hours_is_told(shop):
    hours_ago = clock.now() - timedelta(hours=7)
    with unit_of_work() as session:
        session.add(
            Outbox(
                kind="message",
                key="message:77:1",
                payload={},
                state=OutboxState.running,
                next_at=hours_ago,
                lease_until=hours_ago,
                created_at=hours_ago,
            )
        )
    assert "en retard" in broken("SELECT 1")


def test_an_acceptance_that_is_undone_leaves_nothing_that_does_not_agree(app, carrier):
    factories.a_contract()
    offer = factories.an_offer(factories.a_game(argus_cents=9000))
    with unit_of_work() as session:
        row = session.merge(offer)
        offers.accept(row, by=LEA, can_be_undone=True)
    with unit_of_work() as session:
        offers.undo(session.merge(offer), by=LEA)
    db.session.rollback()
    assert agreement.check() == []


def _sold_at_a_till() -> None:
    shoe = factories.a_shoe()
    factories.stocked(shoe, 3)
    key, _secret = factories.a_key()
    factories.told(key, 1, "sale", shoe, price_cents=8900, reference="T-17")
    db.session.rollback()


def test_a_sale_of_a_till_and_what_it_moved_go_together(app):
    _sold_at_a_till()
    assert agreement.check() == []
    assert "n’a pas bougé le stock" in broken("UPDATE till_event SET quantity = 2")


def test_a_movement_whose_till_told_nothing_is_told(app):
    _sold_at_a_till()
    assert "aucune ne l’a dite" in broken("DELETE FROM till_event")


@pytest.mark.parametrize(
    ("statements", "says"),
    [
        (("DELETE FROM label",), "son étiquette a été faite"),
        (("UPDATE label SET reference = 'CDE000000999'",), "faite pour CDE000000999"),
    ],
)
def test_a_label_that_is_gone_or_of_another_sale_is_told(app, carrier, statements, says):
    factories.a_contract()
    factories.a_parcel()
    db.session.rollback()
    assert agreement.check() == []
    assert says in broken(*statements)


@pytest.mark.parametrize(
    ("statements", "says"),
    [
        (("UPDATE vendor_order SET total_cents = total_cents - 1",), "ceux de ses lignes"),
        (("UPDATE order_line SET kept = 0",), "ceux de ses lignes"),
        (("UPDATE customer_order SET total_cents = total_cents + 1",), "celui de ses parties"),
        (("UPDATE reservation SET order_line_id = NULL",), "gardé en magasin"),
        (("UPDATE reservation SET status = 'released'",), "gardé en magasin"),
        (
            (
                "UPDATE vendor_order SET status = 'canceled', why = 'other',"
                " ended_at = '2026-11-30 09:00:00+00'",
            ),
            "gardé en magasin",
        ),
    ],
)
def test_an_order_that_does_not_agree_with_its_lines_or_its_stock_is_told(app, statements, says):
    factories.a_part()
    db.session.rollback()
    assert agreement.check() == []
    assert says in broken(*statements)


@pytest.mark.parametrize(
    "status", ["waiting_acceptance", "shipping", "to_collect", "received", "refused", "canceled"]
)
def test_an_order_agrees_in_each_of_its_states(app, status):
    factories.a_part(status)
    db.session.rollback()
    assert agreement.check() == []


def test_between_a_collection_and_its_till_and_in_a_conflict_an_order_agrees(app):
    part = factories.a_part("to_collect")
    key, _secret = factories.a_key()
    with unit_of_work() as session:
        session.merge(key).used_at = clock.now()
    digits = factories.pickup_code(part)
    with unit_of_work() as session:
        pickup.collect(session.get_one(VendorOrder, part.id), digits, by=LEA)
    db.session.rollback()
    assert agreement.check() == []
    store = factories.keeps_for_buyers()
    other = factories.a_part(
        "shipping", (factories.on_sale(factories.a_shoe("Mule"), 5900, 1), store, 1)
    )
    factories.told(key, 1, "sale", other.lines[0].variant, 1)
    db.session.rollback()
    assert agreement.check() == []
