"""The ledger: every transaction sums to zero, each business fact once."""

import pytest
from sqlalchemy import select

from models import (
    AccountKind,
    LedgerTransaction,
)
from services.payments import ledger
from services.payments.ledger import Side
from services.unit import db, unit_of_work
from tests.factories import LEA


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


def test_the_words_of_a_transaction_are_cut_to_what_a_row_holds(app):
    sides = Side(AccountKind.bank, 5), Side(AccountKind.purchases, -5)
    with unit_of_work():
        written = ledger.post(1, "x", "1", "w" * 300, *sides, by=LEA)
        assert written.words == "w" * 200
