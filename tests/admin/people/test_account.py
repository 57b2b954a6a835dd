"""Who is at the screen: two steps to sign in, sessions one can see and end, and the password again
before what costs.
"""

import re
from datetime import timedelta
from types import SimpleNamespace

import pyotp
import pytest
from sqlalchemy import select

from models import (
    AuditEntry,
    Membership,
    RecoveryCode,
    StaffAccount,
    StaffSession,
    TransferBatch,
    User,
)
from services import clock, sealing, settings
from services.people import second_factor, staff
from services.unit import db, unit_of_work
from services.workflow import Refused
from tests import factories
from tests.factories import MARC

PASSWORD = "trois mots très simples"


@pytest.fixture
def ines(app):
    """An accountant with her own password and a second factor; her secret and recovery codes."""
    from services.people import passwords

    secret = second_factor.new_secret()
    with unit_of_work() as session:
        user, _password = staff.add("ines@exemple.fr", "Comptable", by=MARC, first_name="Inès")
        staff.change_password(user, passwords.hashed(PASSWORD))
        id = user.id
        codes = second_factor.turn_on(
            session.get_one(User, id),
            secret,
            pyotp.TOTP(secret).at(clock.now() - timedelta(seconds=30)),
        )

    person = SimpleNamespace()
    person.id, person.secret, person.codes = id, secret, codes
    return person


def what() -> list[str]:
    db.session.rollback()
    return list(db.session.scalars(select(AuditEntry.what).order_by(AuditEntry.number)))


def password(client, words=PASSWORD, email="ines@exemple.fr"):
    return client.post("/gestion/login/", data={"username": email, "password": words})


def test_the_password_alone_opens_nothing_when_there_is_a_second_factor(client, ines):
    assert password(client).location.startswith("/gestion/login/code")
    assert "/gestion/login/" in client.get("/gestion/offres/list/").location
    assert client.get("/gestion/login/code").status_code == 200
    right = client.post("/gestion/login/code", data={"code": pyotp.TOTP(ines.secret).now()})
    assert right.status_code == 302
    assert client.get("/gestion/offres/list/").status_code == 200
    assert what()[-1] == "signed_in"


def test_a_code_counts_once_and_a_wrong_one_is_counted(app, ines):
    code = pyotp.TOTP(ines.secret).now()
    first, second = app.test_client(), app.test_client()
    password(first), password(second)
    assert first.post("/gestion/login/code", data={"code": code}).status_code == 302
    assert second.post("/gestion/login/code", data={"code": code}).status_code == 422
    for _n in range(4):
        assert second.post("/gestion/login/code", data={"code": "000000"}).status_code == 422
    page = second.post("/gestion/login/code", data={"code": "000000"})
    assert "Trop de codes faux" in page.text
    assert what().count("code_refused") == 5


def test_a_recovery_code_opens_once_and_says_how_many_are_left(app, ines):
    for used, expected in (
        (ines.codes[0], 302),
        (ines.codes[0], 422),
        (ines.codes[1].lower().replace("-", " "), 302),
    ):
        client = app.test_client()
        password(client)
        assert client.post("/gestion/login/code", data={"code": used}).status_code == expected, used
    assert second_factor.codes_left(ines.id) == 8
    assert what().count("recovery_code_used") == 2
    assert all(len(code.fingerprint) == 64 for code in db.session.scalars(select(RecoveryCode)))


def test_half_a_sign_in_does_not_last(client, ines):
    password(client)
    with clock.at(clock.now() + timedelta(minutes=11)):
        assert client.post(
            "/gestion/login/code", data={"code": pyotp.TOTP(ines.secret).at(clock.now())}
        ).location.startswith("/gestion/login/")
        assert "/gestion/login/" in client.get("/gestion/").location


