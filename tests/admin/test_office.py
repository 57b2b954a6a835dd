"""The back office at work: validation screen, dashboard, lists, settings, staff and their
sessions.
"""

import io
from datetime import timedelta

import pytest
from sqlalchemy import select

from models import BuyingRule, ImportRun, Message, Offer, OfferState, SavedView, Site, StaffAccount
from services import clock, outbox
from services.buyback import offers
from services.unit import db, unit_of_work
from tests import factories
from tests.factories import MARC, PASSWORD


@pytest.fixture
def boss(as_staff):
    return as_staff("Administrateur")


def test_the_red_tile_counts_the_offers_to_check(boss):
    page = boss.get("/gestion/").text
    assert "tile-hot" not in page and "Offres à contrôler" in page and "Rien à faire, bravo" in page
    factories.an_offer(), factories.an_offer()
    page = boss.get("/gestion/").text
    assert "tile-hot" in page and "<b>2</b>" in page
    for label in (
        "Colis en transit",
        "Colis à récupérer",
        "Colis à réceptionner",
        "Visiteurs uniques",
        "Taux de transformation",
    ):
        assert label in page


def test_the_validation_screen_shows_everything_on_one_page(boss):
    game = factories.a_game("Astro Renard", "Megadrive", 9000)
    item = factories.an_item(game)
    factories.an_item(game)
    with unit_of_work():
        from services.stock import items

        items.sell(item, 5990, by=MARC)
    offer = factories.an_offer(game)
    page = boss.get("/gestion/offres/valider/", follow_redirects=True).text
    for words in (
        offer.number,
        offer.customer.name,
        offer.customer.email,
        game.ean,
        "Astro Renard",
        "36,00\u00a0€",
        "59,90\u00a0€",
        "NB Stock",
        "NB Stock vendu",
        "Prix d’achat",
        "Retirer",
        "Remarque interne",
        "Accepter cette proposition",
        "Refuser cette proposition",
        "2ème chance",
        "Supprimer cette proposition",
        "Créer une étiquette MR",
        "Ass1 50 €",
        "Ass2 125 €",
        "Ass3 250 €",
        f"/jaquette/{game.ean}",
    ):
        assert words in page, words


def test_after_a_decision_the_next_offer_comes_by_itself(boss):
    first, second = factories.an_offer(), factories.an_offer()
    answer = boss.post(
        f"/gestion/offres/valider/{first.id}/accept",
        data={"version": first.version},
        follow_redirects=True,
    )
    assert second.number in answer.text and "Acceptée" in answer.text
    done = boss.post(
        f"/gestion/offres/valider/{second.id}/refuse",
        data={"version": second.version, "motive": "Trop."},
        follow_redirects=True,
    ).text
    assert "Tout est à jour" in done


def test_the_second_of_two_people_is_told_what_the_first_did(boss, as_staff):
    offer = factories.an_offer()
    seen = offer.version
    lea = as_staff("Opérateur reprise", factories.the_vendor())
    lea.post(
        f"/gestion/offres/valider/{offer.id}/ligne/{offer.lines[0].id}/remove",
        data={"reason": "jeu import"},
    )
    page = boss.post(
        f"/gestion/offres/valider/{offer.id}/accept", data={"version": seen}, follow_redirects=True
    ).text
    assert "a été plus rapide" in page and "Retirer" in page
    db.session.rollback()
    assert db.session.get(Offer, offer.id).status is OfferState.to_check


def test_removing_a_line_can_be_undone_on_the_screen(boss):
    offer = factories.an_offer()
    line = offer.lines[0]
    page = boss.post(
        f"/gestion/offres/valider/{offer.id}/ligne/{line.id}/remove",
        data={"reason": "jeu import"},
        follow_redirects=True,
    ).text
    assert "jeu import" in page and "retiré" in page
    boss.post(f"/gestion/offres/valider/{offer.id}/ligne/{line.id}/restore")
    db.session.rollback()
    assert offers.kept(db.session.get(Offer, offer.id)) == db.session.get(Offer, offer.id).lines


@pytest.mark.parametrize(
    ("price", "says"),
    [
        ("abc", "n’est pas un montant"),
        ("", "propose moins"),
        ("99999", "propose moins"),
        ("-5", "négatif"),
    ],
)
def test_a_second_chance_with_a_wrong_price_says_why_and_changes_nothing(boss, price, says):
    offer = factories.an_offer()
    data = {f"price-{offer.lines[0].id}": price, "motive": "x"}
    assert (
        says
        in boss.post(
            f"/gestion/offres/valider/{offer.id}/counter", data=data, follow_redirects=True
        ).text
    )
    db.session.rollback()
    assert db.session.get(Offer, offer.id).status is OfferState.to_check


