"""The bench at 1280 x 800 with nothing but a USB scanner and a few keys; and one story from the
scan to « Payé ».
"""

import io
import re
import time
from urllib.parse import parse_qs, urlsplit

import zxingcpp
from PIL import Image
from playwright.sync_api import expect
from sqlalchemy import select

import tasks
from models import Item, LineState, Offer, OfferLine, OfferState, PaymentState
from services.finance import books
from services.people import sites
from services.unit import db
from tests import factories
from tests.browser.conftest import DESK, PHONE, fits, serious


def scan(page, code: str) -> None:
    """A USB scanner: a very fast hand, then Enter. Its keys are dated 2 ms apart, however late a
    busy machine hands them on.
    """
    keyboard = page.context.new_cdp_session(page)
    begun = time.time()
    for number, text in enumerate([*code, "\r"]):
        key = (
            {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13}
            if text == "\r"
            else {"key": text}
        )
        for kind in ("keyDown", "keyUp"):
            said = {"text": text} if kind == "keyDown" else {}
            keyboard.send(
                "Input.dispatchKeyEvent",
                {"type": kind, "timestamp": begun + number * 0.002, **key, **said},
            )
    keyboard.detach()


def lines() -> list[OfferLine]:
    db.session.rollback()
    db.session.expire_all()
    return list(db.session.scalars(select(OfferLine).order_by(OfferLine.id)))


def seven_games():
    return [factories.a_game(f"Jeu {n}", "PS4", 2000 + 100 * n) for n in range(7)]


def test_a_scanner_and_three_keys_an_article_are_enough(visit, signed_in):
    games = seven_games()
    offer = factories.an_accepted_offer(*games)
    page = signed_in(visit(DESK), "Opérateur reprise", factories.the_vendor())
    page.goto("/gestion/reception/")
    assert serious(page) == []
    assert fits(page)
    scan(page, offer.number)
    expect(page.get_by_text("Scannez un article")).to_be_visible()
    start = time.monotonic()
    for game in games[:5]:
        scan(page, game.ean)
        expect(page.locator("#art")).to_have_text(game.product.title)
        page.keyboard.press("2")
        page.keyboard.press("Enter")
        expect(page.locator("[data-undo]")).to_contain_text(game.product.title)
    each = (time.monotonic() - start) / 5
    assert each <= 6, f"{each:.2f} s an article"
    assert serious(page) == []
    assert fits(page)
    assert [line.status for line in lines()][:5] == [LineState.accepted] * 5
    # with the scanner alone: the command barcodes
    scan(page, games[5].ean)
    expect(page.locator("#art")).to_have_text("Jeu 5")
    for code in ("CPTETAT3", "CPTBOITE", "CPTETAT5", "CPTENVOYER"):
        scan(page, code)
    expect(page.locator("[data-undo]")).to_contain_text("Jeu 5")
    scan(page, "CPTANNULER")
    expect(page.locator(".expect")).to_contain_text("Jeu 5")
    scan(page, games[5].ean)
    scan(page, "CPTETAT5")
    scan(page, "CPTREFUSER")
    expect(page.locator("#mr")).to_have_value(re.compile("mauvais"))
    scan(page, "CPTREFUSER")
    expect(page.locator("[data-undo]")).to_contain_text("Refusé")
    scan(page, games[6].ean)
    scan(page, "CPTMANQUANT")
    expect(page.get_by_role("button", name="Terminer la réception")).to_be_visible()
    scan(page, "CPTFIN")
    expect(page.get_by_role("heading", name="Fin de réception")).to_be_visible()
    assert serious(page) == []
    assert fits(page)
    refused = lines()[5]
    assert refused.status is LineState.refused
    assert "mauvais" in refused.bench_motive
    assert lines()[6].status is LineState.missing
    assert db.session.scalars(select(Offer)).one().status is OfferState.received
    assert books.check() == []


