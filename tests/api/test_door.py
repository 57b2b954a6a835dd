"""The door for machines: keys, scopes, limits, repeats, one form of problems; tills, stock, files,
catalogue, listings.
"""

import html
import io
import json
import re
import shlex
from datetime import timedelta
from typing import Any

import pytest

from api import routes
from models import (
    IdempotentRequest,
    ImportRun,
    MachineKey,
    Movement,
    StockLevel,
    Store,
    TillEvent,
    Vendor,
)
from services import clock, outbox
from services.imports import runs
from services.people import machine_keys
from services.stock import listings
from services.unit import db, unit_of_work
from services.workflow import Refused
from tests import factories
from tests.factories import LEA, a_key, a_shoe, another_vendor, quantity, stocked


def by(secret: str, **more: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}", **more}


@pytest.fixture
def till(client):
    """A till of the first store, and how it speaks."""
    key, secret = a_key("till catalogue stock imports listings offers")

    def speak(method: str, path: str, body=None, **headers):
        return client.open(
            f"/api/v1{path}", method=method, json=body, headers=by(secret, **headers)
        )

    speak.key, speak.secret = key, secret  # type: ignore[attr-defined]
    return speak


def event(number: int, variant, **more) -> dict:
    return {
        "number": number,
        "ean": variant if isinstance(variant, str) else variant.ean,
        "at": clock.now().isoformat(),
        **more,
    }


# ── the key of a partner ──


@pytest.fixture
def partner(client):
    """The key of software that serves two of three vendors, and how it speaks for one of them."""
    other, _site, _store = another_vendor()
    strange, _site, _store = another_vendor("Solo", "solo.localhost")
    with unit_of_work() as session:
        for code, vendor in (("V1", factories.the_vendor()), ("V2", other), ("V3", strange)):
            session.merge(vendor).code = code
    with unit_of_work() as session:
        mine = session.scalars(db.select(Vendor).where(Vendor.code.in_(["V1", "V2"]))).all()
        scopes = [scope for scope in machine_keys.SCOPES if scope != "till"]
        key, secret = machine_keys.make_for_partner(list(mine), "ERP", scopes, by=LEA)
        session.flush()
        id = key.id

    def speak(method: str, path: str, body=None, **headers):
        return client.open(
            f"/api/v1{path}", method=method, json=body, headers=by(secret, **headers)
        )

    speak.id = id  # type: ignore[attr-defined]
    return speak


def test_each_call_of_a_partner_says_for_which_vendor_it_is(partner):
    missing = partner("GET", "/stores")
    assert (missing.status_code, missing.json["code"]) == (422, "vendor_required")
    for code in ("V3", "nobody", "%00"):
        strange = partner("GET", f"/stores?vendor={code}")
        assert (strange.status_code, strange.json["code"]) == (422, "unknown_vendor")
    first = partner("GET", "/stores?vendor=V1").json["results"]
    second = partner("GET", "/stores?vendor=v2").json["results"]
    assert [store["name"] for store in second] == ["PixelCave Rennes"]
    assert {store["name"] for store in first}.isdisjoint({"PixelCave Rennes"})


def test_no_route_answers_a_partner_that_names_no_vendor(partner):
    for route in routes.ROUTES:
        if route.scopes and set(route.scopes) != {"till"}:
            answer = partner(route.method, re.sub(r"<[^>]+>", "1", route.path))
            assert (answer.status_code, answer.json["code"]) == (422, "vendor_required"), route.path


def test_what_a_partner_publishes_for_one_vendor_never_touches_another(partner):
    shoe = a_shoe()
    lines = {"store": "", "lines": [{"ean": shoe.ean, "quantity": 4}]}
    for code in ("V1", "V2"):
        with unit_of_work() as session:
            vendor = session.scalars(db.select(Vendor).where(Vendor.code == code)).one()
            session.scalars(
                db.select(Store).where(Store.vendor_id == vendor.id)
            ).first().code = f"S-{code}"
    answer = partner("PUT", "/stock?vendor=V2", {**lines, "store": "S-V2"})
    assert answer.status_code == 200, answer.json
    stores = db.session.execute(
        db.select(Store.code, StockLevel.quantity).join(Store, StockLevel.store_id == Store.id)
    ).all()
    assert stores == [("S-V2", 4)]
    foreign = partner("PUT", "/stock?vendor=V2", {**lines, "store": "S-V1"})
    assert foreign.json["errors"][0]["code"] == "unknown_store"


def test_a_repeat_of_a_partner_gets_the_first_answer_and_for_another_vendor_none(partner):
    hook = {"url": "https://erp.example/ici", "events": ["stock.changed"]}
    first = partner("POST", "/webhooks?vendor=V1", hook, **{"Idempotency-Key": "a"})
    assert first.status_code == 201
    shoe = a_shoe()
    prices = {"lines": [{"sku": shoe.ean, "price": "10.00"}]}
    answers = [
        partner("PUT", "/prices?vendor=V1", prices, **{"Idempotency-Key": "b"}) for _n in range(2)
    ]
    assert answers[0].json == answers[1].json
    assert answers[1].headers["Idempotent-Replay"] == "true"
    other = partner("PUT", "/prices?vendor=V2", prices, **{"Idempotency-Key": "b"})
    assert other.json["code"] == "key_reused"


