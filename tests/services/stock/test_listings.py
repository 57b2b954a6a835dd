"""Sale offers: OF01 and PRI01 in, OF01, PRI01 and STO01 out; a line fails alone; dates, delays,
reductions; units on sale.
"""

import itertools
import json
from datetime import timedelta

import pytest
from hypothesis import HealthCheck
from hypothesis import given as given_any
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import select

from models import (
    BrandAgreement,
    Condition,
    Item,
    Listing,
    ListingState,
    PricePoint,
    WebhookDelivery,
)
from services import clock, outbox, webhooks, workflow
from services.catalogue import products
from services.finance import books
from services.stock import items, listings
from services.unit import db, unit_of_work
from services.workflow import Refused
from tests import factories
from tests.factories import LEA, a_file, a_shoe, given

OF01 = (
    "sku;product-id;product-id-type;price;state;discount-price;discount-start-date;"
    "discount-end-date;available-start-date;available-end-date;leadtime-to-ship;quantity;"
    "update-delete\n"
)


def rows() -> dict[str, Listing]:
    db.session.expire_all()
    return {row.sku: row for row in db.session.scalars(db.select(Listing))}


def test_a_unit_is_put_on_sale_priced_again_and_taken_off():
    item = factories.an_item(a_shoe())
    with unit_of_work() as session:
        id = listings.put_on_sale(session.get_one(Item, item.id), 4500, by=LEA).id
    assert books.check() == []
    with unit_of_work() as session:
        listings.price(session.get_one(Listing, id), 4000, by=LEA)
        listings.withdraw(session.get_one(Listing, id), by=LEA)
    assert db.session.get(Item, item.id).status.value == "in_stock"
    assert books.check() == []
    with unit_of_work() as session:
        assert listings.put_on_sale(session.get_one(Item, item.id), 3900, by=LEA).id == id
    with unit_of_work() as session:
        items.sell(session.get_one(Item, item.id), 3900, by=LEA)
    assert rows()[f"ITEM-{item.id}"].status is ListingState.withdrawn
    assert books.check() == []
    with pytest.raises(Refused), unit_of_work() as session:
        listings.offer_again(session.get_one(Listing, id), by=LEA)


def test_a_price_is_above_zero_and_the_past_keeps_its_prices():
    shoe = a_shoe()
    with unit_of_work() as session:
        id = listings.offer(
            session.merge(factories.the_vendor()), "S1", session.merge(shoe), 8900, by=LEA
        ).id
    with pytest.raises(Refused), unit_of_work() as session:
        listings.price(session.get_one(Listing, id), 0, by=LEA)
    with clock.at(clock.now() + timedelta(days=2)), unit_of_work() as session:
        listings.price(session.get_one(Listing, id), 7900, by=LEA)
    with clock.at(clock.now() + timedelta(days=3)):
        assert products.lowest_of_30_days(shoe.id, id) == 8900


# ── what a file does not say stays ──


# ── the lowest price of 30 days ──


def test_a_unit_without_a_condition_is_not_offered_before_somebody_says_it(as_staff):
    item = factories.an_item(a_shoe())
    with unit_of_work() as session:
        items.shelve(session.get_one(Item, item.id), condition=None, place="", by=LEA)
    with pytest.raises(Refused), unit_of_work() as session:
        listings.put_on_sale(session.get_one(Item, item.id), 4500, by=LEA)
    staff = as_staff("Vendeur", factories.the_vendor())
    assert "Indiquez dans quel état" in staff.get(f"/gestion/stock/show/{item.id}").text
    staff.post(
        f"/gestion/stock/vendre/{item.id}/rayon",
        data={"condition": "very_good_unit", "place": "R3-B2"},
    )
    shown = staff.post(
        f"/gestion/offres-de-vente/prix/article/{item.id}",
        data={"price": "45,00"},
        follow_redirects=True,
    )
    assert shown.status_code == 200
    assert "45,00" in shown.text
    row = rows()[f"ITEM-{item.id}"]
    assert (row.condition, row.item.place, row.price_cents) == (
        Condition.very_good_unit,
        "R3-B2",
        4500,
    )
    answer = staff.post(
        f"/gestion/stock/vendre/{item.id}/rayon",
        data={"condition": "good_unit", "place": "R3-B2"},
        follow_redirects=True,
    )
    assert "retirez-le" in answer.text
    assert rows()[f"ITEM-{item.id}"].condition is Condition.very_good_unit
    staff.post(
        f"/gestion/stock/vendre/{item.id}", data={"price": "44,00"}
    )  # sold at the counter while it is offered
    assert rows()[f"ITEM-{item.id}"].status is ListingState.withdrawn
    assert books.check() == []


