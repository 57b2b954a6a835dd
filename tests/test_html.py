"""Every page is HTML a strict parser accepts."""

import html5lib

from tests import factories


def errors(page: str) -> list[str]:
    parser = html5lib.HTMLParser()
    parser.parse(page)
    return [f"{position}: {code}" for position, code, _data in parser.errors]


def test_pages_are_well_formed(app, client, as_staff, as_customer):
    offer = factories.a_second_chance()
    factories.an_offer()
    factories.an_item(factories.a_game())
    boss, camille = as_staff("Administrateur"), as_customer(offer.customer)
    pages = {
        client: (
            "/",
            f"/?ean={offer.lines[0].ean}",
            "/?ean=1",
            "/recapitulatif",
            "/compte/creer",
            "/compte/connexion",
            "/conditions",
            "/nulle-part",
        ),
        camille: ("/ventes", f"/ventes/{offer.number}", "/compte", "/recapitulatif"),
        boss: (
            "/gestion/",
            "/gestion/offres/valider/",
            "/gestion/offres/list/",
            "/gestion/offres/list/?status=to_check",
            "/gestion/offres/show/1",
            "/gestion/regles/edit/1",
            "/gestion/sites/edit/1",
            "/gestion/sites/show/1",
            "/gestion/parametrages/",
            "/gestion/argus/show/1",
            "/gestion/messages/list/",
            "/gestion/journal/list/",
            "/gestion/regles/simuler/?ean=1",
            "/gestion/imports/fichier/",
            "/gestion/recherche/?q=x",
            "/gestion/stock/show/1",
        ),
    }
    wrong = {
        place: found
        for visitor, places in pages.items()
        for place in places
        if (found := errors(visitor.get(place, follow_redirects=True).text))
    }
    assert wrong == {}
