"""The door for machines: versioned, JSON only, no cookie, no session."""

from flask import Blueprint

bp = Blueprint("api", __name__, url_prefix="/api/v1")

from api import machines, openapi, quote  # noqa: E402, F401  (they add their routes to the blueprint)
