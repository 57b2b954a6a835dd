"""Jobs of the day: each once for a Paris day, whoever rings, and again when its worker died."""

from datetime import UTC, datetime, time, timedelta

import pytest

from services import clock, days

JOB = days.Job("sauvegarde", time(2, 30), lambda: None)
NIGHT = datetime(2026, 11, 29, 1, 45, tzinfo=UTC)  # 2 h 45 in Paris


@pytest.fixture(autouse=True)
def fresh(app):
    return app


def claimed(after: timedelta = timedelta()):
    with clock.at(NIGHT + after):
        return days.claim(JOB)


def test_a_job_waits_for_its_hour_then_is_claimed_once():
    assert claimed(timedelta(hours=-1)) is None
    day = claimed()
    assert day is not None
    assert claimed(timedelta(minutes=1)) is None
    with clock.at(NIGHT):
        days.ended(JOB, day)
    assert claimed(timedelta(hours=5)) is None
    assert claimed(timedelta(days=1)) == day + timedelta(days=1)


def test_a_job_that_failed_three_times_waits_for_the_next_day():
    for tries in range(days.MOST_FAILURES):
        day = claimed(2 * tries * days.LEASE)
        assert day is not None
        with clock.at(NIGHT + 2 * tries * days.LEASE):
            days.ended(JOB, day, error="disque plein")
    assert claimed(10 * days.LEASE) is None
    assert claimed(timedelta(days=1)) == day + timedelta(days=1)


def test_a_job_whose_worker_died_or_failed_is_taken_up_after_its_lease():
    day = claimed()
    assert claimed(days.LEASE - timedelta(minutes=1)) is None
    assert claimed(days.LEASE + timedelta(minutes=1)) == day
    with clock.at(NIGHT + 2 * days.LEASE):
        days.ended(JOB, day, error="disque plein")
    assert claimed(3 * days.LEASE) == day
    with clock.at(NIGHT):
        assert days.latest()["sauvegarde"].error == "disque plein"
