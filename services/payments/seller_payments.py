"""What we owe the people who sold to us: held, waiting for an IBAN, to pay, in a file, paid or sent
back.

`review` is asked each time something changed (the reception ends, the seller answers, an IBAN
comes) and puts a payment where it belongs; the ledger says what is owed, this says how far it is on
its way.
"""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select
from sqlalchemy.orm import selectinload

from models import (
    AccountKind,
    BankDetails,
    Customer,
    Offer,
    OfferState,
    PaymentMeans,
    PaymentPart,
    PaymentState,
    SellerPayment,
    TransferBatch,
    TransferLine,
    TransferState,
)
from services import clock, dates, messages, personal, sealing, settings, webhooks, workflow
from services.payments import bank_details, payables, store_credit
from services.payments.ledger import Side
from services.people import sites
from services.unit import db
from services.workflow import CLOCK, CUSTOMER, STAFF, TIME, Actor, Move, Refused, Workflow

S = PaymentState
workflow.name_states(
    (S.held, _l("Held"), "warn"),
    (S.awaiting_iban, _l("Waiting for an IBAN"), "warn"),
    (S.to_pay, _l("To pay"), "info"),
    (S.in_file, _l("File made"), "info"),
    (S.paid, _l("Executed"), "ok"),
    (S.rejected, _l("Sent back"), "bad"),
    (PaymentPart.first, _l("Bought at the check"), "off"),
    (PaymentPart.contested, _l("Contested articles"), "off"),
    (PaymentMeans.transfer, _l("Bank transfer"), "info"),
    (PaymentMeans.store_credit, _l("Store credit"), "info"),
)
# The same states, as the seller reads them.
SELLER_WORDS = {
    S.held: _l("Under way"),
    S.awaiting_iban: _l("Give your IBAN"),
    S.to_pay: _l("Payment being prepared"),
    S.in_file: _l("Paid, the bank may take a few days"),
    S.paid: _l("Paid"),
    S.rejected: _l("Transfer sent back, check your IBAN"),
}

_ANYONE = (STAFF, CUSTOMER, TIME)


def _has_amount(payment: SellerPayment) -> str | None:
    return None if payment.amount_cents else _("There is nothing to pay.")


# ruff: disable[E501]
PAYMENT = Workflow(
    "seller_payment",
    # verb        label                              from
    # to                only if       by
    Move("hold",     _l("Held"),                        {S.awaiting_iban, S.to_pay},                  S.held,           None,         _ANYONE, done=_l("Payment held")),
    Move("await",    _l("Waiting for an IBAN"),         {S.held, S.to_pay, S.rejected},               S.awaiting_iban,  _has_amount,  _ANYONE),
    Move("release",  _l("To pay"),                      {S.held, S.awaiting_iban},                    S.to_pay,         _has_amount,  _ANYONE, done=_l("Payment released")),
    Move("batch",    _l("Put in a transfer file"),      {S.to_pay},                                   S.in_file,        _has_amount),
    Move("execute",  _l("Executed by the bank"),        {S.in_file},                                  S.paid),
    Move("unbatch",  _l("Taken out of a cancelled file"), {S.in_file},                                S.to_pay),
    Move("reject",   _l("Sent back by the bank"),       {S.in_file, S.paid},                          S.rejected),
    Move("credit",   _l("Paid in store credit"),        {S.held, S.awaiting_iban, S.to_pay},          S.paid,           _has_amount,  _ANYONE),
    Move("nothing",  _l("Nothing to pay"),              {S.held, S.awaiting_iban, S.to_pay},          S.paid,           None,         _ANYONE),
)  # fmt: skip
# ruff: enable[E501]

workflow.says("seller_payment", remind_iban=_l("Seller reminded of the IBAN"))
workflow.says(
    "offer",
    choose_means=_l("Means of payment chosen"),
)
ON_ITS_WAY = (S.in_file, S.paid)


def part_of(offer: Offer, part: PaymentPart) -> SellerPayment | None:
    """The payment of a part of a sale."""
    return next((payment for payment in offer.payments if payment.part is part), None)


