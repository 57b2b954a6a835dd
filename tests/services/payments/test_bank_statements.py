"""A statement of the bank settles transfers as its answers do: once, the right ones, and what does
not fit is for a person.
"""

import pytest

from models import BankAnswer, PaymentState, TransferLine, TransferState
from services.finance import books
from services.payments import bank_answers, bank_statements
from services.unit import db, unit_of_work
from services.workflow import Refused
from tests import factories
from tests.factories import IBANS, LEA
from tests.gateways.test_camt import entry, named, statement
from tests.services.payments.test_transfers import said

T = TransferState


def read(*entries, iban=IBANS[0], kind="053"):
    with unit_of_work():
        reading = bank_statements.read_any(
            statement("".join(entries), kind, iban=iban), "releve.xml", by=LEA
        )
        found = (reading.executed, reading.sent_back, list(reading.doubts))
    db.session.expire_all()
    return found


def states():
    db.session.rollback()
    rows = db.session.scalars(db.select(TransferLine).order_by(TransferLine.id))
    return [row.status for row in rows]


@pytest.fixture
def batch(app):
    return factories.a_batch(3)


def left(line, cents=None):
    return entry(line.amount_cents, "DBIT", named(line.end_to_end, cents or line.amount_cents))


def came_back(line, code="AC04"):
    why = f"<RtrInf><Rsn><Cd>{code}</Cd></Rsn></RtrInf>"
    return entry(line.amount_cents, "CRDT", named(line.end_to_end, line.amount_cents, why))


def test_what_left_the_account_is_executed_and_what_came_back_waits_for_another_iban(batch):
    first, second, _third = batch.lines
    stranger = entry(999, "DBIT", named("LOYER-11", 999)) + entry(12, "DBIT")
    assert read(stranger, left(first), left(second), came_back(second)) == (2, 1, [])
    assert states() == [T.executed, T.sent_back, T.sent]
    assert [line.payment.status for line in db.session.get(type(batch), batch.id).lines] == [
        PaymentState.paid,
        PaymentState.awaiting_iban,
        PaymentState.in_file,
    ]
    assert books.check() == []


def test_a_statement_after_its_notification_changes_nothing_twice(batch):
    first, *_rest = batch.lines
    assert read(left(first), kind="054") == (1, 0, [])
    with pytest.raises(Refused, match="déjà connu"):
        read(left(first))
    with pytest.raises(Refused, match="aucun des virements"):
        read(entry(999, "DBIT", named("LOYER-11", 999)))
    assert read(left(first), came_back(first)) == (0, 1, [])
    assert states()[0] is T.sent_back
    assert books.check() == []


def test_a_whole_file_booked_at_once_is_executed_when_its_sums_agree(batch):
    whole = f"<Btch><MsgId>{batch.number}</MsgId><NbOfTxs>3</NbOfTxs></Btch>"
    executed, back, doubts = read(entry(batch.total_cents, "DBIT", whole))
    assert (executed, back, doubts) == (3, 0, [])
    assert states() == [T.executed] * 3
    assert books.check() == []


def test_a_whole_file_is_known_by_its_block_of_payments_too(batch):
    whole = f"<Btch><PmtInfId>{batch.number}-1</PmtInfId></Btch>"
    assert read(entry(batch.total_cents, "DBIT", whole))[0] == 3


@pytest.mark.parametrize("wrong", ["amount", "count"])
def test_a_whole_file_whose_sums_differ_moves_nothing_and_is_told(batch, wrong):
    count = 2 if wrong == "count" else 3
    cents = batch.total_cents - 1 if wrong == "amount" else batch.total_cents
    whole = f"<Btch><MsgId>{batch.number}</MsgId><NbOfTxs>{count}</NbOfTxs></Btch>"
    executed, back, (doubt,) = read(entry(cents, "DBIT", whole))
    assert (executed, back) == (0, 0)
    assert batch.number in doubt
    assert states() == [T.sent] * 3
    assert bank_answers.doubt(db.session.get(type(batch), batch.id)) == doubt


def test_another_amount_or_another_account_settles_nothing(batch):
    first, second, _third = batch.lines
    executed, _back, (doubt,) = read(left(first, first.amount_cents + 1), left(second))
    assert executed == 1
    assert first.end_to_end in doubt
    assert states() == [T.sent, T.executed, T.sent]
    executed, _back, (doubt,) = read(left(first), iban=IBANS[1])
    assert (executed, first.end_to_end in doubt) == (0, True)
    assert states()[0] is T.sent


def test_an_account_without_an_iban_is_believed(batch):
    assert read(left(batch.lines[0]), iban="")[0] == 1


def test_another_vendor_s_people_read_nothing_of_it(batch):
    from services import access

    data = left(batch.lines[0])
    mine = factories.another_vendor()[0]
    with access.limited_to(access.Scope(frozenset({mine.id}))), pytest.raises(Refused):
        read(data)
    assert states() == [T.sent] * 3
    assert db.session.scalars(db.select(BankAnswer)).all() == []


