"""A cart of the shop: what it holds, whose it is, and what it is worth today."""

from datetime import timedelta

import pytest

from models import Cart, CartLine, Customer, Listing, Store
from services import clock, personal, retention
from services.orders import carts
from services.stock import listings
from services.unit import db, unit_of_work
from services.workflow import Refused
from tests import factories
from tests.factories import COMMAND, a_shoe, a_shop, a_shop_cart, a_unit_on_sale, on_sale


@pytest.fixture
def shoes() -> tuple[Listing, Store]:
    """Three pairs at 89,00 € in a store that keeps them for buyers."""
    a_shop()
    store = factories.keeps_for_buyers()
    return on_sale(a_shoe("Derby Lormont"), 8900, 3, store), store


def put(cart: Cart, pair: tuple[Listing, Store], quantity: int = 1) -> None:
    listing, store = pair
    with unit_of_work() as session:
        carts.add(
            session.get_one(Cart, cart.id),
            session.get_one(Listing, listing.id),
            session.get_one(Store, store.id),
            quantity,
        )


def the(cart: Cart) -> Cart:
    return db.session.get_one(Cart, cart.id)


def test_what_is_put_in_a_cart_is_grouped_by_the_store_that_hands_it_over(shoes):
    _vendor, _site, rennes = factories.another_vendor()
    rennes = factories.keeps_for_buyers(rennes)
    boots = on_sale(a_shoe("Botte Aubrac"), 12000, 1, rennes)
    cart = a_shop_cart((*shoes, 2), (boots, rennes, 1))
    basket = carts.read(the(cart))
    assert [(g.vendor.name, g.total_cents) for g in basket.groups] == [
        ("Ma boutique", 17800),
        ("PixelCave", 12000),
    ]
    assert basket.total_cents == 29800
    assert basket.is_ready
    assert carts.units(the(cart)) == 3


def test_the_same_article_twice_is_one_line(shoes):
    cart = a_shop_cart((*shoes, 1))
    put(cart, shoes, 2)
    (line,) = the(cart).lines
    assert line.quantity == 3


def test_a_cart_takes_no_more_than_a_store_has(shoes):
    cart = a_shop_cart((*shoes, 2))
    with pytest.raises(Refused, match="3"):
        put(cart, shoes, 2)
    assert the(cart).lines[0].quantity == 2


@pytest.mark.parametrize("quantity", [0, -1, 100, 10**9])
def test_an_absurd_quantity_is_refused(shoes, quantity):
    cart = a_shop_cart()
    with pytest.raises(Refused):
        put(cart, shoes, quantity)
    assert not the(cart).lines


def test_a_store_that_keeps_nothing_for_buyers_is_not_offered():
    a_shop()
    listing = on_sale(a_shoe(), 8900)
    with pytest.raises(Refused):
        a_shop_cart((listing, factories.the_store(), 1))


def test_a_store_of_another_vendor_is_refused(shoes):
    _vendor, _site, rennes = factories.another_vendor()
    factories.stocked(shoes[0].variant, 5, rennes)
    with pytest.raises(Refused):
        a_shop_cart((shoes[0], factories.keeps_for_buyers(rennes), 1))


def test_the_shop_of_a_vendor_takes_nothing_of_another(shoes):
    _vendor, site, _store = factories.another_vendor()
    with pytest.raises(Refused):
        a_shop_cart((*shoes, 1), site=a_shop(site))


def test_a_graded_unit_is_had_once_and_where_it_lies(shoes):
    store = shoes[1]
    unit = a_unit_on_sale(a_shoe("Botte"), 3500)
    cart = a_shop_cart((unit, store, 1))
    with pytest.raises(Refused):
        put(cart, (unit, store))
    elsewhere = factories.keeps_for_buyers(factories.a_store("Brest", "B1"))
    with pytest.raises(Refused):
        put(cart, (unit, elsewhere))


def test_what_is_thrown_away_comes_back_from_the_bin(shoes):
    cart = a_shop_cart((*shoes, 2))
    with unit_of_work():
        carts.take_out(the(cart).lines[0])
    basket = carts.read(the(cart))
    assert not basket.groups
    assert len(basket.bin) == 1
    with unit_of_work():
        carts.put_back(the(cart).lines[0])
    assert carts.read(the(cart)).total_cents == 17800


