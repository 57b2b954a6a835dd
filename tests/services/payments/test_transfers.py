"""Transfer files: one of what is to pay, the bank's answer in all its shapes, every cent in the
ledger.
"""

import threading
from datetime import timedelta

import pytest
from lxml import etree
from sqlalchemy import func, select

from models import (
    AccountKind,
    BankDetails,
    BatchState,
    Customer,
    LedgerTransaction,
    Message,
    Offer,
    OfferState,
    Outbox,
    PaymentState,
    SellerPayment,
    TransferBatch,
    TransferLine,
    TransferState,
)
from services import clock, files, outbox, sealing
from services.buyback import police_register, reception
from services.finance import books
from services.payments import bank_answers, bank_details, ledger, seller_payments, transfers
from services.payments.ledger import Side
from services.unit import db, unit_of_work
from services.workflow import CLOCK, Refused
from tests import factories
from tests.factories import IBANS, LEA
from tests.gateways.test_sepa import reply

P, T = PaymentState, TransferState


def fresh(row):
    db.session.rollback()
    db.session.expire_all()
    return db.session.get(type(row), row.id)


def said(batch: TransferBatch, **statuses: str) -> bytes:
    """A pain.002 about a batch: CDE… → status, « RJCT:AC04 » with a reason."""
    lines = ""
    for reference, status in statuses.items():
        status, _colon, code = status.partition(":")
        reason = f"<StsRsnInf><Rsn><Cd>{code}</Cd></Rsn></StsRsnInf>" if code else ""
        lines += (
            f"<TxInfAndSts><OrgnlEndToEndId>{reference.replace('_', '-')}</OrgnlEndToEndId>"
            f"<TxSts>{status}</TxSts>{reason}</TxInfAndSts>"
        )
    block = (
        f"<OrgnlPmtInfAndSts><OrgnlPmtInfId>x</OrgnlPmtInfId>{lines}</OrgnlPmtInfAndSts>"
        if lines
        else ""
    )
    return reply(block).replace(b"VIR-2026-11-0001", batch.number.encode())


def read(data: bytes) -> tuple[int, int]:
    with unit_of_work():
        _batch, executed, back = bank_answers.read(data, "reponse.xml", by=LEA)
    db.session.expire_all()
    return executed, back


def test_typing_paiement_makes_one_checked_file_of_all_that_is_to_pay(app):
    batch = factories.a_batch(3)
    data = transfers.content(batch)
    root = etree.fromstring(data)
    assert batch.status is BatchState.ready
    assert (batch.count, batch.total_cents) == (3, 8400)
    assert root.findtext(".//{*}GrpHdr/{*}CtrlSum") == "84.00"
    assert root.findtext(".//{*}DbtrAcct//{*}IBAN") == IBANS[0]
    assert [e.text for e in root.iter("{*}EndToEndId")] == [
        "CDE000000001",
        "CDE000000002",
        "CDE000000003",
    ]
    assert transfers.content(fresh(batch)) == data
    assert IBANS[1].encode() not in files.read(batch.file)
    assert {p.status for p in db.session.scalars(select(SellerPayment))} == {P.in_file}
    assert books.check() == []
    assert ledger.balance(batch.vendor_id, AccountKind.transfers) == -8400


@pytest.mark.parametrize("word", ["", "paiment", "PAYER", "oui"])
def test_another_word_pays_nothing(app, word):
    factories.a_paying_account()
    factories.a_payment()
    with pytest.raises(Refused, match="PAIEMENT"), unit_of_work():
        transfers.validate(factories.the_vendor(), word, transfers.totals(1), by=LEA)
    assert not db.session.scalars(select(TransferBatch)).all()


def test_a_list_that_moved_since_it_was_shown_is_looked_at_again(app):
    factories.a_paying_account()
    factories.a_payment()
    seen = transfers.totals(1)
    factories.a_payment()
    with pytest.raises(Refused, match="a changé"), unit_of_work():
        transfers.validate(factories.the_vendor(), "PAIEMENT", seen, by=LEA)
    assert {p.status for p in db.session.scalars(select(SellerPayment))} == {P.to_pay}


