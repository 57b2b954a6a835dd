"""The first page."""

import pytest

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