def test_a_price_that_moved_is_said_and_then_agreed(shoes):
    cart = a_shop_cart((*shoes, 1))
    with unit_of_work() as session:
        listings.price(session.get_one(Listing, shoes[0].id), 9500, by=COMMAND)
    (line,) = carts.read(the(cart)).lines
    assert (line.price_cents, line.was_cents) == (9500, 8900)
    with unit_of_work():
        (said,) = carts.agree(the(cart))
    assert "89,00" in said
    assert "95,00" in said
    with unit_of_work():
        assert carts.agree(the(cart)) == []


def test_what_went_meanwhile_stays_with_its_sentence_and_keeps_the_cart_from_going_on(shoes):
    listing, store = shoes
    other = on_sale(a_shoe("Botte Aubrac"), 12000, 1, store)
    cart = a_shop_cart((listing, store, 3), (other, store, 1))
    factories.stocked(listing.variant, 1, store)
    factories.stocked(other.variant, 0, store)
    with unit_of_work():
        assert carts.agree(the(cart)) == []
    basket = carts.read(the(cart))
    assert not basket.is_ready
    derby, boots = (line.trouble for line in basket.lines)
    assert "1" in derby
    assert boots


def test_a_basket_is_told_from_another_by_what_it_holds_and_costs(shoes):
    cart = a_shop_cart((*shoes, 1))
    mark = carts.read(the(cart)).mark
    assert mark == carts.read(the(cart)).mark
    put(cart, shoes, 1)
    assert carts.read(the(cart)).mark != mark


def test_a_listing_withdrawn_since_cannot_be_had(shoes):
    cart = a_shop_cart((*shoes, 1))
    with unit_of_work() as session:
        listings.withdraw(session.get_one(Listing, shoes[0].id), by=COMMAND)
    (line,) = carts.read(the(cart)).lines
    assert line.trouble


def test_another_store_may_be_chosen_and_its_lines_join(shoes):
    listing, store = shoes
    decre = factories.keeps_for_buyers(factories.a_store())
    factories.stocked(listing.variant, 5, decre)
    cart = a_shop_cart((listing, store, 1), (listing, decre, 1))
    with unit_of_work() as session:
        line = session.scalars(db.select(CartLine).where(CartLine.store_id == store.id)).one()
        carts.move_to(line, session.get_one(Store, decre.id))
    (line,) = the(cart).lines
    assert (line.store_id, line.quantity) == (decre.id, 2)


def test_a_visitor_s_cart_is_found_by_its_token_alone_and_on_its_site(shoes):
    _vendor, site, _store = factories.another_vendor()
    with unit_of_work() as session:
        cart, token = carts.open_cart(session.merge(factories.the_site()))
        id = cart.id
        assert token not in cart.token_sha256
    assert carts.by_token(token, factories.the_site()).id == id
    assert carts.by_token(token, site) is None
    assert carts.by_token(token + "x", factories.the_site()) is None


def test_signing_in_adds_what_was_put_aside_before(shoes):
    customer = factories.a_customer()
    a_shop_cart((*shoes, 1), customer=customer)
    visitor = a_shop_cart((*shoes, 2))
    with unit_of_work() as session:
        own = carts.adopt(
            session.get_one(Cart, visitor.id),
            session.get_one(Customer, customer.id),
            factories.the_site(),
        )
        assert own.customer_id == customer.id
    carts_left = db.session.scalars(db.select(Cart)).all()
    assert [[line.quantity for line in cart.lines] for cart in carts_left] == [[3]]


def test_a_first_cart_becomes_the_customer_s(shoes):
    customer, visitor = factories.a_customer(), a_shop_cart((*shoes, 2))
    with unit_of_work() as session:
        carts.adopt(
            session.get_one(Cart, visitor.id),
            session.get_one(Customer, customer.id),
            factories.the_site(),
        )
    assert carts.of_customer(customer, factories.the_site()).id == visitor.id


def test_a_cart_nobody_touched_for_a_month_is_forgotten(shoes):
    a_shop_cart((*shoes, 1))
    with clock.at(clock.now() + timedelta(days=29)):
        retention.run(by=COMMAND)
        assert db.session.scalar(db.select(db.func.count(Cart.id))) == 1
    with clock.at(clock.now() + timedelta(days=31)):
        retention.run(by=COMMAND)
    assert db.session.scalar(db.select(db.func.count(CartLine.id))) == 0
    assert db.session.scalar(db.select(db.func.count(Cart.id))) == 0


