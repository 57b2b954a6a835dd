"""Files of sale offers: OF01, PRI01, STO01, and what each line does."""

from datetime import UTC, date, datetime, timedelta

import pytest

from models import Condition, ListingState, PricePoint
from services import clock, outbox, workflow
from services.catalogue import products
from services.finance import books
from services.imports import runs
from services.stock import items, listing_exports, listings
from services.unit import db, unit_of_work
from tests import factories
from tests.factories import LEA, a_file, a_shoe, given, quantity, stocked
from tests.services.stock.test_listings import OF01, rows


def test_an_offers_file_creates_changes_and_takes_off(tmp_path):
    shoe, boot = a_shoe(), a_shoe("Botte Aubrac")
    run = given(
        a_file(
            tmp_path,
            OF01 + f"S1;{shoe.ean};EAN;89,00;11;79.00;2026-11-01;2026-12-31;;;2;5;\n"
            f"S2;{boot.ean};EAN;120;2;;;;;;;;\n",
        ),
        "listings",
    )
    assert (run.created, run.refused, run.error) == (2, 0, "")
    first = rows()["S1"]
    assert (
        first.price_cents,
        first.discount_cents,
        first.delay_days,
        first.condition,
        listings.stock_of(first),
    ) == (8900, 7900, 2, None, 5)
    assert rows()["S2"].condition is Condition.very_good_unit
    run = given(
        a_file(
            tmp_path,
            OF01 + f"S1;{shoe.ean};EAN;85,00;neuf;;;;;;2;5;\nS2;;;;;;;;;;;;delete\n",
            "b.csv",
        ),
        "listings",
    )
    assert (run.updated, run.removed) == (1, 1)
    assert rows()["S1"].price_cents == 8500
    assert rows()["S2"].status is ListingState.withdrawn
    run = given(
        a_file(tmp_path, OF01 + f"S1;{shoe.ean};EAN;85,00;neuf;;;;;;2;5;\n", "c.csv"), "listings"
    )
    assert (run.updated, run.unchanged) == (0, 1)
    assert books.check() == []


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("S1;{ean};EAN;gratuit;11;;;;;;;;", "montant"),
        ("S1;{ean};EAN;0;11;;;;;;;;", "zéro"),
        (";{ean};EAN;5;11;;;;;;;;", "sku"),
        ("S1;{ean};EAN;5;rouillé;;;;;;;;", "état"),
        ("S1;{ean};EAN;5;11;9;;;;;;;", "réduit"),
        ("S1;{ean};EAN;5;11;4;2026-12-01;2026-11-01;;;;;", "réduction"),
        ("S1;{ean};EAN;5;11;;;;demain;;;;", "date"),
        ("S1;{ean};EAN;5;11;;;;;;200;;", "entier"),
        ("S1;123;EAN;5;11;;;;;;;;", "chiffres"),
        ("S1;{ean};EAN;;11;;;;;;;;", "prix"),
    ],
)
def test_a_wrong_line_fails_alone_with_its_sentence(tmp_path, line, why):
    shoe, boot = a_shoe(), a_shoe("Botte Aubrac")
    run = given(
        a_file(
            tmp_path, OF01 + line.format(ean=shoe.ean) + f"\nS2;{boot.ean};EAN;120;11;;;;;;;;\n"
        ),
        "listings",
    )
    assert (run.created, run.refused) == (1, 1), run.report
    assert why in run.report["refused"][0][2], run.report
    assert list(rows()) == ["S2"]


def test_an_unknown_product_waits_in_the_queue_and_replace_takes_the_rest_off(tmp_path):
    shoe, boot = a_shoe(), a_shoe("Botte Aubrac")
    given(
        a_file(
            tmp_path, OF01 + f"S1;{shoe.ean};EAN;89;11;;;;;;;;\nS2;{boot.ean};EAN;120;11;;;;;;;;\n"
        ),
        "listings",
    )
    run = given(
        a_file(
            tmp_path,
            OF01 + f"S1;{shoe.ean};EAN;89;11;;;;;;;;\nS9;{factories.ean(920)};EAN;5;11;;;;;;;;\n",
            "b.csv",
        ),
        "listings",
        mode="replace",
    )
    assert (run.ignored, run.removed) == (1, 1)
    assert rows()["S2"].status is ListingState.withdrawn