def test_without_an_account_that_pays_nothing_leaves(app):
    factories.a_payment()
    with pytest.raises(Refused, match="IBAN qui paie"), unit_of_work():
        transfers.validate(factories.the_vendor(), "PAIEMENT", transfers.totals(1), by=LEA)


def test_fifty_validations_at_once_make_one_file(app, as_staff):
    factories.a_paying_account()
    for _n in range(3):
        factories.a_payment()
    count, total = transfers.totals(1)
    clients = [as_staff("Comptable", email=f"ines{n}@staff.test") for n in range(50)]
    db.session.remove()
    codes = []

    def validate(client):
        codes.append(
            client.post(
                "/gestion/paiements/1/valider",
                data={"word": "PAIEMENT", "count": count, "total": total},
            ).status_code
        )

    threads = [threading.Thread(target=validate, args=(c,)) for c in clients]
    [t.start() for t in threads], [t.join() for t in threads]
    assert set(codes) <= {302, 422, 503}, codes
    assert codes.count(302) == 1, codes
    outbox.work()
    assert len(db.session.scalars(select(TransferBatch)).all()) == 1
    assert books.check() == []
    assert db.session.scalar(select(func.count(TransferLine.id))) == 3


def test_a_seller_is_told_once_that_he_is_paid_and_reads_it_in_his_account(app, mail):
    batch = factories.a_batch(1)
    payment = db.session.scalars(select(SellerPayment)).one()
    assert seller_payments.words_for_seller(payment) == "Paiement en préparation"
    import tasks

    for _twice in range(2):
        tasks.tell_paid()
    payment = fresh(payment)
    assert (
        seller_payments.words_for_seller(payment) == "Payé, la banque peut prendre quelques jours"
    )
    letters = db.session.scalars(select(Message).where(Message.event == "payment_sent")).all()
    assert len(letters) == 1
    assert "28,00" in letters[0].subject
    assert "CDE000000001" in letters[0].body
    assert "2606" in letters[0].body
    with unit_of_work():
        bank_answers.all_went_through(fresh(batch), by=LEA)
    assert fresh(payment).status is P.paid
    assert fresh(payment).offer.status is OfferState.settled
    assert ledger.balance(1, AccountKind.bank) == -2800
    assert books.check() == []


def test_a_file_that_cannot_be_made_is_seen_and_cancelled_and_its_payments_come_back(
    app, monkeypatch
):
    from gateways import sepa

    def broken(*_args):
        raise sepa.BadFile("line 1: no")

    monkeypatch.setattr(sepa, "check", broken)
    batch = factories.a_batch(2)
    assert batch.status is BatchState.preparing
    assert "line 1" in batch.error
    with pytest.raises(Refused):
        transfers.content(batch)
    with pytest.raises(Refused), unit_of_work():
        bank_answers.all_went_through(fresh(batch), by=LEA)
    monkeypatch.undo()
    with unit_of_work():
        transfers.cancel(fresh(batch), by=LEA)
    assert {p.status for p in db.session.scalars(select(SellerPayment))} == {P.to_pay}
    assert transfers.totals(1) == (2, 5600)
    assert books.check() == []
    again = factories.a_batch(0)
    assert [line.end_to_end for line in again.lines] == [
        "CDE000000001-2",
        "CDE000000002-2",
    ]
    assert books.check() == []
    with pytest.raises(Refused), unit_of_work():
        transfers.cancel(fresh(again), by=LEA)


def test_a_file_made_again_after_a_crash_is_the_same_bytes(app):
    batch = factories.a_batch(2)
    first = transfers.content(batch)
    row = db.session.scalars(select(Outbox).where(Outbox.kind == "transfer_file")).one()
    answer = transfers._make(row.payload, row.key)
    assert answer.split()[1] == batch.sha256
    assert first == transfers.content(fresh(batch))


