"""What a shop shows: only what can be had, of the vendors whose site it is, the cheapest first."""

from datetime import timedelta

import pytest

from models import Item, Listing, Product
from services import clock
from services.catalogue import search
from services.orders import window
from services.stock import items, listings
from services.unit import db, unit_of_work
from tests import factories
from tests.factories import COMMAND, a_shoe, a_shop, a_unit_on_sale, on_sale


def product_of(listing: Listing) -> Product:
    return db.session.get(Product, listing.variant.product_id)


def found(site, words: str = "", **filters: str) -> list[str]:
    ids = search.find(window.asked(site, words, filters)).ids
    return [card.title for card in window.cards(site, ids)]


def test_a_shop_finds_what_is_on_sale_and_nothing_else():
    shop = a_shop()
    on_sale(a_shoe("Derby Lormont"), 8900)
    a_shoe("Botte Aubrac")
    factories.stocked(a_shoe("Bottine Laguiole"), 3)
    assert found(shop) == ["Derby Lormont"]
    assert found(shop, "aubrac") == []


def test_a_filter_counts_what_its_list_will_show_and_leads_to_no_empty_list():
    shop = a_shop()
    on_sale(a_shoe("Derby", shoe_size="41", color="Noir"), 8900)
    a_shoe("Derby", shoe_size="42", color="Noir")
    sold = on_sale(a_shoe("Derby", shoe_size="43", color="Marine"), 8900)
    factories.stocked(sold.variant, 0)
    a_unit_on_sale(a_shoe("Botte", shoe_size="42", color="Rouge"), 3500)
    facets = window.facets(shop, "", {})
    assert facets["shoe_size"] == [("41", 1), ("42", 1)]
    assert sorted(facets["color"]) == [("Noir", 1), ("Rouge", 1)]
    assert dict(facets["condition"]) == {"new": 1, "used": 1}
    for name, values in facets.items():
        for value, count in values:
            assert len(found(shop, **{name: value})) == count, (name, value)
    assert found(shop, color="Noir", shoe_size="42") == []
    assert found(shop, condition="used") == ["Botte"]


def test_at_one_price_the_best_condition_then_the_nearest_comes_first():
    shop = a_shop()
    shoe = a_shoe()
    far = a_unit_on_sale(shoe, 3500)
    near = a_unit_on_sale(shoe, 3500, store=factories.a_store("Brest", "B1", postcode="29200"))
    new = on_sale(shoe, 3500)
    choices = window.choices(shop, product_of(new), "29200")
    assert choices[0].listing.id == new.id
    assert [one.listing.id for one in choices if one.unit] == [near.id, far.id]


def test_a_price_is_a_beginning_only_where_there_are_several():
    shop = a_shop()
    _vendor, _site, store = factories.another_vendor()
    shoe = a_shoe()
    on_sale(shoe, 8900)
    on_sale(shoe, 8900, store=store)
    (card,) = window.cards(shop, [shoe.product_id])
    assert (card.offers, card.prices) == (2, 1)


def test_the_operator_s_shop_sells_for_all_and_a_vendor_s_for_itself_alone():
    ours = a_shop()
    vendor, site, store = factories.another_vendor()
    theirs = a_shop(site)
    on_sale(a_shoe("Derby Lormont"), 8900)
    on_sale(a_shoe("Botte Aubrac"), 18900, store=store)
    assert sorted(found(ours)) == ["Botte Aubrac", "Derby Lormont"]
    assert found(theirs) == ["Botte Aubrac"]
    assert window.vendor(theirs, vendor.id).name == "PixelCave"
    assert window.vendor(theirs, factories.the_vendor().id) is None


def test_a_vendor_s_shop_names_nobody_else_on_any_of_its_pages():
    _vendor, site, store = factories.another_vendor()
    shop = a_shop(site)
    shoe, only_ours = a_shoe("Derby Lormont"), a_shoe("Bottine Laguiole")
    theirs = on_sale(shoe, 7900, store=store)
    on_sale(shoe, 5000)
    on_sale(only_ours, 1000)
    (card,) = window.cards(shop, [shoe.product_id])
    assert (card.from_cents, card.offers) == (7900, 1)
    assert [one.listing.id for one in window.choices(shop, product_of(theirs))] == [theirs.id]
    for order in ("", "price", "-price"):
        assert window.find(shop, "", {}, order=order).ids == [shoe.product_id]
    assert [card.title for card in window.newest(shop)] == ["Derby Lormont"]
    assert [one.name for one in window.sellers(shop)] == ["PixelCave"]
    assert [title for _id, title, _at in window.part_of(shop, 1)] == ["Derby Lormont"]
    assert window.departments(shop) == {"category": [("Chaussures", 1)], "brand": [("Lormont", 1)]}


