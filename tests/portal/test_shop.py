"""The shop's pages: a link says what they show, and they show what can be had."""

import json
import re

import pytest

from models import Item, Product, SiteKind
from services.catalogue import products
from services.orders import window
from services.stock import items
from services.unit import unit_of_work
from tests import factories
from tests.factories import COMMAND, a_shoe, a_shop, a_unit_on_sale, on_sale


def titles(page: str) -> list[str]:
    return re.findall(
        r'<a href="/produit/[^"]*"\s*><span class="shelf">.*?<b>([^<]*)</b>', page, re.S
    )


def test_a_site_without_a_shop_has_none_of_its_pages_and_no_link_to_them(client):
    product = on_sale(a_shoe(), 8900).variant.product_id
    for path in (
        "/boutique",
        "/boutique/recherche",
        f"/produit/{product}",
        "/vendeur/1",
        "/sitemap.xml",
    ):
        assert client.get(path).status_code == 404
    assert "/boutique" not in client.get("/").text


def test_an_address_with_a_slash_too_many_leads_to_its_page_and_never_elsewhere(client):
    a_shop()
    assert client.get("/boutique/").headers["Location"] == "/boutique"
    moved = client.get("/boutique/recherche/?q=derby")
    assert (moved.status_code, moved.headers["Location"]) == (301, "/boutique/recherche?q=derby")
    for path in ("/nulle-part/", "/%2F%2Fexample.org/", "/boutique//", "//"):
        assert "example.org" not in client.get(path).headers.get("Location", "")
    assert client.get("/nulle-part/").status_code == 404
    assert client.post("/boutique/panier/ajouter/").status_code == 404


def test_a_site_that_only_sells_begins_with_its_shop(client):
    site = factories.the_site()
    with unit_of_work() as session:
        session.merge(site).kind = SiteKind.shop
    assert client.get("/").headers["Location"] == "/boutique"


def test_the_home_shows_departments_what_came_last_and_who_sells(client):
    a_shop()
    _vendor, _site, store = factories.another_vendor()
    on_sale(a_shoe("Derby Lormont"), 8900)
    on_sale(a_shoe("Botte Aubrac"), 18900, store=store)
    page = client.get("/boutique").text
    assert titles(page) == ["Botte Aubrac", "Derby Lormont"]
    assert "rayon=Chaussures" in page
    assert "PixelCave" in page


def test_a_search_forgives_a_slip_narrows_by_a_link_and_says_what_it_did(client):
    a_shop()
    for title, size in (("Derby Lormont", "41"), ("Derby Lormont", "42"), ("Botte Aubrac", "42")):
        on_sale(a_shoe(title, shoe_size=size), 8900)
    page = client.get("/boutique/recherche?q=derbi").text
    assert titles(page) == ["Derby Lormont"]
    assert "voici «\u00a0derby\u00a0»" in page
    page = client.get("/boutique/recherche?pointure=42&rayon=Chaussures").text
    assert sorted(titles(page)) == ["Botte Aubrac", "Derby Lormont"]
    assert 'href="/boutique/recherche?rayon=Chaussures"' in page
    assert "Tout effacer" in page
    assert titles(client.get("/boutique/recherche?q=derby&pointure=45").text) == []


def test_little_words_and_short_names_of_consoles_are_understood(client):
    a_shop()
    a_unit_on_sale(factories.a_game("L’Île aux Lampions", "PlayStation 2"), 1990)
    for words in ("ps2", "l'ile", "la ile des lampions", "jeux lampions"):
        assert titles(client.get(f"/boutique/recherche?q={words}").text), words


def test_a_word_we_do_not_know_is_not_taken_for_another_one(client):
    a_shop()
    on_sale(a_shoe("Mocassin Marine"), 8900)
    for words in ("mario", "gba", "mar1"):
        assert titles(client.get(f"/boutique/recherche?q={words}").text) == [], words


def test_a_search_engine_keeps_a_department_and_no_narrowed_or_empty_list(client):
    a_shop()
    on_sale(a_shoe("Derby Lormont"), 8900)
    kept = client.get("/boutique/recherche?rayon=Chaussures").text
    assert 'rel="canonical" href="/boutique/recherche?rayon=Chaussures"' in kept
    for query in ("rayon=Nope", "rayon=Chaussures&pointure=42", "q=derby", "tri=prix"):
        assert "noindex" in client.get(f"/boutique/recherche?{query}").text, query


