"""The document « Reprise web jeux vidéo », chapters 1 to 5.2, in its own words: Camille sells, Marc
checks.
"""

from datetime import timedelta

from sqlalchemy import select

import demo
from demo import cast
from models import BuyingRule, Customer, Event, Message, Offer, OfferState, Site, Vendor
from services import clock, outbox, visits
from services.buyback import offers
from services.finance import dashboards
from services.installation import agreement
from services.stock import items
from services.unit import db, unit_of_work
from tests import factories
from tests.factories import PASSWORD


def test_a_lot_of_games_from_the_scan_to_the_accepted_offer(app, client, as_staff, mail):
    # 1. Site de rachat personnalisable: the shop's name, colours, threshold, where offers are
    # announced.
    boss, site = as_staff("Administrateur"), factories.the_site()
    marc = as_staff("Opérateur reprise", factories.the_vendor())
    boss.post(
        f"/gestion/sites/edit/{site.id}",
        data={
            "name": "GamePop",
            "vendor": site.vendor_id,
            "kind": "buyback",
            "host_names": "gamepop.localhost",
            "validation": "manual",
            "threshold_cents": "15,00",
            "color_brand": "#3b33b8",
            "color_brand_strong": "#29228c",
            "color_on_brand": "#ffffff",
            "color_accent": "#ffc53d",
            "color_page": "#f8f6f3",
            "color_ink": "#1e1b19",
            "radius": "16",
            "contact_email": "boutique@gamepop.test",
            "short_conditions": "Boîte et notice requises\nPas de jeux import",
        },
    )
    home = client.get("/", headers={"Host": "gamepop.localhost"}).text
    assert "GamePop" in home
    assert f"/marque/{site.id}-" in home

    # 2. Estimation: a Megadrive game taken at 40 % of the argus, with its conditions.
    renard = factories.a_game("Astro Renard", "Megadrive", 2000)
    arkeon, imported = (
        factories.a_game("Chroniques d’Arkéon", "PS4", 1300),
        factories.a_game("Jeu import", "PS4", 5000),
    )
    boss.post(
        "/gestion/regles/add",
        data={
            "name": "Megadrive 40 %",
            "vendor": site.vendor_id,
            "rank": "1",
            "effect": "percentage",
            "rate_bp": "40",
            "active": "y",
            "platform": renard.product.platform_id,
            "site": "__None",
        },
    )
    page = client.get(f"/?ean={renard.ean}").text
    assert "argus 20,00\u00a0€ × 40\u00a0% (Megadrive) = 8,00\u00a0€" in page
    assert "Boîte et notice requises" in page

    # 3. Under the threshold nothing can be finalised; over it, the recap shows everything.
    client.post("/panier/ajouter", data={"ean": renard.ean})
    assert "7,00\u00a0€" in client.get("/recapitulatif").text
    assert "disabled" in client.get("/recapitulatif").text
    for game in (arkeon, imported):
        client.post("/panier/ajouter", data={"ean": game.ean})
    assert "33,20\u00a0€" in client.get("/recapitulatif").text

    # 3.1 Création de compte vendeur: the anonymous cart survives. 3.2 Validation manuelle: « sous
    # 24 à 48 h ».
    client.post(
        "/compte/creer",
        data={
            "first_name": "Camille",
            "last_name": "Aubry",
            "address": "12 rue des Tanneurs",
            "postcode": "44000",
            "city": "Nantes",
            "phone": "0612345678",
            "email": "camille@exemple.fr",
            "password": PASSWORD,
            "conditions": "y",
        },
    )
    thanks = client.post("/finaliser", follow_redirects=True).text
    assert "24 à 48 h" in thanks
    assert "CDE000000001" in thanks
    outbox.work()
    assert (
        mail.sent_to("boutique@gamepop.test")[0].subject.replace("\u00a0", " ")
        == "Nouvelle proposition CDE000000001 : 33,20 €"
    )
    assert {letter.subject for letter in mail.sent_to("camille@exemple.fr")} == {
        "Confirmez votre adresse e-mail",
        "Votre proposition CDE000000001 est reçue",
    }

    # 4. Dashboard: the tile is red; it leads to « Achat à valider ».
    assert "tile-hot" in marc.get("/gestion/").text
    screen = marc.get("/gestion/offres/valider/", follow_redirects=True).text
    assert "Camille Aubry" in screen
    assert "camille@exemple.fr" in screen
    assert "NB Stock vendu" in screen

    # 5. Validation: the import is taken out, the rest accepted; the seller is told what was
    # removed.
    offer = db.session.scalars(select(Offer)).one()
    line = next(line for line in offer.lines if line.title == "Jeu import")
    marc.post(
        f"/gestion/offres/valider/{offer.id}/ligne/{line.id}/remove", data={"reason": "jeu import"}
    )
    marc.post(f"/gestion/offres/valider/{offer.id}/remarque", data={"remark": "Belle collection."})
    db.session.rollback()
    marc.post(
        f"/gestion/offres/valider/{offer.id}/accept",
        data={"version": db.session.get(Offer, offer.id).version},
    )
    db.session.rollback()
    offer = db.session.scalars(select(Offer)).one()
    assert offer.status is OfferState.accepted
    assert offer.total_cents == 1320
    assert offer.remark == "Belle collection."
    factories.a_moment_later()
    letter = mail.sent_to("camille@exemple.fr")[-1]
    assert "validée" in letter.subject
    assert "13,20" in letter.text
    assert "jeu import" in letter.text
    assert "Belle collection" not in letter.text
    assert "http://gamepop.localhost:8000/ventes/CDE000000001" in letter.text
    verbs = list(
        db.session.scalars(select(Event.verb).where(Event.subject == "offer").order_by(Event.id))
    )
    assert verbs == ["finalise", "remove_line", "remark", "accept"]


