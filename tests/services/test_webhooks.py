"""Vendors' software is told: signed as Standard Webhooks say, tried again, given up, replayed,
stopped when the address is gone.
"""

import base64
import hashlib
import hmac
import json
import ssl
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from gateways import GatewayError
from gateways.webhooks import HttpWebhooks
from models import Outbox, Vendor, Webhook, WebhookDelivery, WebhookState
from services import clock, outbox, webhooks
from services.unit import db, unit_of_work
from services.workflow import Refused
from tests import factories
from tests.factories import LEA

URL = "https://caisse.example/crochet"


def an_address(events=("stock.changed",), url: str = URL) -> tuple[int, str]:
    with unit_of_work() as session:
        row, secret = webhooks.open_for(
            session.merge(factories.the_vendor()), url, list(events), by=LEA
        )
        return row.id, secret


def told() -> list[WebhookDelivery]:
    db.session.expire_all()
    return list(db.session.scalars(db.select(WebhookDelivery).order_by(WebhookDelivery.id)))


def test_a_change_of_stock_is_told_once_thin_and_signed(hooks):
    _id, secret = an_address()
    shoe = factories.a_shoe()
    factories.stocked(shoe, 3)
    factories.stocked(shoe, 4)
    outbox.work()
    ((url, headers, body),) = hooks.told
    said = json.loads(body)
    assert url == URL
    assert said["type"] == "stock.changed"
    assert set(said["data"]) == {"store", "store_id"}
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    assert (
        headers["webhook-signature"]
        == "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    )
    assert [d.status.value for d in told()] == ["delivered"]


def test_an_address_that_is_down_is_tried_again_and_given_up_after_three_days(hooks):
    an_address()
    hooks.is_down(URL)
    factories.stocked(factories.a_shoe(), 3)
    outbox.work()
    assert (told()[0].status.value, told()[0].tries) == ("to_deliver", 1)
    with clock.at(clock.now() + timedelta(days=4)):
        outbox.work()
    assert told()[0].status.value == "not_delivered"
    hooks.works_again(URL)
    id = told()[0].id
    with unit_of_work() as session:
        webhooks.replay(session.get_one(WebhookDelivery, id), by=LEA)
    outbox.work()
    assert told()[0].status.value == "delivered"
    assert hooks.told[0][1]["webhook-id"] == told()[0].message_id


def test_an_address_that_is_gone_is_told_nothing_more(hooks):
    id, _secret = an_address()
    hooks.is_gone(URL)
    shoe = factories.a_shoe()
    factories.stocked(shoe, 3)
    outbox.work()
    db.session.expire_all()
    assert db.session.get(Webhook, id).status is WebhookState.gone
    factories.stocked(shoe, 4)
    assert len(told()) == 1
    with pytest.raises(Refused), unit_of_work() as session:
        webhooks.replay(session.get_one(WebhookDelivery, told()[0].id), by=LEA)


def test_only_what_was_chosen_is_told_and_only_to_its_vendor(hooks):
    an_address(("import.completed",))
    other, _site, strange = factories.another_vendor()
    with unit_of_work() as session:
        webhooks.open_for(
            session.get_one(Vendor, other.id), "https://autre.example/", ["stock.changed"], by=LEA
        )
    factories.stocked(factories.a_shoe(), 3)
    outbox.work()
    assert hooks.told == []
    assert strange.vendor_id == other.id


def test_a_changed_secret_signs_beside_the_old_one(hooks):
    id, old = an_address()
    with unit_of_work() as session:
        new = webhooks.renew_secret(session.get_one(Webhook, id), by=LEA)
    factories.stocked(factories.a_shoe(), 3)
    outbox.work()
    _url, headers, body = hooks.told[0]
    assert headers["webhook-signature"] == webhooks.signatures(
        [new, old], headers["webhook-id"], int(headers["webhook-timestamp"]), body.decode()
    )
    assert old not in repr(db.session.execute(db.text("SELECT * FROM webhook")).all())


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ftp://x/",
        "javascript:alert(1)",
        "https://u:p@x/",
        "http://x:99999/",
        "https://x/é",
        "https://" + "x" * 600,
    ],
)
def test_an_address_that_is_none_is_refused(url):
    with pytest.raises(Refused):
        an_address(url=url)
    assert (
        db.session.scalar(db.select(db.func.count(Outbox.id)).where(Outbox.kind == "webhook")) == 0
    )


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "https://127.0.0.1/",
        "https://10.0.0.1/",
        "https://[::1]/",
        "https://169.254.169.254/latest",
        "https://localhost/",
        "https://[::ffff:127.0.0.1]/",
        "https://[64:ff9b::7f00:1]/",
        "https://[2002:7f00:1::]/",
        "https://224.0.0.1/",
        "https://[::127.0.0.1]/",
        "https://[fec0::1]/",
        "https://[3fff::1]/",
        "https://[5f00::1]/",
        "https://192.88.99.1/",
        "https://[::ffff:0:127.0.0.1]/",
        "https://[4000::1]/",
        "https://[1::1]/",
        "https://192.175.48.1/",
    ],
)
def test_production_never_calls_into_its_own_network(url):
    with pytest.raises(GatewayError, match="Internet public"):
        HttpWebhooks(allow_private=False).post(url, {}, b"{}")