def test_the_operator_opens_and_closes_vendors_to_a_partner(partner):
    with unit_of_work() as session:
        key = session.get_one(MachineKey, partner.id)
        third = session.scalars(db.select(Vendor).where(Vendor.code == "V3")).one()
        machine_keys.open_vendors(key, [third], by=LEA)
    assert partner("GET", "/stores?vendor=V3").status_code == 200
    assert partner("GET", "/stores?vendor=V1").json["code"] == "unknown_vendor"


def test_a_key_of_one_vendor_may_name_it_and_no_other(client):
    another_vendor()
    with unit_of_work() as session:
        for vendor in session.scalars(db.select(Vendor)):
            vendor.code = f"V{vendor.id}"
    mine = factories.the_vendor()
    _key, secret = a_key("stock", vendor=mine)
    for code, status in ((f"V{mine.id}", 200), (f"V{mine.id + 1}", 422)):
        answer = client.get(f"/api/v1/stores?vendor={code}", headers=by(secret))
        assert answer.status_code == status


def test_software_registers_the_tills_of_a_vendor_and_each_then_speaks_for_itself(partner, client):
    with unit_of_work() as session:
        session.get_one(Store, factories.the_store().id).code = "N1"
    made = partner("POST", "/tills?vendor=V1", {"store": "N1", "name": "Caisse 7"})
    assert made.status_code == 201
    assert made.headers["Cache-Control"] == "no-store"
    secret = made.json["key"]
    assert client.get("/api/v1/till", headers=by(secret)).json["name"] == "Caisse 7"
    sale = event(1, a_shoe(), price="10.00")
    assert client.post("/api/v1/till/sales", json=sale, headers=by(secret)).status_code == 200

    again = partner("POST", "/tills?vendor=V1", {"store": "N1", "name": "Caisse 7"})
    assert (again.status_code, again.json["code"]) == (422, "till_known")
    (listed,) = partner("GET", "/tills?vendor=V1").json["results"]
    assert (listed["store"], listed["name"]) == ("N1", "Caisse 7")
    assert "key" not in listed
    assert partner("GET", "/tills?vendor=V2").json["results"] == []

    foreign = partner("POST", f"/tills/{listed['id']}/revoke?vendor=V2")
    assert foreign.status_code == 404
    assert partner("POST", f"/tills/{listed['id']}/revoke?vendor=V1").status_code == 200
    assert client.get("/api/v1/till", headers=by(secret)).status_code == 401


def test_a_partner_is_no_till(partner):
    with unit_of_work() as session, pytest.raises(Refused, match="caisse"):
        machine_keys.make_for_partner(
            [session.merge(factories.the_vendor())], "ERP", ["till"], by=LEA
        )


# ── keys ──


def test_a_key_is_shown_once_kept_as_a_fingerprint_and_opens_nothing_once_revoked(client):
    key, secret = a_key("catalogue", store=factories.the_store())
    assert secret not in repr(db.session.execute(db.text("SELECT * FROM machine_key")).all())
    assert client.get("/api/v1/catalogue", headers=by(secret)).status_code == 200
    with unit_of_work() as session:
        machine_keys.revoke(session.get_one(MachineKey, key.id), by=LEA)
    assert client.get("/api/v1/catalogue", headers=by(secret)).status_code == 401


def test_a_key_that_comes_too_often_is_told_when_to_come_back(client):
    _key, secret = a_key("catalogue", store=factories.the_store(), per_minute=3)
    answers = [client.get("/api/v1/catalogue", headers=by(secret)) for _n in range(5)]
    assert [a.status_code for a in answers] == [200] * 3 + [429] * 2
    assert 0 < int(answers[-1].headers["Retry-After"]) <= 60
    assert answers[-1].json["code"] == "too_many"


def test_a_problem_has_one_form_and_names_its_fields(till):
    answer = till("POST", "/till/sales", {"number": "x", "ean": "123", "at": "hier", "price": 5})
    assert answer.status_code == 422
    assert set(answer.json) == {
        "code",
        "message",
        "errors",
        "request_id",
    }
    assert {e["field"] for e in answer.json["errors"]} == {"number", "ean", "at", "price"}
    assert all(e["message"] for e in answer.json["errors"])
    assert answer.headers["X-Request-Id"] == answer.json["request_id"]


@pytest.mark.parametrize("body", ["", "[", "[1]", '"x"', "null", "[" * 100_000])
def test_what_is_no_object_is_said_to_be_none(client, till, body):
    answer = client.post(
        "/api/v1/till/sales", data=body, headers=by(till.secret), content_type="application/json"
    )
    assert answer.status_code == 422
    assert answer.json["code"] == "invalid"


# ── repeats ──


def test_the_same_request_under_one_idempotency_key_is_carried_out_once(till):
    shoe = a_shoe()
    stocked(shoe, 5)
    body = event(1, shoe, price="89.00")
    first = till("POST", "/till/sales", body, **{"Idempotency-Key": "a1"})
    again = till("POST", "/till/sales", body, **{"Idempotency-Key": "a1"})
    assert first.json == again.json
    assert again.headers["Idempotent-Replay"] == "true"
    assert quantity(shoe) == 4
    other = till("POST", "/till/sales", {**body, "quantity": 2}, **{"X-Idempotency-Key": "a1"})
    assert other.status_code == 422
    assert other.json["code"] == "key_reused"


