"""Payments of sellers: what waits, and for whom."""

import json
from datetime import timedelta

import pytest
from sqlalchemy import select

from models import (
    BatchState,
    Message,
    Offer,
    OfferLine,
    PaymentMeans,
    PaymentState,
    SellerPayment,
    TransferBatch,
    TransferLine,
    WebhookDelivery,
)
from services import clock, outbox, webhooks, workflow
from services.buyback import reception
from services.payments import (
    bank_answers,
    bank_details,
    ledger,
    seller_payments,
    store_credit,
    transfers,
)
from services.people import customers
from services.unit import db, unit_of_work
from services.workflow import CLOCK, Actor, Refused
from tests import factories
from tests.factories import LEA
from tests.services.payments.test_transfers import the_payment

P = PaymentState


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


def replaced(payment: SellerPayment) -> None:
    """The seller's IBAN is replaced: what is to pay to it waits."""
    factories.an_iban(payment.customer, factories.IBANS[0])


def again(payment: SellerPayment) -> SellerPayment:
    db.session.rollback()
    db.session.expire_all()
    return db.session.get_one(SellerPayment, payment.id)


def test_the_clock_looks_again_only_at_sales_whose_wait_for_a_replaced_iban_is_over(app):
    first, later, by_hand = (factories.a_payment() for _n in range(3))
    replaced(first)
    with clock.at(clock.now() + timedelta(hours=1)):
        replaced(later)
    with unit_of_work() as session:
        seller_payments.hold(session.get_one(SellerPayment, by_hand.id), "Litige", by=LEA)
    until = bank_details.of(first.customer_id).held_until
    assert seller_payments.iban_wait_over() == []
    with clock.at(until):
        assert seller_payments.iban_wait_over() == [first.offer_id]


def test_the_clock_looks_again_at_a_sale_held_for_an_iban_that_did_not_open(app):
    payment = factories.a_payment()
    with unit_of_work() as session:
        bank_details.of(payment.customer_id).iban_sealed = "autre:AAAA"
        seller_payments.wait_if_replaced(session.get_one(SellerPayment, payment.id), by=LEA)
    assert again(payment).status is P.held
    assert seller_payments.iban_wait_over() == [payment.offer_id]


def test_a_held_payment_keeps_who_held_it_and_why_cut_to_what_a_row_holds(app):
    payment = factories.a_payment()
    somebody = Actor("staff", 2, "L" * 200)
    with unit_of_work() as session:
        row = session.get_one(SellerPayment, payment.id)
        seller_payments.hold(row, f"  {'r' * 600} ", by=somebody)
    row = again(payment)
    assert (row.held_reason, row.held_by) == ("r" * 500, "L" * 200)
    (last,) = workflow.history(row, limit=1)
    assert (last.verb, last.facts["reason"]) == ("hold", "r" * 600)


def sent_back(payment: SellerPayment, code: str = "AC04") -> None:
    """The bank sends the last transfer of this payment back."""
    with unit_of_work() as session:
        line = session.scalars(
            select(TransferLine)
            .where(TransferLine.payment_id == payment.id)
            .order_by(TransferLine.id.desc())
        ).first()
        line.reason = "le compte est clos"
        bank_answers.apply(line.batch, [], [(line, code)], "r.xml", line.end_to_end, LEA)


def test_only_a_transfer_that_came_back_is_tried_again(app):
    never_sent = factories.a_received_offer().payment
    assert never_sent.status is P.awaiting_iban
    with pytest.raises(Refused, match="rejeté peut"), unit_of_work():
        seller_payments.try_again(again(never_sent), by=LEA)
    came_back = factories.a_batch(1).lines[0].payment
    sent_back(came_back)
    assert again(came_back).status is P.awaiting_iban
    with unit_of_work():
        seller_payments.try_again(again(came_back), by=LEA)
    assert again(came_back).status is P.to_pay
    with pytest.raises(Refused, match="rejeté peut"), unit_of_work():
        seller_payments.try_again(again(came_back), by=LEA)


def test_a_seller_is_told_once_his_file_is_made_and_not_before(app, mail):
    id = factories.a_batch_to_make(1)
    assert seller_payments.untold() == []
    outbox.work_now(f"transfer_file:{id}")
    payment = the_payment()
    assert seller_payments.untold() == [payment.id]
    for _twice in range(2):
        with unit_of_work():
            seller_payments.tell_paid(the_payment())
    assert seller_payments.untold() == []
    assert letters("payment_sent") == 1


def test_a_transfer_that_came_back_announces_no_file_that_is_still_being_made(app):
    payment = factories.a_batch(1).lines[0].payment
    sent_back(payment, "AM04")
    assert again(payment).status is P.to_pay
    factories.a_batch_to_make(0)
    assert again(payment).status is P.in_file
    assert seller_payments.untold() == []


def test_nobody_is_told_of_a_payment_that_has_not_left(app):
    payment = factories.a_payment()
    with unit_of_work() as session:
        seller_payments.tell_paid(session.get_one(SellerPayment, payment.id))
    assert again(payment).told_at is None
    assert letters("payment_sent") == 0