def test_a_second_chance_leaves_with_its_reason(boss):
    offer = factories.an_offer()
    boss.post(
        f"/gestion/offres/valider/{offer.id}/counter",
        data={f"price-{offer.lines[0].id}": "1,00", "motive": "Boîte fendue."},
    )
    db.session.rollback()
    assert db.session.get(Offer, offer.id).status is OfferState.second_chance
    assert "Boîte fendue." in db.session.scalar(
        select(Message.body).where(Message.event == "second_chance")
    )


def test_one_search_opens_the_one_it_finds(boss):
    offer = factories.an_offer()
    game = factories.a_game("Unique au monde")
    assert (
        f"/offres/show/{offer.id}"
        in boss.get(f"/gestion/recherche/?q={offer.number.lower()}").location
    )
    assert (
        f"/produits/show/{game.product_id}"
        in boss.get(f"/gestion/recherche/?q={game.ean}").location
    )
    assert (
        "/vendeurs-particuliers/show/"
        in boss.get(f"/gestion/recherche/?q={offer.customer.email}").location
    )
    assert (
        f"/produits/show/{game.product_id}"
        in boss.get("/gestion/recherche/?q=mondes+uniques").location
    )
    close = boss.get("/gestion/recherche/?q=unniques").text
    assert "Rien ne correspond" in close and "Unique au monde" in close
    for words in ("", "xyzzy", "%", "CDE999", "'", "\\"):
        assert boss.get("/gestion/recherche/", query_string={"q": words}).status_code == 200


def test_a_list_is_filtered_sorted_paged_and_kept_as_a_view(boss):
    for _n in range(3):
        factories.an_offer()
    accepted = factories.an_accepted_offer()
    page = boss.get("/gestion/offres/list/?status=accepted").text
    assert accepted.number in page and "CDE000000001" not in page and "Retirer le filtre" in page
    boss.post(
        "/gestion/offres/save-view", data={"name": "Mes acceptées", "query": "?status=accepted"}
    )
    assert "Mes acceptées" in boss.get("/gestion/offres/list/").text
    boss.post(
        "/gestion/offres/save-view",
        data={"name": "Mes acceptées", "query": "?status=accepted", "forget": "1"},
    )
    db.session.rollback()
    assert db.session.scalar(select(SavedView.id)) is None


def test_a_list_costs_the_same_number_of_statements_whatever_its_rows(boss):
    from sqlalchemy import event

    counted = []

    def count(_connection, _cursor, statement, *_rest):
        if "alembic_version" not in statement:  # asked every few seconds, whatever the page
            counted.append(statement)

    def statements(address):
        counted.clear()
        event.listen(db.engine, "before_cursor_execute", count)
        boss.get(address)
        event.remove(db.engine, "before_cursor_execute", count)
        return len(counted)

    for address in (
        "/gestion/offres/list/",
        "/gestion/stock/list/",
        "/gestion/argus/list/",
        "/gestion/regles/list/",
    ):
        factories.an_offer(), factories.an_item(factories.a_game())
        statements(address)
        few = statements(address)
        for _n in range(6):
            factories.an_offer(), factories.an_item(factories.a_game())
        assert statements(address) == few, address
        assert few <= 20, (address, counted)  # six of them are the menu's counters


def test_a_rule_is_added_checked_and_counts(boss):
    vendor = factories.the_vendor().id
    data = {
        "name": "Megadrive",
        "vendor": vendor,
        "rank": "5",
        "effect": "percentage",
        "rate_bp": "37,5",
        "step_cents": "0,10",
        "active": "y",
        "site": "__None",
        "platform": "__None",
    }
    assert boss.post("/gestion/regles/add", data=data).status_code == 302
    db.session.rollback()
    rule = db.session.scalars(select(BuyingRule).where(BuyingRule.name == "Megadrive")).one()
    assert (rule.rate_bp, rule.step_cents, rule.active) == (3750, 10, True)
    page = boss.post(
        "/gestion/regles/add",
        data={**data, "name": "Fausse", "rate_bp": "", "argus_from_cents": "12,50"},
    )
    assert page.status_code == 422 and "pourcentage" in page.text and 'value="12,50"' in page.text
    for wrong in (
        {"rate_bp": "900"},
        {"rate_bp": "abc"},
        {"step_cents": "-1"},
        {"argus_from_cents": "10", "argus_to_cents": "5"},
        {"ean": "123"},
    ):
        assert boss.post("/gestion/regles/add", data={**data, **wrong}).status_code == 422, wrong
    edited = boss.get(f"/gestion/regles/edit/{rule.id}").text
    assert 'value="37,5"' in edited and "checked" in edited
    boss.post(
        f"/gestion/regles/edit/{rule.id}", data={k: v for k, v in data.items() if k != "active"}
    )
    db.session.rollback()
    assert db.session.get(BuyingRule, rule.id).active is False


