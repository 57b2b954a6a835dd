"""Places: where a postal code is, and which stores are near."""

from models import Store
from services.people import places
from services.unit import unit_of_work
from tests import factories


def test_a_postal_code_is_a_place_and_an_unknown_one_its_neighbours(app):
    nantes, neighbour = places.of_postcode("44000"), places.of_postcode("44999")
    assert nantes is not None
    assert neighbour is not None
    assert round(nantes[0]) == 47
    assert places.km(nantes, neighbour) < 120
    for wrong in ("", "4400", "ABCDE", "٤٤٠٠٠"):
        assert places.of_postcode(wrong) is None


def test_stores_come_from_the_nearest_on_and_those_that_are_nowhere_are_left_out(app):
    vendor = factories.the_vendor()
    with unit_of_work() as session:
        session.get_one(Store, factories.the_store().id).postcode = ""
        for name, code in (("Brest", "29200"), ("Rezé", "44400"), ("Nulle part", "")):
            session.add(Store(vendor_id=vendor.id, name=name, code=name[:4], postcode=code))
    near = places.nearest_stores("44000")
    assert [store.name for store, _km in near] == ["Rezé", "Brest"]
    assert near[0][1] < 15 < near[1][1]
    assert places.nearest_stores("pas un code") == []
