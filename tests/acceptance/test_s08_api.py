"""S8: thousands of requests nobody would write against the door for machines: never a 500, and each
answer as its OpenAPI document says.
"""

import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from services import settings as shop
from services.unit import unit_of_work
from tests import factories
from tests.acceptance.killing import invariants
from tests.acceptance.sizes import size

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


def test_the_door_for_machines_answers_as_it_says_whatever_is_asked(app, figure):
    game = factories.a_game(code="5060327534393")
    assert game.ean == "5060327534393"
    with unit_of_work():
        shop.change("quotes_per_minute", "0", by=factories.LEA)
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", app)
    sent: dict[int, int] = {}
    # Well-formed requests of each operation, and malformed ones of those that take something.
    for path, method, ill, count in (
        ("/api/v1/quote", "GET", False, 5_000),
        ("/api/v1/quote", "GET", True, 4_000),
        ("/api/v1/csp", "POST", False, 2_000),
        ("/api/v1/health", "GET", False, 5),
    ):
        mode = schemathesis.GenerationMode.NEGATIVE if ill else schemathesis.GenerationMode.POSITIVE

        @settings(
            max_examples=size(count // 50 + 1, count),
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(case=schema[path][method].as_strategy(generation_mode=mode))
        def send(case):
            answer = case.call()
            case.validate_response(answer, checks=CHECKS)
            sent[answer.status_code] = sent.get(answer.status_code, 0) + 1

        send()
    assert not any(code >= 500 for code in sent), sent
    figure("requests", sum(sent.values()), at_least=10_000)
    figure("statuses met", len(sent), at_least=2, always=True)


def test_the_limit_of_public_prices_answers_429_with_when_to_come_back(app, client):
    with unit_of_work():
        shop.change("quotes_per_minute", "5", by=factories.LEA)
    answers = [client.get("/api/v1/quote?ean=5060327534393") for _n in range(7)]
    assert [a.status_code for a in answers] == [200] * 5 + [429] * 2
    assert 0 < int(answers[-1].headers["Retry-After"]) <= 60
    assert answers[-1].json["code"] == "too_many"


def test_figures_are_for_who_holds_the_token_only(app, client):
    from dataclasses import replace

    machine = app.extensions["comptoir"]
    assert client.get("/api/v1/metrics").status_code == 404
    app.extensions["comptoir"] = replace(machine, metrics_token="m" * 24)
    try:
        assert client.get("/api/v1/metrics").status_code == 401
        assert (
            client.get(
                "/api/v1/metrics", headers={"Authorization": "Bearer " + "m" * 23}
            ).status_code
            == 401
        )
        page = client.get("/api/v1/metrics", headers={"Authorization": "Bearer " + "m" * 24})
        assert page.status_code == 200
        assert 'comptoir_check{name="database"} 0' in page.text
        assert 'comptoir_outbox{state="dead"} 0' in page.text
        assert "@" not in page.text
    finally:
        app.extensions["comptoir"] = machine


def test_every_route_for_keys_answers_as_its_document_says_whatever_is_sent(app, figure):
    """Tills' and vendors' routes, well-formed and malformed, with a key that opens everything;
    repeats under one Idempotency-Key included.
    """
    game = factories.a_game(code="5060327534393")
    factories.stocked(game, 5)
    _key, secret = factories.a_key("till catalogue stock imports listings", per_minute=100_000)
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", app)
    sent: dict[int, int] = {}
    headers = {"Authorization": f"Bearer {secret}"}
    document = app.test_client().get("/api/v1/openapi.json").json
    operations = [
        (path, method)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if "security" in operation
    ]
    assert len(operations) >= 17
    for path, method in operations:
        for ill in (False, True):
            mode = (
                schemathesis.GenerationMode.NEGATIVE
                if ill
                else schemathesis.GenerationMode.POSITIVE
            )

            @settings(
                max_examples=size(12, 320),
                deadline=None,
                derandomize=True,
                database=None,
                suppress_health_check=list(HealthCheck),
            )
            @given(case=schema[path][method].as_strategy(generation_mode=mode))
            def send(case):
                answer = case.call(headers=headers)
                case.validate_response(answer, checks=CHECKS)
                sent[answer.status_code] = sent.get(answer.status_code, 0) + 1

            try:
                send()
            except Unsatisfiable:  # a route that takes nothing has nothing malformed to be sent
                assert ill
    assert not any(code >= 500 for code in sent), sent
    invariants()
    figure("requests of keys", sum(sent.values()), at_least=10_000)
    figure("statuses of keys", len(sent), at_least=4, always=True)
