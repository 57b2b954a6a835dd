"""Inventories in the back office."""

import pytest

from models import StockCount, UnmatchedReference
from services.finance import books
from services.unit import db
from tests import factories
from tests.factories import a_game, quantity, stocked


@pytest.fixture
def seller(as_staff):
    """Somebody of the vendor."""
    return as_staff("Vendeur", factories.the_vendor())


# ── inventories ──


def counted_store(seller, *counted) -> int:
    seller.post(
        "/gestion/inventaires/compter/",
        data={"store": factories.the_store().id, "name": "Novembre", "whole": "1"},
    )
    id = db.session.scalars(db.select(StockCount.id)).one()
    for game, number in counted:
        seller.post(
            f"/gestion/inventaires/compter/{id}/scan", data={"ean": game.ean, "quantity": number}
        )
    return id


def test_an_inventory_says_what_it_would_take_away_and_asks_when_that_is_most_of_it(
    seller,
):
    games = [a_game(f"Jeu {n}") for n in range(5)]
    for game in games:
        stocked(game, 4)
    id = counted_store(seller, (games[0], 3), (games[1], 4))
    page = seller.get(f"/gestion/inventaires/compter/{id}?valider=1").text
    assert "4 références seraient corrigées" in page
    assert "3 que personne n’a comptées passeraient à zéro (12 unités)" in page
    refused = seller.post(f"/gestion/inventaires/compter/{id}/validate", follow_redirects=True)
    assert "plus grande partie" in refused.text
    assert quantity(games[4]) == 4
    seller.post(f"/gestion/inventaires/compter/{id}/validate", data={"sure": "1"})
    assert [quantity(game) for game in games] == [3, 4, 0, 0, 0]
    assert books.check() == []
    after = seller.get(f"/gestion/inventaires/compter/{id}?ecarts=1").text
    assert after.count('data-l="Pensé"') == 4 or after.count('class="r bad"') == 4


def test_a_code_that_is_refused_is_said_and_the_next_scan_takes_its_place(seller):
    id = counted_store(seller)
    page = seller.post(f"/gestion/inventaires/compter/{id}/scan", data={"ean": "9999999999999"})
    assert page.status_code == 422
    assert "9999999999999" in page.text
    assert "data-scan" in page.text


def test_a_scan_costs_the_same_whatever_was_counted(seller, counted_statements):
    games = [a_game(f"Jeu {n}") for n in range(12)]
    for game in games:
        stocked(game, 4)
    id = counted_store(seller, (games[0], 3))

    def statements(work):
        """The least of three: what a process keeps for some seconds is asked once."""
        found = []
        for _n in range(3):
            with counted_statements() as asked:
                work()
            found.append(len(asked))
        return min(found)

    address = f"/gestion/inventaires/compter/{id}"

    def scan():
        seller.post(f"{address}/scan", data={"ean": games[0].ean}, follow_redirects=True)

    def differences():
        seller.get(f"{address}?ecarts=1&valider=1")

    few = statements(scan), statements(differences)
    for game in games[1:]:
        seller.post(f"{address}/scan", data={"ean": game.ean, "quantity": 2})
    many = statements(scan), statements(differences)
    assert many[0] <= few[0]
    assert many[1] <= few[1]  # fewer: nothing is left uncounted


def test_an_article_no_catalogue_knows_waits_where_it_can_be_completed(seller):
    id = counted_store(seller)
    page = seller.post(f"/gestion/inventaires/compter/{id}/scan", data={"ean": "3760150009908"})
    assert page.status_code == 422
    assert "Références inconnues" in page.text
    (waiting,) = db.session.scalars(db.select(UnmatchedReference)).all()
    assert (waiting.ean, waiting.status.value) == ("3760150009908", "unmatched")