def test_a_site_is_dressed_and_given_hosts_or_told_why_not(boss):
    site = factories.the_site()
    page = boss.get(f"/gestion/sites/edit/{site.id}").text
    assert "#6a2c5b" in page
    data = {
        "name": "Chez Manette",
        "vendor": site.vendor_id,
        "kind": "buyback",
        "host_names": "rachat.exemple.fr\nvente.exemple.fr",
        "validation": "automatic",
        "threshold_cents": "20",
        "color_brand": "#3b33b8",
        "color_brand_strong": "#29228c",
        "color_on_brand": "#ffffff",
        "color_accent": "#ffc53d",
        "color_page": "#f8f6f3",
        "color_ink": "#1e1b19",
        "radius": "16",
        "contact_email": "boutique@exemple.fr",
    }
    assert boss.post(f"/gestion/sites/edit/{site.id}", data=data).status_code == 302
    db.session.rollback()
    site = db.session.get(Site, site.id)
    assert (
        [h.host for h in site.hosts] == ["rachat.exemple.fr", "vente.exemple.fr"]
        and site.threshold_cents == 2000
        and site.radius == 16
    )
    refused = boss.post(f"/gestion/sites/edit/{site.id}", data={**data, "color_brand": "#ffffff"})
    assert refused.status_code == 422 and "contraste" in refused.text
    assert (
        boss.post(
            f"/gestion/sites/edit/{site.id}",
            data={**data, "logo_file": (io.BytesIO(b"<svg/>"), "logo.png")},
        ).status_code
        == 422
    )
    db.session.rollback()
    assert db.session.get(Site, site.id).color_brand == "#3b33b8"


def test_a_cover_is_uploaded_and_shown(boss, client):
    from tests.services.test_house import picture

    game = factories.a_game()
    data = {
        "title": "Astro Renard",
        "platform": game.product.platform_id,
        "picture": (io.BytesIO(picture()), "c.jpg"),
    }
    assert boss.post(f"/gestion/produits/edit/{game.product_id}", data=data).status_code == 302
    assert client.get(f"/jaquette/{game.ean}").mimetype == "image/jpeg"


def test_a_product_is_added_with_its_barcode_and_argus(boss, client):
    platform = factories.a_game().product.platform_id
    data = {
        "title": "Nouveau",
        "platform": platform,
        "ean": "5060327534393",
        "argus_cents": "25,00",
    }
    assert boss.post("/gestion/produits/add", data=data).status_code == 302
    assert client.get("/api/v1/quote?ean=5060327534393").json["price"] == "10.00"
    assert "déjà le code-barres" in boss.post("/gestion/produits/add", data=data).text
    assert boss.post("/gestion/produits/add", data={**data, "ean": "12"}).status_code == 422


def test_an_argus_edited_keeps_its_history(boss):
    game = factories.a_game(argus_cents=2000)
    boss.post(f"/gestion/argus/edit/{game.id}", data={"argus_cents": "12,50"})
    db.session.rollback()
    from services.catalogue import argus

    assert [v.value_cents for v in argus.history(db.session.get(type(game), game.id))] == [
        2000,
        1250,
    ]
    assert "12,50" in boss.get(f"/gestion/argus/show/{game.id}").text


def test_a_list_is_imported_from_the_back_office_and_its_errors_come_back(boss):
    content = b"ean;titre;argus\n5060327534393;A.O.T. 2;25\n123;Faux;1\n"
    answer = boss.post(
        "/gestion/imports/fichier/",
        data={"file": (io.BytesIO(content), "liste.csv"), "kind": "argus"},
    )
    looked_at = boss.get(answer.location).text
    assert "A.O.T. 2" in looked_at and 'name="col-argus"' in looked_at
    run = db.session.scalars(select(ImportRun)).one()
    started = boss.post(
        f"/gestion/imports/fichier/{run.id}/start",
        data={"col-ean": "ean", "col-title": "titre", "col-argus": "argus"},
    )
    assert "En attente" in boss.get(started.location).text
    outbox.work()
    page = boss.get(answer.location).text
    assert "Terminé" in page and "celui-ci en a 3" in page
    assert "123;Faux" in boss.get(f"/gestion/imports/fichier/{run.id}/refusees.csv").get_data(
        as_text=True
    )
    assert boss.get(f"/gestion/imports/fichier/{run.id}/fichier").get_data() == content
    assert boss.post("/gestion/imports/fichier/", data={"kind": "argus"}).status_code == 422


def test_settings_are_changed_all_or_none(boss):
    assert (
        "Enregistré"
        in boss.post(
            "/gestion/parametrages/",
            data={"drop_off_days": "12", "cart_days": "3"},
            follow_redirects=True,
        ).text
    )
    wrong = boss.post("/gestion/parametrages/", data={"drop_off_days": "15", "cart_days": "abc"})
    assert wrong.status_code == 422 and "nombre entier" in wrong.text and 'value="15"' in wrong.text
    from services import settings

    assert settings.value("drop_off_days") == 12


