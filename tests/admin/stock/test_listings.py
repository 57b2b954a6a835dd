"""Sale offers in the back office."""

from datetime import date

import pytest

from models import (
    Listing,
)
from services.stock import listings
from services.unit import db, unit_of_work
from tests import factories
from tests.factories import a_shoe


@pytest.fixture
def seller(as_staff):
    """Somebody of the vendor."""
    return as_staff("Vendeur", factories.the_vendor())


def test_an_offer_is_given_its_dates_and_its_delay_by_hand(seller):
    shoe = a_shoe()
    with unit_of_work() as session:
        row = listings.offer(
            session.merge(factories.the_vendor()), "S1", session.merge(shoe), 8900, by=factories.LEA
        ).id
    data = {
        "price": "89,00",
        "available_from": "2026-12-01",
        "available_to": "2026-12-31",
        "delay": "3",
    }
    seller.post(f"/gestion/offres-de-vente/prix/{row}", data=data)
    found = db.session.get(Listing, row)
    assert (found.available_from, found.available_to, found.delay_days) == (
        date(2026, 12, 1),
        date(2026, 12, 31),
        3,
    )
    refused = seller.post(
        f"/gestion/offres-de-vente/prix/{row}",
        data={**data, "available_to": "2026-11-01"},
        follow_redirects=True,
    )
    assert "avant le début" in refused.text