def test_prices_are_in_the_order_of_what_is_asked_today_of_what_can_be_had():
    shop = a_shop()
    today = clock.today()
    dear, cheap, over = (on_sale(a_shoe(f"Derby {n}"), 5000 + n) for n in range(3))
    gone = on_sale(a_shoe("Derby 0", shoe_size="43"), 100)
    factories.stocked(gone.variant, 0)
    with unit_of_work() as session:
        row = session.get_one(Listing, cheap.id)
        listings.price(row, 9000, discount_cents=400, starts=today, ends=today, by=COMMAND)
        row = session.get_one(Listing, over.id)
        yesterday = today - timedelta(days=1)
        listings.price(row, 9000, discount_cents=300, starts=yesterday, ends=yesterday, by=COMMAND)
    ids = [product_of(row).id for row in (cheap, dear, over)]
    assert window.find(shop, "", {}, order="price").ids == ids
    assert window.find(shop, "", {}, order="-price").ids == ids[::-1]
    assert window.choices(shop, product_of(over))[0].price_cents == 9000


def test_what_came_last_is_found_behind_many_that_are_gone(monkeypatch):
    shop = a_shop()
    on_sale(a_shoe("Derby Lormont"), 8900)
    for n in range(9):
        factories.stocked(on_sale(a_shoe(f"Botte {n}"), 100).variant, 0)
    assert [card.title for card in window.newest(shop, 1)] == ["Derby Lormont"]


def test_the_cheapest_of_very_many_offers_is_among_those_a_page_shows(monkeypatch):
    monkeypatch.setattr(window, "MOST_CHOICES", 1)
    shop, shoe, today = a_shop(), a_shoe(), clock.today()
    on_sale(shoe, 5000)
    reduced = a_unit_on_sale(shoe, 9000)
    with unit_of_work() as session:
        row = session.get_one(Listing, reduced.id)
        listings.price(row, 9000, discount_cents=1000, starts=today, ends=today, by=COMMAND)
    assert [one.price_cents for one in window.choices(shop, product_of(reduced))] == [1000]


def test_a_card_says_the_lowest_price_of_all_vendors_and_how_many_offer():
    shop = a_shop()
    _vendor, _site, store = factories.another_vendor()
    shoe = a_shoe()
    on_sale(shoe, 8900)
    on_sale(shoe, 7900, store=store)
    a_unit_on_sale(shoe, 3500)
    (card,) = window.cards(shop, [shoe.product_id])
    assert (card.from_cents, card.offers, card.vendors) == (3500, 3, 2)
    assert (card.has_new, card.has_used) == (True, True)


def test_what_is_sold_out_leaves_the_lists_and_its_card_has_no_price():
    shop = a_shop()
    listing = a_unit_on_sale(a_shoe(), 3500)
    with unit_of_work() as session:
        items.sell(session.get_one(Item, listing.item_id), 3500, by=COMMAND)
    assert found(shop) == []
    (card,) = window.cards(shop, [product_of(listing).id])
    assert (card.from_cents, card.offers) == (None, 0)
    assert window.choices(shop, product_of(listing)) == []


def test_choices_are_sorted_by_what_is_paid_today_with_stores_and_kilometres():
    shop = a_shop()
    shoe = a_shoe()
    brest = factories.a_store("Brest", "B1", postcode="29200")
    dear = on_sale(shoe, 8900, units=2)
    factories.stocked(shoe, 3, brest)
    cheap = a_unit_on_sale(shoe, 3500, store=brest)
    choices = window.choices(shop, product_of(dear), "29200")
    assert [one.listing.id for one in choices] == [cheap.id, dear.id]
    assert (choices[0].units, choices[0].unit is not None) == (1, True)
    assert choices[1].units == 5
    nearest = choices[1].places[0]
    assert (nearest.store.name, nearest.units, nearest.km) == ("Brest", 3, 0)
    assert [place.km for place in window.choices(shop, product_of(dear))[1].places] == [None, None]


