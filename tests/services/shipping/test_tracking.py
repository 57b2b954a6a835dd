"""Tracking: the carrier is followed forward only, and a silent one stops nothing."""

from datetime import timedelta

import pytest

from gateways import Trace
from models import Parcel
from services import clock
from services.buyback import parcels
from services.shipping import tracking
from services.unit import db, unit_of_work
from tests import factories
from tests.services.buyback.test_parcels import S, letter, the_label, the_parcel, tour


@pytest.fixture
def contract(app):
    return factories.a_contract()


def test_a_parcel_goes_through_the_four_lists_and_never_back(contract, carrier):
    number = factories.a_parcel().label_number
    start = clock.now()
    events: tuple[Trace, ...] = ()
    for n, (state, words) in enumerate(
        (
            ("in_transit", "PRISE EN CHARGE POINT RELAIS"),
            ("at_relay", "DISPONIBLE AU POINT RELAIS"),
            ("in_transit", "PRISE EN CHARGE EN AGENCE"),
            ("delivered", "COLIS LIVRÉ"),
        )
    ):
        events += (Trace(start + timedelta(hours=n), words, "FRANCE", "044001"),)
        carrier.saw(number, state, words, *events)
        tour(7 + 4 * n)
        assert the_parcel().status is [S.in_transit, S.at_relay, S.at_relay, S.delivered][n]
    assert len(the_label().events) == 4
    assert the_parcel().dropped_at
    assert the_parcel().delivered_at
    assert tracking.to_follow() == []


@pytest.mark.parametrize(
    ("state", "words"),
    [("", "LIBELLÉ JAMAIS VU"), ("not_sent", "RÉCEPTION DES DONNÉES"), ("not_sent", "")],
)
def test_unknown_words_and_early_ones_leave_a_parcel_where_it_is(contract, carrier, state, words):
    number = factories.a_parcel("in_transit").label_number
    carrier.saw(number, state, words)
    tour()
    assert the_parcel().status is S.in_transit
    assert the_label().last_words == words


def test_an_incident_alerts_the_shop_and_the_parcel_may_still_arrive(contract, carrier):
    with unit_of_work():
        factories.the_site().contact_email = "boutique@exemple.fr"
    number = factories.a_parcel("in_transit").label_number
    carrier.saw(number, "incident", "ANOMALIE")
    tour()
    assert the_parcel().status is S.incident
    assert letter("parcel_incident") is not None
    assert parcels.troubles() == 1
    carrier.saw(number, "at_relay", "DISPONIBLE AU POINT RELAIS")
    tour(11)
    assert the_parcel().status is S.at_relay


def test_a_silent_or_broken_carrier_stops_nothing(contract, carrier, monkeypatch):
    one, two = factories.a_parcel(), factories.a_parcel()
    carrier.saw(two.label_number, "in_transit", "PRISE EN CHARGE")
    ask, broken = carrier.track, one.label_number
    monkeypatch.setattr(
        carrier,
        "track",
        lambda account, number: 1 / 0 if number == broken else ask(account, number),
    )
    one_id, two_id = one.id, two.id
    tour()
    assert db.session.get(Parcel, two_id).status is S.in_transit
    assert db.session.get(Parcel, one_id).status is S.not_sent
    carrier.is_down()
    with clock.at(clock.now() + timedelta(hours=12)):
        assert tracking.follow(tracking.to_follow()) == 0
        assert tracking.to_follow() == []
