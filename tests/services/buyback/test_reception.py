"""The bench: every article ends in a word, money follows, the seller answers, nothing is done
twice.
"""

from datetime import timedelta

import pytest
from sqlalchemy import select

from models import (
    Condition,
    Grade,
    Item,
    ItemState,
    LineState,
    Message,
    Movement,
    Offer,
    OfferLine,
    OfferState,
    ParcelState,
    PaymentMeans,
    PaymentState,
    TransferBatch,
    TransferLine,
)
from services import clock, outbox, settings
from services.buyback import amounts, offers, parcels, reception
from services.finance import books
from services.payments import bank_answers, ledger, store_credit
from services.people import customers
from services.stock import items
from services.unit import db, unit_of_work
from services.workflow import Refused
from tests import factories
from tests.factories import GRADES, LEA, MARC

S = LineState


def fresh(row):
    db.session.rollback()
    db.session.expire_all()
    return db.session.get(type(row), row.id)


def by_seller(offer: Offer, answers: dict[int, str], relay: str = "044001") -> None:
    id = offer.id
    with unit_of_work() as session:
        offer = session.get_one(Offer, id)
        reception.answer(offer, answers, relay, by=customers.actor(offer.customer))


def amounts_owed(offer: Offer) -> dict[str, int]:
    """What each payment of a sale is about, by its part, in cents."""
    return {payment.part.value: payment.amount_cents for payment in fresh(offer).payments}


def three_games():
    return (
        factories.a_game("Astro Renard", "Megadrive", 5000),
        factories.a_game("Île aux Lampions", "Switch", 4000),
        factories.a_game("Nitro", "PS2", 3000),
    )


def test_scanning_the_slip_opens_the_parcel_and_everything_expected_is_received(app):
    offer = factories.an_open_parcel()
    assert reception.find("cde000000001 ").id == offer.id
    assert reception.find("5060327534393") is None
    assert {line.status for line in offer.lines} == {S.received}
    assert parcels.live_parcel(offer).status is ParcelState.inspecting
    with unit_of_work() as session:  # opened again the next day, by somebody else: it goes on
        reception.open_parcel(session.get_one(Offer, offer.id), by=LEA)
    assert parcels.live_parcel(fresh(offer)).opened_by == "Marc Diallo"


@pytest.mark.parametrize("make", [factories.an_offer, factories.a_second_chance])
def test_a_sale_that_is_not_accepted_cannot_be_received(app, make):
    id = make().id
    with pytest.raises(Refused, match="ne peut pas être réceptionné"), unit_of_work() as session:
        reception.open_parcel(session.get_one(Offer, id), by=MARC)


def test_a_parcel_given_up_that_arrives_after_all_is_received(app):
    id = factories.an_accepted_offer().id
    with unit_of_work() as session:
        offers.abandon(session.get_one(Offer, id), by=MARC)
    with unit_of_work() as session:
        reception.open_parcel(session.get_one(Offer, id), by=MARC)
    assert db.session.get(Offer, id).status is OfferState.accepted


def test_an_accepted_article_is_in_stock_with_its_cost_grades_regime_and_place(app):
    offer = factories.an_open_parcel()
    line = offer.lines[0]
    with unit_of_work() as session:
        reception.photograph(session.get_one(OfferLine, line.id), "a.jpg", by=MARC)
        reception.send(
            session.get_one(OfferLine, line.id),
            {"article": "like_new", "box": "good", "manual": "missing"},
            "Jaquette passée",
            factories.the_store(),
            "R3",
            by=MARC,
        )
    item = db.session.scalars(select(Item)).one()
    assert (item.cost_cents, item.place, item.comment, item.vat_regime) == (
        line.price_cents,
        "R3",
        "Jaquette passée",
        "margin",
    )
    assert (item.grade_article, item.grade_manual, item.condition) == (
        Grade.like_new,
        Grade.missing,
        Condition.acceptable_unit,
    )
    assert [photo.file for photo in item.photos] == ["a.jpg"]
    assert db.session.scalars(select(Movement)).one().quantity == 1