def test_keys_grade_box_and_manual_apart_and_a_reason_typed_never_buys(visit, signed_in):
    one, two = seven_games()[:2]
    offer = factories.an_open_parcel(one, two)
    page = signed_in(visit(DESK), "Opérateur reprise", factories.the_vendor())
    page.goto(f"/gestion/reception/{offer.number}")
    scan(page, one.ean)
    page.locator("#art").wait_for()
    for key, name, value in (
        ("2", "article", "very_good"),
        ("b", "", ""),
        ("5", "box", "poor"),
        ("n", "", ""),
        ("0", "manual", "missing"),
    ):
        page.keyboard.press(key)
        if name:
            expect(page.locator(f'input[name="{name}"][value="{value}"]')).to_be_checked()
        else:
            expect(
                page.locator(f'.grade.at[data-grade="{"box" if key == "b" else "manual"}"]')
            ).to_be_visible()
    expect(page.locator("[data-condition]")).to_have_text("Acceptable")
    expect(page.locator("[data-proposed]")).to_contain_text("5,60")
    page.keyboard.press("x")
    page.locator("#mr").fill("Disque rayé")
    page.keyboard.press("Enter")
    expect(page.locator("[data-undo]")).to_contain_text("Refusé")
    scan(page, two.ean)
    page.locator("#art").wait_for()
    page.keyboard.press("3")
    expect(page.locator('input[name="article"][value="good"]')).to_be_checked()
    page.keyboard.press("c")
    page.locator("#np").fill("5,00")
    page.locator("#mo").fill("Boîte fendue")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("Prenez d’abord une photo")
    expect(page.locator("#mo")).to_have_value("Boîte fendue")
    page.locator("[data-shoot]").click()
    expect(page.locator(".shot img")).to_have_count(1)
    page.locator("#mo").focus()
    page.keyboard.press("Enter")
    expect(page.locator("[data-undo]")).to_contain_text("Contre-offre")
    assert [line.status for line in lines()] == [
        LineState.refused,
        LineState.countered,
    ]
    assert not db.session.scalars(select(Item)).all()


def test_a_file_that_is_no_picture_is_refused_and_what_was_graded_stays(visit, signed_in, tmp_path):
    game, other = seven_games()[:2]
    offer = factories.an_open_parcel(game, other)
    page = signed_in(visit(DESK), "Opérateur reprise", factories.the_vendor())
    page.goto(f"/gestion/reception/{offer.number}")
    scan(page, game.ean)
    page.locator("#art").wait_for()
    page.keyboard.press("3")
    page.locator("[name=comment]").fill("Jaquette pâlie")
    wrong = tmp_path / "photo.jpg"
    wrong.write_bytes(b"no picture")
    page.locator("#photo-file").set_input_files(wrong)
    expect(page.locator("#shots [role=alert]")).to_contain_text("photo")
    expect(page.locator('input[name="article"][value="good"]')).to_be_checked()
    expect(page.locator("[name=comment]")).to_have_value("Jaquette pâlie")


def test_enter_in_the_comment_buys_a_graded_article_unless_a_slow_scanner_typed_there(
    visit, signed_in
):
    game, other = seven_games()[:2]
    offer = factories.an_open_parcel(game, other)
    page = signed_in(visit(DESK), "Opérateur reprise", factories.the_vendor())
    page.goto(f"/gestion/reception/{offer.number}")
    scan(page, game.ean)
    page.locator("#art").wait_for()
    page.keyboard.press("3")
    expect(page.locator('input[name="article"][value="good"]')).to_be_checked()
    comment = page.locator("[name=comment]")
    comment.fill(f"Jaquette pâlie {other.ean}")
    comment.press("Enter")
    expect(page.locator("[data-undo]")).to_have_count(0)
    comment.fill("Jaquette pâlie")
    comment.press("Enter")
    expect(page.locator("[data-undo]")).to_contain_text("Acheté")
    assert sorted(line.comment for line in lines()) == ["", "Jaquette pâlie"]


def test_on_a_telephone_the_article_in_hand_stands_above_the_expected_ones(visit, signed_in):
    game, other = seven_games()[:2]
    offer = factories.an_open_parcel(game, other)
    page = signed_in(visit(PHONE), "Opérateur reprise", factories.the_vendor())
    page.goto(f"/gestion/reception/{offer.number}?code={game.ean}")
    sheet, expected = page.locator("#sheet").bounding_box(), page.locator(".expect").bounding_box()
    assert sheet["y"] < expected["y"]


