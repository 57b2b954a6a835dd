"""The shop at its desk, 1280 x 800: mouse, keyboard, small screen."""

from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import expect

from models import Offer, OfferState
from services.buyback import amounts
from services.unit import db
from tests import factories
from tests.browser.conftest import DESK, PHONE, fits, serious


def test_an_offer_is_checked_with_the_keyboard_and_the_next_one_comes(visit, signed_in):
    first, second = factories.an_offer(), factories.an_offer()
    page = signed_in(visit(DESK))
    page.goto("/gestion/")
    expect(page.locator(".tile-hot b")).to_have_text("2")
    page.locator(".tile-hot").click()
    expect(page.get_by_text(first.number)).to_be_visible()
    page.wait_for_load_state()
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("r")
    expect(page.locator("tr.focus [value='jeu import']")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("tr.gone")).to_have_count(1)
    expect(page.locator("aside .price")).to_contain_text("12,00")
    page.keyboard.press("a")
    expect(page.get_by_text(second.number)).to_be_visible()
    db.session.rollback()
    assert db.session.get(Offer, first.id).status is OfferState.accepted


def to_check(offer: Offer) -> bool:
    db.session.rollback()
    return db.session.get_one(Offer, offer.id).status is OfferState.to_check


@pytest.mark.parametrize(
    ("button", "field"), [("Refuser", "#rm"), ("2ème chance", "#cm, #second-chance input")]
)
def test_the_cursor_is_in_the_field_a_button_opens_and_words_are_no_shortcuts(
    visit, signed_in, button, field
):
    offer = factories.an_offer()
    page = signed_in(visit(DESK))
    page.goto(f"/gestion/offres/valider/{offer.id}")
    page.get_by_role("link", name=button, exact=True).click()
    expect(page.locator(field).locator("visible=true").first).to_be_focused()
    page.keyboard.type("Pas d’exemplaires", delay=130)
    expect(page.get_by_role("heading", name="Achat à valider")).to_be_visible()
    assert to_check(offer)


def scanned(page, code: str) -> None:
    """A scanner is faster than any test's machine is busy: its keys come at once."""
    page.evaluate(
        """(code) => {
            for (const key of [...code, "Enter"])
                document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
        }""",
        code,
    )


@pytest.mark.parametrize("code", ["ART0000295", "CPTANNULER", "AAAAAAAA", "CDE000000999"])
def test_a_label_scanned_where_nobody_types_decides_nothing(visit, signed_in, code):
    offer = factories.an_offer()
    page = signed_in(visit(DESK))
    page.goto(f"/gestion/offres/valider/{offer.id}")
    scanned(page, code)
    page.wait_for_timeout(400)
    assert to_check(offer)


def test_a_printed_number_scanned_on_any_page_opens_what_it_names(visit, signed_in):
    offer = factories.an_offer()
    item = factories.an_item(factories.a_game("Astro Renard"))
    page = signed_in(visit(DESK))
    for code, title in ((offer.number, offer.number), (f"ART{item.id:07d}", "Astro Renard")):
        page.goto("/gestion/")
        scanned(page, code)
        expect(page.get_by_role("heading", level=1)).to_contain_text(title)


def test_an_acceptance_is_undone_with_one_key_before_the_seller_is_told(visit, signed_in):
    offer = factories.an_offer()
    page = signed_in(visit(DESK))
    page.goto(f"/gestion/offres/valider/{offer.id}")
    page.keyboard.press("a")
    expect(page.locator(".undo")).to_contain_text(f"{offer.number} : Acceptée")
    page.wait_for_load_state()  # its scripts listen to keys
    page.keyboard.press("u")
    expect(page.get_by_text("Annulé : rien n’est parti")).to_be_visible()
    page.wait_for_load_state()
    assert to_check(offer)
    page.keyboard.press("a")
    expect(page.locator(".undo")).to_be_visible()
    assert not to_check(offer)


def test_a_second_chance_is_proposed_with_the_mouse(visit, signed_in):
    offer = factories.an_offer()
    page = signed_in(visit(DESK))
    page.goto(f"/gestion/offres/valider/{offer.id}")
    page.get_by_role("link", name="2ème chance").click()
    page.locator(f"#p{offer.lines[0].id}").fill("5,00")
    page.get_by_label("Motif, lu par le vendeur", exact=True).fill("Boîte fendue.")
    page.get_by_role("button", name="Proposer ces prix").click()
    expect(page.get_by_text("Tout est à jour")).to_be_visible()


def test_help_and_search_answer_their_keys(visit, signed_in):
    offer = factories.an_offer()
    page = signed_in(visit(DESK))
    page.goto(f"/gestion/offres/valider/{offer.id}")
    page.keyboard.press("?")
    expect(page.locator("#help")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("Control+k")
    expect(page.locator("#g")).to_be_focused()
    page.keyboard.type(offer.number)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name=offer.number)).to_be_visible()


