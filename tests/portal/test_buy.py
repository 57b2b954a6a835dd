"""The pages of a buyer: the cart, « Réserver », « Mes commandes ». Prices, quantities and owners
come from us, never from the page.
"""

import re

import pytest

from models import Cart, CartLine, Listing, Order, SiteKind, Store, VendorOrder
from services.orders import fulfilment, pickup
from services.stock import listings
from services.unit import db, unit_of_work
from tests import factories
from tests.factories import COMMAND, MARC, a_shoe, a_shop, on_sale


@pytest.fixture
def derby() -> Listing:
    """Three pairs at 89,00 € in a store that keeps them for buyers."""
    a_shop()
    return on_sale(a_shoe("Derby Lormont"), 8900, 3, factories.keeps_for_buyers())


def put(client, listing: Listing, store: Store | None = None, **fields):
    data = {"listing": listing.id, "store": (store or factories.the_store()).id, **fields}
    return client.post("/boutique/panier/ajouter", data=data)


def seen(client) -> str:
    """The mark of the basket that « Réserver » shows now."""
    found = re.search(r'name="seen"\s+value="(\w+)"', client.get("/boutique/reserver").text)
    return found[1] if found else ""


def reserve(client, **fields):
    return client.post("/boutique/reserver", data={"seen": seen(client), **fields})


def lines() -> list[CartLine]:
    db.session.expire_all()
    return list(db.session.scalars(db.select(CartLine).order_by(CartLine.id)))


def orders() -> list[Order]:
    db.session.expire_all()
    return list(db.session.scalars(db.select(Order).order_by(Order.id)))


def test_the_page_of_a_product_reserves_in_a_store_that_keeps_things(client, derby):
    page = client.get(f"/produit/{derby.variant.product_id}", follow_redirects=True).text
    assert "Réserver en magasin" in page
    with unit_of_work() as session:
        session.merge(factories.the_store()).reserve_collect = False
    page = client.get(f"/produit/{derby.variant.product_id}", follow_redirects=True).text
    assert "Réserver en magasin" not in page


def test_a_visitor_s_cart_is_found_again_and_nobody_else_s_is(client, app, derby):
    put(client, derby)
    page = client.get("/boutique/panier").text
    assert "Derby Lormont" in page
    assert "89,00\u00a0€" in page
    assert "Votre panier est vide" in app.test_client().get("/boutique/panier").text


def test_the_same_form_twice_puts_one_article_aside(client, derby):
    for _twice in range(2):
        put(client, derby, form_token="abc")
    assert [line.quantity for line in lines()] == [1]


@pytest.mark.parametrize("quantity", ["0", "-1", "1000000000", "deux", "4"])
def test_a_quantity_that_cannot_be_had_is_a_sentence(client, derby, quantity):
    answer = put(client, derby, quantity=quantity)
    assert answer.status_code in (302, 422)
    assert lines() == []


@pytest.mark.parametrize(
    "fields", [{"listing": "999"}, {"store": "999"}, {"listing": "x"}, {"store": "99999999999"}]
)
def test_a_listing_or_a_store_that_is_none_is_not_found(client, derby, fields):
    answer = client.post(
        "/boutique/panier/ajouter",
        data={"listing": derby.id, "store": factories.the_store().id, **fields},
    )
    assert answer.status_code == 404


def test_quantities_store_and_bin_work_by_plain_forms(client, derby):
    decre = factories.keeps_for_buyers(factories.a_store())
    factories.stocked(derby.variant, 5, decre)
    put(client, derby)
    (line,) = lines()
    client.post(f"/boutique/panier/{line.id}/quantite", data={"quantity": "2"})
    client.post(f"/boutique/panier/{line.id}/magasin", data={"store": decre.id})
    assert [(one.quantity, one.store_id) for one in lines()] == [(2, decre.id)]
    page = client.post(f"/boutique/panier/{line.id}/retirer", follow_redirects=True).text
    assert "Annuler" in page
    assert "Votre panier est vide" in page
    client.post(f"/boutique/panier/{line.id}/remettre")
    assert lines()[0].removed_at is None


