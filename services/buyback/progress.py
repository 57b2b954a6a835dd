"""How far a sale is, as its seller reads it: the stage of the sale, the steps done and to come, and
what the seller may still do. The offer, its parcel and its payment each have a state of their own;
here the three become one.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum, auto

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from models import (
    LineState,
    Offer,
    OfferLine,
    OfferState,
    ParcelState,
    PaymentMeans,
    PaymentPart,
    PaymentState,
    SellerPayment,
)
from services import workflow
from services.buyback import offers, parcels, reception
from services.payments import bank_details, seller_payments

S = OfferState
# From here on the slip exists, and stays readable when the sale is over.
WITH_SLIP = (S.accepted, S.received, S.settled, S.abandoned)
WITH_PAYMENT = (S.accepted, S.received, S.settled)


class Stage(StrEnum):
    """What happens next in a sale. Each has its panel, templates/portal/sell/next/<stage>.html."""

    to_check = auto()
    second_chance = auto()
    to_drop_off = auto()
    on_its_way = auto()
    incident = auto()
    on_the_bench = auto()
    to_answer = auto()
    awaiting_iban = auto()
    sent_back = auto()
    paying = auto()
    abandoned = auto()
    refused = auto()
    declined = auto()


# Where a parcel is, as its seller reads it (MG-022 to MG-024).
PARCEL_WORDS = {
    ParcelState.not_sent: _l("Validated, to be sent"),
    ParcelState.in_transit: _l("Awaiting reception"),
    ParcelState.at_relay: _l("Awaiting reception"),
    ParcelState.delivered: _l("Received, to be examined"),
    ParcelState.inspecting: _l("Being examined"),
    ParcelState.incident: _l("Incident of transport"),
}

ARTICLE_WORDS = {
    LineState.accepted: _l("Bought"),
    LineState.countered: _l("New price offered"),
    LineState.refused: _l("Not bought"),
    LineState.missing: _l("Not in the parcel"),
}

_ENDED = {S.abandoned: Stage.abandoned, S.refused: Stage.refused, S.declined: Stage.declined}


def stage(offer: Offer) -> Stage | None:
    """The stage of a finalised sale; None when nothing is left to say, which is when a received
    sale has no payment yet.
    """
    if offer.status is S.to_check:
        return Stage.to_check
    if offer.status is S.second_chance:
        return Stage.second_chance
    if offer.status is S.accepted:
        return _stage_of_parcel(offer)
    if offer.status is S.received and reception.pending(offer):
        return Stage.to_answer
    if offer.payment is not None:
        return _stage_of_payment(offer.payment)
    return _ENDED.get(offer.status)


def _stage_of_parcel(offer: Offer) -> Stage:
    parcel = parcels.live_parcel(offer)
    if parcel is not None and parcel.status is ParcelState.inspecting:
        return Stage.on_the_bench
    if parcel is not None and parcel.status is ParcelState.incident:
        return Stage.incident
    return Stage.on_its_way if parcel is not None and parcel.dropped_at else Stage.to_drop_off


def _stage_of_payment(payment: SellerPayment) -> Stage:
    if payment.status is not PaymentState.awaiting_iban:
        return Stage.paying
    return Stage.sent_back if payment.reject_reason else Stage.awaiting_iban


def words(offer: Offer) -> str:
    """The state of a sale in the seller's words: its payment says more than the offer, and a parcel
    that travels too.
    """
    if offer.status is S.received and reception.pending(offer):
        return _("Your answer is awaited")
    if offer.payment is not None and offer.status in (S.received, S.settled):
        return str(seller_payments.words_for_seller(offer.payment))
    parcel = parcels.live_parcel(offer) if offer.status is S.accepted else None
    if parcel is not None and parcel.status in PARCEL_WORDS:
        return str(PARCEL_WORDS[parcel.status])
    return str(offers.SELLER_WORDS[offer.status])


def way_words(offer: Offer) -> str:
    """Where the parcel of a sale is, in a sentence."""
    parcel = parcels.live_parcel(offer)
    if parcel is not None and parcel.status is ParcelState.delivered:
        return _("Your parcel arrived at the shop")
    if parcel is not None and parcel.status is ParcelState.at_relay:
        return _("Your parcel arrived near the shop: it collects it")
    return _("Your parcel is on its way")


def payment_words(payment: SellerPayment) -> str:
    """The state of one payment of a sale, as its seller reads it."""
    if payment.status is PaymentState.held and (
        payment.part is PaymentPart.contested and reception.pending(payment.offer)
    ):
        return _("After your answer")
    return str(seller_payments.words_for_seller(payment))


def article_words(line: OfferLine) -> str:
    """What became of an article, as its seller reads it."""
    return str(ARTICLE_WORDS.get(line.status) or workflow.words_of(line.status))


@dataclass(frozen=True)
class Step:
    """One line of the follow-up of a sale: what it is, when it happened (UTC), whether it is done,
    whether it is the one under way.
    """

    text: str
    at: datetime | None
    done: bool
    now: bool = False


def steps(offer: Offer) -> list[Step]:
    """The steps of a sale: those done, the one under way, those to come."""
    found = [Step(_("Offer sent"), offer.finalised_at, True)]
    if offer.status in (S.declined, S.refused):
        end = Step(str(offers.SELLER_WORDS[offer.status]), offer.decided_at, False)
        return _with_current([*found, end])
    decided = offer.status in WITH_SLIP
    parcel, payment = parcels.live_parcel(offer), offer.payment
    paid = is_paid(offer)
    found.append(Step(_("Validated"), offer.decided_at if decided else None, decided))
    for text, at in (
        (_("Parcel dropped off"), parcel.dropped_at if parcel else None),
        (_("Arrived at the shop"), parcel.delivered_at or parcel.opened_at if parcel else None),
        (_("Checked"), offer.received_at),
    ):
        found.append(Step(text, at, at is not None))
    paid_at = (payment.paid_at or payment.told_at) if payment and paid else None
    return _with_current([*found, Step(_("Paid"), paid_at, paid)])


def _with_current(found: list[Step]) -> list[Step]:
    current = next((one for one in found if not one.done), None)
    return [replace(one, now=one is current) for one in found]


def payment_sentence(offer: Offer) -> str:
    """What the seller may expect of a payment under way or made."""
    payment = offer.payment
    assert payment is not None
    if payment.status is PaymentState.held:
        if parcels.needs_identity(offer):
            return _("Your identity document is missing: answer our mail, or show it in the shop.")
        waits = bank_details.wait_words(payment.customer_id)
        return waits or _("The shop is finishing its checks.")
    if payment.status in (PaymentState.in_file, PaymentState.to_pay):
        return _("The bank may take a few days to show it.")
    return _("Thank you. Other games are welcome.")


def has_slip(offer: Offer) -> bool:
    return offer.status in WITH_SLIP


def has_statement(offer: Offer) -> bool:
    """Whether a statement says what was bought: the reception has ended, and the seller knows."""
    return offer.status in (S.received, S.settled) and offer.reception_told_at is not None


def has_payment(offer: Offer) -> bool:
    """Whether the page of the sale speaks of its payment."""
    return offer.status in WITH_PAYMENT


def can_choose_means(offer: Offer) -> bool:
    """Whether the seller may still choose between a transfer and store credit."""
    return offer.status in (S.to_check, S.second_chance, S.accepted, S.received) and not (
        _money_left(offer)
    )


def _money_left(offer: Offer) -> bool:
    """Whether money of a sale is on its way, or was paid."""
    return any(seller_payments.has_left(one) and one.amount_cents for one in offer.payments)


def is_credited(offer: Offer) -> bool:
    """Whether store credit was given for a sale: the choice is final."""
    return _money_left(offer) and offer.means is PaymentMeans.store_credit


def asks_for_iban(offer: Offer) -> bool:
    """Whether the account a transfer goes to is shown, and may be changed."""
    return offer.means is PaymentMeans.transfer and not is_paid(offer)


def is_paid(offer: Offer) -> bool:
    """Whether all the money of a sale left, or was paid."""
    return bool(offer.payments) and all(map(seller_payments.has_left, offer.payments))