@pytest.mark.parametrize(
    ("grades", "condition"),
    [
        (("like_new",) * 3, "like_new_unit"),
        (("like_new", "very_good", "like_new"), "very_good_unit"),
        (("like_new", "like_new", "good"), "good_unit"),
        (("fair", "like_new", "like_new"), "acceptable_unit"),
        (("good", "poor", "good"), "acceptable_unit"),
        (("good", "missing", "good"), "acceptable_unit"),
    ],
)
def test_the_selling_condition_is_the_worst_of_the_three(grades, condition):
    assert items.selling_condition(*(Grade[g] for g in grades)) == condition


def test_what_is_not_said_is_asked_and_nothing_is_half_saved(app):
    offer = factories.an_open_parcel()
    id = offer.lines[0].id
    for verb, says in (
        (
            lambda line: reception.send(
                line, {"article": "good"}, "", factories.the_store(), by=MARC
            ),
            "Évaluez",
        ),
        (
            lambda line: reception.send(
                line, {**GRADES, "article": "missing"}, "", factories.the_store(), by=MARC
            ),
            "manque",
        ),
        (lambda line: reception.counter(line, GRADES, "", 500, "", by=MARC), "pourquoi le prix"),
        (lambda line: reception.counter(line, GRADES, "", 500, "fendue", by=MARC), "photo"),
        (lambda line: reception.refuse(line, {}, "", " ", by=MARC), "pourquoi il est refusé"),
    ):
        with pytest.raises(Refused, match=says), unit_of_work() as session:
            verb(session.get_one(OfferLine, id))
    line = fresh(offer.lines[0])
    assert line.status is S.received
    assert line.grade_article is None
    assert not db.session.scalars(select(Item)).all()


def test_a_counter_offer_is_less_than_the_price_and_more_than_nothing(app):
    offer = factories.an_open_parcel()
    line = offer.lines[0]
    with unit_of_work() as session:
        reception.photograph(session.get_one(OfferLine, line.id), "a.jpg", by=MARC)
    for cents in (0, -5, line.price_cents, line.price_cents + 1):
        with pytest.raises(Refused, match="entre 0,01"), unit_of_work() as session:
            reception.counter(
                session.get_one(OfferLine, line.id), GRADES, "", cents, "fendue", by=MARC
            )
    assert (
        reception.proposed_cents(line, Grade.good, Grade.poor, Grade.good)
        == line.price_cents * 70 // 100
    )
    assert reception.proposed_cents(line, Grade.good, Grade.good, Grade.good) == line.price_cents


def test_three_photos_an_article_and_no_more(app):
    id = factories.an_open_parcel().lines[0].id
    for n in range(3):
        with unit_of_work() as session:
            reception.photograph(session.get_one(OfferLine, id), f"{n}.jpg", by=MARC)
    with pytest.raises(Refused, match="Trois photos"), unit_of_work() as session:
        reception.photograph(session.get_one(OfferLine, id), "4.jpg", by=MARC)


def test_a_second_hand_on_the_same_article_is_told_who_was_first(app):
    line = factories.an_open_parcel().lines[0]
    factories.sent(line)
    with (
        pytest.raises(Refused, match="déjà été contrôlé par Marc Diallo"),
        unit_of_work() as session,
    ):
        reception.refuse(session.get_one(OfferLine, line.id), {}, "", "rayé", by=LEA)
    assert len(db.session.scalars(select(Item)).all()) == 1


def test_a_scan_says_expected_done_besides_or_unknown(app):
    offer = factories.an_open_parcel()
    other = factories.a_game("Autre", argus_cents=2000)
    assert reception.look(offer, offer.lines[0].ean).kind == "expected"
    factories.sent(offer.lines[0])
    offer = fresh(offer)
    assert reception.look(offer, offer.lines[0].ean).kind == "done"
    assert "Marc" in reception.look(offer, offer.lines[0].ean).sentence
    assert reception.look(offer, other.ean).kind == "surplus"
    assert reception.look(offer, factories.ean(987654)).kind == "unknown"
    with pytest.raises(Refused):
        reception.look(offer, "pas un code")


