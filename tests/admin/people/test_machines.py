"""Keys and addresses of machines."""

import re

import pytest

from models import (
    MachineKey,
    Vendor,
    Webhook,
)
from services.people import machine_keys
from services.unit import db, unit_of_work
from tests import factories


def test_a_key_and_an_address_are_made_once_however_often_their_page_is_loaded_again(as_staff):
    boss = as_staff("Administrateur")
    for page, model, data in (
        (
            "/gestion/cles/nouvelle/",
            MachineKey,
            {"name": "Caisse", "scopes": "till", "store": factories.the_store().id},
        ),
        (
            "/gestion/webhooks/nouveau/",
            Webhook,
            {
                "url": "https://caisse.example/ici",
                "events": "stock.changed",
                "vendor": factories.the_vendor().id,
            },
        ),
    ):
        once = re.search(r'name="once" value="(\w+)"', boss.get(page).text)[1]
        first = boss.post(page, data={**data, "once": once})
        again = boss.post(page, data={**data, "once": once}, follow_redirects=True)
        assert first.status_code == 200
        assert "déjà fait" in again.text
        assert db.session.scalar(db.select(db.func.count(model.id))) == 1


def test_the_operator_makes_the_key_of_a_partner_and_says_whose_it_opens(as_staff):
    other, _site, _store = factories.another_vendor()
    boss = as_staff("Administrateur")
    first = factories.the_vendor()
    page = boss.get("/gestion/cles/partenaire/").text
    assert "pas encore de code" in page
    form = {"name": "ERP", "scopes": ["stock"], "vendors": [first.id, other.id], "per_minute": 600}
    refused = boss.post("/gestion/cles/partenaire/", data=form)
    assert refused.status_code == 422
    assert "n’a pas encore de code" in refused.text
    assert refused.text.count("checked") >= 3  # what was ticked is still ticked
    with unit_of_work() as session:
        for vendor in session.scalars(db.select(Vendor)):
            vendor.code = f"V{vendor.id}"
    made = boss.post("/gestion/cles/partenaire/", data=form)
    assert "cpt_" in made.text
    key = db.session.scalars(db.select(MachineKey)).one()
    assert {one.vendor_id for one in key.opened} == {first.id, other.id}
    sheet = f"/gestion/cles/show/{key.id}"
    assert f"V{other.id}" in boss.get(sheet).text
    boss.post(f"/gestion/cles/partenaire/{key.id}", data={"vendors": [other.id]})
    db.session.expire_all()
    assert [one.vendor_id for one in key.opened] == [other.id]
    assert (
        "Choisissez les enseignes"
        in boss.post(f"/gestion/cles/partenaire/{key.id}", data={}, follow_redirects=True).text
    )


def test_a_vendor_sees_no_key_of_a_partner_and_makes_none(as_staff):
    vendor = factories.the_vendor()
    with unit_of_work() as session:
        row = session.merge(vendor)
        row.code = "V1"
        machine_keys.make_for_partner([row], "ERP secret", ["stock"], by=factories.LEA)
    seller = as_staff("Vendeur", vendor)
    assert "ERP secret" not in seller.get("/gestion/cles/list/").text
    assert seller.get("/gestion/cles/partenaire/").status_code in (302, 403)
    assert seller.post("/gestion/cles/partenaire/1", data={}).status_code in (302, 403, 404)


@pytest.mark.parametrize(("typed", "sentence"), [("abc", "quantité"), ("0", "requêtes par minute")])
def test_a_number_of_requests_that_is_none_makes_no_key(as_staff, typed, sentence):
    factories.the_vendor()
    client = as_staff("Administrateur")
    with unit_of_work() as session:
        session.merge(factories.the_vendor()).code = "RETRO"
    form = {"name": "Lengow", "scopes": "stock", "vendors": factories.the_vendor().id}
    page = client.post("/gestion/cles/partenaire/", data={**form, "per_minute": typed})
    assert page.status_code == 422
    assert sentence in page.text
    assert db.session.scalar(db.select(db.func.count(MachineKey.id))) == 0
