"""S16: the clock of people and the clock of machines: both nights that change the hour, leap days,
ends of year; and a machine whose clock jumps.
"""

from datetime import UTC, date, datetime, timedelta

from sqlalchemy import func, select

from models import DayRun, Message, Offer, OfferState, Outbox, OutboxState, StaffSession
from services import clock, days, outbox, settings
from services.buyback import offers
from services.people import sessions
from services.unit import db, unit_of_work
from tests import factories
from tests.acceptance.sizes import size

# Around both nights of each year, the leap day, the turn of the year, each hour of the day.
NIGHTS = [
    (2026, 3, 29),
    (2026, 10, 25),
    (2027, 3, 28),
    (2027, 10, 31),
    (2028, 2, 29),
    (2028, 3, 26),
    (2026, 12, 31),
    (2027, 1, 1),
    (2030, 2, 28),
]
INSTANTS = [
    datetime(y, m, d, h, minute, tzinfo=UTC)
    for y, m, d in NIGHTS
    for h in range(0, 24)
    for minute in (0, 30)
]


def test_a_deadline_of_days_is_the_end_of_a_day_in_paris_whatever_the_night(figure):
    for moment in INSTANTS:
        for count in (0, 1, 7, 10, 14, 30):
            end = clock.paris(clock.days_later(count, moment))
            assert (end.hour, end.minute, end.second) == (23, 59, 59)
            assert end.date() == clock.paris(moment).date() + timedelta(days=count)
    figure("instants", len(INSTANTS), at_least=200)


def test_twenty_four_hours_later_and_tomorrow_at_this_hour_are_not_the_same(figure):
    """24 October 2026, 3.30 in Paris: a day later by the clock is 3.30, by the hours 2.30."""
    moment = datetime(2026, 10, 24, 1, 30, tzinfo=UTC)
    assert clock.paris(moment + timedelta(hours=24)).hour == 2
    assert clock.paris(clock.days_later(1, moment)).date() == date(2026, 10, 25)


def test_a_second_chance_lapses_with_its_day_and_not_an_hour_before(app):
    for start in (
        datetime(2026, 10, 18, 21, 30, tzinfo=UTC),
        datetime(2026, 3, 21, 22, 30, tzinfo=UTC),
    ):
        with clock.at(start):
            offer = factories.a_second_chance()
        id, until = offer.id, offer.answer_by
        local = clock.paris(until)
        assert (local.hour, local.minute) == (23, 59)
        assert (local.date() - clock.paris(start).date()).days == settings.value(
            "second_chance_days"
        )
        with clock.at(until - timedelta(minutes=1)):
            assert id not in offers.late()
        with clock.at(until + timedelta(minutes=2)):
            assert id in offers.late()
            with unit_of_work() as session:
                offers.lapse(session.get_one(Offer, id))
        assert db.session.get(Offer, id).status is OfferState.declined


def test_a_job_of_the_day_runs_once_on_a_night_of_25_hours_and_once_on_one_of_23(app, figure):
    from datetime import time

    ran, looked = [], 0
    job = days.Job("essai", time(2, 30), lambda: None)
    for start in (
        datetime(2026, 10, 24, 21, 0, tzinfo=UTC),
        datetime(2026, 3, 28, 21, 0, tzinfo=UTC),
    ):
        for minute in range(0, 60 * 28, size(20, 1)):
            with clock.at(start + timedelta(minutes=minute)):
                day = days.claim(job)
                looked += 1
                if day is not None:
                    ran.append(day)
                    days.ended(job, day)
    nights = [date(2026, 10, 24), date(2026, 10, 25), date(2026, 3, 28), date(2026, 3, 29)]
    assert [day for day in ran if day in nights] == nights
    assert len(ran) == len(set(ran)) == db.session.scalar(select(func.count(DayRun.id)))
    figure("looks at the clock", looked, at_least=3_000)


def test_a_clock_that_jumps_back_runs_no_job_twice_and_ahead_skips_none(app):
    from datetime import time

    job = days.Job("essai", time(3, 0), lambda: None)
    noon = datetime(2026, 6, 10, 12, tzinfo=UTC)
    for jump, expected in (
        (0, True),
        (-2, False),
        (-26, True),
        (0, False),
        (24, True),
        (23, False),
    ):
        with clock.at(noon + timedelta(hours=jump)):
            day = days.claim(job)
            assert (day is not None) is expected, jump
            if day:
                days.ended(job, day)


def test_a_job_whose_worker_died_is_taken_up_again_the_same_day(app):
    from datetime import time

    job = days.Job("essai", time(3, 0), lambda: None)
    noon = datetime(2026, 6, 10, 8, tzinfo=UTC)
    with clock.at(noon):
        assert days.claim(job) is not None
        assert days.claim(job) is None
    with clock.at(noon + timedelta(minutes=20)):
        assert days.claim(job) is None  # its lease of half an hour runs
    with clock.at(noon + timedelta(minutes=31)):
        assert days.claim(job) is not None


def test_a_row_leased_before_a_jump_is_worked_on_again_and_none_twice_at_once(app, mail):
    factories.an_offer()
    id = db.session.scalars(select(Outbox.id)).first()
    db.session.rollback()
    now = clock.now()
    with clock.at(
        now + timedelta(days=1)
    ):  # a worker whose clock is a day ahead takes it, and dies
        assert outbox._claim(id, "jeton") is not None
    with clock.at(now):  # back in time: the lease is in the future, nobody takes it yet
        assert outbox._claim(id, "autre") is None
    with clock.at(now + timedelta(days=1, minutes=2)):
        outbox.work()
    row = db.session.get(Outbox, id)
    assert row.state is OutboxState.done
    assert db.session.scalar(select(func.count(Message.id)).where(Message.state == "sent")) == len(
        mail.letters
    )


def test_a_session_ends_after_twelve_hours_even_over_the_night_of_25(app, as_staff):
    start = datetime(2026, 10, 24, 18, 0, tzinfo=UTC)
    with clock.at(start):
        client = as_staff("Opérateur reprise", factories.the_vendor())
    opened = db.session.scalars(select(StaffSession)).one()
    assert opened.opened_at == start
    for hours, is_open in ((11.9, True), (12.1, False)):
        with clock.at(start + timedelta(hours=hours)), client.session_transaction() as cookie:
            cookie["seen"] = int(clock.now().timestamp())
            standing = sessions.standing(cookie["key"], cookie["seen"])
            assert (standing.why_closed is None) is is_open, hours
