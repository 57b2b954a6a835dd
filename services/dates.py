"""Dates as people read them, in the language of the page: Babel's words, Paris time."""

from datetime import date, datetime, timedelta

from babel.dates import format_date, format_skeleton, format_timedelta
from flask_babel import get_locale
from flask_babel import gettext as _

from services import clock, money


def _language() -> str:
    return str(get_locale() or "fr")


def moment(value: datetime) -> str:
    """« 22/11/2026 à 15 h 54 »; in English « 22/11/2026 15:54 »."""
    local = clock.paris(value)
    if _language() != "fr":
        return f"{local:%d/%m/%Y %H:%M}"
    return f"{local:%d/%m/%Y} à {_hour(local)}"


def moment_short(value: datetime) -> str:
    """« 22 nov. 15 h 54 »."""
    local = clock.paris(value)
    return f"{format_skeleton('MMMd', local.date(), locale=_language())} {hour(value)}"


def hour(value: datetime) -> str:
    """« 22 h 11 »; in English « 22:11 »."""
    local = clock.paris(value)
    return _hour(local) if _language() == "fr" else f"{local:%H:%M}"


def _hour(local: datetime) -> str:
    return f"{local:%H}{money.NBSP}h{money.NBSP}{local:%M}"


def day(value: datetime | date) -> str:
    """« 3 décembre »; with the year when it is not this one."""
    local = clock.paris(value).date() if isinstance(value, datetime) else value
    if local.year == clock.today().year:
        words = format_skeleton("MMMMd", local, locale=_language())
    else:
        words = format_date(local, "long", locale=_language())
    if _language() == "fr" and local.day == 1:
        words = words.replace("1 ", "1er ", 1)
    return words.replace(" ", money.NBSP)


def ago(value: datetime) -> str:
    """« il y a 3 h », « hier », then the date; what is to come is told by its moment."""
    age = clock.now() - value
    days = (clock.today() - clock.paris(value).date()).days
    if age < timedelta(minutes=-1):
        return moment(value)
    if age < timedelta(seconds=90):
        return _("just now")
    if age < timedelta(hours=1) or days == 0:
        return age_words(age)
    if days == 1:
        return _("yesterday")
    local = clock.paris(value).date()
    skeleton = "MMMd" if local.year == clock.today().year else "yMMMd"
    return format_skeleton(skeleton, local, locale=_language())


def age_words(age: timedelta) -> str:
    """« il y a 40 s », « il y a 3 h », « il y a 5 j »."""
    return format_timedelta(
        -age, threshold=1, add_direction=True, format="short", locale=_language()
    ).replace(" ", money.NBSP)


def read_day(words: str) -> date:
    """« 2026-11-25 », « 25/11/2026 », « 2026-11-25T10:00:00Z », from 1900 to 2199: the hours of a
    day of the year 1 or 9999 cannot be told. Raises ValueError with the sentence for the person who
    typed it.
    """
    bare = words.strip()[:10]
    for form in ("%Y-%m-%d", "%d/%m/%Y"):
        try:
            found = datetime.strptime(bare, form).date()  # noqa: DTZ007  (a day has no zone)
        except ValueError:
            continue
        if 1900 <= found.year < 2200:
            return found
    raise ValueError(_("« %(words)s » is no date: write 2026-11-25.", words=words.strip()[:20]))
