"""What vendors' software is told: signed as Standard Webhooks say, tried for three days, every try
visible, any of them replayed.

The body is thin (type, moment, a few keys): the other side asks for the rest at the door for
machines. Deliveries are rows of the unit that caused them; the outbox carries them out.
"""

import base64
import hashlib
import hmac
import json
import re
import secrets
from datetime import timedelta
from typing import Any, NotRequired, TypedDict
from urllib.parse import urlsplit

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import bindparam, select

from gateways import GatewayError, live
from models import DeliveryState, Vendor, Webhook, WebhookDelivery, WebhookState
from services import clock, outbox, retention, sealing, workflow
from services.unit import db
from services.workflow import Actor, Move, Refused, Workflow

S, D = WebhookState, DeliveryState
workflow.name_states(
    (S.active, _l("Active"), "ok"),
    (S.paused, _l("Paused"), "off"),
    (S.gone, _l("Stopped: the address answered that it is gone"), "bad"),
    (D.to_deliver, _l("To deliver"), "info"),
    (D.delivered, _l("Delivered"), "ok"),
    (D.not_delivered, _l("Given up"), "bad"),
)
WEBHOOK = Workflow(
    "webhook",
    Move("pause", _l("Pause"), {S.active}, S.paused, done=_l("Paused")),
    Move("resume", _l("Start again"), {S.paused, S.gone}, S.active, done=_l("Started again")),
    Move("send_trial", _l("Send a trial"), {S.active}, None, done=_l("A trial was sent")),
    Move("close", _l("Gone"), {S.active, S.paused}, S.gone, by=(workflow.TIME,)),
)
DELIVERY = Workflow(
    "webhook_delivery",
    Move("tell", _l("Delivered"), {D.to_deliver}, D.delivered, by=(workflow.TIME,)),
    Move("give_up", _l("Given up"), {D.to_deliver}, D.not_delivered, by=(workflow.TIME,)),
    Move(
        "replay",
        _l("Send again"),
        {D.delivered, D.not_delivered},
        D.to_deliver,
        done=_l("Sent again"),
    ),
)
workflow.says(
    "webhook",
    open_webhook=_l("Webhook opened"),
    renew_secret=_l("Secret changed"),
)
sealing.keeps(Webhook, "secret_sealed", lambda row: f"webhook.secret:{row.id}")
sealing.keeps(Webhook, "previous_sealed", lambda row: f"webhook.previous:{row.id}")

# What can be listened to (object.past_participle).
EVENTS = {
    "stock.changed": _l("The stock of a store changed"),
    "import.completed": _l("A file was loaded or refused"),
    "stock.conflicted": _l("A shop sold what an order had been promised"),
    "product.validated": _l("A product you proposed may be sold"),
    "product.refused": _l("A product you proposed is not taken"),
    "listing.delisted": _l("One of your sale offers is no longer shown"),
    "buyback.submitted": _l("A seller finished an offer"),
    "buyback.validated": _l("An offer was accepted"),
    "buyback.received": _l("A parcel was controlled to its end"),
    "buyback.item_rejected": _l("An article was refused at the bench"),
    "buyback.paid": _l("A seller was paid"),
    "order.assigned": _l("A store of yours has an order to accept"),
    "order.accepted": _l("An order was accepted"),
    "order.modified": _l("An order lost some of its units"),
    "order.refused": _l("An order was refused: nothing of it is there"),
    "order.canceled": _l("An order was cancelled"),
    "order.ready_to_collect": _l("An order waits for its buyer"),
    "order.collected": _l("An order was collected"),
}

_ORDER = {"order": "1702-A", "store": "N1", "store_id": 3}
# What each event carries in `data`, as an example of the very fields (shown in the manual).
DATA: dict[str, dict[str, Any]] = {
    "stock.changed": {"store": "N1", "store_id": 3},
    "import.completed": {"import_id": 118, "kind": "stock", "status": "COMPLETE"},
    "stock.conflicted": {"conflict": 12, "holder": "1702-A", "store": "N1", "store_id": 3},
    "product.validated": {"product": 42, "eans": ["5060327534393"]},
    "product.refused": {"product": 42, "eans": ["5060327534393"], "reason": "Doublon"},
    "listing.delisted": {"sku": "ZEPH-36", "reason": "ZERO_QUANTITY"},
    "buyback.submitted": {"number": "CDE000000042"},
    "buyback.validated": {"number": "CDE000000042"},
    "buyback.received": {"number": "CDE000000042"},
    "buyback.item_rejected": {"number": "CDE000000042", "ean": "5060327534393"},
    "buyback.paid": {"number": "CDE000000042", "reference": "CDE000000042-C"},
    "order.assigned": _ORDER,
    "order.accepted": _ORDER,
    "order.modified": _ORDER,
    "order.refused": _ORDER,
    "order.canceled": _ORDER,
    "order.ready_to_collect": _ORDER,
    "order.collected": _ORDER,
}

