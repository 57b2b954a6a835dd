"""Words that would like to be a program, in every name and title a stranger may choose: Chromium
shows them, and runs none.
"""

from playwright.sync_api import expect
from sqlalchemy import func, select

from models import CspReport
from services import words
from services.buyback import offers
from services.people import customers
from services.unit import db, unit_of_work
from services.workflow import Refused
from tests import factories
from tests.acceptance.sizes import LONG
from tests.acceptance.test_s10_corpus import HOSTILE, PERSON, of
from tests.browser.conftest import DESK, PHONE

CANARIES = [row["value"] for row in of(HOSTILE, "xss")]


def name_of(canary: str) -> str:
    try:
        return customers.clean({**PERSON, "last_name": canary[:99]})["last_name"]
    except Refused:
        return "Aubry"


def test_no_canary_sings_anywhere_it_is_shown(visit, signed_in, as_customer, address):
    """Pages that show names, towns, titles and motives: the fixture fails on a dialog, a refused
    script, an error, a foreign address.
    """
    page = signed_in(visit(DESK))
    phone = visit(PHONE)
    for n, canary in enumerate(CANARIES if LONG else CANARIES[::8]):
        seller = factories.a_customer(
            email=f"canari{n}@exemple.fr", last_name=name_of(canary), city=canary[:90]
        )
        game = factories.a_game(
            " ".join(words.visible(canary).split())[:200] or "Jeu", argus_cents=9000
        )
        offer = factories.an_offer(game, customer=seller)
        waiting, id, number = factories.an_offer(game, customer=seller), offer.id, offer.number
        with unit_of_work() as session:
            offers.refuse(session.get_one(type(offer), id), canary, by=factories.MARC)
        for place in (
            f"/gestion/offres/show/{id}",
            f"/gestion/offres/valider/{waiting.id}",
            f"/gestion/vendeurs-particuliers/show/{seller.id}",
            "/gestion/recherche/?q=canari",
        ):
            page.goto(place)
        cookie = as_customer(seller).get_cookie("comptoir_client")
        phone.context.add_cookies(
            [{"name": "comptoir_client", "value": cookie.value, "url": address}]
        )
        for place in (f"/ventes/{number}", f"/jaquette/{game.ean}", "/compte"):
            phone.goto(place)
    page.goto("/gestion/offres/list/")
    page.goto("/gestion/sante/")
    db.session.rollback()
    assert db.session.scalar(select(func.count(CspReport.id))) == 0


def test_a_page_leaves_the_screen_with_the_session(visit, signed_in):
    page = signed_in(visit(DESK))
    page.goto("/gestion/offres/list/")
    other = page.context.new_page()
    other.goto("/gestion/")
    other.get_by_role("button", name="Se déconnecter").click()
    expect(page.get_by_label("Mot de passe")).to_be_visible()


def test_a_page_leaves_the_screen_when_nobody_clicks_any_more(visit, signed_in):
    page = signed_in(visit(DESK))
    page.clock.install()
    page.goto("/gestion/offres/list/")
    page.clock.run_for(31 * 60 * 1000)
    page.wait_for_url("**/gestion/")
