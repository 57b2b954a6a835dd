"""New stock in the back office."""

import pytest

from services.unit import db
from tests import factories
from tests.factories import a_shoe, quantity, stocked


@pytest.mark.parametrize(
    "address", ["stock-a-une-date/?le=9999-12-31", "referencier/referencier.csv?depuis=0001-01-01"]
)
def test_a_day_beyond_the_calendar_is_no_date(app, as_staff, address):
    assert as_staff("Administrateur").get(f"/gestion/{address}").status_code < 500


def test_what_must_be_ordered_again_stays_chosen_on_the_next_page(app, as_staff):
    page = as_staff("Administrateur").get("/gestion/stock-neuf/list/?niveau=bas&taille=50").text
    assert "niveau=bas" in page.split("<main")[1]


@pytest.fixture
def seller(as_staff):
    """Somebody of the vendor."""
    return as_staff("Vendeur", factories.the_vendor())


def level_id() -> int:
    return db.session.scalar(db.text("SELECT max(id) FROM stock_level"))


# ── nothing lost between two people, two tabs, two clicks ──


def test_a_correction_made_on_an_old_page_does_not_undo_another(seller):
    shoe = a_shoe()
    stocked(shoe, 31)

    def save(value, was):
        return seller.post(
            f"/gestion/stock-neuf/corriger/{level_id()}",
            data={"quantity": value, "was": was},
            headers={"X-Fragment": "1"},
        )

    assert save("40", "31").status_code == 200
    refused = save("9", "31")
    assert refused.status_code == 409
    assert "maintenant «\u00a040" in refused.text
    assert quantity(shoe) == 40


# ── found ──


def test_a_whole_barcode_finds_its_size_alone_in_the_lists(seller):
    small, large = a_shoe(shoe_size="38"), a_shoe(shoe_size="45")
    stocked(small, 1), stocked(large, 1)
    rows = seller.get(f"/gestion/stock-neuf/list/?q={small.ean}").text
    assert "38" in rows
    assert "· 45" not in rows
    assert (
        "· 45" in seller.get("/gestion/stock-neuf/list/?q=derbys+lormnt").text
    )  # mistyped, in the plural
