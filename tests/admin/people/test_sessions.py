"""Sessions of staff."""

from datetime import timedelta

from sqlalchemy import select

from models import (
    StaffSession,
    User,
)
from services import clock
from services.people import passwords, sessions
from services.unit import db, unit_of_work
from tests import factories

PASSWORD = "trois mots très simples"


def test_a_page_that_refreshes_itself_does_not_keep_a_session_open(app, as_staff):
    boss = as_staff("Administrateur")
    now = clock.now()
    for minute in range(5, 30, 5):
        with clock.at(now + timedelta(minutes=minute)):
            assert boss.get("/gestion/sante/", headers={"X-Refresh": "1"}).status_code == 200
    with clock.at(now + timedelta(minutes=32)):
        assert boss.get("/gestion/sante/", headers={"X-Refresh": "1"}).status_code == 302


def test_the_key_of_before_is_accepted_half_a_minute_and_never_written_again(app, as_staff):
    boss = as_staff("Administrateur")
    session = db.session.scalars(select(StaffSession)).first()
    old = boss.get_cookie("comptoir").value
    with unit_of_work():
        new = sessions.renew(session.id)
    assert new
    tab = app.test_client()
    tab.set_cookie("comptoir", old, domain="localhost")
    answer = tab.get("/gestion/")
    assert answer.status_code == 200
    assert not any(
        c.startswith("comptoir=") and "seen" in c for c in answer.headers.getlist("Set-Cookie")
    )
    with clock.at(clock.now() + timedelta(seconds=40)):
        assert tab.get("/gestion/").status_code == 302


def test_a_page_that_only_gives_a_file_asks_for_the_password_too(app, as_staff):
    boss = as_staff("Administrateur")
    seller = factories.a_customer()
    with unit_of_work() as session:
        session.get_one(User, boss.user_id).password = passwords.hashed(PASSWORD)
    from tests.admin.people.test_account import stale

    stale(boss)
    place = f"/gestion/donnees-vendeur/{seller.id}"
    asked = boss.get(place)
    assert asked.status_code == 401 or "Confirmez" in asked.text
    answer = boss.post(place, data={"proof_password": PASSWORD}, follow_redirects=True)
    assert answer.status_code == 200
    assert "Confirmez" not in answer.text
