"""What tills tell: one event, or the queue of a line that was cut. Numbered by the till, told as
often as it likes, counted once (docs/rules/stock.md).
"""

from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar, Literal, Self

from flask import Response
from flask_babel import gettext as _
from pydantic import Field, SkipValidation, ValidationError, model_validator
from sqlalchemy import Select, select
from sqlalchemy.orm import selectinload

from api import problem, routes
from api.door import store_of
from api.fields import MOST_ID, N_, Answer, At, Body, Ean, Moment, Price, Text, UpTo, Whole, refuse
from api.fields import problems as problems_of
from models import Condition, MachineKey, TillEventKind
from services import clock
from services.people import machine_keys
from services.stock import levels, tills
from services.unit import db, retried, unit_of_work
from services.workflow import Refused

MOST_EVENTS = 500
TOGETHER = 50
CONDITIONS = {condition.value.removesuffix("_unit"): condition for condition in Condition}


class TillState(Answer):
    name: str
    last_number: int
    missing: list[int]
    counts: bool


@routes.get(
    "/till",
    N_("Where this till stands with us"),
    scopes=("till",),
    returns=N_("Its last number, and the ones that never came or were refused."),
)
def till(key: MachineKey) -> TillState:
    """`counts`: whether the counts of this till are believed for its store."""
    return TillState(
        name=key.name,
        last_number=tills.last_number(key),
        missing=tills.missing(key),
        counts=key.counts,
    )


# ── the tills of a vendor, for software that sets up many ──


_NO_TILL = N_("You have no till under this number.")


class TillOfVendor(Answer):
    """`begins_with`: the first letters of its key. `key`: whole, shown once, when it is made."""

    id: int
    name: str
    store: str
    begins_with: str
    counts: bool
    created_at: At
    last_used_at: At | None
    key: str = ""


class TillsOfVendor(Answer):
    results: list[TillOfVendor]


class NewTill(Body):
    EXAMPLE: ClassVar[dict[str, Any]] = {"store": "N1", "name": "Caisse 1"}
    store: Annotated[
        str,
        Text(20),
        Field(
            description=N_("Code of one of your stores; a key that stands in one may leave it out.")
        ),
    ] = ""
    name: Annotated[str, Text(200, blank=False), Field(description=N_("As people call it."))]


@routes.get(
    "/tills",
    N_("Your tills whose keys are valid"),
    scopes=("tills",),
    returns=N_("All of them, or those of the store this key stands in."),
)
def tills_of_vendor(key: MachineKey) -> TillsOfVendor:
    """A till is a key with the scope `till`."""
    return TillsOfVendor(
        results=[_till(row) for row in db.session.scalars(_tills_of(key)) if _is_till(row)]
    )


@routes.post(
    "/tills",
    N_("Register a till"),
    scopes=("tills",),
    returns=N_("The till with its key, which is shown only here."),
    status=201,
)
def register_till(key: MachineKey, body: NewTill) -> TillOfVendor | Response:
    """Its key opens `till` and `catalogue`, in this store. A second till of the same name in a
    store is refused, so that a call repeated after a cut makes no second key.
    """
    with unit_of_work() as session:
        store = store_of(key, body.store)
        same = select(MachineKey.id).where(
            MachineKey.store_id == store.id,
            MachineKey.name == body.name,
            MachineKey.revoked_at.is_(None),
        )
        levels.lock_store(store.id)  # two calls at once
        if session.scalar(same.limit(1)) is not None:
            raise Refused(
                _(
                    "A till « %(name)s » of this store has a valid key: revoke it first.",
                    name=body.name,
                ),
                code="till_known",
            )
        row, secret = machine_keys.make(
            store.vendor, body.name, ["till", "catalogue"], by=machine_keys.actor(key), store=store
        )
        session.flush()
        answer = routes.written(_till(row, key=secret), 201)
        answer.headers["Cache-Control"] = "no-store"
        return answer


@routes.post(
    "/tills/<int:id>/revoke",
    N_("Revoke the key of a till"),
    scopes=("tills",),
    returns=N_("The till; its key opens nothing any more."),
    problems={404: _NO_TILL},
)
def revoke_till(key: MachineKey, id: int) -> TillOfVendor | Response:
    """What it told stays."""
    with unit_of_work() as session:
        row = session.scalar(_tills_of(key).where(MachineKey.id == id))
        if row is None or not _is_till(row):
            return problem(404, "not_found", _(_NO_TILL))
        machine_keys.revoke(row, by=machine_keys.actor(key))
        return _till(row)