def open_part(offer: Offer, part: PaymentPart) -> SellerPayment:
    """The payment of a part of a received offer, held until `review` says where it belongs."""
    payment = part_of(offer, part)
    if payment is None:
        payment = SellerPayment(
            vendor_id=offer.vendor_id,
            offer=offer,
            part=part,
            customer_id=offer.customer_id,
            status=S.held,
            amount_cents=0,
            fee_cents=0,
            means=offer.means,
            received_at=offer.received_at or clock.now(),
            attempts=0,
        )
        db.session.add(payment)
        db.session.flush()
    return payment


def has_left(payment: SellerPayment) -> bool:
    """Whether its money is on its way, or was paid: nothing about it changes any more."""
    return payment.status in ON_ITS_WAY


def review(
    payment: SellerPayment, amount_cents: int, blockers: list[str], *, by: Actor
) -> SellerPayment:
    """Put a payment where it belongs: `blockers` are the reasons, in words, why nothing may be paid
    yet.
    """
    offer = payment.offer
    if has_left(payment):
        return payment
    if payment.status is S.rejected:
        _await(payment, by)
    payment.amount_cents, payment.means = amount_cents, offer.means
    if payment.held_by:  # a person keeps it back: only `let_go` lets it go on
        return payment
    payment.iban_wait = (
        (bank_details.why_wait(payment.customer_id) or "")
        if payment.means is PaymentMeans.transfer and amount_cents
        else ""
    )
    payment.held_reason = " ".join(blockers)
    if blockers or payment.iban_wait:
        if payment.status is not S.held:
            PAYMENT.fire(payment, "hold", by=by, reason=why_held(payment))
    elif not amount_cents:
        payment.paid_at = clock.now()
        PAYMENT.fire(payment, "nothing", by=by)
        _settle([offer], by)
    elif payment.means is PaymentMeans.store_credit:
        _pay_in_credit(payment, by)
    elif usable(payment.customer_id):
        if payment.status is not S.to_pay:
            PAYMENT.fire(payment, "release", by=by)
    elif payment.status is not S.awaiting_iban:
        _await(payment, by)
    return payment


def _await(payment: SellerPayment, by: Actor) -> None:
    """It waits for an IBAN from now on: whoever is told of it now is reminded later."""
    PAYMENT.fire(payment, "await", by=by)
    payment.iban_reminders, payment.iban_reminded_at = 0, clock.now()


def choose(offer: Offer, means: PaymentMeans, *, by: Actor) -> None:
    """The seller says how he wants to be paid; credit is given at once when everything else is
    settled.
    """
    if offer.status not in (
        OfferState.to_check,
        OfferState.second_chance,
        OfferState.accepted,
        OfferState.received,
    ):
        raise Refused(_("This sale is over: the means of payment no longer changes."))
    if any(has_left(payment) and payment.amount_cents for payment in offer.payments):
        raise Refused(_("The payment has already left: the means of payment no longer changes."))
    if offer.means is means:
        return
    offer.means = means
    workflow.record(offer, "choose_means", by=by, means=workflow.words_of(means))
    for payment in offer.payments:
        if payment.held_by:
            payment.means = means  # a person keeps it back: the choice waits for their release
            continue
        blockers = [payment.held_reason] if payment.held_reason else []
        review(payment, payment.amount_cents, blockers, by=by)


def _iban_came(customer: Customer) -> int:
    """An IBAN came: what waited for it is to pay, and what was to pay to another one may have to
    wait. Returns how many sales moved.
    """
    states = (S.awaiting_iban, S.to_pay)
    rows = db.session.scalars(
        select(SellerPayment).where(
            SellerPayment.customer_id == customer.id, SellerPayment.status.in_(states)
        )
    ).all()
    waiting = [payment.status is S.awaiting_iban for payment in rows]
    for payment in rows:
        review(payment, payment.amount_cents, [], by=CLOCK)
    return sum(waiting)


bank_details.on_given(_iban_came)


