"""The door for machines: versioned, JSON only, no cookie, no session."""

from typing import Any

from flask import Blueprint, jsonify

from services import trace

bp = Blueprint("api", __name__, url_prefix="/api/v1")


def problem(
    status: int,
    code: str,
    message: str,
    errors: list[dict[str, str]] | None = None,
    headers: dict[str, str] | None = None,
) -> Any:
    """What went wrong, always in this one form: a code for programs, a sentence for people, the
    fields at fault, the request to ask us about.
    """
    return (
        jsonify(code=code, message=message, errors=errors or [], request_id=trace.here().id),
        status,
        headers or {},
    )


# They add their routes to the blueprint.
from api import catalogue, files, machines, openapi, quote, stock, tills  # noqa: E402, F401
