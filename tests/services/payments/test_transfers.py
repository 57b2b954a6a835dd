"""Transfer files: one of what is to pay, the bank's answer in all its shapes, every cent in the
ledger.
"""

import threading
from datetime import UTC, date, datetime, timedelta
from typing import cast

import pytest
from lxml import etree
from sqlalchemy import func, select, text

from models import (
    AccountKind,
    BatchState,
    Customer,
    Message,
    Offer,
    OfferState,
    Outbox,
    PayingAccount,
    PaymentState,
    SellerPayment,
    TransferBatch,
    TransferLine,
    TransferState,
)
from services import clock, files, outbox, sealing, workflow
from services.buyback import police_register
from services.finance import books
from services.payments import bank_answers, bank_details, ledger, seller_payments, transfers
from services.payments.ledger import Side
from services.unit import db, unit_of_work
from services.workflow import Refused
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


def test_one_iban_that_does_not_open_holds_its_owner_and_keeps_nobody_else_from_being_paid(
    app, as_staff
):
    factories.a_paying_account()
    paid, spoilt = factories.a_payment(), factories.a_payment()
    with unit_of_work() as session:
        session.execute(
            text("UPDATE bank_details SET iban_sealed = 'autre:AAAA' WHERE customer_id = :id"),
            {"id": spoilt.customer_id},
        )
    count, total = transfers.totals(1)
    sent = {"word": "PAIEMENT", "count": count, "total": f"{total}", "form_token": "jeton"}
    desk = as_staff("Administrateur")
    answer = desk.post("/gestion/paiements/1/valider", data=sent)
    assert answer.status_code == 422
    assert str(spoilt.customer) in answer.text
    assert (fresh(spoilt).status, fresh(paid).status) == (P.held, P.to_pay)
    assert "ne s’ouvre pas" in fresh(spoilt).iban_wait
    with unit_of_work():
        batch = transfers.validate(factories.the_vendor(), "PAIEMENT", transfers.totals(1), by=LEA)
        assert batch.count == 1
    seller = fresh(spoilt).customer
    with unit_of_work() as session:
        bank_details.give(
            session.merge(seller), IBANS[0], "Camille Le Goff", site=fresh(spoilt).offer.site
        )
    assert bank_details.opens(bank_details.of(seller.id))


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
    answer = transfers._make(cast(transfers.FileToMake, row.payload), row.key)
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


# ── the ledger ──


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


def test_a_file_whose_lines_are_not_what_was_validated_is_not_made(app):
    id = factories.a_batch_to_make(2)
    with unit_of_work() as session:
        session.get_one(TransferBatch, id).lines[0].amount_cents += 100
    outbox.work_now(f"transfer_file:{id}")
    db.session.expire_all()
    batch = db.session.get(TransferBatch, id)
    assert batch.status is BatchState.preparing
    assert batch.error


def test_the_files_of_a_vendor_are_not_another_s(app):
    factories.a_batch(1)
    other, _site, _store = factories.another_vendor()
    assert len(transfers.batches(factories.the_vendor().id)) == 1
    assert transfers.batches(other.id) == []


def test_what_the_bank_has_not_answered_for_is_awaited(app):
    batch = factories.a_batch(3)
    assert transfers.awaited(batch) == 3
    read(said(batch, CDE000000001="ACSC", CDE000000002="RJCT:AC04"))
    assert transfers.awaited(fresh(batch)) == 1


def test_a_file_names_its_own_sellers_beside_their_transfers_in_its_order(app):
    first, second = factories.a_batch(2), factories.a_batch(1)
    for batch in (fresh(first), fresh(second)):
        named = transfers.line_names(batch)
        assert [line.id for line, _customer in named] == [line.id for line in batch.lines]
        assert [customer.id for _line, customer in named] == [
            line.payment.customer_id for line in batch.lines
        ]


def test_a_file_that_is_being_made_is_waited_for_and_not_cancelled(app):
    id = factories.a_batch_to_make(1)
    with pytest.raises(Refused, match="attendez"), unit_of_work() as session:
        transfers.cancel(session.get_one(TransferBatch, id), by=LEA)
    db.session.expire_all()
    assert db.session.get(TransferBatch, id).status is BatchState.preparing
    assert {p.status for p in db.session.scalars(select(SellerPayment))} == {P.in_file}


def test_a_cancelled_file_keeps_why_it_could_not_be_made(app):
    id = factories.a_batch_to_make(1)
    with unit_of_work() as session:
        session.get_one(TransferBatch, id).error = "disque plein"
    with unit_of_work() as session:
        transfers.cancel(session.get_one(TransferBatch, id), by=LEA)
    (last,) = workflow.history(db.session.get(TransferBatch, id), limit=1)
    assert (last.verb, last.facts["why"]) == ("cancel", "disque plein")


@pytest.mark.parametrize(
    ("holder", "legal_name", "named"),
    [
        ("RétroShop SARL", "RétroShop SAS", "RétroShop SARL"),
        ("", "RétroShop SAS", "RétroShop SAS"),
        ("", "", None),
    ],
)
def test_a_file_is_paid_by_the_account_s_holder_else_by_the_vendor(app, holder, legal_name, named):
    factories.a_paying_account()
    with unit_of_work() as session:
        session.get_one(PayingAccount, 1).holder = holder
        factories.the_vendor().legal_name = legal_name
    batch = factories.a_batch(1)
    assert batch.holder == (named or factories.the_vendor().name)


def test_a_file_is_executed_on_the_day_after_it_was_asked_for_in_paris(app):
    with clock.at(datetime(2026, 11, 30, 23, 30, tzinfo=UTC)):
        id = factories.a_batch_to_make(1)
    assert db.session.get(TransferBatch, id).execution_on == date(2026, 12, 2)


def test_each_attempt_of_a_sale_has_a_reference_of_its_own(app):
    batch = factories.a_batch(1)
    for attempt in (2, 3):
        reference = batch.lines[0].end_to_end.replace("-", "_")
        assert read(said(batch, **{reference: "RJCT:AM04"})) == (0, 1)
        batch = factories.a_batch(0)
        assert [line.end_to_end for line in batch.lines] == [f"CDE000000001-{attempt}"]


def test_nothing_leaves_for_an_iban_that_waits_whatever_moved_its_payment_to_be_paid(app):
    waits, other = factories.a_payment(), factories.a_payment()
    until = clock.now() + timedelta(hours=1)
    with unit_of_work():
        bank_details.of(waits.customer_id).held_until = until
    assert (fresh(waits).status, fresh(other).status) == (P.to_pay, P.to_pay)
    assert transfers.totals(1) == (1, 2800)
    assert [one.id for _column, one in transfers._everything_due(1)] == [other.id]
    db.session.rollback()
    with clock.at(until):
        assert transfers.totals(1) == (2, 5600)