def iban_wait_over() -> list[int]:
    """Sales whose payment was held for a replaced IBAN, and whose wait is over."""
    over = or_(BankDetails.held_until.is_(None), BankDetails.held_until <= clock.now())
    return list(
        db.session.scalars(
            select(SellerPayment.offer_id)
            .outerjoin(BankDetails, BankDetails.customer_id == SellerPayment.customer_id)
            .where(SellerPayment.status == S.held, SellerPayment.iban_wait != "", over)
        )
    )


def why_held(payment: SellerPayment) -> str:
    """Every reason why nothing is paid yet, in words."""
    return " ".join(filter(None, (payment.held_reason, payment.iban_wait)))


def wait_if_replaced(payment: SellerPayment, *, by: Actor) -> None:
    """What is to pay waits when its IBAN was replaced meanwhile, or cannot be read."""
    wait = bank_details.why_wait(payment.customer_id)
    if wait and payment.status is S.to_pay and payment.means is PaymentMeans.transfer:
        payment.iban_wait = wait
        PAYMENT.fire(payment, "hold", by=by, reason=wait)


def hold(payment: SellerPayment, reason: str, *, by: Actor) -> None:
    """« Retenir »: a person keeps a payment back, with the reason; nothing but `let_go` lets it go
    on.
    """
    if not reason.strip():
        raise Refused(_("Write why the payment is held."))
    PAYMENT.fire(payment, "hold", by=by, reason=reason.strip())
    payment.held_reason, payment.held_by = reason.strip()[:500], by.name[:200]
    messages.tell_step(
        payment.customer,
        "payment_held",
        site=payment.offer.site,
        offer=payment.offer,
        amount=payment.amount_cents,
        reason=payment.held_reason,
        link=f"{sites.address(payment.offer.site)}/ventes/{payment.offer.number}",
    )


def let_go(payment: SellerPayment) -> None:
    """« Ne plus retenir »: nobody keeps it back any more; `reception.release` then puts it where it
    belongs. Raises Refused when nobody did.
    """
    if not is_held_by_hand(payment):
        raise Refused(_("Nobody keeps this payment back."))
    payment.held_by = payment.held_reason = ""


# ── an IBAN that does not come ──

# Days after the seller was asked last: 3, 10 and 30 days after the payment began to wait.
REMINDER_GAPS = (3, 7, 20)


def why_not_remind(payment: SellerPayment) -> str | None:
    """None when the seller may be asked for an IBAN now, else why not: only who still owes one,
    once a day.
    """
    if payment.status is not S.awaiting_iban:
        return _("Only a payment that waits for an IBAN is reminded of.")
    last = payment.iban_reminded_at
    if payment.iban_reminders and last is not None and clock.now() - last < timedelta(days=1):
        return _("The seller was reminded %(when)s: once a day is enough.", when=dates.ago(last))
    return None


def remind(payment: SellerPayment, *, by: Actor) -> None:
    """« Relancer »: ask the seller for the IBAN the payment waits for. One mail asks for all that
    waits with this vendor.
    """
    if reason := why_not_remind(payment):
        raise Refused(reason)
    mine = select(SellerPayment).where(
        SellerPayment.customer_id == payment.customer_id,
        SellerPayment.vendor_id == payment.vendor_id,
        SellerPayment.status == S.awaiting_iban,
    )
    waiting = db.session.scalars(mine).all()
    for one in waiting:
        one.iban_reminders += 1
        one.iban_reminded_at = clock.now()
        workflow.record(one, "remind_iban", by=by)
    site, details = payment.offer.site, bank_details.of(payment.customer_id)
    messages.tell(
        payment.customer,
        "iban_reminder",
        site=site,
        offer=payment.offer,
        amount=sum(one.amount_cents for one in waiting),
        sales=len({one.offer_id for one in waiting}),
        refused=details is not None and details.refused_at is not None,
        link=f"{sites.address(site)}/compte#iban",
    )


