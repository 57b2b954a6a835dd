"""The dossier of a sale: what is to be done next, and everything that happened on one timeline: to
the offer, its parcels, its payment, its mails, and what the carrier saw.
"""

from enum import StrEnum, auto

from sqlalchemy import select

from models import (
    LabelEvent,
    Message,
    Offer,
    OfferState,
    ParcelState,
    PaymentState,
)
from services import timeline
from services.buyback import parcels, reception
from services.timeline import MOST, Fact
from services.unit import db


class Next(StrEnum):
    """What somebody does next with a sale, or waits for."""

    validate = auto()
    await_answer = auto()
    mend_label = auto()
    await_parcel = auto()
    follow_parcel = auto()
    ask_carrier = auto()
    receive = auto()
    tell = auto()
    await_choices = auto()
    record_identity = auto()
    await_iban = auto()
    held = auto()
    pay = auto()
    await_bank = auto()
    send_back = auto()
    nothing = auto()


_OF_PARCEL = {
    ParcelState.not_sent: Next.await_parcel,
    ParcelState.in_transit: Next.follow_parcel,
    ParcelState.at_relay: Next.follow_parcel,
    ParcelState.incident: Next.ask_carrier,
    ParcelState.delivered: Next.receive,
    ParcelState.inspecting: Next.receive,
}
_OF_PAYMENT = {
    PaymentState.held: Next.held,
    PaymentState.awaiting_iban: Next.await_iban,
    PaymentState.to_pay: Next.pay,
    PaymentState.in_file: Next.await_bank,
}


def next_step(offer: Offer) -> Next:
    """The next step of a sale, as the shop sees it."""
    if offer.status is OfferState.to_check:
        return Next.validate
    if offer.status is OfferState.second_chance:
        return Next.await_answer
    if offer.status is OfferState.accepted:
        return _next_of_parcel(offer)
    if offer.status is OfferState.received and offer.reception_told_at is None:
        return Next.tell
    if offer.status is OfferState.received and reception.pending(offer):
        return Next.await_choices
    back = parcels.return_parcel(offer)
    if offer.payment is not None and offer.payment.status in _OF_PAYMENT:
        if offer.payment.status is PaymentState.held and parcels.needs_identity(offer):
            return Next.record_identity
        return _OF_PAYMENT[offer.payment.status]
    if back is not None and back.status is ParcelState.to_return:
        return Next.send_back
    return Next.nothing


def _next_of_parcel(offer: Offer) -> Next:
    parcel = parcels.live_parcel(offer)
    if parcel is None:
        return Next.nothing
    if parcels.is_awaited(parcel) and parcels.has_label_in_trouble(parcel):
        return Next.mend_label
    return _OF_PARCEL.get(parcel.status, Next.nothing)


def happened(offer: Offer) -> list[Fact]:
    """Everything that happened to a sale and to what hangs on it, newest first."""
    subjects = [("offer", [offer.id]), ("parcel", [parcel.id for parcel in offer.parcels])]
    subjects.append(("seller_payment", [payment.id for payment in offer.payments]))
    found = timeline.events(subjects, MOST)
    rows = select(Message).where(Message.offer_id == offer.id).order_by(Message.id.desc())
    found += [
        Fact(m.created_at, "message", m.subject, m.recipient, {}, m.id)
        for m in db.session.scalars(rows.limit(MOST))
    ]
    labels = [parcel.label.id for parcel in offer.parcels if parcel.label is not None]
    if labels:
        seen = select(LabelEvent).where(LabelEvent.label_id.in_(labels)).limit(MOST)
        found += [Fact(e.at, "carrier", e.words, e.place, {}) for e in db.session.scalars(seen)]
    return timeline.newest_first(found)