def test_a_refused_repeatable_request_may_be_tried_again_and_a_running_one_says_wait(till):
    with unit_of_work() as session:
        session.add(
            IdempotentRequest(
                key_id=till.key.id, key="b1", request_sha256="x", code=0, body="", at=clock.now()
            )
        )
    answer = till("POST", "/till/sales", {}, **{"Idempotency-Key": "b1"})
    assert answer.status_code in (409, 422)
    with unit_of_work() as session:
        session.execute(db.update(IdempotentRequest).values(at=clock.now() - timedelta(minutes=5)))
    shoe = a_shoe()
    stocked(shoe, 1)
    assert (
        till(
            "POST", "/till/sales", event(1, shoe, price="1.00"), **{"Idempotency-Key": "b1"}
        ).status_code
        == 200
    )


def test_an_answer_is_not_another_key_s(till, client):
    shoe = a_shoe()
    stocked(shoe, 5)
    till("POST", "/till/sales", event(1, shoe, price="9.00"), **{"Idempotency-Key": "c1"})
    _other, secret = a_key(name="Caisse 2")
    answer = client.post(
        "/api/v1/till/sales",
        json=event(1, shoe, price="9.00"),
        headers=by(secret, **{"Idempotency-Key": "c1"}),
    )
    assert answer.status_code == 200
    assert "Idempotent-Replay" not in answer.headers
    assert quantity(shoe) == 3


# ── tills ──


def test_a_till_sells_takes_back_trades_in_and_counts(till):
    shoe = a_shoe()
    stocked(shoe, 5)
    assert till("POST", "/till/sales", event(1, shoe, price="89.00", reference="T-1")).json == {
        "number": 1, "again": False, "status": "ok", "quantity": 4, "conflicts": 0}  # fmt: skip
    assert till("POST", "/till/returns", event(2, shoe)).json["quantity"] == 5
    made = till("POST", "/till/trade-ins", event(3, shoe, price="10.00")).json
    assert made["status"] == "ok"
    assert len(made["items"]) == 1
    assert (
        till("POST", "/till/sales", event(4, shoe, price="25.00", item=made["items"][0])).json[
            "item"
        ]
        == made["items"][0]
    )
    assert till("POST", "/till/counts", event(5, shoe, quantity=9)).json["quantity"] == 9
    assert till("GET", "/till").json == {
        "name": "Caisse 1",
        "last_number": 5,
        "missing": [],
        "counts": True,
    }


def test_an_offline_queue_is_answered_event_by_event_and_told_again_without_doubling(till):
    shoe = a_shoe()
    stocked(shoe, 10)
    queue: list[Any] = [{**event(n, shoe, price="5.00"), "kind": "sale"} for n in (3, 1, 2)]
    queue += [
        {**event(4, "5060327534393", price="5.00"), "kind": "sale"},
        {"number": 5, "kind": "sale"},
        {**event(1, shoe, quantity=2, price="5.00"), "kind": "sale"},
        7,
    ]
    body = {"sent_at": clock.now().isoformat(), "events": queue}
    said = till("POST", "/till/events", body).json["results"]
    assert [one["status"] for one in said] == [
        "ok",
        "ok",
        "ok",
        "unknown_ean",
        "invalid",
        "number_reused",
        "invalid",
    ]
    assert [one["again"] for one in till("POST", "/till/events", body).json["results"]][:4] == [
        True
    ] * 4
    assert quantity(shoe) == 7
    assert (
        db.session.scalar(db.select(db.func.count(Movement.id)).where(Movement.kind == "sale")) == 3
    )


def test_an_event_refused_in_the_middle_of_a_queue_keeps_nothing_and_stops_no_other(till):
    shoe = a_shoe()
    stocked(shoe, 10)
    sale = {"kind": "sale", "price": "5.00"}
    twice = event(3, shoe, **sale)
    queue = [event(1, shoe, **sale), event(2, shoe, item=999, **sale), twice, twice]
    said = till("POST", "/till/events", {"events": queue}).json["results"]
    assert [(one["status"], one["again"]) for one in said] == [
        ("ok", False),
        ("refused", False),
        ("ok", False),
        ("ok", True),
    ]
    assert quantity(shoe) == 8
    assert db.session.scalars(db.select(TillEvent.number).order_by(TillEvent.number)).all() == [
        1,
        3,
    ]


def test_a_till_that_was_off_line_costs_few_statements_an_event(till, counted_statements):
    shoes = [a_shoe(f"Derby {n}") for n in range(30)]
    for shoe in shoes:
        stocked(shoe, 50)

    def told(first, many):
        sale = {"kind": "sale", "price": "5.00"}
        queue = [event(first + n, shoes[n % 30], **sale) for n in range(many)]
        with counted_statements() as statements:
            answers = till("POST", "/till/events", {"events": queue}).json["results"]
        assert [one["status"] for one in answers] == ["ok"] * many
        return len(statements)

    told(1, 10)
    few, many = told(101, 10), told(201, 40)
    # The event, its movement, the level, what happened meanwhile, the answer, and the savepoint.
    assert (many - few) / 30 <= 7, (few, many)


