"""The seller's doors: with and without JavaScript, with what should not be typed, sent twice, sent
late.
"""

import re
import threading
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from models import Offer, OfferLine, OfferState, RuleEffect, VisitDay
from services import clock, outbox, settings, visits
from services.buyback import parcels
from services.unit import db, unit_of_work
from services.workflow import Refused
from tests import factories, paper
from tests.services.test_files import barcode


def add(client, game, **more):
    return client.post("/panier/ajouter", data={"ean": game.ean, **more}, follow_redirects=True)


def test_a_visitor_sees_price_cover_platform_conditions_and_why(client):
    game = factories.a_game("Astro Renard", "Megadrive", 2000)
    page = client.get(f"/?ean={game.ean}").text
    for words in (
        "Astro Renard",
        "Megadrive",
        "8,00\u00a0€",
        "argus 20,00\u00a0€ × 40\u00a0%",
        "Boîte et notice requises",
        "Pas de jeux import",
        "OUI, je le vends",
        f"/jaquette/{game.ean}",
    ):
        assert words in page


@pytest.mark.parametrize(
    "words",
    [
        "123",
        "5060327534394",
        "' OR 1=1 --",
        "<script>",
        "5060327534393" * 20,
        "\x00",
        "%00",
        "😀",
        "5,06E+12",
    ],
)
def test_anything_typed_as_a_barcode_gets_a_sentence_and_no_error(client, words):
    answer = client.get("/", query_string={"ean": words})
    assert answer.status_code == 200
    assert "Code-barres à relire" in answer.text
    assert "<script>" not in answer.text


def test_unknown_and_not_bought_are_told_differently(client):
    game = factories.a_game("Vieux jeu", argus_cents=0)
    assert "équipe catalogue" in client.get("/?ean=5060327534393").text
    assert "Nous ne reprenons pas" in client.get(f"/?ean={game.ean}").text


def test_the_cart_counts_and_says_what_is_missing(client):
    page = add(client, factories.a_game(argus_cents=2550)).text
    assert re.search(r'id="compteur">1<', page)
    assert "10,20\u00a0€" in page
    assert "4,80\u00a0€" in page


def test_a_price_or_a_title_in_hidden_fields_is_ignored(client):
    game = factories.a_game(argus_cents=2000)
    add(client, game, price="999,00", price_cents="99900", total="1", title="x")
    line = db.session.scalars(select(OfferLine)).one()
    assert line.price_cents == 800
    assert line.title == "Astro Renard"


def test_removing_under_the_threshold_blocks_again_and_undo_brings_back(client):
    add(client, factories.a_game(argus_cents=2500)), add(client, factories.a_game(argus_cents=2500))
    line = db.session.scalars(select(OfferLine)).first()
    page = client.post(
        f"/panier/retirer/{line.id}", data={"from": "recap"}, follow_redirects=True
    ).text
    assert "disabled" in page
    assert "5,00\u00a0€" in page
    assert "Annuler" in page
    page = client.post(
        f"/panier/remettre/{line.id}", data={"from": "recap"}, follow_redirects=True
    ).text
    assert "20,00\u00a0€" in page
    assert "Seuil de 15,00\u00a0€ atteint" in page


def test_nobody_touches_the_lines_of_another_cart(client, app):
    add(client, factories.a_game())
    line = db.session.scalars(select(OfferLine)).one()
    stranger = app.test_client()
    assert (
        "plus dans votre panier"
        in stranger.post(f"/panier/retirer/{line.id}", follow_redirects=True).text
    )
    db.session.expire_all()
    assert db.session.get(OfferLine, line.id).removed_at is None


def test_a_form_sent_twice_adds_once(client):
    game = factories.a_game()
    for _n in range(3):
        add(client, game, form_token="un-seul-jeton")
    assert db.session.scalar(select(func.count(OfferLine.id))) == 1


def test_the_script_gets_the_parts_of_the_page_that_changed(client):
    game = factories.a_game()
    answer = client.post("/panier/ajouter", data={"ean": game.ean}, headers={"X-Fragment": "1"})
    assert answer.status_code == 200
    assert "<html" not in answer.text
    for part in ('id="ticket"', 'id="panier"', 'id="toast"'):
        assert part in answer.text
    assert "8,00\u00a0€" in answer.text
    assert "comptoir_panier" in answer.headers.get("Set-Cookie", "")


