"""Every cent, twice: transactions whose sides sum to zero, only ever added, each business fact
once.

A positive amount is a debit, a negative one a credit. What we owe a seller is the negative balance
of their account.
"""

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.dialects import postgresql, sqlite

from models import Account, AccountKind, Entry, LedgerTransaction
from services import clock
from services.unit import db, is_sqlite
from services.workflow import Actor

K = AccountKind


@dataclass(frozen=True)
class Side:
    """One side of a transaction: which account, how many cents (positive: debit)."""

    kind: AccountKind
    cents: int
    customer_id: int = 0


def post(
    vendor_id: int, kind: str, reference: str, words: str, *sides: Side, by: Actor
) -> LedgerTransaction:
    """Write a transaction. The same kind and reference a second time is refused by the database;
    sides that do not balance are a bug.
    """
    sides = tuple(side for side in sides if side.cents)
    if not sides or sum(side.cents for side in sides) != 0:
        raise ValueError(f"{kind} {reference} does not sum to zero")
    transaction = LedgerTransaction(
        vendor_id=vendor_id,
        kind=kind,
        reference=reference,
        words=words[:200],
        by_name=by.name,
        at=clock.now(),
    )
    db.session.add(transaction)
    db.session.flush()
    db.session.add_all(
        Entry(
            transaction_id=transaction.id,
            account_id=account_id(vendor_id, side.kind, side.customer_id),
            cents=side.cents,
        )
        for side in sides
    )
    return transaction


def account_id(vendor_id: int, kind: AccountKind, customer_id: int = 0) -> int:
    """The account, opened when it is first needed; two at once open one."""
    found = _find(vendor_id, kind, customer_id)
    if found is None:
        insert = (sqlite if is_sqlite() else postgresql).insert(Account)
        db.session.execute(
            insert.values(
                vendor_id=vendor_id, kind=kind, customer_id=customer_id
            ).on_conflict_do_nothing()
        )
        found = _find(vendor_id, kind, customer_id)
        assert found is not None
    return found


def balance(vendor_id: int, kind: AccountKind, customer_id: int = 0) -> int:
    """Debits minus credits, in cents."""
    return (
        db.session.scalar(
            select(func.sum(Entry.cents))
            .join(Account)
            .where(
                Account.vendor_id == vendor_id,
                Account.kind == kind,
                Account.customer_id == customer_id,
            )
        )
        or 0
    )


def owed(vendor_id: int, customer_id: int) -> int:
    """What a vendor owes a seller for what he bought from him."""
    return -balance(vendor_id, K.seller, customer_id)


def unbalanced() -> list[int]:
    """Transactions whose sides do not sum to zero: none, unless something is broken."""
    sums = (
        select(Entry.transaction_id)
        .group_by(Entry.transaction_id)
        .having(func.sum(Entry.cents) != 0)
    )
    empty = select(LedgerTransaction.id).where(~LedgerTransaction.entries.any())
    return [*db.session.scalars(sums), *db.session.scalars(empty)]


def _find(vendor_id: int, kind: AccountKind, customer_id: int) -> int | None:
    return db.session.scalar(
        select(Account.id).where(
            Account.vendor_id == vendor_id, Account.kind == kind, Account.customer_id == customer_id
        )
    )
