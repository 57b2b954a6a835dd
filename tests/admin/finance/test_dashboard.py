"""The first page."""

import pytest

from services.unit import unit_of_work
from tests import factories


@pytest.fixture
def boss(as_staff):
    return as_staff("Administrateur")


def test_the_red_tile_counts_the_offers_to_check(boss):
    page = boss.get("/gestion/").text
    assert "tile-hot" not in page
    assert "Offres à contrôler" in page
    assert "Rien à faire, bravo" in page
    factories.an_offer(), factories.an_offer()
    page = boss.get("/gestion/").text
    assert "tile-hot" in page
    assert "<b>2</b>" in page
    for label in (
        "Colis en transit",
        "Colis à récupérer",
        "Colis à réceptionner",
        "Visiteurs uniques",
        "Taux de transformation",
    ):
        assert label in page


def test_a_shop_that_buys_nothing_back_sees_what_waits_in_its_stock(as_staff):
    shoe = factories.a_shoe()
    level = factories.stocked(shoe, 1)
    with unit_of_work() as session:
        session.merge(level).alert_under = 3
    page = as_staff("Magasin", factories.the_vendor()).get("/gestion/").get_data(as_text=True)
    assert "Colis à recevoir" not in page
    assert "Sous leur seuil" in page
    assert "1 référence sous son seuil" in page
    assert "Tout est à jour" not in page