def test_an_accountant_turns_hers_on_before_anything_else_and_keeps_ten_codes(app, client):
    from services.people import passwords

    with unit_of_work():
        user, _password = staff.add("ana@exemple.fr", "Comptable", by=MARC)
        staff.change_password(user, passwords.hashed(PASSWORD))
        id = user.id
    password(client, email="ana@exemple.fr")
    for place in ("/gestion/", "/gestion/paiements/", "/gestion/mon-compte/"):
        assert client.get(place).location == "/gestion/mon-compte/second-facteur", place
    page = client.get("/gestion/mon-compte/second-facteur").text
    secret = re.search(r'class="code">([A-Z2-7 ]+)<', page)[1].replace(" ", "")
    assert "<svg" in page
    assert (
        client.post("/gestion/mon-compte/second-facteur", data={"code": "123"}).status_code == 422
    )
    codes = client.post(
        "/gestion/mon-compte/second-facteur", data={"code": pyotp.TOTP(secret).now()}
    )
    assert len(re.findall(r'<li class="code">[A-Z2-9]{5}-[A-Z2-9]{5}</li>', codes.text)) == 10
    assert client.get("/gestion/paiements/").status_code == 200
    kept = db.session.get(StaffAccount, id)
    assert secret not in kept.totp_sealed
    assert sealing.unseal(kept.totp_sealed, f"staff_account.totp:{id}") == secret
    assert client.get("/gestion/mon-compte/second-facteur").location == "/gestion/mon-compte/"


def test_nobody_is_asked_for_one_when_the_shop_decided_so(app, client):
    from services.people import passwords

    with unit_of_work():
        settings.change("second_factor", "nobody", by=MARC)
        user, _password = staff.add("ana@exemple.fr", "Administrateur", by=MARC)
        staff.change_password(user, passwords.hashed(PASSWORD))
    password(client, email="ana@exemple.fr")
    assert client.get("/gestion/").status_code == 200


def test_an_administrator_takes_it_off_for_who_lost_everything(app, as_staff, ines):
    boss, hers = as_staff("Administrateur"), app.test_client()
    password(hers)
    hers.post("/gestion/login/code", data={"code": pyotp.TOTP(ines.secret).now()})
    assert hers.get("/gestion/").status_code == 200
    boss.post(f"/gestion/utilisateurs/action/take_second_factor/{ines.id}")
    assert not second_factor.is_on(ines.id)
    assert "/gestion/login/" in hers.get("/gestion/").location
    assert "second_factor_off" in what()


# ── sessions ──


def test_one_sees_where_one_is_signed_in_and_ends_it_there(app, as_staff, client):
    here = as_staff("Opérateur reprise", factories.the_vendor(), email="marc@staff.test")
    from services.people import passwords, sessions

    with unit_of_work() as session:
        user = session.get_one(User, here.user_id)
        user.password = passwords.hashed(PASSWORD)
        staff.account_of(user).totp_sealed = ""
    elsewhere = app.test_client()
    elsewhere.post(
        "/gestion/login/",
        data={"username": "marc@staff.test", "password": PASSWORD},
        headers={"User-Agent": "Mozilla/5.0 (Windows) Firefox/132"},
    )
    assert elsewhere.get("/gestion/").status_code == 200
    page = here.get("/gestion/mon-compte/").text
    assert "Firefox · Windows" in page
    assert "ici" in page
    other = next(s.id for s in sessions.live(here.user_id) if "Firefox" in s.agent)
    assert here.post(f"/gestion/mon-compte/sessions/{other}/terminer").status_code == 302
    assert "/gestion/login/" in elsewhere.get("/gestion/").location
    assert here.get("/gestion/").status_code == 200


def test_nobody_ends_the_session_of_another(as_staff):
    marc, noe = (
        as_staff("Opérateur reprise", factories.the_vendor(), email=f"{name}@staff.test")
        for name in ("marc", "noe")
    )
    theirs = db.session.scalar(select(StaffSession.id).where(StaffSession.user_id == noe.user_id))
    marc.post(f"/gestion/mon-compte/sessions/{theirs}/terminer")
    assert noe.get("/gestion/").status_code == 200


def test_a_stolen_cookie_is_worth_nothing_after_sign_out_or_a_new_proof(app, as_staff):
    boss = as_staff("Administrateur")
    stolen = boss.get_cookie("comptoir").value

    def thief():
        other = app.test_client()
        other.set_cookie("comptoir", stolen, domain="localhost")
        return other.get("/gestion/").status_code

    assert thief() == 200
    answer = boss.post("/gestion/logout/")
    assert answer.headers["Clear-Site-Data"] == '"cache", "storage"'
    assert thief() == 302


