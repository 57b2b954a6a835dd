"""The card of store credit, scanned at the till."""

import pytest

from models import Customer
from services.payments import store_credit
from services.unit import db, unit_of_work
from tests import factories
from tests.factories import LEA


@pytest.fixture
def card(app) -> str:
    customer = factories.a_received_offer().seller
    with unit_of_work() as session:
        person = session.get_one(Customer, customer.id)
        store_credit.pay_out(factories.the_vendor().id, person, 1000, "CDE000009999", by=LEA)
        found = person.credit_card
    assert found is not None
    return found


def test_a_scan_on_any_page_opens_the_card_and_a_purchase_is_booked_once(card, as_staff):
    tom = as_staff("Magasin", factories.the_vendor())
    page = tom.get(f"/gestion/recherche/?q={card}", follow_redirects=True).text
    assert "12,00" in page
    data = {"vendor": factories.the_vendor().id, "amount": "5,00", "ticket": "T-1"}
    assert (
        "7,00" in tom.post(f"/gestion/bons/{card}/utiliser", data=data, follow_redirects=True).text
    )
    again = tom.post(f"/gestion/bons/{card}/utiliser", data=data)
    assert again.status_code == 422
    assert "déjà enregistré" in again.text
    assert 'value="5,00"' in again.text  # what was typed stays


def test_more_than_is_left_is_refused_with_what_is_left(card, as_staff):
    tom = as_staff("Magasin", factories.the_vendor())
    data = {"vendor": factories.the_vendor().id, "amount": "12,01", "ticket": "T-1"}
    answer = tom.post(f"/gestion/bons/{card}/utiliser", data=data)
    assert answer.status_code == 422
    assert "12,00" in answer.text


def test_a_card_nobody_has_is_said(app, as_staff):
    tom = as_staff("Magasin", factories.the_vendor())
    assert "Aucune carte" in tom.get("/gestion/bons/?carte=BON0000000000").text


def test_the_shop_of_another_vendor_sees_no_credit_of_ours(card, as_staff):
    other, _site, _store = factories.another_vendor()
    tom = as_staff("Magasin", other)
    page = tom.get(f"/gestion/bons/{card}").text
    assert "12,00" not in page
    assert "pas de bon d’achat" in page
    data = {"vendor": factories.the_vendor().id, "amount": "5,00", "ticket": "T-1"}
    assert tom.post(f"/gestion/bons/{card}/utiliser", data=data).status_code == 404
    db.session.rollback()
    with unit_of_work():
        holder = store_credit.of_card(card)
        assert holder is not None
        assert store_credit.balance(factories.the_vendor().id, holder.id) == 1200
