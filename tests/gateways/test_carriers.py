"""The contract of the port Carrier, held by every adapter: the fake of the tests, Mondial Relay by
SOAP and by REST against its simulator, and the tracked shipment made by hand.
"""

from dataclasses import replace
from datetime import timedelta

import pytest

from gateways import GatewayError
from gateways.by_hand import CARRIERS, ByHand
from gateways.fakes import FakeCarrier
from gateways.mondial_relay import MondialRelay
from simulators import mondial_relay as simulator
from tests.gateways.test_mondial_relay import ACCOUNT, SHIPMENT

ACCOUNTS = {"fake": ACCOUNT, "soap": ACCOUNT, "rest": replace(ACCOUNT, service="rest")}


@pytest.fixture(scope="module")
def depot_and_address():
    depot, server = simulator.serve(0)
    yield depot, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.fixture(params=list(ACCOUNTS))
def adapter(request, app, depot_and_address):
    depot, address = depot_and_address
    depot.offset = timedelta()
    fake = FakeCarrier()
    carrier = fake if request.param == "fake" else MondialRelay(address)

    def travels(number: str) -> None:
        """Let the carrier see the parcel arrive."""
        fake.saw(number, "delivered", "COLIS LIVRÉ")
        depot.offset = timedelta(days=5)

    return carrier, ACCOUNTS[request.param], travels


def test_a_carrier_says_what_it_can_do(adapter):
    carrier, account, _travels = adapter
    assert str(carrier.name)
    assert carrier.kinds
    assert carrier.kinds <= {"relay", "home"}
    assert carrier.makes_labels
    assert carrier.formats
    assert carrier.lacks(account) == []
    assert carrier.lacks(replace(account, account=""))


@pytest.mark.parametrize("wrong", [{"account": "b d!"}, {"account": "€nseigne"}])
def test_a_code_that_is_none_of_the_carriers_is_refused_with_a_sentence(adapter, wrong):
    carrier, account, _travels = adapter
    assert carrier.wrong_code(account) is None
    assert carrier.wrong_code(replace(account, **wrong))


@pytest.mark.parametrize(
    "wrong",
    [{"brand": "1"}, {"brand": "1a"}, {"relay_number": "44"}, {"insurance_levels": 6}],
)
def test_the_codes_of_mondial_relay_have_their_forms(app, wrong):
    carrier = MondialRelay("http://127.0.0.1:1")
    assert carrier.wrong_code(replace(ACCOUNT, account="BD")) is None
    assert carrier.wrong_code(replace(ACCOUNT, **wrong))


def test_the_insurance_of_a_contract_rises_from_the_standard_one(adapter):
    carrier, account, _travels = adapter
    covers = carrier.covers(account)
    assert [cover.level for cover in covers] == list(range(account.insurance_levels + 1))
    assert [cover.cents for cover in covers] == sorted({cover.cents for cover in covers})
    assert len(carrier.covers(replace(account, insurance_levels=0))) == 1


def test_a_label_is_made_printed_found_again_and_followed(adapter):
    carrier, account, travels = adapter
    made = carrier.create_label(account, SHIPMENT)
    assert carrier.why_no_number(made.number) is None
    for size in carrier.formats:
        assert carrier.label_pdf(made.url, size).startswith(b"%PDF")
    assert carrier.label_pdf(carrier.find_label(account, made.number)).startswith(b"%PDF")
    assert made.number in carrier.tracking_link(account, made.number)
    assert carrier.track(account, made.number).state == "not_sent"
    travels(made.number)
    assert carrier.track(account, made.number).state == "delivered"


def test_a_number_nobody_knows_is_no_label_and_a_parcel_not_handed_over(adapter):
    carrier, account, _travels = adapter
    with pytest.raises(GatewayError) as failure:
        carrier.find_label(account, "99999999")
    assert failure.value.permanent
    assert carrier.track(account, "99999999").state == "not_sent"
    assert carrier.why_no_number("12")


def test_relay_points_come_nearest_first(adapter):
    carrier, account, _travels = adapter
    found = carrier.relays(account, "44000", most=2)
    assert found
    assert len(found) <= 2
    assert [relay.metres for relay in found] == sorted(relay.metres for relay in found)


def test_a_shipment_by_hand_has_a_page_and_nothing_to_ask(app):
    carrier = ByHand()
    assert (carrier.makes_labels, carrier.follows, carrier.formats) == (False, False, ())
    assert carrier.kinds == {"relay", "home"}
    assert carrier.covers(ACCOUNT) == []
    assert carrier.lacks(ACCOUNT) == []
    assert carrier.wrong_code(ACCOUNT) is None
    for ask in (
        lambda: carrier.check(ACCOUNT),
        lambda: carrier.relays(ACCOUNT, "44000"),
        lambda: carrier.create_label(ACCOUNT, SHIPMENT),
        lambda: carrier.label_pdf("x"),
        lambda: carrier.find_label(ACCOUNT, "6A123"),
        lambda: carrier.track(ACCOUNT, "6A123"),
    ):
        with pytest.raises(GatewayError) as failure:
            ask()
        assert failure.value.permanent
        assert not failure.value.unsure


@pytest.mark.parametrize("name", [name for name, link in CARRIERS.items() if link])
def test_the_page_of_a_known_carrier_holds_the_number(name):
    link = ByHand().tracking_link(None, "6A12345678901", name)
    assert link.startswith("https://")
    assert "6A12345678901" in link


def test_a_number_typed_by_hand_is_letters_and_digits(app):
    for wrong in ("", "6A", "6A 12", "6A<script>", "é" * 8, "1" * 41):
        assert ByHand().why_no_number(wrong), wrong
    assert ByHand().why_no_number("6A12345678901") is None
