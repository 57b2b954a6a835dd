"""The hand-written pages for customers: one blueprint, one file per journey."""

from flask import Blueprint

bp = Blueprint("portal", __name__)

# They add their pages to the blueprint.
from portal import access, account, buy, follow, pictures, sell, shop  # noqa: E402, F401