def test_a_statement_is_given_where_the_answers_are(batch, as_staff):
    import io

    clerk = as_staff("Administrateur")
    data = statement(left(batch.lines[0]), iban=IBANS[0])
    answer = clerk.post(
        "/gestion/paiements/reponse",
        data={"file": (io.BytesIO(data), "releve.xml")},
        follow_redirects=True,
    )
    assert "exécutés 1" in answer.get_data(as_text=True).replace("\u00a0", " ")
    assert states()[0] is T.executed


def test_money_that_came_in_under_our_file_s_name_executes_nothing(batch):
    whole = f"<Btch><MsgId>{batch.number}</MsgId><NbOfTxs>3</NbOfTxs></Btch>"
    with pytest.raises(Refused):
        read(entry(batch.total_cents, "CRDT", whole))
    assert states() == [T.sent] * 3


def test_a_whole_file_of_another_account_moves_nothing(batch):
    whole = f"<Btch><MsgId>{batch.number}</MsgId><NbOfTxs>3</NbOfTxs></Btch>"
    executed, _back, (doubt,) = read(entry(batch.total_cents, "DBIT", whole), iban=IBANS[1])
    assert (executed, batch.number in doubt) == (0, True)


def test_a_return_booked_twice_is_one_and_its_reason_is_kept(batch):
    first, *_rest = batch.lines
    assert read(left(first), came_back(first), came_back(first)) == (1, 1, [])
    assert "clos" in db.session.get(TransferLine, first.id).reason
    assert books.check() == []


def test_a_batch_whose_details_name_nothing_is_known_by_its_file(batch):
    inside = (
        f"<Btch><MsgId>{batch.number}</MsgId></Btch>" + named("NOTPROVIDED") + named("NOTPROVIDED")
    )
    assert read(entry(batch.total_cents, "DBIT", inside))[0] == 3


def test_a_statement_executes_each_of_the_files_it_books(batch):
    other = factories.a_batch(1)
    whole = [f"<Btch><MsgId>{one.number}</MsgId></Btch>" for one in (other, batch)]
    first = entry(other.total_cents, "DBIT", whole[0])
    assert read(first, entry(batch.total_cents, "DBIT", whole[1])) == (4, 0, [])
    assert states() == [T.executed] * 4
    assert books.check() == []


def test_a_whole_file_executes_what_of_it_still_waits(batch):
    first, *_rest = batch.lines
    whole = f"<Btch><MsgId>{batch.number}</MsgId></Btch>"
    assert read(left(first), kind="054") == (1, 0, [])
    assert read(entry(batch.total_cents, "DBIT", whole)) == (2, 0, [])
    assert books.check() == []


def test_a_whole_file_that_was_answered_or_is_none_of_ours_changes_nothing(batch):
    whole = f"<Btch><MsgId>{batch.number}</MsgId></Btch>"
    assert read(entry(batch.total_cents, "DBIT", whole))[0] == 3
    for name in (batch.number, "SALAIRES-11"):
        again = f"<Btch><MsgId>{name}</MsgId></Btch>"
        with pytest.raises(Refused, match="aucun des virements"):
            read(entry(1, "DBIT", again))
    assert states() == [T.executed] * 3


def test_an_answer_given_among_statements_is_read_as_an_answer_with_its_doubts(batch):
    answer = said(batch, CDE000000001="ACSC", CDE000000002="RVNM", CDE000000003="RJCT:AC04")
    with unit_of_work():
        reading = bank_statements.read_any(answer, "reponse.xml", by=LEA)
        assert [(file.number, *counts) for file, *counts in reading.files] == [(batch.number, 1, 1)]
        (doubt,) = reading.doubts
        assert "CDE000000002" in doubt
    kept = db.session.scalars(db.select(BankAnswer)).one()
    assert (kept.file_name, kept.by_name) == ("reponse.xml", LEA.name)


def test_an_answer_that_raises_no_doubt_tells_none(batch):
    with unit_of_work():
        reading = bank_statements.read_any(said(batch, CDE000000001="ACSC"), "r.xml", by=LEA)
        assert reading.doubts == []


def test_a_return_that_was_read_already_is_known(batch):
    first, *_rest = batch.lines
    assert read(left(first), came_back(first)) == (1, 1, [])
    with pytest.raises(Refused, match="déjà connu"):
        read(came_back(first), kind="054")


def test_what_a_person_must_look_at_is_told_of_each_file(batch):
    other = factories.a_batch(1)
    wrong = [left(one.lines[0], one.lines[0].amount_cents + 1) for one in (batch, other)]
    _executed, _back, doubts = read(*wrong)
    assert len(doubts) == 2
    for file, told in zip((batch, other), doubts, strict=True):
        assert file.lines[0].end_to_end in told
