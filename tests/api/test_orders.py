"""A vendor's software answers orders as its people do, and no other vendor's."""

import pytest

from models import VendorOrder
from services.orders import parts, pickup
from services.unit import db
from tests import factories
from tests.factories import a_key, a_part, a_shoe, a_shop, an_order, letters, on_sale


@pytest.fixture
def speak(client):
    """How the software of our vendor speaks."""
    _key, secret = a_key("orders", vendor=factories.the_vendor())
    return speaker(client, secret)


def speaker(client, secret: str):
    def say(method: str, path: str, body=None, **headers):
        answer = client.open(
            f"/api/v1{path}",
            method=method,
            json=body,
            headers={"Authorization": f"Bearer {secret}", **headers},
        )
        db.session.expire_all()
        return answer

    return say


def the(part: VendorOrder) -> VendorOrder:
    db.session.rollback()
    return db.session.get_one(VendorOrder, part.id)


def three_pairs() -> VendorOrder:
    a_shop()
    store = factories.keeps_for_buyers()
    return an_order((on_sale(a_shoe("Derby"), 8900, 5), store, 3)).parts[0]


def test_an_order_is_told_with_its_lines_its_deadline_and_its_buyer(speak):
    part = a_part()
    (told,) = speak("GET", "/orders").json["results"]
    assert (told["order"], told["purchase"], told["status"]) == (
        part.reference,
        part.order.number,
        "waiting_acceptance",
    )
    assert told["buyer"] == {"name": part.order.name, "phone": part.order.phone}
    assert part.order.email not in str(told)
    assert (told["total"], told["lines"][0]["unit_price"]) == ("89.00", "89.00")
    assert told == speak("GET", f"/orders/{part.reference}").json


def test_orders_come_by_pages_and_by_state(speak, counted_statements):
    first = a_part()
    store = factories.keeps_for_buyers()
    others = [
        a_part("shipping", (on_sale(a_shoe(f"Botte {n}"), 9000, 1), store, 1)) for n in range(3)
    ]
    page = speak("GET", "/orders?limit=2").json
    assert [one["order"] for one in page["results"]] == [first.reference, others[0].reference]
    rest = speak("GET", f"/orders?limit=2&cursor={page['next']}").json
    assert [one["order"] for one in rest["results"]] == [others[1].reference, others[2].reference]
    assert rest["next"] is None
    ready = speak("GET", "/orders?status=shipping").json["results"]
    assert len(ready) == 3
    assert speak("GET", "/orders?status=nothing").status_code == 422
    with counted_statements() as few:
        speak("GET", "/orders?limit=1")
    with counted_statements() as many:
        speak("GET", "/orders?limit=4")
    assert len(many) == len(few)


def test_all_of_it_there_is_accepted_and_less_of_it_in_part(speak):
    part = three_pairs()
    line = part.lines[0].id
    body = {"lines": [{"id": line, "available": 2, "problem": "price_error"}]}
    told = speak("POST", f"/orders/{part.reference}/accept", body).json
    assert (told["status"], told["total"], told["modified"]) == ("shipping", "178.00", True)
    assert len(letters("order_modified")) == 1
    other = a_part()
    body = {"lines": [{"id": other.lines[0].id, "available": 1}]}
    assert speak("POST", f"/orders/{other.reference}/accept", body).json["modified"] is False
    assert len(letters("order_accepted")) == 1


@pytest.mark.parametrize("named", [[], ["other"], ["own", "own"], ["own", "other"]])
def test_an_acceptance_names_every_line_once(speak, named):
    part = a_part()
    ids = {"own": part.lines[0].id, "other": 999}
    body = {"lines": [{"id": ids[name], "available": 1} for name in named]}
    answer = speak("POST", f"/orders/{part.reference}/accept", body)
    assert answer.status_code == 422
    assert the(part).status is parts.S.waiting_acceptance


@pytest.mark.parametrize("available", [-1, 2, 100, "1", None])
def test_a_number_that_makes_no_sense_changes_nothing(speak, available):
    part = a_part()
    body = {"lines": [{"id": part.lines[0].id, "available": available}]}
    assert speak("POST", f"/orders/{part.reference}/accept", body).status_code == 422
    assert the(part).status is parts.S.waiting_acceptance


def test_an_order_goes_its_way_to_the_buyer(speak):
    part = a_part("shipping")
    assert speak("POST", f"/orders/{part.reference}/ready").json["status"] == "to_collect"
    code = pickup.code_of(the(part))
    other = "000000" if code.digits != "000000" else "111111"
    wrong = speak("POST", f"/orders/{part.reference}/collect", {"code": other})
    assert (wrong.status_code, wrong.json["code"]) == (422, "wrong_code")
    assert the(part).code_tries == 1
    body = {"code": code.shown}
    assert speak("POST", f"/orders/{part.reference}/collect", body).json["status"] == "received"
    again = speak("POST", f"/orders/{part.reference}/collect", body)
    assert (again.status_code, again.json["code"]) == (422, "refused")


def test_a_refusal_and_a_cancellation_tell_the_buyer(speak):
    part = a_part()
    assert speak("POST", f"/orders/{part.reference}/refuse").json["buyer"] is None
    store = factories.keeps_for_buyers()
    other = a_part("to_collect", (on_sale(a_shoe("Botte"), 9000, 1), store, 1))
    body = {"reason": "buyer"}
    assert speak("POST", f"/orders/{other.reference}/cancel", body).status_code == 422
    body = {"reason": "closed", "message": "Inondation"}
    told = speak("POST", f"/orders/{other.reference}/cancel", body).json
    assert (told["status"], told["reason"]) == ("canceled", "closed")
    assert len(letters("order_refused")) == 2


def test_the_software_of_another_vendor_finds_nothing_and_does_nothing(client):
    vendor, _site, _store = factories.another_vendor()
    _key, secret = a_key("orders", vendor=vendor)
    say, part = speaker(client, secret), a_part("to_collect")
    assert say("GET", "/orders").json["results"] == []
    assert say("GET", f"/orders/{part.reference}").status_code == 404
    line = part.lines[0].id
    for verb, body in (
        ("accept", {"lines": [{"id": line, "available": 0}]}),
        ("refuse", None),
        ("ready", None),
        ("collect", {"code": factories.pickup_code(part)}),
        ("cancel", {"reason": "closed"}),
    ):
        assert say("POST", f"/orders/{part.reference}/{verb}", body).status_code == 404, verb
    assert the(part).status is parts.S.to_collect


def test_a_vendor_who_is_not_the_operator_answers_too(client):
    a_shop()
    vendor, _site, rennes = factories.another_vendor()
    rennes = factories.keeps_for_buyers(rennes)
    part = an_order((on_sale(a_shoe(), 8900, 1, rennes), rennes, 1)).parts[0]
    _key, secret = a_key("orders", vendor=vendor)
    body = {"lines": [{"id": part.lines[0].id, "available": 1}]}
    told = speaker(client, secret)("POST", f"/orders/{part.reference}/accept", body)
    assert told.json["status"] == "shipping"


def test_the_same_request_twice_gets_the_first_answer(speak):
    part = a_part("shipping")
    first = speak("POST", f"/orders/{part.reference}/ready", **{"Idempotency-Key": "a"})
    again = speak("POST", f"/orders/{part.reference}/ready", **{"Idempotency-Key": "a"})
    assert (first.status_code, again.status_code) == (200, 200)
    assert first.json == again.json
