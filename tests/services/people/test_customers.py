"""Accounts: what may be typed, how they are confirmed, recovered, corrected, exported, erased."""

import re
from datetime import timedelta

import pytest

from models import (
    Customer,
    Message,
    Outbox,
)
from services import clock, limits, outbox
from services.people import customers, links, passwords
from services.unit import db, unit_of_work
from services.workflow import Refused
from tests import factories
from tests.factories import PASSWORD

GOOD = {
    "first_name": "Camille",
    "last_name": "Aubry",
    "address": "12 rue des Tanneurs",
    "address_more": "",
    "postcode": "44000",
    "city": "Nantes",
    "phone": "06 12 34 56 78",
}


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("postcode", "4400"),
        ("postcode", "99999"),
        ("postcode", "00100"),
        ("postcode", "ABCDE"),
        ("phone", "12"),
        ("phone", "06 12 34"),
        ("phone", "bonjour"),
        ("first_name", "  "),
        ("last_name", "\u200b"),
        ("city", ""),
        ("address", "\n"),
        ("address", "x" * 300),
    ],
)
def test_what_cannot_be_is_refused_beside_its_field(app, field, words):
    with pytest.raises(customers.Invalid) as refusal:
        customers.clean({**GOOD, field: words})
    assert refusal.value.field == field
    assert str(refusal.value)


@pytest.mark.parametrize(
    ("changes", "phone"),
    [
        ({}, "+33612345678"),
        ({"phone": "+33 6 12 34 56 78"}, "+33612345678"),
        ({"phone": "0033612345678"}, "+33612345678"),
        ({"phone": "02 40 12 34 56"}, "+33240123456"),
        ({"postcode": "97400", "phone": "0692 12 34 56"}, "+262692123456"),
        ({"postcode": "97110", "phone": "0690 12 34 56"}, "+590690123456"),
        ({"phone": "+32 470 12 34 56"}, "+32470123456"),
        ({"last_name": "d’Haussy-Núñez"}, "+33612345678"),
        ({"last_name": "O'Brien"}, "+33612345678"),
        ({"city": "L'Haÿ-les-Roses"}, "+33612345678"),
        ({"postcode": "20 000"}, "+33612345678"),
        ({"postcode": "98000"}, "+33612345678"),
    ],
)
def test_real_names_addresses_and_overseas_phones_are_taken(app, changes, phone):
    assert customers.clean({**GOOD, **changes})["phone"] == phone


@pytest.mark.parametrize(
    "words",
    [
        "camille",
        "a@b",
        "a b@exemple.fr",
        "a@exemple..fr",
        "@exemple.fr",
        "a@-exemple.fr",
        "a\n@exemple.fr",
        "é@exemple.fr",
        "a" * 70 + "@x.fr",
    ],
)
def test_what_is_no_address_is_refused(app, words):
    with pytest.raises(customers.Invalid):
        customers.clean_email(words)


def test_addresses_are_kept_in_one_form(app):
    assert (
        customers.clean_email("  Camille.AUBRY+jeux@Exemple.FR ") == "camille.aubry+jeux@exemple.fr"
    )


@pytest.mark.parametrize(
    "password",
    [
        "court",
        "azertyuiop12",
        "123456789012",
        "aaaaaaaaaaaaa",
        "motdepasse123",
        "abcdefghijkl",
        "Camille12345",
    ],
)
def test_a_password_people_try_first_is_refused(app, password):
    with pytest.raises(Refused):
        passwords.chosen(password, "camille@exemple.fr", "Camille", "Aubry")


def test_an_account_is_confirmed_by_the_link_of_its_mail(app, mail):
    camille = factories.a_customer_with_password()
    kept = db.session.scalars(db.select(Message).where(Message.event == "confirm_email")).one()
    outbox.work()
    letter = mail.sent_to(camille.email)[0]
    token = re.search(r"/compte/confirmer/(\S+)", letter.text).group(1)
    assert token in letter.html, "a link that opens an account is read by its owner alone"
    assert token not in kept.body + kept.html, (
        "a link that opens an account is read by its owner alone"
    )
    assert token not in str([row.payload for row in db.session.scalars(db.select(Outbox))])
    camille = db.session.get(type(camille), camille.id)
    assert camille.email_confirmed_at is None
    with unit_of_work():
        customers.confirm_email(*links.read_confirm(token))
    assert camille.email_confirmed_at


def test_a_second_account_on_one_address_is_refused(app):
    factories.a_customer_with_password()
    with pytest.raises(Refused, match="déjà"), unit_of_work():
        customers.open_account(
            factories.the_site(), email="CAMILLE@exemple.fr", password_hash="x", **GOOD
        )


def test_five_wrong_passwords_close_the_account_a_while_then_the_right_one_opens(app):
    factories.a_customer_with_password()
    for _n in range(5):
        assert customers.sign_in("camille@exemple.fr", "faux") is None
    with pytest.raises(limits.TooMany, match="1 min"):
        customers.sign_in("camille@exemple.fr", PASSWORD)
    limits.right_password("customer:camille@exemple.fr")
    assert customers.sign_in("camille@exemple.fr", PASSWORD)