def test_the_demonstration_tells_a_month_by_the_same_verbs(app):
    assert "démonstration est là" in demo.tell()
    db.session.rollback()
    assert "déjà là" in demo.tell()
    states = set(db.session.scalars(select(Offer.status)))
    assert {OfferState.to_check, OfferState.accepted, OfferState.refused} <= states
    board = dashboards.buyback()
    assert board.to_check >= 3
    assert board.visitors.total > 500
    assert 0 < board.conversion.total < 50
    assert len(board.visitors.values) == len(board.conversion.values) == 60
    vendor = db.session.scalars(select(Vendor).where(Vendor.name == "RétroShop")).one()
    assert items.sold_of(vendor.id, [1, 2, 3])
    assert db.session.scalar(select(db.func.count(Customer.id))) == len(cast.SELLERS)
    assert db.session.scalar(select(db.func.count(Site.id))) == 2
    assert db.session.scalar(select(db.func.count(BuyingRule.id))) == 6
    for message in db.session.scalars(select(Message)):
        assert "{{" not in message.body
        assert "None" not in message.body
    for offer in db.session.scalars(select(Offer).where(Offer.status == OfferState.accepted)):
        assert offer.total_cents == sum(line.price_cents for line in offers.active_lines(offer))
        assert offer.decided_at > offer.finalised_at
    assert list(agreement.check()) == [], "its first visitor is shown no alarm"


def test_the_conversion_rate_is_offers_over_daily_visitors(app):
    site = factories.the_site()
    today = clock.today()
    with unit_of_work():
        visits.put(site.id, today, 20)
        visits.put(site.id, today - timedelta(days=59), 5)
        visits.put(site.id, today - timedelta(days=60), 1000)
    factories.an_offer()
    visitors, conversion = dashboards.charts()
    assert visitors.total == 25
    assert visitors.values[-1] == 20
    assert conversion.values[-1] == 5.0
    assert conversion.total == 4.0
