"""The dossier of a sale: the next action, and everything on one timeline."""

from collections.abc import Callable

import pytest

from models import Offer
from services.buyback import dossier, reception
from services.buyback.dossier import Next
from services.unit import db, unit_of_work
from tests import factories
from tests.factories import MARC


def with_an_answer_awaited() -> Offer:
    offer = factories.an_open_parcel(factories.a_game("Astro Renard", "Megadrive", 5000))
    factories.countered(offer.lines[0], 1000)
    id = factories.ended(offer).id
    with unit_of_work() as session:
        reception.tell(session.get_one(Offer, id), by=MARC)
    return db.session.get_one(Offer, id)


STEPS: dict[Next, Callable[[], Offer]] = {
    Next.validate: factories.an_offer,
    Next.await_answer: factories.a_second_chance,
    Next.await_parcel: factories.an_accepted_offer,
    Next.follow_parcel: lambda: factories.a_parcel("in_transit").offer,
    Next.ask_carrier: lambda: factories.a_parcel("incident").offer,
    Next.receive: lambda: factories.a_parcel("delivered").offer,
    Next.await_choices: with_an_answer_awaited,
    Next.await_iban: factories.a_received_offer,
    Next.pay: lambda: factories.a_payment().offer,
    Next.await_bank: lambda: factories.a_batch(1).lines[0].payment.offer,
}


@pytest.mark.parametrize("step", STEPS, ids=str)
def test_the_next_action_of_a_sale_is_said(app, step):
    assert dossier.next_step(STEPS[step]()) is step


def test_a_label_nobody_could_make_comes_first(app, carrier):
    factories.a_contract()
    carrier.refuses()
    assert dossier.next_step(factories.a_parcel().offer) is Next.mend_label


def test_the_timeline_holds_what_happened_to_all_that_hangs_on_a_sale(app):
    offer = factories.a_received_offer()
    facts = dossier.happened(offer)
    assert {fact.kind for fact in facts} >= {"offer", "parcel", "seller_payment", "message"}
    assert [fact.at for fact in facts] == sorted((fact.at for fact in facts), reverse=True)
    assert "Offre acceptée" in {fact.words for fact in facts}


def test_the_timeline_of_a_sale_holds_nothing_of_another(app):
    offer = factories.an_offer()
    other = factories.a_received_offer()
    assert all(other.slip not in fact.words for fact in dossier.happened(offer))
    assert {fact.kind for fact in dossier.happened(offer)} == {"offer", "message"}


def test_the_page_of_a_sale_opens_the_next_action_for_who_may_do_it(as_staff):
    parcel = factories.a_parcel("delivered")
    marc = as_staff("Opérateur reprise", factories.the_vendor())
    page = marc.get(f"/gestion/offres/show/{parcel.offer_id}").text
    assert "Le colis est là : contrôlez-le." in page.replace("\xa0", " ")
    assert f"/gestion/reception/{parcel.offer.number}" in page
    assert "Fil de la vente" in page
    ines = as_staff("Comptable", factories.the_vendor())
    page = ines.get(f"/gestion/offres/show/{parcel.offer_id}").text
    assert f'href="/gestion/reception/{parcel.offer.number}"' not in page
