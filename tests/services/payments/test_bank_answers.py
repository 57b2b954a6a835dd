"""The bank's answer to a transfer file, in all its shapes: each transfer is settled once."""

from pathlib import Path

import pytest
from sqlalchemy import select

from models import (
    AccountKind,
    BankAnswer,
    BankDetails,
    BatchState,
    Message,
    OfferState,
    SellerPayment,
    TransferState,
)
from services import workflow
from services.finance import books
from services.payments import bank_answers, ledger, seller_payments, transfers
from services.unit import db, unit_of_work
from services.workflow import Refused
from tests import factories
from tests.factories import IBANS, LEA
from tests.gateways.test_sepa import reply
from tests.services.payments.test_transfers import P, T, fresh, read, said


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


def test_a_reason_we_have_no_sentence_for_is_told_in_french_with_the_bank_s_own_words(app):
    batch = factories.a_batch(1)
    answer = said(batch, CDE000000001="RJCT:NARR").replace(
        b"</StsRsnInf>", b"<AddtlInf>No account /</AddtlInf><AddtlInf>Unable</AddtlInf></StsRsnInf>"
    )
    assert b"AddtlInf" in answer
    read(answer)
    (line,) = fresh(batch).lines
    assert line.reason == "la banque donne le motif NARR – No account / Unable"


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
    with pytest.raises(Refused, match="ni la réponse d’une banque"):
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


# ── banks as they are (tests/files/field) ──

FIELD = Path(__file__).parents[2] / "files" / "field"


def field(name: str, batch, *changes: tuple[bytes, bytes]) -> bytes:
    """An answer made after a real one, about this file."""
    data = (FIELD / name).read_bytes().replace(b"@BATCH@", batch.number.encode())
    for old, new in changes:
        assert old in data
        data = data.replace(old, new)
    return data


def statuses(batch) -> list[TransferState]:
    return [line.status for line in fresh(batch).lines]


def test_a_rejected_group_whose_counts_say_that_one_was_rejected_moves_only_that_one(app):
    batch = factories.a_batch(3)
    answer = field(
        "nordic_part_one_rejected_narr.xml",
        batch,
        (b"<GrpSts>PART</GrpSts>", b"<GrpSts>RJCT</GrpSts>"),
        (b"<PmtInfSts>PART</PmtInfSts>", b"<PmtInfSts>RJCT</PmtInfSts>"),
    )
    assert read(answer) == (0, 1)
    assert statuses(batch) == [T.sent_back, T.sent, T.sent]
    assert "2" in bank_answers.doubt(fresh(batch))
    assert books.check() == []


@pytest.mark.parametrize(
    "count",
    [b"<OrgnlNbOfTxs>7</OrgnlNbOfTxs>", b"<OrgnlCtrlSum>1.00</OrgnlCtrlSum>"],
    ids=["another number of transfers", "another total"],
)
def test_a_whole_file_is_not_believed_when_it_is_not_the_one_we_sent(app, count):
    batch = factories.a_batch(3)
    answer = said(batch).replace(b"<GrpSts>", count + b"<GrpSts>").replace(b"PART", b"RJCT")
    if b"<GrpSts>" not in answer:
        answer = answer.replace(
            b"</OrgnlGrpInfAndSts>", count + b"<GrpSts>RJCT</GrpSts></OrgnlGrpInfAndSts>"
        )
    read(answer)
    assert statuses(batch) == [T.sent] * 3
    assert bank_answers.doubt(fresh(batch))


def test_a_group_rejected_in_free_words_is_rejected_whole_with_those_words(app):
    batch = factories.a_batch(2)
    assert read(field("group_rejected_narr_structure.xml", batch)) == (0, 2)
    assert "verify structure" in fresh(batch).lines[0].reason
    assert bank_answers.doubt(fresh(batch)) == ""


def test_a_transfer_named_by_no_reference_refuses_no_answer(app):
    batch = factories.a_batch(3)
    assert read(field("nordic_accp_summary_without_e2e.xml", batch)) == (0, 0)
    assert statuses(batch) == [T.sent] * 3


def test_a_name_that_does_not_match_its_account_is_told(app):
    batch = factories.a_batch(3)
    answer = field("vop_all_match.xml", batch, (b"<TxSts>RCVC</TxSts>", b"<TxSts>RVNM</TxSts>"))
    assert read(answer) == (0, 0)
    assert "CDE000000001" in bank_answers.doubt(fresh(batch))


