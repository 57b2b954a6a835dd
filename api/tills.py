"""What tills tell: one event, or the queue of a line that was cut. Numbered by the till, told as
often as it likes, counted once.
"""

from datetime import datetime, timedelta
from typing import Any

from flask import jsonify
from flask_babel import gettext as _

from api import bp, problem
from api.door import Given, body, opens
from models import Condition, MachineKey, TillEventKind
from services import clock
from services.stock import tills
from services.unit import db, retried, unit_of_work
from services.workflow import Refused

MOST_EVENTS = 500
KINDS = {
    "sales": TillEventKind.sale,
    "returns": TillEventKind.return_,
    "trade-ins": TillEventKind.trade_in,
    "counts": TillEventKind.count,
}


@bp.get("/till")
@opens("till")
def till(key: MachineKey) -> Any:
    """Where this till stands with us: the highest number heard, the ones below it that never came,
    whether its counts are believed.
    """
    return jsonify(
        name=key.name,
        last_number=tills.last_number(key),
        missing=tills.missing(key),
        counts=key.counts,
    )


@bp.post("/till/<any(sales,returns,'trade-ins',counts):what>")
@opens("till")
def tell(key: MachineKey, what: str) -> Any:
    """One event. 200 with what became of it (again when it was told before); 409 when its number
    was used for another, 422 when it makes no sense.
    """
    given = Given(body())
    told = _read(given, KINDS[what])
    sent_at = given.moment("sent_at")
    given.check()
    assert told is not None
    try:
        return jsonify(_take(key, told, _drift(sent_at)))
    except tills.NumberReused as refusal:
        db.session.rollback()
        return problem(409, "number_reused", str(refusal))


@bp.post("/till/events")
@opens("till")
def tell_many(key: MachineKey) -> Any:
    """Up to 500 events of a queue, in any order. Each is answered alone, in the order given: one
    that is refused stops no other.
    """
    given = Given(body())
    sent_at = given.moment("sent_at")
    rows = given.list("events", MOST_EVENTS)
    given.check()
    answers, drift = [], _drift(sent_at)
    for row in rows:
        one = Given(row)
        kinds = {kind.value: kind for kind in TillEventKind}
        kind = kinds.get(one.text("kind", 20, needed=True))
        if kind is None and not one.errors:
            one.wrong("kind", "choice", _("Give one of: %(choices)s.", choices=", ".join(kinds)))
        told = _read(one, kind or TillEventKind.sale)
        number = (
            row.get("number")
            if isinstance(row, dict) and isinstance(row.get("number"), int)
            else None
        )
        if one.errors or told is None:
            answers.append(
                {
                    "number": number,
                    "status": "invalid",
                    "again": False,
                    "message": "; ".join(f"{e['field']}: {e['message']}" for e in one.errors),
                }
            )
            continue
        try:
            answers.append(_take(key, told, drift))
        except Refused as refusal:
            db.session.rollback()
            status = "number_reused" if isinstance(refusal, tills.NumberReused) else "refused"
            answers.append(
                {"number": told.number, "status": status, "again": False, "message": str(refusal)}
            )
    return jsonify(results=answers)


CONDITIONS = {condition.value.removesuffix("_unit"): condition for condition in Condition}


def _read(given: Given, kind: TillEventKind) -> tills.Told | None:
    number = given.whole("number", 1, tills.MOST_NUMBER)
    ean = given.ean() if given.body.get("item") is None or given.body.get("ean") is not None else ""
    at = given.moment("at", needed=True)
    quantity = (
        given.whole("quantity", 0, 1_000_000)
        if kind is TillEventKind.count
        else given.whole("quantity", 1, tills.MOST_UNITS, 1)
    )
    price = given.cents("price", needed=kind in (TillEventKind.sale, TillEventKind.trade_in))
    reference, used = given.text("reference", 60), given.flag("used")
    item, includes = (
        given.perhaps_whole("item", 1, 2_147_483_647),
        given.perhaps_whole("includes", 0, tills.MOST_NUMBER),
    )
    said = given.text("condition", 20)
    condition = CONDITIONS.get(said)
    if said and condition is None:
        given.wrong(
            "condition", "choice", _("Give one of: %(choices)s.", choices=", ".join(CONDITIONS))
        )
    if given.errors or at is None:
        return None
    return tills.Told(
        number, kind, ean, quantity, at, price, reference, item, used, includes, condition
    )


def _take(key: MachineKey, told: tills.Told, drift: timedelta) -> dict[str, Any]:
    def work() -> dict[str, Any]:
        with unit_of_work() as session:
            taken = tills.take(session.get_one(MachineKey, key.id), told, drift=drift)
            return {"number": told.number, "again": taken.again, **taken.answer}

    return retried(work)


def _drift(sent_at: datetime | None) -> timedelta:
    """How far the till's clock is ahead of ours: it says when it sent, we know when it came."""
    return sent_at - clock.now() if sent_at is not None else timedelta(0)