def test_a_refusal_reaches_the_script_as_a_toast(client):
    answer = client.post("/panier/ajouter", data={"ean": "123"}, headers={"X-Fragment": "1"})
    assert answer.status_code == 409
    assert 'id="toast"' in answer.text
    assert "celui-ci en a 3" in answer.text


def test_finalising_without_account_asks_for_one_and_keeps_the_cart(client):
    add(client, factories.a_game(argus_cents=9000))
    answer = client.post("/finaliser")
    assert answer.status_code == 302
    assert "/compte/creer" in answer.location
    page = client.post(
        answer.location,
        data={
            "first_name": "Camille",
            "last_name": "Aubry",
            "address": "12 rue des Tanneurs",
            "postcode": "44000",
            "city": "Nantes",
            "phone": "0612345678",
            "email": "camille@exemple.fr",
            "password": factories.PASSWORD,
            "conditions": "y",
            "suite": "/recapitulatif",
        },
        follow_redirects=True,
    ).text
    assert "36,00\u00a0€" in page
    thanks = client.post("/finaliser", follow_redirects=True).text
    assert ("CDE000000001" in thanks and "24 à 48\u00a0h" in thanks) or "24 à 48 h" in thanks
    assert db.session.scalars(select(Offer)).one().status is OfferState.to_check


def test_finalising_twice_makes_one_offer_and_the_same_page(as_customer):
    camille = factories.a_customer()
    factories.a_cart(factories.a_game(argus_cents=9000), customer=camille)
    client = as_customer(camille)
    first = client.post("/finaliser", data={"form_token": "jeton"})
    second = client.post("/finaliser", data={"form_token": "jeton"})
    assert first.location == second.location == "/merci/CDE000000001"
    assert db.session.scalar(select(func.count(Offer.id))) == 1


def test_twenty_clicks_at_once_make_one_offer(app, as_customer):
    camille = factories.a_customer()
    factories.a_cart(factories.a_game(argus_cents=9000), customer=camille)
    clients, answers = [as_customer(camille) for _n in range(20)], []
    db.session.remove()
    threads = [
        threading.Thread(
            target=lambda c=c: answers.append(
                c.post("/finaliser", data={"form_token": "jeton"}).location
            )
        )
        for c in clients
    ]
    [t.start() for t in threads], [t.join() for t in threads]
    assert (
        db.session.scalar(select(func.count(Offer.id)).where(Offer.status == OfferState.to_check))
        == 1
    )
    assert set(answers) == {"/merci/CDE000000001"}


def test_prices_that_moved_are_shown_before_anything_is_sent(as_customer):
    camille = factories.a_customer()
    factories.a_cart(factories.a_game("Astro Renard", argus_cents=9000), customer=camille)
    factories.a_rule(rate_bp=3000)
    client = as_customer(camille)
    assert "passe de 36,00" in client.get("/recapitulatif").text
    page = client.post("/finaliser", follow_redirects=True).text
    assert "Des prix ont changé" in page
    assert "27,00\u00a0€" in page
    assert client.post("/finaliser").location == "/merci/CDE000000001"


def test_the_recap_adds_up_at_todays_prices_and_one_click_accepts_them(as_customer):
    camille = factories.a_customer()
    moved, gone = (
        factories.a_game("Astro Renard", argus_cents=9000),
        factories.a_game("Nitro", "PS2", argus_cents=5000),
    )
    factories.a_cart(moved, gone, customer=camille)
    factories.a_rule(rate_bp=3000, ean=moved.ean)
    factories.a_rule(ean=gone.ean, effect=RuleEffect.exclude)
    client = as_customer(camille)
    page = client.get("/recapitulatif").text
    assert 'id="total">27,00\u00a0€' in page
    assert page.count('class="line"') == 1  # what is no longer bought is not in the list
    assert 'name="seen_total" value="2700"' in page
    assert client.post("/finaliser", data={"seen_total": "2700"}).location == (
        "/merci/CDE000000001"
    )
    assert db.session.scalars(select(Offer)).one().proposed_cents == 2700