def test_a_kept_file_that_was_changed_is_not_given_to_the_bank(app):

    batch = factories.a_batch(1)
    files.path(batch.file).write_bytes(
        sealing.seal_bytes(b"<other/>", f"transfer_batch.file:{batch.number}")
    )
    with pytest.raises(Refused, match="pas celui"):
        transfers.content(fresh(batch))
    assert any(batch.number in sentence for sentence in books.check())


# ── the bank's answer ──


def test_a_rejection_opens_the_payment_again_tells_the_seller_and_is_paid_under_minus_two(app):
    batch = factories.a_batch(2)
    assert read(said(batch, CDE000000001="ACSC", CDE000000002="RJCT:AC04")) == (1, 1)
    one, two = db.session.scalars(select(SellerPayment).order_by(SellerPayment.id))
    assert (one.status, two.status) == (P.paid, P.awaiting_iban)
    assert "clos" in two.reject_reason
    assert seller_payments.words_for_seller(two) == "Virement rejeté, vérifiez votre IBAN"
    assert fresh(batch).status is BatchState.answered
    letter = db.session.scalars(select(Message).where(Message.event == "transfer_sent_back")).one()
    assert "28,00" in letter.body
    assert "clos" in letter.body
    assert books.check() == []
    factories.an_iban(two.customer, IBANS[0])
    assert fresh(two).status is P.to_pay
    again = factories.a_batch(0)
    assert [line.end_to_end for line in again.lines] == ["CDE000000002-2"]
    assert read(said(again, CDE000000002_2="ACSC")) == (1, 0)
    assert fresh(two).status is P.paid
    assert books.check() == []


def test_half_an_answer_moves_half_and_the_rest_waits(app):
    batch = factories.a_batch(3)
    assert read(said(batch, CDE000000001="ACSC", CDE000000002="PDNG")) == (1, 0)
    assert fresh(batch).status is BatchState.ready
    assert [line.status for line in fresh(batch).lines] == [T.executed, T.sent, T.sent]
    assert read(said(batch, CDE000000002="RJCT:AC01", CDE000000003="ACSC")) == (1, 1)
    assert fresh(batch).status is BatchState.answered


def test_the_same_answer_twice_another_files_and_a_strangers_are_refused(app):
    batch = factories.a_batch(1)
    data = said(batch, CDE000000001="ACSC")
    read(data)
    with pytest.raises(Refused, match="déjà été lue"):
        read(data)
    with pytest.raises(Refused, match="pas l’un des nôtres"):
        read(said(batch, CDE000000001="ACSC").replace(batch.number.encode(), b"VIR-1999-01-0001"))
    with pytest.raises(Refused, match="CDE999999999"):
        read(said(batch, CDE999999999="RJCT"))
    with pytest.raises(Refused, match="pas la réponse"):
        read(b"<html/>")
    assert books.check() == []


def test_a_whole_file_refused_for_our_own_fault_is_to_pay_again_and_no_seller_is_blamed(app):
    batch = factories.a_batch(2)
    data = (
        reply("", "10", "RJCT")
        .replace(b"</GrpSts>", b"</GrpSts><StsRsnInf><Rsn><Cd>AM04</Cd></Rsn></StsRsnInf>")
        .replace(b"VIR-2026-11-0001", batch.number.encode())
    )
    assert read(data) == (0, 2)
    assert {p.status for p in db.session.scalars(select(SellerPayment))} == {P.to_pay}
    assert not db.session.scalars(
        select(Message).where(Message.event == "transfer_sent_back")
    ).all()
    assert books.check() == []


def test_a_block_refused_refuses_the_lines_it_does_not_name(app):
    batch = factories.a_batch(2)
    block = (
        "<OrgnlPmtInfAndSts><OrgnlPmtInfId>x</OrgnlPmtInfId><PmtInfSts>RJCT</PmtInfSts>"
        "<StsRsnInf><Rsn><Cd>FF01</Cd></Rsn></StsRsnInf></OrgnlPmtInfAndSts>"
    )
    assert read(reply(block).replace(b"VIR-2026-11-0001", batch.number.encode())) == (0, 2)
    assert books.check() == []


