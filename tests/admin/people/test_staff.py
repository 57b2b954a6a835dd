"""Staff: sign-in, lock-out, idle, added."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from models import StaffAccount
from services import clock
from services.unit import db, unit_of_work
from tests import factories
from tests.factories import MARC, PASSWORD


@pytest.fixture
def boss(as_staff):
    return as_staff("Administrateur")


# ── staff ──


def test_staff_sign_in_change_their_first_password_and_their_other_sessions_end(app, client):
    from services.people import staff

    with unit_of_work():
        _user, password = staff.add("ines@exemple.fr", "Comptable", by=MARC)
    answer = client.post(
        "/gestion/login/", data={"username": "ines@exemple.fr", "password": password}
    )
    assert answer.status_code == 302
    assert client.get("/gestion/offres/list/").location == "/gestion/mot-de-passe/"
    other = app.test_client()
    other.post("/gestion/login/", data={"username": "ines@exemple.fr", "password": password})
    assert (
        client.post(
            "/gestion/mot-de-passe/", data={"current": "faux", "password": PASSWORD}
        ).status_code
        == 422
    )
    assert (
        client.post(
            "/gestion/mot-de-passe/", data={"current": password, "password": PASSWORD}
        ).status_code
        == 302
    )
    assert (
        client.get("/gestion/offres/list/").location == "/gestion/mon-compte/second-facteur"
    )  # an accountant needs one
    assert "/gestion/login/" in other.get("/gestion/offres/list/").location


def test_staff_are_locked_out_after_five_wrong_passwords(app, client):
    from services.people import staff

    with unit_of_work():
        _user, password = staff.add("ines@exemple.fr", "Comptable", by=MARC)
    for _n in range(5):
        client.post("/gestion/login/", data={"username": "ines@exemple.fr", "password": "faux"})
    page = client.post(
        "/gestion/login/", data={"username": "ines@exemple.fr", "password": password}
    )
    assert page.status_code == 422
    assert "Trop de mots de passe" in page.text


def test_staff_are_signed_out_when_idle_and_when_access_is_withdrawn(boss, as_staff):
    ines = as_staff("Comptable")
    assert ines.get("/gestion/").status_code == 200
    with clock.at(clock.now() + timedelta(minutes=31)):
        assert "/gestion/login/" in ines.get("/gestion/").location
    marc = as_staff("Opérateur reprise", factories.the_vendor())
    boss.post(f"/gestion/utilisateurs/action/withdraw_access/{marc.user_id}")
    assert "/gestion/login/" in marc.get("/gestion/").location


def test_an_administrator_does_not_lock_himself_out(boss):
    page = boss.post(
        f"/gestion/utilisateurs/action/withdraw_access/{boss.user_id}", follow_redirects=True
    ).text
    assert "votre propre accès" in page


def test_staff_are_added_with_a_password_shown_once(boss):
    data = {"email": "noe@exemple.fr", "role": "Magasin", "vendor": factories.the_vendor().id}
    page = boss.post("/gestion/utilisateurs/ajouter/", data=data, follow_redirects=True).text
    assert "usage unique" in page
    db.session.rollback()
    assert (
        db.session.scalars(
            select(StaffAccount.must_change_password).order_by(StaffAccount.user_id.desc())
        ).first()
        is True
    )
    assert "a déjà un accès" in boss.post("/gestion/utilisateurs/ajouter/", data=data).text


@pytest.mark.parametrize("after", ["https://evil.com/", "//evil.com", "/autre"])
def test_staff_sign_in_never_leads_elsewhere(app, client, after):
    from services.people import staff

    with unit_of_work():
        _user, password = staff.add("ines@exemple.fr", "Comptable", by=MARC)
    answer = client.post(
        f"/gestion/login/?next={after}", data={"username": "ines@exemple.fr", "password": password}
    )
    assert answer.location == "/gestion/"
