"""The final button: all of a cart is reserved in one unit, or nothing happened."""

from datetime import UTC, datetime

import pytest

from models import Cart, Customer, Item, Listing, Order, Reservation, StockLevel, VendorOrder
from services import clock
from services.orders import carts, checkout, fulfilment
from services.people import customers
from services.stock import listings
from services.unit import db, unit_of_work
from services.workflow import Refused
from tests import factories
from tests.factories import (
    COMMAND,
    MARC,
    a_shoe,
    a_shop,
    a_shop_cart,
    a_unit_on_sale,
    an_order,
    letters,
    on_sale,
)


def reserved(listing: Listing) -> int:
    rows = db.select(db.func.sum(StockLevel.reserved)).where(
        StockLevel.variant_id == listing.variant_id
    )
    return db.session.scalar(rows)


def place(cart: Cart, customer: Customer) -> Order:
    with unit_of_work() as session:
        person = session.get_one(Customer, customer.id)
        order = checkout.reserve(session.get_one(Cart, cart.id), person, by=customers.actor(person))
        id = order.id
    return db.session.get_one(Order, id)


def test_one_cart_of_two_vendors_is_one_order_of_two_parts():
    a_shop()
    ours = factories.keeps_for_buyers()
    _vendor, _site, rennes = factories.another_vendor()
    rennes = factories.keeps_for_buyers(rennes)
    derby, boots = (
        on_sale(a_shoe("Derby"), 8900, 3, ours),
        on_sale(a_shoe("Botte"), 12000, 1, rennes),
    )
    order = an_order((derby, ours, 2), (boots, rennes, 1))
    assert order.total_cents == 29800
    assert [(p.reference, p.store.name, p.total_cents, p.units) for p in order.parts] == [
        (f"{order.number}-A", ours.name, 17800, 2),
        (f"{order.number}-B", rennes.name, 12000, 1),
    ]
    assert {part.status.value for part in order.parts} == {"waiting_acceptance"}
    assert (reserved(derby), reserved(boots)) == (2, 1)
    kept = db.session.scalars(db.select(Reservation).order_by(Reservation.id)).all()
    assert {row.holder for row in kept} == {f"{order.number}-A", f"{order.number}-B"}
    assert {row.status.value for row in kept} == {"promised"}
    assert all(row.order_line_id for row in kept)


def test_the_buyer_is_told_once_and_each_shop_of_its_own_part():
    a_shop()
    ours = factories.keeps_for_buyers()
    vendor, _site, rennes = factories.another_vendor()
    with unit_of_work() as session:
        session.merge(vendor).email = "ventes@pixelcave.fr"
        session.merge(factories.the_vendor()).email = "nous@exemple.fr"
    rennes = factories.keeps_for_buyers(rennes)
    derby, boots = (
        on_sale(a_shoe("Derby"), 8900, 3, ours),
        on_sale(a_shoe("Botte"), 12000, 1, rennes),
    )
    order = an_order((derby, ours, 1), (boots, rennes, 1))
    (to_buyer,) = letters("order_reserved")
    assert to_buyer.recipient == order.email
    for words in ("Derby", "Botte", "PixelCave", "89,00", "120,00"):
        assert words in to_buyer.body
    assert "209,00" in to_buyer.subject
    told = {letter.recipient: letter for letter in letters("order_new")}
    assert set(told) == {"nous@exemple.fr", "ventes@pixelcave.fr"}
    theirs = told["ventes@pixelcave.fr"]
    assert "Botte" in theirs.body
    assert "Derby" not in theirs.body
    assert "Super" in theirs.body
    assert order.name in theirs.body
    assert order.email not in theirs.body
    assert theirs.vendor_id == vendor.id


def test_the_cart_is_empty_afterwards_and_its_prices_are_frozen():
    order = an_order()
    (line,) = order.parts[0].lines
    with unit_of_work() as session:
        listings.price(session.get_one(Listing, line.listing_id), 9900, by=COMMAND)
    assert line.unit_cents == 8900
    assert db.session.scalar(db.select(db.func.count()).select_from(carts.CartLine)) == 0