# Told to one address when somebody asks for it.
TRIAL = "webhook.trial"

# An address registered before an event was renamed goes on receiving it under the old name, and
# never under both, until its owner chooses the new one.
FORMERLY = {"listing.delisted": "offer.delisted"}


def open_for(vendor: Vendor, url: str, events: list[str], *, by: Actor) -> tuple[Webhook, str]:
    """A new address to tell; returns it with its secret, shown once. Raises Refused when the
    address is none.
    """
    url, events = check_url(url), list(dict.fromkeys(events))
    unknown = set(events) - set(EVENTS)
    if unknown or not events:
        raise Refused(_("Choose what this address is told."))
    secret = "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()
    row = Webhook(
        vendor_id=vendor.id,
        url=url,
        events=" ".join(events),
        status=S.active,
        secret_sealed="",
        created_at=clock.now(),
    )
    db.session.add(row)
    db.session.flush()
    row.secret_sealed = sealing.seal(secret, f"webhook.secret:{row.id}")
    workflow.record(row, "open_webhook", by=by, url=url)
    return row, secret


def check_url(url: str) -> str:
    url = url.strip()
    try:
        parts = urlsplit(url)
        port_is_one = parts.port is None or parts.port > 0
    except ValueError:
        port_is_one = False
    if (
        not port_is_one
        or not re.fullmatch(r"https?://[A-Za-z0-9.\-\[\]:]+(/[!-~]*)?", url)
        or parts.username
        or len(url) > 500
    ):
        raise Refused(
            _("This is no web address: write https://… as your software's editor gives it.")
        )
    return url


def renew_secret(row: Webhook, *, by: Actor) -> str:
    """A new secret, shown once; the old one signs beside it until the next change, so that nothing
    is lost meanwhile.
    """
    db.session.refresh(row, with_for_update=True)  # two clicks: the second one renews the first
    old = sealing.unseal(row.secret_sealed, f"webhook.secret:{row.id}")
    secret = "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()
    row.previous_sealed = sealing.seal(old, f"webhook.previous:{row.id}")
    row.secret_sealed = sealing.seal(secret, f"webhook.secret:{row.id}")
    workflow.record(row, "renew_secret", by=by)
    return secret


def send_trial(row: Webhook, *, by: Actor) -> WebhookDelivery:
    """A first event for an address, whatever it listens to: `webhook.trial`, signed as the others,
    followed under « What was told ». Raises Refused when the address does not listen.
    """
    WEBHOOK.fire(row, "send_trial", by=by)
    return _deliver(row, TRIAL, _body(TRIAL, {"webhook_id": row.id}), _message_id())


def pause(row: Webhook, *, by: Actor) -> None:
    WEBHOOK.fire(row, "pause", by=by)


def resume(row: Webhook, *, by: Actor) -> None:
    WEBHOOK.fire(row, "resume", by=by)


_LISTENING = select(Webhook).where(
    Webhook.vendor_id == bindparam("vendor"), Webhook.status == S.active
)


def is_heard(vendor_id: int, event: str) -> bool:
    """Whether anybody listens: asked once before many are told."""
    rows = db.session.scalars(_LISTENING, {"vendor": vendor_id})
    return any(_name_heard(row, event) for row in rows)


def _name_heard(row: Webhook, event: str) -> str | None:
    """The name under which an address hears an event: today's, else the former one, else None."""
    chosen = row.events.split()
    return next((name for name in (event, FORMERLY.get(event)) if name in chosen), None)


def listeners(event: str) -> set[int]:
    """The vendors an address of whom listens to an event."""
    rows = select(Webhook).where(Webhook.status == S.active)
    return {
        row.vendor_id for row in db.session.scalars(rows) if _name_heard(row, event) is not None
    }


def tell(vendor_id: int, event: str, data: dict[str, Any]) -> int:
    """Leave a delivery for each address of a vendor that listens to this event; what still waits
    with the same words is not said twice.
    """
    if data.keys() != DATA[event].keys():
        raise ValueError(f"{event} carries {sorted(DATA[event])}, not {sorted(data)}")
    count = 0
    for row in db.session.scalars(_LISTENING, {"vendor": vendor_id}):
        name = _name_heard(row, event)
        if name is None:
            continue
        body = _body(name, data)
        waiting = db.session.scalars(
            select(WebhookDelivery.body)
            .where(
                WebhookDelivery.webhook_id == row.id,
                WebhookDelivery.event == name,
                WebhookDelivery.status == D.to_deliver,
                WebhookDelivery.tries == 0,
            )
            .limit(50)
        )
        if any(json.loads(known)["data"] == data for known in waiting):
            continue
        _deliver(row, name, body, _message_id())
        count += 1
    return count


def _body(name: str, data: dict[str, Any]) -> str:
    said = {"type": name, "timestamp": clock.now().isoformat(timespec="seconds"), "data": data}
    return json.dumps(said, separators=(",", ":"), sort_keys=True)


