"""What a task of the outbox is about: the page of its letter, parcel, file or transfer, for whoever
looks into it.
"""

from collections.abc import Callable
from typing import Any

from flask import url_for
from flask_babel import gettext as _

from models import ImportRun, Label, Message, Outbox, TransferBatch, WebhookDelivery
from services.unit import db


def _label(label: Label) -> tuple[str, str]:
    words = _("Label of %(what)s", what=label.reference)
    return words, url_for("ParcelView.show", pk=label.parcel_id)


# By the name of the payload's number: the table, and its words and address.
_ABOUT: dict[str, tuple[Any, Callable[[Any], tuple[str, str]]]] = {
    "message": (
        Message,
        lambda row: (
            _("Letter to %(who)s", who=row.recipient),
            url_for("MessageView.show", pk=row.id),
        ),
    ),
    "label": (Label, _label),
    "run": (
        ImportRun,
        lambda row: (
            _("File « %(name)s »", name=row.file_name),
            url_for("ImportView.follow", id=row.id),
        ),
    ),
    "batch": (
        TransferBatch,
        lambda row: (
            _("Transfer file %(number)s", number=row.number),
            url_for("PaymentsView.batch", id=row.id),
        ),
    ),
    "delivery": (
        WebhookDelivery,
        lambda row: (
            _("Event told to %(address)s", address=row.webhook.url),
            url_for("DeliveryView.show", pk=row.id),
        ),
    ),
}


def of(task: Outbox) -> tuple[str, str] | None:
    """Words and address of what a task is about; None when it is gone, or not theirs to see."""
    for name, (model, say) in _ABOUT.items():
        id = (task.payload or {}).get(name)
        if isinstance(id, int):
            row = db.session.scalar(db.select(model).where(model.id == id))
            return say(row) if row is not None else None
    return None
