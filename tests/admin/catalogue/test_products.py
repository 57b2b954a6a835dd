"""Products in the back office."""

import io

import pytest

from models import Variant
from services.unit import db
from tests import factories
from tests.factories import a_game, a_shoe, stocked


@pytest.fixture
def boss(as_staff):
    return as_staff("Administrateur")


def test_a_cover_is_uploaded_and_shown(boss, client):
    from tests.services.test_files import picture

    game = factories.a_game()
    data = {
        "title": "Astro Renard",
        "platform": game.product.platform_id,
        "picture": (io.BytesIO(picture()), "c.jpg"),
    }
    assert boss.post(f"/gestion/produits/edit/{game.product_id}", data=data).status_code == 302
    assert client.get(f"/jaquette/{game.ean}").mimetype == "image/jpeg"


def test_a_product_is_added_with_its_barcode_and_argus(boss, client):
    platform = factories.a_game().product.platform_id
    data = {
        "title": "Nouveau",
        "platform": platform,
        "ean": "5060327534393",
        "argus_cents": "25,00",
    }
    assert boss.post("/gestion/produits/add", data=data).status_code == 302
    assert client.get("/api/v1/quote?ean=5060327534393").json["price"] == "10.00"
    assert "déjà le code-barres" in boss.post("/gestion/produits/add", data=data).text
    assert boss.post("/gestion/produits/add", data={**data, "ean": "12"}).status_code == 422


def test_an_argus_edited_keeps_its_history(boss):
    game = factories.a_game(argus_cents=2000)
    boss.post(f"/gestion/argus/edit/{game.id}", data={"argus_cents": "12,50"})
    db.session.rollback()
    from services.catalogue import argus

    assert [v.value_cents for v in argus.history(db.session.get(type(game), game.id))] == [
        2000,
        1250,
    ]
    assert "12,50" in boss.get(f"/gestion/argus/show/{game.id}").text


def test_a_title_of_spaces_is_no_title(as_staff):
    game = a_game("Astro Renard")
    page = as_staff("Administrateur").post(
        f"/gestion/produits/edit/{game.product_id}", data={"title": "   "}
    )
    assert page.status_code == 422
    assert "titre" in page.text


def test_a_barcode_is_detached_from_its_sheet_by_a_button(boss):
    mule, boot = a_shoe("Mule Corail"), a_shoe("Mule Corail", shoe_size="39")
    page = boss.get(f"/gestion/produits/show/{mule.product_id}").text
    assert "Détacher ce code-barres" in page
    sheet = f"/gestion/produits/fiche/{mule.product_id}/detacher"
    answer = boss.post(sheet, data={"variant": boot.id})
    db.session.expire_all()
    own = db.session.get_one(Variant, boot.id).product_id
    assert own != mule.product_id
    assert answer.location.endswith(f"/gestion/produits/edit/{own}")
    assert "Détacher" not in boss.get(f"/gestion/produits/show/{mule.product_id}").text


def test_a_model_of_several_sizes_shows_its_grid(boss):
    small = a_shoe(shoe_size="41")
    large = a_shoe(shoe_size="UK 8")
    stocked(large, 3)
    page = boss.get(f"/gestion/produits/show/{small.product_id}").text
    grid = page[page.index("grid-of-sizes") :]
    assert grid.index(">41<") < grid.index(">42<")
    assert f'href="/gestion/references/show/{large.id}"' in grid