def test_pages_follow_one_another_and_lead_back(client, monkeypatch):
    a_shop()
    monkeypatch.setattr(window, "PAGE", 2)
    for n in range(5):
        on_sale(a_shoe(f"Derby {n}"), 5000 + n)

    def turn(path: str, way: str) -> str:
        link = re.search(rf'href="([^"]*)" rel="{way}"', client.get(path).text)
        return link[1].replace("&amp;", "&") if link else ""

    first = "/boutique/recherche?q=derby"
    second = turn(first, "next")
    third = turn(second, "next")
    seen = [*titles(client.get(first).text), *titles(client.get(second).text)]
    seen += titles(client.get(third).text)
    assert sorted(seen) == [f"Derby {n}" for n in range(5)]
    assert turn(third, "next") == ""
    assert titles(client.get(turn(third, "prev")).text) == titles(client.get(second).text)
    assert titles(client.get(turn(second, "prev")).text) == titles(client.get(first).text)


def test_the_pages_of_a_corrected_search_go_on_with_the_corrected_words(client, monkeypatch):
    a_shop()
    monkeypatch.setattr(window, "PAGE", 2)
    for n in range(3):
        on_sale(a_shoe(f"Derby {n}"), 5000 + n)
    page = client.get("/boutique/recherche?q=derbi").text
    following = re.search(r'href="([^"]*)" rel="next"', page)[1].replace("&amp;", "&")
    assert len(titles(client.get(following).text)) == 1
    sorted_page = client.get("/boutique/recherche?q=derbi&tri=prix-haut").text
    assert titles(sorted_page) == ["Derby 2", "Derby 1"]


def test_too_many_products_to_sort_are_said(client, monkeypatch):
    a_shop()
    monkeypatch.setattr(window, "MOST_SORTED", 1)
    for n in range(2):
        on_sale(a_shoe(f"Derby {n}"), 5000 + n)
    page = client.get("/boutique/recherche?q=derby&tri=prix").text
    assert "affinez" in page
    assert len(titles(page)) == 2


def test_a_list_is_sorted_by_the_price_of_today_over_its_pages(client, monkeypatch):
    a_shop()
    monkeypatch.setattr(window, "PAGE", 2)
    for n, price in enumerate((7000, 5000, 9000)):
        on_sale(a_shoe(f"Derby {n}"), price)
    page = client.get("/boutique/recherche?q=derby&tri=prix").text
    assert titles(page) == ["Derby 1", "Derby 0"]
    following = re.search(r'href="([^"]*)" rel="next"', page)[1].replace("&amp;", "&")
    assert titles(client.get(following).text) == ["Derby 2"]
    assert titles(client.get("/boutique/recherche?q=derby&tri=prix-haut").text)[0] == "Derby 2"


@pytest.mark.parametrize(
    "query",
    [
        "q=" + "x" * 5000,
        "q=%00",
        "q='+OR+1=1",
        "pages=1.2.x",
        "pages=" + "9" * 40,
        "pages=" + ".".join("1" * 200),
        "tri=autre",
        "etat=???",
        "pointure=<script>",
        "rayon=%F0%9F%91%9F",
    ],
)
def test_what_an_address_holds_by_chance_or_malice_gives_a_page(client, query):
    a_shop()
    on_sale(a_shoe(), 8900)
    answer = client.get(f"/boutique/recherche?{query}")
    assert answer.status_code == 200
    assert "<script>" not in answer.text.partition("<main")[2]


def test_a_product_has_one_address_and_says_who_sells_it_cheapest_first(client):
    a_shop()
    _vendor, _site, store = factories.another_vendor()
    shoe = a_shoe("Derby Lormont")
    on_sale(shoe, 8900)
    on_sale(shoe, 7900, store=store)
    id = shoe.product_id
    for path in (f"/produit/{id}", f"/produit/{id}-autre"):
        answer = client.get(path)
        assert (answer.status_code, answer.headers["Location"]) == (
            301,
            f"/produit/{id}-derby-lormont",
        )
    page = client.get(f"/produit/{id}-derby-lormont").text
    assert page.index("79,00\u00a0€") < page.index("89,00\u00a0€")
    assert "PixelCave" in page


def test_what_the_page_says_to_search_engines_is_what_it_says_to_people(client):
    a_shop()
    shoe = a_shoe("Derby </script> Lormont")
    on_sale(shoe, 8900)
    a_unit_on_sale(shoe, 3550)
    page = client.get(f"/produit/{shoe.product_id}", follow_redirects=True).text
    told = json.loads(re.search(r'ld\+json">(.*?)</script>', page, re.S)[1])
    product = told[1]
    assert product["name"] == "Derby </script> Lormont"
    assert [(o["price"], o["itemCondition"].rpartition("/")[2]) for o in product["offers"]] == [
        ("35.50", "UsedCondition"),
        ("89.00", "NewCondition"),
    ]
    assert "35,50\u00a0€" in page
    assert told[0]["itemListElement"][1]["name"] == "Chaussures"