def test_a_total_that_is_no_longer_todays_sends_nothing(as_customer):
    camille = factories.a_customer()
    factories.a_cart(factories.a_game(argus_cents=9000), customer=camille)
    factories.a_rule(rate_bp=3000)
    client = as_customer(camille)
    assert client.post("/finaliser", data={"seen_total": "3600"}).location == "/recapitulatif"
    assert db.session.scalars(select(Offer)).one().status is OfferState.draft


# ── where the carrier takes no parcel ──


def overseas(**columns):
    return factories.a_customer(postcode="97400", city="Saint-Denis", **columns)


def test_who_lives_where_the_carrier_takes_no_parcel_is_told_before_the_offer(as_customer):
    seller = overseas()
    factories.a_cart(factories.a_game(argus_cents=9000), customer=seller)
    page = as_customer(seller).get("/recapitulatif").text
    assert "Notre transporteur ne prend pas de colis là où vous habitez (97400)" in page
    factories.a_cart(factories.a_game(argus_cents=9000), customer=factories.a_customer())
    nantes = as_customer(factories.a_customer()).get("/recapitulatif").text
    assert "ne prend pas de colis" not in nantes


def test_no_label_is_ordered_overseas_and_the_mail_says_where_to_send(as_customer, mail, carrier):
    factories.a_contract()
    seller = overseas()
    offer = factories.an_accepted_offer(factories.a_game(argus_cents=9000), customer=seller)
    outbox.work()
    assert carrier.shipments == {}
    (letter,) = factories.letters("offer_validated")
    assert "à vos frais" in letter.body
    assert parcels.address_to_send_to(offer) in letter.body
    page = as_customer(seller).get(f"/ventes/{offer.number}").text
    assert "à vos frais" in page
    with pytest.raises(Refused, match="97400"), unit_of_work() as session:
        parcel = session.get_one(Offer, offer.id).parcels[0]
        parcels.ask_again(parcel, by=factories.MARC)


def test_a_shop_whose_carrier_goes_everywhere_says_so(as_customer, carrier):
    factories.a_contract()
    with unit_of_work():
        settings.change("no_label_from", "", by=factories.LEA)
    factories.an_accepted_offer(factories.a_game(argus_cents=9000), customer=overseas())
    outbox.work()
    assert len(carrier.shipments) == 1


def test_beginnings_of_postcodes_are_read_and_anything_else_refused(app):
    with unit_of_work():
        settings.change("no_label_from", "97, 988 ; 20", by=factories.LEA)
    assert settings.value("no_label_from") == "97 988 20"
    assert parcels.is_out_of_reach("20000")
    assert not parcels.is_out_of_reach("98000")
    with pytest.raises(Refused, match="97 98"), unit_of_work():
        settings.change("no_label_from", "La Réunion", by=factories.LEA)


def test_under_the_threshold_nothing_is_sent_whatever_the_form_says(as_customer):
    camille = factories.a_customer()
    factories.a_cart(factories.a_game(argus_cents=1000), customer=camille)
    page = as_customer(camille).post("/finaliser", data={"total": "99"}, follow_redirects=True)
    assert page.status_code == 200
    assert "Plus que 11,00" in page.text


def test_another_customers_sale_does_not_exist(as_customer):
    offer = factories.an_offer()
    stranger = as_customer(factories.a_customer())
    assert stranger.get(f"/ventes/{offer.number}").status_code == 404
    assert (
        stranger.post(f"/ventes/{offer.number}/repondre", data={"answer": "agree"}).status_code
        == 404
    )
    assert stranger.get(f"/merci/{offer.number}").status_code == 404


