"""« Achat à valider »."""

import pytest
from sqlalchemy import select

from models import Message, Offer, OfferState
from services.buyback import offers
from services.unit import db, unit_of_work
from tests import factories
from tests.factories import MARC


@pytest.fixture
def boss(as_staff):
    return as_staff("Administrateur")


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
    assert second.number in answer.text
    assert "Acceptée" in answer.text
    done = boss.post(
        f"/gestion/offres/valider/{second.id}/refuse",
        data={"version": second.version, "motive": "Trop."},
        follow_redirects=True,
    ).text
    assert "Tout est à jour" in done


def test_a_decision_is_undone_from_the_next_page_until_its_mail_leaves(boss):
    offer = factories.an_offer()
    data = {"version": offer.version}
    page = boss.post(
        f"/gestion/offres/valider/{offer.id}/accept", data=data, follow_redirects=True
    ).text
    assert f"{offer.number} : Acceptée." in page.replace("\u00a0", " ")
    assert "Le vendeur est prévenu dans 10 secondes." in page
    undo = f"/gestion/offres/valider/{offer.id}/annuler"
    assert undo in page
    back = boss.post(undo, follow_redirects=True).text
    assert "rien n’est parti" in back
    assert "Accepter cette proposition" in back
    boss.post(f"/gestion/offres/valider/{offer.id}/refuse", data={"motive": "Trop."})
    factories.a_moment_later()
    assert undo not in boss.get("/gestion/").text
    assert "trop tard" in boss.post(undo, follow_redirects=True).text
    db.session.rollback()
    assert db.session.get(Offer, offer.id).status is OfferState.refused


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
    assert "a été plus rapide" in page
    assert "Retirer" in page
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
    assert "jeu import" in page
    assert "retiré" in page
    boss.post(f"/gestion/offres/valider/{offer.id}/ligne/{line.id}/restore")
    db.session.rollback()
    assert (
        offers.active_lines(db.session.get(Offer, offer.id))
        == db.session.get(Offer, offer.id).lines
    )


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
