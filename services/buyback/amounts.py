"""What a sale is worth, at each of its steps: announced, agreed, accepted, fee, bonus, paid.

One computation for everybody who reads an amount: lists, pages, mails, documents and the back
office (domain.md § 2.47). Every amount is in cents.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum, auto

from flask_babel import gettext as _

from models import (
    LineState,
    Offer,
    OfferLine,
    OfferState,
    PaymentMeans,
    PaymentPart,
    PaymentState,
    SellerPayment,
)
from services.buyback import letters, parcels
from services.payments import store_credit

S = OfferState
# Sales that end without a purchase: nothing is agreed, nothing will be paid.
WITHOUT_PURCHASE = (S.refused, S.declined, S.deleted, S.abandoned)


class Step(StrEnum):
    """The name of an amount."""

    announced = auto()
    agreed = auto()
    accepted = auto()
    fee = auto()
    bonus = auto()
    paid_so_far = auto()
    paid = auto()


@dataclass(frozen=True)
class Amounts:
    """The amounts of one sale, in cents. `agreed_cents` is what the shop agreed to, or proposes at
    a second chance; `accepted_cents` is None before the reception has ended; `bonus_cents` is what
    store credit adds; `left_cents` is what of `paid_cents` is not paid yet, with the bonus
    `left_bonus_cents` in it.
    """

    announced_cents: int
    agreed_cents: int
    accepted_cents: int | None = None
    fee_cents: int = 0
    bonus_cents: int = 0
    left_cents: int = 0
    left_bonus_cents: int = 0
    means: PaymentMeans = PaymentMeans.transfer
    is_paid: bool = False
    is_partly_paid: bool = False
    has_purchase: bool = True
    is_proposed: bool = False  # a second chance the seller has not answered

    @property
    def paid_cents(self) -> int | None:
        """What the seller gets, or got, once everything is taken into account; None before the
        reception has ended.
        """
        if self.accepted_cents is None:
            return None
        return self.accepted_cents - self.fee_cents + self.bonus_cents

    @property
    def now_cents(self) -> int:
        """The amount that counts today: paid, else agreed, else announced."""
        if not self.has_purchase:
            return self.announced_cents
        return self.agreed_cents if self.paid_cents is None else self.paid_cents

    @property
    def moved(self) -> bool:
        """Whether the amount that counts is no longer the one announced."""
        return self.now_cents != self.announced_cents

    def rows(self) -> list[tuple[Step, str, int]]:
        """The amounts to show one under the other, named: a fee is negative, what did not change
        is not repeated.
        """
        found = [(Step.announced, _("Announced"), self.announced_cents)]
        if not self.has_purchase:
            return found
        if self.agreed_cents != self.announced_cents:
            words = _("Proposed by the shop") if self.is_proposed else _("Agreed by the shop")
            found.append((Step.agreed, words, self.agreed_cents))
        if self.accepted_cents is None:
            return found
        found.append((Step.accepted, _("Accepted at the check"), self.accepted_cents))
        if self.fee_cents:
            found.append((Step.fee, _("Sending your articles back"), -self.fee_cents))
        if self.bonus_cents:
            found.append((Step.bonus, _("Bonus of store credit"), self.bonus_cents))
        paid = self.paid_cents or 0
        if self.is_partly_paid and self.left_cents:
            found.append((Step.paid_so_far, self._words_of(True), paid - self.left_cents))
            found.append((Step.paid, _("Still to be paid"), self.left_cents))
        else:
            found.append((Step.paid, self._words_of(self.is_paid), paid))
        return found

    def _words_of(self, is_paid: bool) -> str:
        if self.means is PaymentMeans.store_credit:
            return _("Credited") if is_paid else _("Store credit to come")
        return _("Paid") if is_paid else _("To be paid")


def of(offer: Offer, given: dict[str, int] | None = None) -> Amounts:
    """The amounts of a sale. `given` spares a read where many are asked for: the credit that was
    given, bonus included, by the references of the payments.
    """
    received = offer.status in (S.received, S.settled)
    payments = offer.payments if received else []
    bonuses = _bonuses(payments, given)
    made = [payment for payment in payments if _is_made(payment)]
    left = sum(
        payment.amount_cents + bonuses.get(payment.id, 0)
        for payment in payments
        if payment not in made
    )
    return Amounts(
        announced_cents=offer.proposed_cents,
        agreed_cents=_agreed(offer),
        accepted_cents=accepted_cents(offer) if received else None,
        fee_cents=fee_cents(offer) if received else 0,
        bonus_cents=sum(bonuses.values()),
        left_cents=left,
        left_bonus_cents=sum(bonuses.get(one.id, 0) for one in payments if one not in made),
        means=offer.means,
        is_paid=bool(made) and not left,
        is_partly_paid=any(payment.amount_cents for payment in made),
        has_purchase=offer.status not in WITHOUT_PURCHASE,
        is_proposed=offer.status is S.second_chance,
    )


def _is_made(payment: SellerPayment) -> bool:
    """Whether it was paid, or its seller was told that it is on its way."""
    return payment.status is PaymentState.paid or payment.told_at is not None


def _bonuses(payments: Iterable[SellerPayment], given: dict[str, int] | None) -> dict[int, int]:
    """What store credit adds to each payment, by its id: what was given, else what will be."""
    credited = [one for one in payments if one.means is PaymentMeans.store_credit]
    if given is None and credited:
        given = store_credit.given([payment.reference for payment in credited])
    found = {}
    for payment in credited:
        if payment.status is PaymentState.paid and payment.amount_cents:
            total = (given or {}).get(payment.reference, payment.amount_cents)
            found[payment.id] = total - payment.amount_cents
        else:
            found[payment.id] = store_credit.bonus_of(payment.amount_cents)
    return found


def of_all(offers: Iterable[Offer]) -> dict[int, Amounts]:
    """The amounts of many sales by their ids, with one read for the credit that was given."""
    sales = list(offers)
    references = [
        payment.reference
        for sale in sales
        for payment in sale.payments
        if payment.means is PaymentMeans.store_credit
    ]
    given = store_credit.given(references) if references else {}
    return {sale.id: of(sale, given) for sale in sales}


def counter_total(offer: Offer) -> int:
    """What the second chance would pay in all."""
    return sum(
        line.price_cents if line.counter_cents is None else line.counter_cents
        for line in letters.active_lines(offer)
    )


def accepted_cents(offer: Offer) -> int:
    """« Montant effectivement accepté »: the articles bought at the bench, and those whose new
    price the seller took since.
    """
    return sum(
        line.paid_cents or 0
        for line in offer.lines
        if line.removed_at is None and line.status is LineState.accepted
    )


def part_of(line: OfferLine) -> PaymentPart:
    """Which payment of its sale an article belongs to: the seller had to answer about it, or
    not. A sale that waited for every answer has one payment, the first, for all.
    """
    has_two = any(payment.part is PaymentPart.contested for payment in line.offer.payments)
    contested = has_two and line.answered_at is not None
    return PaymentPart.contested if contested else PaymentPart.first


def part_cents(offer: Offer, part: PaymentPart) -> int:
    """What the articles of a part are bought for, what sending back costs not taken yet."""
    return sum(
        line.paid_cents or 0
        for line in offer.lines
        if line.removed_at is None and line.status is LineState.accepted and part_of(line) is part
    )


def fee_cents(offer: Offer) -> int:
    """What sending articles back costs the seller."""
    back = parcels.return_parcel(offer)
    return back.fee_cents if back else 0


def _agreed(offer: Offer) -> int:
    return counter_total(offer) if offer.status is S.second_chance else offer.total_cents
