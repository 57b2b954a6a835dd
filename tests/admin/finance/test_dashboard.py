"""The first page."""

import pytest

from services.unit import unit_of_work
from tests import factories
from tests.factories import a_part, a_shoe, on_sale


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


def test_orders_to_answer_and_buyers_to_call_lead_from_the_first_page_to_their_lists(boss):
    assert "à rappeler" not in _to_do(boss)
    a_part()
    store = factories.keeps_for_buyers()
    a_part("refused", (on_sale(a_shoe("Botte"), 9000, 1), store, 1))
    page = _to_do(boss)
    assert "1 commande à accepter ou à refuser" in page
    assert "1 acheteur à rappeler" in page
    assert 'href="/gestion/commandes/list/?status=waiting_acceptance"' in page


def test_a_vendor_is_told_of_their_own_orders_and_calls_nobody(as_staff):
    store = factories.keeps_for_buyers(factories.another_vendor()[2])
    a_part()
    them = as_staff("Magasin", store.vendor)
    assert "commande à accepter" not in _to_do(them)
    a_part("refused", (on_sale(a_shoe("Mule"), 5000, 1, store), store, 1))
    a_part("waiting_acceptance", (on_sale(a_shoe("Botte"), 9000, 1, store), store, 1))
    panel = _to_do(them)
    assert "1 commande à accepter ou à refuser" in panel
    assert "rappeler" not in panel


def _to_do(client) -> str:
    """The panel « À faire » of the first page."""
    page = client.get("/gestion/").get_data(as_text=True)
    return page[page.index('aria-labelledby="af"') :].partition("</section>")[0]