def test_a_reused_number_is_a_conflict_and_a_nonsense_a_sentence(till):
    shoe = a_shoe()
    stocked(shoe, 5)
    till("POST", "/till/sales", event(1, shoe, price="5.00"))
    assert till("POST", "/till/sales", event(1, shoe, price="6.00")).status_code == 409
    answer = till("POST", "/till/sales", event(2, shoe, price="6.00", item=999))
    assert answer.status_code == 422
    assert "999" in answer.json["message"]
    assert till("GET", "/till").json["last_number"] == 1


def test_a_key_of_one_store_or_vendor_reaches_no_other(client):
    shoe = a_shoe()
    other, _site, strange = factories.another_vendor()
    second = factories.a_store("Nantes 2", "N2")
    with unit_of_work() as session:
        session.get_one(Store, strange.id).code = "X1"
        factories.the_store().code = "M1"
    for store in (factories.the_store(), strange, second):
        stocked(shoe, 3, store)
    _key, secret = a_key("stock", store=factories.the_store())
    _wide, wide = a_key("stock", name="ERP")
    for code in ("X1", "N2", "INCONNU"):
        assert client.get(f"/api/v1/stock?store={code}", headers=by(secret)).status_code == 422
        answer = client.put(
            "/api/v1/stock",
            json={"store": code, "lines": [{"ean": shoe.ean, "quantity": 9}]},
            headers=by(secret),
        )
        assert answer.status_code == 422
    assert (
        client.get("/api/v1/stock?store=N2", headers=by(wide)).json["results"][0]["quantity"] == 3
    )
    assert client.get("/api/v1/stock?store=X1", headers=by(wide)).status_code == 422
    assert (
        client.get("/api/v1/stock", headers=by(wide)).status_code == 422
    )  # which of the two is not guessed
    assert (
        client.put(
            "/api/v1/stock", json={"lines": [{"ean": shoe.ean, "quantity": 9}]}, headers=by(wide)
        ).status_code
        == 422
    )
    assert [quantity(shoe, s) for s in (factories.the_store(), strange, second)] == [3, 3, 3]
    run = factories.given(
        factories.a_file(__import__("pathlib").Path("/tmp"), f"ean;quantite\n{shoe.ean};1\n"),
        store=strange,
        mode="delta",
    )
    _k, imports = a_key("imports", name="fichiers")
    assert client.get(f"/api/v1/imports/{run.id}", headers=by(imports)).status_code == 404
    assert (
        client.get(f"/api/v1/imports/{run.id}/error_report", headers=by(imports)).status_code == 404
    )
    assert other.id != factories.the_vendor().id


# ── stock ──


def test_stock_is_published_read_and_followed_by_a_cursor_that_skips_nothing(till):
    shoe, boot = a_shoe(), a_shoe("Botte Aubrac")
    body = {
        "lines": [
            {"ean": shoe.ean, "quantity": 3},
            {"ean": boot.ean, "quantity": 0},
            {"ean": "5060327534393", "quantity": 1},
        ]
    }
    said = till("PUT", "/stock", body).json
    assert (said["changed"], said["unchanged"], said["refused"]) == (1, 1, 0)
    assert said["ignored"] == [{"ean": "5060327534393", "reason": "unknown_ean"}]
    assert [(line["status"], line.get("reason")) for line in said["lines"]] == [
        ("changed", None),
        ("unchanged", None),
        ("ignored", "unknown_ean"),
    ]
    assert till("PUT", "/stock", body).json["changed"] == 0
    rows = till("GET", "/stock").json["results"]
    assert [(r["ean"], r["quantity"]) for r in rows] == [(shoe.ean, 3), (boot.ean, 0)] or sorted(
        r["quantity"] for r in rows
    ) == [0, 3]
    first = till("GET", "/stock/changes?limit=1").json
    assert first["results"][0]["ean"] == shoe.ean
    assert first["results"][0]["now"] == 3
    assert first["more"]
    till("POST", "/till/sales", event(1, shoe, price="5.00"))
    rest = till("GET", f"/stock/changes?cursor={first['cursor']}").json
    assert [(r["kind"], r["quantity"]) for r in rest["results"]] == [("sale", -1)]
    assert not rest["more"]
    assert till("GET", f"/stock/changes?cursor={rest['cursor']}").json["results"] == []


def test_two_quantities_for_the_only_barcode_publish_nothing(till):
    shoe = a_shoe()
    answer = till(
        "PUT",
        "/stock",
        {"lines": [{"ean": shoe.ean, "quantity": 3}, {"ean": shoe.ean, "quantity": 4}]},
    )
    assert answer.status_code == 422
    assert answer.json["errors"][0]["code"] == "named_twice"
    assert quantity(shoe) == 0