def test_undo_takes_the_unit_out_of_the_stock_and_it_may_be_controlled_again(app):
    factories.a_register()
    offer = factories.an_open_parcel()
    line = offer.lines[0]
    factories.sent(line)
    with unit_of_work() as session:
        reception.undo(session.get_one(OfferLine, line.id), by=MARC)
    assert fresh(line).status is S.received
    assert fresh(line).paid_cents is None
    assert db.session.scalars(select(Item.status)).all() == [ItemState.returned]
    factories.sent(line)
    assert sorted(db.session.scalars(select(Item.status))) == [
        ItemState.in_stock,
        ItemState.returned,
    ]
    assert books.check() == []


def test_an_article_found_besides_waits_for_the_sellers_word(app):
    offer = factories.an_open_parcel()
    extra = factories.a_game("En plus", argus_cents=2000)
    with unit_of_work() as session:
        id = reception.add_surplus(session.get_one(Offer, offer.id), extra.ean, by=MARC).id
    assert fresh(offer).total_cents == 2800  # what was agreed does not move
    with pytest.raises(Refused, match="pas annoncé"), unit_of_work() as session:
        reception.send(session.get_one(OfferLine, id), GRADES, "", factories.the_store(), by=MARC)
    with pytest.raises(Refused), unit_of_work() as session:
        reception.miss(session.get_one(OfferLine, id), by=MARC)
    with unit_of_work() as session:
        reception.counter(
            session.get_one(OfferLine, id), GRADES, "", 800, "Article non annoncé", by=MARC
        )
    for line in offers.active_lines(fresh(offer)):
        factories.sent(line)
    offer = factories.ended(fresh(offer))
    by_seller(offer, {id: "agree"})
    assert amounts_owed(offer) == {"first": 2800, "contested": 800}
    assert db.session.get(OfferLine, id).paid_cents == 800
    assert books.check() == []


def test_an_unknown_article_enters_the_catalogue_under_the_title_on_its_box(app):
    offer = factories.an_open_parcel()
    code = factories.ean(987654)
    with pytest.raises(Refused, match="titre"), unit_of_work() as session:
        reception.add_surplus(session.get_one(Offer, offer.id), code, by=MARC)
    with unit_of_work() as session:
        line = reception.add_surplus(session.get_one(Offer, offer.id), code, "Jeu mystère", by=MARC)
        assert line.title == "Jeu mystère"
        assert line.price_cents == 0
        id = line.id
    with unit_of_work() as session:
        reception.undo(session.get_one(OfferLine, id), by=MARC)
    assert reception.articles(fresh(offer)) == offers.active_lines(fresh(offer))


# ── the end ──


def test_the_reception_does_not_end_before_every_article_has_its_word(app):
    offer = factories.an_open_parcel()
    with pytest.raises(Refused, match=r"contrôlés.: 2"), unit_of_work() as session:
        reception.end(session.get_one(Offer, offer.id), by=MARC)
    with unit_of_work() as session:
        assert reception.miss_all(session.get_one(Offer, offer.id), by=MARC) == 2
        reception.end(session.get_one(Offer, offer.id), by=MARC)
    offer = fresh(offer)
    assert offer.status is OfferState.settled
    assert offer.payment.amount_cents == 0
    assert books.check() == []
    assert reception.untold() == []
    with clock.at(clock.now() + timedelta(hours=2)):
        assert reception.untold() == [offer.id]


def test_what_is_accepted_is_owed_to_the_cent_and_the_seller_reads_everything(app, mail):
    offer = factories.an_open_parcel(*three_games())
    one, two, three = offer.lines
    factories.sent(one), factories.countered(two, 900), factories.refused(three)
    offer = factories.ended(offer)
    assert offer.status is OfferState.received
    assert ledger.owed(offer.vendor_id, offer.customer_id) == one.price_cents == 2000
    first, contested = offer.payments
    assert (first.status, first.amount_cents) == (PaymentState.awaiting_iban, 2000)
    assert (contested.status, contested.amount_cents) == (PaymentState.held, 0)
    assert "réponse" in contested.held_reason
    outbox.work()
    text = mail.letters[-1].text
    for words in (
        "20,00",
        "nouveau prix 9,00",
        "Boîte fendue",
        "refusé. Disque rayé",
        "/documents/",
        "4,40",
        "Donner mon IBAN",
        "sans attendre votre réponse",
    ):
        assert words in text, words
    assert offer.reception_answer_by
    assert books.check() == []


