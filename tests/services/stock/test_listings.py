"""Sale offers: OF01 and PRI01 in, OF01, PRI01 and STO01 out; a line fails alone; dates, delays, reductions; units on sale."""

from datetime import date, timedelta

import pytest

from models import Condition, Item, Listing, ListingState
from services import clock
from services.finance import books
from services.stock import catalogue, items, listing_files, listings
from services.unit import db, unit_of_work
from services.workflow import Refused
from tests import factories
from tests.factories import LEA, a_file, a_shoe, given, stocked

OF01 = "sku;product-id;product-id-type;price;state;discount-price;discount-start-date;discount-end-date;available-start-date;available-end-date;leadtime-to-ship;quantity;update-delete\n"


def rows() -> dict[str, Listing]:
    db.session.expire_all()
    return {row.sku: row for row in db.session.scalars(db.select(Listing))}


def test_an_offers_file_creates_changes_and_takes_off(tmp_path):
    shoe, boot = a_shoe(), a_shoe("Botte Aubrac")
    run = given(
        a_file(tmp_path, OF01 + f"S1;{shoe.ean};EAN;89,00;11;79.00;2026-11-01;2026-12-31;;;2;5;\nS2;{boot.ean};EAN;120;2;;;;;;;;\n"), "offers"
    )
    assert (run.created, run.refused, run.error) == (2, 0, "")
    first = rows()["S1"]
    assert (first.price_cents, first.discount_cents, first.delay_days, first.condition, listings.stock_of(first)) == (8900, 7900, 2, None, 5)
    assert rows()["S2"].condition is Condition.very_good_unit
    run = given(a_file(tmp_path, OF01 + f"S1;{shoe.ean};EAN;85,00;neuf;;;;;;2;5;\nS2;;;;;;;;;;;;delete\n", "b.csv"), "offers")
    assert (run.updated, run.removed) == (1, 1) and rows()["S1"].price_cents == 8500 and rows()["S2"].status is ListingState.withdrawn
    run = given(a_file(tmp_path, OF01 + f"S1;{shoe.ean};EAN;85,00;neuf;;;;;;2;5;\n", "c.csv"), "offers")
    assert (run.updated, run.unchanged) == (0, 1) and books.check() == []


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("S1;{ean};EAN;gratuit;11;;;;;;;;", "montant"), ("S1;{ean};EAN;0;11;;;;;;;;", "zéro"), (";{ean};EAN;5;11;;;;;;;;", "sku"),
        ("S1;{ean};EAN;5;rouillé;;;;;;;;", "état"), ("S1;{ean};EAN;5;11;9;;;;;;;", "réduit"), ("S1;{ean};EAN;5;11;4;2026-12-01;2026-11-01;;;;;", "réduction"),
        ("S1;{ean};EAN;5;11;;;;demain;;;;", "date"), ("S1;{ean};EAN;5;11;;;;;;200;;", "entier"), ("S1;123;EAN;5;11;;;;;;;;", "chiffres"),
        ("S1;{ean};EAN;;11;;;;;;;;", "prix"),
    ],
)  # fmt: skip
def test_a_wrong_line_fails_alone_with_its_sentence(tmp_path, line, why):
    shoe, boot = a_shoe(), a_shoe("Botte Aubrac")
    run = given(a_file(tmp_path, OF01 + line.format(ean=shoe.ean) + f"\nS2;{boot.ean};EAN;120;11;;;;;;;;\n"), "offers")
    assert (run.created, run.refused) == (1, 1) and why in run.report["refused"][0][2], run.report
    assert list(rows()) == ["S2"]


def test_an_unknown_product_waits_in_the_queue_and_replace_takes_the_rest_off(tmp_path):
    shoe, boot = a_shoe(), a_shoe("Botte Aubrac")
    given(a_file(tmp_path, OF01 + f"S1;{shoe.ean};EAN;89;11;;;;;;;;\nS2;{boot.ean};EAN;120;11;;;;;;;;\n"), "offers")
    run = given(
        a_file(tmp_path, OF01 + f"S1;{shoe.ean};EAN;89;11;;;;;;;;\nS9;{factories.ean(920)};EAN;5;11;;;;;;;;\n", "b.csv"), "offers", mode="replace"
    )
    assert (run.ignored, run.removed) == (1, 1) and rows()["S2"].status is ListingState.withdrawn


