"""What is kept and forgotten."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from models import (
    AuditEntry,
    Customer,
)
from services import clock, retention
from services.unit import db
from services.workflow import CLOCK
from tests import factories


@pytest.fixture
def boss(as_staff):
    return as_staff("Administrateur")


def test_what_is_kept_and_what_was_forgotten_can_be_read(app, boss):
    page = boss.get("/gestion/donnees-personnelles/").text
    for words in (
        "IBAN des vendeurs",
        "Inscriptions du livre de police",
        "dix ans",
        "24\u00a0mois",
        "Journal des accès",
    ):
        assert words in page or words.replace("\u00a0", " ") in page, words
    with clock.at(clock.now() + timedelta(days=10)):
        retention.run(by=CLOCK)
    assert "Rien n’était échu" in boss.get("/gestion/donnees-personnelles/").text


def test_staff_give_a_seller_his_data_or_erase_him_at_his_request(app, boss):
    customer = factories.a_customer(email="camille@exemple.fr")
    id = customer.id
    file = boss.get(f"/gestion/donnees-vendeur/{id}")
    assert file.json["account"]["email"] == "camille@exemple.fr"
    assert "attachment" in file.headers["Content-Disposition"]
    assert boss.get("/gestion/donnees-vendeur/99").status_code == 404
    boss.post(f"/gestion/vendeurs-particuliers/action/erase/{id}")
    db.session.expire_all()
    assert db.session.get(Customer, id).erased_at is not None
    done = db.session.scalars(select(AuditEntry.what).order_by(AuditEntry.number))
    assert [w for w in done if w in ("personal_data_exported", "person_erased")] == [
        "personal_data_exported",
        "person_erased",
    ]
