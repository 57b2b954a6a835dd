"""Working time: hours and days that run from Monday to Friday, French holidays left out, on the
clock of Paris (domain 2.5 and 2.103).

A deadline is computed once, stored as an instant and printed everywhere as that instant.
"""

from datetime import date, datetime, time, timedelta
from functools import lru_cache

import holidays

from services import clock

# Postcodes whose days off differ from those of the rest of France, by their beginnings.
_OF_PLACE = {"57": "57", "67": "6AE", "68": "6AE"} | {
    code: code for code in ("971", "972", "973", "974", "976")
}


@lru_cache(maxsize=400)
def _days_off(year: int, place: str) -> frozenset[date]:
    found = holidays.country_holidays("FR", subdiv=place or None, years=[year])
    return frozenset(found)


def is_working(day: date, postcode: str = "") -> bool:
    """Whether a day is worked where a postcode is: no weekend, no holiday of that place."""
    place = _OF_PLACE.get(postcode[:3]) or _OF_PLACE.get(postcode[:2], "")
    return day.weekday() < 5 and day not in _days_off(day.year, place)


def hours_later(hours: int, start: datetime, postcode: str = "") -> datetime:
    """The instant when so many working hours have run since `start` (both UTC): a clock that runs
    from midnight to midnight on working days and stands still on the others.
    """
    at = clock.paris(start).replace(tzinfo=None)
    left = timedelta(hours=hours)
    while True:
        midnight = datetime.combine(at.date() + timedelta(days=1), time(0))
        if is_working(at.date(), postcode):
            if left <= midnight - at:
                return clock.from_paris(at + left)
            left -= midnight - at
        at = midnight


def left(now: datetime, until: datetime, postcode: str = "") -> timedelta:
    """The working time between now and a later instant (both UTC); nothing when it is past."""
    at, end = (clock.paris(one).replace(tzinfo=None) for one in (now, until))
    found = timedelta(0)
    while at < end:
        stop = min(end, datetime.combine(at.date() + timedelta(days=1), time(0)))
        if is_working(at.date(), postcode):
            found += stop - at
        at = stop
    return found


def days_later(days: int, start: datetime, postcode: str = "") -> datetime:
    """The end of the working day that comes so many working days after the day of `start` (UTC)."""
    day = clock.paris(start).date()
    while days:
        day += timedelta(days=1)
        days -= is_working(day, postcode)
    return clock.end_of_day(day)