def letters(event: str) -> int:
    return len(db.session.scalars(select(Message).where(Message.event == event)).all())


def test_a_person_s_export_says_when_each_sale_was_paid(app):
    batch = factories.a_batch(1)
    customer = the_payment().customer
    assert customers.export(customer)["payments"][0]["paid_at"] is None
    with unit_of_work():
        bank_answers.all_went_through(db.session.get_one(TransferBatch, batch.id), by=LEA)
    paid = the_payment()
    (told,) = customers.export(paid.customer)["payments"]
    assert told["paid_at"] == paid.paid_at.isoformat()


# ── questions ──


def test_payments_are_counted_by_state_with_their_cents_of_all_vendors_or_of_some(app):
    factories.a_payment()
    factories.a_payment()
    _vendor, site, store = factories.another_vendor()
    offer = factories.an_open_parcel(site=site)
    for line in offer.lines:
        with unit_of_work() as session:
            row = session.get_one(OfferLine, line.id)
            reception.send(row, factories.GRADES, "", session.merge(store), by=LEA)
    theirs = factories.ended(offer).payment
    ours = factories.the_vendor().id
    assert seller_payments.counts([ours]) == {P.to_pay: (2, 5600)}
    assert seller_payments.counts([]) == {}
    assert seller_payments.counts() == {
        P.to_pay: (2, 5600),
        P.awaiting_iban: (1, theirs.amount_cents),
    }


def test_a_page_of_payments_is_of_one_vendor_and_state_the_oldest_reception_first(app):
    now = clock.now()
    rows = [factories.a_payment() for _n in range(3)]
    for days, row in enumerate(rows):
        with unit_of_work() as session:
            session.get_one(SellerPayment, row.id).received_at = now - timedelta(days=days)
    third, second, first = (row.id for row in rows)
    vendor, (other, *_rest) = factories.the_vendor(), factories.another_vendor()

    def page(vendor_id: int, state: PaymentState, *which: int) -> list[int]:
        return [row.id for row in seller_payments.page(vendor_id, state, *which)]

    assert page(vendor.id, P.to_pay) == [first, second, third]
    assert page(vendor.id, P.to_pay, 1, 2) == [first, second]
    assert page(vendor.id, P.to_pay, 2, 2) == [third]
    assert page(vendor.id, P.held) == []
    assert page(other.id, P.to_pay) == []


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"status": P.held, "amount_cents": 0}, "En cours"),
        ({"status": P.paid, "amount_cents": 0}, "Rien à payer"),
        ({"status": P.paid}, "Payé"),
        ({"status": P.paid, "means": PaymentMeans.store_credit}, "Payé en bon d’achat"),
        ({"status": P.held, "means": PaymentMeans.store_credit}, "En cours"),
        ({"status": P.awaiting_iban}, "Renseignez votre IBAN"),
        (
            {"status": P.awaiting_iban, "reject_reason": "compte clos"},
            "Virement rejeté, vérifiez votre IBAN",
        ),
        ({"status": P.to_pay, "reject_reason": "compte clos"}, "Paiement en préparation"),
        ({"status": P.in_file}, "Paiement en préparation"),
        (
            {"status": P.in_file, "told_at": clock.now()},
            "Payé, la banque peut prendre quelques jours",
        ),
    ],
)
def test_a_seller_reads_how_far_his_payment_is(app, columns, words):
    payment = SellerPayment(
        **{"amount_cents": 2800, "means": PaymentMeans.transfer, "reject_reason": "", **columns}
    )
    assert str(seller_payments.words_for_seller(payment)) == words


@pytest.mark.parametrize("verb", ["await", "release", "credit"])
def test_a_payment_of_nothing_goes_nowhere_but_to_its_end(app, verb):
    nothing = SellerPayment(status=P.held, amount_cents=0)
    assert "rien à payer" in seller_payments.PAYMENT.why_not(nothing, verb)
    assert seller_payments.PAYMENT.why_not(nothing, "nothing") is None


# ── where a payment belongs ──


def test_a_payment_is_as_old_as_its_reception(app):
    payment = factories.a_payment()
    assert payment.received_at == payment.offer.received_at


def test_only_a_person_lets_go_what_a_person_held(app):
    payment = factories.a_payment()
    with unit_of_work() as session:
        seller_payments.hold(session.get_one(SellerPayment, payment.id), "Carte périmée", by=LEA)
    for by in (CLOCK, LEA):  # who looks at it again, for another reason, lets nothing go
        with unit_of_work() as session:
            reception.review(session.get_one(Offer, payment.offer_id), by=by)
        assert (again(payment).status, again(payment).held_by) == (P.held, LEA.name)
    with unit_of_work() as session:
        reception.release(session.get_one(SellerPayment, payment.id), by=LEA)
    assert (again(payment).status, again(payment).held_by) == (P.to_pay, "")
    with pytest.raises(Refused, match="Personne ne retient"), unit_of_work() as session:
        reception.release(session.get_one(SellerPayment, payment.id), by=LEA)


def chosen(payment: SellerPayment, means: PaymentMeans) -> None:
    with unit_of_work() as session:
        seller_payments.choose(session.get_one(Offer, payment.offer_id), means, by=LEA)


