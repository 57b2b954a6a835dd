"""The life of an offer: from the cart to the decision."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from models import (
    Event,
    Label,
    Message,
    Offer,
    OfferLine,
    OfferState,
    Outbox,
    Parcel,
    RuleEffect,
    ValidationMode,
)
from services import clock, money, outbox, settings, workflow
from services.buyback import amounts, offers, parcels
from services.people import customers
from services.unit import db, unit_of_work
from services.workflow import Refused
from tests import factories
from tests.factories import MARC

S = OfferState


def do(verb, row, *args, **kwargs):
    """One verb in its own unit, on the row as it is now."""
    with unit_of_work() as session:
        verb(session.get_one(type(row), row.id), *args, **kwargs)
    db.session.expire_all()
    return db.session.get(type(row), row.id)


def events(row):
    return [e.verb for e in reversed(workflow.history(row))]


def letters(event):
    return list(db.session.scalars(db.select(Message).where(Message.event == event)))


# ── the cart ──


def test_a_cart_adds_up_its_lines_and_keeps_why(app):
    cart = factories.a_cart(factories.a_game(argus_cents=2000), factories.a_game(argus_cents=925))
    assert (cart.articles, cart.total_cents) == (2, 1170)
    line = cart.lines[0]
    assert (line.argus_cents, line.rate_bp, line.price_cents) == (2000, 4000, 800)
    assert line.rule_id
    assert line.explanation


def test_taking_an_article_out_can_be_undone(app):
    cart = factories.a_cart(factories.a_game(argus_cents=2000))
    with unit_of_work():
        offers.take_out(cart, cart.lines[0])
    assert cart.total_cents == 0
    assert cart.articles == 0
    with unit_of_work():
        offers.put_back(cart, cart.lines[0])
    assert cart.total_cents == 800


def test_copies_of_one_game_are_limited_by_the_site(app):
    with unit_of_work():
        factories.the_site().copies_per_cart = 2
    game = factories.a_game()
    cart = factories.a_cart(game, game)
    with pytest.raises(Refused, match="2 exemplaires"), unit_of_work():
        offers.add(cart, game.ean)
    db.session.expire_all()
    assert db.session.get(Offer, cart.id).articles == 2


def test_a_cart_under_the_threshold_cannot_be_finalised_and_says_what_is_missing(app):
    camille = factories.a_customer()
    cart = factories.a_cart(factories.a_game(argus_cents=2550), customer=camille)
    with pytest.raises(Refused, match="Plus que 4,80"), unit_of_work():
        offers.finalise(cart, camille, by=customers.actor(camille))
    assert db.session.get(Offer, cart.id).status is S.draft


def test_an_empty_cart_cannot_be_finalised_even_without_threshold(app):
    with unit_of_work():
        factories.the_site().threshold_cents = 0
    camille = factories.a_customer()
    cart = factories.a_cart(customer=camille)
    with pytest.raises(Refused, match="panier est vide"), unit_of_work():
        offers.finalise(cart, camille, by=customers.actor(camille))


def test_an_anonymous_cart_becomes_the_customers_and_joins_what_he_had_put_aside(app):
    camille = factories.a_customer()
    own = factories.a_cart(factories.a_game(argus_cents=2000), customer=camille)
    anonymous = factories.a_cart(factories.a_game(argus_cents=1000))
    with unit_of_work():
        offers.adopt(anonymous, camille, factories.the_site())
    kept = offers.cart_of(camille, factories.the_site())
    assert kept.id == own.id
    assert kept.total_cents == 1200
    assert db.session.get(Offer, anonymous.id) is None


def test_a_price_that_moved_is_said_line_by_line_and_brought_up_to_date(app):
    game = factories.a_game("Astro Renard", argus_cents=5000)
    cart = factories.a_cart(game)
    factories.a_rule(rate_bp=3000)
    moves = offers.price_changes(cart)
    assert [(m.before_cents, m.after_cents) for m in moves] == [(2000, 1500)]
    assert "passe de 20,00" in moves[0].sentence
    with unit_of_work():
        offers.reprice(cart)
    assert cart.total_cents == 1500
    assert offers.price_changes(cart) == []


def test_an_article_no_longer_bought_leaves_the_cart_with_a_sentence(app):
    game = factories.a_game()
    cart = factories.a_cart(game)
    factories.a_rule(effect=RuleEffect.exclude)
    with unit_of_work():
        moves = offers.reprice(cart)
    assert moves[0].after_cents is None
    assert cart.articles == 0


def test_carts_nobody_touched_for_a_week_are_emptied(app):
    with clock.at(clock.now() - timedelta(days=8)):
        old = factories.a_cart(factories.a_game())
    new = factories.a_cart(factories.a_game())
    assert list(offers.stale_carts()) == [old.id]
    do(offers.empty, old)
    assert db.session.get(Offer, old.id) is None
    assert db.session.get(Offer, new.id)


# ── sent ──


def test_a_finalised_offer_has_a_number_waits_and_tells_seller_and_shop(app):
    with unit_of_work():
        factories.the_site().contact_email = "boutique@exemple.fr"
    offer = factories.an_offer()
    assert offer.status is S.to_check
    assert offer.number == "CDE000000001"
    assert offer.proposed_cents == offer.total_cents == 2800
    assert events(offer) == ["finalise"]
    assert "24 à 48 h" in letters("offer_received")[0].body
    assert letters("new_offer")[0].recipient == "boutique@exemple.fr"


def test_automatic_validation_accepts_at_once(app):
    with unit_of_work():
        factories.the_site().validation = ValidationMode.automatic
    offer = factories.an_offer()
    assert offer.status is S.accepted
    assert offer.drop_off_by
    assert events(offer) == ["finalise_at_once"]
    assert letters("offer_validated")
    assert not letters("offer_received")


def test_articles_taken_out_before_sending_are_not_part_of_the_offer(app):
    camille = factories.a_customer()
    cart = factories.a_cart(
        factories.a_game(argus_cents=9000), factories.a_game(argus_cents=1000), customer=camille
    )
    with unit_of_work():
        offers.take_out(cart, cart.lines[1])
        offers.finalise(cart, camille, by=customers.actor(camille))
    assert [line.price_cents for line in db.session.get(Offer, cart.id).lines] == [3600]


def test_numbers_follow_each_other_without_a_gap(app):
    first, second = factories.an_offer(), factories.an_offer()
    assert (first.number, second.number) == ("CDE000000001", "CDE000000002")


def test_a_refused_finalisation_takes_no_number(app):
    camille = factories.a_customer()
    cart = factories.a_cart(factories.a_game(argus_cents=100), customer=camille)
    with pytest.raises(Refused), unit_of_work():
        offers.finalise(cart, camille, by=customers.actor(camille))
    assert factories.an_offer().number == "CDE000000001"


# ── decided ──


def test_accepting_says_what_was_taken_out_and_by_when_to_drop_off(app):
    offer = factories.an_offer(
        factories.a_game("Import X", argus_cents=1000),
        factories.a_game("Astro Renard", argus_cents=9000),
    )
    with unit_of_work():
        offers.remove_line(offer, offer.lines[0], "jeu import", by=MARC)
    offer = do(offers.accept, offer, by=MARC)
    assert offer.status is S.accepted
    assert offer.total_cents == 3600
    assert offer.proposed_cents == 4000
    letter = letters("offer_validated")[0].body
    assert "jeu import" in letter
    assert "36,00" in letter
    assert "Astro Renard" in letter
    assert offer.drop_off_by == clock.days_later(10)


def test_taking_out_can_be_undone(app):
    offer = factories.an_offer()
    with unit_of_work():
        offers.remove_line(offer, offer.lines[0], "état", by=MARC)
        offers.restore_line(offer, offer.lines[0], by=MARC)
    assert offer.total_cents == offer.proposed_cents
    assert events(offer) == ["finalise", "remove_line", "restore_line"]


def test_an_offer_without_articles_cannot_be_accepted(app):
    offer = factories.an_offer()
    with unit_of_work():
        for line in offer.lines:
            offers.remove_line(offer, line, "état", by=MARC)
    with pytest.raises(Refused, match="refusez plutôt"), unit_of_work():
        offers.accept(offer, by=MARC)


def test_a_refused_offer_is_told_with_its_reason(app):
    offer = do(offers.refuse, factories.an_offer(), "Trop en stock.", by=MARC)
    assert offer.status is S.refused
    assert "Trop en stock." in letters("offer_refused")[0].body


def test_a_deleted_offer_is_kept_and_its_seller_waits_for_nothing_any_more(app):
    offer = do(offers.delete, factories.an_offer(), by=MARC)
    assert offer.status is S.deleted
    assert offer.lines
    (letter,) = letters("offer_deleted")
    assert "vos jeux restent à vous" in letter.body


def test_an_offer_that_had_its_answer_is_deleted_without_a_word(app):
    offer = do(offers.refuse, factories.an_offer(), "Trop vieux.", by=MARC)
    do(offers.delete, offer, by=MARC)
    assert letters("offer_deleted") == []


# ── « je n’enverrai pas » ──


def test_a_seller_who_will_not_send_ends_the_sale_and_the_shop_knows(app):
    with unit_of_work():
        factories.the_site().contact_email = "boutique@exemple.fr"
    offer = factories.an_accepted_offer()
    offer = do(offers.withdraw, offer, by=customers.actor(offer.seller))
    assert offer.status is S.abandoned
    assert parcels.live_parcel(offer) is None
    (notice,) = letters("sale_withdrawn")
    assert offer.number in notice.subject
    assert not offers.can_withdraw(offer)


def test_an_offer_not_answered_yet_can_be_withdrawn(app):
    offer = factories.an_offer()
    assert offers.can_withdraw(offer)
    offer = do(offers.withdraw, offer, by=customers.actor(offer.seller))
    assert offer.status is S.declined


def test_a_parcel_on_its_way_is_no_longer_withdrawn(app):
    offer = factories.a_parcel("in_transit").offer
    assert not offers.can_withdraw(offer)
    with pytest.raises(Refused, match="déjà en route"):
        do(offers.withdraw, offer, by=customers.actor(offer.seller))


def test_a_sale_checked_again_whose_parcel_left_is_not_withdrawn(app):
    offer = factories.an_accepted_offer()
    cart = factories.a_cart(factories.a_game(argus_cents=1000), customer=offer.seller)
    do(offers.complete, offer, cart, by=customers.actor(offer.seller))
    with unit_of_work() as session:
        parcels.say(parcels.live_parcel(session.get_one(Offer, offer.id)), "drop", by=MARC)
    offer = db.session.get_one(Offer, offer.id)
    assert offer.status is S.to_check
    assert not offers.can_withdraw(offer)


def test_the_time_announced_is_the_one_of_the_settings(app):
    assert offers.checking_time() == "24 à 48 h"
    with unit_of_work():
        settings.change("check_hours", "72", by=MARC)
    assert offers.checking_time() == "72 h"
    factories.an_offer()
    assert "sous 72 h" in letters("offer_received")[0].body


def test_a_shop_may_do_without_the_mail_of_a_step(app):
    with unit_of_work():
        settings.change("mail_offer_received", "no", by=MARC)
    factories.an_offer()
    assert letters("offer_received") == []


def test_the_remark_stays_inside(app):
    offer = do(offers.remark, factories.an_offer(), "client connu", by=MARC)
    do(offers.accept, offer, by=MARC)
    assert offer.remark == "client connu"
    assert all("client connu" not in m.body for m in db.session.scalars(db.select(Message)))


# ── second chance ──


def test_a_second_chance_proposes_less_until_a_date(app):
    offer = factories.a_second_chance()
    assert offer.status is S.second_chance
    assert amounts.counter_total(offer) == 2600
    assert offer.total_cents == 2800
    assert offer.answer_by == clock.days_later(7)
    letter = letters("second_chance")[0].body
    assert "26,00" in letter
    assert "28,00" in letter
    assert "Boîtes abîmées." in letter


@pytest.mark.parametrize(
    ("change", "says"), [(0, "propose moins"), (+100, "propose moins"), (-10_000, "négatif")]
)
def test_a_second_chance_must_be_lower_and_not_below_zero(app, change, says):
    offer = factories.an_offer()
    with pytest.raises(Refused, match=says), unit_of_work():
        offers.counter(
            offer, {line.id: line.price_cents + change for line in offer.lines}, "motif", by=MARC
        )


def test_a_second_chance_needs_a_reason(app):
    offer = factories.an_offer()
    with pytest.raises(Refused, match="pourquoi le prix change"), unit_of_work():
        offers.counter(offer, {offer.lines[0].id: 1}, "  ", by=MARC)


def test_agreeing_takes_the_new_prices(app):
    offer = factories.a_second_chance()
    offer = do(offers.agree, offer, by=customers.actor(offer.customer))
    assert offer.status is S.accepted
    assert offer.total_cents == 2600


def test_an_article_at_zero_is_left_out_when_the_seller_agrees(app):
    offer = factories.an_offer()
    with unit_of_work():
        offers.counter(offer, {offer.lines[0].id: 0}, "import", by=MARC)
    offer = do(offers.agree, offer, by=customers.actor(offer.customer))
    assert offer.articles == 1
    assert offer.total_cents == offer.lines[1].price_cents


def test_declining_ends_the_offer(app):
    offer = factories.a_second_chance()
    assert do(offers.disagree, offer, by=customers.actor(offer.customer)).status is S.declined


def test_a_second_chance_nobody_answered_is_declined_by_the_clock(app):
    offer = factories.a_second_chance()
    assert offers.late() == []
    with clock.at(clock.now() + timedelta(days=8)):
        assert offers.late() == [offer.id]
        with pytest.raises(Refused, match="délai de réponse"), unit_of_work():
            offers.agree(offer, by=customers.actor(offer.customer))
        offer = do(offers.lapse, offer)
    assert offer.status is S.declined
    assert letters("second_chance_lapsed")


# ── complement ──


def test_games_can_be_added_before_the_drop_off_and_the_offer_is_checked_again(app):
    offer = factories.an_accepted_offer()
    cart = factories.a_cart(factories.a_game(argus_cents=1000), customer=offer.customer)
    with unit_of_work() as session:
        target = session.get_one(Offer, offer.id)
        offers.complete(
            target, session.get_one(Offer, cart.id), by=customers.actor(target.customer)
        )
    db.session.expire_all()
    offer = db.session.get(Offer, offer.id)
    assert offer.status is S.to_check
    assert offer.total_cents == 3200
    assert offer.proposed_cents == 3200
    assert offer.articles == 3
    assert offers.cart_of(offer.customer, offer.site).articles == 0


def test_with_automatic_validation_a_completed_offer_stays_accepted(app):
    with unit_of_work():
        factories.the_site().validation = ValidationMode.automatic
    offer = factories.an_offer()
    cart = factories.a_cart(factories.a_game(argus_cents=1000), customer=offer.customer)
    with unit_of_work():
        offers.complete(offer, cart, by=customers.actor(offer.customer))
    assert offer.status is S.accepted
    assert offer.total_cents == 3200


def test_nothing_is_added_after_the_drop_off_deadline(app):
    offer = factories.an_accepted_offer()
    cart = factories.a_cart(factories.a_game(), customer=offer.customer)
    with (
        clock.at(clock.now() + timedelta(days=11)),
        pytest.raises(Refused, match="délai de dépôt"),
        unit_of_work(),
    ):
        offers.complete(offer, cart, by=customers.actor(offer.customer))


def test_nobody_adds_the_cart_of_another(app):
    offer = factories.an_accepted_offer()
    cart = factories.a_cart(factories.a_game(), customer=factories.a_customer())
    with pytest.raises(Refused, match="autre compte"), unit_of_work():
        offers.complete(offer, cart, by=customers.actor(offer.customer))


# ── what must never be ──


def test_two_decisions_on_one_reading_make_one(app):
    """Both read the offer, one decides, the other is told: whatever the engine, the version
    decides.
    """
    from sqlalchemy.orm import Session
    from sqlalchemy.orm.exc import StaleDataError

    offer = factories.an_offer()
    db.session.rollback()
    with (
        Session(db.engine, expire_on_commit=False) as hers,
        Session(db.engine, expire_on_commit=False) as mine,
    ):
        read_by_her, read_by_me = hers.get(Offer, offer.id), mine.get(Offer, offer.id)
        hers.commit(), mine.commit()
        read_by_her.status = S.refused
        hers.commit()
        read_by_me.remark = "trop tard"
        with pytest.raises(StaleDataError):
            mine.commit()
        mine.rollback()


def test_the_database_refuses_what_must_not_be(app):
    from sqlalchemy import update
    from sqlalchemy.exc import IntegrityError

    offer = factories.an_accepted_offer()
    line = offer.lines[0]
    for table, id, values in (
        (Offer, offer.id, {"number": None}),
        (Offer, offer.id, {"drop_off_by": None}),
        (Offer, offer.id, {"total_cents": -1}),
        (OfferLine, line.id, {"price_cents": 0}),
        (OfferLine, line.id, {"counter_cents": -1}),
    ):
        with pytest.raises(IntegrityError), unit_of_work() as session:
            session.execute(update(table).where(table.id == id).values(**values))


def test_every_event_is_of_its_vendor(app):
    offer = factories.an_accepted_offer()
    assert {
        e.vendor_id for e in db.session.scalars(db.select(Event).where(Event.subject == "offer"))
    } == {offer.vendor_id}


def test_all_numbers_in_one_letter_agree(app):
    offer = factories.an_offer(
        factories.a_game("Import X", argus_cents=1000),
        factories.a_game("Astro Renard", argus_cents=9000),
    )
    with unit_of_work():
        offers.remove_line(offer, offer.lines[0], "jeu import", by=MARC)
        offers.accept(offer, by=MARC)
    letter = letters("offer_validated")[0]
    assert offer.number in letter.subject
    assert letter.body.count(money.text(offer.total_cents)) == 3  # validated, its line, agreed
    assert "Annoncé : 40,00" in letter.body
    assert "4,00" not in letter.body


# ── undone ──


def decided(verb: str, offer_id: int, **how) -> Offer:
    with unit_of_work() as session:
        offer = session.get_one(Offer, offer_id)
        if verb == "accept":
            offers.accept(offer, by=MARC, can_be_undone=True, **how)
        else:
            offers.refuse(offer, "Trop.", by=MARC, can_be_undone=True)
    return db.session.get_one(Offer, offer_id)


def undone(offer_id: int) -> Offer:
    with unit_of_work() as session:
        offers.undo(session.get_one(Offer, offer_id), by=MARC)
    return db.session.get_one(Offer, offer_id)


@pytest.mark.parametrize("verb", ["accept", "refuse"])
def test_a_decision_is_taken_back_and_nobody_was_told(app, mail, verb):
    factories.a_contract()
    id = factories.an_offer().id
    outbox.work()
    before = (len(mail.letters), db.session.scalar(select(func.count(Message.id))))
    decided(verb, id)
    assert outbox.work() == 0  # nothing leaves before its seconds are over
    offer = undone(id)
    assert offer.status is OfferState.to_check
    assert (offer.decided_at, offer.drop_off_by, offer.motive) == (None, None, "")
    assert offer.parcels == []
    with clock.at(clock.now() + timedelta(minutes=5)):
        assert outbox.work() == 0
    assert (len(mail.letters), db.session.scalar(select(func.count(Message.id)))) == before
    assert db.session.scalar(select(func.count(Label.id))) == 0
    assert [e.verb for e in workflow.history(offer, 2)] == ["undo", verb]


def test_an_offer_decided_again_after_an_undo_gets_its_label_and_its_mail_once(app, mail, carrier):
    factories.a_contract()
    id = factories.an_offer().id
    decided("accept", id)
    undone(id)
    decided("accept", id)
    with clock.at(clock.now() + timedelta(seconds=11)):
        while outbox.work():
            pass
    offer = db.session.get_one(Offer, id)
    assert [p.label_number != "" for p in offer.parcels] == [True]
    told = select(Message.event).where(Message.offer_id == id, Message.event == "offer_validated")
    assert len(db.session.scalars(told).all()) == 1


def test_what_has_left_is_not_undone(app):
    id = factories.an_offer().id
    decided("refuse", id)
    assert offers.seconds_to_undo(db.session.get_one(Offer, id)) == 10
    with clock.at(clock.now() + timedelta(seconds=11)):
        outbox.work()
        assert offers.seconds_to_undo(db.session.get_one(Offer, id)) == 0
        with pytest.raises(Refused, match="trop tard"):
            undone(id)
    assert db.session.get_one(Offer, id).status is OfferState.refused


def test_a_worker_that_has_just_taken_one_of_the_letters_wins_over_the_undo(app):
    id = factories.an_offer().id
    decided("refuse", id)
    with clock.at(clock.now() + timedelta(seconds=11)):
        (row,) = db.session.scalars(select(Outbox.id).where(Outbox.undo_key == f"offer:{id}"))
        assert outbox._claim(row, "a token")
        with pytest.raises(Refused, match="trop tard"):
            undone(id)
    assert db.session.get_one(Offer, id).status is OfferState.refused


def test_a_sale_whose_label_was_replaced_by_the_decision_cannot_be_undone(app):
    factories.a_contract()
    id = factories.an_accepted_offer().id
    with unit_of_work() as session:  # games were added: it is checked again, its parcel stays
        offers.OFFER.fire(session.get_one(Offer, id), "check_again", by=factories.HUGO)
    decided("refuse", id)
    with pytest.raises(Refused, match="trop tard"):
        undone(id)


def test_no_seconds_no_undo(app):
    with unit_of_work():
        settings.change("undo_seconds", "0", by=MARC)
    id = factories.an_offer().id
    decided("refuse", id)
    assert outbox.work() >= 1
    assert offers.seconds_to_undo(db.session.get_one(Offer, id)) == 0


def test_a_decision_whose_label_was_given_by_hand_since_is_not_undone(app):
    id = factories.an_offer().id
    offer = decided("accept", id)
    with unit_of_work() as session:
        parcels.give_label(
            session.get_one(Parcel, offer.parcels[0].id),
            carrier_name="Colissimo",
            number="6A123",
            link="",
            pdf=None,
            by=MARC,
        )
    with pytest.raises(Refused, match="étiquette"):
        undone(id)
    offer = db.session.get_one(Offer, id)
    assert offer.status is OfferState.accepted
    assert offer.parcels[0].label_number == "6A123"