def test_a_file_that_was_answered_whole_is_not_answered_again_and_it_is_said_why(app):
    batch = factories.a_batch(1)
    with unit_of_work():
        bank_answers.all_went_through(fresh(batch), by=LEA)
    with pytest.raises(Refused) as refusal, unit_of_work():
        bank_answers.all_went_through(fresh(batch), by=LEA)
    assert "Répondu par la banque" in str(refusal.value)


COUNT = "<NbOfTxsPerSts><DtldNbOfTxs>{}</DtldNbOfTxs><DtldSts>{}</DtldSts></NbOfTxsPerSts>"
GROUP = b"<GrpSts>PART</GrpSts>"


def test_a_whole_file_is_believed_when_its_counts_are_those_it_names_and_the_others(app):
    batch = factories.a_batch(3)
    counted = COUNT.format(3, "RJCT") + "<GrpSts>RJCT</GrpSts>"
    answer = said(batch, CDE000000001="RJCT:AM04").replace(GROUP, counted.encode())
    assert read(answer) == (0, 3)
    assert bank_answers.doubt(fresh(batch)) == ""
    assert books.check() == []


@pytest.mark.parametrize(("nameless", "back"), [("ACSC", 0), ("RJCT", 2)])
def test_a_transfer_of_another_status_named_by_no_reference_contradicts_the_whole(
    app, nameless, back
):
    batch = factories.a_batch(2)
    line = f"<TxInfAndSts><TxSts>{nameless}</TxSts></TxInfAndSts>"
    block = f"<OrgnlPmtInfAndSts><OrgnlPmtInfId>x</OrgnlPmtInfId>{line}</OrgnlPmtInfAndSts>"
    answer = reply(block, group="RJCT").replace(b"VIR-2026-11-0001", batch.number.encode())
    assert read(answer) == (0, back)
    assert bool(bank_answers.doubt(fresh(batch))) == (back == 0)


def test_counts_that_are_wrong_raise_no_doubt_when_nothing_hangs_on_them(app):
    batch = factories.a_batch(2)
    wrong = b"<OrgnlNbOfTxs>7</OrgnlNbOfTxs>"
    partly = said(batch, CDE000000001="ACSC").replace(GROUP, wrong + GROUP)
    assert read(partly) == (1, 0)
    assert bank_answers.doubt(fresh(batch)) == ""
    named = said(batch, CDE000000001="ACSC", CDE000000002="ACSC")
    assert read(named.replace(GROUP, wrong + b"<GrpSts>ACSC</GrpSts>")) == (1, 0)
    assert bank_answers.doubt(fresh(batch)) == ""


def test_a_name_that_nearly_matches_is_told_with_the_bank_s_own_words(app):
    batch = factories.a_batch(2)
    words = b"<StsRsnInf><AddtlInf>AUBRY Camille</AddtlInf></StsRsnInf>"
    near = said(batch, CDE000000001="RVMC", CDE000000002="RVNM").replace(
        b"<TxSts>RVMC</TxSts>", b"<TxSts>RVMC</TxSts>" + words
    )
    assert read(near) == (0, 0)
    assert bank_answers.doubt(fresh(batch)) == (
        "CDE000000001 : le nom correspond presque – AUBRY Camille."
        " CDE000000002 : le nom ne correspond pas."
    )


def test_an_answer_is_kept_under_as_much_of_its_name_as_a_row_holds(app):
    batch = factories.a_batch(1)
    with unit_of_work():
        bank_answers.read(said(batch, CDE000000001="ACSC"), "n" * 300, by=LEA)
    kept = db.session.scalars(select(BankAnswer)).one()
    assert (kept.file_name, kept.executed, kept.sent_back) == ("n" * 200, 1, 0)


def test_a_reason_is_told_alone_when_the_bank_adds_no_word_and_cut_to_what_a_row_holds():
    assert bank_answers.reason_words("XX01", "") == "la banque donne le motif XX01"
    assert bank_answers.reason_words("", "") == "la banque donne le motif —"
    told = bank_answers.reason_words("XX01", "w" * 300)
    assert told == f"la banque donne le motif XX01 – {'w' * 300}"[:200]


def test_what_an_answer_moved_is_written_in_the_history_of_its_file(app):
    batch = factories.a_batch(3)
    read(said(batch, CDE000000001="ACSC", CDE000000002="RJCT:AC04"))
    read(said(batch, CDE000000003="ACSC"))
    last, before, *_rest = [
        event.facts for event in workflow.history(fresh(batch)) if event.verb == "answer"
    ]
    assert (before["executed"], before["sent_back"]) == (1, 1)
    assert (last["executed"], last["sent_back"]) == (1, 0)
