"""Offers, prices and stock written as the files marketplaces exchange, and read back."""

from models import StockLevel
from services.stock import listing_exports, listings
from services.unit import db
from tests import factories
from tests.factories import a_file, a_shoe, given, quantity, stocked
from tests.services.stock.test_listings import OF01, rows


def test_what_goes_out_comes_back_in_unchanged(tmp_path):
    shoe = a_shoe()
    stocked(shoe, 4)
    given(
        a_file(
            tmp_path,
            OF01
            + f"S1;{shoe.ean};EAN;89,00;3;79.00;2026-11-01;2026-12-31;2026-10-01;2027-01-01;2;;\n",
        ),
        "listings",
    )
    vendor = factories.the_vendor().id
    run = given(a_file(tmp_path, "".join(listing_exports.as_of01(vendor)), "of01.csv"), "listings")
    assert (run.created, run.updated, run.refused) == (0, 0, 0) or run.refused == 0
    assert "S1;89.00;79.00;2026-11-01;2026-12-31" in "".join(listing_exports.as_pri01(vendor))
    assert f"{shoe.ean};4;" in "".join(listing_exports.as_sto01(vendor))
    run = given(
        a_file(tmp_path, "".join(listing_exports.as_sto01(vendor)), "sto01.csv"),
        vendor=factories.the_vendor(),
        mode="delta",
    )
    assert (run.updated, run.unchanged) == (0, 1)


def test_a_file_taken_out_while_carts_wait_comes_back_in_without_losing_what_they_keep(tmp_path):
    shoe = a_shoe()
    given(a_file(tmp_path, OF01 + f"S1;{shoe.ean};EAN;89;11;;;;;;;5;\n"), "listings")
    factories.a_reservation(db.session.scalars(db.select(StockLevel)).one(), 2)
    run = given(
        a_file(tmp_path, "".join(listing_exports.as_of01(factories.the_vendor().id)), "of01.csv"),
        "listings",
    )
    assert (run.updated, run.unchanged, quantity(shoe), listings.stock_of(rows()["S1"])) == (
        0,
        1,
        5,
        3,
    )


def test_no_cell_of_a_file_that_goes_out_is_a_formula(tmp_path):
    shoe = a_shoe()
    given(a_file(tmp_path, OF01 + f"=1+1;{shoe.ean};EAN;89,00;11;;;;;;;;\n"), "listings")
    vendor = factories.the_vendor().id
    for out in (listing_exports.as_of01, listing_exports.as_pri01):
        text = "".join(out(vendor))
        assert "'=1+1;" in text
        assert "\n=" not in text
