"""« Paiement vendeurs »: one payment held, one seller reminded, what is not in the file."""

from datetime import timedelta

import pytest

from models import Offer, PaymentState, SellerPayment
from services import clock, settings
from services.buyback import reception
from services.payments import seller_payments
from services.unit import db, unit_of_work
from tests import factories


@pytest.fixture
def ines(app, as_staff):
    factories.a_paying_account()
    return as_staff("Comptable", factories.the_vendor())


def state(payment_id: int) -> PaymentState:
    db.session.rollback()
    return db.session.get_one(SellerPayment, payment_id).status


def test_one_payment_is_held_with_a_reason_the_seller_reads_and_let_go_again(ines):
    id = factories.a_payment().id
    page = ines.post(
        f"/gestion/paiements/retenir/{id}",
        data={"reason": "Facture de la console attendue.", "etat": "to_pay"},
        follow_redirects=True,
    ).text
    assert "enregistré" in page
    assert "Pas dans ce fichier" in page
    assert state(id) is PaymentState.held
    (letter,) = factories.letters("payment_held")
    assert "Facture de la console attendue." in letter.body
    held = ines.get("/gestion/paiements/?etat=held").text
    assert "Ne plus retenir" in held
    ines.post(f"/gestion/paiements/liberer/{id}", data={"etat": "held"})
    assert state(id) is PaymentState.to_pay


def test_a_payment_is_not_held_without_a_reason(ines):
    id = factories.a_payment().id
    page = ines.post(
        f"/gestion/paiements/retenir/{id}", data={"reason": " ", "etat": "to_pay"},
        follow_redirects=True,
    ).text  # fmt: skip
    assert "pourquoi" in page
    assert state(id) is PaymentState.to_pay


def test_a_seller_without_an_iban_is_reminded_by_hand_once_a_day(ines):
    payment = factories.a_received_offer().payment
    id, number = payment.id, payment.offer.number
    for _twice in range(2):
        page = ines.post(
            f"/gestion/paiements/relancer/{id}",
            data={"etat": "awaiting_iban"},
            follow_redirects=True,
        ).text
    assert "une fois par jour suffit" in page
    (letter,) = factories.letters("iban_reminder")
    assert number in letter.body
    shown = ines.get("/gestion/paiements/?etat=awaiting_iban").text
    assert "relancé 1 fois" in " ".join(shown.split())


def test_one_mail_asks_for_the_iban_of_all_that_waits_for_it(ines):
    seller = factories.a_customer()
    one, two = (factories.a_received_offer(customer=seller).payment for _n in range(2))
    for payment in (one, two):
        ines.post(f"/gestion/paiements/relancer/{payment.id}", data={"etat": "awaiting_iban"})
    (letter,) = factories.letters("iban_reminder")
    assert letter.subject.replace("\u00a0", " ").startswith("56,00 €")
    assert "2 ventes" in letter.body


def test_the_clock_reminds_after_three_ten_and_thirty_days_and_then_no_more(app):
    id = factories.a_received_offer().payment.id
    sent, start = [], clock.now()
    for day in range(1, 41):
        with clock.at(start + timedelta(days=day)):
            for due in seller_payments.to_remind():
                with unit_of_work() as session:
                    seller_payments.remind_by_clock(session.get_one(SellerPayment, due))
                sent.append(day)
    assert sent == [3, 10, 30]
    assert db.session.get_one(SellerPayment, id).iban_reminders == 3


def test_the_page_adds_up_its_tab_and_says_when_the_bank_executes(ines):
    offer = db.session.get_one(Offer, factories.a_payment().offer_id)
    page = " ".join(ines.get("/gestion/paiements/").text.split())
    assert "Exécuté par la banque le" in page
    assert "Total" in page
    assert offer.number in page


def test_recording_an_identity_lets_no_payment_go_that_a_person_holds(ines):
    id = factories.a_payment().id
    with unit_of_work() as session:
        seller_payments.hold(session.get_one(SellerPayment, id), "Litige.", by=factories.LEA)
    factories.a_register()
    with unit_of_work() as session:
        offer = session.get_one(SellerPayment, id).offer
        reception.record_identity(offer, factories.DOCUMENT, by=factories.MARC)
    assert state(id) is PaymentState.held


def test_a_shop_that_sends_no_reminders_by_itself_sends_none_about_an_iban(app):
    factories.a_received_offer()
    with clock.at(clock.now() + timedelta(days=4)):
        assert seller_payments.to_remind()
        with unit_of_work():
            settings.change("auto_reminders", "no", by=factories.LEA)
        assert seller_payments.to_remind() == []


def test_a_transfer_that_came_back_is_asked_about_three_days_later_not_the_next_morning(app):
    line = factories.a_batch(1).lines[0]
    with clock.at(clock.now() + timedelta(days=40)):
        with unit_of_work() as session:
            payment = session.get_one(SellerPayment, line.payment_id)
            seller_payments.sent_back(
                payment, payment.batch_lines[0], is_about_the_account=True, by=factories.LEA
            )
        assert seller_payments.to_remind() == []
    with clock.at(clock.now() + timedelta(days=44)):
        assert seller_payments.to_remind() == [line.payment_id]
