"""Labels: one is ordered once, another takes its place, one may be made elsewhere."""

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from models import Label, LabelState, Message, Parcel
from services import clock, files, outbox
from services.buyback import parcels, reception
from services.shipping import labels, tracking
from services.unit import db, unit_of_work
from services.workflow import Refused
from tests import factories
from tests.factories import MARC

L = LabelState
PDF = b"%PDF-1.4 une etiquette"


@pytest.fixture
def contract(app):
    return factories.a_contract()


def the_parcel() -> Parcel:
    db.session.rollback()
    db.session.expire_all()
    return db.session.scalars(select(Parcel)).one()


def states() -> list[LabelState]:
    db.session.expire_all()
    return list(db.session.scalars(select(Label.status).order_by(Label.id)))


def by_hand(parcel: Parcel, **typed) -> None:
    asked = {"carrier_name": "Colissimo", "number": "6A12345678901", "link": "", "pdf": None}
    with unit_of_work():
        parcels.give_label(parcel, **{**asked, **typed}, by=MARC)


def last_letter() -> str:
    outbox.work()
    rows = select(Message.body).where(Message.event == "offer_validated")
    return db.session.scalars(rows.order_by(Message.id.desc())).first()


def test_a_label_belongs_to_exactly_one_thing_that_travels(contract):
    columns = {"vendor_id": 1, "carrier": "by_hand", "carrier_name": "DPD"}
    with pytest.raises(IntegrityError, match="of_exactly_one"), unit_of_work() as session:
        session.add(Label(**columns, requested_at=clock.now()))


def test_what_travels_has_one_label_at_a_time_and_keeps_the_cancelled_ones(contract, carrier):
    first = factories.a_parcel().label_number
    with unit_of_work():
        parcels.ask_again(the_parcel(), 1, by=MARC)
    with pytest.raises(Refused, match="en cours de commande"), unit_of_work():
        parcels.ask_again(the_parcel(), 2, by=MARC)
    outbox.work()
    assert states() == [L.cancelled, L.made]
    assert db.session.scalars(select(Label.number).order_by(Label.id)).first() == first
    id = the_parcel().id
    with pytest.raises(IntegrityError), unit_of_work() as session:
        session.add(
            Label(
                vendor_id=1,
                parcel_id=id,
                carrier="by_hand",
                carrier_name="DPD",
                requested_at=clock.now(),
            )
        )


def test_an_order_that_was_cancelled_is_not_sent_and_a_late_answer_moves_nothing(contract, carrier):
    factories.an_accepted_offer()
    with unit_of_work():
        labels.cancel(the_parcel().label, by=MARC)
    outbox.work()
    assert carrier.shipments == {}
    label = db.session.scalars(select(Label)).one()
    with unit_of_work():
        labels._ordered({"label": label.id}, '{"number": "80000009", "url": ""}', None)
    assert states() == [L.cancelled]
    assert db.session.scalars(select(Label.number)).one() == "80000009"


def test_the_address_sent_to_the_carrier_is_the_one_of_the_moment_it_is_asked(contract, carrier):
    offer = factories.an_accepted_offer()
    with unit_of_work():
        db.session.get(type(offer), offer.id).customer.address = "3 rue Neuve"
    outbox.work()
    (shipment,) = carrier.shipments.values()
    assert shipment.sender.street == "3 rue Neuve"
    waiting = db.session.scalars(select(outbox.Outbox).where(outbox.Outbox.kind == "label")).one()
    assert set(waiting.payload) == {"label"}


def test_a_label_made_elsewhere_reaches_the_seller_with_its_number_link_and_pdf(app):
    parcel = factories.a_parcel()
    assert parcel.label is None
    by_hand(the_parcel(), pdf=PDF)
    label = the_parcel().label
    assert (label.status, label.carrier, label.carrier_name) == (L.made, "by_hand", "Colissimo")
    assert labels.sizes(label) == ("A4",)
    assert labels.pdf(label, "A4") == PDF
    assert "6A12345678901" in labels.tracking_address(label)
    assert label.files["A4"] in files.named()
    letter = last_letter()
    assert "Étiquette Colissimo" in letter
    assert "Mondial Relay" not in letter


