"""The seller on a phone: typed, scanned, without JavaScript, by keyboard alone."""

import re

from playwright.sync_api import expect
from sqlalchemy import select

from models import Offer, OfferState
from services.unit import db
from tests import factories
from tests.browser.conftest import DESK, PHONE, fits, serious
from tests.factories import PASSWORD


def fill_account(page, email="camille@exemple.fr"):
    for label, words in (
        ("Prénom", "Camille"),
        ("Nom", "Aubry"),
        ("Adresse", "12 rue des Tanneurs"),
        ("Code postal", "44000"),
        ("Ville", "Nantes"),
        ("Téléphone", "06 12 34 56 78"),
        ("E-mail", email),
        ("Mot de passe", PASSWORD),
    ):
        page.get_by_label(label, exact=True).fill(words)
    page.get_by_label(re.compile("J’accepte les conditions")).check()
    page.get_by_role("button", name="Créer mon compte").click()


def test_from_the_first_barcode_to_the_confirmation_on_a_phone(visit):
    cheap, dear = (
        factories.a_game("Astro Renard", "Megadrive", 2000),
        factories.a_game("Opéra Mécanique", "PS5", 4500),
    )
    page = visit(PHONE)
    page.goto("/")
    assert serious(page) == []
    assert fits(page)
    page.get_by_label("ou saisissez le code-barres").fill(cheap.ean)
    page.keyboard.press("Enter")
    expect(page.locator(".price").first).to_contain_text("8,00")
    assert serious(page) == []
    assert fits(page)
    page.get_by_role("button", name="OUI, je le vends !").click()
    expect(page.locator("#compteur")).to_contain_text("1")
    expect(page.locator("#manque")).to_contain_text("7,00")
    page.goto(f"/?ean={dear.ean}")
    page.get_by_role("button", name="OUI, je le vends !").click()
    expect(page.locator("#total")).to_contain_text("26,00")
    page.get_by_role("link", name="Finaliser la vente").click()
    assert serious(page) == []
    assert fits(page)
    page.get_by_role("button", name="Retirer Opéra Mécanique").click()
    expect(page.get_by_role("button", name="Finaliser la vente")).to_be_disabled()
    expect(page.locator("#manque")).to_contain_text("7,00")
    page.get_by_role("button", name="Annuler").click()
    expect(page.locator("#total")).to_contain_text("26,00")
    page.get_by_role("button", name="Finaliser la vente").click()
    assert serious(page) == []
    assert fits(page)
    fill_account(page)
    expect(page.locator("#total")).to_contain_text("26,00")
    page.get_by_role("button", name="Finaliser la vente").click()
    expect(page.get_by_role("heading", name=re.compile("Validation sous 24 à 48"))).to_be_visible()
    expect(page.get_by_text("CDE000000001")).to_be_visible()
    assert serious(page) == []
    assert fits(page)
    page.get_by_role("link", name="Suivre ma vente").click()
    expect(page.get_by_role("heading", name="Suivi")).to_be_visible()
    assert serious(page) == []
    assert fits(page)
    db.session.rollback()
    assert db.session.scalars(select(Offer)).one().status is OfferState.to_check


def test_the_camera_reads_a_barcode_and_keeps_looking(visit):
    factories.a_game("A.O.T. 2", "Nintendo Switch", 2500, code="5060327534393")
    page = visit(PHONE, permissions=["camera"])
    page.goto("/")
    page.get_by_role("button", name="Scanner avec la caméra").click()
    expect(page.locator("#ticket h2")).to_have_text("A.O.T. 2", timeout=15_000)
    page.get_by_role("button", name="OUI, je le vends !").click()
    expect(page.locator("#total")).to_contain_text("10,00")
    expect(page.locator("#viewer video")).to_be_visible()
    page.get_by_role("button", name="Fermer").click()
    expect(page.locator("#viewer")).to_be_hidden()


