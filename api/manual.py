"""The manual of the API as people read it, open to everybody, and a till's reference client."""

from pathlib import Path

from flask import Blueprint, Response, current_app, render_template

from api import codes, openapi, routes
from api.fields import N_
from services import webhooks

pages = Blueprint("manual", __name__, url_prefix="/api")
_CLIENT = Path(__file__).parent.parent / "docs" / "till_client.py"


def words() -> dict[str, object]:
    """What the manual is made of, for this page and for the one of the back office."""
    return {
        "document": openapi.document(),
        "base": current_app.config["BASE_URL"],
        "codes": {"REQUEST": codes.REQUEST, "FIELD": codes.FIELD, "WARNING": codes.WARNING},
        "events": webhooks.EVENTS,
    }


@pages.get("/")
def manual() -> str:
    """Whoever writes a till's software reads it before a key exists."""
    return render_template("api/manual.html", **words())


@routes.get(
    "/till_client.py",
    N_("The reference client of a till, in Python"),
    returns=N_("Standard library only, to copy or to translate."),
    media="text/x-python",
)
def till_client() -> Response:
    """It numbers, keeps and repeats what a till tells; its address is this house's."""
    source = _CLIENT.read_text().replace("https://comptoir.example", current_app.config["BASE_URL"])
    answer = Response(source, mimetype="text/x-python")
    answer.headers["Content-Disposition"] = 'attachment; filename="till_client.py"'
    return answer
