"""Second-hand units in the back office."""

from datetime import timedelta

import pytest

from services import clock
from services.finance import books
from services.stock import levels
from tests import factories
from tests.factories import a_shoe


@pytest.fixture
def seller(as_staff):
    """Somebody of the vendor."""
    return as_staff("Vendeur", factories.the_vendor())


# ── second-hand units ──


def test_a_unit_goes_to_another_store_and_the_past_knows_where_it_was(seller):
    shoe, there = a_shoe(), factories.a_store()
    with clock.at(clock.now() - timedelta(days=2)):
        item = factories.an_item(shoe)
    seller.post(f"/gestion/stock/vendre/{item.id}/magasin", data={"store": there.id})
    now = clock.now()
    held = [
        levels.all_at(store.id, moment)
        for store in (factories.the_store(), there)
        for moment in (now - timedelta(days=1), now)
    ]
    assert held == [[(shoe.id, 0, 1)], [], [], [(shoe.id, 0, 1)]]
    assert books.check() == []
    _vendor, _site, strange = factories.another_vendor()
    assert (
        seller.post(
            f"/gestion/stock/vendre/{item.id}/magasin", data={"store": strange.id}
        ).status_code
        == 404
    )