def test_prices_alone_change_what_is_offered_and_say_what_is_not(tmp_path):
    shoe = a_shoe()
    given(a_file(tmp_path, OF01 + f"S1;{shoe.ean};EAN;89;11;;;;;;;;\n"), "offers")
    run = given(a_file(tmp_path, "offer-sku;price;discount-price\nS1;79.90;\nS7;5;\n", "p.csv"), "prices")
    assert (run.updated, run.ignored) == (1, 1) and rows()["S1"].price_cents == 7990
    assert catalogue.lowest_of_30_days(shoe.id, rows()["S1"].id) == 8900


def test_what_goes_out_comes_back_in_unchanged(tmp_path):
    shoe = a_shoe()
    stocked(shoe, 4)
    given(a_file(tmp_path, OF01 + f"S1;{shoe.ean};EAN;89,00;3;79.00;2026-11-01;2026-12-31;2026-10-01;2027-01-01;2;;\n"), "offers")
    vendor = factories.the_vendor().id
    run = given(a_file(tmp_path, "".join(listing_files.as_of01(vendor)), "of01.csv"), "offers")
    assert (run.created, run.updated, run.refused) == (0, 0, 0) or run.refused == 0
    assert "S1;89.00;79.00;2026-11-01;2026-12-31" in "".join(listing_files.as_pri01(vendor))
    assert f"{shoe.ean};4;" in "".join(listing_files.as_sto01(vendor))
    run = given(a_file(tmp_path, "".join(listing_files.as_sto01(vendor)), "sto01.csv"), vendor=factories.the_vendor(), mode="delta")
    assert (run.updated, run.unchanged) == (0, 1)


def test_a_reduction_and_an_availability_hold_on_their_days_only(tmp_path):
    shoe = a_shoe()
    stocked(shoe, 1)
    given(a_file(tmp_path, OF01 + f"S1;{shoe.ean};EAN;100;11;80;2026-11-10;2026-11-20;2026-11-05;2026-11-25;;;\n"), "offers")
    row = rows()["S1"]
    assert [listings.price_on(row, date(2026, 11, d)) for d in (9, 10, 20, 21)] == [10000, 8000, 8000, 10000]
    assert [listings.why_not_shown(row, date(2026, 11, d)) for d in (4, 5, 25, 26)] == [
        "NOT_IN_AVAILABILITY_PERIOD",
        None,
        None,
        "NOT_IN_AVAILABILITY_PERIOD",
    ]


def test_a_unit_is_put_on_sale_priced_again_and_taken_off():
    item = factories.an_item(a_shoe())
    with unit_of_work() as session:
        id = listings.put_on_sale(session.get_one(Item, item.id), 4500, by=LEA).id
    assert books.check() == []
    with unit_of_work() as session:
        listings.price(session.get_one(Listing, id), 4000, by=LEA)
        listings.withdraw(session.get_one(Listing, id), by=LEA)
    assert db.session.get(Item, item.id).status.value == "in_stock" and books.check() == []
    with unit_of_work() as session:
        assert listings.put_on_sale(session.get_one(Item, item.id), 3900, by=LEA).id == id
    with unit_of_work() as session:
        items.sell(session.get_one(Item, item.id), 3900, by=LEA)
    assert rows()[f"ITEM-{item.id}"].status is ListingState.withdrawn and books.check() == []
    with pytest.raises(Refused), unit_of_work() as session:
        listings.offer_again(session.get_one(Listing, id), by=LEA)


def test_a_price_is_above_zero_and_the_past_keeps_its_prices():
    shoe = a_shoe()
    with unit_of_work() as session:
        id = listings.offer(session.merge(factories.the_vendor()), "S1", session.merge(shoe), 8900, by=LEA).id
    with pytest.raises(Refused), unit_of_work() as session:
        listings.price(session.get_one(Listing, id), 0, by=LEA)
    with clock.at(clock.now() + timedelta(days=2)), unit_of_work() as session:
        listings.price(session.get_one(Listing, id), 7900, by=LEA)
    with clock.at(clock.now() + timedelta(days=3)):
        assert catalogue.lowest_of_30_days(shoe.id, id) == 8900