def test_my_sales_show_the_next_thing_to_do(as_customer):
    offer = factories.a_second_chance()
    client = as_customer(offer.customer)
    assert offer.number in client.get("/ventes").text
    page = client.get(f"/ventes/{offer.number}").text
    assert "26,00\u00a0€" in page
    assert "Boîtes abîmées." in page
    assert "accepte" in page
    done = client.post(
        f"/ventes/{offer.number}/repondre", data={"answer": "agree"}, follow_redirects=True
    ).text
    assert "validée au nouveau prix" in done
    again = client.post(
        f"/ventes/{offer.number}/repondre", data={"answer": "agree"}, follow_redirects=True
    )
    assert again.status_code == 200
    assert (
        "n’est plus possible"
        in client.post(
            f"/ventes/{offer.number}/repondre", data={"answer": "disagree"}, follow_redirects=True
        ).text
    )


def test_the_internal_remark_is_never_on_a_sellers_page(as_customer):
    from services.buyback import offers

    offer = factories.an_offer()
    with unit_of_work():
        offers.remark(offer, "client douteux", by=factories.MARC)
    assert "douteux" not in as_customer(offer.customer).get(f"/ventes/{offer.number}").text


def test_games_are_added_to_a_sale_from_the_recap(as_customer):
    offer = factories.an_accepted_offer()
    client = as_customer(offer.customer)
    client.post("/panier/ajouter", data={"ean": factories.a_game(argus_cents=1000).ean})
    assert f"Ajouter à ma vente {offer.number}" in client.get("/recapitulatif").text
    assert "n’envoyez pas le colis avant" in client.get("/recapitulatif").text
    done = client.post(f"/completer/{offer.number}", follow_redirects=True).text
    assert "n’envoyez pas encore le colis" in done


def test_a_camera_picture_is_read_and_a_bad_one_is_a_sentence(client):
    assert client.post("/scanner", data=barcode(), content_type="image/jpeg").json == {
        "ean": "5060327534393"
    }
    for data in (b"", b"<svg/>", b"\xff\xd8garbage", b"x" * 13_000_000):
        answer = client.post("/scanner", data=data, content_type="image/jpeg")
        assert answer.status_code in (413, 422), answer.status_code
        if answer.status_code == 422:
            assert answer.json["ean"] is None
            assert answer.json["error"].endswith(".")


def test_a_photo_works_without_script(client):
    import io

    answer = client.post("/photo", data={"photo": (io.BytesIO(barcode()), "p.jpg")})
    assert answer.location.endswith("?ean=5060327534393")
    answer = client.post(
        "/photo", data={"photo": (io.BytesIO(b"%PDF-1.4"), "p.jpg")}, follow_redirects=True
    )
    assert "pas une photo" in answer.text


def test_a_file_of_more_than_60_mb_is_refused_politely(client):
    answer = client.post("/scanner", data=b"x" * 61_000_000, content_type="image/jpeg")
    assert answer.status_code == 413
    assert "trop lourd" in answer.json["message"]


def test_too_many_barcodes_from_one_address_are_slowed_down(client):
    from services import settings
    from tests.factories import LEA

    with unit_of_work():
        settings.change("quotes_per_minute", "10", by=LEA)
    codes = [client.get("/?ean=5060327534393").status_code for _n in range(12)]
    assert codes == [200] * 10 + [429] * 2


def test_visits_are_counted_from_real_pages(client):
    client.get("/", headers={"User-Agent": "Mozilla/5.0 Firefox/140"})
    client.get("/", headers={"User-Agent": "Mozilla/5.0 Firefox/140"})
    with unit_of_work():
        visits.count()
    assert db.session.scalar(select(VisitDay.visitors)) == 1


def test_a_cart_is_found_again_after_a_week_less_a_day_and_on_another_device(client, app):
    game = factories.a_game("Astro Renard")
    add(client, game)
    with clock.at(clock.now() + timedelta(days=6)):
        assert "Astro Renard" in client.get("/recapitulatif").text
    factories.a_customer_with_password()
    credentials = {"email": "camille@exemple.fr", "password": factories.PASSWORD}
    client.post("/compte/connexion", data=credentials)
    elsewhere = app.test_client()
    elsewhere.post("/compte/connexion", data=credentials)
    assert "Astro Renard" in elsewhere.get("/recapitulatif").text