def _message_id() -> str:
    return f"msg_{secrets.token_hex(12)}"


def replay(delivery: WebhookDelivery, *, by: Actor) -> None:
    """Send it once more, under the same id, so that the other side can tell it knows it. Raises
    Refused when its address no longer listens.
    """
    if delivery.webhook.status is not S.active:
        raise Refused(_("This address no longer listens: start it again first."))
    DELIVERY.fire(delivery, "replay", by=by)
    key = f"webhook:{delivery.message_id}:{secrets.token_hex(4)}"
    _queue(delivery, key)


def _deliver(row: Webhook, event: str, body: str, message_id: str) -> WebhookDelivery:
    delivery = WebhookDelivery(
        vendor_id=row.vendor_id,
        webhook_id=row.id,
        message_id=message_id,
        event=event,
        body=body,
        status=D.to_deliver,
        created_at=clock.now(),
    )
    db.session.add(delivery)
    db.session.flush()
    # Not by its number, which SQLite gives again: a task that was given up stays longer than the
    # delivery.
    _queue(delivery, f"webhook:{message_id}")
    return delivery


def _queue(delivery: WebhookDelivery, key: str) -> None:
    called = {"address": delivery.webhook_id, "vendor": delivery.vendor_id}
    outbox.add("webhook", key, delivery=delivery.id, **called)


def signatures(secrets_: list[str], message_id: str, timestamp: int, body: str) -> str:
    """« v1,<base64> », one for each secret: HMAC-SHA-256 of id.timestamp.body (Standard Webhooks
    1.0).
    """
    signed = f"{message_id}.{timestamp}.{body}".encode()
    return " ".join(
        "v1,"
        + base64.b64encode(
            hmac.new(
                base64.b64decode(secret.removeprefix("whsec_")), signed, hashlib.sha256
            ).digest()
        ).decode()
        for secret in secrets_
    )


# ── the worker's door ──


class Delivery(TypedDict):
    """What the outbox keeps of a call to make: the delivery, the address it goes to and whose it
    is, which rows of before 0.4.6 do not name.
    """

    delivery: int
    address: NotRequired[int]
    vendor: NotRequired[int]


def _call(payload: Delivery, key: str) -> str:
    delivery = db.session.get(WebhookDelivery, payload["delivery"])
    if delivery is None or live.webhooks is None:
        raise GatewayError(
            _("Nobody delivers to vendors' software here."), permanent=delivery is None, waits=True
        )
    row = delivery.webhook
    if row.status is not S.active:
        raise GatewayError(_("This address no longer listens."), permanent=True)
    keys = [sealing.unseal(row.secret_sealed, f"webhook.secret:{row.id}")]
    if row.previous_sealed:
        keys.append(sealing.unseal(row.previous_sealed, f"webhook.previous:{row.id}"))
    url, message_id, body, now = (
        row.url,
        delivery.message_id,
        delivery.body,
        int(clock.now().timestamp()),
    )
    db.session.rollback()
    headers = {
        "content-type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(now),
        "webhook-signature": signatures(keys, message_id, now, body),
        "user-agent": "Comptoir",
    }
    return str(live.webhooks.post(url, headers, body.encode()))


def _record(payload: Delivery, answer: str | None, error: str | None) -> None:
    delivery = db.session.get(WebhookDelivery, payload["delivery"])
    if delivery is None:
        return
    delivery.tries += 1
    if answer == "410":
        delivery.answer = "HTTP 410"
        DELIVERY.fire(delivery, "give_up", by=workflow.CLOCK)
        if delivery.webhook.status is not S.gone:
            WEBHOOK.fire(delivery.webhook, "close", by=workflow.CLOCK)
    elif answer is not None:
        delivery.answer, delivery.told_at = f"HTTP {answer}", clock.now()
        DELIVERY.fire(delivery, "tell", by=workflow.CLOCK)
    elif error is not None:
        delivery.answer = error[:200]
        DELIVERY.fire(delivery, "give_up", by=workflow.CLOCK)


def _taken_back(payload: Delivery) -> None:
    """The address was told nothing: the delivery goes."""
    delivery = db.session.get(WebhookDelivery, payload["delivery"])
    if delivery is not None:
        db.session.delete(delivery)


outbox.handles(
    "webhook",
    _l("Software to tell"),
    call=_call,
    record=_record,
    taken_back=_taken_back,
    partner=lambda payload: f"{payload.get('vendor', 0)}/{payload.get('address', 0)}",
)
retention.rule(
    "webhooks",
    _l("What vendors' software was told"),
    lambda: _l("one month"),
    _l("To see why a till did not follow."),
    WebhookDelivery,
    lambda now: select(WebhookDelivery.id).where(
        WebhookDelivery.created_at < now - timedelta(days=31),
        WebhookDelivery.status != D.to_deliver,
    ),
    retention.gone,
)
