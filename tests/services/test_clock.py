"""The time: UTC inside, Paris for people, also in the nights that change the hour."""

from datetime import UTC, date, datetime, timedelta

from services import clock


def test_a_deadline_is_the_last_second_of_a_paris_day():
    assert clock.end_of_day(date(2026, 12, 3)) == datetime(2026, 12, 3, 22, 59, 59, tzinfo=UTC)
    assert clock.end_of_day(date(2026, 7, 3)) == datetime(2026, 7, 3, 21, 59, 59, tzinfo=UTC)


def test_days_are_counted_by_the_calendar_not_by_hours():
    before = datetime(2026, 10, 24, 20, 0, tzinfo=UTC)  # the night after has 25 hours
    assert clock.days_later(1, before) == clock.end_of_day(date(2026, 10, 25))


def test_an_hour_that_comes_twice_is_the_first():
    twice = datetime(2026, 10, 25, 2, 30)  # noqa: DTZ001 (a clock on a wall has no zone)
    assert clock.from_paris(twice) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


def test_living_at_another_moment_ends_with_its_block():
    then = datetime(2030, 1, 1, 12, tzinfo=UTC)
    with clock.at(then):
        assert clock.now() == then
        assert clock.today() == date(2030, 1, 1)
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=5)
