"""What every letter about an offer says in the same words: all numbers in one message agree."""

from typing import Any

from models import Offer, OfferLine
from services.people import links, sites


def active_lines(offer: Offer) -> list[OfferLine]:
    """The articles agreed on: nobody took them out, and they were not found in the parcel
    unannounced.
    """
    return [line for line in offer.lines if line.removed_at is None and not line.is_surplus]


def taken_out(offer: Offer) -> list[OfferLine]:
    return [line for line in offer.lines if line.removed_at is not None]


def facts(offer: Offer) -> dict[str, Any]:
    return {
        "total": offer.total_cents,
        "lines": active_lines(offer),
        "taken_out": taken_out(offer),
        "link": f"{sites.address(offer.site)}/ventes/{offer.number}",
    }


def document_link(offer: Offer, what: str, id: int, mark: str = "") -> str:
    """A signed, expiring address of a document, for a mail to the seller."""
    return sites.address(offer.site) + links.document(what, id, offer.customer, mark)
