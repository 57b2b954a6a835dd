"""The OpenAPI 3.1 document of the API, made of the statements of its routes (api/routes.py).

`make accept` sends thousands of valid and invalid requests and compares each answer with the
document.
"""

import functools
import re
from typing import Any, cast

from flask import Response, jsonify
from flask_babel import gettext as _
from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import models_json_schema

from api import codes, examples, routes
from api.fields import N_, Body, Form, Problem
from api.routes import ROUTES, Route
from services import webhooks
from services.people import machine_keys

_DESCRIPTION = N_(
    "For machines: tills, vendors' software, monitoring. JSON, UTF-8; money as decimal text"
    " in euros, moments in ISO 8601 with their offset. A key of « Clés » opens it:"
    " Authorization: Bearer cpt_…; each key opens one vendor, perhaps one store, and what"
    " its scopes name. Problems have one form: code, message, errors, request_id. Lists go"
    " on with the cursor of the last page. Till events are numbered by the till: sent"
    " twice, they count once; sent late, they count at the time they happened"
    " (docs/rules/stock.md). Webhooks are signed as Standard Webhooks say: webhook-id,"
    " webhook-timestamp, webhook-signature."
)
_INVALID = N_(
    "What was sent cannot be understood, or makes no sense: `errors` names the fields,"
    " `message` says why."
)
_HEARD = N_("Heard. Any other answer is tried again, for a day; 410 closes the address.")
_CONFLICT = N_("It contradicts what is known, or the same request is still under way.")
# What every route for keys may answer besides its own answers.
_OF_KEYS = {
    401: N_("No key, a wrong or a revoked one."),
    403: N_("The key does not open this."),
    429: N_("Too many requests in a minute for this key."),
}
_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "maxLength": 120, "pattern": "^[!-~]+$"},
    "description": N_(
        "The same key with the same body within 24 hours gets the first answer; with another body"
        " 422."
    ),
}
_VENDOR = {
    "name": "vendor",
    "in": "query",
    "required": False,
    "schema": {"type": "string", "maxLength": 20},
    "description": N_(
        "Code of the vendor this call is for. The key of a partner, which opens several, needs it:"
        " 422 vendor_required without."
    ),
}
_REF = "#/components/schemas/{model}"


def document() -> dict[str, Any]:
    """The document with its sentences in the language of who reads it."""
    told = cast(dict[str, Any], _translated(_document()))
    told["components"]["securitySchemes"]["key"]["description"] = "\n".join(
        f"{scope}: {words}" for scope, words in machine_keys.SCOPES.items()
    )
    return told


@functools.cache
def _document() -> dict[str, Any]:
    """The same with the sentences as they stand in the code."""
    schemas = _schemas()
    paths: dict[str, Any] = {}
    for route in ROUTES:
        path = path_of(route.path)
        paths.setdefault(path, {})[route.method.lower()] = _operation(route, path, schemas)
    schemas["Problem"]["properties"]["code"]["enum"] = list(codes.REQUEST)
    queries = {route.query.__name__ for route in ROUTES if route.query is not None}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Comptoir", "version": "1", "description": _DESCRIPTION},
        "components": {
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
            "schemas": {name: s for name, s in schemas.items() if name not in queries},
        },
        "paths": paths,
        "webhooks": {event: {"post": _told(event)} for event in webhooks.EVENTS},
    }


def _told(event: str) -> dict[str, Any]:
    """A call we make to the addresses that listen to an event."""
    example = {
        "type": event,
        "timestamp": "2026-11-25T09:30:00+00:00",
        "data": webhooks.DATA[event],
    }
    schema = {"type": "object", "required": ["type", "timestamp", "data"]}
    return {
        "summary": webhooks.EVENTS[event],
        "requestBody": {"content": {"application/json": {"schema": schema, "example": example}}},
        "responses": {"2XX": {"description": _HEARD}},
    }


def _translated(part: Any) -> Any:
    if isinstance(part, dict):
        return {
            name: _(str(value))
            if name in ("summary", "description") and not isinstance(value, dict | list) and value
            else _translated(value)
            for name, value in part.items()
        }
    return [_translated(one) for one in part] if isinstance(part, list) else part


def path_of(rule: str) -> str:
    """`/imports/<int:id>` as the document writes it: `/api/v1/imports/{id}`."""
    return "/api/v1" + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule)


