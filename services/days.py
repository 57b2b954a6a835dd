"""Jobs of the day: each runs once for a Paris day, whoever rings, however often, and is caught up
when the machine was off.

A row with a unique key (job, day) is the claim. A job whose worker died is taken up again after its
lease; one that failed, three times in all, then tomorrow.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, time, timedelta
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError

from models import DayRun, Pulse
from services import clock
from services.unit import changed, db, unit_of_work

LEASE = timedelta(minutes=30)  # renewed each minute by the worker that is at it
KEPT = timedelta(days=400)
MOST_FAILURES = 3  # of a job in one day: what fails costs, and fails again


@dataclass(frozen=True)
class Job:
    """What must be done once a day, and from when on, by the clock of Paris."""

    name: str
    after: time
    work: Callable[[], Any]


def claim(job: Job) -> date | None:
    """Take today's run of a job, in a unit of its own; None when it is too early, taken, or
    done.
    """
    now = clock.now()
    local = clock.paris(now)
    if local.time() < job.after:
        return None
    day = local.date()
    known = db.session.execute(
        select(DayRun.ended_at, DayRun.started_at, DayRun.failures).where(
            DayRun.job == job.name, DayRun.day == day
        )
    ).first()
    db.session.rollback()
    if known and (
        known.ended_at is not None
        or known.started_at > now - LEASE
        or known.failures >= MOST_FAILURES
    ):
        return None
    try:
        with unit_of_work() as session:
            if known is None:
                session.add(DayRun(job=job.name, day=day, started_at=now))
                return day
            again = update(DayRun).where(
                DayRun.job == job.name,
                DayRun.day == day,
                DayRun.ended_at.is_(None),
                DayRun.started_at == known.started_at,
            )
            return day if session.execute(again.values(started_at=now)).rowcount == 1 else None  # type: ignore[attr-defined]
    except IntegrityError:  # another worker was quicker
        return None


def ended(job: Job, day: date, error: str = "") -> None:
    """Write how it ended; one that failed is tried again after its lease, the same day, until it
    failed three times.
    """
    with unit_of_work() as session:
        values: dict[str, Any] = {"error": error[:500]}
        values |= {"failures": DayRun.failures + 1} if error else {"ended_at": clock.now()}
        session.execute(
            update(DayRun).where(DayRun.job == job.name, DayRun.day == day).values(**values)
        )


def extend_lease(names: set[str]) -> None:
    """The jobs under way here are alive, in the caller's unit: nobody takes them up."""
    if names:
        db.session.execute(
            update(DayRun)
            .where(DayRun.job.in_(names), DayRun.ended_at.is_(None))
            .values(started_at=clock.now())
        )


def latest() -> dict[str, DayRun]:
    """The last run of each job."""
    rows = db.session.scalars(
        select(DayRun).where(DayRun.day >= clock.today() - timedelta(days=7)).order_by(DayRun.day)
    )
    return {row.job: row for row in rows}


def forget_old() -> int:
    return changed(delete(DayRun).where(DayRun.started_at < clock.now() - KEPT))


# ── pulses ──


def beat(name: str, *, is_well: bool = True, **facts: Any) -> None:
    """Say that something that must keep happening just happened, in the caller's unit."""
    row = db.session.get(Pulse, name)
    if row is None:
        row = Pulse(name=name)
        db.session.add(row)
    row.at, row.is_well, row.facts = clock.now(), is_well, facts
    db.session.flush()


def pulse(name: str) -> Pulse | None:
    return db.session.get(Pulse, name)


def age(row: Pulse | None) -> timedelta | None:
    return clock.now() - row.at if row else None