def test_credit_waits_for_no_iban_and_is_given_at_once(app):
    payment = factories.a_payment()
    replaced(payment)
    assert again(payment).status is P.held
    chosen(payment, PaymentMeans.store_credit)
    paid = again(payment)
    assert (paid.status, paid.offer.status.value) == (P.paid, "settled")
    assert store_credit.balance(paid.vendor_id, paid.customer_id) == 2800 + 560
    assert ledger.owed(paid.vendor_id, paid.customer_id) == 0
    assert letters("credit_given") == 1


def test_the_means_of_payment_changes_until_the_money_left_and_not_after(app):
    payment = factories.a_batch(1).lines[0].payment
    with pytest.raises(Refused, match="déjà"):
        chosen(payment, PaymentMeans.store_credit)
    with unit_of_work():
        bank_answers.all_went_through(db.session.scalars(select(TransferBatch)).one(), by=LEA)
    with pytest.raises(Refused, match="terminée"):
        chosen(payment, PaymentMeans.store_credit)
    assert again(payment).means is PaymentMeans.transfer


def test_the_means_that_was_chosen_already_is_not_written_again(app):
    payment = factories.a_payment()
    chosen(payment, PaymentMeans.transfer)
    assert "choose_means" not in [event.verb for event in workflow.history(again(payment).offer)]


def test_a_sale_of_nothing_is_settled_whatever_its_iban_waits_for(app):
    payment = factories.a_payment()
    replaced(payment)
    with unit_of_work() as session:
        seller_payments.review(session.get_one(SellerPayment, payment.id), 0, [], by=CLOCK)
    assert (again(payment).status, again(payment).iban_wait) == (P.paid, "")
    assert seller_payments.counts() == {P.paid: (1, 0)}


def test_another_means_of_payment_lifts_nothing_that_keeps_a_payment_back(app):
    payment = factories.a_payment()
    with unit_of_work() as session:
        mine = session.get_one(SellerPayment, payment.id)
        seller_payments.review(mine, 2800, ["Pièce manquante."], by=CLOCK)
    chosen(payment, PaymentMeans.store_credit)
    held = again(payment)
    assert (held.status, held.means) == (P.held, PaymentMeans.store_credit)
    assert "Pièce manquante." in seller_payments.why_held(held)


# ── the account it goes to ──


def test_an_iban_tells_how_many_sales_waited_for_it(app):
    waiting = factories.a_received_offer().payment

    def given(iban: str) -> int:
        with unit_of_work() as session:
            person = session.get_one(SellerPayment, waiting.id).customer
            return bank_details.give(person, iban, "Camille Aubry", site=factories.the_site())

    assert given(factories.IBANS[0]) == 1
    assert again(waiting).status is P.to_pay
    assert given(factories.IBANS[1]) == 0


def test_nothing_new_is_paid_to_an_account_the_bank_refused(app):
    payment = factories.a_batch(1).lines[0].payment
    assert seller_payments.usable(payment.customer_id)
    sent_back(payment)
    assert not seller_payments.usable(payment.customer_id)
    customer = again(payment).customer
    assert factories.a_received_offer(customer=customer).payment.status is P.awaiting_iban


def test_a_transfer_that_came_back_for_our_fault_waits_when_its_account_was_refused_meanwhile(app):
    customer = factories.a_customer()
    first, second = factories.a_payment(customer), factories.a_payment(customer)
    factories.a_batch(0)
    sent_back(first)
    sent_back(second, "AM04")
    assert [again(row).status for row in (first, second)] == [P.awaiting_iban] * 2


# ── what a vendor's software hears ──


def test_a_vendor_s_software_hears_of_each_sale_that_is_paid_by_transfer_or_in_credit(app):
    with unit_of_work():
        url, vendor = "https://erp.exemple/ici", factories.the_vendor()
        webhooks.open_for(vendor, url, ["buyback.paid"], by=LEA)
    batch = factories.a_batch(2)
    with unit_of_work():
        bank_answers.all_went_through(db.session.get_one(TransferBatch, batch.id), by=LEA)
    in_credit = factories.a_payment()
    chosen(in_credit, PaymentMeans.store_credit)
    told = db.session.scalars(select(WebhookDelivery).order_by(WebhookDelivery.id)).all()
    assert [json.loads(one.body)["data"]["number"] for one in told] == [
        *(line.end_to_end for line in db.session.get_one(TransferBatch, batch.id).lines),
        again(in_credit).offer.number,
    ]


def test_another_means_chosen_lets_no_payment_go_that_a_person_holds(app):
    payment = factories.a_payment()
    with unit_of_work() as session:
        row = session.get_one(SellerPayment, payment.id)
        seller_payments.hold(row, "doute", by=LEA)
    with unit_of_work() as session:
        row = session.get_one(SellerPayment, payment.id)
        seller_payments.choose(row.offer, PaymentMeans.store_credit, by=LEA)
    row = again(payment)
    assert (row.status, row.held_by) == (PaymentState.held, LEA.name)
    assert row.means is PaymentMeans.store_credit