def to_remind() -> list[int]:
    """Payments whose seller is due for a reminder: 3, 10 and 30 days after they began to wait, each
    once; none where the shop sends no reminders by itself.
    """
    if settings.value("auto_reminders") != "yes":
        return []
    now = clock.now()
    asked = func.coalesce(SellerPayment.iban_reminded_at, SellerPayment.received_at)
    due = or_(
        *(
            and_(
                SellerPayment.iban_reminders == number,
                asked <= now - timedelta(days=days),
            )
            for number, days in enumerate(REMINDER_GAPS)
        )
    )
    rows = select(SellerPayment.id).where(SellerPayment.status == S.awaiting_iban, due)
    return list(db.session.scalars(rows.limit(1000)))


def remind_by_clock(payment: SellerPayment) -> None:
    if why_not_remind(payment) is None:
        remind(payment, by=CLOCK)


def is_held_by_hand(payment: SellerPayment) -> bool:
    """Whether a person keeps it back, who can let it go on."""
    return payment.status is S.held and bool(payment.held_by)


def left_out(counts: dict[PaymentState, tuple[int, int]]) -> list[tuple[PaymentState, int, int]]:
    """What is owed and not in the next file: the state that says why, how many, how many cents."""
    found = ((state, *counts.get(state, (0, 0))) for state in (S.awaiting_iban, S.held))
    return [(state, number, cents) for state, number, cents in found if number]


def usable(customer_id: int) -> bool:
    """Whether we may send money to the IBAN we have: there is one, and the bank did not send the
    last transfer back.
    """
    details = bank_details.of(customer_id)
    return details is not None and details.refused_at is None


def try_again(payment: SellerPayment, *, by: Actor) -> None:
    """Pay to the same IBAN again: the bank sent the transfer back for a reason that was not the
    account's.
    """
    if payment.status is not S.awaiting_iban or not payment.reject_reason:
        raise Refused(_("Only a transfer that came back can be tried again."))
    details = bank_details.of(payment.customer_id)
    if details is None:
        raise Refused(_("There is no IBAN to pay to: the seller must give one."))
    details.refused_at = None
    review(payment, payment.amount_cents, [], by=by)


def sent_back(
    payment: SellerPayment, line: TransferLine, *, is_about_the_account: bool, by: Actor
) -> None:
    """The bank sent a transfer back. When it is about the account the seller is told, and whatever
    waits for this account stops; else it is the shop's to mend, and to pay again.
    """
    _locked_sales([payment.offer_id])  # the seller's answer may be closing the other part
    if payment.offer.status is OfferState.settled:  # all had been executed: it is open again
        workflow.flow_of(payment.offer).fire(payment.offer, "reopen", by=by)
    PAYMENT.fire(payment, "reject", by=by, reason=line.reason)
    payment.reject_reason, payment.told_at, payment.paid_at = line.reason, None, None
    _await(payment, by)
    details = bank_details.of(payment.customer_id)
    tried = details is not None and bank_details.opened(details) == sealing.unseal(
        line.iban_sealed, f"transfer_line.iban:{line.end_to_end}"
    )
    if is_about_the_account and tried:
        assert details is not None
        details.refused_at = clock.now()
        for other in db.session.scalars(
            select(SellerPayment).where(
                SellerPayment.customer_id == payment.customer_id, SellerPayment.status == S.to_pay
            )
        ).all():
            _await(other, by)
        messages.tell(
            payment.customer,
            "transfer_sent_back",
            site=payment.offer.site,
            offer=payment.offer,
            amount=line.amount_cents,
            reason=line.reason,
            tail=line.iban_tail,
            link=f"{sites.address(payment.offer.site)}/compte#iban",
        )
    elif details is not None and details.refused_at is None:
        PAYMENT.fire(payment, "release", by=by)
        wait_if_replaced(payment, by=by)


def executed(payments: list[SellerPayment], *, by: Actor) -> None:
    """The bank paid them: the sales are settled."""
    now = clock.now()
    for payment in payments:
        payment.paid_at = now
    PAYMENT.fire_all(payments, "execute", by=by)
    for payment in (
        payments if payments and webhooks.is_heard(payments[0].vendor_id, "buyback.paid") else ()
    ):  # a batch is of one vendor
        webhooks.tell(payment.vendor_id, "buyback.paid", _told(payment))
    _settle([payment.offer for payment in payments], by)


