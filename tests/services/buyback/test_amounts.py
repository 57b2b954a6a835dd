"""What a sale is worth, at each of its steps: one computation for all who read it."""

from models import Offer, PaymentMeans
from services import money, outbox, settings
from services.buyback import amounts, offers, reception
from services.buyback.amounts import Step
from services.people import customers
from services.unit import db, unit_of_work
from tests import factories
from tests.factories import MARC


def named(offer: Offer) -> dict[Step, int]:
    return {step: cents for step, _words, cents in amounts.of(offer).rows()}


def two_games() -> tuple:
    return (
        factories.a_game("Astro Renard", "Megadrive", 5000),
        factories.a_game("Vallée des Brumes", "Switch", 3000),
    )


def with_one_to_take_back() -> Offer:
    """One article bought for 20,00 €, one refused: the seller takes it back at their cost."""
    offer = factories.an_open_parcel(*two_games())
    first, second = offers.active_lines(offer)
    factories.sent(first)
    factories.refused(second)
    outbox.work()  # the label is made, with the relays near the seller
    id = factories.ended(offer).id
    with unit_of_work() as session:
        offer = session.get_one(Offer, id)
        answer = {line.id: "to_return" for line in reception.pending(offer)}
        relay = offer.parcels[0].label.relays[0]["number"]
        reception.answer(offer, answer, relay, by=customers.actor(offer.seller))
    return db.session.get_one(Offer, id)


def test_a_new_offer_is_worth_what_was_announced(app):
    offer = factories.an_offer(*two_games())
    assert named(offer) == {Step.announced: 3200}
    assert not amounts.of(offer).moved


def test_what_the_shop_takes_out_is_in_the_amount_agreed_and_not_in_the_one_announced(app):
    offer = factories.an_offer(*two_games())
    with unit_of_work():
        offers.remove_line(offer, offer.lines[1], "jeu import", by=MARC)
    assert named(offer) == {Step.announced: 3200, Step.agreed: 2000}


def test_a_second_chance_compares_with_what_was_announced_first(app):
    offer = factories.an_offer(*two_games())
    with unit_of_work():
        offers.remove_line(offer, offer.lines[1], "jeu import", by=MARC)
        first = offers.active_lines(offer)[0]
        offers.counter(offer, {first.id: 1500}, "Boîte abîmée.", by=MARC)
    assert named(offer) == {Step.announced: 3200, Step.agreed: 1500}
    (letter,) = factories.letters("second_chance")
    assert "15,00\u00a0€ au lieu de 32,00\u00a0€" in letter.body
    assert "jeu import" in letter.body


def test_the_fee_of_a_return_is_named_and_the_lines_add_up_to_what_is_paid(app, carrier):
    factories.a_contract()
    found = named(with_one_to_take_back())
    assert found == {
        Step.announced: 3200,
        Step.accepted: 2000,
        Step.fee: -440,
        Step.paid: 1560,
    }


def test_store_credit_names_its_bonus_before_and_after_it_is_given(app):
    offer = factories.a_received_offer()
    accepted = amounts.accepted_cents(offer)
    with unit_of_work() as session:
        reception.choose_means(
            session.get_one(Offer, offer.id),
            PaymentMeans.store_credit,
            by=customers.actor(offer.seller),
        )
    offer = db.session.get_one(Offer, offer.id)
    bonus = money.share(accepted, 2000)
    assert named(offer)[Step.bonus] == bonus
    assert named(offer)[Step.paid] == accepted + bonus
    assert amounts.of_all([offer])[offer.id] == amounts.of(offer)
    (letter,) = factories.letters("credit_given")
    assert money.text(accepted + bonus) in letter.body
    assert f"Bonus du bon d’achat : +{money.text(bonus)}" in letter.body


def test_the_bonus_of_a_paid_sale_stays_what_it_was_when_the_setting_changes(app):
    offer = factories.a_received_offer()
    with unit_of_work() as session:
        reception.choose_means(session.get_one(Offer, offer.id), PaymentMeans.store_credit, by=MARC)
    before = amounts.of(db.session.get_one(Offer, offer.id))
    with unit_of_work():
        settings.change("credit_bonus_percent", "50", by=MARC)
    assert amounts.of(db.session.get_one(Offer, offer.id)) == before


def test_a_sale_that_ends_without_a_purchase_says_what_was_announced(app):
    offer = factories.an_offer(*two_games())
    with unit_of_work():
        offers.refuse(offer, "Trop vieux.", by=MARC)
    assert named(offer) == {Step.announced: 3200}
