"""« Bon d'achat »: what a seller chose to be paid with, kept in the ledger, worth more by a bonus,
never negative. A card with a barcode shows it at the till, where the staff book what was used.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import func, select

from models import Account, AccountKind, Customer, Entry, LedgerTransaction, Store, Vendor
from services import messages, money, personal, settings, workflow
from services.payments import ledger
from services.payments.ledger import Side
from services.people import sites
from services.unit import db
from services.words import visible
from services.workflow import Actor, Refused

K = AccountKind
SPENT, BACK = "credit_spent", "credit_returned"
MOST_BOOKINGS = 9  # of one ticket, each taken back but the last
workflow.says(
    "customer",
    use_credit=_l("Store credit used at the till"),
    take_credit_back=_l("Store credit taken back"),
)


def bonus_of(amount_cents: int) -> int:
    """What choosing credit adds: 20 % unless the shop decided otherwise."""
    return money.share(amount_cents, settings.value("credit_bonus_percent") * 100)


def pay_out(
    vendor_id: int, customer: Customer, amount_cents: int, reference: str, *, by: Actor
) -> int:
    """Turn what is owed into credit, with its bonus; returns the credit given, in cents. The first
    credit gives its customer a card.
    """
    bonus = bonus_of(amount_cents)
    if customer.credit_card is None:
        customer.credit_card = f"BON{secrets.randbelow(10**10):010d}"
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


def given(references: list[str]) -> dict[str, int]:
    """The credit given for each of these sales, bonus included, in cents, by reference. Sales that
    were not paid in credit are not among them.
    """
    rows = db.session.execute(
        select(LedgerTransaction.reference, -Entry.cents)
        .join(Entry, Entry.transaction_id == LedgerTransaction.id)
        .join(Account, Account.id == Entry.account_id)
        .where(
            LedgerTransaction.kind == "store_credit",
            LedgerTransaction.reference.in_(references),
            Account.kind == K.store_credit,
        )
    )
    return {reference: cents for reference, cents in rows}


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
        SPENT,
        reference,
        _("Used at the till, ticket %(ticket)s", ticket=_ticket_of(reference)),
        Side(K.store_credit, amount_cents, customer.id),
        Side(K.till_sales, -amount_cents),
        by=by,
    )


def _ticket_of(reference: str) -> str:
    return (reference.partition(":")[2] or reference).partition("#")[0]


def use_at_till(
    vendor_id: int, customer: Customer, amount_cents: int, ticket: str, *, by: Actor
) -> None:
    """A purchase at the till was paid with credit: the staff book it with the number of the till's
    ticket, and the customer is told. Raises Refused when the ticket was booked already.
    """
    ticket = visible(ticket).strip()[:40]
    if not ticket:
        raise Refused(_("Type the number of the till’s ticket: it proves what the credit paid."))
    reference = _reference_of(vendor_id, ticket)
    spend(vendor_id, customer, amount_cents, reference, by=by)
    workflow.record(customer, "use_credit", by=by, amount_cents=amount_cents, ticket=ticket)
    site = sites.of_vendor(vendor_id)
    if site is not None:
        messages.tell(
            customer,
            "credit_used",
            site=site,
            amount=amount_cents,
            ticket=ticket,
            left=balance(vendor_id, customer.id),
            link=f"{sites.address(site)}/compte#bon",
        )


def _reference_of(vendor_id: int, ticket: str) -> str:
    """What the ledger calls a ticket: one whose booking was taken back may be booked again, under
    the next number. Raises Refused while it is booked.
    """
    first = f"{vendor_id}:{ticket.upper()}"
    names = [first, *(f"{first}#{number}" for number in range(2, MOST_BOOKINGS + 1))]
    booked = db.session.scalars(
        select(LedgerTransaction).where(
            LedgerTransaction.kind == SPENT, LedgerTransaction.reference.in_(names)
        )
    ).all()
    if any(not is_taken_back(one) for one in booked) or len(booked) == MOST_BOOKINGS:
        raise Refused(_("Ticket %(ticket)s was booked already: look at the list.", ticket=ticket))
    return names[len(booked)]


def take_back(transaction: LedgerTransaction, *, by: Actor) -> None:
    """A purchase was booked by mistake, or its goods came back: the credit is there again. Raises
    Refused the second time.
    """
    entry = db.session.execute(
        select(Account.customer_id, Entry.cents)
        .join(Entry, Entry.account_id == Account.id)
        .where(Entry.transaction_id == transaction.id, Account.kind == K.store_credit)
        .with_for_update()
    ).first()
    if transaction.kind != SPENT or entry is None or is_taken_back(transaction):
        raise Refused(_("There is nothing to take back: the credit is there already."))
    ledger.post(
        transaction.vendor_id,
        BACK,
        str(transaction.id),
        _("Taken back: %(what)s", what=transaction.words),
        Side(K.store_credit, -entry.cents, entry.customer_id),
        Side(K.till_sales, entry.cents),
        by=by,
    )
    customer = db.session.get_one(Customer, entry.customer_id)
    workflow.record(customer, "take_credit_back", by=by, amount_cents=entry.cents)


def is_taken_back(transaction: LedgerTransaction) -> bool:
    """Whether the credit this purchase used was given back."""
    found = select(LedgerTransaction.id).where(
        LedgerTransaction.kind == BACK, LedgerTransaction.reference == str(transaction.id)
    )
    return db.session.scalar(found) is not None


def of_card(card: str) -> Customer | None:
    """Whose card a barcode is."""
    return db.session.scalar(select(Customer).where(Customer.credit_card == card.upper()))


def where_to_spend(vendor_id: int) -> list[Store]:
    """The stores of a vendor, where credit is spent."""
    rows = select(Store).where(Store.vendor_id == vendor_id).order_by(Store.name)
    return list(db.session.scalars(rows))


def balance(vendor_id: int, customer_id: int) -> int:
    """What is left to a customer with a vendor, in cents."""
    return -ledger.balance(vendor_id, K.store_credit, customer_id)


@dataclass(frozen=True)
class Purse:
    """A customer's credit with one vendor: what is left, and what moved it, newest first."""

    vendor: Vendor
    left_cents: int
    moves: list["PurseMove"]