def test_a_password_given_once_is_too_old_after_three_days(app, client):
    with unit_of_work():
        _user, once = staff.add("lea@exemple.fr", "Opérateur reprise", by=MARC)
    with clock.at(clock.now() + timedelta(days=4)):
        page = password(client, once, "lea@exemple.fr")
        assert page.status_code == 422
        assert "trois jours" in page.text
    assert password(client, once, "lea@exemple.fr").status_code == 302
    again = client.post("/gestion/mot-de-passe/", data={"current": once, "password": once})
    assert again.status_code == 422
    assert "autre mot de passe" in again.text


def test_an_attacker_elsewhere_does_not_keep_the_owner_out(app, client, ines):
    """Wrong passwords from one address close the account for that address; the owner, elsewhere,
    signs in.
    """
    for _n in range(6):
        client.post(
            "/gestion/login/",
            data={"username": "ines@exemple.fr", "password": "faux"},
            environ_base={"REMOTE_ADDR": "203.0.113.9"},
        )
    closed = client.post(
        "/gestion/login/",
        data={"username": "ines@exemple.fr", "password": PASSWORD},
        environ_base={"REMOTE_ADDR": "203.0.113.9"},
    )
    assert "Trop de mots de passe" in closed.text
    assert password(app.test_client()).status_code == 302
    said = app.test_cli_runner().invoke(args=["staff", "unlock", "ines@exemple.fr"])
    assert said.exit_code == 0
    freed = client.post(
        "/gestion/login/",
        data={"username": "ines@exemple.fr", "password": PASSWORD},
        environ_base={"REMOTE_ADDR": "203.0.113.9"},
    )
    assert freed.status_code == 302


# ── proof ──


def stale(client) -> None:
    with client.session_transaction() as cookie:
        cookie["proved"] = 0


def test_money_asks_for_the_password_again_and_keeps_what_was_typed(app, as_staff):
    from services.payments import transfers
    from services.people import passwords

    factories.a_paying_account()
    factories.a_payment()
    ines = as_staff("Comptable", email="ines@staff.test")
    with unit_of_work() as session:
        session.get_one(User, ines.user_id).password = passwords.hashed(PASSWORD)
    stale(ines)
    count, total = transfers.totals(1)
    typed = {"word": "PAIEMENT", "count": count, "total": total, "form_token": "jeton-1"}
    page = ines.post("/gestion/paiements/1/valider", data=typed)
    assert page.status_code == 200
    assert "Confirmez que c’est bien vous" in page.text
    kept = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page.text))
    assert kept["word"] == "PAIEMENT"
    assert kept["form_token"] == "jeton-1"
    assert not db.session.scalars(select(TransferBatch)).all()
    wrong = ines.post("/gestion/paiements/1/valider", data={**kept, "proof_password": "faux"})
    assert wrong.status_code == 422
    assert "Ce n’est pas votre mot de passe" in wrong.text
    assert (
        ines.post(
            "/gestion/paiements/1/valider", data={**kept, "proof_password": PASSWORD}
        ).status_code
        == 302
    )
    db.session.rollback()
    assert len(db.session.scalars(select(TransferBatch)).all()) == 1
    assert [w for w in what() if w.startswith("pro")] == ["proof_refused", "proved"]


@pytest.mark.parametrize(
    ("method", "place", "data"),
    [
        (
            "post",
            "/gestion/parametrages/comptes/add",
            {"vendor": 1, "holder": "X", "iban": factories.IBANS[0]},
        ),
        ("post", "/gestion/droits/add", {"user": 1, "vendor": 1}),
        ("post", "/gestion/utilisateurs/ajouter/", {"email": "x@y.fr", "role": "Administrateur"}),
        ("post", "/gestion/utilisateurs/action/give_password/1", {}),
        ("post", "/gestion/parametrages/", {"second_factor": "nobody"}),
        ("post", "/gestion/utilisateurs/action_post", {"action": "withdraw_access", "rowid": "1"}),
        ("get", "/gestion/donnees-vendeur/1", {}),
        ("post", "/gestion/mon-compte/second-facteur/retirer", {}),
        ("post", "/gestion/mon-compte/codes", {}),
        ("get", "/gestion/paiements/1/iban", {}),
    ],
)
def test_ibans_rights_and_personal_data_ask_again(as_staff, method, place, data):
    factories.a_customer()
    boss = as_staff("Administrateur")
    stale(boss)
    before = (
        len(db.session.scalars(select(Membership)).all()),
        len(db.session.scalars(select(User)).all()),
    )
    answer = getattr(boss, method)(place, data=data) if method == "post" else boss.get(place)
    assert answer.status_code == 200
    assert "Confirmez que c’est bien vous" in answer.text
    db.session.rollback()
    assert (
        len(db.session.scalars(select(Membership)).all()),
        len(db.session.scalars(select(User)).all()),
    ) == before
    assert settings.value("second_factor") == "money"


