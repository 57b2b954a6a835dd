"""The sheets of vendors and stores: what must be true of them, and what a vendor keeps up."""

import pytest

from models import MachineKey, Store, Vendor
from services.people import machine_keys, vendors
from services.unit import db, unit_of_work
from services.workflow import Refused
from tests import factories
from tests.factories import HUGO


def test_a_sheet_is_tidied_as_it_is_kept(app):
    row = Vendor(name="X", siren="732 829 320", email="Contact@Exemple.FR", phone="02 40 12 34 56")
    vendors.check(row)
    assert (row.siren, row.email, row.phone) == ("732829320", "contact@exemple.fr", "+33240123456")
    assert row.created_at is not None


@pytest.mark.parametrize("siren", ["732829321", "12345678", "abcdefghi"])
def test_a_wrong_siren_is_refused(app, siren):
    with pytest.raises(Refused, match="SIREN"):
        vendors.check(Vendor(name="X", siren=siren))


@pytest.mark.parametrize("code", ["é1", "-N1", "N 1", "x" * 21])
def test_the_code_of_a_store_has_letters_digits_and_dashes(app, code):
    with pytest.raises(Refused):
        vendors.check_store(Store(name="X", code=code))


def test_two_stores_never_have_one_code_in_whatever_case(app):
    first = factories.a_store("Un", "N2")
    with pytest.raises(Refused, match="n2"):
        vendors.check_store(Store(name="Deux", code="n2"))
    vendors.check_store(first)  # its own code is no other's


@pytest.mark.parametrize(
    ("latitude", "longitude"), [(47.2, None), (None, -1.5), (91, 0), (-91, 0), (0, 181), (0, -181)]
)
def test_a_place_has_both_its_coordinates_and_they_exist(app, latitude, longitude):
    with pytest.raises(Refused):
        vendors.check_store(Store(name="X", latitude=latitude, longitude=longitude))


@pytest.mark.parametrize(
    ("latitude", "longitude"), [(None, None), (90, 180), (-90, -180), (0, 0), (47.2, -1.5)]
)
def test_the_edges_of_the_world_are_places(app, latitude, longitude):
    vendors.check_store(Store(name="X", latitude=latitude, longitude=longitude))


@pytest.mark.parametrize("postcode", ["00123", "99000", "4400", "440000", "4400x"])
def test_a_postcode_of_nowhere_is_refused(app, postcode):
    with pytest.raises(Refused):
        vendors.check_store(Store(name="X", postcode=postcode))


def test_what_a_vendor_keeps_up_is_written_in_the_history(app):
    with unit_of_work():
        vendor, store = factories.the_vendor(), factories.the_store()
        name = vendor.name
        vendors.keep_contact(
            vendor, email="A@exemple.fr", phone="0240123456", address=" 3 allée du Port ", by=HUGO
        )
        vendors.keep_store(
            store,
            address="1 rue X",
            postcode="44000",
            city="Nantes",
            phone="",
            opening_hours="10–19",
            by=HUGO,
        )
    from services import workflow

    vendor, store = factories.the_vendor(), factories.the_store()
    assert (vendor.name, vendor.email, vendor.address) == (
        name,
        "a@exemple.fr",
        "3 allée du Port",
    )
    assert store.opening_hours == "10–19"
    assert [e.verb for e in workflow.history(vendor)][:1] == ["keep_contact"]
    assert [e.verb for e in workflow.history(store)][:1] == ["keep_store"]


def test_a_wrong_phone_leaves_a_store_as_it_was(app):
    with pytest.raises(Refused), unit_of_work():
        vendors.keep_store(
            factories.the_store(),
            address="ailleurs",
            postcode="44000",
            city="Nantes",
            phone="12",
            opening_hours="",
            by=HUGO,
        )
    db.session.rollback()
    assert factories.the_store().address != "ailleurs"


def test_a_code_by_which_a_partner_calls_is_not_taken_away(app):
    with unit_of_work() as session:
        vendor = session.merge(factories.the_vendor())
        vendor.code = "RETRO"
        key, _secret = machine_keys.make_for_partner(
            [vendor], "Lengow", ["stock"], by=factories.MARC
        )
        session.flush()
        id = key.id
    for code in ("", "AUTRE"):
        with pytest.raises(Refused, match="Lengow"), unit_of_work() as session:
            vendor = session.merge(factories.the_vendor())
            with session.no_autoflush:
                vendor.code = code
                vendors.check(vendor)
    with unit_of_work() as session:
        machine_keys.revoke(session.get_one(MachineKey, id), by=factories.MARC)
    with unit_of_work() as session:
        vendor = session.merge(factories.the_vendor())
        with session.no_autoflush:
            vendor.code = "AUTRE"
            vendors.check(vendor)