def test_the_four_answers_and_the_payment_goes_on_at_once(app, carrier):
    factories.a_contract()
    offer = factories.an_accepted_offer(*three_games())
    outbox.work()
    with unit_of_work() as session:
        reception.open_parcel(session.get_one(Offer, offer.id), by=MARC)
    one, two, three = fresh(offer).lines
    factories.sent(one), factories.countered(two, 900), factories.refused(three)
    offer = factories.ended(fresh(offer))
    assert reception.choices(fresh(two)) == [
        "agree",
        "to_return",
        "given",
        "recycled",
    ]
    assert reception.choices(fresh(three)) == [
        "to_return",
        "given",
        "recycled",
    ]
    with pytest.raises(Refused, match="Choisissez une réponse"):
        by_seller(offer, {two.id: "agree", three.id: "agree"})
    by_seller(offer, {two.id: "agree", three.id: "to_return"})
    offer = fresh(offer)
    back = parcels.return_parcel(offer)
    assert (back.status, back.fee_cents, back.relay_number) == (
        ParcelState.to_return,
        440,
        "044001",
    )
    assert {one.status for one in offer.payments} == {PaymentState.awaiting_iban}
    assert amounts_owed(offer) == {"first": 2000, "contested": 900 - 440}
    outbox.work()
    assert carrier.shipments[fresh(back).label_number].recipient.name == "Camille Aubry"
    with pytest.raises(Refused, match="plus rien"):
        by_seller(offer, {two.id: "agree", three.id: "given"})
    with unit_of_work() as session:
        reception.sent_back(session.merge(fresh(back)), by=MARC)
    assert fresh(three).status is S.sent_back
    assert books.check() == []


# ── what was bought is paid at once, what was contested after the answer (domain.md § 2.29) ──


def contested(*, relays: bool = False) -> Offer:
    """Received: one game bought for 20,00 €, one with a new price of 9,00 €, one refused."""
    if relays:
        factories.a_contract()
    offer = factories.an_accepted_offer(*three_games())
    outbox.work()  # the label is made, with the relays near the seller
    factories.an_iban(offer.seller)
    with unit_of_work() as session:
        reception.open_parcel(session.get_one(Offer, offer.id), by=MARC)
    one, two, three = fresh(offer).lines
    factories.sent(one), factories.countered(two, 900), factories.refused(three)
    return factories.ended(fresh(offer))


def answered(offer: Offer, price: str, refused: str) -> Offer:
    """The seller answers about the new price, then about the refused game."""
    _one, two, three = fresh(offer).lines
    by_seller(offer, {two.id: price, three.id: refused})
    return fresh(offer)


def paid_by_file() -> dict[str, int]:
    """A transfer file of all there is to pay, which the bank executes; its transfers, in cents."""
    batch = factories.a_batch(0)
    found = {line.end_to_end: line.amount_cents for line in batch.lines}
    with unit_of_work() as session:
        bank_answers.all_went_through(session.get_one(TransferBatch, batch.id), by=LEA)
    return found


def test_what_was_bought_is_paid_at_once_and_what_was_contested_after_the_answer(app):
    offer = contested()
    assert paid_by_file() == {offer.number: 2000}
    assert fresh(offer).status is OfferState.received
    assert amounts_owed(offer) == {"first": 2000, "contested": 0}
    offer = answered(offer, "agree", "given")
    assert offer.status is OfferState.received
    assert paid_by_file() == {f"{offer.number}-C": 900}
    assert fresh(offer).status is OfferState.settled
    assert ledger.owed(offer.vendor_id, offer.customer_id) == 0
    assert books.check() == []


def test_a_sale_is_over_once_paid_when_nothing_contested_is_sold_in_the_end(app):
    offer = contested()
    paid_by_file()
    assert answered(offer, "recycled", "given").status is OfferState.settled
    assert amounts_owed(offer) == {"first": 2000, "contested": 0}
    assert books.check() == []


def test_a_contested_transfer_that_comes_back_is_paid_again_under_its_own_reference(app):
    offer = answered(contested(), "agree", "given")
    batch = factories.a_batch(0)
    line = next(one for one in batch.lines if one.end_to_end.endswith("-C"))
    with unit_of_work() as session:
        line = session.get_one(TransferLine, line.id)
        line.reason = "le compte est clos"
        bank_answers.apply(line.batch, [], [(line, "AM04")], "r.xml", "r", LEA)
    assert paid_by_file() == {f"{offer.number}-C-2": 900}
    assert books.check() == []


