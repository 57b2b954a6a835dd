"""Generated lists: filters, order, pages, saved views, statements."""

import pytest
from sqlalchemy import select

from models import SavedView
from services.unit import db
from tests import factories


@pytest.fixture
def boss(as_staff):
    return as_staff("Administrateur")


def test_a_list_is_filtered_sorted_paged_and_kept_as_a_view(boss):
    for _n in range(3):
        factories.an_offer()
    accepted = factories.an_accepted_offer()
    page = boss.get("/gestion/offres/list/?status=accepted").text
    assert accepted.number in page
    assert "CDE000000001" not in page
    assert "Retirer le filtre" in page
    boss.post(
        "/gestion/offres/save-view", data={"name": "Mes acceptées", "query": "?status=accepted"}
    )
    assert "Mes acceptées" in boss.get("/gestion/offres/list/").text
    boss.post(
        "/gestion/offres/save-view",
        data={"name": "Mes acceptées", "query": "?status=accepted", "forget": "1"},
    )
    db.session.rollback()
    assert db.session.scalar(select(SavedView.id)) is None


def least(count) -> int:
    """Of three page views: what is remembered for some seconds (settings, sites, the version of the
    database) is read again in one of them on a slow machine.
    """
    return min(count() for _n in range(3))


def test_a_list_costs_the_same_number_of_statements_whatever_its_rows(boss, counted_statements):
    def statements(address):
        with counted_statements() as counted:
            boss.get(address)
        return len(counted)

    for address in (
        "/gestion/offres/list/",
        "/gestion/stock/list/",
        "/gestion/argus/list/",
        "/gestion/regles/list/",
    ):
        factories.an_offer(), factories.an_item(factories.a_game())
        few = least(lambda address=address: statements(address))
        for _n in range(6):
            factories.an_offer(), factories.an_item(factories.a_game())
        assert least(lambda address=address: statements(address)) == few, address
        assert few <= 20, address  # six of them are the menu's counters


@pytest.mark.parametrize(
    "address",
    [
        "/gestion/colis/list/?status=checked",
        "/gestion/versements-vendeurs/list/",
        "/gestion/paiements/?etat=awaiting_iban",
        "/gestion/reception/",
    ],
)
def test_a_page_costs_the_same_statements_whatever_its_rows(as_staff, counted_statements, address):
    boss = as_staff("Administrateur")

    def count() -> int:
        db.session.remove()
        with counted_statements() as counted:
            assert boss.get(address).status_code == 200
        return len(counted)

    factories.a_received_offer(), factories.a_parcel("delivered")
    few = least(count)
    for _n in range(4):
        factories.a_received_offer(), factories.a_parcel("delivered")
    assert least(count) == few