def test_an_offer_withdrawn_by_a_file_is_told_as_by_hand(tmp_path, hooks):
    shoe, boot = factories.a_shoe(), factories.a_shoe("Bottine")
    vendor = factories.the_vendor()
    with unit_of_work():
        webhooks.open_for(vendor, "https://logiciel.example/ici", ["listing.delisted"], by=LEA)
    content = OF01 + "".join(f"S{s.id};{s.ean};EAN;89;11;;;;;;;;\n" for s in (shoe, boot))
    given(a_file(tmp_path, content, "a.csv"), "listings")
    with unit_of_work():
        listings.withdraw(rows()[f"S{shoe.id}"], by=LEA)
    gone = f"sku;update-delete\nS{boot.id};delete\n"
    given(a_file(tmp_path, gone, "b.csv"), "listings")
    outbox.work()
    told = [json.loads(body)["data"] for _url, _headers, body in hooks.told]
    assert told == [
        {"sku": f"S{shoe.id}", "reason": "WITHDRAWN"},
        {"sku": f"S{boot.id}", "reason": "WITHDRAWN"},
    ]


@hypothesis_settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given_any(
    price=st.integers(1, 500_00),
    discount=st.none() | st.integers(1, 500_00),
    withdrawn=st.booleans(),
)
def test_one_offer_and_a_file_of_offers_change_alike(
    tmp_path_factory, app, price, discount, withdrawn
):
    """The same words by hand and by a file: same columns, same log, same price history."""
    folder = tmp_path_factory.mktemp("alike")
    if discount is not None and discount >= price:
        discount = None
    pair = [factories.a_shoe(shoe_size=str(next(SIZES))) for _n in range(2)]
    skus = [f"A{shoe.id}" for shoe in pair]
    first = OF01 + "".join(
        f"{k};{s.ean};EAN;600;11;;;;;;;;\n" for k, s in zip(skus, pair, strict=True)
    )
    given(a_file(folder, first, f"{skus[0]}.csv"), "listings")
    line = f"{skus[1]};{price / 100:.2f};{'' if discount is None else f'{discount / 100:.2f}'}\n"
    given(a_file(folder, "sku;price;discount-price\n" + line, f"{skus[1]}.csv"), "listings")
    with unit_of_work():
        listings.price(rows()[skus[0]], price, by=LEA, discount_cents=discount)
    if withdrawn:
        with unit_of_work():
            listings.withdraw(rows()[skus[0]], by=LEA)
        given(a_file(folder, f"sku;update-delete\n{skus[1]};delete\n", "w.csv"), "listings")
    by_hand, by_file = (rows()[sku] for sku in skus)
    for name in (*listings.PRICE, "status"):
        assert getattr(by_hand, name) == getattr(by_file, name), name
    assert [(e.verb, e.to_state, e.facts) for e in workflow.history(by_hand)] == [
        (e.verb, e.to_state, e.facts) for e in workflow.history(by_file)
    ]
    assert points_of(by_hand) == points_of(by_file)


SIZES = itertools.count(100)


def points_of(row: Listing) -> list[int]:
    points = select(PricePoint.price_cents).where(PricePoint.listing_id == row.id)
    return list(db.session.scalars(points.order_by(PricePoint.id)))