def test_u_undoes_from_the_field_that_waits_for_the_next_scan(visit, signed_in):
    game, other = seven_games()[:2]
    offer = factories.an_open_parcel(game, other)
    page = signed_in(visit(DESK), "Opérateur reprise", factories.the_vendor())
    page.goto(f"/gestion/reception/{offer.number}")
    scan(page, game.ean)
    page.locator("#art").wait_for()
    page.keyboard.press("2")
    page.keyboard.press("Enter")
    expect(page.locator("[data-undo]")).to_be_visible()
    page.locator("#code").focus()
    page.keyboard.press("u")
    expect(page.locator("[data-undo]")).to_have_count(0)
    expect(page.locator("#code")).to_have_value("")
    assert {line.status for line in lines()} == {LineState.received}


def test_what_is_not_expected_sounds_and_shows_and_what_was_begun_comes_back(visit, signed_in):
    one, two = seven_games()[:2]
    offer = factories.an_open_parcel(one, two)
    besides = factories.a_game("En plus", "Wii", 2000)
    page = signed_in(visit(DESK), "Opérateur reprise", factories.the_vendor())
    page.goto(f"/gestion/reception/{offer.number}")
    scan(page, one.ean)
    page.locator("#art").wait_for()
    page.keyboard.press("4")
    expect(page.locator('input[name="article"][value="fair"]')).to_be_checked()
    page.locator("#cm").fill("Jaquette passée")
    scan(page, two.ean)  # in the middle of a comment: the code does not stay in it
    expect(page.locator("#art")).to_have_text("Jeu 1")
    scan(page, one.ean)
    expect(page.locator("#cm")).to_have_value("Jaquette passée")
    expect(page.locator('input[name="article"][value="fair"]')).to_be_checked()
    scan(page, besides.ean)
    expect(page.locator(".echo-warn")).to_contain_text("Pas annoncé")
    page.get_by_role("button", name="L’ajouter").click()
    expect(page.locator("#art")).to_have_text("En plus")
    expect(page.locator("[data-send]")).to_have_count(0)
    scan(page, factories.ean(987654))
    expect(page.locator(".echo-bad")).to_contain_text("Inconnu")
    scan(page, "CDE000000999")
    expect(page.get_by_text("n’est pas un de nos bordereaux")).to_be_visible()


def test_from_the_accepted_offer_to_paid_seller_and_staff(
    visit, signed_in, app, as_customer, carrier
):
    """One sale, two people, two screens."""
    factories.a_contract(), factories.a_paying_account()
    customer = factories.a_customer()
    games = seven_games()[:2]
    offer = factories.an_offer(*games, customer=customer)
    shop = signed_in(visit(DESK))
    shop.goto(f"/gestion/offres/valider/{offer.id}")
    shop.get_by_role("button", name="Ass1 50").click()
    expect(shop.get_by_text("Acceptée")).to_be_visible()
    db.session.rollback()
    factories.a_moment_later()
    seller = visit(PHONE)
    cookie = as_customer(customer).get_cookie("comptoir_client")
    seller.context.add_cookies(
        [{"name": "comptoir_client", "value": cookie.value, "url": shop.url.split("/gestion")[0]}]
    )
    seller.goto(f"/ventes/{offer.number}")
    expect(seller.get_by_role("link", name="Étiquette Mondial Relay").first).to_be_visible()
    assert serious(seller) == []
    assert fits(seller)
    shop.goto("/gestion/reception/")
    scan(shop, offer.number)
    expect(shop.get_by_text("Scannez un article")).to_be_visible()
    scan(shop, games[0].ean)
    shop.locator("#art").wait_for()
    shop.keyboard.press("1")
    shop.keyboard.press("Enter")
    expect(shop.locator("[data-undo]")).to_be_visible()
    scan(shop, games[1].ean)
    expect(shop.locator("#art")).to_have_text("Jeu 1")
    shop.locator("[data-shoot]").click()
    expect(shop.locator(".shot img")).to_have_count(1)
    shop.keyboard.press("5")
    expect(shop.locator('input[name="article"][value="poor"]')).to_be_checked()
    shop.keyboard.press("c")
    shop.locator("#mo").focus()
    shop.keyboard.press("Enter")
    expect(shop.get_by_role("button", name="Terminer la réception")).to_be_visible()
    shop.keyboard.press("Enter")
    expect(shop.get_by_role("heading", name="Fin de réception")).to_be_visible()
    shop.keyboard.press("Enter")
    expect(shop.get_by_text("L’e-mail de réception part")).to_be_visible()
    seller.reload()
    assert serious(seller) == []
    assert fits(seller)
    seller.locator('input[value="agree"]').check()
    seller.get_by_role("button", name="Envoyer ma réponse").click()
    seller.get_by_role("link", name="Donner mon IBAN").first.click()
    seller.get_by_label("IBAN", exact=True).fill("FR14 2004 1010 0505 0001 3M02 606")
    seller.get_by_role("button", name="Enregistrer mon IBAN").click()
    expect(seller.get_by_text("votre paiement se prépare")).to_be_visible()
    assert serious(seller) == []
    assert fits(seller)
    shop.goto("/gestion/paiements/")
    assert serious(shop) == []
    assert fits(shop)
    shop.locator("#word").fill("PAIEMENT")
    shop.get_by_role("button", name="Valider").click()
    expect(shop.get_by_role("link", name="Télécharger le fichier SEPA")).to_be_visible()
    db.session.rollback()
    tasks.tell_paid()
    seller.goto(f"/ventes/{offer.number}")
    expect(seller.get_by_role("heading", name=re.compile("Payé, la banque"))).to_be_visible()
    shop.get_by_text("Tout est passé", exact=True).click()
    shop.get_by_role("button", name="Oui, tout est passé").click()
    expect(shop.locator(".bo-title").get_by_text("Répondu par la banque")).to_be_visible()
    seller.reload()
    expect(seller.get_by_role("heading", name=re.compile("^Payé"))).to_be_visible()
    db.session.rollback()
    assert db.session.get(Offer, offer.id).payment.status is PaymentState.paid
    assert books.check() == []