def test_one_wrong_line_stops_no_other_line_of_published_stock(till):
    good, negative, torn = a_shoe(), a_shoe("Botte Aubrac"), a_shoe("Mule Corail")
    stocked(torn, 7)
    answer = till(
        "PUT",
        "/stock",
        {
            "lines": [
                {"ean": good.ean, "quantity": 5},
                {"ean": negative.ean, "quantity": -2},
                {"ean": "5060327534390", "quantity": 1},
                {"ean": torn.ean, "quantity": 3},
                {"ean": torn.ean, "quantity": 4},
                "pas une ligne",
            ]
        },
    )
    assert answer.status_code == 200
    assert (answer.json["changed"], answer.json["refused"]) == (1, 5)
    assert [
        (line["line"], line["status"], line.get("reason")) for line in answer.json["lines"]
    ] == [
        (0, "changed", None),
        (1, "refused", "invalid"),
        (2, "refused", "invalid"),
        (3, "refused", "named_twice"),
        (4, "refused", "named_twice"),
        (5, "refused", "invalid"),
    ]
    assert (quantity(good), quantity(negative), quantity(torn)) == (5, 0, 7)


def test_too_many_lines_publish_nothing(till):
    shoe = a_shoe()
    assert (
        till("PUT", "/stock", {"lines": [{"ean": shoe.ean, "quantity": 1}] * 1001}).status_code
        == 422
    )


# ── catalogue ──


def test_a_reference_is_looked_up_with_its_prices_and_what_is_in_stock(till):
    game = factories.a_game("Astro Renard", argus_cents=2000)
    stocked(game, 2)
    factories.an_item(game)
    found = till("GET", f"/products/{game.ean}").json
    assert (
        found["title"],
        found["platform"],
        found["argus"],
        found["buy_price"],
        found["stock"],
    ) == (
        "Astro Renard",
        "Megadrive",
        "20.00",
        "8.00",
        {"new": 2, "used": 1},
    )
    assert found["cover"].startswith("/")
    assert found["currency"] == "EUR"
    assert till("GET", "/products/5060327534393").status_code == 404
    assert till("GET", "/products/123").json["code"] == "bad_ean"


def test_the_catalogue_is_searched_with_facets_and_read_in_pages_since_a_moment(till):
    with clock.at(clock.now() - timedelta(days=2)):
        (
            a_shoe(shoe_size="41"),
            a_shoe(shoe_size="42"),
            a_shoe("Botte Aubrac", color="Marron", brand="Aubrac"),
        )
    late = a_shoe("Mocassin Pouldu", brand="Pouldu")
    answer = till("GET", "/products?q=bottes&facets=1").json
    assert [r["title"] for r in answer["results"]] == ["Botte Aubrac"]
    assert answer["facets"]["color"] == [{"value": "Marron", "count": 1, "count_is_capped": False}]
    assert till("GET", "/products?q=moccasin").json["corrected"] == "mocassin"
    assert [s["title"] for s in till("GET", "/suggestions?q=moc").json["results"]] == [
        "Mocassin Pouldu"
    ]
    page = till("GET", "/catalogue?limit=3").json
    assert len(page["results"]) == 3
    assert [
        r["title"] for r in till("GET", f"/catalogue?cursor={page['next']}").json["results"]
    ] == ["Mocassin Pouldu"]
    since = (clock.now() - timedelta(days=1)).isoformat().replace("+", "%2B")
    assert [r["ean"] for r in till("GET", f"/catalogue?since={since}").json["results"]] == [
        late.ean
    ]
    assert till("GET", "/catalogue.csv").text.count("\n") == 5


def test_the_nearest_stores_come_first(till):
    (
        factories.a_store("Paris", "P1", postcode="75011"),
        factories.a_store("Rennes", "R1", postcode="35000"),
    )
    _key, wide = a_key("catalogue", name="ERP")
    client = db.session.bind and None
    assert client is None
    with unit_of_work():
        factories.the_store().postcode = "44000"
    from flask import current_app

    answer = current_app.test_client().get(
        "/api/v1/stores/nearest?postcode=75001", headers=by(wide)
    )
    assert [r["store"] for r in answer.json["results"]][:2] == ["P1", "R1"] or answer.json[
        "results"
    ][0]["store"] == "P1"
    assert (
        current_app.test_client()
        .get("/api/v1/stores/nearest?postcode=ABC", headers=by(wide))
        .status_code
        == 422
    )


# ── files ──


def test_a_file_is_given_followed_and_its_errors_fetched(till, client):
    shoe = a_shoe()
    mistyped = shoe.ean[:-1] + str((int(shoe.ean[-1]) + 1) % 10)
    text = f"ean;quantite\n{shoe.ean};4\n{mistyped};1\nx;-3\n".encode()

    def give():
        return client.post(
            "/api/v1/imports",
            data={"kind": "stock", "mode": "delta", "file": (io.BytesIO(text), "stock.csv")},
            headers=by(till.secret),
        )

    first, again = give(), give()
    assert first.status_code == 202
    assert first.json["status"] == "WAITING"
    assert again.json["import_id"] == first.json["import_id"]
    outbox.work()
    done = till("GET", f"/imports/{first.json['import_id']}").json
    assert (
        done["status"],
        done["lines_in_success"],
        done["lines_in_error"],
        done["has_error_report"],
    ) == ("COMPLETE", 1, 2, True)
    report = till("GET", f"/imports/{first.json['import_id']}/error_report")
    assert report.text.splitlines()[0].endswith("error-line;error-message")
    assert quantity(shoe) == 4


