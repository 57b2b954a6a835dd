"""Which rows a person may see: one rule for lists, pages, actions, drop-downs, exports and what he writes.

The first of two layers: every ORM query of a limited session is narrowed here, whatever view makes it.
The second is admin/base.py, which re-reads each row it was asked for through the same session.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from flask_babel import gettext as _
from sqlalchemy import event, false, inspect
from sqlalchemy.orm import Session, with_loader_criteria

from models import (
    BuyingRule,
    Customer,
    Event,
    Item,
    Membership,
    Message,
    Movement,
    Offer,
    OfferLine,
    Site,
    SiteHost,
    Store,
    Vendor,
    VisitDay,
)
from services.unit import db
from services.workflow import Refused

# Rows that carry their vendor, and rows that are reached through one that does.
OWNED: tuple[tuple[Any, str], ...] = (
    (Vendor, "id"),
    (Store, "vendor_id"),
    (Site, "vendor_id"),
    (Membership, "vendor_id"),
    (Offer, "vendor_id"),
    (Item, "vendor_id"),
    (Movement, "vendor_id"),
    (BuyingRule, "vendor_id"),
    (Message, "vendor_id"),
    (Event, "vendor_id"),
)

_vendors: ContextVar[frozenset[int] | None] = ContextVar("vendors", default=None)


def current() -> frozenset[int] | None:
    """The vendors this request may touch; None: all of them."""
    return _vendors.get()


@contextmanager
def limited_to(vendors: frozenset[int] | None) -> Iterator[None]:
    """Everything read and written inside belongs to these vendors (None: no limit)."""
    token = _vendors.set(vendors)
    try:
        yield
    finally:
        _vendors.reset(token)


def begin(vendors: frozenset[int] | None) -> None:
    """Limit the rest of this request; `begin(None)` ends it."""
    _vendors.set(vendors)


def vendors_of(user_id: int) -> frozenset[int]:
    """The vendors a member of staff works for."""
    with limited_to(None):
        return frozenset(db.session.scalars(db.select(Membership.vendor_id).where(Membership.user_id == user_id)))


def _criteria(vendors: frozenset[int]) -> list[Any]:
    ids = tuple(vendors)
    options = [with_loader_criteria(model, getattr(model, column).in_(ids) if ids else false(), include_aliases=True) for model, column in OWNED]
    offers = db.select(Offer.id).where(Offer.vendor_id.in_(ids))
    sites = db.select(Site.id).where(Site.vendor_id.in_(ids))
    sellers = db.select(Offer.customer_id).where(Offer.vendor_id.in_(ids), Offer.customer_id.is_not(None))
    options += [
        with_loader_criteria(OfferLine, OfferLine.offer_id.in_(offers), include_aliases=True),
        with_loader_criteria(Customer, Customer.id.in_(sellers), include_aliases=True),
        with_loader_criteria(SiteHost, SiteHost.site_id.in_(sites), include_aliases=True),
        with_loader_criteria(VisitDay, VisitDay.site_id.in_(sites), include_aliases=True),
    ]
    return options


@event.listens_for(Session, "do_orm_execute")
def _narrow(state: Any) -> None:
    vendors = _vendors.get()
    if vendors is None or state.is_column_load or not state.is_select:
        return
    state.statement = state.statement.options(*_criteria(vendors))


@event.listens_for(Session, "before_flush")
def _refuse_foreign_rows(session: Session, _context: Any, _instances: Any) -> None:
    """What is written must belong to the same vendors, before and after; a foreign owner or a foreign reference is refused."""
    vendors = _vendors.get()
    if vendors is None:
        return
    with session.no_autoflush, limited_to(None):
        for row in (*session.new, *session.dirty, *session.deleted):
            for owner in _owners(row):
                if owner is not None and owner not in vendors:
                    raise Refused(_("This belongs to another shop: nothing was changed."))


def _owners(row: Any) -> list[int | None]:
    """Every vendor a row belongs to, belonged to, or points at."""
    owners: list[int | None] = []
    state = inspect(row)
    for model, column in OWNED:
        if isinstance(row, model):
            history = state.attrs[column].history
            owners += [*history.added, *history.unchanged, *history.deleted]
    for name in ("store_id", "site_id", "offer_id"):
        if name in state.attrs:
            model = {"store_id": Store, "site_id": Site, "offer_id": Offer}[name]
            for key in (*state.attrs[name].history.added, *state.attrs[name].history.unchanged):
                if key is not None:
                    owners.append(db.session.scalar(db.select(model.vendor_id).where(model.id == key)))
    return owners
