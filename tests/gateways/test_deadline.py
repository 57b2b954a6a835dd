"""A partner that answers one byte at a time holds nobody longer than a whole call may last."""

import socket
import threading
import time
from dataclasses import replace

import pytest

from gateways import GatewayError, deadline, webhooks
from gateways.mail import SmtpMail
from gateways.mondial_relay import MondialRelay
from gateways.sms import HttpSms
from gateways.webhooks import HttpWebhooks
from tests.gateways.test_mail_and_sms import LETTER
from tests.gateways.test_mondial_relay import ACCOUNT, SHIPMENT

DRIP = 0.05


@pytest.fixture
def dripping(monkeypatch):
    """A server that answers each connection with one byte of its text every 50 ms, for ever; its
    port.
    """
    monkeypatch.setattr(deadline, "WHOLE_CALL", 0.6)
    monkeypatch.setattr(webhooks, "WHOLE_CALL", 0.6)
    over, server = threading.Event(), socket.create_server(("127.0.0.1", 0))

    def drip(connection: socket.socket) -> None:
        text = b"220 h" if port in as_mail else b"HTTP/1.1 200 OK\r\nx-word: "
        with connection:
            if port in at_once:
                connection.sendall(b"HTTP/1.0 200 OK\r\ncontent-type: application/pdf\r\n\r\n")
            if -port in at_once:
                connection.sendall(b"HTTP/1.1 200 OK\r\nx-word: ")
            while not over.wait(DRIP):
                try:
                    connection.sendall(text[:1] or b"a")
                except OSError:
                    return
                text = text[1:]

    def serve() -> None:
        while not over.is_set():
            try:
                connection, _address = server.accept()
            except OSError:
                return
            threading.Thread(target=drip, args=(connection,), daemon=True).start()

    as_mail: set[int] = set()
    at_once: set[int] = set()
    port = server.getsockname()[1]
    threading.Thread(target=serve, daemon=True).start()
    yield port, as_mail, at_once
    over.set()
    server.close()


def asked(port: int) -> dict:
    url = f"http://127.0.0.1:{port}"
    carrier = MondialRelay(url)
    by_rest = replace(ACCOUNT, service="rest")
    return {
        "webhook": lambda: HttpWebhooks(allow_private=True).post(f"{url}/x", {}, b"{}"),
        "sms": lambda: HttpSms(url).send("Comptoir", "+33612345678", "Bonjour", "r1"),
        "mail": lambda: SmtpMail(f"smtp://127.0.0.1:{port}").send(LETTER),
        "tracking": lambda: carrier.track(ACCOUNT, "12345678"),
        "label by SOAP": lambda: carrier.create_label(ACCOUNT, SHIPMENT),
        "label by REST": lambda: carrier.create_label(by_rest, SHIPMENT),
        "PDF": lambda: carrier.label_pdf(f"{url}/label.pdf?format=A4"),
    }


@pytest.mark.parametrize("what", asked(0))
def test_a_whole_call_ends_at_its_deadline_however_slowly_the_partner_answers(app, dripping, what):
    port, as_mail, _at_once = dripping
    if what == "mail":
        as_mail.add(port)
    began = time.monotonic()
    with pytest.raises(GatewayError) as failed:
        asked(port)[what]()
    assert time.monotonic() - began < 5
    assert not failed.value.permanent
    assert failed.value.unsure == what.startswith("label")


@pytest.mark.parametrize("what", [what for what in asked(0) if what not in ("mail", "webhook")])
def test_an_answer_that_begins_well_and_drips_ends_there_too(app, dripping, what):
    """HTTP/1.0 without a length: our side lets go of the connection before the answer is read."""
    port, _as_mail, at_once = dripping
    at_once.add(port)
    began = time.monotonic()
    with pytest.raises(GatewayError):
        asked(port)[what]()
    assert time.monotonic() - began < 5


def test_an_address_that_says_200_and_never_ends_its_headers_was_not_told(app, dripping):
    port, _as_mail, at_once = dripping
    at_once.add(-port)
    with pytest.raises(GatewayError):
        asked(port)["webhook"]()


def test_three_calls_end_before_the_lease_of_a_row():
    from services import outbox

    assert outbox.LEASE.total_seconds() > 3 * deadline.WHOLE_CALL