# ── vendors' software is told what is no longer shown (events of docs/rules/files.md) ──


def told_of() -> list[tuple[str, str]]:
    """What `listing.delisted` said, as (sku, reason)."""
    with unit_of_work():
        listings.tell_shown(listings.to_tell(clock.today()), clock.today())
    outbox.work()
    db.session.expire_all()
    bodies = [
        json.loads(delivery.body)
        for delivery in db.session.scalars(select(WebhookDelivery).order_by(WebhookDelivery.id))
    ]
    return [(b["data"]["sku"], b["data"]["reason"]) for b in bodies if "sku" in b["data"]]


@pytest.fixture
def shown(app, tmp_path) -> Listing:
    """An offer in stock that buyers see, of a vendor whose software listens."""
    shoe = a_shoe()
    factories.stocked(shoe, 2)
    given(a_file(tmp_path, OF01 + f"S1;{shoe.ean};EAN;89;11;;;;;;;;\n"), "listings")
    with unit_of_work() as session:
        vendor = session.merge(factories.the_vendor())
        webhooks.open_for(vendor, "https://logiciel.example/ici", ["listing.delisted"], by=LEA)
    assert told_of() == []
    return rows()["S1"]


def sold_out(row: Listing, tmp_path) -> None:
    factories.stocked(row.variant, 0)


def excluded_by_its_brand(row: Listing, tmp_path) -> None:
    with unit_of_work() as session:
        brand_id = session.get_one(Listing, row.id).variant.product.brand_id
        session.add(BrandAgreement(brand_id=brand_id, vendor_id=row.vendor_id, allowed=False))


def disabled(row: Listing, tmp_path) -> None:
    with unit_of_work() as session:
        products.disable(session.get_one(Listing, row.id).variant.product, by=LEA)


def past_its_dates(row: Listing, tmp_path) -> None:
    yesterday = clock.today() - timedelta(days=1)
    with unit_of_work() as session:
        listings.set_terms(
            session.get_one(Listing, row.id),
            available_from=None,
            available_to=yesterday,
            delay_days=None,
            by=LEA,
        )


def deleted_by_a_file(row: Listing, tmp_path) -> None:
    given(a_file(tmp_path, "sku;update-delete\nS1;delete\n", "d.csv"), "listings")


def withdrawn_by_hand(row: Listing, tmp_path) -> None:
    with unit_of_work() as session:
        listings.withdraw(session.get_one(Listing, row.id), by=LEA)


@pytest.mark.parametrize(
    ("happens", "reason"),
    [
        (sold_out, "ZERO_QUANTITY"),
        (excluded_by_its_brand, "BRAND_UNAUTHORIZED_TO_SELL"),
        (disabled, "PRODUCT_DISABLED"),
        (past_its_dates, "NOT_IN_AVAILABILITY_PERIOD"),
        (deleted_by_a_file, "WITHDRAWN"),
        (withdrawn_by_hand, "WITHDRAWN"),
    ],
)
def test_whatever_takes_an_offer_from_buyers_is_told_once(shown, tmp_path, happens, reason):
    happens(shown, tmp_path)
    assert told_of() == [("S1", reason)]
    assert told_of() == [("S1", reason)], "not a second time"


def test_an_offer_that_came_back_is_told_again_when_it_goes(shown, tmp_path):
    sold_out(shown, tmp_path)
    told_of()
    factories.stocked(shown.variant, 3)
    assert len(told_of()) == 1
    sold_out(shown, tmp_path)
    assert len(told_of()) == 2


def test_one_offer_and_many_are_shown_by_the_same_law(shown, tmp_path):
    sold_out(shown, tmp_path)
    day = clock.today()
    assert listings.why_none_is_shown([shown.id], day) == {
        shown.id: listings.why_not_shown(shown, day)
    }
    assert listings.stock_of(rows()["S1"]) == 0
