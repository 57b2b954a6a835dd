"""« Rechercher partout »."""

import pytest

from tests import factories


@pytest.fixture
def boss(as_staff):
    return as_staff("Administrateur")


def test_what_is_being_typed_is_answered_with_the_first_hits_only(boss):
    for number in range(12):
        factories.a_game(f"Unique au monde {number}")
    page = boss.get("/gestion/recherche/propositions?q=unique").text
    assert page.count("data-href") == 8
    assert "Rien ne correspond" in boss.get("/gestion/recherche/propositions?q=xyzzy").text
    assert "<html" not in page


def test_nothing_is_proposed_that_may_not_be_opened(as_staff):
    offer = factories.an_offer()
    page = as_staff("Magasin").get(f"/gestion/recherche/propositions?q={offer.number}").text
    assert "data-href" not in page


def test_one_search_opens_the_one_it_finds(boss):
    offer = factories.an_offer()
    game = factories.a_game("Unique au monde")
    assert (
        f"/offres/show/{offer.id}"
        in boss.get(f"/gestion/recherche/?q={offer.number.lower()}").location
    )
    assert (
        f"/produits/show/{game.product_id}"
        in boss.get(f"/gestion/recherche/?q={game.ean}").location
    )
    assert (
        "/vendeurs-particuliers/show/"
        in boss.get(f"/gestion/recherche/?q={offer.customer.email}").location
    )
    assert (
        f"/produits/show/{game.product_id}"
        in boss.get("/gestion/recherche/?q=mondes+uniques").location
    )
    close = boss.get("/gestion/recherche/?q=unniques").text
    assert "Rien ne correspond" in close
    assert "Unique au monde" in close
    for words in ("", "xyzzy", "%", "CDE999", "'", "\\"):
        assert boss.get("/gestion/recherche/", query_string={"q": words}).status_code == 200