def test_a_product_nobody_has_any_more_says_so_and_shows_what_comes_near(client):
    a_shop()
    unit = a_unit_on_sale(a_shoe("Derby Lormont"), 3500)
    on_sale(a_shoe("Richelieu Bacalan"), 14900)
    with unit_of_work() as session:
        items.sell(session.get_one(Item, unit.item_id), 3500, by=COMMAND)
    page = client.get(f"/produit/{unit.variant.product_id}", follow_redirects=True).text
    assert "Plus disponible" in page
    assert titles(page) == ["Richelieu Bacalan"]


def test_a_sheet_that_is_not_sold_any_more_has_no_page(client):
    a_shop()
    shoe = a_shoe()
    on_sale(shoe, 8900)
    with unit_of_work() as session:
        products.disable(session.get_one(Product, shoe.product_id), by=COMMAND)
    assert client.get(f"/produit/{shoe.product_id}", follow_redirects=True).status_code == 404


def test_a_sheet_that_was_merged_leads_to_the_one_that_took_its_place(client):
    a_shop()
    old, new = a_shoe("Derby"), a_shoe("Derby Lormont")
    on_sale(new, 8900)
    gone = old.product_id
    with unit_of_work() as session:
        products.merge(
            session.get_one(Product, gone), session.get_one(Product, new.product_id), by=COMMAND
        )
    answer = client.get(f"/produit/{gone}")
    assert answer.headers["Location"] == f"/produit/{new.product_id}-derby-lormont"


def test_a_site_s_own_words_name_its_product(client):
    shop = a_shop()
    shoe = a_shoe("Derby Lormont")
    on_sale(shoe, 8900)
    with unit_of_work() as session:
        products.describe(
            session.get_one(Product, shoe.product_id),
            session.merge(shop),
            "Le derby de Bordeaux",
            "Cousu main. <i>à</i>",
            by=COMMAND,
        )
    page = client.get(f"/produit/{shoe.product_id}", follow_redirects=True)
    assert page.request.path == f"/produit/{shoe.product_id}-le-derby-de-bordeaux"
    assert "Cousu main." in page.text
    assert "<i>à</i>" not in page.text


def test_a_postcode_gives_distances_and_an_unknown_one_a_sentence(client):
    a_shop()
    brest = factories.a_store("Brest", "B1", postcode="29200")
    shoe = a_shoe()
    on_sale(shoe, 8900, store=brest)
    path = f"/produit/{shoe.product_id}-derby-lormont"
    assert "à 0 km" in client.get(f"{path}?cp=29200").text.replace("\u00a0", " ")
    assert "Nous ne connaissons pas ce code postal" in client.get(f"{path}?cp=99999").text


def test_a_vendor_s_page_shows_its_stores_and_its_goods_alone(client):
    a_shop()
    vendor, _site, store = factories.another_vendor()
    on_sale(a_shoe("Derby Lormont"), 8900)
    on_sale(a_shoe("Botte Aubrac"), 18900, store=store)
    page = client.get(f"/vendeur/{vendor.id}", follow_redirects=True)
    assert page.request.path == f"/vendeur/{vendor.id}-pixelcave"
    assert titles(page.text) == ["Botte Aubrac"]
    assert "PixelCave Rennes" in page.text
    assert client.get("/vendeur/999").status_code == 404
    assert client.get(f"/produit/{2**40}").status_code == 404


def test_suggestions_go_on_as_the_words_begin(client):
    a_shop()
    on_sale(a_shoe("Derby Lormont"), 8900)
    found = client.get("/boutique/suggestions?q=derb").text
    assert 'data-href="/produit/' in found
    assert "hidden" in client.get("/boutique/suggestions?q=d").text


def test_programs_that_read_the_web_find_the_shop_s_products_and_no_cart(client):
    a_shop()
    shoe = a_shoe("Derby Lormont")
    on_sale(shoe, 8900)
    a_shoe("Pas en vente")
    robots = client.get("/robots.txt").text
    assert "Disallow: /recapitulatif" in robots
    assert robots.strip().endswith("/sitemap.xml")
    assert "/sitemap-1.xml" in client.get("/sitemap.xml").text
    whole = client.get("/sitemap-0.xml").text
    for address in ("/boutique<", "/boutique/recherche?rayon=Chaussures<", "-ma-boutique<"):
        assert address in whole
    part = client.get("/sitemap-1.xml").text
    assert f"/produit/{shoe.product_id}-derby-lormont</loc><lastmod>20" in part
    assert "pas-en-vente" not in part
    assert client.get("/sitemap-2.xml").status_code == 404
