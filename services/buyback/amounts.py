"""What a sale is worth, at each of its steps: announced, agreed, accepted, fee, bonus, paid.

One computation for everybody who reads an amount: lists, pages, mails, documents and the back
office (domain.md § 2.47). Every amount is in cents.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum, auto

from flask_babel import gettext as _

from models import LineState, Offer, OfferState, PaymentMeans, PaymentState
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
    paid = auto()


@dataclass(frozen=True)
class Amounts:
    """The amounts of one sale, in cents. `agreed_cents` is what the shop agreed to, or proposes at
    a second chance; `accepted_cents` is None before the reception has ended; `bonus_cents` is what
    store credit adds.
    """

    announced_cents: int
    agreed_cents: int
    accepted_cents: int | None = None
    fee_cents: int = 0
    bonus_cents: int = 0
    means: PaymentMeans = PaymentMeans.transfer
    is_paid: bool = False
    has_purchase: bool = True

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
            found.append((Step.agreed, _("Agreed by the shop"), self.agreed_cents))
        if self.accepted_cents is None:
            return found
        found.append((Step.accepted, _("Accepted at the check"), self.accepted_cents))
        if self.fee_cents:
            found.append((Step.fee, _("Sending your articles back"), -self.fee_cents))
        if self.bonus_cents:
            found.append((Step.bonus, _("Bonus of store credit"), self.bonus_cents))
        found.append((Step.paid, self._words_of_end(), self.paid_cents or 0))
        return found

    def _words_of_end(self) -> str:
        if self.means is PaymentMeans.store_credit:
            return _("Credited") if self.is_paid else _("Store credit to come")
        return _("Paid") if self.is_paid else _("To be paid")


def of(offer: Offer, given_cents: int | None = None) -> Amounts:
    """The amounts of a sale. `given_cents` spares a read where many are asked for: the credit that
    was given, bonus included.
    """
    received = offer.status in (S.received, S.settled)
    payment = offer.payment
    credited = payment is not None and payment.means is PaymentMeans.store_credit
    bonus = 0
    if received and credited:
        assert payment is not None
        if payment.status is PaymentState.paid and payment.amount_cents:
            given = (
                store_credit.given([offer.slip]).get(offer.slip, payment.amount_cents)
                if given_cents is None
                else given_cents
            )
            bonus = given - payment.amount_cents
        else:
            bonus = store_credit.bonus_of(payment.amount_cents)
    return Amounts(
        announced_cents=offer.proposed_cents,
        agreed_cents=_agreed(offer),
        accepted_cents=accepted_cents(offer) if received else None,
        fee_cents=fee_cents(offer) if received else 0,
        bonus_cents=bonus,
        means=offer.means,
        is_paid=payment is not None
        and (payment.status is PaymentState.paid or payment.told_at is not None),
        has_purchase=offer.status not in WITHOUT_PURCHASE,
    )


def of_all(offers: Iterable[Offer]) -> dict[int, Amounts]:
    """The amounts of many sales by their ids, with one read for the credit that was given."""
    sales = list(offers)
    slips = [
        sale.slip
        for sale in sales
        if sale.payment is not None and sale.payment.means is PaymentMeans.store_credit
    ]
    given = store_credit.given(slips) if slips else {}
    return {sale.id: of(sale, given.get(sale.number or "", None)) for sale in sales}


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


def fee_cents(offer: Offer) -> int:
    """What sending articles back costs the seller."""
    back = parcels.return_parcel(offer)
    return back.fee_cents if back else 0


def _agreed(offer: Offer) -> int:
    return counter_total(offer) if offer.status is S.second_chance else offer.total_cents