def test_a_file_that_would_withdraw_most_offers_waits_for_a_click(tmp_path):
    shoes = [a_shoe(f"Botte {n}") for n in range(5)]
    line = "S{n};{shoe.ean};EAN;89;11;;;;;;;;\n"
    lines = [line.format(n=n, shoe=shoe) for n, shoe in enumerate(shoes)]
    given(a_file(tmp_path, OF01 + "".join(lines)), "listings")
    run = given(a_file(tmp_path, OF01 + lines[0], "b.csv"), "listings", mode="replace")
    assert (run.state.value, run.report["would_withdraw"]) == ("to_confirm", [4, 5])
    assert {row.status for row in rows().values()} == {ListingState.active}
    with unit_of_work() as session:
        runs.confirm(session.merge(run), by=LEA)
    outbox.work()
    assert sorted(sku for sku, row in rows().items() if row.status is ListingState.active) == ["S0"]


def test_a_file_that_replaces_takes_off_only_what_it_does_not_name_however_wrong_the_line(tmp_path):
    shoes = [a_shoe(f"Botte {n}") for n in range(4)]
    given(
        a_file(
            tmp_path,
            OF01 + "".join(f"S{n};{shoe.ean};EAN;89;11;;;;;;;;\n" for n, shoe in enumerate(shoes)),
        ),
        "listings",
    )
    wrong = (
        f"S0;{shoes[0].ean};EAN;gratuit;11;;;;;;;;\nS1;{shoes[1].ean};EAN;5;11;;;;;;;;\n"
        f"S1;{shoes[1].ean};EAN;6;11;;;;;;;;\n"
    )
    run = given(
        a_file(tmp_path, OF01 + wrong + f"S2;{shoes[2].ean};EAN;89;11;;;;;;;;\n", "b.csv"),
        "listings",
        mode="replace",
    )
    assert (run.refused, run.removed) == (3, 1)
    assert [row.status.value for row in rows().values()] == [
        "active",
        "active",
        "active",
        "withdrawn",
    ]


def test_prices_alone_change_what_is_offered_and_say_what_is_not(tmp_path):
    shoe = a_shoe()
    given(a_file(tmp_path, OF01 + f"S1;{shoe.ean};EAN;89;11;;;;;;;;\n"), "listings")
    run = given(
        a_file(tmp_path, "offer-sku;price;discount-price\nS1;79.90;\nS7;5;\n", "p.csv"), "prices"
    )
    assert (run.updated, run.ignored) == (1, 1)
    assert rows()["S1"].price_cents == 7990
    assert products.lowest_of_30_days(shoe.id, rows()["S1"].id) == 8900


def test_a_reduction_and_an_availability_hold_on_their_days_only(tmp_path):
    shoe = a_shoe()
    stocked(shoe, 1)
    given(
        a_file(
            tmp_path,
            OF01 + f"S1;{shoe.ean};EAN;100;11;80;2026-11-10;2026-11-20;2026-11-05;2026-11-25;;;\n",
        ),
        "listings",
    )
    row = rows()["S1"]
    assert [listings.price_on(row, date(2026, 11, d)) for d in (9, 10, 20, 21)] == [
        10000,
        8000,
        8000,
        10000,
    ]
    assert [listings.why_not_shown(row, date(2026, 11, d)) for d in (4, 5, 25, 26)] == [
        "NOT_IN_AVAILABILITY_PERIOD",
        None,
        None,
        "NOT_IN_AVAILABILITY_PERIOD",
    ]


def test_a_file_with_few_columns_leaves_the_rest_of_an_offer_as_it_was(tmp_path):
    shoe = a_shoe()
    given(
        a_file(
            tmp_path,
            OF01 + f"S1;{shoe.ean};EAN;89;3;79;2026-11-01;2026-12-31;2026-10-01;2027-01-01;2;4;\n",
        ),
        "listings",
    )
    run = given(a_file(tmp_path, "sku;price\nS1;95\n", "b.csv"), "listings")
    row = rows()["S1"]
    assert (run.updated, row.price_cents, row.condition, row.delay_days, row.quantity) == (
        1,
        9500,
        Condition.good_unit,
        2,
        4,
    )
    assert (row.discount_cents, row.discount_to, row.available_from) == (
        7900,
        date(2026, 12, 31),
        date(2026, 10, 1),
    )
    run = given(a_file(tmp_path, "sku;price\nS1;70\n", "c.csv"), "listings")
    assert run.refused == 1
    assert "réduit" in run.report["refused"][0][2]
    assert rows()["S1"].price_cents == 9500