def test_the_browsers_own_detector_is_used_when_it_has_one(visit):
    factories.a_game("A.O.T. 2", "Nintendo Switch", 2500, code="5060327534393")
    page = visit(PHONE, permissions=["camera"])
    page.add_init_script(
        "window.BarcodeDetector = class { async detect() { window.detected = (window.detected || 0)"
        " + 1; return [{rawValue: '5060327534393'}] } }"
    )
    asked = []
    page.on("request", lambda r: asked.append(r.url) if r.url.endswith("/scanner") else None)
    page.goto("/")
    page.get_by_label("Ajouter automatiquement")
    page.get_by_role("button", name="Scanner avec la caméra").click()
    expect(page.locator("#ticket h2")).to_have_text("A.O.T. 2")
    assert asked == []
    assert page.evaluate("window.detected") >= 2


SMALL = {"width": 360, "height": 640}


def stands_above_the_dock(page) -> bool:
    """Whether the button to sell is wholly in sight, and the camera pinned above it."""
    sell, dock = page.locator("#sell-it").bounding_box(), page.locator(".dock").bounding_box()
    viewer = page.locator("#viewer").bounding_box()
    return (
        viewer["y"] >= 0
        and viewer["y"] + viewer["height"] <= sell["y"]
        and (sell["y"] + sell["height"] <= dock["y"])
    )


def test_ten_games_in_a_row_by_hand_on_a_small_telephone_without_a_scroll(visit):
    games = [factories.a_game(f"Jeu {n} au titre plutôt long", "PS5", 4500) for n in range(10)]
    page = visit(SMALL, permissions=["camera"])
    codes = ",".join(f"'{game.ean}'" for game in games)
    page.add_init_script(
        f"window.codes = [{codes}]; window.BarcodeDetector = class {{ async detect() {{"
        " return window.codes.length ? [{ rawValue: window.codes[0] }] : []; } };"
    )
    page.goto("/")
    page.locator("#camera").click()
    for number, game in enumerate(games, 1):
        expect(page.locator(f"#ticket [data-ean='{game.ean}']")).to_be_visible()
        assert stands_above_the_dock(page)
        page.evaluate("window.codes.shift()")
        page.locator("#sell-it").click()
        expect(page.locator("#compteur")).to_contain_text(str(number))
    assert page.evaluate("scrollY") == 0


def test_a_typed_game_is_sold_without_a_scroll_on_a_small_telephone(visit):
    game = factories.a_game("Opéra Mécanique", "PS5", 4500)
    page = visit(SMALL)
    page.goto("/")
    page.locator("#ean").fill(game.ean)
    page.keyboard.press("Enter")
    expect(page.locator("#sell-it")).to_be_visible()
    sell, dock = page.locator("#sell-it").bounding_box(), page.locator(".dock").bounding_box()
    assert sell["y"] + sell["height"] <= dock["y"]


def test_after_a_game_is_taken_out_the_cursor_is_on_no_other_one_s_bin(visit):
    page = visit(PHONE)
    for number in range(2):
        page.goto(f"/?ean={factories.a_game(f'Jeu {number}', 'PS5', 4500).ean}")
        page.locator("#sell-it").click()
        expect(page.locator("#compteur")).to_contain_text(str(number + 1))
    page.goto("/recapitulatif")
    page.get_by_role("button", name="Retirer Jeu 0").press("Enter")
    expect(page.locator(".recap-lines .line")).to_have_count(1)
    assert page.evaluate("document.activeElement.textContent.trim()") == "Annuler"