def test_what_the_bank_takes_back_after_having_executed_it_is_owed_again(app):
    batch = factories.a_batch(1)
    with unit_of_work():
        bank_answers.all_went_through(fresh(batch), by=LEA)
    assert read(said(batch, CDE000000001="RJCT:AC04")) == (0, 1)
    payment = db.session.scalars(select(SellerPayment)).one()
    assert payment.status is P.awaiting_iban
    assert payment.offer.status is OfferState.received
    assert ledger.owed(1, payment.customer_id) == 2800
    assert ledger.balance(1, AccountKind.bank) == 0
    assert books.check() == []


def test_an_iban_changed_meanwhile_is_not_blamed_for_the_old_one(app):
    batch = factories.a_batch(1)
    payment = db.session.scalars(select(SellerPayment)).one()
    factories.an_iban(payment.customer, IBANS[0])
    assert read(said(batch, CDE000000001="RJCT:AC04")) == (0, 1)
    assert db.session.get(BankDetails, payment.customer_id).refused_at is None
    assert fresh(payment).status is P.held
    assert fresh(payment).iban_wait


def test_an_account_the_bank_refused_stops_the_sellers_other_payments(app):
    customer = factories.a_customer()
    factories.a_paying_account()
    factories.a_payment(customer)
    batch = factories.a_batch(0)
    other = factories.a_payment(customer)
    assert other.status is P.to_pay
    read(said(batch, CDE000000001="RJCT:AC04"))
    assert fresh(other).status is P.awaiting_iban
    assert transfers.totals(1) == (0, 0)
    first = db.session.scalars(select(SellerPayment).order_by(SellerPayment.id)).first()
    with unit_of_work():
        seller_payments.try_again(fresh(first), by=LEA)
    assert fresh(first).status is P.to_pay


# ── the ledger ──


def test_a_transaction_sums_to_zero_and_a_fact_is_written_once(app):
    with pytest.raises(ValueError), unit_of_work():
        ledger.post(1, "x", "1", "x", Side(AccountKind.bank, 5), by=LEA)
    with unit_of_work():
        ledger.post(
            1, "x", "1", "x", Side(AccountKind.bank, 5), Side(AccountKind.purchases, -5), by=LEA
        )
    from sqlalchemy.exc import IntegrityError

    with pytest.raises(IntegrityError), unit_of_work():
        ledger.post(
            1, "x", "1", "x", Side(AccountKind.bank, 5), Side(AccountKind.purchases, -5), by=LEA
        )
    assert ledger.balance(1, AccountKind.bank) == 5
    assert len(db.session.scalars(select(LedgerTransaction)).all()) == 1


def test_check_invariants_says_in_words_what_does_not_agree(app):
    factories.a_batch(1)
    runner = app.test_cli_runner()
    assert "Tout concorde" in runner.invoke(args=["check-invariants"]).output
    with unit_of_work():
        ledger.post(
            1,
            "theft",
            "1",
            "x",
            Side(AccountKind.seller, -100, 1),
            Side(AccountKind.bank, 100),
            by=LEA,
        )
        db.session.scalars(select(Offer)).first().total_cents += 1
    answer = runner.invoke(args=["check-invariants"])
    assert answer.exit_code == 1
    assert "le grand livre lui doit 1,00" in answer.output.replace("\u00a0", " ")
    assert "n’est pas la somme" in answer.output


# ── IBANs ──


@pytest.mark.parametrize(
    "iban",
    [
        "FR1420041010050500013M02606",
        "fr14 2004 1010 0505 0001 3m02 606",
        "DE89370400440532013000",
        "MC5810096180790123456789085",
        " FR76-3000-6000-0112-3456-7890-189 ",
    ],
)
def test_an_iban_of_the_sepa_zone_is_kept_sealed_and_shown_masked(app, iban):
    customer = factories.a_customer()
    factories.an_iban(customer, iban)
    kept = bank_details.of(customer.id)
    plain = "".join(c for c in iban.upper() if c.isalnum())
    assert plain not in kept.iban_sealed
    assert bank_details.opened(kept) == plain
    assert bank_details.masked(kept) == f"{plain[:2]} •••• {plain[-4:]}"


