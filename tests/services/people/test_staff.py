"""Members of staff: signing in, and showing again that it is them."""

from datetime import timedelta

import pytest

from models import AuditEntry, StaffSession, User
from services import clock, limits
from services.people import sessions, staff
from services.unit import db, unit_of_work
from services.workflow import Refused
from tests.factories import LEA

HERE = "192.0.2.7"


@pytest.fixture
def paul(app) -> tuple[User, str]:
    """A member of staff who was just given a one-time password, and the password."""
    with unit_of_work():
        return staff.add("paul@demo.test", "Opérateur reprise", by=LEA)


def test_who_has_the_password_signs_in_whatever_the_case_of_the_address(paul):
    user, password = paul
    assert staff.sign_in(" Paul@Demo.test ", password, HERE) == user
    assert staff.sign_in("paul@demo.test", "x", HERE) is None
    assert staff.sign_in("nobody@demo.test", password, HERE) is None


def test_a_withdrawn_access_opens_nothing_with_the_right_password_either(paul):
    user, password = paul
    with unit_of_work():
        staff.withdraw(user, by=LEA)
    assert staff.sign_in("paul@demo.test", password, HERE) is None
    refused = db.session.scalars(db.select(AuditEntry.what).order_by(AuditEntry.id.desc())).first()
    assert refused == "sign_in_refused"


def test_a_one_time_password_opens_for_three_days(paul):
    user, password = paul
    with unit_of_work():
        staff.account_of(user).password_given_at = clock.now() - timedelta(days=3, minutes=1)
    with pytest.raises(Refused):
        staff.sign_in("paul@demo.test", password, HERE)


def test_thirty_tries_from_one_place_close_it_whoever_is_tried(app, monkeypatch):
    monkeypatch.setattr(staff.passwords, "is_right", lambda *_args: False)
    for number in range(30):
        assert staff.sign_in(f"n{number}@demo.test", "x", HERE) is None
    with pytest.raises(limits.TooMany) as closed:
        staff.sign_in("n31@demo.test", "x", HERE)
    assert 0 < closed.value.seconds <= 600
    assert "10 min" in str(closed.value)


def test_wrong_proofs_close_the_proof_and_not_the_sign_in(paul):
    user, password = paul
    for _n in range(5):
        assert not staff.password_is_right(user, "x")
    with pytest.raises(limits.TooMany):
        staff.password_is_right(user, password)
    assert staff.sign_in("paul@demo.test", password, HERE) == user


def test_a_new_one_time_password_ends_every_session(paul):
    user, _password = paul
    with unit_of_work():
        for address in ("192.0.2.7", "192.0.2.8"):
            sessions.open_for(user, address=address, agent="")
    with unit_of_work():
        staff.give_password(user, by=LEA)
    ends = db.session.scalars(db.select(StaffSession.ended_at)).all()
    assert len(ends) == 2
    assert all(ends)


def test_right_passwords_of_a_shop_s_people_are_no_wrong_ones(paul, monkeypatch):
    user, password = paul
    monkeypatch.setattr(staff.passwords, "is_right", lambda *said: said[2] == password)
    for _n in range(35):
        assert staff.sign_in("paul@demo.test", password, HERE) == user
    refused = 0
    for number in range(40):
        try:
            staff.sign_in(f"n{number}@demo.test", "x", HERE)
        except limits.TooMany:
            refused += 1
    assert refused == 10