def test_sending_back_is_taken_from_the_part_that_has_not_left(app, carrier):
    offer = answered(contested(relays=True), "agree", "to_return")
    assert amounts_owed(offer) == {"first": 2000, "contested": 900 - 440}
    assert books.check() == []


def test_sending_back_is_taken_from_what_was_bought_while_it_has_not_left(app, carrier):
    offer = answered(contested(relays=True), "given", "to_return")
    assert amounts_owed(offer) == {"first": 2000 - 440, "contested": 0}
    assert books.check() == []


def test_nothing_is_taken_from_what_has_left_the_seller_collects_or_sends_a_label(app, carrier):
    offer = contested(relays=True)
    assert reception.may_send_back(offer)
    paid_by_file()
    assert reception.may_send_back(fresh(offer))  # should they take the new price
    offer = answered(offer, "given", "to_return")
    back = parcels.return_parcel(offer)
    assert (back.fee_cents, back.label) == (0, None)
    assert amounts_owed(offer) == {"first": 2000, "contested": 0}
    assert books.check() == []


def test_no_fee_is_taken_where_no_label_can_be_made(app, carrier):
    offer = contested(relays=True)
    with unit_of_work() as session:  # they moved overseas since their label was made
        session.get_one(Offer, offer.id).seller.postcode = "97400"
    assert not reception.may_send_back(fresh(offer))
    offer = answered(offer, "agree", "to_return")
    assert parcels.return_parcel(offer).fee_cents == 0
    assert amounts_owed(offer) == {"first": 2000, "contested": 900}
    assert books.check() == []


def test_who_takes_back_what_nothing_covers_reads_that_it_is_to_be_collected(app, carrier):
    offer = contested(relays=True)
    assert reception.is_sending_back_covered(offer)
    paid_by_file()
    assert not reception.is_sending_back_covered(fresh(offer))
    answered(offer, "to_return", "to_return")
    (letter,) = factories.letters("answers_received")
    assert "vous attend à la boutique" in letter.body


def test_a_first_part_that_comes_back_while_an_answer_is_awaited_opens_nothing_twice(app):
    offer = contested()
    batch = factories.a_batch(0)
    with unit_of_work() as session:
        bank_answers.all_went_through(session.get_one(TransferBatch, batch.id), by=LEA)
    with unit_of_work() as session:
        line = session.get_one(TransferLine, batch.lines[0].id)
        line.reason = "le compte est clos"
        bank_answers.apply(line.batch, [], [(line, "AM04")], "r.xml", "r", LEA)
    assert fresh(offer).status is OfferState.received
    offer = answered(offer, "given", "given")
    assert offer.status is OfferState.received
    assert paid_by_file() == {f"{offer.number}-2": 2000}
    assert fresh(offer).status is OfferState.settled
    assert books.check() == []


def test_the_page_of_the_answer_adds_a_new_price_without_any_bonus(as_customer):
    factories.a_register()
    offer = contested()
    with unit_of_work() as session:
        sale = session.get_one(Offer, offer.id)
        reception.choose_means(sale, PaymentMeans.store_credit, by=customers.actor(sale.seller))
    page = as_customer(fresh(offer).seller).get(f"/ventes/{offer.number}").text
    assert 'data-live-total="2000"' in page  # the 9,00 € is added as one answers


def test_a_shop_may_wait_for_every_answer_and_pay_once(app):
    with unit_of_work():
        settings.change("pay_at_once", "no", by=LEA)
    offer = contested()
    assert fresh(offer).payment.status is PaymentState.held
    assert amounts_owed(answered(offer, "agree", "given")) == {"first": 2900}
    assert paid_by_file() == {offer.number: 2900}
    assert fresh(offer).status is OfferState.settled


def test_a_sale_of_which_nothing_was_bought_has_one_payment(app):
    offer = factories.an_open_parcel(*three_games())
    for line in offer.lines:
        factories.countered(line, 900)
    offer = factories.ended(fresh(offer))
    by_seller(offer, {line.id: "agree" for line in offer.lines})
    assert amounts_owed(offer) == {"first": 2700}


