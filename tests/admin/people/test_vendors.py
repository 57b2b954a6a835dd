"""Vendors and stores in the back office."""

import pytest

from models import (
    Store,
)
from services.unit import db
from tests import factories


@pytest.fixture
def boss(as_staff):
    return as_staff("Administrateur")


def test_a_vendor_and_a_platform_are_corrected_without_being_renamed(boss):
    platform = factories.a_game(platform="Wii").product.platform_id
    assert (
        boss.post(
            "/gestion/enseignes/edit/1",
            data={"name": "Ma boutique", "legal_name": "RétroShop SARL"},
        ).status_code
        == 302
    )
    assert (
        boss.post(
            f"/gestion/plateformes/edit/{platform}", data={"name": "Wii", "weight_grams": "210"}
        ).status_code
        == 302
    )


@pytest.fixture
def seller(as_staff):
    """Somebody of the vendor."""
    return as_staff("Vendeur", factories.the_vendor())


def test_a_store_has_a_code_that_is_its_own(as_staff):
    boss, store = as_staff("Administrateur"), factories.the_store()
    data = {"name": "Nantes Decré", "vendor": store.vendor_id, "code": "N2", "postcode": "44000"}
    assert boss.post("/gestion/magasins/add", data=data).status_code == 302
    for code, why in (("N2", "déjà"), ("n2", "déjà"), ("a b", "tirets")):
        page = boss.post("/gestion/magasins/add", data={**data, "name": "Autre", "code": code})
        assert page.status_code == 422, (
            code,
            page.text[page.text.index('<form method="post" enctype') :][:2500],
        )
        assert why in page.text, (
            code,
            page.text[page.text.index('<form method="post" enctype') :][:2500],
        )


# ── a vendor's own account ──


def test_the_operator_has_the_lists_instead(as_staff):
    boss = as_staff("Administrateur")
    assert boss.get("/gestion/mon-enseigne/").location.endswith("/gestion/enseignes/list/")
    assert "Mon enseigne" not in boss.get("/gestion/").text


def test_a_vendor_keeps_up_how_to_reach_him_and_his_stores_and_nobody_else_s(seller):
    vendor, store = factories.the_vendor(), factories.the_store()
    theirs, _site, strange = factories.another_vendor()
    page = seller.get("/gestion/mon-enseigne/").text
    assert vendor.name in page
    assert theirs.name not in page
    seller.post(
        f"/gestion/mon-enseigne/{vendor.id}",
        data={"email": "contact@boutique.example", "phone": "02 40 00 00 00", "address": "1 quai"},
    )
    seller.post(
        f"/gestion/mon-enseigne/magasin/{store.id}",
        data={"postcode": "44000", "city": "Nantes", "opening_hours": "10 h – 19 h"},
    )
    db.session.expire_all()
    assert (vendor.email, store.city, store.opening_hours) == (
        "contact@boutique.example",
        "Nantes",
        "10 h – 19 h",
    )
    for address in (
        f"/gestion/mon-enseigne/{theirs.id}",
        f"/gestion/mon-enseigne/magasin/{strange.id}",
    ):
        assert seller.post(address, data={"email": "x@y.example"}).status_code == 404
    wrong = seller.post(
        f"/gestion/mon-enseigne/magasin/{store.id}", data={"postcode": "ABC", "city": "Rezé"}
    )
    assert wrong.status_code == 422
    assert "code postal" in wrong.text
    assert 'value="Rezé"' in wrong.text
    assert db.session.get(Store, store.id).city == "Nantes"
