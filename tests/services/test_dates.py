"""Dates in the words of the reader, in Paris time."""

from datetime import UTC, date, datetime, timedelta

import pytest
from flask_babel import force_locale

from services import clock, dates

NOW = datetime(2026, 11, 29, 9, 30, tzinfo=UTC)  # 10 h 30 in Paris


@pytest.fixture(autouse=True)
def now(app):
    with clock.at(NOW):
        yield


def plain(words: str) -> str:
    return words.replace("\u00a0", " ").replace("\u202f", " ")


@pytest.mark.parametrize(
    ("age", "words"),
    [
        (timedelta(seconds=20), "à l’instant"),
        (timedelta(minutes=40), "il y a 40 min"),
        (timedelta(hours=3), "il y a 3 h"),
        (timedelta(hours=20), "hier"),
        (timedelta(days=7), "22 nov."),
        (timedelta(days=400), "25 oct. 2025"),
        (timedelta(hours=-2), "29/11/2026 à 12 h 30"),
    ],
)
def test_an_age_is_told_as_people_say_it(age, words):
    assert plain(dates.ago(NOW - age)) == words


def test_a_day_bears_its_year_only_when_it_is_another_and_the_first_is_1er():
    assert plain(dates.day(date(2026, 12, 3))) == "3 décembre"
    assert plain(dates.day(date(2026, 12, 1))) == "1er décembre"
    assert plain(dates.day(date(2027, 1, 1))) == "1er janvier 2027"
    assert plain(dates.moment_short(NOW)) == "29 nov. 10 h 30"


def test_in_english_dates_are_english():
    with force_locale("en"):
        assert plain(dates.day(date(2026, 12, 3))) == "December 3"
        assert plain(dates.moment(NOW)) == "29/11/2026 10:30"
        assert plain(dates.age_words(timedelta(hours=3))) == "3 hr. ago"
