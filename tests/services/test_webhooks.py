"""Vendors' software is told: signed as Standard Webhooks say, tried again, given up, replayed, stopped when the address is gone."""

import base64
import hashlib
import hmac
import json
from datetime import timedelta

import pytest

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
        row, secret = webhooks.open_for(session.merge(factories.the_vendor()), url, list(events), by=LEA)
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
    assert url == URL and said["type"] == "stock.changed" and set(said["data"]) == {"store_id"}
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    assert headers["webhook-signature"] == "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
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
    assert told()[0].status.value == "delivered" and hooks.told[0][1]["webhook-id"] == told()[0].message_id


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
        webhooks.open_for(session.get_one(Vendor, other.id), "https://autre.example/", ["stock.changed"], by=LEA)
    factories.stocked(factories.a_shoe(), 3)
    outbox.work()
    assert hooks.told == [] and strange.vendor_id == other.id


def test_a_changed_secret_signs_beside_the_old_one(hooks):
    id, old = an_address()
    with unit_of_work() as session:
        new = webhooks.renew_secret(session.get_one(Webhook, id), by=LEA)
    factories.stocked(factories.a_shoe(), 3)
    outbox.work()
    _url, headers, body = hooks.told[0]
    assert headers["webhook-signature"] == webhooks.signatures([new, old], headers["webhook-id"], int(headers["webhook-timestamp"]), body.decode())
    assert old not in repr(db.session.execute(db.text("SELECT * FROM webhook")).all())


@pytest.mark.parametrize("url", ["", "ftp://x/", "javascript:alert(1)", "https://u:p@x/", "http://x:99999/", "https://x/é", "https://" + "x" * 600])
def test_an_address_that_is_none_is_refused(url):
    with pytest.raises(Refused):
        an_address(url=url)
    assert db.session.scalar(db.select(db.func.count(Outbox.id)).where(Outbox.kind == "webhook")) == 0


@pytest.mark.parametrize(
    "url",
    ["http://example.com/", "https://127.0.0.1/", "https://10.0.0.1/", "https://[::1]/", "https://169.254.169.254/latest", "https://localhost/"],
)
def test_production_never_calls_into_its_own_network(url):
    with pytest.raises(GatewayError):
        HttpWebhooks(allow_private=False).post(url, {}, b"{}")


def test_a_real_server_is_told_over_http():
    import threading
    from http.server import BaseHTTPRequestHandler, HTTPServer

    seen = []

    class Listener(BaseHTTPRequestHandler):
        def do_POST(self):
            seen.append((self.path, self.headers["webhook-id"], self.rfile.read(int(self.headers["content-length"]))))
            self.send_response({"/ok": 204, "/gone": 410, "/moved": 302, "/broken": 500}[self.path])
            self.end_headers()

        def log_message(self, *_words):
            pass

    server = HTTPServer(("127.0.0.1", 0), Listener)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    base = f"http://127.0.0.1:{server.server_port}"
    caller = HttpWebhooks(allow_private=True)
    assert caller.post(base + "/ok", {"webhook-id": "m1"}, b"{}") == 204 and caller.post(base + "/gone", {"webhook-id": "m2"}, b"{}") == 410
    for path in ("/moved", "/broken"):
        with pytest.raises(GatewayError):
            caller.post(base + path, {"webhook-id": "m3"}, b"{}")
    server.shutdown()
    assert seen[0] == ("/ok", "m1", b"{}")
