"""A file given and followed, stock edited in place, a store counted by scanner: in a real browser,
at a desk and on a telephone.
"""

from playwright.sync_api import Route, expect

from models import StockCount, StockLevel
from services import outbox
from services.unit import db
from tests import factories
from tests.browser.conftest import DESK, PHONE, fits, serious


def test_a_file_is_dropped_looked_at_its_columns_matched_and_its_report_read(
    visit, signed_in, tmp_path
):
    shoe = factories.a_shoe()
    wrong = shoe.ean[:-1] + str((int(shoe.ean[-1]) + 1) % 10)
    path = tmp_path / "caisse.csv"
    path.write_text(
        f"CODE;LIBELLE;DISPO MAG\n{shoe.ean};Derby;4\n5060327534393;Inconnu;2\n{wrong};Faux;1\n",
        encoding="cp1252",
    )
    page = signed_in(visit(DESK))
    page.goto("/gestion/imports/fichier/")
    page.get_by_label("Stock d’un magasin").check()
    page.get_by_label("Magasin", exact=True).select_option(index=1)
    page.locator("#file").set_input_files(path)
    page.get_by_role("button", name="Le regarder").click()
    expect(page.get_by_text("Dites quelle colonne est")).to_be_visible()
    expect(page.get_by_role("cell", name="Derby")).to_be_visible()
    page.get_by_label("Code-barres (EAN)").select_option("CODE")
    page.get_by_label("Quantité", exact=False).first.select_option("DISPO MAG")
    page.get_by_label("partiel").check()
    assert serious(page) == []
    page.get_by_role("button", name="Lancer").click()
    expect(page.get_by_text("En attente")).to_be_visible()
    outbox.work()
    expect(page.get_by_text("Terminé")).to_be_visible()  # the page follows by itself
    expect(page.get_by_text("elle attend dans la file")).to_be_visible()
    assert factories.quantity(shoe) == 4


def test_stock_is_typed_in_the_list_enter_goes_on_and_a_click_undoes(visit, signed_in):
    levels = [factories.stocked(factories.a_shoe(f"Derby {n}"), n + 1) for n in range(3)]
    page = signed_in(visit(DESK))
    page.goto("/gestion/stock-neuf/list/")
    fields = page.locator("input[name=quantity]")
    fields.nth(0).fill("9")
    fields.nth(0).press("Enter")
    expect(fields.nth(1)).to_be_focused()
    expect(page.locator(".toast")).to_contain_text("3 → 9")
    page.locator(".toast button").click()
    expect(fields.nth(0)).to_have_value("3")
    fields.nth(1).fill("beaucoup")
    fields.nth(1).press("Tab")
    expect(page.locator(".toast")).to_contain_text("quantité")
    page.locator("input[name=place]").nth(2).fill("R3-B2")
    page.locator("input[name=place]").nth(2).press("Tab")
    expect(page.locator(".toast")).to_contain_text("R3-B2")
    for typed, kept in (
        ("007", "7"),
        ("3", "3"),
    ):  # what was kept otherwise than typed is no change by somebody else
        fields.nth(0).fill(typed)
        fields.nth(0).press("Tab")
        expect(fields.nth(0)).to_have_value(kept)
        expect(page.locator(".toast")).to_contain_text(f"→ {kept}")
    db.session.rollback()
    assert [db.session.get(StockLevel, level.id).quantity for level in levels] == [1, 2, 3]
    assert db.session.get(StockLevel, levels[0].id).place == "R3-B2"


def test_a_late_answer_to_an_undo_leaves_what_another_field_said_since(visit, signed_in):
    for n in range(2):
        factories.stocked(factories.a_shoe(f"Derby {n}"), n + 1)
    page = signed_in(visit(DESK))
    page.goto("/gestion/stock-neuf/list/")
    fields = page.locator("input[name=quantity]")
    held: list[Route] = []
    fields.nth(0).fill("9")
    fields.nth(0).press("Enter")
    expect(page.locator(".toast")).to_contain_text("2 → 9")
    page.route("**/stock-neuf/**", lambda route: held.append(route), times=1)
    page.locator(".toast button").click()
    fields.nth(1).fill("beaucoup")
    fields.nth(1).press("Tab")
    expect(page.locator(".toast")).to_contain_text("quantité")
    with page.expect_response("**/stock-neuf/**"):
        held[0].continue_()
    fields.nth(0).press("Tab")
    expect(page.locator(".toast")).to_contain_text("quantité")


def test_a_store_is_counted_on_a_telephone_with_a_scanner_alone(visit, signed_in):
    shoe = factories.a_shoe()
    factories.stocked(shoe, 3)
    page = signed_in(visit(PHONE))
    page.goto("/gestion/inventaires/compter/")
    page.get_by_role("button", name="Commencer").click()
    for _n in range(2):
        expect(page.locator("#ean")).to_be_focused()
        page.keyboard.type(shoe.ean, delay=3)
        page.keyboard.press("Enter")
        expect(page.locator("#ean")).to_have_value("")
    page.keyboard.type("5060327534393")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("ne connaît pas")
    page.get_by_role("link", name="Voir les écarts").click()
    expect(page.get_by_text("-1")).to_be_visible()
    assert fits(page)
    assert serious(page) == []
    page.get_by_role("link", name="Valider le comptage").click()
    page.locator(".confirm .btn-primary").click()
    expect(page.get_by_text("Validé : 1")).to_be_visible()
    db.session.rollback()
    assert db.session.scalars(db.select(StockCount)).one().status.value == "counted"
    assert factories.quantity(shoe) == 2


def test_pages_of_catalogue_stock_and_machines_hold_on_a_telephone_and_read_well(visit, signed_in):
    shoe = factories.a_shoe()
    level = factories.stocked(shoe, 1)
    factories.a_reservation(level, 1, "1702-A", promised=True)
    key, _secret = factories.a_key()
    factories.told(key, 1, "sale", shoe)
    page = signed_in(visit(PHONE))
    for address in (
        "stock-neuf/list/",
        f"stock-neuf/show/{level.id}",
        "conflits/show/1",
        "produits/list/",
        f"produits/show/{shoe.product_id}",
        f"produits/fusionner/{shoe.product_id}",
        f"references/show/{shoe.id}",
        f"references/edit/{shoe.id}",
        "references-inconnues/list/",
        "referencier/",
        "stock-a-une-date/",
        "mouvements/list/",
        "imports/list/",
        "imports/fichier/",
        "inventaires/list/",
        "transferts/preparer/",
        "offres-de-vente/list/",
        "offres-de-vente/fichiers/",
        "cles/list/",
        "cles/nouvelle/",
        "webhooks/nouveau/",
        "webhooks/list/",
        "webhooks/envois/list/",
        "caisses/evenements/list/",
        "frais-de-port/list/",
        "marques/list/",
        "accords-de-marques/add",
        "api/",
        "produits/add",
    ):
        page.goto(f"/gestion/{address}")
        assert fits(page), address
        assert serious(page) == [], (address, serious(page))