def test_who_keeps_no_cookie_begins_so_many_sales_an_hour_and_no_more(app, monkeypatch):
    from portal import sell

    monkeypatch.setattr(sell, "CARTS_AN_HOUR", 3)
    game = factories.a_game()
    for _n in range(3):
        assert add(app.test_client(), game).status_code == 200
    refused = add(app.test_client(), game)
    assert "cookie" in refused.text
    assert db.session.scalar(select(func.count(Offer.id))) == 3


def test_a_sale_begun_goes_on_whatever_others_begin(client, app, monkeypatch):
    from portal import sell

    game = factories.a_game()
    add(client, game)
    monkeypatch.setattr(sell, "CARTS_AN_HOUR", 1)
    assert add(client, factories.a_game("Autre Jeu")).status_code == 200


def test_customers_behind_one_address_each_begin_their_sale(as_customer, monkeypatch):
    from portal import sell

    monkeypatch.setattr(sell, "CARTS_AN_HOUR", 1)
    game = factories.a_game()
    for n in range(3):
        customer = factories.a_customer(f"voisin{n}@exemple.fr")
        assert add(as_customer(customer), game).status_code == 200
    assert db.session.scalar(select(func.count(Offer.id))) == 3


def test_a_network_of_ipv6_counts_as_one_address_and_another_address_for_itself(app, monkeypatch):
    from portal import sell

    monkeypatch.setattr(sell, "CARTS_AN_HOUR", 3)
    game = factories.a_game()
    for address in (*(f"2001:db8::{n}" for n in range(1, 7)), "203.0.113.7"):
        visitor = app.test_client()
        visitor.environ_base = {"REMOTE_ADDR": address}
        add(visitor, game)
    assert db.session.scalar(select(func.count(Offer.id))) == 4


def test_help_and_conditions_say_what_the_settings_decide(as_customer):
    with unit_of_work():
        settings.change("return_fee_cents", "5,10", by=factories.MARC)
        settings.change("drop_off_days", "12", by=factories.MARC)
        settings.change("default_outcome", "recycled", by=factories.MARC)
    for page in ("/aide", "/conditions"):
        text = as_customer(factories.a_customer()).get(page).text
        assert "5,10" in text
        assert "12 jours pour déposer" in text
        assert "18 ans" in text
    assert "recyclé" in text


def test_a_seller_ends_a_sale_they_will_not_send(as_customer):
    offer = factories.an_accepted_offer()
    client = as_customer(offer.customer)
    assert "Je n’enverrai pas mes jeux" in client.get(f"/ventes/{offer.number}").text
    done = client.post(f"/ventes/{offer.number}/renoncer", follow_redirects=True).text
    assert "Votre vente est close" in done
    assert "Je n’enverrai pas mes jeux" not in done


def test_store_credit_is_given_only_after_a_second_gesture(as_customer):
    offer = factories.a_received_offer()
    client, path = as_customer(offer.customer), f"/ventes/{offer.number}/paiement"
    asked = client.post(path, data={"means": "store_credit"}, follow_redirects=True).text
    assert "C’est définitif" in asked
    assert "Oui, un bon d’achat de" in asked
    given = client.post(
        path, data={"means": "store_credit", "confirmed": "yes"}, follow_redirects=True
    ).text
    assert "BON" in given
    assert "Montrez ce code-barres" in given


def test_the_statement_says_what_was_bought_and_what_is_paid(as_customer):
    offer = factories.a_received_offer()
    sent = factories.an_accepted_offer(customer=offer.customer)
    client = as_customer(offer.customer)
    assert client.get(f"/ventes/{sent.number}/releve.pdf").status_code == 404
    text = paper.read(client.get(f"/ventes/{offer.number}/releve.pdf").data)
    assert "Relevé d" in text
    assert "Accepté au contrôle" in text


def test_the_list_of_sales_shows_what_is_paid_beside_what_was_announced(as_customer):
    offer = factories.an_open_parcel(
        factories.a_game("A", "PS5", 5000), factories.a_game("B", "PS5", 3000)
    )
    first, second = offer.lines
    factories.sent(first)
    factories.countered(second, 500)
    offer = factories.ended(offer)
    text = as_customer(offer.customer).get("/ventes").text
    assert "32,00" in text
    assert "20,00" in text