def test_rows_are_clicked_chosen_and_acted_on_together(visit, signed_in):
    from services.buyback import offers
    from services.unit import unit_of_work

    refused = [factories.an_offer() for _n in range(2)]
    for offer in refused:
        with unit_of_work():
            offers.refuse(db.session.get(Offer, offer.id), "", by=factories.MARC)
    page = signed_in(visit(DESK))
    page.goto("/gestion/offres/list/?status=refused")
    expect(page.locator(".bulk")).to_be_hidden()
    page.locator(".action_check_all").check()
    expect(page.locator(".bulk")).to_contain_text("2")
    page.locator(".bulk summary", has_text="Supprimer cette proposition").click()
    page.locator(".bulk").get_by_role("button", name="Supprimer cette proposition").click()
    expect(page.get_by_text("Rien ne correspond")).to_be_visible()
    page.goto("/gestion/regles/list/")
    page.locator("tbody tr td").nth(1).click()
    expect(page.get_by_role("heading", name="40 % de l’argus")).to_be_visible()


PAGES = (
    "/gestion/",
    "/gestion/offres/valider/",
    "/gestion/offres/list/",
    "/gestion/offres/show/1",
    "/gestion/vendeurs-particuliers/list/",
    "/gestion/regles/list/",
    "/gestion/regles/edit/1",
    "/gestion/regles/simuler/?ean=123",
    "/gestion/stock/list/",
    "/gestion/stock/show/1",
    "/gestion/argus/list/",
    "/gestion/argus/show/1",
    "/gestion/produits/list/",
    "/gestion/sites/edit/1",
    "/gestion/messages/list/",
    "/gestion/messages/show/1",
    "/gestion/journal/list/",
    "/gestion/parametrages/",
    "/gestion/utilisateurs/list/",
    "/gestion/imports/fichier/",
    "/gestion/mot-de-passe/",
    "/gestion/recherche/?q=x",
    "/gestion/sante/",
    "/gestion/taches/list/",
    "/gestion/journal-des-acces/list/",
    "/gestion/donnees-personnelles/",
    "/gestion/mon-compte/",
    "/gestion/mon-compte/second-facteur",
    "/gestion/utilisateurs/show/1",
)


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_every_page_is_accessible_and_fits(visit, signed_in, size):
    factories.an_offer()
    factories.an_item(factories.a_game())
    page = signed_in(visit(size))
    wrong = {}
    for place in PAGES:
        assert page.goto(place).status == 200, place
        found = serious(page)
        if found or not fits(page):
            wrong[place] = found or ["overflows at 320 px"]
    assert wrong == {}


def test_the_menu_opens_on_a_phone(visit, signed_in):
    page = signed_in(visit(PHONE))
    page.goto("/gestion/")
    expect(page.locator("#menu")).to_be_hidden()
    page.get_by_role("link", name="Menu").click()
    page.locator("summary", has_text="Reprise boutique").click()
    page.get_by_role("link", name="Règles de reprise").click()
    expect(page.get_by_role("heading", name="Règles de reprise")).to_be_visible()


def test_another_reason_is_typed_and_enter_takes_out_for_that_one(visit, signed_in):
    offer = factories.an_offer(
        factories.a_game("A", "PS5", 5000), factories.a_game("B", "PS5", 3000)
    )
    page = signed_in(visit(DESK))
    page.goto(f"/gestion/offres/valider/{offer.id}")
    page.get_by_label("Retirer A").click()
    page.locator("tr", has_text="A").locator("[name=other]").first.fill("jaquette déchirée")
    page.keyboard.press("Enter")
    expect(page.locator("tr.gone")).to_contain_text("jaquette déchirée")


def test_a_second_chance_is_typed_in_the_column_of_prices_and_adds_up(visit, signed_in):
    offer = factories.an_offer(
        factories.a_game("A", "PS5", 5000), factories.a_game("B", "PS5", 3000)
    )
    page = signed_in(visit(DESK))
    page.goto(f"/gestion/offres/valider/{offer.id}")
    expect(page.get_by_label("Nouveau prix de A")).to_be_hidden()
    page.get_by_role("link", name="2ème chance").click()
    page.get_by_label("Nouveau prix de A").fill("15,50")
    expect(page.locator("#chance output")).to_contain_text("27,50")
    page.locator("#cm").fill("Boîte abîmée.")
    page.get_by_role("button", name="Proposer ces prix").click()
    page.wait_for_load_state()
    db.session.rollback()
    assert amounts.of(db.session.get_one(Offer, offer.id)).agreed_cents == 2750