@dataclass(frozen=True)
class PurseMove:
    """What moved a purse: when (UTC), what it was, how much (cents), and whether it can be taken
    back.
    """

    transaction_id: int
    at: datetime
    words: str
    cents: int
    can_be_taken_back: bool


def purses(customer: Customer) -> list[Purse]:
    """A customer's credit with each vendor the reader may see."""
    accounts = db.session.scalars(
        select(Account).where(Account.kind == K.store_credit, Account.customer_id == customer.id)
    ).all()
    found = []
    for account in accounts:
        rows = db.session.execute(
            select(
                LedgerTransaction.id,
                LedgerTransaction.at,
                LedgerTransaction.words,
                -Entry.cents,
                LedgerTransaction.kind,
            )
            .join(Entry)
            .where(Entry.account_id == account.id)
            .order_by(Entry.id.desc())
            .limit(50)
        ).all()
        returned = set(
            db.session.scalars(
                select(LedgerTransaction.reference).where(
                    LedgerTransaction.kind == BACK,
                    LedgerTransaction.reference.in_([str(row[0]) for row in rows]),
                )
            )
        )
        left = -(
            db.session.scalar(select(func.sum(Entry.cents)).where(Entry.account_id == account.id))
            or 0
        )
        found.append(
            Purse(
                db.session.get_one(Vendor, account.vendor_id),
                left,
                [
                    PurseMove(id, at, words, cents, kind == SPENT and str(id) not in returned)
                    for id, at, words, cents, kind in rows
                ],
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


def _erase(customer: Customer) -> None:
    customer.credit_card = None


personal.rule("store_credit", why_keep=_why_keep, erase=_erase, first=2)