@pytest.mark.parametrize(
    ("iban", "says"),
    [
        ("FR1420041010050500013M02607", "erreur"),
        ("FR1420041010050500013M0260", "erreur"),
        ("", "Saisissez"),
        ("BR1500000000000010932840814P2", "SEPA"),
        ("x" * 500, "erreur"),
        ("FR7630006000011234567890188", "erreur"),
        ("FR76３００06000011234567890189", "erreur"),
    ],
)
def test_an_iban_wrong_by_one_digit_or_too_far_is_refused_in_a_sentence(app, iban, says):
    customer = factories.a_customer()
    with pytest.raises(Refused, match=says), unit_of_work() as session:
        bank_details.give(
            session.get_one(Customer, customer.id), iban, "Camille Aubry", site=factories.the_site()
        )
    assert bank_details.of(customer.id) is None


def test_an_iban_moved_to_another_customer_in_the_database_does_not_open(app):

    one, two = factories.a_customer(), factories.a_customer()
    factories.an_iban(one), factories.an_iban(two, IBANS[0])
    with unit_of_work():
        bank_details.of(one.id).iban_sealed = bank_details.of(two.id).iban_sealed
    with pytest.raises(sealing.CannotOpen):
        bank_details.opened(bank_details.of(one.id))


def test_a_change_of_iban_is_told_to_the_address_and_to_the_one_it_replaced(app):
    from services.people import customers

    customer = factories.a_customer(email="ancienne@exemple.fr")
    factories.an_iban(customer)
    with unit_of_work() as session:
        customers.ask_email(
            session.get_one(Customer, customer.id), "nouvelle@exemple.fr", site=factories.the_site()
        )
    with unit_of_work() as session:
        customers.confirm_email(session.get_one(Customer, customer.id), "nouvelle@exemple.fr")
    factories.an_iban(customer, IBANS[0])
    told = set(db.session.scalars(select(Message.recipient).where(Message.event == "iban_changed")))
    assert told == {"ancienne@exemple.fr", "nouvelle@exemple.fr"}


@pytest.mark.parametrize(
    ("bic", "kept"),
    [("", "AGRIFRPPXXX"), ("agrifrpp", "AGRIFRPP"), ("ABC", None), ("COBADEFFXXX", None)],
)
def test_the_bic_of_the_account_that_pays_is_one_and_of_the_same_bank(app, bic, kept):
    from models import PayingAccount

    def keep():
        with unit_of_work() as session:
            account = PayingAccount(vendor_id=1, holder="R", bic=bic)
            session.add(account)
            session.flush()
            bank_details.keep_paying_account(account, IBANS[0])

    if kept is None:
        with pytest.raises(Refused, match="BIC"):
            keep()
    else:
        keep()
        assert db.session.get(PayingAccount, 1).bic == kept


def test_erasing_an_account_forgets_iban_and_document_and_waits_for_credit(app):
    from services.people import customers

    factories.a_register()
    payment = factories.a_payment()
    customer = payment.customer
    assert "terminée" in customers.why_not_erase(customer)
    export = customers.export(customer)
    assert export["bank_details"][0]["iban_ends_in"] == "2606"
    assert export["payments"][0]["amount_cents"] == 2800
    assert len(export["register"]) == 2
    with clock.at(clock.now() + timedelta(days=1)), unit_of_work() as session:
        from services.buyback import reception

        reception.record_identity(
            session.get_one(Offer, payment.offer_id), factories.DOCUMENT, by=LEA
        )
    batch = factories.a_batch(0)
    with unit_of_work():
        bank_answers.all_went_through(fresh(batch), by=LEA)
    with unit_of_work() as session:
        customers.erase(session.get_one(Customer, customer.id))
    from models import IdentityDocument

    assert bank_details.of(customer.id) is None
    assert not db.session.scalars(select(IdentityDocument)).all()

    assert police_register.verify(1).broken is None
    assert police_register.verify(1).count >= 2


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