def test_a_mail_is_read_opened_and_sent_again(boss, mail):
    factories.an_offer()
    outbox.work()
    id = db.session.scalar(select(Message.id).where(Message.event == "offer_received"))
    assert "Votre proposition" in boss.get(f"/gestion/messages/show/{id}").text
    opened = boss.get(f"/gestion/messages/ouvrir/{id}")
    assert "<h1" in opened.text and "sandbox" in opened.headers["Content-Security-Policy"]
    before = len(mail.letters)
    boss.post(f"/gestion/messages/action/resend/{id}")
    outbox.work()
    assert len(mail.letters) == before + 1


# ── staff ──


def test_staff_sign_in_change_their_first_password_and_their_other_sessions_end(app, client):
    from services.people import staff

    with unit_of_work():
        _user, password = staff.add("ines@exemple.fr", "Comptable", by=MARC)
    answer = client.post(
        "/gestion/login/", data={"username": "ines@exemple.fr", "password": password}
    )
    assert (
        answer.status_code == 302
        and client.get("/gestion/offres/list/").location == "/gestion/mot-de-passe/"
    )
    other = app.test_client()
    other.post("/gestion/login/", data={"username": "ines@exemple.fr", "password": password})
    assert (
        client.post(
            "/gestion/mot-de-passe/", data={"current": "faux", "password": PASSWORD}
        ).status_code
        == 422
    )
    assert (
        client.post(
            "/gestion/mot-de-passe/", data={"current": password, "password": PASSWORD}
        ).status_code
        == 302
    )
    assert (
        client.get("/gestion/offres/list/").location == "/gestion/mon-compte/second-facteur"
    )  # an accountant needs one
    assert "/gestion/login/" in other.get("/gestion/offres/list/").location


def test_staff_are_locked_out_after_five_wrong_passwords(app, client):
    from services.people import staff

    with unit_of_work():
        _user, password = staff.add("ines@exemple.fr", "Comptable", by=MARC)
    for _n in range(5):
        client.post("/gestion/login/", data={"username": "ines@exemple.fr", "password": "faux"})
    page = client.post(
        "/gestion/login/", data={"username": "ines@exemple.fr", "password": password}
    )
    assert page.status_code == 422 and "Trop de mots de passe" in page.text


def test_staff_are_signed_out_when_idle_and_when_access_is_withdrawn(boss, as_staff):
    ines = as_staff("Comptable")
    assert ines.get("/gestion/").status_code == 200
    with clock.at(clock.now() + timedelta(minutes=31)):
        assert "/gestion/login/" in ines.get("/gestion/").location
    marc = as_staff("Opérateur reprise", factories.the_vendor())
    boss.post(f"/gestion/utilisateurs/action/withdraw_access/{marc.user_id}")
    assert "/gestion/login/" in marc.get("/gestion/").location


def test_an_administrator_does_not_lock_himself_out(boss):
    page = boss.post(
        f"/gestion/utilisateurs/action/withdraw_access/{boss.user_id}", follow_redirects=True
    ).text
    assert "votre propre accès" in page


def test_staff_are_added_with_a_password_shown_once(boss):
    data = {"email": "noe@exemple.fr", "role": "Magasin", "vendor": factories.the_vendor().id}
    page = boss.post("/gestion/utilisateurs/ajouter/", data=data, follow_redirects=True).text
    assert "usage unique" in page
    db.session.rollback()
    assert (
        db.session.scalars(
            select(StaffAccount.must_change_password).order_by(StaffAccount.user_id.desc())
        ).first()
        is True
    )
    assert "a déjà un accès" in boss.post("/gestion/utilisateurs/ajouter/", data=data).text


@pytest.mark.parametrize("after", ["https://evil.com/", "//evil.com", "/autre"])
def test_staff_sign_in_never_leads_elsewhere(app, client, after):
    from services.people import staff

    with unit_of_work():
        _user, password = staff.add("ines@exemple.fr", "Comptable", by=MARC)
    answer = client.post(
        f"/gestion/login/?next={after}", data={"username": "ines@exemple.fr", "password": password}
    )
    assert answer.location == "/gestion/"


def test_a_vendor_and_a_platform_are_corrected_without_being_renamed(boss):
    platform = factories.a_game(platform="Wii").product.platform_id
    assert (
        boss.post(
            "/gestion/enseignes/edit/1",
            data={"name": "Ma boutique", "legal_name": "RétroShop SARL"},
        ).status_code
        == 302
    )
    assert (
        boss.post(
            f"/gestion/plateformes/edit/{platform}", data={"name": "Wii", "weight_grams": "210"}
        ).status_code
        == 302
    )