def test_each_part_paid_in_credit_has_its_bonus(app):
    offer = contested()
    with unit_of_work() as session:
        sale = session.get_one(Offer, offer.id)
        reception.choose_means(sale, PaymentMeans.store_credit, by=customers.actor(sale.seller))
    assert store_credit.balance(offer.vendor_id, offer.customer_id) == 2400
    offer = answered(offer, "agree", "given")
    assert offer.status is OfferState.settled
    assert store_credit.balance(offer.vendor_id, offer.customer_id) == 2400 + 1080
    assert amounts.of(offer).bonus_cents == 400 + 180
    assert books.check() == []


def test_the_identity_document_holds_both_parts(app):
    factories.a_register()
    offer = contested()
    assert [payment.status for payment in offer.payments] == [PaymentState.held] * 2


@pytest.mark.parametrize(
    ("answer", "state"), [("given", S.given), ("recycled", S.recycled), ("to_return", S.to_return)]
)
def test_a_refused_article_has_a_fate(app, answer, state):
    offer = factories.an_open_parcel()
    factories.sent(offer.lines[0]), factories.refused(offer.lines[1])
    offer = factories.ended(offer)
    by_seller(offer, {offer.lines[1].id: answer}, relay="")
    assert fresh(offer.lines[1]).status is state
    assert fresh(offer).payment.amount_cents == fresh(offer).lines[0].paid_cents
    assert books.check() == []


def test_a_return_that_the_payment_does_not_cover_costs_nothing_and_is_collected(app):
    offer = factories.an_open_parcel()
    for line in offer.lines:
        factories.refused(line)
    offer = factories.ended(offer)
    by_seller(offer, {line.id: "to_return" for line in offer.lines})
    assert parcels.return_parcel(fresh(offer)).fee_cents == 0
    assert fresh(offer).payment.amount_cents == 0
    assert books.check() == []


def test_no_answer_in_time_is_what_the_conditions_say(app):
    offer = factories.an_open_parcel()
    factories.sent(offer.lines[0]), factories.countered(offer.lines[1])
    offer = factories.ended(offer)
    with clock.at(clock.now() + timedelta(days=15)):
        assert reception.unanswered() == [offer.id]
        with pytest.raises(Refused, match="délai"):
            by_seller(offer, {offer.lines[1].id: "agree"})
        with unit_of_work() as session:
            reception.lapse(session.get_one(Offer, offer.id))
        assert reception.unanswered() == []
    assert fresh(offer.lines[1]).status is S.to_return
    assert fresh(offer).payment.status is PaymentState.awaiting_iban
    assert db.session.scalars(
        select(Message.event).where(Message.event == "reception_lapsed")
    ).all()


# ── identity ──


def test_no_document_is_asked_for_when_nothing_was_bought(app):
    factories.a_register()
    offer = factories.an_open_parcel()
    for line in offer.lines:
        factories.refused(line)
    offer = factories.ended(offer)
    assert not parcels.needs_identity(offer)
    by_seller(offer, {line.id: "given" for line in offer.lines})
    assert fresh(offer).status is OfferState.settled
    assert books.check() == []


def test_a_parcel_dropped_off_after_the_day_of_the_guarantee_is_known_to_be_late(app):
    offer = factories.an_accepted_offer()
    outbox.work()
    assert not reception.is_late(offer)
    with clock.at(offer.drop_off_by + timedelta(minutes=1)), unit_of_work() as session:
        parcels.say(session.get_one(Offer, offer.id).parcels[0], "drop", by=MARC)
    assert reception.is_late(fresh(offer))


def test_without_the_identity_document_the_control_goes_on_and_the_payment_waits(app, mail):
    factories.a_register()
    offer = factories.an_open_parcel()
    assert parcels.needs_identity(offer)
    with unit_of_work() as session:
        reception.identity_missing(session.get_one(Offer, offer.id), by=MARC)
    outbox.work()
    assert "pièce d’identité" in mail.letters[-1].text
    for line in offers.active_lines(offer):
        factories.sent(line)
    offer = factories.ended(offer)
    assert offer.payment.status is PaymentState.held
    assert "identité" in offer.payment.held_reason
    with unit_of_work() as session:
        reception.record_identity(session.get_one(Offer, offer.id), factories.DOCUMENT, by=MARC)
    assert fresh(offer).payment.status is PaymentState.awaiting_iban
    assert not parcels.needs_identity(fresh(offer))
    assert books.check() == []


