"""Deadlines of shops run in working time (domain 2.5 and 2.103)."""

from datetime import date, datetime

import pytest

from services import clock, working_time


def paris(words: str) -> datetime:
    return datetime.strptime(words, "%d/%m/%Y %H:%M").replace(tzinfo=clock.PARIS)


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("20/11/2026 18:00", "24/11/2026 18:00"),
        ("21/11/2026 10:00", "25/11/2026 00:00"),
        ("22/12/2026 14:54", "24/12/2026 14:54"),
        ("24/12/2026 23:30", "29/12/2026 23:30"),
        ("05/05/2027 09:00", "10/05/2027 09:00"),
        ("13/11/2026 14:54", "17/11/2026 14:54"),
        ("29/04/2026 10:00", "04/05/2026 10:00"),  # the eve of the eve of the first of May
        ("23/10/2026 12:00", "27/10/2026 12:00"),  # clocks go back in between
    ],
)
def test_forty_eight_working_hours_end_when_the_document_says(start, end):
    assert working_time.hours_later(48, paris(start)) == paris(end)


def test_moselle_and_alsace_do_not_work_on_their_own_holidays():
    saint_stephen, good_friday = date(2025, 12, 26), date(2026, 4, 3)
    for postcode in ("57000", "67000", "68100"):
        assert not working_time.is_working(saint_stephen, postcode)
        assert not working_time.is_working(good_friday, postcode)
    assert working_time.is_working(saint_stephen, "51100")
    assert working_time.is_working(good_friday, "")


def test_overseas_keep_their_own_days():
    abolition = date(2026, 5, 22)  # Martinique
    assert not working_time.is_working(abolition, "97200")
    assert working_time.is_working(abolition, "97400")


@pytest.mark.parametrize(
    ("start", "days", "end"),
    [
        ("27/11/2026 15:00", 2, "01/12/2026 23:59"),
        ("28/11/2026 15:00", 2, "01/12/2026 23:59"),
        ("24/12/2026 09:00", 2, "29/12/2026 23:59"),
        ("24/12/2026 09:00", 0, "24/12/2026 23:59"),
    ],
)
def test_so_many_working_days_later_ends_with_the_day(start, days, end):
    found = working_time.days_later(days, paris(start))
    assert clock.paris(found).strftime("%d/%m/%Y %H:%M") == end