def test_a_graded_unit_keeps_its_cost_and_its_regime_and_leaves_the_shop():
    a_shop()
    store = factories.keeps_for_buyers()
    unit = a_unit_on_sale(a_shoe("Botte"), 3500)
    (line,) = an_order((unit, store, 1)).parts[0].lines
    assert (line.item_id, line.cost_cents, line.vat_regime.value) == (unit.item_id, 500, "margin")
    assert db.session.get_one(Item, unit.item_id).status.value == "reserved"
    assert listings.why_not_shown(db.session.get_one(Listing, unit.id), clock.today())


def test_the_store_has_until_forty_eight_working_hours_to_answer():
    friday = datetime(2026, 11, 20, 17, 0, tzinfo=UTC)
    with clock.at(friday):
        (part,) = an_order().parts
    assert clock.paris(part.accept_by).strftime("%d/%m %H:%M") == "24/11 18:00"


def test_nothing_is_kept_when_one_article_of_the_cart_went():
    a_shop()
    store = factories.keeps_for_buyers()
    derby, boots = on_sale(a_shoe("Derby"), 8900, 3), on_sale(a_shoe("Botte"), 12000, 1)
    buyer = factories.a_buyer()
    cart = a_shop_cart((derby, store, 2), (boots, store, 1), customer=buyer)
    factories.stocked(boots.variant, 0)
    with pytest.raises(Refused, match="Botte"):
        place(cart, buyer)
    assert reserved(derby) == 0
    assert db.session.scalar(db.select(db.func.count(Order.id))) == 0
    assert len(db.session.get_one(Cart, cart.id).lines) == 2


def test_a_price_nobody_agreed_to_is_refused():
    a_shop()
    store = factories.keeps_for_buyers()
    derby, buyer = on_sale(a_shoe("Derby"), 8900, 3), factories.a_buyer()
    cart = a_shop_cart((derby, store, 1), customer=buyer)
    with unit_of_work() as session:
        listings.price(session.get_one(Listing, derby.id), 9900, by=COMMAND)
    with pytest.raises(Refused):
        place(cart, buyer)
    assert reserved(derby) == 0


def test_who_did_not_confirm_an_address_reserves_nothing():
    a_shop()
    store = factories.keeps_for_buyers()
    stranger = factories.a_customer()
    cart = a_shop_cart((on_sale(a_shoe(), 8900, 3), store, 1), customer=stranger)
    with pytest.raises(Refused, match="e-mail"):
        place(cart, stranger)


def test_three_reservations_may_be_open_and_a_fourth_waits():
    a_shop()
    store = factories.keeps_for_buyers()
    derby, buyer = on_sale(a_shoe("Derby"), 8900, 9), factories.a_buyer()
    orders = []
    for _n in range(3):
        orders.append(place_one(derby, store, buyer))
    with pytest.raises(Refused, match="3"):
        place_one(derby, store, buyer)
    with unit_of_work() as session:
        part = session.get_one(VendorOrder, orders[0].parts[0].id)
        fulfilment.cancel(part, by=MARC)
    place_one(derby, store, buyer)


def place_one(listing, store, buyer) -> Order:
    with unit_of_work() as session:
        cart = carts.of_customer(session.get_one(Customer, buyer.id), factories.the_site())
        if cart is None:
            cart, _token = carts.open_cart(
                session.merge(factories.the_site()), session.get_one(Customer, buyer.id)
            )
        carts.empty(cart)
        carts.add(cart, session.merge(listing), session.merge(store))
        id = cart.id
    return place(db.session.get_one(Cart, id), buyer)


@pytest.mark.parametrize(
    ("place", "letter"), [(0, "A"), (25, "Z"), (26, "AA"), (51, "AZ"), (52, "BA")]
)
def test_parts_are_lettered(place, letter):
    assert checkout.letter_of(place) == letter
