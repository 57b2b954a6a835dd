"""Parcels: one label an order, the carrier followed forward only, reminders, drop-outs."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from models import LabelState, Message, Offer, OfferState, Outbox, Parcel, ParcelState
from services import clock, outbox, settings
from services.buyback import offers, parcels
from services.people import customers
from services.shipping import contracts, labels, tracking
from services.unit import db, unit_of_work
from services.workflow import CLOCK, Refused
from tests import factories
from tests.factories import MARC

S, L = ParcelState, LabelState


def the_parcel() -> Parcel:
    db.session.rollback()
    db.session.expire_all()
    return db.session.scalars(select(Parcel)).one()


def the_label():
    return the_parcel().label


def letter(event: str) -> Message | None:
    return db.session.scalars(
        select(Message).where(Message.event == event).order_by(Message.id.desc()).limit(1)
    ).first()


@pytest.fixture
def contract(app):
    return factories.a_contract()


def test_accepting_orders_one_label_and_the_seller_gets_everything_in_one_mail(
    contract, carrier, mail
):
    factories.an_accepted_offer()
    assert the_label().status is L.requested
    assert letter("offer_validated") is None
    outbox.work()
    outbox.work()
    parcel = the_parcel()
    (shipment,) = carrier.shipments.values()
    assert parcel.status is S.not_sent
    assert parcel.label_number == "80000001"
    assert shipment.reference == "CDE000000001"
    assert shipment.weight_grams == 150 * 2 + 200
    assert shipment.value_cents == 2800
    assert shipment.relay_number == "044001"
    text = mail.letters[-1].text
    for words in (
        "validée",
        "28,00",
        "Étiquette Mondial Relay : http",
        "Bordereau de cession : http",
        "Déposez votre colis jusqu’au",
        "Le Bouffay Presse",
    ):
        assert words in text, words


def test_a_label_button_takes_its_insurance_level(contract, carrier):
    id = factories.an_offer().id
    with unit_of_work() as session:
        offers.accept(session.get_one(Offer, id), 2, by=MARC)
    outbox.work()
    assert next(iter(carrier.shipments.values())).insurance == 2
    assert [(c.level, c.cents) for c in contracts.covers(contract)] == [
        (1, 5000),
        (2, 12500),
        (3, 25000),
    ]
    other = factories.an_offer().id
    with pytest.raises(Refused, match="pas dans le contrat"), unit_of_work() as session:
        offers.accept(session.get_one(Offer, other), 5, by=MARC)


def test_without_a_contract_the_buttons_explain_and_accepting_still_works(app, carrier, mail):
    assert "Offre Start" in contracts.why_no_label(None)
    parcel = factories.a_parcel()
    assert parcel.status is S.not_sent
    assert parcel.label is None
    assert not carrier.shipments
    assert "Bordereau de cession : http" in mail.letters[-1].text
    assert "Étiquette" not in mail.letters[-1].text
    factories.a_contract(phone="")
    assert "téléphone" in contracts.why_no_label(contracts.contract_of(parcel.vendor_id))
    other = factories.an_offer().id
    with pytest.raises(Refused), unit_of_work() as session:
        offers.accept(session.get_one(Offer, other), 1, by=MARC)


def test_an_automatic_label_is_insured_by_its_amount(contract):
    assert [parcels.level_for(contract, cents) for cents in (9_999, 10_000, 12_501, 90_000)] == [
        0,
        2,
        3,
        3,
    ]


def test_a_lost_answer_orders_nothing_again_until_a_person_has_looked(contract, carrier):
    carrier.loses_its_answer()
    factories.an_accepted_offer()
    outbox.work()
    parcel = the_parcel()
    assert parcel.label.status is L.unknown
    assert "CDE000000001" in parcel.label.error
    assert len(carrier.shipments) == 1
    with clock.at(clock.now() + timedelta(days=2)):
        outbox.work()
    assert len(carrier.shipments) == 1
    carrier.works_again()
    with pytest.raises(Refused, match="8 chiffres"):
        labels.look_up(the_label(), "12")
    with pytest.raises(Refused, match="ne la trouve pas"):
        labels.look_up(the_label(), "99999999")
    number, url = labels.look_up(the_label(), "8000 0001")
    assert url.startswith("/label")
    with unit_of_work():
        parcels.label_found(the_parcel(), number, url, by=MARC)
    assert the_parcel().status is S.not_sent
    assert letter("offer_validated") is not None
    assert len(carrier.shipments) == 1


def test_a_worker_that_dies_during_the_call_leaves_an_unknown_label_not_a_second_one(
    contract, carrier
):
    factories.an_accepted_offer()
    row = db.session.scalars(select(Outbox).where(Outbox.kind == "label")).one()
    assert outbox._claim(row.id, "dead worker")
    with clock.at(clock.now() + outbox.LEASE + timedelta(seconds=1)):
        outbox.work()
    assert the_label().status is L.unknown
    assert not carrier.shipments


def test_a_carrier_down_is_tried_again_and_one_that_refuses_waits_for_a_person(contract, carrier):
    carrier.is_down()
    factories.an_accepted_offer()
    outbox.work()
    assert the_label().status is L.requested
    carrier.refuses("Code postal invalide (code 36).")
    with clock.at(clock.now() + timedelta(hours=1)):
        outbox.work()
    assert the_label().status is L.refused
    assert "code 36" in the_label().error
    carrier.works_again()
    with unit_of_work():
        parcels.ask_again(the_parcel(), 1, 900, by=MARC)
    outbox.work()
    assert the_parcel().status is S.not_sent
    assert carrier.shipments[the_parcel().label_number].weight_grams == 900


def test_another_level_cancels_the_first_label_and_sends_the_new_one(contract, carrier, mail):
    first = factories.a_parcel().label_number
    with unit_of_work():
        parcels.ask_again(the_parcel(), 3, by=MARC)
    outbox.work()
    assert the_parcel().label_number != first
    assert the_label().insurance == 3
    assert len(carrier.shipments) == 2
    for wrong in ({"insurance": 5}, {"weight_grams": 40_000}):
        with pytest.raises(Refused), unit_of_work():
            parcels.ask_again(the_parcel(), **wrong, by=MARC)


# ── following ──


def tour(hours: float = 7) -> None:
    with clock.at(clock.now() + timedelta(hours=hours)):
        tracking.follow(tracking.to_follow())
    db.session.expire_all()


def test_a_parcel_that_no_longer_moves_is_shown(contract):
    factories.a_parcel("in_transit")
    assert parcels.stuck() == []
    with clock.at(clock.now() + timedelta(days=8)):
        assert len(parcels.stuck()) == 1


# ── reminders ──


def test_a_reminder_by_mail_waits_five_days_and_by_sms_ten_and_a_mobile(contract, sms):
    parcel = factories.a_parcel()
    id = parcel.id
    assert "5 jours" in parcels.why_not_remind(parcel)
    assert "10 jours" in parcels.why_not_text(parcel)
    with clock.at(clock.now() + timedelta(days=5)):
        assert parcels.why_not_remind(parcel) is None
        assert parcels.why_not_text(parcel)
        with unit_of_work() as session:
            parcels.remind(session.get_one(Parcel, id), by=MARC)
    with clock.at(clock.now() + timedelta(days=11)):
        with unit_of_work() as session:
            parcels.text(session.get_one(Parcel, id), by=MARC)
        outbox.work()
    assert "CDE000000001" in sms.texts[-1][1]
    assert "était à déposer" in sms.texts[-1][1]
    with unit_of_work() as session:
        session.get_one(Parcel, id).offer.customer.phone = "+33240123456"
    with clock.at(clock.now() + timedelta(days=11)):
        assert "SMS" in parcels.why_not_text(the_parcel())
    assert parcels.why_not_remind(factories.a_parcel("in_transit"))


def test_the_clock_reminds_once_each_and_gives_up_after_thirty_days(contract):
    import tasks

    factories.a_parcel()
    for days in (6, 7, 11, 12):
        with clock.at(clock.now() + timedelta(days=days)):
            for ids, verb in (
                (parcels.to_remind(), parcels.remind_by_clock),
                (parcels.to_text(), parcels.text_by_clock),
            ):
                tasks.each(ids, Parcel, verb)
    events = list(
        db.session.scalars(select(Message.event).where(Message.event == "drop_off_reminder"))
    )
    assert len(events) == 2
    with clock.at(clock.now() + timedelta(days=31)):
        tasks.each(parcels.given_up(), Offer, offers.abandon_by_clock)
    assert the_parcel().status is S.abandoned
    assert the_parcel().offer.status is OfferState.abandoned


def test_a_shop_may_turn_the_automatic_reminders_off(contract):
    factories.a_parcel()
    with unit_of_work():
        settings.change("auto_reminders", "no", by=MARC)
    with clock.at(clock.now() + timedelta(days=12)):
        assert parcels.to_remind() == []
        assert parcels.to_text() == []


def test_a_sale_refused_after_games_were_added_leaves_no_parcel_behind(contract):
    customer = factories.a_customer()
    offer = factories.an_accepted_offer(customer=customer)
    outbox.work()
    cart = factories.a_cart(factories.a_game(argus_cents=3000), customer=customer)
    with unit_of_work() as session:
        offers.complete(
            session.get_one(Offer, offer.id),
            session.merge(cart),
            by=customers.actor(session.merge(customer)),
        )
    with unit_of_work() as session:
        offers.refuse(session.get_one(Offer, offer.id), "non", by=MARC)
    assert the_parcel().status is S.abandoned
    with clock.at(clock.now() + timedelta(days=12)):
        assert parcels.to_remind() == []
        assert parcels.given_up() == []


def test_a_drop_out_is_refused_once_the_parcel_has_left(contract):
    id = factories.a_parcel("in_transit").offer_id
    with pytest.raises(Refused), unit_of_work() as session:
        offers.abandon(session.get_one(Offer, id), by=MARC)
    assert db.session.get(Offer, id).status is OfferState.accepted


def test_clicks_and_openings_count_once(contract):
    parcel = factories.a_parcel()
    now = clock.now()
    with unit_of_work():
        for minutes in (0, 5):
            parcels.clicked(parcel.id, "link", now + timedelta(minutes=minutes))
    assert the_parcel().link_clicked_at == now
    assert the_parcel().mail_opened_at is None
    assert CLOCK


def test_the_seller_is_told_each_time_the_parcel_moves(app):
    factories.a_parcel("in_transit")
    (taken,) = factories.letters("parcel_taken")
    assert "vous n’avez plus rien à faire" in taken.body
    factories.a_parcel("delivered")
    assert len(factories.letters("parcel_arrived")) == 1


def test_an_incident_is_told_to_the_seller_and_to_the_shop(app):
    parcel = factories.a_parcel("incident")
    (told,) = factories.letters("parcel_trouble")
    assert told.recipient == parcel.offer.seller.email
    assert "gardez votre preuve de dépôt" in told.body


def test_a_sale_nobody_sent_ends_with_a_mail(app):
    offer = factories.an_accepted_offer()
    with unit_of_work() as session:
        offers.abandon(session.get_one(Offer, offer.id), by=factories.MARC)
    (told,) = factories.letters("sale_abandoned")
    assert "n’a pas été déposé" in told.body


def test_a_parcel_that_leaves_an_incident_is_not_told_as_taken_again(app):
    parcel = factories.a_parcel("in_transit")
    for verb in ("trouble", "drop"):
        with unit_of_work() as session:
            parcels.say(session.get_one(Parcel, parcel.id), verb, by=factories.MARC)
    assert len(factories.letters("parcel_taken")) == 1
