"""Which rows a person may see: one rule for lists, pages, actions, drop-downs, exports and what he
writes.

The first of two layers: every ORM query of a limited session is narrowed here, whatever view makes
it.
The second is admin/base.py, which re-reads each row it was asked for through the same session.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from flask_babel import gettext as _
from sqlalchemy import event, false, inspect
from sqlalchemy.orm import Session, with_loader_criteria

from models import (
    Account,
    BankAnswer,
    BankDetails,
    BrandAgreement,
    BuyingRule,
    CarrierContract,
    Consultation,
    Customer,
    Entry,
    Event,
    IdempotentRequest,
    IdentityDocument,
    ImportRun,
    Item,
    LedgerTransaction,
    Listing,
    MachineKey,
    Membership,
    Message,
    Movement,
    Offer,
    OfferLine,
    Parcel,
    ParcelEvent,
    PayingAccount,
    Photo,
    PoliceRecord,
    PricePoint,
    RegisterSeal,
    Reservation,
    SellerPayment,
    ShippingRate,
    Site,
    SiteHost,
    StockConflict,
    StockCount,
    StockCountLine,
    StockLevel,
    StockTransfer,
    StockTransferLine,
    Store,
    TillEvent,
    TransferBatch,
    TransferLine,
    UnmatchedReference,
    Vendor,
    VendorReference,
    VisitDay,
    Webhook,
    WebhookDelivery,
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
    (IdentityDocument, "vendor_id"),
    (Photo, "vendor_id"),
    (CarrierContract, "vendor_id"),
    (Parcel, "vendor_id"),
    (PoliceRecord, "vendor_id"),
    (RegisterSeal, "vendor_id"),
    (Consultation, "vendor_id"),
    (Account, "vendor_id"),
    (LedgerTransaction, "vendor_id"),
    (PayingAccount, "vendor_id"),
    (SellerPayment, "vendor_id"),
    (TransferBatch, "vendor_id"),
    (BankAnswer, "vendor_id"),
    (ShippingRate, "vendor_id"),
    (MachineKey, "vendor_id"),
    (Webhook, "vendor_id"),
    (WebhookDelivery, "vendor_id"),
    (BrandAgreement, "vendor_id"),
    (ImportRun, "vendor_id"),
    (VendorReference, "vendor_id"),
    (UnmatchedReference, "vendor_id"),
    (StockLevel, "vendor_id"),
    (Reservation, "vendor_id"),
    (StockCount, "vendor_id"),
    (StockTransfer, "vendor_id"),
    (TillEvent, "vendor_id"),
    (StockConflict, "vendor_id"),
    (Listing, "vendor_id"),
)
# Rows of one store: who is tied to stores sees those of his alone. A row of no store is the whole
# vendor's.
OF_A_STORE: tuple[Any, ...] = (
    Item,
    Movement,
    StockLevel,
    Reservation,
    StockCount,
    TillEvent,
    StockConflict,
    ImportRun,
    UnmatchedReference,
    MachineKey,
)
# What a row may point at that belongs to a vendor: column -> what it names.
POINTS_AT: dict[str, Any] = {
    "store_id": Store,
    "site_id": Site,
    "offer_id": Offer,
    "from_store_id": Store,
    "to_store_id": Store,
    "key_id": MachineKey,
    "counted_key_id": MachineKey,
    "webhook_id": Webhook,
    "item_id": Item,
    "listing_id": Listing,
    "count_id": StockCount,
    "transfer_id": StockTransfer,
    "reservation_id": Reservation,
}


@dataclass(frozen=True)
class Scope:
    """The vendors a person works for, and, when he is tied to some, the stores he works in (None:
    all of theirs).
    """

    vendors: frozenset[int] = frozenset()
    stores: frozenset[int] | None = None


NOTHING = Scope()
_scope: ContextVar[Scope | None] = ContextVar("scope", default=None)


@contextmanager
def limited_to(scope: Scope | None) -> Iterator[None]:
    """Everything read and written inside belongs to this scope (None: no limit)."""
    token = _scope.set(scope)
    try:
        yield
    finally:
        _scope.reset(token)


def scope() -> Scope | None:
    """Who is at work: the vendors and stores he is limited to; None without a limit."""
    return _scope.get()


def tied_stores() -> frozenset[int] | None:
    """The stores whoever is at work is tied to; None when the whole of a vendor, or everything, is
    open to him.
    """
    limit = _scope.get()
    return limit.stores if limit is not None else None


def begin(scope: Scope | None) -> None:
    """Limit the rest of this request; `begin(None)` ends it."""
    _scope.set(scope)


def scope_of(user_id: int) -> Scope:
    """Where a member of staff works. One membership without a store opens all stores of its
    vendor.
    """
    with limited_to(None):
        rows = db.session.execute(
            db.select(Membership.vendor_id, Membership.store_id).where(
                Membership.user_id == user_id
            )
        ).all()
        vendors = frozenset(vendor for vendor, _store in rows)
        if all(store is None for _vendor, store in rows):
            return Scope(vendors)
        whole = {vendor for vendor, store in rows if store is None}
        theirs = db.session.scalars(db.select(Store.id).where(Store.vendor_id.in_(whole)))
        return Scope(
            vendors, frozenset({*theirs, *(store for _vendor, store in rows if store is not None)})
        )


@lru_cache(maxsize=500)
def _criteria(scope: Scope) -> tuple[Any, ...]:
    ids = tuple(scope.vendors)
    options = [
        with_loader_criteria(
            model, getattr(model, column).in_(ids) if ids else false(), include_aliases=True
        )
        for model, column in OWNED
    ]
    offers = db.select(Offer.id).where(Offer.vendor_id.in_(ids))
    sites = db.select(Site.id).where(Site.vendor_id.in_(ids))
    sellers = db.select(Offer.customer_id).where(
        Offer.vendor_id.in_(ids), Offer.customer_id.is_not(None)
    )
    options += [
        with_loader_criteria(OfferLine, OfferLine.offer_id.in_(offers), include_aliases=True),
        with_loader_criteria(Customer, Customer.id.in_(sellers), include_aliases=True),
        with_loader_criteria(
            BankDetails, BankDetails.customer_id.in_(sellers), include_aliases=True
        ),
        with_loader_criteria(
            ParcelEvent,
            ParcelEvent.parcel_id.in_(db.select(Parcel.id).where(Parcel.vendor_id.in_(ids))),
            include_aliases=True,
        ),
        with_loader_criteria(
            TransferLine,
            TransferLine.batch_id.in_(
                db.select(TransferBatch.id).where(TransferBatch.vendor_id.in_(ids))
            ),
            include_aliases=True,
        ),
        with_loader_criteria(
            Entry,
            Entry.transaction_id.in_(
                db.select(LedgerTransaction.id).where(LedgerTransaction.vendor_id.in_(ids))
            ),
            include_aliases=True,
        ),
        with_loader_criteria(SiteHost, SiteHost.site_id.in_(sites), include_aliases=True),
        with_loader_criteria(VisitDay, VisitDay.site_id.in_(sites), include_aliases=True),
    ]
    counts, transfers = (
        db.select(StockCount.id).where(StockCount.vendor_id.in_(ids)),
        db.select(StockTransfer.id).where(StockTransfer.vendor_id.in_(ids)),
    )
    keys, own = (
        db.select(MachineKey.id).where(MachineKey.vendor_id.in_(ids)),
        db.select(Listing.id).where(Listing.vendor_id.in_(ids)),
    )
    options += [
        with_loader_criteria(
            StockCountLine, StockCountLine.count_id.in_(counts), include_aliases=True
        ),
        with_loader_criteria(
            StockTransferLine, StockTransferLine.transfer_id.in_(transfers), include_aliases=True
        ),
        with_loader_criteria(
            IdempotentRequest, IdempotentRequest.key_id.in_(keys), include_aliases=True
        ),
        with_loader_criteria(
            PricePoint,
            PricePoint.listing_id.is_(None) | PricePoint.listing_id.in_(own),
            include_aliases=True,
        ),
    ]
    if scope.stores is not None:
        stores = tuple(scope.stores)
        options += [
            with_loader_criteria(Store, Store.id.in_(stores), include_aliases=True),
            with_loader_criteria(
                StockTransfer,
                StockTransfer.from_store_id.in_(stores) | StockTransfer.to_store_id.in_(stores),
                include_aliases=True,
            ),
        ]
        for model in OF_A_STORE:
            mine = model.store_id.in_(stores)
            options.append(
                with_loader_criteria(
                    model,
                    (
                        mine | model.store_id.is_(None)
                        if model.__table__.c.store_id.nullable
                        else mine
                    ),
                    include_aliases=True,
                )
            )
    return tuple(options)


@event.listens_for(Session, "do_orm_execute")
def _narrow(state: Any) -> None:
    scope = _scope.get()
    if scope is None or state.is_column_load or not state.is_select:
        return
    state.statement = state.statement.options(*_criteria(scope))


@event.listens_for(Session, "before_flush")
def _refuse_foreign_rows(session: Session, _context: Any, _instances: Any) -> None:
    """What is written must belong to the same vendors, before and after; a foreign owner or a
    foreign reference is refused.
    """
    scope = _scope.get()
    if scope is None:
        return
    with session.no_autoflush, limited_to(None):
        for row in (*session.new, *session.dirty, *session.deleted):
            for owner in _owners(row):
                if owner is not None and owner not in scope.vendors:
                    raise Refused(_("This belongs to another shop: nothing was changed."))
            store = getattr(row, "store_id", None)
            if (
                scope.stores is not None
                and isinstance(row, OF_A_STORE)
                and store is not None
                and store not in scope.stores
            ):
                raise Refused(_("This belongs to another shop: nothing was changed."))


def _owners(row: Any) -> list[int | None]:
    """Every vendor a row belongs to, belonged to, or points at."""
    owners: list[int | None] = []
    state = inspect(row)
    for model, column in OWNED:
        if isinstance(row, model):
            history = state.attrs[column].history
            owners += [*history.added, *history.unchanged, *history.deleted]
    for name, model in POINTS_AT.items():
        if name in state.attrs:
            for key in (*state.attrs[name].history.added, *state.attrs[name].history.unchanged):
                if key is not None:
                    owners.append(
                        db.session.scalar(db.select(model.vendor_id).where(model.id == key))
                    )
    return owners