def test_a_reduction_is_shown_from_the_lowest_price_of_thirty_days():
    shop = a_shop()
    noon = clock.now()
    with clock.at(noon - timedelta(days=20)):
        listing = on_sale(a_shoe(), 8900)
    today = clock.today()
    with clock.at(noon - timedelta(days=10)), unit_of_work() as session:
        listings.price(session.get_one(Listing, listing.id), 7900, by=COMMAND)
    with unit_of_work() as session:
        row = session.get_one(Listing, listing.id)
        listings.price(row, 8900, discount_cents=6900, starts=today, ends=today, by=COMMAND)
    (one,) = window.choices(shop, product_of(listing))
    assert (one.price_cents, one.before_cents) == (6900, 7900)


def test_the_thirty_days_are_those_before_the_reduction_began_however_long_it_lasts():
    shop, noon = a_shop(), clock.now()
    with clock.at(noon - timedelta(days=80)):
        listing = on_sale(a_shoe(), 5000)
    for days, full, reduced in ((45, 8900, None), (20, 8900, 6900), (1, 8900, 6900)):
        with clock.at(noon - timedelta(days=days)), unit_of_work() as session:
            ends = clock.today() + timedelta(days=days + 40) if reduced else None
            row = session.get_one(Listing, listing.id)
            listings.price(row, full, discount_cents=reduced, ends=ends, by=COMMAND)
    (one,) = window.choices(shop, product_of(listing))
    assert (one.price_cents, one.before_cents) == (6900, None)


def test_a_reduction_from_a_price_nobody_was_asked_shows_no_price_before():
    shop = a_shop()
    listing = on_sale(a_shoe(), 6900)
    today = clock.today()
    with unit_of_work() as session:
        row = session.get_one(Listing, listing.id)
        listings.price(row, 9900, discount_cents=6900, starts=today, ends=today, by=COMMAND)
    (one,) = window.choices(shop, product_of(listing))
    assert (one.price_cents, one.before_cents) == (6900, None)


def test_a_unit_somebody_else_took_and_promised_stock_are_not_offered():
    shop = a_shop()
    shoe = a_shoe()
    level = factories.stocked(shoe, 1)
    listing = on_sale(shoe, 8900, units=2)
    factories.a_reservation(level)
    (one,) = window.choices(shop, product_of(listing))
    assert (one.units, [place.units for place in one.places]) == (1, [1])
    factories.a_reservation(level)
    assert window.choices(shop, product_of(listing)) == []


def test_a_page_of_products_costs_the_same_queries_whatever_it_holds(counted_statements):
    shop = a_shop()
    ids = [product_of(on_sale(a_shoe(f"Modèle {n}"), 5000 + n)).id for n in range(9)]

    def cost(some: list[int]) -> int:
        db.session.expire_all()
        with counted_statements() as statements:
            assert len(window.cards(shop, some)) == len(some)
        return len(statements)

    assert cost(ids[:1]) == cost(ids)


def test_a_page_of_reduced_offers_costs_the_same_queries_however_many(counted_statements):
    shop, today = a_shop(), clock.today()

    def cost(title: str, offers: int) -> int:
        rows = [a_unit_on_sale(a_shoe(title), 5000) for _n in range(offers)]
        with unit_of_work() as session:
            for one in rows:
                row = session.get_one(Listing, one.id)
                listings.price(row, 5000, discount_cents=3000, starts=today, ends=today, by=COMMAND)
        product = product_of(rows[0])
        db.session.expire_all()
        with counted_statements() as statements:
            assert [c.before_cents for c in window.choices(shop, product)] == [5000] * offers
        return len(statements)

    assert cost("Derby", 1) == cost("Botte", 7)


def test_similar_products_are_of_the_same_family_and_can_be_had():
    shop = a_shop()
    shown = on_sale(a_shoe("Derby Lormont"), 8900)
    on_sale(a_shoe("Richelieu Bacalan"), 14900)
    a_shoe("Mocassin Pouldu")
    assert [card.title for card in window.similar(shop, product_of(shown))] == ["Richelieu Bacalan"]


@pytest.mark.parametrize("kind", ["buyback", "shop", "both"])
def test_a_site_has_a_shop_when_its_kind_says_so(kind):
    site = factories.the_site()
    with unit_of_work() as session:
        session.merge(site).kind = kind
    assert window.opens(factories.the_site()) is (kind != "buyback")
