"""The public price of a barcode (contract: docs/rules/pricing.md)."""

from typing import Any

from flask import g, jsonify, request
from flask_babel import gettext as _

from api import bp, problem
from services import limits, money, settings
from services.buyback import pricing


@bp.get("/quote")
def quote() -> Any:
    """`?ean=` → 200 with one of four statuses; price and title are null when there is none. 400
    without ean, 429 above the limit.
    """
    words = request.args.get("ean", "").strip()
    if not words:
        return problem(400, "missing_ean", _("Give the barcode: /api/v1/quote?ean=3307215933466."))
    if seconds := limits.spend(
        f"quote:{request.remote_addr}", settings.value("quotes_per_minute"), 60
    ):
        return problem(
            429,
            "too_many",
            _("Too many barcodes in one minute: wait %(seconds)s seconds.", seconds=seconds),
            headers={"Retry-After": str(seconds)},
        )
    answer = pricing.quote(g.site_id, words)
    return jsonify(
        ean=answer.ean,
        title=answer.title,
        platform=answer.platform,
        status=answer.status.value,
        price=money.dotted(answer.price_cents) if answer.price_cents is not None else None,
        currency="EUR",
        explanation=answer.explanation or answer.sentence,
    )
