"""The second factor of staff: codes that count once, recovery codes that open once."""

from datetime import timedelta

import pyotp
import pytest

from models import StaffAccount, User
from services import clock, limits, settings
from services.people import second_factor, staff
from services.unit import db, unit_of_work
from services.workflow import Refused
from tests.factories import LEA


def code(secret: str, steps: int = 0) -> str:
    return pyotp.TOTP(secret).at(clock.now() + timedelta(seconds=30 * steps))


def checked(user: User, given: str) -> bool:
    with unit_of_work() as session:
        return second_factor.check(session.merge(user), given)


@pytest.fixture
def ines(app):
    """An accountant, the secret of her application, her recovery codes."""
    secret = second_factor.new_secret()
    with unit_of_work():
        user, _password = staff.add("ines@demo.test", "Comptable", by=LEA)
        codes = second_factor.turn_on(user, secret, code(secret, -1))
    return user, secret, codes


def test_the_secret_is_kept_sealed_and_only_after_a_code_that_fits(app):
    secret = second_factor.new_secret()
    with unit_of_work():
        user, _password = staff.add("ines@demo.test", "Comptable", by=LEA)
    with pytest.raises(Refused), unit_of_work():
        second_factor.turn_on(user, secret, "000000")
    assert not second_factor.is_on(user.id)
    with unit_of_work():
        second_factor.turn_on(user, secret, code(secret))
    assert second_factor.is_on(user.id)
    assert secret not in db.session.get_one(StaffAccount, user.id).totp_sealed


def test_a_code_counts_once_and_so_does_each_older_one(ines):
    user, secret, _codes = ines
    assert checked(user, code(secret, 1))
    assert not checked(user, code(secret, 1))
    assert not checked(user, code(secret, 0))


@pytest.mark.parametrize("steps", [-2, 2])
def test_a_code_of_another_minute_opens_nothing(ines, steps):
    user, secret, _codes = ines
    assert not checked(user, code(secret, steps))


def test_a_recovery_code_opens_once_however_it_is_typed(ines):
    user, _secret, codes = ines
    assert len(set(codes)) == 10
    assert checked(user, codes[0].lower().replace("-", " "))
    assert not checked(user, codes[0])
    assert second_factor.codes_left(user.id) == 9


def test_new_recovery_codes_void_the_old_ones(ines):
    user, _secret, codes = ines
    with unit_of_work() as session:
        fresh = second_factor.renew_codes(session.merge(user))
    assert not checked(user, codes[0])
    assert checked(user, fresh[0])


def test_a_recovery_code_of_one_person_opens_nothing_for_another(ines):
    _user, _secret, codes = ines
    secret = second_factor.new_secret()
    with unit_of_work():
        other, _password = staff.add("noe@demo.test", "Comptable", by=LEA)
        second_factor.turn_on(other, secret, code(secret, -1))
    assert not checked(other, codes[0])


def test_five_wrong_codes_close_it_for_a_while(ines):
    user, secret, _codes = ines
    for _n in range(5):
        second_factor.wrong(user.id)
    with pytest.raises(limits.TooMany) as closed:
        checked(user, code(secret))
    assert 0 < closed.value.seconds <= 60
    second_factor.right(user.id)
    assert checked(user, code(secret))


def test_turning_it_off_voids_the_codes_and_ends_the_sessions(ines):
    user, _secret, _codes = ines
    with unit_of_work() as session:
        second_factor.turn_off(session.merge(user), by=LEA)
    assert not second_factor.is_on(user.id)
    assert second_factor.codes_left(user.id) == 0
    with pytest.raises(Refused), unit_of_work() as session:
        second_factor.turn_off(session.merge(user), by=LEA)


@pytest.mark.parametrize(
    ("setting", "asked"),
    [("nobody", (False, False)), ("money", (True, False)), ("everybody", (True, True))],
)
def test_the_setting_says_of_whom_it_is_asked(app, setting, asked):
    with unit_of_work():
        settings.change("second_factor", setting, by=LEA)
        accountant, _password = staff.add("ines@demo.test", "Comptable", by=LEA)
        buyer, _password = staff.add("marc@demo.test", "Opérateur reprise", by=LEA)
        found = second_factor.is_asked_of(accountant), second_factor.is_asked_of(buyer)
    assert found == asked
