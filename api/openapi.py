"""What the door for machines promises, as OpenAPI 3.1; `make accept` throws thousands of requests at it and holds the answers against it."""

from typing import Any

from flask import jsonify

from api import bp

_TEXT: dict[str, Any] = {"type": "string"}
_PERHAPS: dict[str, Any] = {"type": ["string", "null"]}


def _object(**properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def _answers(schema: dict[str, Any], words: str) -> dict[str, Any]:
    return {"description": words, "content": {"application/json": {"schema": schema}}}


_PROBLEM = _object(code=_TEXT, message=_TEXT)
_QUOTE = _object(
    ean=_TEXT, title=_PERHAPS, platform=_PERHAPS, status={"enum": ["bought", "unknown", "bad_ean", "not_bought"]},
    price={"type": ["string", "null"], "pattern": r"^\d+\.\d\d$"}, currency={"const": "EUR"}, explanation=_PERHAPS,
)  # fmt: skip

DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "Comptoir", "version": "1", "description": "For machines: tills, vendors' software, monitoring. No cookie, no session."},
    "paths": {
        "/api/v1/quote": {
            "get": {
                "summary": "What we pay for a barcode today",
                "parameters": [{"name": "ean", "in": "query", "required": True, "schema": {**_TEXT, "minLength": 1, "maxLength": 200},
                                "example": "5060327534393"}],
                "responses": {
                    "200": _answers(_QUOTE, "Known or not, bought or not: `status` says which; price and title are null when there is none."),
                    "400": _answers(_PROBLEM, "No barcode was given."),
                    "429": {**_answers(_PROBLEM, "Too many in a minute from one address."), "headers": {"Retry-After": {"schema": {"type": "integer"}}}},
                },
            }
        },
        "/api/v1/health": {
            "get": {
                "summary": "Whether this process can write to its database",
                "responses": {"200": _answers(_object(status={"const": "ok"}), "It can."), "503": _answers(_object(status={"const": "down"}), "It cannot.")},
            }
        },
        "/api/v1/csp": {
            "post": {
                "summary": "What a browser refused on one of our pages (Content-Security-Policy reports)",
                "requestBody": {"content": {"application/csp-report": {"schema": {}}, "application/reports+json": {"schema": {}},
                                            "application/json": {"schema": {}}}},
                "responses": {"204": {"description": "Always, whatever was sent."}, "413": _answers(_PROBLEM, "Over 13 MB.")},
            }
        },
    },
}  # fmt: skip


@bp.get("/openapi.json")
def openapi() -> Any:
    return jsonify(DOCUMENT)