@pytest.fixture
def waiting(till, tmp_path) -> int:
    """A file that would empty the store, given by the machine: it waits for somebody."""
    shoes = [a_shoe(f"Botte {n}") for n in range(4)]
    for shoe in shoes:
        stocked(shoe, 3)
    path = factories.a_file(tmp_path, f"ean;quantite\n{shoes[0].ean};3\n")
    with unit_of_work():
        id = runs.receive(
            runs.keep(path, "stock.csv"),
            "stock",
            by=LEA,
            store=factories.the_store(),
            mode="full",
        ).id
    outbox.work()
    return id


def test_a_file_that_waits_is_found_read_and_confirmed_by_the_machine(till, waiting):
    (row,) = till("GET", "/imports?status=TO_CONFIRM&kind=stock").json["results"]
    assert row["import_id"] == waiting
    assert "3 références" in row["reason_status"]
    assert till("POST", f"/imports/{waiting}/confirm").json["status"] == "WAITING"
    outbox.work()
    assert till("GET", f"/imports/{waiting}").json["status"] == "COMPLETE"
    again = till("POST", f"/imports/{waiting}/confirm")
    assert (again.status_code, again.json["code"]) == (422, "nothing_waits")


def test_a_file_that_waits_is_forgotten_by_the_machine(till, waiting):
    assert till("POST", f"/imports/{waiting}/cancel").json["status"] == "CANCELLED"
    assert till("GET", "/imports?status=TO_CONFIRM").json["results"] == []
    assert till("GET", "/imports?status=PERDU").status_code == 422


def test_a_key_that_stands_in_one_store_sees_no_file_of_another(client, waiting):
    other = factories.a_store()
    _key, secret = a_key("imports", store=other)
    for method, end in (("GET", ""), ("POST", "/confirm"), ("POST", "/cancel")):
        answer = client.open(f"/api/v1/imports/{waiting}{end}", method=method, headers=by(secret))
        assert answer.status_code == 404, end
    assert client.get("/api/v1/imports", headers=by(secret)).json["results"] == []


def test_stores_are_named_by_the_codes_every_call_takes(till, client):
    factories.a_store("Rennes Liberté", code="R1")
    another_vendor()
    _key, secret = a_key("stock")
    rows = client.get("/api/v1/stores", headers=by(secret)).json
    assert "R1" in [row["code"] for row in rows["results"]]
    assert len(rows["results"]) == 2
    assert rows["server_time"]
    alone = till("GET", "/stores").json["results"]
    assert len(alone) == 1, "a till stands in one store"


def test_a_part_of_a_form_without_a_name_is_no_error(till, client):
    parts = [b'kind"\r\n\r\nstock', b'"\r\n\r\nx']
    body = b"".join(b'--b\r\nContent-Disposition: form-data; name="%s\r\n' % part for part in parts)
    body += b"--b\r\nContent-Disposition: form-data\r\n\r\nnobody\r\n--b--\r\n"
    answer = client.post(
        "/api/v1/imports",
        data=body,
        headers=by(till.secret, **{"Idempotency-Key": "unnamed"}),
        content_type="multipart/form-data; boundary=b",
    )
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json["errors"]] == ["file"]


@pytest.mark.parametrize("number", [True, False, "7", None, 1.5])
def test_a_queued_event_without_a_whole_number_is_answered_without_one(till, number):
    body = {"events": [{"number": number, "kind": "sale"}]}
    (answer,) = till("POST", "/till/events", body).json["results"]
    assert (answer["number"], answer["status"]) == (None, "invalid")
    assert "number:" in answer["message"]


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"kind": "argus"},
        {"kind": "stock", "mode": "replace"},
        {"kind": "stock", "dated_at": "hier"},
    ],
)
def test_a_file_that_says_too_little_is_refused_with_its_fields(till, client, data):
    answer = client.post(
        "/api/v1/imports",
        data={**data, **({"file": (io.BytesIO(b"ean;quantite\n"), "x.csv")} if data else {})},
        headers=by(till.secret),
    )
    assert answer.status_code == 422
    assert answer.json["errors"]
    assert db.session.scalar(db.select(db.func.count(ImportRun.id))) == 0


# ── listings ──


def test_offers_say_what_keeps_them_from_being_shown(till):
    shoe = a_shoe()
    with unit_of_work() as session:
        listings.offer(
            session.merge(factories.the_vendor()), "SKU-1", session.merge(shoe), 8900, by=LEA
        )
    assert till("GET", "/listings").json["results"][0]["why_not_shown"] == "ZERO_QUANTITY"
    stocked(shoe, 2)
    row = till("GET", "/listings").json["results"][0]
    assert (row["why_not_shown"], row["quantity"], row["price"], row["state"]) == (
        None,
        2,
        "89.00",
        "11",
    )
    assert till("GET", "/listings.csv?file=of01").text.count("SKU-1") == 1
    assert till("GET", "/listings.csv?file=x").status_code == 422


# ── its manual ──