def _tills_of(key: MachineKey) -> Select[MachineKey]:
    rows = (
        select(MachineKey)
        .where(
            MachineKey.vendor_id == key.vendor_id,
            MachineKey.store_id.is_not(None),
            MachineKey.revoked_at.is_(None),
        )
        .options(selectinload(MachineKey.store))
        .order_by(MachineKey.id)
    )
    return rows.where(MachineKey.store_id == key.store_id) if key.store_id else rows


def _is_till(row: MachineKey) -> bool:
    return "till" in row.scopes.split()


def _till(row: MachineKey, **more: str) -> TillOfVendor:
    return TillOfVendor(
        id=row.id,
        name=row.name,
        store=(row.store.code or "") if row.store else "",
        begins_with=row.start,
        counts=row.counts,
        created_at=row.created_at,
        last_used_at=row.used_at,
        **more,
    )


# ── what is told ──


class Event(Body):
    """What every event may say. The kinds of events below say what each of them needs."""

    KIND: ClassVar[TillEventKind]

    number: Annotated[
        int,
        Whole(1, tills.MOST_NUMBER),
        Field(description=N_("The till's own number: never used twice for two things.")),
    ]
    at: Annotated[Moment, Field(description=N_("When it happened, by the till's clock."))]
    ean: Ean = ""
    quantity: Annotated[int, Whole(1, tills.MOST_UNITS), Field(description=N_("1 without it."))] = 1
    price: Annotated[
        Price | None,
        Field(description=N_("What was asked for one unit (sale), or given (trade-in).")),
    ] = None
    reference: Annotated[str, Text(60), Field(description=N_("Your ticket."))] = ""
    item: Annotated[
        Annotated[int, Whole(1, MOST_ID)] | None,
        Field(description=N_("Our number of a second-hand unit (on its label).")),
    ] = None
    used: Annotated[
        bool,
        Field(strict=True, description=N_("A second-hand unit of this barcode, the oldest.")),
    ] = False
    condition: Annotated[
        Literal["like_new", "very_good", "good", "acceptable"] | None,
        Field(
            description=N_(
                "As it will be sold; without it somebody grades it before it is offered."
            )
        ),
    ] = None
    includes: Annotated[
        Annotated[int, Whole(0, tills.MOST_NUMBER)] | None,
        Field(
            description=N_(
                "Of a count: the last of this till's events it already knows; the one before"
                " without it."
            )
        ),
    ] = None

    @model_validator(mode="after")
    def _names_what_it_is_about(self) -> Self:
        if not self.ean and self.item is None:
            refuse("missing", _("Give « ean », or « item » for a second-hand unit."))
        return self

    def told(self) -> tills.Told:
        return tills.Told(
            self.number,
            self.KIND,
            self.ean,
            self.quantity,
            self.at,
            self.price,
            self.reference,
            self.item,
            self.used,
            self.includes,
            CONDITIONS[self.condition] if self.condition else None,
        )


class Sale(Event):
    KIND = TillEventKind.sale
    price: Price


class Return(Event):
    KIND = TillEventKind.return_


class TradeIn(Event):
    KIND = TillEventKind.trade_in
    ean: Ean
    price: Price


class Count(Event):
    KIND = TillEventKind.count
    quantity: Annotated[int, Whole(0, 1_000_000)]


class Receipt(Event):
    KIND = TillEventKind.receipt
    ean: Ean


class Correction(Event):
    KIND = TillEventKind.correction
    ean: Ean
    quantity: Annotated[
        int,
        Whole(-tills.MOST_UNITS, tills.MOST_UNITS),
        Field(description=N_("Units found beyond what was known, or missing: 3, -2.")),
    ]
    reference: Annotated[str, Text(60), Field(description=N_("Why: broken, stolen, found."))] = ""


# The same in a queue, where each says its kind.


class QueuedSale(Sale):
    kind: Literal["sale"]


class QueuedReturn(Return):
    kind: Literal["return"]


class QueuedTradeIn(TradeIn):
    kind: Literal["trade_in"]


class QueuedCount(Count):
    kind: Literal["count"]


class QueuedReceipt(Receipt):
    kind: Literal["receipt"]


class QueuedCorrection(Correction):
    kind: Literal["correction"]


