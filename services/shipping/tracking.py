"""Tracking: the carrier is asked where parcels are, and each label moves forward, never back."""

import logging
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from sqlalchemy import select

from gateways import Carrier, CarrierAccount, GatewayError, Tracking
from models import CarrierContract, Label, LabelEvent, LabelState
from services import clock, sealing
from services.shipping import contracts, labels
from services.unit import db, retried, unit_of_work
from services.workflow import CLOCK, Actor

log = logging.getLogger(__name__)
S = LabelState
HOURS_BETWEEN_LOOKS = 3
AT_ONCE = 4
# What the carrier says, as a move; and where each state stands on the way.
VERBS = {"in_transit": "drop", "at_relay": "arrive", "delivered": "deliver", "incident": "trouble"}
_RANK = {S.made: 0, S.in_transit: 1, S.at_relay: 2, S.delivered: 3}


def to_follow(limit: int = 500) -> list[int]:
    """Labels it is time to ask the carrier about."""
    rows = select(Label.id).where(
        Label.follow_at <= clock.now(), Label.status.in_(labels.TRAVELLING), Label.number != ""
    )
    return list(db.session.scalars(rows.order_by(Label.follow_at).limit(limit)))


def follow(ids: Iterable[int]) -> int:
    """Ask carriers where parcels are, a few at a time, and move each label in a unit of its own.
    Returns how many answered.
    """
    questions: list[tuple[int, Carrier, CarrierAccount, str]] = []
    accounts: dict[int, CarrierAccount | None] = {}
    for label in db.session.scalars(select(Label).where(Label.id.in_(list(ids)))):
        carrier, contract = contracts.carrier(label.carrier), label.contract
        if carrier is None or contract is None or not carrier.follows or not label.number:
            continue
        if contract.id not in accounts:
            accounts[contract.id] = _open(contract)
        if (account := accounts[contract.id]) is not None:
            questions.append((label.id, carrier, account, label.number))
    db.session.rollback()
    done = 0
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = pool.map(lambda q: _ask(*q[1:]), questions)
        for (id, *_rest), answer in zip(questions, answers, strict=True):

            def write(id: int = id, answer: Tracking | None = answer) -> None:
                with unit_of_work() as session:
                    label = session.get(Label, id)
                    if label is not None:
                        tracked(label, answer)

            try:
                retried(write)
                done += answer is not None
            except Exception:  # one parcel must not stop the tour; it is asked again at the next
                log.exception("label %s could not be followed", id)
    return done


def _open(contract: CarrierContract) -> CarrierAccount | None:
    try:
        return None if contracts.why_no_label(contract) else contracts.account(contract)
    except sealing.CannotOpen:
        log.exception("the secrets of carrier contract %s cannot be opened", contract.id)
        return None


def _ask(carrier: Carrier, account: CarrierAccount, number: str) -> Tracking | None:
    try:
        return carrier.track(account, number)
    except GatewayError:
        return None
    except Exception:
        log.exception("tracking of %s failed", number)
        return None


def tracked(label: Label, answer: Tracking | None) -> None:
    """Write down what the carrier saw and move the label forward, never back. None: the carrier did
    not answer and is asked again later.
    """
    label.follow_at = clock.now() + timedelta(hours=HOURS_BETWEEN_LOOKS)
    if answer is None:
        return
    written = {(event.at, event.words) for event in label.events}
    for seen in answer.events:
        if (seen.at, seen.words) not in written:
            written.add((seen.at, seen.words))
            db.session.add(
                LabelEvent(
                    label_id=label.id,
                    at=seen.at,
                    words=seen.words[:200],
                    place=seen.place[:100],
                    relay=seen.relay[:6],
                )
            )
    label.last_words = answer.words[:200]
    verb = VERBS.get(answer.state)
    if verb is None or not _is_ahead(label, answer.state):
        return
    labels.move(label, verb, by=CLOCK, seen=answer)


def _is_ahead(label: Label, said: str) -> bool:
    """Whether what the carrier says is further on the way than what the label says."""
    if label.status not in labels.TRAVELLING:
        return False
    if said == "incident":
        return label.status is not S.incident
    return _RANK[S(said)] > _RANK.get(label.status, -1)


def say(label: Label, verb: str, *, by: Actor) -> None:
    """Staff say where the parcel is: it came by another way, or the carrier does not say it."""
    labels.move(label, verb, by=by)


def stop(label: Label | None) -> None:
    """Ask the carrier no more: the parcel is in our hands, or will not come."""
    if label is not None:
        label.follow_at = None
