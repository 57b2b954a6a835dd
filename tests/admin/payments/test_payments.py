"""« Paiement vendeurs »: one payment held, one seller reminded, what is not in the file."""

from datetime import timedelta

import pytest

from models import Offer, PaymentState, SellerPayment
from services import clock
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
