"""What somebody typed into a form that is written by hand: numbers, amounts, and whether the page
they corrected is still true. Each function raises Refused with a sentence for the screen.
"""

from typing import Any

from flask import request
from flask_babel import gettext as _

from services import money
from services.words import visible
from services.workflow import Refused


def count(typed: str) -> int:
    """A whole number of units, 0 to 9,999,999."""
    bare = typed.strip()
    if not (bare.isascii() and bare.isdigit() and len(bare) < 8):
        raise Refused(_("« %(words)s » is no quantity.", words=typed[:20]))
    return int(bare)


def cents(typed: str) -> int:
    """An amount in cents, typed as « 12,50 »."""
    try:
        return money.parse(typed)
    except ValueError:
        raise Refused(_("« %(words)s » is no amount: write 12,50.", words=typed[:20])) from None


def row_id(typed: str) -> int:
    """The id of a row, or 0, which no row has."""
    return int(typed) if typed.isascii() and typed.isdigit() and len(typed) < 10 else 0


def fields(*names: str) -> dict[str, str]:
    """The fields of the form with these names, empty when they were not sent."""
    return {name: request.form.get(name, "") for name in names}


def tidy(typed: str | None) -> str:
    """A name without invisible characters and doubled spaces."""
    return " ".join(visible(typed or "").split())


def refuse_if_changed(now: dict[str, Any]) -> None:
    """Compare the value the page showed (`was`) with the value of today, so that a colleague's
    correction is not overwritten.
    """
    name = next((name for name in now if name in request.form), "")
    was, shown = request.form.get("was"), "" if now.get(name) is None else str(now.get(name))
    if was is not None and was.strip() != shown:
        raise Refused(
            _(
                "It changed meanwhile: it is now « %(now)s ». Load the page again before you"
                " correct it.",
                now=shown or "–",
            )
        )
