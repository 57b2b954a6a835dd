"""The door for machines: versioned, JSON only, no cookie, no session."""

from flask import Blueprint

bp = Blueprint("api", __name__, url_prefix="/api/v1")

from api import machines, quote  # noqa: E402, F401  (adds its route to the blueprint)
