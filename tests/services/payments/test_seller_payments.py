"""Payments of sellers: what waits, and for whom."""

from datetime import timedelta

from models import (
    BatchState,
    Offer,
    SellerPayment,
    TransferBatch,
)
from services import clock
from services.buyback import reception
from services.payments import seller_payments, transfers
from services.unit import unit_of_work
from services.workflow import CLOCK
from tests import factories
from tests.factories import LEA
from tests.services.payments.test_transfers import the_payment


def test_a_cancelled_file_does_not_pay_an_iban_replaced_meanwhile(app):
    batch = factories.a_batch(1)
    factories.an_iban(the_payment().customer, factories.IBANS[0])
    with unit_of_work() as session:
        row = session.get_one(TransferBatch, batch.id)
        row.status, row.error = BatchState.preparing, "disque plein"
        row.sha256 = row.file = ""
    with unit_of_work() as session:
        transfers.cancel(session.get_one(TransferBatch, batch.id), by=LEA)
    assert the_payment().status.value == "held"
    assert the_payment().iban_wait
    assert transfers.totals(1) == (0, 0)
    with clock.at(clock.now() + timedelta(hours=73)):
        for id in seller_payments.iban_wait_over():
            with unit_of_work() as session:
                reception.review(session.get_one(Offer, id), by=CLOCK)
        assert the_payment().status.value == "to_pay"
        assert transfers.totals(1)[0] == 1


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
        assert the_payment().status.value == "held"
        assert "Carte périmée" in seller_payments.why_held(the_payment())
