"""Payables: a transfer file pays what declared itself, and each line pays one thing."""

from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from models import AccountKind, TransferLine
from services.payments import payables, transfers
from services.payments.ledger import Side
from services.unit import db, unit_of_work
from tests import factories


class Refunds:
    """Another noun that is owed money, as tomorrow's."""

    def debts(self, lines):
        return [Side(AccountKind.bank, line.amount_cents) for line in lines]


def test_a_line_pays_exactly_one_thing(app):
    factories.a_batch(1)
    with pytest.raises(IntegrityError, match="pays_exactly_one"), unit_of_work() as session:
        session.scalars(select(TransferLine)).one().payment_id = None


def test_lines_are_told_apart_by_what_they_pay(app, monkeypatch):
    batch = factories.a_batch(2)
    monkeypatch.setitem(payables.PAYABLES, "refund_id", Refunds())
    refund: Any = SimpleNamespace(payment_id=None, refund_id=7, amount_cents=500)
    for line in batch.lines:
        line.refund_id = None
    (of_sellers, lines), (of_refunds, others) = payables.by_payable([*batch.lines, refund])
    assert str(of_sellers.words) == "Rachat de vos jeux"
    assert len(lines) == 2
    assert (others, type(of_refunds)) == ([refund], Refunds)
    sides = payables.debts([*batch.lines, refund])
    assert sum(side.cents for side in sides) == batch.total_cents + 500


def test_a_file_holds_at_most_so_many_transfers_of_all_kinds(app, monkeypatch):
    for _n in range(3):
        factories.a_payment()
    vendor = factories.the_vendor()
    assert transfers.totals(vendor.id)[0] == 3
    monkeypatch.setattr(transfers, "MOST", 2)
    assert transfers.totals(vendor.id)[0] == 2
    assert len(transfers._everything_due(vendor.id)) == 2
    db.session.rollback()


class AsManyAgain:
    """A noun that is owed what the sellers are owed."""

    def waiting(self, vendor_id):
        return payables.PAYABLES["payment_id"].waiting(vendor_id)

    def due(self, vendor_id, most):
        return payables.PAYABLES["payment_id"].due(vendor_id, most)


def test_the_kinds_of_a_file_share_the_most_it_holds_and_none_is_left_out(app, monkeypatch):
    for _n in range(3):
        factories.a_payment()
    vendor = factories.the_vendor().id
    monkeypatch.setitem(payables.PAYABLES, "refund_id", AsManyAgain())
    assert transfers.totals(vendor) == (6, 6 * 2800)
    monkeypatch.setattr(transfers, "MOST", 4)
    assert transfers.totals(vendor) == (4, 4 * 2800)
    columns = [column for column, _due in transfers._everything_due(vendor)]
    assert columns == ["payment_id"] * 3 + ["refund_id"]
    db.session.rollback()
