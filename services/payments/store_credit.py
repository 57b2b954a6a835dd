"""« Bon d'achat »: what a seller chose to be paid with, kept in the ledger, worth more by a bonus,
never negative.
"""

from dataclasses import dataclass
from datetime import datetime

from flask_babel import gettext as _
from sqlalchemy import func, select

from models import Account, AccountKind, Customer, Entry, LedgerTransaction, Vendor
from services import money, personal, settings
from services.payments import ledger
from services.payments.ledger import Side
from services.unit import db
from services.workflow import Actor, Refused

K = AccountKind


def bonus_of(amount_cents: int) -> int:
    """What choosing credit adds: 20 % unless the shop decided otherwise."""
    return money.share(amount_cents, settings.value("credit_bonus_percent") * 100)


def pay_out(
    vendor_id: int, customer: Customer, amount_cents: int, reference: str, *, by: Actor
) -> int:
    """Turn what is owed into credit, with its bonus; returns the credit given, in cents."""
    bonus = bonus_of(amount_cents)
    ledger.post(
        vendor_id,
        "store_credit",
        reference,
        _("Store credit for %(reference)s", reference=reference),
        Side(K.seller, amount_cents, customer.id),
        Side(K.bonus, bonus),
        Side(K.store_credit, -(amount_cents + bonus), customer.id),
        by=by,
    )
    return amount_cents + bonus


def spend(
    vendor_id: int, customer: Customer, amount_cents: int, reference: str, *, by: Actor
) -> None:
    """Use credit in a purchase. Raises Refused when there is not enough: the account is locked
    while it is read.
    """
    db.session.execute(
        select(Account.id)
        .where(Account.id == ledger.account_id(vendor_id, K.store_credit, customer.id))
        .with_for_update()
    )
    left = balance(vendor_id, customer.id)
    if amount_cents <= 0 or amount_cents > left:
        raise Refused(_("There is only %(left)s of credit left.", left=money.text(left)))
    ledger.post(
        vendor_id,
        "credit_spent",
        reference,
        _("Credit used for %(reference)s", reference=reference),
        Side(K.store_credit, amount_cents, customer.id),
        Side(K.bank, -amount_cents),
        by=by,
    )


def balance(vendor_id: int, customer_id: int) -> int:
    """What is left to a customer with a vendor, in cents."""
    return -ledger.balance(vendor_id, K.store_credit, customer_id)


@dataclass(frozen=True)
class Purse:
    vendor: Vendor
    left_cents: int
    moves: list[tuple[datetime, str, int]]


def purses(customer: Customer) -> list[Purse]:
    """A customer's credit with each vendor, and what moved it, newest first."""
    accounts = db.session.scalars(
        select(Account).where(Account.kind == K.store_credit, Account.customer_id == customer.id)
    ).all()
    found = []
    for account in accounts:
        rows = db.session.execute(
            select(LedgerTransaction.at, LedgerTransaction.words, -Entry.cents)
            .join(Entry)
            .where(Entry.account_id == account.id)
            .order_by(Entry.id.desc())
            .limit(50)
        ).all()
        left = -(
            db.session.scalar(select(func.sum(Entry.cents)).where(Entry.account_id == account.id))
            or 0
        )
        found.append(
            Purse(
                db.session.get_one(Vendor, account.vendor_id),
                left,
                [(at, words, cents) for at, words, cents in rows],
            )
        )
    return found


# ── what it holds of a person ──


def _why_keep(customer: Customer) -> str | None:
    credit = db.session.scalar(
        select(func.sum(Entry.cents))
        .join(Account)
        .where(Account.kind == AccountKind.store_credit, Account.customer_id == customer.id)
    )
    if not credit:
        return None
    return _(
        "You have %(amount)s of store credit: use it, or write to us to give it up, before"
        " erasing your account.",
        amount=money.text(-credit),
    )


personal.rule("store_credit", why_keep=_why_keep, first=2)
