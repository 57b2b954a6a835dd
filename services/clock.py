"""The time: aware UTC inside, Paris on screen. Verbs ask now(); pure rules are handed the
moment.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

PARIS = ZoneInfo("Europe/Paris")
_set_to: ContextVar[datetime | None] = ContextVar("clock", default=None)


def now() -> datetime:
    """This instant, or the one the demo and the tests live in."""
    return _set_to.get() or datetime.now(UTC)


@contextmanager
def at(moment: datetime) -> Iterator[None]:
    """Live at another moment for a while (the demo's month, the tests' deadlines)."""
    before = _set_to.set(moment)
    try:
        yield
    finally:
        _set_to.reset(before)


def paris(moment: datetime) -> datetime:
    return moment.astimezone(PARIS)


def from_paris(local: datetime) -> datetime:
    """The instant of a wall clock in Paris; of an hour that comes twice, the first."""
    return local.replace(tzinfo=PARIS).astimezone(UTC)


def today() -> date:
    """The day it is in Paris."""
    return paris(now()).date()


def end_of_day(day: date) -> datetime:
    """The last instant of a Paris day: a deadline « avant le 3 décembre inclus »."""
    return datetime.combine(day + timedelta(days=1), time(0), PARIS).astimezone(UTC) - timedelta(
        seconds=1
    )


def days_later(days: int, start: datetime | None = None) -> datetime:
    """The end of the Paris day that is so many days after `start`."""
    return end_of_day(paris(start or now()).date() + timedelta(days=days))
