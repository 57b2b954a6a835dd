"""The door for machines: versioned, JSON only, no cookie, no session."""

from flask import Blueprint, Response, jsonify

from services import trace

bp = Blueprint("api", __name__, url_prefix="/api/v1")


def problem(
    status: int,
    code: str,
    message: str,
    errors: list[dict[str, str]] | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    """What went wrong, always in this one form: a code for programs, a sentence for people, the
    fields at fault, the request to ask us about.
    """
    answer = jsonify(code=code, message=message, errors=errors or [], request_id=trace.here().id)
    answer.status_code = status
    answer.headers.update(headers or {})
    return answer


# They add their routes to the blueprint.
from api import (  # noqa: E402, F401
    catalogue,
    files,
    machines,
    manual,
    openapi,
    orders,
    quote,
    stock,
    tills,
    webhooks,
)
