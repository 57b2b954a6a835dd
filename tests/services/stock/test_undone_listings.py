"""A file of offers or prices given by mistake is taken back whole."""

import json
from datetime import date

import pytest

from models import ImportRun, Listing, ListingState, PricePoint
from services import outbox, webhooks, workflow
from services.finance import books
from services.imports import undoing
from services.stock import items, listing_files, listings
from services.unit import db, unit_of_work
from services.workflow import Refused
from tests import factories
from tests.factories import LEA, a_file, a_shoe, given, quantity, stocked
from tests.services.catalogue.test_file_undoing import meanwhile
from tests.services.stock.test_listings import OF01, rows

L = ListingState


@pytest.fixture
def shoe(app):
    found = a_shoe()
    stocked(found, 5)
    return found


@pytest.fixture
def offered(shoe, tmp_path):
    """« S1 », at 89,00, reduced to 79,00 until the end of the year."""
    line = f"S1;{shoe.ean};EAN;89,00;11;79.00;2026-11-01;2026-12-31;;;2;5;\n"
    given(a_file(tmp_path, OF01 + line, "first.csv"), "listings")
    return rows()["S1"]


def offers(tmp_path, *lines, **how):
    return given(a_file(tmp_path, OF01 + "\n".join(lines) + "\n", "wrong.csv"), "listings", **how)


def undo(run):
    with unit_of_work() as session:
        return undoing.undo(session.get_one(ImportRun, run.id), by=LEA)


def test_an_offer_goes_back_to_its_price_its_dates_and_its_delay(offered, shoe, tmp_path):
    run = offers(tmp_path, f"S1;{shoe.ean};EAN;8,90;11;;;;2027-01-01;2027-02-01;9;5;")
    assert rows()["S1"].price_cents == 890
    undo(run)
    back = rows()["S1"]
    assert (back.price_cents, back.discount_cents) == (8900, 7900)
    assert (back.discount_from, back.discount_to) == (date(2026, 11, 1), date(2026, 12, 31))
    assert (back.available_from, back.available_to, back.delay_days) == (None, None, 2)
    assert books.check() == []


def test_what_was_withdrawn_is_offered_again_and_what_was_made_is_withdrawn(
    offered, shoe, tmp_path
):
    boot = a_shoe("Botte Aubrac")
    run = offers(tmp_path, "S1;;;;;;;;;;;;delete", f"S2;{boot.ean};EAN;120;11;;;;;;;;")
    assert rows()["S1"].status is L.withdrawn
    undo(run)
    assert {sku: row.status for sku, row in rows().items()} == {"S1": L.active, "S2": L.withdrawn}


def test_the_sku_that_took_the_place_of_another_gives_it_back(offered, shoe, tmp_path):
    run = offers(tmp_path, "S1;;;;;;;;;;;;delete", f"S9;{shoe.ean};EAN;50;11;;;;;;;;")
    assert rows()["S9"].status is L.active
    undo(run)
    assert (rows()["S1"].status, rows()["S9"].status) == (L.active, L.withdrawn)


def test_units_an_offers_file_counted_go_back(offered, shoe, tmp_path):
    run = offers(tmp_path, f"S1;{shoe.ean};EAN;89,00;11;79.00;2026-11-01;2026-12-31;;;2;41;")
    assert quantity(shoe) == 41
    assert undo(run).count == 1
    assert quantity(shoe) == 5
    assert books.check() == []


def test_a_unit_sold_since_keeps_the_whole_file(offered, shoe, tmp_path):
    run = offers(tmp_path, f"S1;{shoe.ean};EAN;8,90;11;;;;;;2;41;")
    key, _secret = factories.a_key()
    factories.told(key, 1, "sale", shoe)
    with pytest.raises(Refused, match=shoe.ean):
        undo(run)
    assert rows()["S1"].price_cents == 890
    assert quantity(shoe) == 40


def test_an_offer_changed_since_keeps_the_whole_file(offered, shoe, tmp_path):
    boot = a_shoe("Botte Aubrac")
    run = offers(
        tmp_path,
        f"S1;{shoe.ean};EAN;8,90;11;;;;;;2;5;",
        f"S2;{boot.ean};EAN;120;11;;;;;;;;",
    )
    with unit_of_work() as session:
        listings.price(session.merge(rows()["S1"]), 9900, by=LEA)
    with pytest.raises(Refused, match="S1"):
        undo(run)
    assert rows()["S1"].price_cents == 9900
    assert rows()["S2"].status is L.active


def test_an_article_offered_again_by_another_name_since_keeps_the_file(offered, shoe, tmp_path):
    run = offers(tmp_path, "S1;;;;;;;;;;;;delete")
    offers(tmp_path, f"S9;{shoe.ean};EAN;50;11;;;;;;;;")
    with pytest.raises(Refused, match="S9"):
        undo(run)
    assert rows()["S1"].status is L.withdrawn


