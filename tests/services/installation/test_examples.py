"""« Essayer avec des données d'exemple »: a first look on an empty installation, and only there."""

from dataclasses import replace

import pytest
from sqlalchemy import func, select

from models import Customer, Offer, OfferState, Product
from services.finance import books
from services.installation import examples
from services.unit import db, unit_of_work
from services.workflow import Refused
from tests import factories
from tests.factories import LEA


def test_an_empty_installation_gets_offers_one_can_check_receive_and_pay(as_staff):
    boss = as_staff("Administrateur")
    assert "Essayer avec des données d’exemple" in boss.get("/gestion/").text
    page = boss.post("/gestion/exemples", follow_redirects=True).text
    assert "3 propositions d’exemple attendent" in page
    assert "Essayer avec" not in page
    waiting = db.session.scalars(select(Offer).where(Offer.status == OfferState.to_check)).all()
    assert len(waiting) == 3
    assert all(offer.total_cents >= 1500 for offer in waiting)
    assert boss.get(f"/gestion/offres/valider/{waiting[0].id}").status_code == 200
    assert books.check() == []


def test_what_is_in_use_never_gets_examples(as_staff):
    factories.an_offer()
    boss = as_staff("Administrateur")
    assert "Essayer avec" not in boss.get("/gestion/").text
    boss.post("/gestion/exemples")
    assert db.session.scalar(select(func.count(Offer.id))) == 1


def test_a_second_click_adds_nothing(app):
    with unit_of_work():
        examples.fill("x", by=LEA)
    with pytest.raises(Refused, match="déjà"), unit_of_work():
        examples.fill("x", by=LEA)
    assert db.session.scalar(select(func.count(Customer.id))) == 3


def test_production_has_no_examples(app, monkeypatch):
    machine = app.extensions["comptoir"]
    monkeypatch.setitem(app.extensions, "comptoir", replace(machine, env="production"))
    with pytest.raises(Refused, match="essai"), unit_of_work():
        examples.fill("x", by=LEA)
    assert db.session.scalar(select(func.count(Product.id))) == 0


def test_only_who_sets_the_installation_up_may_ask_for_them(as_staff):
    clerk = as_staff("Opérateur reprise", factories.the_vendor())
    assert clerk.post("/gestion/exemples").status_code == 403