def test_without_a_pdf_the_letter_says_carrier_and_number_and_the_link_typed_wins(app):
    factories.a_parcel()
    by_hand(the_parcel(), carrier_name="Autre", link="https://suivi.exemple.fr/6A")
    label = the_parcel().label
    assert labels.tracking_address(label) == "https://suivi.exemple.fr/6A"
    assert labels.sizes(label) == ()
    with pytest.raises(Refused, match="ne s’imprime pas d’ici"):
        labels.pdf(label, "A4")
    letter = last_letter()
    assert "numéro 6A12345678901" in letter
    assert "https://suivi.exemple.fr/6A" in letter


def test_a_label_made_elsewhere_is_nobody_s_to_follow_and_moves_with_its_parcel(app):
    factories.a_parcel()
    by_hand(the_parcel())
    assert the_parcel().label.follow_at is None
    assert tracking.to_follow() == []
    with unit_of_work():
        parcels.say(the_parcel(), "drop", by=MARC)
    assert the_parcel().label.status is L.in_transit


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ({"carrier_name": "Pigeon"}, "dans la liste"),
        ({"number": "6A<b>"}, "lettres et chiffres"),
        ({"link": "javascript:alert(1)"}, "https://"),
        ({"link": "https://" + "x" * 500}, "500"),
        ({"link": "https://"}, "https://"),
        ({"link": "https://[::1"}, "https://"),
        ({"pdf": b"GIF89a"}, "PDF"),
        ({"pdf": b""}, "PDF"),
    ],
)
def test_what_cannot_be_a_label_is_refused_and_the_label_there_was_stays(
    contract, carrier, typed, sentence
):
    number = factories.a_parcel().label_number
    with pytest.raises(Refused, match=sentence):
        by_hand(the_parcel(), **typed)
    assert the_parcel().label_number == number
    assert states() == [L.made]


def test_one_box_by_hand_may_serve_two_parcels_a_carrier_s_number_one(contract, carrier):
    one, two = factories.a_parcel(), factories.a_parcel()
    ids = (one.id, two.id)
    for id in ids:
        by_hand(db.session.get(Parcel, id))
    live = db.session.scalars(select(Label.number).where(Label.status == L.made)).all()
    assert live == ["6A12345678901"] * 2
    with pytest.raises(IntegrityError), unit_of_work() as session:
        for row in session.scalars(select(Label)):
            row.carrier = "mondial_relay"


def test_a_return_without_a_relay_gets_a_label_made_elsewhere(app):
    offer = factories.an_open_parcel()
    first, second = offer.lines[:2]
    factories.refused(first)
    factories.sent(db.session.get(type(second), second.id))
    factories.ended(db.session.get(type(offer), offer.id))
    with unit_of_work() as session:
        back = parcels.expect_return(session.get_one(type(offer), offer.id), "", 0, by=MARC)
        back_id = back.id
    by_hand(db.session.get(Parcel, back_id), carrier_name="Chronopost")
    with unit_of_work() as session:
        reception.sent_back(session.get_one(Parcel, back_id), by=MARC)
    outbox.work()
    rows = select(Message.body).where(Message.event == "articles_sent_back")
    assert "Chronopost (colis 6A12345678901)" in db.session.scalars(rows).one()


def test_the_files_of_a_label_are_forgotten_on_demand(contract, carrier):
    label_id = factories.a_parcel().label.id
    with unit_of_work() as session:
        label = session.get_one(Label, label_id)
        assert label.relays
        names = labels.forget(label)
    assert names
    label = db.session.get(Label, label_id)
    assert (label.files, label.relays, label.url) == ({}, [], "")
