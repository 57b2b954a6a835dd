"""The addresses of a vendor's software that are told what happens, for the software itself."""

from collections.abc import Callable
from typing import Annotated, Any, ClassVar

from flask import Response
from flask_babel import gettext as _
from pydantic import AfterValidator, Field
from sqlalchemy import Select, select

from api import problem, routes
from api.fields import MOST_ID, N_, Answer, At, Body, Text, UpTo, refuse
from models import MachineKey, Vendor, Webhook
from services import webhooks
from services.people import machine_keys
from services.unit import db, unit_of_work
from services.workflow import Refused

_NOTHING = N_("You registered no address under this number.")
_ITSELF = N_("The address.")


class Address(Answer):
    """`secret`: shown once, when the address is registered."""

    id: int
    url: str
    events: list[str]
    status: str
    created_at: At
    secret: str = ""


class Addresses(Answer):
    """`events`: all that can be listened to."""

    results: list[Address]
    events: list[str]


def _address(row: Webhook, **more: str) -> Address:
    return Address(
        id=row.id,
        url=row.url,
        events=row.events.split(),
        status=row.status.value,
        created_at=row.created_at,
        **more,
    )


@routes.get(
    "/webhooks",
    N_("Your addresses that are told what happens"),
    scopes=("webhooks",),
    returns=N_("All of them, and the events there are."),
)
def addresses(key: MachineKey) -> Addresses:
    """`status`: active, paused, or gone after an answer 410."""
    rows = select(Webhook).where(Webhook.vendor_id == key.vendor_id).order_by(Webhook.id)
    return Addresses(
        results=[_address(row) for row in db.session.scalars(rows)],
        events=sorted(webhooks.EVENTS),
    )


def _known_event(name: str) -> str:
    if name not in webhooks.EVENTS:
        refuse("choice", _("Give one of: %(choices)s.", choices=", ".join(sorted(webhooks.EVENTS))))
    return name


class NewAddress(Body):
    EXAMPLE: ClassVar[dict[str, Any]] = {
        "url": "https://caisse.example/comptoir",
        "events": ["stock.changed", "import.completed"],
    }
    url: Annotated[str, Text(500, blank=False), Field(description=N_("https://…"))]
    events: Annotated[
        list[Annotated[str, Text(40, blank=False), AfterValidator(_known_event)]], UpTo(50)
    ]


@routes.post(
    "/webhooks",
    N_("Register an address"),
    scopes=("webhooks",),
    returns=N_("The address with its secret, which is shown only here."),
    status=201,
)
def register(key: MachineKey, body: NewAddress) -> Address | Response:
    """Its calls are signed with the secret (Standard Webhooks). The answer is not kept for an
    Idempotency-Key: asked again, the address is known already.
    """
    with unit_of_work() as session:
        known = select(Webhook.id).where(
            Webhook.vendor_id == key.vendor_id, Webhook.url == body.url.strip()
        )
        if session.scalar(known.limit(1)) is not None:
            raise Refused(_("This address is told already."), code="address_known")
        vendor = session.get_one(Vendor, key.vendor_id)
        row, secret = webhooks.open_for(vendor, body.url, body.events, by=machine_keys.actor(key))
        answer = routes.written(_address(row, secret=secret), 201)
        answer.headers["Cache-Control"] = "no-store"
        return answer


class Trial(Answer):
    webhook_id: int
    message_id: str


@routes.post(
    "/webhooks/<int:id>/trial",
    N_("Send a first event to an address"),
    scopes=("webhooks",),
    returns=N_("The webhook-id it is sent under; it leaves within a few seconds."),
    status=202,
    problems={404: _NOTHING},
)
def trial(key: MachineKey, id: Annotated[int, Field(ge=1, le=MOST_ID)]) -> Trial | Response:
    """The event is `webhook.trial`, whatever the address listens to."""
    with unit_of_work() as session:
        row = session.scalar(_of(key, id))
        if row is None:
            return problem(404, "not_found", _(_NOTHING))
        delivery = webhooks.send_trial(row, by=machine_keys.actor(key))
        return Trial(webhook_id=row.id, message_id=delivery.message_id)


@routes.post(
    "/webhooks/<int:id>/pause",
    N_("An address is told nothing for the moment"),
    scopes=("webhooks",),
    returns=_ITSELF,
    problems={404: _NOTHING},
)
def pause(key: MachineKey, id: Annotated[int, Field(ge=1, le=MOST_ID)]) -> Address | Response:
    """What happens meanwhile is not told later: ask for the changes from your cursor on."""
    return _change(key, id, webhooks.pause)


@routes.post(
    "/webhooks/<int:id>/resume",
    N_("An address is told again"),
    scopes=("webhooks",),
    returns=_ITSELF,
    problems={404: _NOTHING},
)
def resume(key: MachineKey, id: Annotated[int, Field(ge=1, le=MOST_ID)]) -> Address | Response:
    """Also one that had answered 410."""
    return _change(key, id, webhooks.resume)


def _change(key: MachineKey, id: int, verb: Callable[..., None]) -> Address | Response:
    with unit_of_work() as session:
        row = session.scalar(_of(key, id))
        if row is None:
            return problem(404, "not_found", _(_NOTHING))
        verb(row, by=machine_keys.actor(key))
        return _address(row)


def _of(key: MachineKey, id: int) -> Select[Webhook]:
    return select(Webhook).where(Webhook.vendor_id == key.vendor_id, Webhook.id == id)