def test_used_units_are_counted_on_their_offer_and_never_with_the_new_ones(tmp_path):
    shoe = a_shoe()
    given(
        a_file(
            tmp_path,
            OF01 + f"NEUF;{shoe.ean};EAN;89;11;;;;;;;5;\nBON;{shoe.ean};EAN;49;3;;;;;;;2;\n",
        ),
        "listings",
    )
    assert (
        listings.stock_of(rows()["NEUF"]),
        listings.stock_of(rows()["BON"]),
        quantity(shoe),
    ) == (5, 2, 5)
    assert [
        line.split(";")[7]
        for line in "".join(listing_exports.as_of01(factories.the_vendor().id)).splitlines()[1:]
    ] == ["5", "2"]
    given(a_file(tmp_path, OF01 + f"BON;{shoe.ean};EAN;49;3;;;;;;;0;\n", "b.csv"), "listings")
    assert (listings.stock_of(rows()["BON"]), quantity(shoe)) == (0, 5)
    assert books.check() == []


def test_a_vendor_of_several_stores_has_his_prices_taken_and_is_told_of_the_quantities_left(
    tmp_path, as_staff
):
    shoe = a_shoe()
    factories.a_store()
    stocked(shoe, 3)
    run = given(a_file(tmp_path, OF01 + f"S1;{shoe.ean};EAN;89;11;;;;;;;5;\n"), "listings")
    assert (run.created, run.refused, quantity(shoe)) == (1, 0, 3)
    assert run.report["quantities_left"] == 1
    assert (
        "plusieurs magasins"
        in as_staff("Administrateur").get(f"/gestion/imports/fichier/{run.id}").text
    )


@pytest.mark.parametrize(
    ("kind", "head", "one", "other"),
    [
        ("listings", OF01, "S1;{ean};EAN;89;11;;;;;;;;", "S1;{ean};EAN;88;11;;;;;;;;"),
        ("prices", "offer-sku;price\n", "S1;70", "S1;71"),
    ],
)
def test_an_offer_said_twice_is_a_repeat_and_said_otherwise_neither_is_believed(
    tmp_path, kind, head, one, other
):
    shoe = a_shoe()
    given(a_file(tmp_path, OF01 + f"S1;{shoe.ean};EAN;89;11;;;;;;;;\n"), "listings")
    one, other = one.format(ean=shoe.ean), other.format(ean=shoe.ean)
    run = given(a_file(tmp_path, f"{head}{one}\n{one}\n", "b.csv"), kind)
    assert (run.repeated, run.refused) == (1, 0)
    before = rows()["S1"].price_cents
    run = given(a_file(tmp_path, f"{head}{other}\n{one}\n", "c.csv"), kind)
    assert run.refused == 2
    assert "deux fois" in run.report["refused"][0][2]
    assert rows()["S1"].price_cents == before


def test_two_offers_that_count_one_reference_differently_are_told(tmp_path):
    shoe = a_shoe()
    run = given(
        a_file(
            tmp_path, OF01 + f"S1;{shoe.ean};EAN;89;11;;;;;;;5;\nS2;{shoe.ean};EAN;92;11;;;;;;;4;\n"
        ),
        "listings",
    )
    assert (run.created, run.refused, quantity(shoe)) == (1, 1, 5)
    assert list(rows()) == ["S1"]


def test_a_product_may_be_named_by_the_vendor_s_word_or_by_a_supplier_reference_only_one_maker_uses(
    tmp_path,
):
    shoe = a_shoe(supplier_ref="LOR-100")
    run = given(
        a_file(
            tmp_path, "sku;product-id;product-id-type;price\nS1;LOR-100;SKU;89\nS2;INCONNU;SKU;5\n"
        ),
        "listings",
    )
    assert (run.created, run.ignored) == (1, 1)
    assert rows()["S1"].variant_id == shoe.id


def test_what_a_file_changes_of_an_offer_is_in_its_history_and_a_wrong_line_leaves_no_trace(
    tmp_path,
):
    shoe = a_shoe()
    given(a_file(tmp_path, OF01 + f"S1;{shoe.ean};EAN;89;11;;;;;;;;\n"), "listings")
    given(a_file(tmp_path, "sku;price;update-delete\nS1;85;\n", "b.csv"), "listings")
    given(a_file(tmp_path, "sku;update-delete\nS1;delete\n", "c.csv"), "listings")
    given(a_file(tmp_path, "sku;price\nS1;80\n", "d.csv"), "listings")
    given(a_file(tmp_path, "sku;price;discount-price\nS1;79;90\n", "e.csv"), "listings")
    assert [event.verb for event in workflow.history(rows()["S1"])] == [
        "offer_again",
        "price_listing",
        "withdraw",
        "price_listing",
        "create",
    ]
    asked = db.session.scalars(
        db.select(PricePoint.price_cents)
        .where(PricePoint.listing_id == rows()["S1"].id)
        .order_by(PricePoint.id)
    ).all()
    assert asked == [8900, 8500, 8000]
    assert books.check() == []


