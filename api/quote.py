"""The public price of a barcode (contract: docs/rules/pricing.md)."""

from typing import Annotated, Literal

from flask import Response, g
from flask_babel import gettext as _
from pydantic import Field

from api import problem, routes
from api.fields import N_, Answer, Euros, Query
from services import limits, settings
from services.buyback import pricing


class QuoteAsked(Query):
    # Whatever is typed gets an answer, so nothing is refused while it is read.
    ean: Annotated[str, Field(description=N_("The barcode."), examples=["5060327534393"])] = ""


class Quote(Answer):
    ean: str
    title: str | None
    platform: str | None
    status: pricing.Status
    price: Euros | None
    currency: Literal["EUR"]
    explanation: str | None


@routes.get(
    "/quote",
    N_("What we pay for a barcode today (public)"),
    returns=N_(
        "Known or not, bought or not: `status` says which; price and title are null when there is"
        " none."
    ),
    problems={
        400: N_("No barcode was given."),
        429: N_("Too many in a minute from one address."),
    },
)
def quote(query: QuoteAsked) -> Quote | Response:
    """Price and title are null when there is none."""
    ean = query.ean.strip()
    if not ean:
        return problem(400, "missing_ean", _("Give the barcode: /api/v1/quote?ean=3307215933466."))
    if seconds := limits.spend(f"quote:{limits.place()}", settings.value("quotes_per_minute"), 60):
        return problem(
            429,
            "too_many",
            _("Too many barcodes in one minute: wait %(seconds)s seconds.", seconds=seconds),
            headers={"Retry-After": str(seconds)},
        )
    answer = pricing.quote(g.site_id, ean)
    return Quote(
        ean=answer.ean,
        title=answer.title,
        platform=answer.platform,
        status=answer.status,
        price=answer.price_cents,
        currency="EUR",
        explanation=answer.explanation or answer.sentence,
    )