def test_on_a_computer_the_sale_is_picked_up_by_a_phone(visit, app, as_customer):
    customer = factories.a_customer()
    offer = factories.an_accepted_offer(*seven_games()[:3], customer=customer)
    page = visit(DESK)
    cookie = as_customer(customer).get_cookie("comptoir_client")
    page.goto("/")
    page.context.add_cookies([{"name": "comptoir_client", "value": cookie.value, "url": page.url}])
    page.goto(f"/ventes/{offer.number}")
    page.get_by_text("Voir sur mobile").click()
    seen = Image.open(io.BytesIO(page.get_by_role("img", name="QR code").screenshot()))
    assert [found.text for found in zxingcpp.read_barcodes(seen)] == [
        f"{sites.address(offer.site)}/ventes/{offer.number}"
    ]
    assert serious(page) == []
    assert fits(page)
    page.set_viewport_size({"width": 390, "height": 844})
    expect(page.get_by_text("Voir sur mobile")).to_be_hidden()


def test_a_scan_after_the_session_ended_leads_to_signing_in_and_back_to_what_was_graded(
    visit, signed_in
):
    game = factories.a_game("Jeu 1", "PS4", 6000)
    offer = factories.an_accepted_offer(game)
    page = visit(DESK)
    cookie = signed_in(page, "Opérateur reprise", factories.the_vendor()).context.cookies()
    page.goto("/gestion/reception/")
    scan(page, offer.number)
    expect(page.get_by_text("Scannez un article")).to_be_visible()
    scan(page, game.ean)
    expect(page.locator("#art")).to_have_text("Jeu 1")
    page.keyboard.press("3")
    expect(page.locator('[name=article][value="good"]')).to_be_checked()
    page.locator("[name=comment]").fill("boîte fendue")
    page.locator("[name=comment]").blur()
    page.context.clear_cookies()
    scan(page, game.ean)
    expect(page.get_by_role("heading", name="Back-office")).to_be_visible()
    assert page.locator("#bench").count() == 0
    came_from = parse_qs(urlsplit(page.url).query)["next"][0]
    page.context.add_cookies(cookie)
    page.goto(came_from)
    expect(page.get_by_text("Scannez un article")).to_be_visible()
    page.wait_for_load_state()
    scan(page, game.ean)
    expect(page.locator("#art")).to_have_text("Jeu 1")
    expect(page.locator("[name=comment]")).to_have_value("boîte fendue")
    expect(page.locator('[name=article][value="good"]')).to_be_checked()