def test_a_price_file_goes_back_with_its_history(offered, tmp_path):
    run = given(a_file(tmp_path, "offer-sku;price;discount-price\nS1;1,00;\n", "p.csv"), "prices")
    assert rows()["S1"].price_cents == 100
    undo(run)
    assert (rows()["S1"].price_cents, rows()["S1"].discount_cents) == (8900, 7900)
    asked = db.session.scalars(
        db.select(PricePoint.price_cents)
        .where(PricePoint.listing_id == offered.id)
        .order_by(PricePoint.id)
    ).all()
    assert asked == [7900, 100, 7900]


def test_one_graded_unit_goes_back_on_sale_with_its_offer(shoe, tmp_path):
    unit = factories.an_item(shoe)
    with unit_of_work() as session:
        sku = listings.put_on_sale(session.merge(unit), 4000, by=LEA).sku
    run = offers(tmp_path, f"{sku};;;;;;;;;;;;delete")
    assert rows()[sku].status is L.withdrawn
    undo(run)
    assert rows()[sku].status is L.active
    assert rows()[sku].item.status is items.S.listed
    assert books.check() == []


def test_vendors_software_is_told_what_an_undo_takes_off_sale(shoe, hooks, tmp_path):
    run = offers(tmp_path, f"S2;{shoe.ean};EAN;120;11;;;;;;;;")
    vendor = factories.the_vendor()
    with unit_of_work():
        webhooks.open_for(vendor, "https://logiciel.example/ici", ["listing.delisted"], by=LEA)
    undo(run)
    outbox.work()
    told = [json.loads(body)["data"] for _url, _headers, body in hooks.told]
    assert told == [{"sku": "S2", "reason": "WITHDRAWN"}]


def test_of_two_wrong_price_files_the_last_goes_first_then_the_other(offered, tmp_path):
    head = "offer-sku;price;discount-price\n"
    one = given(a_file(tmp_path, f"{head}S1;1,00;\n", "one.csv"), "prices")
    two = given(a_file(tmp_path, f"{head}S1;2,00;\n", "two.csv"), "prices")
    with pytest.raises(Refused):
        undo(one)
    undo(two)
    undo(one)
    assert (rows()["S1"].price_cents, rows()["S1"].discount_cents) == (8900, 7900)


@pytest.mark.parametrize("how", ["article", "condition"])
def test_an_article_is_never_offered_twice_by_an_undo(shoe, tmp_path, how):
    other = a_shoe("Botte")
    offers(tmp_path, f"S1;{shoe.ean};EAN;89,00;11;;;;;;2;;")
    moved = f"S1;{other.ean};EAN;89,00;11" if how == "article" else f"S1;{shoe.ean};EAN;89,00;1"
    wrong = offers(tmp_path, f"{moved};;;;;;2;;")
    offers(tmp_path, f"S9;{shoe.ean};EAN;50,00;11;;;;;;2;;")
    with pytest.raises(Refused, match="S9"):
        undo(wrong)


def test_an_offers_file_that_only_counted_can_be_undone(shoe, tmp_path):
    line = f"S1;{shoe.ean};EAN;89,00;11;;;;;;2;%s;"
    offers(tmp_path, line % 5)
    run = offers(tmp_path, line % 41)
    assert undoing.can_be_undone(db.session.get(ImportRun, run.id))
    undo(run)
    assert quantity(shoe) == 5


def test_who_undid_it_is_told_in_the_history_of_an_offer(offered, tmp_path):
    run = given(a_file(tmp_path, "offer-sku;price;discount-price\nS1;1,00;\n", "p.csv"), "prices")
    undo(run)
    event = workflow.history(rows()["S1"], limit=1)[0]
    assert (event.verb, event.actor_name, event.facts["file"]) == ("undo_file", LEA.name, "p.csv")


def test_a_price_set_by_hand_while_a_file_is_undone_is_not_lost(
    app, offered, shoe, tmp_path, monkeypatch
):
    run = offers(tmp_path, f"S1;{shoe.ean};EAN;90,00;11;79.00;2026-11-01;2026-12-31;;;2;5;")
    id, others, real = offered.id, [], listing_files.put_levels_back
    db.session.rollback()

    def by_hand():
        with unit_of_work() as session:
            listings.price(session.get_one(Listing, id), 9900, by=LEA)

    def put_levels_back(run, by):
        others.append(meanwhile(app, by_hand))
        return real(run, by)

    monkeypatch.setattr(listing_files, "put_levels_back", put_levels_back)
    undo(run)
    others[0].join(20)
    assert rows()["S1"].price_cents == 9900, "who came second had the last word"
