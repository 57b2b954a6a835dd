"""A form sent twice counts once: the second sending is led to where the first one went."""

from datetime import timedelta

from sqlalchemy import delete

from models import FormUse
from services import clock
from services.unit import db


def seen(token: str) -> str | None:
    """Where the first sending of this form led, or None."""
    used = db.session.get(FormUse, token[:64]) if token else None
    return used.location if used else None


def done(token: str, location: str) -> None:
    """Remember it, in the unit of what the form did: both or neither (the key is unique, so two at
    once make one).
    """
    if token:
        db.session.add(FormUse(token=token[:64], location=location, at=clock.now()))


def forget_old() -> None:
    db.session.execute(delete(FormUse).where(FormUse.at < clock.now() - timedelta(days=2)))
