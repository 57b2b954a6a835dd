"""The document of the API says what the routes do, because it is made of their statements."""

import json

import jsonschema
import pytest

from api import openapi, routes
from api.fields import Body, Invalid, Page, Problem, Query
from api.routes import ROUTES
from api.stock import Quantities, Quantity
from api.tills import Queue, SentSale
from models import MachineKey


def test_every_route_for_machines_is_in_the_document(app):
    described = {
        (path, method.upper())
        for path, methods in openapi.document()["paths"].items()
        for method in methods
    }
    served = {
        (openapi.path_of(rule.rule.removeprefix("/api/v1")), method)
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/api/v1/") and rule.endpoint != "api.metrics"
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    assert served == described


def test_every_reference_of_the_document_leads_somewhere(client):
    document = client.get("/api/v1/openapi.json").get_json()
    named = {part.split('"')[0] for part in json.dumps(document).split("#/components/schemas/")[1:]}
    assert named <= set(document["components"]["schemas"])
    assert "Problem" in named


@pytest.mark.parametrize(
    "model",
    [r.body for r in ROUTES if r.body is not None and issubclass(r.body, Body)],
    ids=lambda model: model.__name__,
)
def test_the_example_of_a_body_is_one_we_take(app, model):
    with app.test_request_context():
        assert model.read(json.dumps(model.EXAMPLE).encode())


def test_each_answer_has_an_example_that_its_schema_takes(client):
    document = client.get("/api/v1/openapi.json").get_json()
    count = 0
    for methods in document["paths"].values():
        for operation in methods.values():
            for status, answer in operation["responses"].items():
                content = answer.get("content", {}).get("application/json")
                if content is None or not status.startswith("2"):
                    continue
                schema = {**content["schema"], "components": document["components"]}
                jsonschema.Draft202012Validator(
                    schema, format_checker=jsonschema.FormatChecker()
                ).validate(content["example"])
                count += 1
    assert count > 25
    example = document["paths"]["/api/v1/stock"]["get"]["responses"]["200"]["content"]
    assert example["application/json"]["example"]["results"][0]["ean"] == "5060327534393"


def test_the_document_says_what_each_scope_opens(client):
    document = client.get("/api/v1/openapi.json").get_json()
    told = document["components"]["securitySchemes"]["key"]["description"]
    named = {scope for route in ROUTES for scope in route.scopes}
    assert all(f"{scope}: " in told for scope in named)


def test_a_view_whose_arguments_nobody_fills_is_refused_at_start():
    def view(key: MachineKey, asked: Page) -> Problem:
        raise AssertionError

    with pytest.raises(TypeError, match="its arguments are"):
        routes.get("/nowhere", "", scopes=("stock",))(view)
    with pytest.raises(TypeError, match="its arguments are"):
        routes.get("/nowhere/<int:id>", "", scopes=("stock",))(view)


def test_what_pydantic_refuses_by_itself_has_a_sentence_too(app):
    class Plain(Query):
        number: int

    with app.test_request_context(), pytest.raises(Invalid) as refused:
        Plain.read({"number": "x"})
    assert refused.value.errors == [
        {"field": "number", "code": "invalid", "message": "Ce n’est pas ce qui est attendu ici."}
    ]


SALE = {"number": 1, "ean": "5060327534393", "at": "2026-11-25T10:30:00+01:00", "price": "1.00"}


@pytest.mark.parametrize(
    ("model", "sent", "field", "code"),
    [
        (SentSale, SALE | {"number": True}, "number", "whole_number"),
        (SentSale, SALE | {"number": "1"}, "number", "whole_number"),
        (SentSale, SALE | {"number": 2**31}, "number", "whole_number"),
        (SentSale, SALE | {"price": 5}, "price", "amount"),
        (SentSale, SALE | {"price": "-1.00"}, "price", "amount"),
        (SentSale, SALE | {"at": "2026-11-25T10:30:00"}, "at", "moment"),
        (SentSale, SALE | {"ean": "123"}, "ean", "bad_ean"),
        (SentSale, SALE | {"used": "yes"}, "used", "boolean"),
        (SentSale, SALE | {"condition": "new"}, "condition", "choice"),
        (SentSale, SALE | {"reference": "x" * 61}, "reference", "text"),
        (SentSale, {k: v for k, v in SALE.items() if k != "price"}, "price", "missing"),
        (Queue, {"events": []}, "events", "list"),
        (Queue, {"events": [{}] * 501}, "events", "list"),
        (Quantity, {"ean": "5060327534393", "quantity": -1}, "quantity", "whole_number"),
        (Quantities, {"lines": "x"}, "lines", "list"),
    ],
)  # fmt: skip
def test_a_field_that_is_refused_is_named_with_a_code_and_a_french_sentence(
    app, model, sent, field, code
):
    with app.test_request_context(), pytest.raises(Invalid) as refused:
        model.read(json.dumps(sent).encode())
    assert [(e["field"], e["code"]) for e in refused.value.errors] == [(field, code)]
    assert refused.value.errors[0]["message"]


@pytest.mark.parametrize("body", [b"", b"[", b"[1]", b'"x"', b"null", b"[" * 100_000])
def test_a_body_that_is_no_object_is_named_as_such(app, body):
    with app.test_request_context(), pytest.raises(Invalid) as refused:
        SentSale.read(body)
    assert refused.value.errors[0]["code"] in ("json", "object")


def test_the_document_says_of_each_route_which_key_opens_it(app):
    paths = openapi.document()["paths"]
    for route in ROUTES:
        operation = paths[openapi.path_of(route.path)][route.method.lower()]
        assert operation.get("x-scopes", []) == list(route.scopes), route.name
        needed = [{"key": [scope]} for scope in route.scopes]  # each is enough
        assert operation.get("security", []) == needed, route.name