def test_a_proof_lasts_ten_minutes_and_gives_the_session_a_new_key(app, as_staff):
    from services.people import passwords

    boss = as_staff("Administrateur")
    with unit_of_work() as session:
        session.get_one(User, boss.user_id).password = passwords.hashed(PASSWORD)
    stale(boss)
    stolen = boss.get_cookie("comptoir").value
    assert (
        boss.post(
            "/gestion/parametrages/", data={"answer_days": "15", "proof_password": PASSWORD}
        ).status_code
        == 302
    )
    assert settings.value("answer_days") == 15
    other = app.test_client()
    other.set_cookie("comptoir", stolen, domain="localhost")
    with clock.at(
        clock.now() + timedelta(minutes=1)
    ):  # a page already under way is let finish for half a minute
        assert (
            other.get("/gestion/").status_code == 302
        )  # then the key copied before the proof opens nothing
    assert boss.post("/gestion/parametrages/", data={"answer_days": "16"}).status_code == 302
    with clock.at(clock.now() + timedelta(minutes=11)):
        assert "Confirmez" in boss.post("/gestion/parametrages/", data={"answer_days": "17"}).text


def test_the_whole_iban_is_shown_to_who_pays_and_the_reading_is_written_down(as_staff):
    payment = factories.a_payment()
    id = payment.id
    page = as_staff("Comptable").get(f"/gestion/paiements/{id}/iban")
    assert "FR14 2004 1010 0505 0001 3M02 606" in page.text
    entry = db.session.scalars(select(AuditEntry).where(AuditEntry.what == "iban_read")).one()
    assert entry.actor_name == "Comptable"
    assert "FR14" not in str(entry.facts) + entry.subject
    assert entry.address == "127.0.0.1"
    assert len(entry.request_id) == 16
    assert (
        as_staff("Opérateur reprise", factories.the_vendor())
        .get(f"/gestion/paiements/{id}/iban")
        .status_code
        == 403
    )


def test_an_iban_that_replaces_another_waits_three_days_and_is_told(app, client, mail):
    from services import outbox
    from services.buyback import reception
    from services.payments import bank_details, seller_payments, transfers
    from services.workflow import CLOCK

    factories.a_paying_account()
    payment = factories.a_payment()
    id, customer = payment.id, payment.customer
    factories.an_iban(customer, factories.IBANS[0])
    db.session.expire_all()
    held = db.session.get(type(payment), id)
    assert held.status.value == "held"
    assert "remplacé" in seller_payments.why_held(held)
    assert transfers.totals(1) == (0, 0)
    outbox.work()
    assert any(
        "rien n’y est versé avant" in letter.text
        for letter in mail.letters
        if "IBAN" in letter.subject
    )
    assert seller_payments.iban_wait_over() == []
    with clock.at(clock.now() + timedelta(hours=73)):
        for offer_id in seller_payments.iban_wait_over():
            with unit_of_work() as session:
                from models import Offer

                reception.review(session.get_one(Offer, offer_id), by=CLOCK)
        db.session.expire_all()
        assert db.session.get(type(payment), id).status.value == "to_pay"
        assert transfers.totals(1)[0] == 1
    assert bank_details.of(customer.id).held_until is not None


def test_a_first_iban_long_after_the_sign_in_asks_for_the_password(app, as_customer):
    person = factories.a_customer_with_password()
    client = as_customer(person)
    form = {"iban-iban": factories.IBANS[1], "iban-holder": "Camille Aubry"}
    with clock.at(clock.now() + timedelta(minutes=20)):
        asked = client.post("/compte/iban", data=form)
        assert asked.status_code == 422
        assert "mot de passe" in asked.text
        assert (
            client.post(
                "/compte/iban", data={**form, "iban-password": factories.PASSWORD}
            ).status_code
            == 302
        )


def test_a_staff_member_cannot_withdraw_his_own_access(as_staff):
    boss = as_staff("Administrateur")
    with unit_of_work() as session, pytest.raises(Refused):
        user = session.get_one(User, boss.user_id)
        staff.withdraw(user, by=staff.actor(user))