def test_an_iban_is_grouped_and_checked_while_it_is_typed(visit):
    page = visit(PHONE)
    customer = factories.a_customer_with_password("camille@exemple.fr")
    page.goto("/compte/connexion")
    page.get_by_label("E-mail").fill(customer.email)
    page.get_by_label("Mot de passe").fill(factories.PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/ventes")
    page.goto("/compte")
    field = page.locator("#iban-iban")
    field.press_sequentially("FR7630006000011234567890189")
    expect(field).to_have_value("FR76 3000 6000 0112 3456 7890 189")
    expect(page.locator("#iban-check")).to_contain_text("clé de contrôle est juste")
    field.fill("FR7630006000011234567890188")
    expect(page.locator("#iban-check")).to_contain_text("Un caractère est faux")


def test_a_camera_refused_leaves_the_field_ready(visit):
    page = visit(PHONE)
    page.add_init_script(
        "navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('no',"
        " 'NotAllowedError'))"
    )
    page.goto("/")
    page.get_by_role("button", name="Scanner avec la caméra").click()
    expect(page.locator("#camera-no")).to_contain_text("saisissez le code-barres")
    expect(page.locator("#ean")).to_be_focused()


def test_the_whole_sale_without_javascript(visit):
    game = factories.a_game("Opéra Mécanique", "PS5", 4500)
    page = visit(PHONE, java_script_enabled=False)
    page.goto("/")
    expect(page.get_by_role("button", name="Scanner avec la caméra")).to_be_hidden()
    page.get_by_label("ou saisissez le code-barres").fill(game.ean)
    page.keyboard.press("Enter")
    page.get_by_role("button", name="OUI, je le vends !").click()
    page.get_by_role("link", name="Finaliser la vente").click()
    page.get_by_role("button", name="Retirer Opéra Mécanique").click()
    page.get_by_role("button", name="Annuler").click()
    page.get_by_role("button", name="Finaliser la vente").click()
    fill_account(page)
    page.get_by_role("button", name="Finaliser la vente").click()
    expect(page.get_by_text("CDE000000001")).to_be_visible()


def test_a_game_is_sold_with_the_keyboard_alone(visit):
    game = factories.a_game("Opéra Mécanique", "PS5", 4500)
    page = visit(DESK)
    page.goto("/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    for _n in range(12):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "ean":
            break
    assert (
        page.evaluate("getComputedStyle(document.activeElement.parentElement).boxShadow") != "none"
    )
    page.keyboard.type(game.ean, delay=3)
    page.keyboard.press("Enter")
    button = page.get_by_role("button", name="OUI, je le vends !")
    expect(button).to_be_visible()
    for _n in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "sell-it":
            break
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
    page.keyboard.press("Enter")
    expect(page.locator("#compteur")).to_contain_text("1")


def test_a_double_click_adds_one_copy(visit):
    game = factories.a_game("Opéra Mécanique", "PS5", 4500)
    page = visit(DESK)
    page.goto(f"/?ean={game.ean}")
    page.get_by_role("button", name="OUI, je le vends !").dblclick()
    expect(page.locator("#compteur")).to_contain_text("1")
    page.goto("/recapitulatif")
    expect(page.locator(".recap-lines .line")).to_have_count(1)


def test_the_back_button_never_shows_an_old_cart(visit):
    game = factories.a_game("Opéra Mécanique", "PS5", 4500)
    page = visit(DESK)
    page.goto("/")
    page.goto(f"/?ean={game.ean}")
    page.get_by_role("button", name="OUI, je le vends !").click()
    expect(page.locator("#compteur")).to_contain_text("1")
    page.go_back()
    expect(page.locator("#compteur")).to_contain_text("1")


def test_ten_games_typed_one_after_another_are_all_in_the_sale(visit):
    """How long it takes is measured in benchmarks/ten_games.py."""
    games = [factories.a_game(f"Jeu {n}", "Switch", 1000 + n) for n in range(10)]
    page = visit(DESK)
    page.goto("/")
    for number, game in enumerate(games, start=1):
        page.locator("#ean").fill(game.ean)
        page.keyboard.press("Enter")
        expect(page.locator("#ticket h2")).to_have_text(f"Jeu {number - 1}")
        page.get_by_role("button", name="OUI, je le vends !").click()
        expect(page.locator("#compteur")).to_contain_text(str(number))


def slowly(page, path, seconds=1.0):
    """The answer to this address takes its time."""

    def wait(route):
        page.wait_for_timeout(1000 * seconds)
        route.continue_()

    page.route(f"**{path}", wait)


def test_a_photo_of_a_barcode_is_read_with_scripts_on(visit, tmp_path):
    from tests.services.test_files import barcode

    factories.a_game("A.O.T. 2", "PS4", 4500, code="5060327534393")
    picture = tmp_path / "code.jpg"
    picture.write_bytes(barcode("5060327534393"))
    page = visit(PHONE)
    page.goto("/")
    page.get_by_text("ou envoyez une photo du code-barres").click()
    page.locator("#photo").set_input_files(picture)
    page.get_by_role("button", name="Lire").click()
    expect(page.locator("#ticket h2")).to_have_text("A.O.T. 2")


def test_what_is_typed_while_a_game_is_added_stays_typed(visit):
    game = factories.a_game("Opéra Mécanique", "PS5", 4500)
    page = visit(PHONE)
    page.goto(f"/?ean={game.ean}")
    slowly(page, "/panier/ajouter")
    page.get_by_role("button", name="OUI, je le vends !").click()
    page.locator("#ean").press_sequentially("50563", delay=30)
    expect(page.locator("#compteur")).to_contain_text("1")
    expect(page.locator("#ean")).to_have_value("50563")


def test_a_game_priced_while_another_is_added_keeps_its_ticket(visit):
    first = factories.a_game("Opéra Mécanique", "PS5", 4500)
    second = factories.a_game("Île aux Lampions", "Switch", 4000)
    page = visit(PHONE)
    page.goto(f"/?ean={first.ean}")
    slowly(page, "/panier/ajouter", 1.5)
    page.get_by_role("button", name="OUI, je le vends !").click()
    page.locator("#ean").fill(second.ean)
    page.keyboard.press("Enter")
    expect(page.locator("#ticket h2")).to_have_text("Île aux Lampions")
    expect(page.locator("#compteur")).to_contain_text("1")
    expect(page.locator("#ticket h2")).to_have_text("Île aux Lampions")


def test_without_a_network_the_page_stays_and_sends_again(visit):
    game = factories.a_game("Opéra Mécanique", "PS5", 4500)
    page = visit(PHONE)
    page.goto("/")
    page.context.set_offline(True)
    page.locator("#ean").fill(game.ean)
    page.keyboard.press("Enter")
    expect(page.locator("#offline")).to_contain_text("Hors ligne")
    expect(page.locator("#ean")).to_have_value(game.ean)
    page.get_by_role("button", name="Réessayer").click()
    expect(page.locator("#offline")).to_be_visible()
    page.context.set_offline(False)
    expect(page.locator("#ticket h2")).to_have_text("Opéra Mécanique")
    expect(page.locator("#offline")).to_be_hidden()
    page.context.set_offline(True)
    page.get_by_role("button", name="OUI, je le vends !").click()
    expect(page.locator("#offline")).to_be_visible()
    page.context.set_offline(False)
    expect(page.locator("#compteur")).to_contain_text("1")
    expect(page.locator("#offline")).to_be_hidden()


def test_hostile_titles_stay_words(visit):
    game = factories.a_game(
        "<img src=x onerror=alert(1)>\"'><script>alert(2)</script>",
        "</title><script>alert(3)</script>",
        4500,
    )
    page = visit(DESK)
    page.goto(f"/?ean={game.ean}")
    expect(page.locator("#ticket h2")).to_contain_text("<img src=x")
    page.get_by_role("button", name="OUI, je le vends !").click()
    expect(page.locator("#compteur")).to_contain_text("1")
    page.goto("/recapitulatif")
    expect(page.locator(".recap-lines h2")).to_contain_text("<script>")