def test_a_file_given_again_with_another_mode_is_another_import(till, client):
    def give(**fields):
        file = (io.BytesIO(b"ean;quantite\n5060327534393;1\n"), "stock.csv")
        answer = client.post(
            "/api/v1/imports", data={**fields, "file": file}, headers=by(till.secret)
        )
        return answer.json["import_id"]

    first = give(kind="stock")
    assert give(kind="stock") == first
    assert give(kind="stock", mode="delta") != first


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [("DELETE", "/stock", "method_not_allowed"), ("GET", "/imports/abc", "not_found")],
)
def test_an_address_that_answers_nothing_says_so_in_a_code(till, method, path, code):
    answer = till(method, path)
    assert answer.json["code"] == code
    assert "bouton" not in answer.json["message"]


def test_offers_are_published_changed_and_withdrawn_line_by_line(till):
    shoe, other = a_shoe(), a_shoe("Derby 2")
    body = {
        "lines": [
            {"sku": "S1", "ean": shoe.ean, "price": "89.00", "quantity": 4, "leadtime_to_ship": 2},
            {"sku": "S2", "ean": other.ean, "price": "0.00"},
            {"sku": "S3", "ean": "5060327534393", "price": "10.00"},
            {"sku": "S4", "ean": other.ean, "price": 12},
            {"sku": "S5", "ean": other.ean, "price": "12.00", "state": "3", "quantity": 2},
            {"sku": "S6", "delete": True},
            7,
        ]
    }
    lines = till("PUT", "/listings", body).json["lines"]
    assert [(one["sku"], one["status"]) for one in lines] == [
        ("S1", "created"),
        ("S2", "refused"),
        ("S3", "ignored"),
        ("S4", "refused"),
        ("S5", "created"),
        ("S6", "ignored"),
        ("", "refused"),
    ]
    assert "zéro" in lines[1]["message"]
    shown = {one["sku"]: one for one in till("GET", "/listings").json["results"]}
    assert (shown["S1"]["price"], shown["S1"]["quantity"]) == ("89.00", 4)
    assert (shown["S5"]["state"], shown["S5"]["quantity"]) == ("3", 2)

    again = {
        "lines": [
            {"sku": "S1", "price": "79.00"},
            {"sku": "S5", "quantity": 2, "state": "3"},
        ]
    }
    statuses = [one["status"] for one in till("PUT", "/listings", again).json["lines"]]
    assert statuses == ["changed", "unchanged"]
    shown = {one["sku"]: one for one in till("GET", "/listings").json["results"]}
    assert (shown["S1"]["price"], shown["S1"]["leadtime_to_ship"]) == ("79.00", 2)
    gone = till("PUT", "/listings", {"lines": [{"sku": "S1", "delete": True}]}).json["lines"]
    assert gone[0]["status"] == "withdrawn"


def test_prices_are_published_and_a_discount_ends_when_it_is_null(till):
    till("PUT", "/listings", {"lines": [{"sku": "S1", "ean": a_shoe().ean, "price": "89.00"}]})
    lines = [
        {
            "sku": "S1",
            "price": "89.00",
            "discount_price": "69.00",
            "discount_from": "2020-01-01",
            "discount_to": "2099-12-31",
        },
        {"sku": "S9", "price": "1.00"},
    ]
    answer = till("PUT", "/prices", {"lines": lines}).json["lines"]
    assert [one["status"] for one in answer] == ["changed", "ignored"]

    def asked():
        return till("GET", "/listings").json["results"][0]["price_today"]

    assert asked() == "69.00"
    till("PUT", "/prices", {"lines": [{"sku": "S1", "price": "85.00"}]})
    assert asked() == "69.00"  # what is not named stays
    till("PUT", "/prices", {"lines": [{"sku": "S1", "price": "85.00", "discount_price": None}]})
    assert asked() == "85.00"
    two = [{"sku": "S1", "price": "80.00"}, {"sku": "S1", "price": "81.00"}]
    answer = till("PUT", "/prices", {"lines": two}).json["lines"]
    assert [one["status"] for one in answer] == ["refused", "refused"]
    assert asked() == "85.00"
    wrong = [{"sku": "S1", "price": "80.00", "discount_price": "1.00", "discount_from": 12}]
    assert till("PUT", "/prices", {"lines": wrong}).json["lines"][0]["status"] == "refused"


