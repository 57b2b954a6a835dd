"""A buyer reserves in a real browser and a shop hands over: on a telephone, at a desk, without
scripts, by keyboard.
"""

import pytest
from playwright.sync_api import expect

from models import VendorOrder
from services.orders import fulfilment, pickup
from services.unit import db, unit_of_work
from tests import factories
from tests.browser.conftest import DESK, PHONE, fits, serious
from tests.factories import MARC, a_part, a_shoe, a_shop, on_sale


@pytest.fixture
def shop(app):
    a_shop()
    ours = factories.keeps_for_buyers()
    decre = factories.keeps_for_buyers(factories.a_store())
    _vendor, _site, rennes = factories.another_vendor()
    rennes = factories.keeps_for_buyers(rennes)
    derby = on_sale(a_shoe("Derby Lormont", shoe_size="42"), 8900, 3, ours)
    factories.stocked(derby.variant, 4, decre)
    on_sale(a_shoe("Botte Aubrac"), 12000, 1, rennes)
    return derby


@pytest.fixture
def as_buyer(as_customer, address):
    """Give a page the session of a buyer."""

    def give(page, buyer):
        name = "comptoir_client"
        cookie = as_customer(buyer).get_cookie(name)
        page.context.add_cookies([{"name": name, "value": cookie.value, "url": address}])
        return page

    return give


@pytest.mark.parametrize(("size", "scripts"), [(PHONE, True), (DESK, True), (PHONE, False)])
def test_a_buyer_fills_a_cart_at_two_shops_and_reserves(visit, as_buyer, shop, size, scripts):
    buyer = factories.a_buyer()
    page = as_buyer(visit(size, java_script_enabled=scripts), buyer)
    for words in ("derby", "aubrac"):
        page.goto(f"/boutique/recherche?q={words}")
        page.locator(".product-card a").first.click()
        page.get_by_role("button", name="Réserver en magasin").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Mon panier")
    page.get_by_role("button", name="Un de plus : Derby").click()
    expect(page.locator("#total")).to_have_text("298,00\u00a0€")
    if scripts:
        assert fits(page)
        assert serious(page) == []
    page.get_by_role("button", name="Retirer Botte Aubrac").click()
    page.get_by_role("button", name="Annuler").click()
    expect(page.locator("#total")).to_have_text("298,00\u00a0€")
    page.get_by_role("link", name="Passer à la réservation").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Réserver et retirer")
    if scripts:
        assert fits(page)
        assert serious(page) == []
    page.get_by_role("button", name="Réserver", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Commande 1")
    expect(page.locator("section.card")).to_have_count(2)
    if scripts:
        assert fits(page)
        assert serious(page) == []


def test_the_code_and_its_qr_are_shown_large(visit, as_buyer, shop):
    order = factories.an_order((shop, factories.the_store(), 1))
    with unit_of_work() as session:
        fulfilment.accept(session.get_one(VendorOrder, order.parts[0].id), by=MARC)
    page = as_buyer(visit(PHONE), order.customer)
    page.goto(f"/commandes/{order.number}")
    code = pickup.code_of(db.session.get_one(VendorOrder, order.parts[0].id))
    expect(page.locator(".pickup-code .price")).to_have_text(code.shown)
    picture = page.locator(".pickup-code img")
    picture.scroll_into_view_if_needed()
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 100
    assert fits(page)
    assert serious(page) == []


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["telephone", "desk"])
def test_a_shop_answers_makes_ready_and_hands_over(visit, signed_in, size):
    part = a_part()
    page = signed_in(visit(size), "Vendeur", factories.the_vendor())
    page.goto("/gestion/commandes/list/")
    assert fits(page)
    assert serious(page) == []
    page.goto(f"/gestion/commandes/show/{part.id}")
    assert fits(page)
    assert serious(page) == []
    page.locator("summary", has_text="Valider").click()
    page.get_by_role("button", name="OK").click()
    expect(page.locator(".undo")).to_contain_text("Commande validée")
    page.get_by_role("button", name="Prête à retirer").click()
    field = page.get_by_label("Saisissez le code de réception")
    expect(field).to_be_focused()
    assert serious(page) == []
    db.session.rollback()  # what the server wrote since
    field.fill(factories.pickup_code(part))
    field.press("Enter")
    expect(page.get_by_text("la commande est terminée")).to_be_visible()


def test_a_shop_reports_a_problem_and_sees_the_total_first(visit, signed_in, shop):
    order = factories.an_order((shop, factories.the_store(), 3))
    page = signed_in(visit(PHONE), "Vendeur", factories.the_vendor())
    page.goto(f"/gestion/commandes/show/{order.parts[0].id}")
    page.get_by_role("link", name="Signaler un problème").click()
    page.get_by_label("Combien il y a de Derby Lormont").fill("2")
    page.get_by_role("button", name="Voir le nouveau total").click()
    expect(page.get_by_text("nouveau total 178,00\u00a0€")).to_be_visible()
    assert fits(page)
    assert serious(page) == []
    page.get_by_role("button", name="Signaler un problème").click()
    expect(page.get_by_text("Modifiée ✓").first).to_be_visible()