def test_the_line_of_another_visitor_cannot_be_touched(client, app, derby):
    put(client, derby)
    (line,) = lines()
    stranger = app.test_client()
    put(stranger, derby)
    for path, data in (("quantite", {"quantity": "2"}), ("retirer", {}), ("remettre", {})):
        stranger.post(f"/boutique/panier/{line.id}/{path}", data=data)
    mine = lines()[0]
    assert (mine.quantity, mine.removed_at) == (1, None)


def test_what_was_put_aside_before_signing_in_stays(client, derby):
    factories.a_customer_with_password("hugo@exemple.fr")
    put(client, derby)
    client.post(
        "/compte/connexion", data={"email": "hugo@exemple.fr", "password": factories.PASSWORD}
    )
    assert "Derby Lormont" in client.get("/boutique/panier").text
    assert [cart.customer_id for cart in db.session.scalars(db.select(Cart))] != [None]


def test_reserving_asks_who_it_is_then_orders_once(client, as_customer, derby):
    assert "/compte/connexion" in client.get("/boutique/reserver").headers["Location"]
    buyer = as_customer(factories.a_buyer())
    put(buyer, derby)
    page = buyer.get("/boutique/reserver").text
    assert "Réserver ne vous oblige pas à payer" in page
    token = re.search(r'name="form_token"\s+value="([^"]+)"', page)[1]
    first = reserve(buyer, form_token=token)
    again = buyer.post("/boutique/reserver", data={"form_token": token})
    assert first.headers["Location"] == again.headers["Location"]
    (order,) = orders()
    assert first.headers["Location"] == f"/commandes/{order.number}"
    assert "En attente du magasin" in buyer.get(f"/commandes/{order.number}").text


def test_a_price_that_moved_is_said_before_anything_is_ordered(as_customer, derby):
    buyer = as_customer(factories.a_buyer())
    put(buyer, derby)
    shown = seen(buyer)
    with unit_of_work() as session:
        listings.price(session.get_one(Listing, derby.id), 9900, by=COMMAND)
    page = buyer.post("/boutique/reserver", data={"seen": shown}, follow_redirects=True).text
    assert "passe de 89,00\u00a0€ à 99,00\u00a0€" in page
    assert orders() == []
    reserve(buyer)
    assert [order.total_cents for order in orders()] == [9900]


def test_what_another_tab_put_in_the_cart_is_not_ordered_unseen(as_customer, derby):
    buyer = as_customer(factories.a_buyer())
    put(buyer, derby)
    shown = seen(buyer)
    put(buyer, derby)
    page = buyer.post("/boutique/reserver", data={"seen": shown}, follow_redirects=True).text
    assert "Votre panier a changé" in page
    assert orders() == []
    buyer.post("/boutique/reserver")
    assert orders() == []
    reserve(buyer)
    assert [order.total_cents for order in orders()] == [17800]


def test_a_store_that_stops_keeping_things_empties_no_cart(as_customer, derby):
    buyer = as_customer(factories.a_buyer())
    put(buyer, derby)
    shown = seen(buyer)
    with unit_of_work() as session:
        session.merge(factories.the_store()).reserve_collect = False
    assert buyer.get("/boutique/reserver").headers["Location"] == "/boutique/panier"
    buyer.post("/boutique/reserver", data={"seen": shown})
    assert orders() == []
    assert "ce magasin ne garde rien" in buyer.get("/boutique/panier").text.lower()
    assert lines()[0].removed_at is None


def test_who_has_not_confirmed_reads_how_to(as_customer, derby):
    stranger = as_customer(factories.a_customer())
    put(stranger, derby)
    assert "Confirmez d’abord" in stranger.get("/boutique/reserver").text
    reserve(stranger)
    assert orders() == []


def test_an_empty_cart_reserves_nothing(as_customer, derby):
    buyer = as_customer(factories.a_buyer())
    assert buyer.get("/boutique/reserver").headers["Location"] == "/boutique/panier"
    buyer.post("/boutique/reserver")
    assert orders() == []


