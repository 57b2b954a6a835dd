"""The browsers staff are signed in with."""

from datetime import timedelta

import pytest

from models import StaffSession, User
from services import clock
from services.people import sessions, staff
from services.unit import db, unit_of_work
from services.workflow import Refused
from tests.factories import LEA

FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:132.0) Gecko/20100101 Firefox/132.0"
NOW = 0  # seconds without a click


@pytest.fixture
def paul(app) -> User:
    with unit_of_work():
        return staff.add("paul@demo.test", "Opérateur reprise", by=LEA)[0]


def opened(user: User) -> str:
    with unit_of_work() as session:
        return sessions.open_for(session.merge(user), address="192.0.2.7", agent=FIREFOX)


def standing(key: str, idle_seconds: int = NOW) -> sessions.Standing | None:
    db.session.rollback()
    return sessions.standing(key, int(clock.now().timestamp()) - idle_seconds)


def aged(**columns) -> None:
    with unit_of_work() as session:
        session.execute(db.update(StaffSession).values(**columns))


def test_the_database_keeps_no_key_that_opens(paul):
    key = opened(paul)
    assert key not in repr(db.session.execute(db.text("SELECT * FROM staff_session")).all())
    assert standing(key).user_id == paul.id
    assert standing(key[:-1]) is None
    assert standing(db.session.scalars(db.select(StaffSession.fingerprint)).one()) is None


def test_a_session_closes_after_a_while_without_a_click_and_after_twelve_hours(paul):
    key = opened(paul)
    assert standing(key).why_closed is None
    assert "sans clic" in standing(key, 13 * 3600).why_closed
    aged(opened_at=clock.now() - timedelta(hours=11, minutes=59))
    assert standing(key).why_closed is None
    aged(opened_at=clock.now() - timedelta(hours=12, minutes=1))
    assert "douze heures" in standing(key).why_closed
    assert sessions.live(paul.id) == []


def test_a_new_key_leaves_the_old_one_half_a_minute_for_other_tabs(paul):
    old = opened(paul)
    with unit_of_work():
        new = sessions.renew(standing(old).id)
    assert not standing(new).is_leaving
    assert standing(old).is_leaving
    aged(renewed_at=clock.now() - timedelta(seconds=31))
    assert standing(old) is None
    assert standing(new).user_id == paul.id


def test_a_session_is_ended_once_and_by_its_own_user(paul):
    key = opened(paul)
    with unit_of_work():
        marc, _password = staff.add("marc@demo.test", "Opérateur reprise", by=LEA)
    with pytest.raises(Refused), unit_of_work():
        sessions.end(standing(key).id, marc, by=LEA)
    with unit_of_work():
        sessions.end(standing(key).id, paul, by=LEA)
    assert standing(key).why_closed is not None
    with pytest.raises(Refused), unit_of_work():
        sessions.end(standing(key).id, paul, by=LEA)


def test_all_others_end_and_this_one_stays(paul):
    keys = [opened(paul) for _n in range(3)]
    mine = standing(keys[0]).id
    with unit_of_work():
        assert sessions.end_all(paul, by=LEA, but=mine) == 2
    assert [standing(key).why_closed is None for key in keys] == [True, False, False]
    with unit_of_work():
        assert sessions.end_all(paul, by=LEA) == 1


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        (FIREFOX, "Firefox · Windows"),
        ("… (Macintosh; Intel Mac OS X 10_15_7) … Version/17.0 Safari/605.1", "Safari · macOS"),
        ("… (Linux; Android 14) … Chrome/130.0 Mobile Safari/537", "Chrome · Android"),
        ("… (Windows NT 10.0) … Chrome/130.0 Safari/537 Edg/130.0", "Edge · Windows"),
        ("curl/8", "Navigateur inconnu"),
        ("", "Navigateur inconnu"),
    ],
)
def test_a_browser_is_named_as_people_know_it(app, agent, name):
    assert sessions.browser(agent) == name