def test_software_registers_its_address_and_gets_a_signed_trial(client, hooks):
    _key, secret = a_key("webhooks")

    def ask(method, path, body=None, **headers):
        return client.open(
            f"/api/v1{path}", method=method, json=body, headers=by(secret, **headers)
        )

    body = {"url": "https://caisse.example/comptoir", "events": ["stock.changed"]}
    made = ask("POST", "/webhooks", body, **{"Idempotency-Key": "w1"})
    assert made.status_code == 201
    assert made.json["secret"].startswith("whsec_")
    again = ask("POST", "/webhooks", body, **{"Idempotency-Key": "w1"})
    assert (again.status_code, again.json["code"]) == (422, "address_known")
    kept = db.session.scalars(db.select(IdempotentRequest.body)).all()
    assert made.json["secret"] not in "".join(kept)
    (listed,) = ask("GET", "/webhooks").json["results"]
    assert (listed["url"], listed["status"], listed["events"]) == (
        "https://caisse.example/comptoir",
        "active",
        ["stock.changed"],
    )
    assert "secret" not in listed

    trial = ask("POST", f"/webhooks/{made.json['id']}/trial")
    assert trial.status_code == 202
    outbox.work()
    ((url, headers, sent),) = hooks.told
    assert url == body["url"]
    assert json.loads(sent)["type"] == "webhook.trial"
    assert headers["webhook-id"] == trial.json["message_id"]

    assert ask("POST", f"/webhooks/{made.json['id']}/pause").json["status"] == "paused"
    refused = ask("POST", f"/webhooks/{made.json['id']}/trial")
    assert refused.status_code == 422
    assert ask("POST", f"/webhooks/{made.json['id']}/resume").json["status"] == "active"
    unknown = ask("POST", "/webhooks", {**body, "url": "https://a.example/b", "events": ["x"]})
    assert unknown.json["errors"][0]["field"] == "events[0]"

    _theirs, foreign = a_key("webhooks", vendor=another_vendor()[0])
    answer = client.post(f"/api/v1/webhooks/{made.json['id']}/trial", headers=by(foreign))
    assert answer.status_code == 404


def test_a_key_that_reads_offers_publishes_none(client):
    _key, secret = a_key("listings")
    for path in ("listings", "prices"):
        answer = client.put(f"/api/v1/{path}", json={"lines": []}, headers=by(secret))
        assert answer.status_code == 403


def test_the_kind_of_a_file_of_listings_is_read_in_any_case(till):
    assert till("GET", "/listings.csv?file=PRI01").status_code == 200


def test_each_line_of_the_manual_can_be_pasted(as_staff):
    page = as_staff("Administrateur").get("/gestion/api/").get_data(as_text=True)
    lines = [
        html.unescape(found) for found in re.findall(r"<pre[^>]*>\s*(curl.*?)</pre>", page, re.S)
    ]
    assert len(lines) >= 20
    for line in lines:
        words = shlex.split(line)
        assert words[-1].startswith("http"), line
        if "-d" in words:
            assert json.loads(words[words.index("-d") + 1])
    sale = next(line for line in lines if line.endswith("/till/sales"))
    assert "Content-Type: application/json" in sale


def test_the_manual_speaks_french_to_people_and_to_who_reads_the_document(client, as_staff):
    said = client.get("/api/v1/openapi.json").get_json()
    assert (
        said["paths"]["/api/v1/till/sales"]["post"]["summary"]
        == "Une caisse annonce une vente au comptoir"
    )
    page = as_staff("Administrateur").get("/gestion/api/").get_data(as_text=True)
    assert "Une caisse annonce une vente au comptoir" in page
    assert "Où la dernière page s’est arrêtée" in page


def test_a_repeat_gets_the_first_answer_for_a_day_not_a_minute(till):
    shoe = a_shoe()
    stocked(shoe, 5)
    body = event(1, shoe, price="9.00")
    first = till("POST", "/till/sales", body, **{"Idempotency-Key": "d1"})
    with clock.at(clock.now() + timedelta(hours=23)):
        again = till("POST", "/till/sales", body, **{"Idempotency-Key": "d1"})
    assert again.headers.get("Idempotent-Replay") == "true"
    assert again.json == first.json


def test_held_units_are_not_available_and_no_page_repeats_a_line(till):
    shoes = [a_shoe(f"Derby {n}") for n in range(3)]
    for shoe in shoes:
        stocked(shoe, 5)
    level = db.session.scalars(db.select(StockLevel).order_by(StockLevel.id)).first()
    factories.a_reservation(level, 2, "1702-A", promised=True)
    pages, cursor = [], 0
    for _n in range(3):
        page = till("GET", f"/stock?limit=1&cursor={cursor}").json
        pages += page["results"]
        cursor = page["next"]
    assert len({row["ean"] for row in pages}) == 3
    (held,) = [row for row in pages if row["reserved"]]
    assert (held["quantity"], held["available"]) == (5, 3)


def test_one_idempotency_key_for_two_addresses_is_two_requests(till):
    shoe = a_shoe()
    stocked(shoe, 5)
    body = {"lines": [{"ean": shoe.ean, "quantity": 4}]}
    headers = {"Idempotency-Key": "same"}
    assert till("PUT", "/stock", body, **headers).status_code == 200
    again = till("PUT", "/stock?x=1", body, **headers)
    assert (again.status_code, again.json["code"]) == (422, "key_reused")


def test_a_published_quantity_alone_is_a_change_and_its_movement_says_where_from(till):
    shoe = a_shoe()
    line = {"sku": "S1", "ean": shoe.ean, "price": "89.00", "quantity": 4}
    till("PUT", "/listings", {"lines": [line]})
    answer = till("PUT", "/listings", {"lines": [{"sku": "S1", "quantity": 6}]}).json["lines"]
    assert answer[0]["status"] == "changed"
    assert set(db.session.scalars(db.select(Movement.reference))) == {"API"}
    dates = {"sku": "S1", "price": "89.00", "discount_from": "2020-01-01"}
    assert till("PUT", "/prices", {"lines": [dates]}).json["lines"][0]["status"] == "unchanged"
