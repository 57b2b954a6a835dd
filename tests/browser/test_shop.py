"""A buyer looks for a pair in a real browser: on a telephone, at a desk, by keyboard, without
scripts.
"""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import DESK, PHONE, fits, serious
from tests.factories import a_shoe, a_shop, a_unit_on_sale, on_sale


@pytest.fixture
def shop(app):
    site = a_shop()
    for size in ("41", "42", "43"):
        on_sale(a_shoe("Derby Lormont", shoe_size=size), 8900, units=2)
    for n in range(14):
        on_sale(a_shoe(f"Botte Aubrac {n}", color="Chocolat"), 15000 + 100 * n)
    a_unit_on_sale(a_shoe("Derby Lormont", shoe_size="42"), 4200)
    return site


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["telephone", "desk"])
def test_a_buyer_goes_from_the_home_by_the_search_to_who_sells_it(visit, shop, size):
    page = visit(size)
    for path in ("/boutique", "/boutique/recherche?rayon=Chaussures", "/boutique/recherche?q=zzzz"):
        page.goto(path)
        assert fits(page), path
        assert serious(page) == [], path
    page.goto("/boutique")
    page.get_by_role("combobox").fill("derbi lormon")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Derby Lormont").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Derby Lormont")
    expect(page.locator(".price").first).to_have_text("42,00\u00a0€")
    assert fits(page)
    assert serious(page) == []
    page.locator("section.card a.tap").click()
    expect(page.get_by_role("heading", name="Ce qu’il vend")).to_be_visible()
    assert fits(page)
    assert serious(page) == []


def test_the_search_answers_while_one_types_and_arrows_choose(visit, shop):
    page = visit(DESK)
    page.goto("/boutique")
    field = page.get_by_role("combobox")
    field.press_sequentially("derb", delay=20)
    expect(page.get_by_role("option").first).to_contain_text("Derby Lormont")
    field.press("ArrowDown")
    field.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Derby Lormont")


def test_without_scripts_the_search_filters_sorts_and_turns_its_pages(visit, shop, monkeypatch):
    from services.orders import window

    monkeypatch.setattr(window, "PAGE", 6)
    page = visit(PHONE, java_script_enabled=False)
    page.goto("/boutique/recherche?q=aubrac")
    page.get_by_role("link", name="Prix croissant").click()
    expect(page.locator(".product-card b").first).to_have_text("Botte Aubrac 0")
    page.get_by_role("link", name="Suivant").click()
    expect(page.locator(".product-card b").first).to_have_text("Botte Aubrac 6")
    page.get_by_role("link", name="Précédent").click()
    expect(page.locator(".product-card b").first).to_have_text("Botte Aubrac 0")


def test_a_page_of_the_shop_is_light(visit, shop):
    page = visit(PHONE)
    page.goto("/boutique")
    names = page.evaluate("performance.getEntriesByType('resource').map(r => r.name)")
    assert len([name for name in names if "/jaquette/" not in name]) <= 14