def test_an_erased_person_leaves_no_cart(shoes):
    customer = factories.a_customer()
    a_shop_cart((*shoes, 1), customer=customer)
    with unit_of_work() as session:
        personal.RULES["shop_carts"].erase(session.get_one(Customer, customer.id))
    assert db.session.scalar(db.select(db.func.count(Cart.id))) == 0


def test_reading_a_cart_asks_the_same_number_of_questions_whatever_it_holds(
    shoes, counted_statements
):
    listing, store = shoes
    more = [on_sale(a_shoe(f"Botte {n}"), 9000, 2, store) for n in range(6)]
    small = a_shop_cart((listing, store, 1))
    large = a_shop_cart(*((one, store, 1) for one in [listing, *more]))
    db.session.expire_all()
    with counted_statements() as few:
        carts.read(the(small))
    db.session.expire_all()
    with counted_statements() as many:
        carts.read(the(large))
    assert len(many) <= len(few) + 1


def test_another_quantity_or_store_takes_no_more_than_there_is(shoes):
    listing, store = shoes
    decre = factories.keeps_for_buyers(factories.a_store())
    factories.stocked(listing.variant, 1, decre)
    cart = a_shop_cart((listing, store, 2))
    for act in (
        lambda line: carts.set_quantity(line, 4),
        lambda line: carts.move_to(line, db.session.get_one(Store, decre.id)),
    ):
        with pytest.raises(Refused), unit_of_work():
            act(the(cart).lines[0])
    assert [(line.quantity, line.store_id) for line in the(cart).lines] == [(2, store.id)]


def test_what_lies_in_the_bin_joins_nothing(shoes):
    listing, store = shoes
    decre = factories.keeps_for_buyers(factories.a_store())
    factories.stocked(listing.variant, 5, decre)
    cart = a_shop_cart((listing, store, 1), (listing, decre, 2))
    with unit_of_work():
        carts.take_out(the(cart).lines[1])
        carts.move_to(the(cart).lines[0], db.session.get_one(Store, decre.id))
    (line,) = the(cart).lines
    assert (line.quantity, line.removed_at) == (1, None)
    customer = factories.a_customer()
    own = a_shop_cart((listing, store, 2), customer=customer)
    with unit_of_work():
        carts.take_out(the(own).lines[0])
    visitor = a_shop_cart((listing, store, 1))
    with unit_of_work() as session:
        carts.adopt(the(visitor), session.merge(customer), factories.the_site())
    assert [line.quantity for line in the(own).lines] == [1]


def test_other_stores_are_of_the_same_vendor_and_keep_things(shoes):
    listing, store = shoes
    _vendor, _site, rennes = factories.another_vendor()
    factories.stocked(listing.variant, 5, factories.keeps_for_buyers(rennes))
    factories.stocked(listing.variant, 5, factories.a_store("Nantes Zola", "N3"))
    decre = factories.keeps_for_buyers(factories.a_store())
    factories.stocked(listing.variant, 5, decre)
    cart = a_shop_cart((listing, store, 1))
    (found,) = carts.other_stores(carts.read(the(cart))).values()
    assert [one.id for one in found] == [decre.id]


def test_a_unit_somebody_else_reserved_is_said_to_be_gone(shoes):
    store = shoes[1]
    unit = a_unit_on_sale(a_shoe("Botte"), 3500)
    cart = a_shop_cart((unit, store, 1))
    factories.an_order((unit, store, 1))
    (line,) = carts.read(the(cart)).lines
    assert line.trouble


def test_an_old_cart_that_is_still_used_is_kept(shoes):
    cart = a_shop_cart((*shoes, 1))
    with clock.at(clock.now() + timedelta(days=29)):
        put(cart, shoes)
    with clock.at(clock.now() + timedelta(days=40)):
        retention.run(by=COMMAND)
    assert carts.units(the(cart)) == 2


def test_a_full_cart_takes_nothing_out_of_its_bin(shoes, monkeypatch):
    listing, store = shoes
    other = on_sale(a_shoe("Botte"), 9000, 1, store)
    cart = a_shop_cart((listing, store, 1))
    with unit_of_work():
        carts.take_out(the(cart).lines[0])
    put(cart, (other, store))
    monkeypatch.setattr(carts, "MOST_LINES", 1)
    with pytest.raises(Refused), unit_of_work():
        carts.put_back(the(cart).lines[0])