QueuedEvent = Annotated[
    QueuedSale | QueuedReturn | QueuedTradeIn | QueuedCount | QueuedReceipt | QueuedCorrection,
    Field(discriminator="kind"),
]
_QUEUED: dict[str, type[Event]] = {
    "sale": QueuedSale,
    "return": QueuedReturn,
    "trade_in": QueuedTradeIn,
    "count": QueuedCount,
    "receipt": QueuedReceipt,
    "correction": QueuedCorrection,
}
_SENT_AT = N_("When this was sent, by the till's clock: we set its moments right by it.")
SentAt = Annotated[Moment | None, Field(description=_SENT_AT)]


class SentSale(Sale):
    EXAMPLE: ClassVar[dict[str, Any]] = {
        "number": 1042,
        "ean": "5060327534393",
        "price": "23.42",
        "at": "2026-11-25T10:29:58+01:00",
        "sent_at": "2026-11-25T10:30:00+01:00",
    }
    sent_at: SentAt = None


class SentReturn(Return):
    EXAMPLE: ClassVar[dict[str, Any]] = {
        "number": 1043,
        "ean": "5060327534393",
        "at": "2026-11-25T10:29:58+01:00",
        "sent_at": "2026-11-25T10:30:00+01:00",
    }
    sent_at: SentAt = None


class SentTradeIn(TradeIn):
    EXAMPLE: ClassVar[dict[str, Any]] = {
        "number": 1044,
        "ean": "5060327534393",
        "price": "8.00",
        "condition": "good",
        "at": "2026-11-25T10:29:58+01:00",
        "sent_at": "2026-11-25T10:30:00+01:00",
    }
    sent_at: SentAt = None


class SentCount(Count):
    EXAMPLE: ClassVar[dict[str, Any]] = {
        "number": 1045,
        "ean": "5060327534393",
        "quantity": 3,
        "includes": 1044,
        "at": "2026-11-25T10:29:58+01:00",
        "sent_at": "2026-11-25T10:30:00+01:00",
    }
    sent_at: SentAt = None


class SentReceipt(Receipt):
    EXAMPLE: ClassVar[dict[str, Any]] = {
        "number": 1046,
        "ean": "5060327534393",
        "quantity": 12,
        "reference": "BL 2026-118",
        "at": "2026-11-25T10:29:58+01:00",
        "sent_at": "2026-11-25T10:30:00+01:00",
    }
    sent_at: SentAt = None


class SentCorrection(Correction):
    EXAMPLE: ClassVar[dict[str, Any]] = {
        "number": 1047,
        "ean": "5060327534393",
        "quantity": -1,
        "reference": "casse",
        "at": "2026-11-25T10:29:58+01:00",
        "sent_at": "2026-11-25T10:30:00+01:00",
    }
    sent_at: SentAt = None


class Queue(Body):
    EXAMPLE: ClassVar[dict[str, Any]] = {
        "sent_at": "2026-11-25T10:30:00+01:00",
        "events": [
            {
                "number": 1042,
                "kind": "sale",
                "ean": "5060327534393",
                "quantity": 1,
                "price": "23.42",
                "at": "2026-11-25T09:12:00+01:00",
            }
        ],
    }
    sent_at: SentAt = None
    # Each is read alone, so that one that is refused stops no other.
    events: Annotated[list[SkipValidation[QueuedEvent]], UpTo(MOST_EVENTS)]


# ── what is answered ──


class Taken(Answer):
    """What became of an event; `again` when it had been told before; `code` and `message` why it
    was refused.
    """

    number: int | None
    status: Literal[
        "ok",
        "already_counted",
        "unknown_ean",
        "older_than_known",
        "refused",
        "invalid",
        "number_reused",
    ]
    again: bool
    quantity: int | None = None
    conflicts: int = 0
    item: int = 0
    items: list[int] = []
    code: str = ""
    message: str = ""
    warnings: list[Literal["clock_ahead", "below_zero"]] = []


class TakenQueue(Answer):
    results: list[Taken]


_SAYS = N_("What became of it; `again` when it had been told before.")


@routes.post(
    "/till/sales", N_("A till tells a sale over the counter"), scopes=("till",), returns=_SAYS
)
def tell_sale(key: MachineKey, body: SentSale) -> Taken | Response:
    return _tell(key, body, body.sent_at)