def test_the_order_of_another_is_not_found_nor_its_code_nor_its_cancellation(as_customer, derby):
    order = factories.an_order((derby, factories.the_store(), 1))
    with unit_of_work() as session:
        fulfilment.accept(session.get_one(VendorOrder, order.parts[0].id), by=MARC)
    stranger = as_customer(factories.a_buyer())
    for path in (f"/commandes/{order.number}", f"/commandes/{order.number}/A/code.svg"):
        assert stranger.get(path).status_code == 404
    assert stranger.post(f"/commandes/{order.number}/A/annuler").status_code == 404
    assert stranger.get("/commandes/abc").status_code == 404


def test_the_code_is_shown_while_it_opens_something(as_customer, derby):
    order = factories.an_order((derby, factories.the_store(), 1))
    buyer = as_customer(order.customer)
    path = f"/commandes/{order.number}"
    assert "Votre code de retrait" not in buyer.get(path).text
    assert buyer.get(f"{path}/A/code.svg").status_code == 404
    part_id = order.parts[0].id
    with unit_of_work() as session:
        fulfilment.accept(session.get_one(VendorOrder, part_id), by=MARC)
    code = pickup.code_of(db.session.get_one(VendorOrder, part_id))
    assert code.shown in buyer.get(path).text
    picture = buyer.get(f"{path}/A/code.svg")
    assert picture.mimetype == "image/svg+xml"
    assert picture.headers["Cache-Control"] == "private, no-store"
    buyer.post(f"{path}/A/annuler")
    assert db.session.get_one(VendorOrder, part_id).why.value == "buyer"
    ended = buyer.get(path).text
    assert code.shown not in ended
    assert "Annulée par vous" in ended
    assert "À régler en magasin" not in ended


def test_what_is_missing_is_struck_through_with_the_new_total(as_customer, derby):
    order = factories.an_order((derby, factories.the_store(), 3))
    with unit_of_work() as session:
        part = session.get_one(VendorOrder, order.parts[0].id)
        fulfilment.report(part, {part.lines[0].id: 2}, {}, by=MARC)
    page = as_customer(order.customer).get(f"/commandes/{order.number}").text
    assert "<s>3 × 89,00\u00a0€</s>" in page
    assert "178,00\u00a0€" in page


def test_my_orders_are_mine_the_newest_first(as_customer, derby):
    buyer = factories.a_buyer()
    client = as_customer(buyer)
    assert "Vous n’avez encore rien commandé" in client.get("/commandes").text
    numbers = [
        factories.an_order((derby, factories.the_store(), 1), customer=buyer).number
        for _n in range(2)
    ]
    factories.an_order((derby, factories.the_store(), 1))
    page = client.get("/commandes").text
    assert re.findall(r"Commande (\d+) du", page) == numbers[::-1]
    assert "Mes commandes" in client.get("/").text


def test_carts_of_one_address_are_counted_and_signed_in_buyers_are_not(
    app, as_customer, derby, monkeypatch
):
    from portal import buy

    monkeypatch.setattr(buy, "CARTS_AN_HOUR", 2)
    for _n in range(3):
        put(app.test_client(), derby)
    assert len(lines()) == 2
    put(as_customer(factories.a_buyer()), derby)
    assert len(lines()) == 3


def test_the_help_page_explains_a_reservation_where_there_is_a_shop(client):
    assert "Réserver et retirer" not in client.get("/aide").text
    site = a_shop()
    page = client.get("/aide").text
    assert "Réserver et retirer" in page
    assert "Comment emballer" in page or "emballer" in page
    with unit_of_work() as session:
        session.merge(site).kind = SiteKind.shop
    only_shop = client.get("/aide").text
    assert "emballer" not in only_shop
    assert "Réserver et retirer" in only_shop
    assert "Conditions de reprise" not in only_shop


def test_a_page_that_is_not_there_leads_to_the_shop(client):
    a_shop()
    assert 'href="/boutique"' in client.get("/produit/999999").text


def test_the_cookie_of_a_cart_that_became_somebody_s_opens_it_to_nobody(app, client, derby):
    factories.a_customer_with_password("hugo@exemple.fr")
    put(client, derby)
    token = client.get_cookie("comptoir_achats").value
    client.post(
        "/compte/connexion", data={"email": "hugo@exemple.fr", "password": factories.PASSWORD}
    )
    thief = app.test_client()
    thief.set_cookie("comptoir_achats", token, domain="localhost")
    assert "Votre panier est vide" in thief.get("/boutique/panier").text