def test_a_seller_under_eighteen_is_paid_only_with_a_parents_written_consent(app):
    factories.a_register()
    offer = factories.an_open_parcel()
    young = {**factories.DOCUMENT, "birth_date": f"{clock.today().year - 16}-01-15"}
    with unit_of_work() as session:
        reception.record_identity(session.get_one(Offer, offer.id), young, by=MARC)
    for line in offers.active_lines(offer):
        factories.sent(line)
    offer = factories.ended(offer)
    assert "18 ans" in offer.payment.held_reason
    with unit_of_work() as session:  # the number stays as it was
        reception.record_identity(
            session.get_one(Offer, offer.id),
            {**young, "number": "", "consent_by": "Anne Aubry"},
            by=MARC,
        )
    assert fresh(offer).payment.status is PaymentState.awaiting_iban


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"number": "12"}, "number"),
        ({"kind": "badge"}, "kind"),
        ({"issued_by": ""}, "issued_by"),
        ({"issued_on": "demain"}, "issued_on"),
        ({"issued_on": "2199-01-01"}, "issued_on"),
        ({"birth_date": "2025-01-01"}, "birth_date"),
        ({"profession": " "}, "profession"),
        ({"first_names": ""}, "first_names"),
    ],
)
def test_a_wrong_identity_document_is_refused_beside_its_field(app, change, field):
    id = factories.an_open_parcel().id
    with pytest.raises(Refused) as refusal, unit_of_work() as session:
        reception.record_identity(
            session.get_one(Offer, id), {**factories.DOCUMENT, **change}, by=MARC
        )
    assert getattr(refusal.value, "field", None) == field


# ── store credit ──


def test_store_credit_is_the_sellers_choice_with_its_bonus_and_is_never_negative(app):
    customer = factories.a_customer()
    offer = factories.an_open_parcel(customer=customer)
    with unit_of_work() as session:
        offer_ = session.get_one(Offer, offer.id)
        reception.choose_means(
            offer_, PaymentMeans.store_credit, by=customers.actor(offer_.customer)
        )
    for line in offers.active_lines(offer):
        factories.sent(line)
    offer = factories.ended(fresh(offer))
    assert offer.status is OfferState.settled
    assert offer.payment.status is PaymentState.paid
    assert store_credit.balance(offer.vendor_id, customer.id) == 2800 + 560
    assert ledger.owed(offer.vendor_id, customer.id) == 0
    with unit_of_work():
        store_credit.spend(offer.vendor_id, customer, 3000, "1702", by=LEA)
    for cents in (361, 0, -1):
        with pytest.raises(Refused), unit_of_work():
            store_credit.spend(offer.vendor_id, customer, cents, f"1703-{cents}", by=LEA)
    assert store_credit.purses(customer)[0].left_cents == 360
    assert books.check() == []
    with pytest.raises(Refused, match="terminée"), unit_of_work() as session:
        reception.choose_means(
            session.get_one(Offer, offer.id), PaymentMeans.transfer, by=customers.actor(customer)
        )


def test_what_nobody_answered_about_goes_back_to_the_first_relay_and_its_fee_is_taken(app, carrier):
    factories.a_contract()
    offer = factories.an_open_parcel(
        factories.a_game("A", "PS5", 5000), factories.a_game("B", "PS5", 3000)
    )
    bought, refused = offers.active_lines(offer)
    factories.sent(bought)
    factories.refused(refused)
    outbox.work()  # the label is made, with the relays near the seller
    id = factories.ended(offer).id
    with unit_of_work() as session:
        reception.lapse(session.get_one(Offer, id))
    offer = db.session.get_one(Offer, id)
    back = parcels.return_parcel(offer)
    assert (back.fee_cents, offer.payment.amount_cents) == (440, 2000 - 440)
    assert back.relay_number == offer.parcels[0].label.relays[0]["number"]