@routes.post(
    "/till/returns", N_("A till tells an article brought back"), scopes=("till",), returns=_SAYS
)
def tell_return(key: MachineKey, body: SentReturn) -> Taken | Response:
    return _tell(key, body, body.sent_at)


@routes.post(
    "/till/trade-ins",
    N_("A till tells second-hand units taken in"),
    scopes=("till",),
    returns=_SAYS,
)
def tell_trade_in(key: MachineKey, body: SentTradeIn) -> Taken | Response:
    return _tell(key, body, body.sent_at)


@routes.post(
    "/till/counts",
    N_("A till tells a count of one barcode (absolute)"),
    scopes=("till",),
    returns=_SAYS,
)
def tell_count(key: MachineKey, body: SentCount) -> Taken | Response:
    return _tell(key, body, body.sent_at)


@routes.post(
    "/till/receipts",
    N_("A till tells goods received from a supplier"),
    scopes=("till",),
    returns=_SAYS,
)
def tell_receipt(key: MachineKey, body: SentReceipt) -> Taken | Response:
    return _tell(key, body, body.sent_at)


@routes.post(
    "/till/corrections",
    N_("A till tells units that are missing or were found (relative)"),
    scopes=("till",),
    returns=_SAYS,
)
def tell_correction(key: MachineKey, body: SentCorrection) -> Taken | Response:
    return _tell(key, body, body.sent_at)


def _tell(key: MachineKey, event: Event, sent_at: datetime | None) -> Taken | Response:
    """409 when the number was used for another event."""
    try:
        return _take(key, event.told(), _drift(sent_at))
    except tills.NumberReused as refusal:
        db.session.rollback()
        return problem(409, "number_reused", str(refusal))


@routes.post(
    "/till/events",
    N_("The queue of a till that was off line, in any order"),
    scopes=("till",),
    returns=N_("An answer for each, in the order given; one that is refused stops no other."),
)
def tell_many(key: MachineKey, body: Queue) -> TakenQueue:
    """Up to 500 events."""
    drift = _drift(body.sent_at)
    read = [_read_queued(row) for row in body.events]
    told = [one for one in read if isinstance(one, tills.Told)]
    taken: list[Taken] = []
    for at in range(0, len(told), TOGETHER):
        taken += _take_some(key, told[at : at + TOGETHER], drift)
    answers = iter(taken)
    return TakenQueue(results=[one if isinstance(one, Taken) else next(answers) for one in read])


def _read_queued(row: Any) -> tills.Told | Taken:
    """An event of a queue, or the answer that says what is wrong with it."""
    fields = row if isinstance(row, dict) else {}
    number = fields.get("number")
    number = number if type(number) is int else None  # `true` is an int to Python
    model = _QUEUED.get(str(fields.get("kind")))
    if model is None:
        sentence = _("Give one of: %(choices)s.", choices=", ".join(_QUEUED))
        return Taken(number=number, status="invalid", again=False, message=f"kind: {sentence}")
    try:
        return model.model_validate(row).told()
    except ValidationError as wrong:
        return Taken(number=number, status="invalid", again=False, message=problems_of(wrong))


def _take_some(key: MachineKey, told: list[tills.Told], drift: timedelta) -> list[Taken]:
    """A few events in one unit: the store is not locked for longer than they take."""

    def work() -> list[Taken]:
        with unit_of_work() as session:
            found = tills.take_many(session.get_one(MachineKey, key.id), told, drift=drift)
            return [_answer(event.number, one) for event, one in zip(told, found, strict=True)]

    return retried(work)


def _answer(number: int, taken: tills.Taken | Refused) -> Taken:
    if isinstance(taken, tills.Taken):
        return Taken(number=number, again=taken.again, **taken.answer)
    is_reused = isinstance(taken, tills.NumberReused)
    status: Literal["number_reused", "refused"] = "number_reused" if is_reused else "refused"
    return Taken(number=number, status=status, again=False, code=taken.code, message=str(taken))


def _take(key: MachineKey, told: tills.Told, drift: timedelta) -> Taken:
    def work() -> Taken:
        with unit_of_work() as session:
            return _answer(
                told.number,
                tills.take(session.get_one(MachineKey, key.id), told, drift=drift),
            )

    return retried(work)


def _drift(sent_at: datetime | None) -> timedelta:
    """How far the till's clock is ahead of ours: it says when it sent, we know when it came."""
    return sent_at - clock.now() if sent_at is not None else timedelta(0)