def _told(payment: SellerPayment) -> dict[str, str]:
    """What software hears of a payment: its sale, and which of its payments."""
    return {"number": str(payment.offer.number), "reference": payment.reference}


def _settle(offers: Sequence[Offer], by: Actor) -> None:
    """The sales all of whose payments are made are over."""
    over = [
        offer
        for offer in _locked_sales([offer.id for offer in offers])
        if offer.status is OfferState.received
        and all(payment.status is S.paid for payment in offer.payments)
    ]
    if over:
        workflow.flow_of(over[0]).fire_all(over, "settle", by=by)


def _locked_sales(ids: Iterable[int]) -> Sequence[Offer]:
    """The sales and their payments as they are now, locked: of two parts that end (or come back) at
    the same instant, the later one sees the other.
    """
    db.session.flush()
    rows = (
        select(Offer)
        .where(Offer.id.in_(set(ids)))
        .order_by(Offer.id)
        .options(selectinload(Offer.payments))
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return db.session.scalars(rows).all()


def _pay_in_credit(payment: SellerPayment, by: Actor) -> None:
    offer = payment.offer
    given = store_credit.pay_out(
        payment.vendor_id, payment.customer, payment.amount_cents, payment.reference, by=by
    )
    payment.paid_at = payment.told_at = clock.now()
    PAYMENT.fire(payment, "credit", by=by, amount_cents=given)
    webhooks.tell(payment.vendor_id, "buyback.paid", _told(payment))
    _settle([offer], by)
    messages.tell_step(
        payment.customer,
        "credit_given",
        site=offer.site,
        offer=offer,
        amount=payment.amount_cents,
        given=given,
        left=store_credit.balance(payment.vendor_id, payment.customer_id),
        link=f"{sites.address(offer.site)}/compte#bon",
    )


# ── in transfer files ──


class _OfSellers:
    """What sellers are owed, as transfer files pay it."""

    words = _l("Payment of your games")

    def waiting(self, vendor_id: int) -> Select[int, int]:
        return (
            select(SellerPayment.id, SellerPayment.amount_cents)
            .where(
                SellerPayment.vendor_id == vendor_id, SellerPayment.status == S.to_pay, ~_waits()
            )
            .order_by(SellerPayment.received_at, SellerPayment.id)
        )

    def hold_unreadable(self, vendor_id: int, *, by: Actor) -> list[str]:
        payments = db.session.scalars(self.waiting(vendor_id).with_only_columns(SellerPayment))
        names = []
        for payment in payments.all():
            wait_if_replaced(payment, by=by)
            if payment.status is S.held:
                names.append(str(payment.customer))
        return names

    def due(self, vendor_id: int, most: int) -> list[payables.Due]:
        rows = self.waiting(vendor_id).limit(most).with_for_update()
        payments = db.session.scalars(
            rows.with_only_columns(SellerPayment).options(selectinload(SellerPayment.offer))
        ).all()
        details = bank_of(list(payments))
        return [_due(payment, details[payment.customer_id]) for payment in payments]

    def put_in_file(self, ids: list[int], number: str, *, by: Actor) -> None:
        payments = _locked(ids)
        PAYMENT.fire_all(payments, "batch", by=by, file=number)
        for payment in payments:
            payment.attempts += 1

    def take_out(self, lines: Sequence[TransferLine], number: str, *, by: Actor) -> None:
        payments = _locked(_ids(lines))
        PAYMENT.fire_all(payments, "unbatch", by=by, file=number)
        for payment in payments:
            wait_if_replaced(payment, by=by)

    def executed(self, lines: Sequence[TransferLine], *, by: Actor) -> None:
        executed(_locked(_ids(lines)), by=by)

    def sent_back(self, line: TransferLine, is_about_the_account: bool, *, by: Actor) -> None:
        assert line.payment is not None
        sent_back(line.payment, line, is_about_the_account=is_about_the_account, by=by)

    def debts(self, lines: Sequence[TransferLine]) -> list[Side]:
        customers = {payment.id: payment.customer_id for payment in _locked(_ids(lines))}
        return [
            Side(AccountKind.seller, line.amount_cents, customers[line.payment_id])
            for line in lines
            if line.payment_id is not None
        ]


payables.pays("payment_id", _OfSellers())


def _waits() -> ColumnElement[bool]:
    """The last line before money leaves: whatever moved a payment here, nothing goes to an IBAN
    that was just replaced.
    """
    return exists().where(
        BankDetails.customer_id == SellerPayment.customer_id, BankDetails.held_until > clock.now()
    )


def _due(payment: SellerPayment, details: BankDetails) -> payables.Due:
    """A payment with its seller's account. The second attempt of a payment is « CDE…-2 », or «
    CDE…-C-2 » for what was contested.
    """
    attempt, reference = payment.attempts + 1, payment.reference
    return payables.Due(
        id=payment.id,
        cents=payment.amount_cents,
        reference=f"{reference}-{attempt}" if attempt > 1 else reference,
        holder=details.holder,
        iban=bank_details.opened(details),
        iban_tail=details.iban_tail,
        bic=details.bic,
        debt=Side(AccountKind.seller, payment.amount_cents, payment.customer_id),
    )


def _ids(lines: Sequence[TransferLine]) -> list[int]:
    return [line.payment_id for line in lines if line.payment_id is not None]


def _locked(ids: list[int]) -> list[SellerPayment]:
    """The payments with these numbers, in the order they are paid; nobody else changes them
    meanwhile.
    """
    rows = (
        select(SellerPayment)
        .where(SellerPayment.id.in_(ids))
        .order_by(SellerPayment.received_at, SellerPayment.id)
        .options(selectinload(SellerPayment.offer))
        .with_for_update()
    )
    return list(db.session.scalars(rows))


# ── telling, in small units, after the file ──


def untold(limit: int = 500) -> list[int]:
    """Payments whose file is ready and whose seller was not told yet."""
    ready = (
        select(TransferLine.payment_id)
        .join(TransferBatch)
        .where(TransferBatch.sha256 != "", TransferLine.status != TransferState.sent_back)
    )
    return list(
        db.session.scalars(
            select(SellerPayment.id)
            .where(
                SellerPayment.status.in_(ON_ITS_WAY),
                SellerPayment.told_at.is_(None),
                SellerPayment.id.in_(ready),
            )
            .limit(limit)
        )
    )


def tell_paid(payment: SellerPayment) -> None:
    """« Payé, la banque peut prendre quelques jours »; once."""
    if payment.told_at is not None or payment.status not in ON_ITS_WAY:
        return
    line = db.session.scalars(
        select(TransferLine)
        .where(TransferLine.payment_id == payment.id)
        .order_by(TransferLine.id.desc())
        .limit(1)
    ).first()
    payment.told_at = clock.now()
    if line is None:
        return
    messages.tell_step(
        payment.customer,
        "payment_sent",
        site=payment.offer.site,
        offer=payment.offer,
        amount=line.amount_cents,
        tail=line.iban_tail,
        day=line.batch.execution_on,
        reference=line.end_to_end,
        link=f"{sites.address(payment.offer.site)}/ventes/{payment.offer.number}",
    )


# ── questions ──


def counts(vendor_ids: list[int] | None = None) -> dict[PaymentState, tuple[int, int]]:
    """How many payments, and how many cents, in each state."""
    rows = select(
        SellerPayment.status, func.count(SellerPayment.id), func.sum(SellerPayment.amount_cents)
    ).group_by(SellerPayment.status)
    if vendor_ids is not None:
        rows = rows.where(SellerPayment.vendor_id.in_(vendor_ids))
    return {state: (count, int(total or 0)) for state, count, total in db.session.execute(rows)}


@dataclass(frozen=True)
class Paid:
    """How many sales a vendor paid (none is said below ten), and the median of the days from the
    check to the payment, where it is a week at most.
    """

    sales: int
    days: int | None


_PAID_FRESH_SECONDS = 600.0
_paid: dict[int, tuple[float, Paid]] = {}


def paid_so_far(vendor_id: int) -> Paid:
    """What a vendor paid so far, for who wonders whether to trust them; remembered ten minutes."""
    known = _paid.get(vendor_id)
    if known is not None and time.monotonic() - known[0] < _PAID_FRESH_SECONDS:
        return known[1]
    paid = (
        SellerPayment.vendor_id == vendor_id,
        SellerPayment.status == S.paid,
        SellerPayment.amount_cents > 0,
    )
    count = db.session.scalar(select(func.count(SellerPayment.id)).where(*paid)) or 0
    rows = db.session.execute(
        select(SellerPayment.received_at, SellerPayment.paid_at)
        .where(*paid)
        .order_by(SellerPayment.id.desc())
        .limit(50)
    ).all()
    waited = sorted((end - start).days for start, end in rows if end is not None)
    days = waited[len(waited) // 2] if waited else None
    found = Paid(count, days if days is not None and days <= 7 else None)
    if count < 10:
        found = Paid(0, None)
    _paid[vendor_id] = (time.monotonic(), found)
    return found


def to_pay_count() -> int:
    return (
        db.session.scalar(
            select(func.count(SellerPayment.id)).where(SellerPayment.status == S.to_pay)
        )
        or 0
    )


def bank_of(payments: list[SellerPayment]) -> dict[int, BankDetails]:
    """The bank details of the sellers of a page, in one read."""
    ids = {p.customer_id for p in payments}
    return (
        {
            d.customer_id: d
            for d in db.session.scalars(select(BankDetails).where(BankDetails.customer_id.in_(ids)))
        }
        if ids
        else {}
    )


def page(
    vendor_id: int, state: PaymentState, number: int = 1, size: int = 50
) -> list[SellerPayment]:
    """Payments of a vendor in a state, the oldest reception first."""
    return list(
        db.session.scalars(
            select(SellerPayment)
            .where(SellerPayment.vendor_id == vendor_id, SellerPayment.status == state)
            .order_by(SellerPayment.received_at, SellerPayment.id)
            .limit(size)
            .offset((number - 1) * size)
            .options(selectinload(SellerPayment.offer), selectinload(SellerPayment.customer))
        )
    )


def next_step(payment: SellerPayment) -> str:
    """What the seller may expect now, in a sentence for a mail."""
    if not payment.amount_cents:
        return _("There is nothing to pay.")
    if payment.status is S.awaiting_iban:
        if any(has_left(one) and one.amount_cents for one in payment.offer.payments):
            return _("To be paid, give your IBAN in your account.")
        return _("To be paid, give your IBAN in your account, or choose store credit.")
    if payment.status is S.to_pay:
        details = bank_details.of(payment.customer_id)
        return _(
            "Your payment leaves with the shop's next transfer file, for the account ending in"
            " %(tail)s.",
            tail=details.iban_tail if details else "",
        )
    if payment.status is S.held:
        return bank_details.wait_words(payment.customer_id)
    return ""


def words_for_seller(payment: SellerPayment) -> Any:
    """What the seller reads of his payment."""
    if payment.status is S.paid and not payment.amount_cents:
        return _("Nothing to pay")
    if payment.status is S.paid and payment.means is PaymentMeans.store_credit:
        return _("Paid in store credit")
    if payment.status is S.awaiting_iban and payment.reject_reason:
        return SELLER_WORDS[S.rejected]
    if payment.status is S.in_file and payment.told_at is None:  # the file is still being made
        return SELLER_WORDS[S.to_pay]
    return SELLER_WORDS[payment.status]


# ── what it holds of a person ──


def _export(customer: Customer) -> list[dict[str, Any]]:
    rows = select(SellerPayment).where(SellerPayment.customer_id == customer.id)
    return [
        {
            "sale": p.reference,
            "amount_cents": p.amount_cents,
            "means": p.means.value,
            "state": p.status.value,
            "paid_at": p.paid_at.isoformat() if p.paid_at else None,
        }
        for p in db.session.scalars(rows)
    ]


personal.rule("payments", export=_export)