def test_an_unknown_address_is_locked_like_a_known_one(app):
    for _n in range(5):
        assert customers.sign_in("personne@exemple.fr", "faux") is None
    with pytest.raises(limits.TooMany):
        customers.sign_in("personne@exemple.fr", "faux")


def test_a_forgotten_password_is_replaced_once_by_a_link(app):
    camille = factories.a_customer_with_password()
    token = links.reset(camille).rpartition("/")[2]
    with unit_of_work():
        customers.change_password(
            links.read_reset(token),
            passwords.hashed("quatre mots encore mieux"),
            site=factories.the_site(),
        )
    with pytest.raises(Refused, match="déjà servi"):
        links.read_reset(token)
    assert customers.sign_in(camille.email, "quatre mots encore mieux")
    assert camille.session_epoch == 1


@pytest.mark.parametrize("token", ["", "abc", "a.b.c", "WzEsMCwiIl0.xxx.yyy"])
def test_a_tampered_link_says_so(app, token):
    with pytest.raises(Refused):
        links.read_reset(token)
    with pytest.raises(Refused):
        links.read_confirm(token)


def test_a_link_of_one_purpose_opens_no_other(app):
    camille = factories.a_customer_with_password()
    with pytest.raises(Refused):
        links.read_reset(links.confirm(camille, camille.email).rpartition("/")[2])


def test_nobody_learns_whether_an_address_has_an_account(app):
    factories.a_customer_with_password()
    before = db.session.scalar(db.select(db.func.count(Message.id)))
    with unit_of_work():
        customers.forgot_password("personne@exemple.fr", site=factories.the_site())
    assert db.session.scalar(db.select(db.func.count(Message.id))) == before


def test_a_new_address_must_confirm_and_the_old_one_is_told(app):
    camille = factories.a_customer_with_password()
    with unit_of_work():
        customers.ask_email(camille, "nouvelle@exemple.fr", site=factories.the_site())
    told = {
        m.recipient: m.event
        for m in db.session.scalars(db.select(Message).where(Message.event != "confirm_email"))
    }
    assert told == {
        "nouvelle@exemple.fr": "confirm_new_email",
        "camille@exemple.fr": "email_change_asked",
    }
    assert camille.email == "camille@exemple.fr"
    old = next(m for m in db.session.scalars(db.select(Message)) if m.event == "email_change_asked")
    assert "nouvelle@" not in old.body
    assert "n•••@exemple.fr" in old.body
    with unit_of_work():
        customers.confirm_email(
            *links.read_confirm(links.confirm(camille, "nouvelle@exemple.fr").rpartition("/")[2])
        )
    assert camille.email == "nouvelle@exemple.fr"
    assert camille.session_epoch == 1


def test_everything_held_about_a_person_is_exported(app):
    camille = factories.a_customer()
    offer = factories.an_offer(customer=camille)
    data = customers.export(camille)
    assert data["account"]["email"] == camille.email
    assert data["offers"][0]["number"] == offer.number
    assert len(data["offers"][0]["lines"]) == 2
    assert data["messages"]


def test_an_account_with_a_sale_under_way_is_not_erased(app):
    offer = factories.an_offer()
    with pytest.raises(Refused, match=offer.number), unit_of_work():
        customers.erase(offer.customer)


def test_erasing_leaves_the_sale_without_the_person(app):
    from services.buyback import offers

    camille = factories.a_customer(email="camille@exemple.fr")
    offer = factories.an_offer(customer=camille)
    with unit_of_work():
        offers.refuse(offer, "non", by=factories.MARC)
        said = customers.erase(camille)
    assert "dix ans" in said
    assert camille.erased_at
    assert camille.phone == ""
    assert offer.number
    everything = " ".join(
        str(v)
        for v in [camille.email, camille.name, camille.address]
        + [m.body + m.recipient for m in db.session.scalars(db.select(Message))]
    )
    assert "Aubry" not in everything
    assert "camille@exemple.fr" not in everything
    assert "Tanneurs" not in everything


def test_signing_in_by_the_link_of_a_forgotten_password_counts_as_a_visit(app, client):
    person = factories.a_customer_with_password()
    with unit_of_work() as session:
        session.get_one(Customer, person.id).seen_at = clock.now() - timedelta(days=900)
    link = links.reset(db.session.get_one(Customer, person.id))
    db.session.rollback()
    form = {"password": "un tout autre secret", "confirm": "un tout autre secret"}
    assert (
        client.post(
            link,
            data={
                f"{prefix}{name}": word for prefix in ("", "new-") for name, word in form.items()
            },
        ).status_code
        == 302
    )
    db.session.expire_all()
    assert clock.now() - db.session.get_one(Customer, person.id).seen_at < timedelta(minutes=1)


def test_who_proves_himself_again_goes_on_alone(app, as_customer):
    person = factories.a_customer_with_password()
    client = as_customer(person)
    stolen = client.get_cookie("comptoir_client").value
    answer = client.post(
        "/compte/email",
        data={"new-email": "nouvelle@exemple.fr", "new-password": factories.PASSWORD},
    )
    assert answer.status_code == 302
    assert client.get("/compte").status_code == 200
    thief = app.test_client()
    thief.set_cookie("comptoir_client", stolen, domain="localhost")
    assert thief.get("/compte").status_code == 302