def test_a_line_refused_because_its_unit_is_sold_leaves_the_price_as_it_was(tmp_path):
    unit = factories.an_item(a_shoe())
    with unit_of_work() as session:
        item = session.merge(unit)
        sku = listings.put_on_sale(item, 4500, by=LEA).sku
        items.sell(item, 4500, channel="till", by=LEA)
    run = given(a_file(tmp_path, f"sku;price\n{sku};39\n"), "listings")
    assert run.refused == 1
    sold = rows()[sku]
    assert sold.price_cents == 4500
    assert "price_listing" not in [event.verb for event in workflow.history(sold)]


def test_a_reduction_counts_in_the_history_from_the_day_it_begins_until_the_day_it_ends():
    shoe, noon = a_shoe(), datetime(2026, 11, 1, 12, tzinfo=UTC)
    with clock.at(noon), unit_of_work() as session:
        row = listings.offer(
            session.merge(factories.the_vendor()), "S1", session.merge(shoe), 8900, by=LEA
        )
        listings.price(
            row,
            8900,
            by=LEA,
            discount_cents=5000,
            starts=date(2026, 11, 10),
            ends=date(2026, 11, 12),
        )
        id = row.id

    def asked() -> list[tuple[int, str]]:
        points = db.session.execute(
            db.select(PricePoint.price_cents, PricePoint.since)
            .where(PricePoint.listing_id == id)
            .order_by(PricePoint.id)
        )
        return [(price, clock.paris(since).strftime("%d %H:%M")) for price, since in points]

    with clock.at(noon + timedelta(days=5)), unit_of_work():
        assert listings.turn_prices() == 0
    assert 5000 not in [price for price, _since in asked()]
    for day in (14, 14, 15):  # the worker was off for days; it rings twice
        with clock.at(noon + timedelta(days=day)), unit_of_work():
            listings.turn_prices()
    assert asked()[-2:] == [(5000, "10 00:00"), (8900, "13 00:00")]
    with clock.at(noon + timedelta(days=20)):
        assert products.lowest_of_30_days(shoe.id, id) == 5000


def test_what_update_delete_says_is_understood_or_refused_never_guessed(tmp_path):
    shoe, other = a_shoe(), a_shoe("Botte")
    header = "sku;product-id;price;update-delete\n"
    rows = f"S1;{shoe.ean};89;update\nS2;{other.ean};79;peut-être\nS3;;;delete\n"
    run = given(a_file(tmp_path, header + rows, "a.csv"), "listings")
    assert (run.created, run.refused, run.ignored) == (1, 1, 1)
    gone = given(a_file(tmp_path, f"{header}S1;;;Supprimer\n", "b.csv"), "listings")
    assert gone.removed == 1


def test_one_offer_counts_the_new_stock_of_an_article(tmp_path):
    shoe = a_shoe()
    header = "sku;product-id;price;state;quantity\n"
    twice = f"S1;{shoe.ean};89;11;3\nS2;{shoe.ean};85;11;3\nS3;{shoe.ean};40;3;1\n"
    run = given(a_file(tmp_path, header + twice, "a.csv"), "listings")
    assert (run.created, run.refused) == (2, 1)
    assert "« S1 »" in run.report["refused"][0][2].replace("\u00a0", " ")
    later = given(a_file(tmp_path, header + f"S9;{shoe.ean};80;11;3\n", "b.csv"), "listings")
    assert later.refused == 1


def test_a_new_sku_takes_the_place_of_one_that_goes_in_whatever_order(tmp_path):
    shoe = a_shoe()
    header = "sku;product-id;price;state;update-delete\n"
    given(a_file(tmp_path, header + f"A;{shoe.ean};89;11;\n", "a.csv"), "listings")
    swap = f"B;{shoe.ean};85;11;\nA;;;;delete\n"
    run = given(a_file(tmp_path, header + swap, "b.csv"), "listings")
    assert (run.created, run.removed, run.refused) == (1, 1, 0), run.report
    back = given(a_file(tmp_path, header + f"A;{shoe.ean};80;11;\n", "c.csv"), "listings")
    assert back.refused == 1, "A would sell the stock B sells"


def test_a_used_offer_or_a_withdrawn_one_keeps_no_new_one_away(tmp_path):
    shoe = a_shoe()
    header = "sku;product-id;price;state;quantity;update-delete\n"
    used = f"U;{shoe.ean};40;3;1;\nN;{shoe.ean};89;11;2;\n"
    assert given(a_file(tmp_path, header + used, "a.csv"), "listings").created == 2
    turned = given(a_file(tmp_path, header + f"U;{shoe.ean};40;11;1;\n", "b.csv"), "listings")
    assert turned.refused == 1
