"""How far a sale is, as its seller reads it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from models import Offer, PaymentState, SellerPayment
from services.buyback import offers, parcels, progress
from services.buyback.progress import Stage
from services.payments import bank_details, seller_payments
from services.people import customers
from services.unit import db, unit_of_work
from tests import factories
from tests.factories import MARC
from tests.services.payments.test_transfers import read, said

PANELS = Path(__file__).parents[3] / "templates" / "portal" / "sell" / "next"


def steps(offer: Offer) -> dict[str, str]:
    """The follow-up as the page draws it: each step « done », « now » or « to come »."""
    return {
        step.text: "done" if step.done else "now" if step.now else "to come"
        for step in progress.steps(offer)
    }


def a_sale_whose_transfer_came_back() -> Offer:
    batch = factories.a_batch(1)
    read(said(batch, CDE000000001="RJCT:AC04"))
    (line,) = batch.lines
    return line.payment.offer


def with_an_open_parcel_then_refused() -> Offer:
    offer = factories.an_open_parcel(factories.a_game("Astro Renard", "Megadrive", 5000))
    factories.refused(offers.active_lines(offer)[0])
    return factories.ended(offer)


def on_its_way() -> Offer:
    return factories.a_parcel("in_transit").offer


def with_its_iban(offer_id: int) -> Offer:
    offer = db.session.get_one(Offer, offer_id)
    factories.an_iban(offer.customer)
    return db.session.get_one(Offer, offer_id)


def decided(verb: str) -> Offer:
    id = factories.an_offer().id
    with unit_of_work() as session:
        offer = session.get_one(Offer, id)
        if verb == "refuse":
            offers.refuse(offer, "Boîtes abîmées.", by=MARC)
        else:
            offers.counter(
                offer, {line.id: 100 for line in offers.active_lines(offer)}, "Vu.", by=MARC
            )
            offers.answer(offer, agrees=False, by=customers.actor(offer.seller))
    return db.session.get_one(Offer, id)


STAGES: dict[Stage, Callable[[], Offer]] = {
    Stage.to_check: factories.an_offer,
    Stage.second_chance: factories.a_second_chance,
    Stage.to_drop_off: factories.an_accepted_offer,
    Stage.on_its_way: on_its_way,
    Stage.on_the_bench: factories.an_open_parcel,
    Stage.incident: lambda: factories.a_parcel("incident").offer,
    Stage.to_answer: with_an_open_parcel_then_refused,
    Stage.awaiting_iban: factories.a_received_offer,
    Stage.sent_back: a_sale_whose_transfer_came_back,
    Stage.paying: lambda: with_its_iban(factories.a_received_offer().id),
    Stage.refused: lambda: decided("refuse"),
    Stage.declined: lambda: decided("disagree"),
}


@pytest.mark.parametrize("stage", STAGES)
def test_a_sale_is_at_one_stage_and_its_page_says_what_happens_next(app, stage):
    offer = STAGES[stage]()
    assert progress.stage(offer) is stage


def test_each_stage_has_its_panel_and_no_panel_is_left_over():
    assert {path.stem for path in PANELS.glob("*.html")} == {stage.value for stage in Stage}


def test_the_steps_are_done_one_after_the_other_and_one_is_under_way(app):
    offer = factories.an_offer()
    assert steps(offer) == {"Proposition envoyée": "done", "Validée": "now"} | dict.fromkeys(
        ("Colis déposé", "Arrivé à la boutique", "Contrôlé", "Payé"), "to come"
    )
    offer = factories.a_parcel("in_transit").offer
    assert steps(offer)["Colis déposé"] == "done"
    assert steps(offer)["Arrivé à la boutique"] == "now"


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("in_transit", "En attente de réception"),
        ("at_relay", "En attente de réception"),
        ("delivered", "Reçu, à examiner"),
        ("incident", "Incident de transport"),
    ],
)
def test_a_parcel_is_told_in_the_seller_s_words(app, status, words):
    assert progress.words(factories.a_parcel(status).offer) == words


def test_a_sale_that_waits_for_its_seller_says_so(app):
    assert progress.words(with_an_open_parcel_then_refused()) == "Votre réponse est attendue"


def test_a_payment_that_waits_for_a_replaced_iban_says_until_when(app):
    id = factories.a_received_offer().id
    with_its_iban(id)
    with unit_of_work() as session:
        offer = session.get_one(Offer, id)
        bank_details.give(
            offer.seller, factories.IBANS[0], "Camille Aubry", site=factories.the_site()
        )
    assert "rien n’y est versé avant le" in progress.payment_sentence(db.session.get_one(Offer, id))


def test_a_refused_sale_ends_with_its_refusal(app):
    assert list(steps(decided("refuse"))) == ["Proposition envoyée", "Non racheté"]


def test_the_payment_is_a_done_step_as_soon_as_its_file_is_made(app):
    batch = factories.a_batch(1)
    offer = batch.lines[0].payment.offer
    assert offer.payment.status is PaymentState.in_file
    assert steps(offer)["Payé"] == "done"
    assert not progress.can_choose_means(offer)
    assert not progress.asks_for_iban(offer)


def test_the_same_answer_to_a_second_chance_twice_is_one_answer(app):
    id = factories.a_second_chance().id
    for _again in range(2):
        with unit_of_work() as session:
            offer = session.get_one(Offer, id)
            offers.answer(offer, agrees=True, by=customers.actor(offer.seller))
    offer = db.session.get_one(Offer, id)
    assert progress.stage(offer) is Stage.to_drop_off
    assert [p for p in offer.parcels if not p.is_return] == [parcels.live_parcel(offer)]


def test_a_payment_kept_back_says_what_the_seller_can_do(app):
    offer = with_an_open_parcel_then_refused()
    assert "vérifications" in progress.payment_sentence(offer)
    offer = factories.a_received_offer()
    with unit_of_work() as session:
        held = session.get_one(SellerPayment, offer.payments[0].id)
        seller_payments.hold(held, "Contrôle de caisse.", by=factories.LEA)
    factories.a_register()
    assert parcels.needs_identity(offer)
    assert "pièce d’identité" in progress.payment_sentence(offer)


def test_a_transfer_that_came_back_thanks_nobody_and_asks_for_the_iban(app):
    offer = a_sale_whose_transfer_came_back()
    assert seller_payments.words_for_seller(offer.payment) == "Virement rejeté, vérifiez votre IBAN"
    assert progress.asks_for_iban(offer)
