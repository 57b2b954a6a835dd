"""« Pour commencer »: from an empty installation to the first accepted offer, what is set up and
what is left.
"""

from dataclasses import dataclass
from typing import Any

from flask_babel import lazy_gettext as _l
from sqlalchemy import Select, func, select

from models import (
    ArgusValue,
    BuyingRule,
    CarrierContract,
    Offer,
    OfferState,
    PayingAccount,
    Site,
    StaffAccount,
)
from services.shipping import contracts
from services.unit import db


@dataclass(frozen=True)
class Step:
    """One thing to set up: whether it is done, and the page that does it."""

    label: Any
    help: Any
    icon: str
    endpoint: str
    done: bool


def steps() -> list[Step]:
    """What is set up; empty once everything is, or once an offer was accepted: nobody begins any
    more.
    """
    accepted = select(Offer.id).where(
        Offer.status.in_([OfferState.accepted, OfferState.received, OfferState.settled])
    )
    if _any(accepted):
        return []
    found = [
        Step(
            _l("The site"),
            _l("Its name, its colours, an address to write to, the conditions."),
            "market",
            "SiteView.list",
            _any(select(Site.id).where(Site.contact_email != "", Site.conditions != "")),
        ),
        Step(
            _l("The argus"),
            _l("What games are worth: type values, or import a list."),
            "chart",
            "ArgusView.list",
            _any(select(ArgusValue.id)),
        ),
        Step(
            _l("The buying rules"),
            _l("How much of the argus is paid; « Simulate » shows what they give."),
            "euro",
            "RuleView.list",
            (db.session.scalar(select(func.count(BuyingRule.id))) or 0) > 0,
        ),
        Step(
            _l("The carrier"),
            _l("The Mondial Relay contract and the relay point that gets the parcels."),
            "truck",
            "CarrierView.list",
            any(contracts.why_no_label(one) is None for one in _contracts()),
        ),
        Step(
            _l("The account that pays"),
            _l("The IBAN the transfers leave from."),
            "bank",
            "PayingAccountView.list",
            _any(select(PayingAccount.vendor_id).where(PayingAccount.iban_sealed != "")),
        ),
        Step(
            _l("A colleague"),
            _l("Everyone has an access of their own, with a role."),
            "id",
            "StaffView.list",
            (db.session.scalar(select(func.count(StaffAccount.user_id))) or 0) > 1,
        ),
    ]
    return [] if all(step.done for step in found) else found


def _contracts() -> list[CarrierContract]:
    return list(db.session.scalars(select(CarrierContract).limit(20)))


def nothing_yet() -> bool:
    """Whether nobody offered anything yet."""
    return not _any(select(Offer.id))


def _any(rows: Select[Any]) -> bool:
    return db.session.execute(rows.limit(1)).first() is not None