def a_listener(seen: list, cert: str = "") -> HTTPServer:
    """A vendor's software: what it was told goes to `seen`, its answer depends on the path."""

    class Listener(BaseHTTPRequestHandler):
        def do_POST(self):
            seen.append(
                (
                    self.path,
                    self.headers["webhook-id"],
                    self.headers["host"],
                    self.rfile.read(int(self.headers["content-length"])),
                )
            )
            self.send_response({"/ok": 204, "/gone": 410, "/moved": 302, "/broken": 500}[self.path])
            self.end_headers()

        def log_message(self, *_words):
            pass

    server = HTTPServer(("127.0.0.1", 0), Listener)
    if cert:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def test_a_real_server_is_told_over_http():
    seen: list = []
    server = a_listener(seen)
    host = f"127.0.0.1:{server.server_port}"
    caller = HttpWebhooks(allow_private=True)
    assert caller.post(f"http://{host}/ok", {"webhook-id": "m1"}, b"{}") == 204
    assert caller.post(f"http://{host}/gone", {"webhook-id": "m2"}, b"{}") == 410
    for path in ("/moved", "/broken"):
        with pytest.raises(GatewayError):
            caller.post(f"http://{host}{path}", {"webhook-id": "m3"}, b"{}")
    server.shutdown()
    assert seen[0] == ("/ok", "m1", host, b"{}")


def a_certificate(folder, name: str) -> str:
    """A key and a certificate for a name, signed by themselves, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    cert = (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(who)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{name}.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(secret + cert.public_bytes(serialization.Encoding.PEM))
    return str(path)


def test_a_name_is_asked_once_and_its_certificate_must_bear_it(tmp_path):
    seen: list = []
    cert = a_certificate(tmp_path, "caisse.example")
    server = a_listener(seen, cert)
    asked: list[str] = []

    def names(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    caller = HttpWebhooks(allow_private=True, resolve=names, authorities=cert)
    assert (
        caller.post(f"https://caisse.example:{server.server_port}/ok", {"webhook-id": "m1"}, b"{}")
        == 204
    )
    assert asked == ["caisse.example"]
    assert seen[0][2] == f"caisse.example:{server.server_port}"
    with pytest.raises(GatewayError, match="SSL"):
        caller.post(f"https://autre.example:{server.server_port}/ok", {"webhook-id": "m2"}, b"{}")
    server.shutdown()
    assert len(seen) == 1


def test_the_next_address_of_a_name_is_called_when_the_first_is_silent():
    seen: list = []
    server = a_listener(seen)
    caller = HttpWebhooks(
        allow_private=True, resolve=lambda _host, _port: ["127.0.0.2", "127.0.0.1"]
    )
    with pytest.raises(GatewayError, match="NewConnectionError"):
        HttpWebhooks(allow_private=True, resolve=lambda _host, _port: ["127.0.0.2"]).post(
            f"http://x.example:{server.server_port}/ok", {}, b"{}"
        )
    assert (
        caller.post(f"http://x.example:{server.server_port}/ok", {"webhook-id": "m1"}, b"{}") == 204
    )
    assert len(seen) == 1
    server.shutdown()


def test_a_name_that_changes_its_mind_never_leads_into_our_network():
    """DNS rebinding: public when it is looked at, ours when it is called. It is looked at and
    called as one.
    """
    answers = [["127.0.0.1"], ["1.1.1.1", "127.0.0.1"], ["192.168.1.4"]]
    caller = HttpWebhooks(allow_private=False, resolve=lambda _host, _port: answers.pop())
    for _n in range(3):
        with pytest.raises(GatewayError, match="Internet public"):
            caller.post("https://caisse.example/ok", {}, b"{}")
    assert answers == []


def test_an_address_of_before_hears_the_old_name_until_it_is_switched_and_never_both(app, hooks):
    vendor = factories.the_vendor()
    with unit_of_work() as session:
        old, _secret = webhooks.open_for(
            vendor, "https://ancien.example/ici", ["listing.delisted"], by=factories.LEA
        )
        webhooks.open_for(
            vendor, "https://neuf.example/ici", ["listing.delisted"], by=factories.LEA
        )
        session.flush()
        old.events = "offer.delisted stock.changed"
    with unit_of_work():
        webhooks.tell(vendor.id, "listing.delisted", {"sku": "S1", "reason": "SOLD"})
    outbox.work()
    names = {url: json.loads(body)["type"] for url, _headers, body in hooks.told}
    assert names == {
        "https://ancien.example/ici": "offer.delisted",
        "https://neuf.example/ici": "listing.delisted",
    }
    assert len(hooks.told) == 2
