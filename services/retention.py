"""What is forgotten when its time is over, and the report that says so (RGPD art. 5-1-e; CNIL: what
is announced must be applied).

Each noun declares its own rule: how long, why, which rows are due, and the verb that forgets one.
The clock runs them all each night, one unit per row, and writes down how much of each was
forgotten.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flask_babel import gettext as _
from sqlalchemy import Select, func, inspect, select

from models import RetentionRun
from services import audit, clock, days, files
from services.unit import db, retried, unit_of_work
from services.workflow import Actor, Refused

log = logging.getLogger(__name__)
MOST_A_NIGHT = 5_000
MOST_BETWEEN_RUNS = timedelta(days=45)
# The pulse of the click that says that the date is right, and how long it is believed.
CLOCK_IS_RIGHT, BELIEVED_FOR = "clock_is_right", timedelta(days=2)
MONTH = timedelta(days=30.44)


@dataclass(frozen=True)
class Rule:
    """`due` selects the primary keys whose time is over at a moment; `forget` forgets one row and
    returns the names of files that go with it.
    """

    name: str
    what: Any
    how_long: Callable[[], Any]
    why: Any
    model: Any
    due: Callable[[datetime], Select[Any]]
    forget: Callable[[Any], list[str] | None]


RULES: list[Rule] = []


def rule(
    name: str,
    what: Any,
    how_long: Callable[[], Any],
    why: Any,
    model: Any,
    due: Callable[[datetime], Select[Any]],
    forget: Callable[[Any], list[str] | None],
) -> None:
    RULES.append(Rule(name, what, how_long, why, model, due, forget))


def overdue() -> dict[str, int]:
    """How many rows of each kind are due now (the night's run brings it to zero)."""
    now = clock.now()
    return {
        one.name: db.session.scalar(select(func.count()).select_from(one.due(now).subquery())) or 0
        for one in RULES
    }


def leap() -> timedelta | None:
    """How far the clock went since the last run, when that is more than six weeks and nobody said
    yet that the date is right: a clock years ahead for one night would forget letters,
    identities and IBANs for good. None when all is well.
    """
    now = clock.now()
    last = db.session.scalar(select(func.max(RetentionRun.at)))
    if last is None or now - last <= MOST_BETWEEN_RUNS:
        return None
    said = days.pulse(CLOCK_IS_RIGHT)
    believed = said is not None and abs(now - said.at) <= BELIEVED_FOR
    return None if believed else now - last


def believe_the_clock(*, by: Actor) -> None:
    """Somebody looked at the date of the machine: it is right, and what is due may be forgotten."""
    days.beat(CLOCK_IS_RIGHT, by=by.name)
    audit.note("clock_believed", by=by)


def run(*, by: Actor) -> RetentionRun:
    """Forget what is due, and write the report. What cannot be forgotten yet (a sale under way) is
    left, and found again tomorrow. Raises Refused when the clock leapt and nobody said that it is
    right: then nothing is forgotten.
    """
    if (leapt := leap()) is not None:
        raise Refused(
            _(
                "The clock of this machine went on by %(days)s days since the last time. Nothing"
                " was forgotten: look at its date, then say under « Personal data » that it is"
                " right.",
                days=leapt.days,
            )
        )
    now = clock.now()
    counts: dict[str, Any] = {}
    for one in RULES:
        ids = list(db.session.scalars(one.due(now).limit(MOST_A_NIGHT)))
        done = held = 0
        for id in ids:
            try:
                dropped = retried(lambda one=one, id=id: _forget(one, id, now))  # type: ignore[misc]
            except Refused as refusal:
                log.info("%s kept: %s", one.name, type(refusal).__name__)
                held += 1
                continue
            except Exception:
                log.exception("%s could not be forgotten", one.name)
                held += 1
                continue
            for name in (
                dropped
            ):  # after the commit: killed in between, a file is litter, swept later, never a hole
                files.drop(name)
            done += 1
        counts[one.name] = {"forgotten": done, "kept": held}
    for name in (litter := files.litter()):
        files.drop(name)
    counts["litter"] = {"forgotten": len(litter), "kept": 0}
    with unit_of_work() as session:
        report = RetentionRun(by_name=by.name, counts=counts, at=clock.now())
        session.add(report)
        session.flush()
        id = report.id
    return db.session.get_one(RetentionRun, id)


def reports(limit: int = 30) -> list[RetentionRun]:
    return list(
        db.session.scalars(select(RetentionRun).order_by(RetentionRun.id.desc()).limit(limit))
    )


def gone(row: Any) -> None:
    """The plainest way to forget a row."""
    db.session.delete(row)


def months(count: int) -> timedelta:
    return count * MONTH


def _forget(one: Rule, id: Any, now: datetime) -> list[str]:
    with unit_of_work() as session:
        key = inspect(one.model).primary_key[0]
        still_due = session.scalar(
            select(key).where(key == id, key.in_(one.due(now)))
        )  # it may have moved meanwhile
        row = session.get(one.model, id) if still_due is not None else None
        return (one.forget(row) or []) if row is not None else []