def test_prices_typed_for_a_second_chance_outlive_a_line_taken_out(visit, signed_in):
    offer = factories.an_offer(*(factories.a_game(name, "PS5", 5000) for name in "ABC"))
    page = signed_in(visit(DESK))
    page.goto(f"/gestion/offres/valider/{offer.id}")
    page.get_by_role("link", name="2ème chance").click()
    page.get_by_label("Nouveau prix de A").fill("15,50")
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("r")
    expect(page.locator("tr.focus [value='jeu import']")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("tr.gone")).to_have_count(1)
    expect(page.get_by_label("Nouveau prix de A")).to_have_value("15,50")
    expect(page.locator("#chance output")).to_contain_text("35,50")


def test_the_search_answers_while_one_types_and_the_arrows_choose(visit, signed_in):
    game = factories.a_game("Astro Renard")
    factories.a_game("Astronef")
    page = signed_in(visit(DESK))
    page.goto("/gestion/")
    page.keyboard.press("Control+k")
    page.keyboard.type("astro")
    expect(page.locator("#g-list [data-href]")).to_have_count(2)
    assert serious(page) == []
    page.keyboard.press("ArrowDown")
    chosen = page.locator("#g-list [aria-selected=true]")
    expect(chosen).to_have_count(1)
    name = chosen.locator("b").inner_text()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name=name, level=1)).to_be_visible()
    page.keyboard.press("Control+k")
    page.keyboard.type("astro")
    expect(page.locator("#g-list [data-href]").first).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#g-list")).to_be_hidden()
    assert game


def test_a_list_says_that_rows_came_and_moves_nothing(visit, signed_in):
    factories.an_offer()
    page = signed_in(visit(DESK))
    page.add_init_script(
        "document.addEventListener('DOMContentLoaded', () => {"
        " document.querySelector('[data-news]').dataset.every = '200'; });"
    )
    with page.expect_response("**/nouvelles*"):
        page.goto("/gestion/offres/list/")
    factories.an_offer()
    expect(page.locator("[data-news]")).to_contain_text("1")
    expect(page.locator(".rows tbody tr")).to_have_count(1)
    page.get_by_role("link", name="nouvelles : les afficher").click()
    expect(page.locator(".rows tbody tr")).to_have_count(2)


def test_a_list_is_walked_and_its_lines_chosen_with_the_keyboard(visit, signed_in):
    offers_there = [factories.an_offer() for _n in range(2)]
    page = signed_in(visit(DESK))
    page.goto("/gestion/offres/list/")
    page.keyboard.press("j")
    page.keyboard.press("x")
    expect(page.locator("tr.sel .action_check")).to_be_checked()
    page.keyboard.press("o")
    expect(page.get_by_role("heading", name=offers_there[1].number)).to_be_visible()


def test_a_page_is_light(visit, signed_in):
    """Public page: at most 25 kB compressed beside pictures and 12 requests; checked for real with
    gzip in benchmarks/page_weight.py.
    """
    page = visit(PHONE)
    page.goto("/")
    weights = page.evaluate(
        "performance.getEntriesByType('resource').map(r => [r.name, r.decodedBodySize])"
    )
    assert len(weights) <= 12


def test_what_was_typed_when_the_session_ended_comes_back_to_its_page_for_the_same_person(
    visit, signed_in
):
    page = visit(DESK)
    cookies = signed_in(page).context.cookies()
    page.goto("/gestion/magasins/edit/1")
    page.locator("#opening_hours").fill("lundi fermé\nmardi 10 h – 19 h")
    asked = "!window.dispatchEvent(new Event('beforeunload', {cancelable: true}))"
    assert page.evaluate(asked), "leaving without saving is asked about"
    page.context.clear_cookies()
    page.get_by_role("button", name="Enregistrer").click()
    expect(page.get_by_role("heading", name="Back-office")).to_be_visible()
    came_from = parse_qs(urlsplit(page.url).query)["next"][0]
    assert came_from == "/gestion/magasins/edit/1"
    page.context.add_cookies(cookies)
    page.goto(came_from)
    expect(page.get_by_text("Votre session était terminée")).to_be_visible()
    expect(page.locator("#opening_hours")).to_have_value("lundi fermé\nmardi 10 h – 19 h")
    page.get_by_role("button", name="Enregistrer").click()
    expect(page.get_by_text("Enregistré")).to_be_visible()
    page.goto(came_from)
    expect(page.locator("#opening_hours")).to_have_value("lundi fermé\nmardi 10 h – 19 h")
    assert not page.evaluate(asked), "nothing was typed: nothing is asked"
    page.locator("#city").fill("Rezé")
    page.context.clear_cookies()
    page.get_by_role("button", name="Enregistrer").click()
    expect(page.get_by_role("heading", name="Back-office")).to_be_visible()
    signed_in(page, "Comptable")
    page.goto("/gestion/")
    assert page.evaluate("sessionStorage.length") == 0, "somebody else finds nothing of it"