def _schemas() -> dict[str, Any]:
    """The JSON schema of each model that a route reads or answers, by its name."""
    models: list[type[BaseModel]] = [Problem]
    for route in ROUTES:
        models += [
            model
            for model in (route.query, route.body, route.answer)
            if model is not None and not isinstance(model, str)
        ]
    _by_model, found = models_json_schema(
        [(model, "validation") for model in dict.fromkeys(models)], ref_template=_REF
    )
    return {name: _bare(schema) for name, schema in found["$defs"].items()}


def _bare(schema: dict[str, Any]) -> dict[str, Any]:
    """A model's schema without what pydantic takes from the code: its name and docstring as title
    and description, and titles of its properties.
    """
    without = {
        name: value for name, value in schema.items() if name not in ("title", "description")
    }
    if "properties" in schema:
        without["properties"] = {
            name: {key: value for key, value in one.items() if key != "title"}
            for name, one in schema["properties"].items()
        }
    return without


def _operation(route: Route, path: str, schemas: dict[str, Any]) -> dict[str, Any]:
    name = re.sub(r"[/.-]", "_", re.sub(r"[{}]", "", path.removeprefix("/api/v1")))
    parameters = [_part(part, annotation) for part, annotation in route.parts.items()]
    if route.query is not None:
        parameters += _parameters(schemas[route.query.__name__])
    if route.scopes:
        parameters.append(_VENDOR)
    if route.scopes and route.method != "GET":
        parameters.append(_IDEMPOTENCY_KEY)
    operation: dict[str, Any] = {
        "operationId": route.method.lower() + name,
        "summary": route.summary,
        "responses": _responses(route, schemas),
    }
    if parameters:
        operation["parameters"] = parameters
    if route.scopes:
        # Each of the scopes is enough.
        operation |= {
            "security": [{"key": [scope]} for scope in route.scopes],
            "x-scopes": list(route.scopes),
        }
    if route.reads:
        operation["requestBody"] = {"content": {media: {"schema": {}} for media in route.reads}}
    if route.body is not None:
        operation["requestBody"] = {"required": True, "content": _content(route.body)}
    return operation


def _part(name: str, annotation: Any) -> dict[str, Any]:
    """A part of the path."""
    schema = TypeAdapter(annotation).json_schema()
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _parameters(schema: dict[str, Any]) -> list[dict[str, Any]]:
    needed = schema.get("required", [])
    return [
        {
            "name": name,
            "in": "query",
            "required": name in needed,
            "description": one.get("description", ""),
            "schema": {
                k: v
                for k, v in one.items()
                if k != "description" and not (k == "default" and v in ("", None))
            },
        }
        for name, one in schema["properties"].items()
    ]


def _content(body: type[Body] | type[Form]) -> dict[str, Any]:
    schema = {"$ref": _REF.format(model=body.__name__)}
    if issubclass(body, Form):
        return {"multipart/form-data": {"schema": schema}}
    return {"application/json": {"schema": schema, "example": body.EXAMPLE}}


def _responses(route: Route, schemas: dict[str, Any]) -> dict[str, Any]:
    problems = dict(route.problems)
    if route.scopes:
        problems |= _OF_KEYS | {422: _INVALID}
        if route.method != "GET":
            problems |= {409: _CONFLICT}
    if route.query is not None or route.body is not None:
        problems.setdefault(422, _INVALID)
    found = {str(route.status): _answer(route, route.returns, schemas)}
    for status, description in route.other_statuses.items():
        found[str(status)] = _answer(route, description, schemas)
    for status, description in sorted(problems.items()):
        found[str(status)] = {
            "description": description,
            "content": {"application/json": {"schema": {"$ref": _REF.format(model="Problem")}}},
        }
    if "429" in found:
        found["429"]["headers"] = {"Retry-After": {"schema": {"type": "integer"}}}
    return found


def _answer(route: Route, description: str, schemas: dict[str, Any]) -> dict[str, Any]:
    if route.answer is None:
        return {"description": description}
    if not isinstance(route.answer, str):
        schema = {"$ref": _REF.format(model=route.answer.__name__)}
        example = examples.of(schema, schemas)
        content = {"schema": schema, "example": example}
        return {"description": description, "content": {"application/json": content}}
    is_text = route.answer.startswith("text/")
    schema = {"type": "string"} if is_text else {"type": "string", "format": "binary"}
    return {"description": description, "content": {route.answer: {"schema": schema}}}


@routes.get("/openapi.json", N_("This document"), returns="OpenAPI 3.1")
def openapi() -> Response:
    return jsonify(document())
