"""Which rows a person may see, for lists, pages, actions, drop-downs, exports and writes.

Each table of models.py says whose its rows are; this module turns that into conditions. It is the
first of two layers: every SELECT, UPDATE and DELETE of a limited session is narrowed here, whatever
view makes it. The second is admin/base.py, which reads each row it was asked for again through the
same session.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from flask_babel import gettext as _
from sqlalchemy import Table, and_, event, false, inspect, or_, select
from sqlalchemy.orm import Session, with_loader_criteria
from sqlalchemy.sql import visitors

import models
from models import Model, Owner
from services.unit import db
from services.workflow import Refused


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
    open to them.
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
            db.select(models.Membership.vendor_id, models.Membership.store_id).where(
                models.Membership.user_id == user_id
            )
        ).all()
        vendors = frozenset(vendor for vendor, _store in rows)
        if all(store is None for _vendor, store in rows):
            return Scope(vendors)
        whole = {vendor for vendor, store in rows if store is None}
        theirs = db.session.scalars(
            db.select(models.Store.id).where(models.Store.vendor_id.in_(whole))
        )
        return Scope(
            vendors, frozenset({*theirs, *(store for _vendor, store in rows if store is not None)})
        )


# ── the condition of each table ──


def owner_of(model: Any) -> Owner:
    """Whose the rows of a table are, as the table says. The generator's own tables (users, roles)
    are nobody's.
    """
    owner: Owner = vars(model).get("__owner__", Owner(why="the generator's own"))
    return owner


@lru_cache(maxsize=4000)
def condition(model: Any, scope: Scope) -> Any:
    """The WHERE that narrows a table to a scope, made from what the table says of its owner; None
    when its rows are nobody's.
    """
    owner, vendors = owner_of(model), tuple(scope.vendors)
    found: Any = None
    if owner.column:
        found = getattr(model, owner.column).in_(vendors) if vendors else false()
    elif owner.sold_by:
        sellers = select(models.Offer.customer_id).where(
            models.Offer.vendor_id.in_(vendors), models.Offer.customer_id.is_not(None)
        )
        found = getattr(model, owner.sold_by).in_(sellers)
    elif owner.through:
        column = getattr(model, owner.through)
        target = target_of(model, owner.through)
        theirs = condition(target, Scope(scope.vendors))
        found = column.in_(select(target.id).where(theirs))
        if owner.or_none:
            found = column.is_(None) | found
    if found is not None and scope.stores is not None and hasattr(model, "__stores__"):
        found = found & _of_stores(model, tuple(scope.stores))
    return found


def _of_stores(model: Any, stores: tuple[int, ...]) -> Any:
    columns = [getattr(model, name) for name in model.__stores__]
    mine = or_(*(column.in_(stores) for column in columns))
    if all(column.nullable for column in columns_of(model, model.__stores__)):
        mine = mine | and_(*(column.is_(None) for column in columns))
    return mine


def columns_of(model: Any, names: tuple[str, ...]) -> list[Any]:
    return [model.__table__.c[name] for name in names]


@cache
def target_of(model: Any, column: str) -> Any:
    """The class a foreign key points at."""
    key = next(iter(model.__table__.c[column].foreign_keys))
    return _by_table()[key.column.table.name]


@cache
def _by_table() -> dict[str, Any]:
    """Our own classes by the name of their table."""
    return {
        mapper.local_table.name: mapper.class_
        for mapper in Model.registry.mappers
        if mapper.class_.__module__ == models.__name__
    }


# ── reading and writing in bulk ──


@lru_cache(maxsize=4000)
def _criterion(model: Any, scope: Scope) -> Any:
    found = condition(model, scope)
    return None if found is None else with_loader_criteria(model, found, include_aliases=True)


@lru_cache(maxsize=500)
def _narrowed(statement: Any, scope: Scope) -> Any:
    """A SELECT with the condition of each of its tables."""
    found = [_criterion(model, scope) for model in _models_of(statement)]
    options = [criterion for criterion in found if criterion is not None]
    return statement.options(*options) if options else statement


def _models_of(statement: Any) -> set[Any]:
    """The classes of the tables a statement names, in its joins and subqueries as well."""
    names = set()
    for part in visitors.iterate(statement):
        if isinstance(part, Table):
            names.add(part.name)
        elif (table := getattr(part, "table", None)) is not None and isinstance(table, Table):
            names.add(table.name)
    classes = _by_table()
    return {classes[name] for name in names if name in classes}


@event.listens_for(Session, "do_orm_execute")
def _narrow(state: Any) -> None:
    """Add the condition of each table the statement names: to a SELECT as criteria of its entities,
    to an UPDATE or DELETE as a WHERE of its own table.
    """
    scope = _scope.get()
    if scope is None or state.is_column_load:
        return
    if state.is_select:
        state.statement = _narrowed(state.statement, scope)
    elif state.is_update or state.is_delete:
        model = _by_table().get(state.statement.table.name)
        limit = condition(model, scope) if model is not None else None
        if limit is not None:
            state.statement = state.statement.where(limit)


# ── writing one row ──


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
            is_foreign = any(o is not None and o not in scope.vendors for o in _owners(row))
            if is_foreign or _leaves_its_owner(row):
                raise Refused(_("This belongs to another shop: nothing was changed."))
            if scope.stores is not None:
                columns = getattr(type(row), "__stores__", ())
                named = {getattr(row, column) for column in columns} - {None}
                if named and not named & scope.stores:
                    raise Refused(_("This belongs to another shop: nothing was changed."))


def _leaves_its_owner(row: Any) -> bool:
    """Whether a vendor's row would become everybody's."""
    column = owner_of(type(row)).column
    if not column:
        return False
    history = inspect(row).attrs[column].history
    return list(history.added) == [None] and any(old is not None for old in history.deleted)


def _owners(row: Any) -> list[int | None]:
    """Every vendor a row belongs to, belonged to, or points at."""
    owners: list[int | None] = []
    state, owner = inspect(row), owner_of(type(row))
    if owner.column:
        history = state.attrs[owner.column].history
        owners += [*history.added, *history.unchanged, *history.deleted]
    for name, target in pointers_of(row.__class__):
        history = state.attrs[name].history
        for key in (*history.added, *history.unchanged):
            if key is not None:
                owners.append(_owner_of_row(target, key))
    return owners


def _owner_of_row(model: Any, id: int) -> Any:
    """The vendor of a row, without asking the database for one that was read already and that
    nobody changed.
    """
    column = owner_of(model).column
    read = db.session().identity_map.get(inspect(model).identity_key_from_primary_key((id,)))
    if read is not None and column in vars(read) and not inspect(read).modified:
        return getattr(read, column)
    return db.session.scalar(db.select(getattr(model, column)).where(model.id == id))


@cache
def pointers_of(model: Any) -> tuple[tuple[str, Any], ...]:
    """The foreign keys of a table that name a row of a vendor: (column, class)."""
    if model.__module__ != models.__name__ or owner_of(model).why:
        return ()
    found = []
    for column in model.__table__.columns:
        for key in column.foreign_keys:
            target = _by_table().get(key.column.table.name)
            if target is not None and target is not models.Vendor and owner_of(target).column:
                found.append((column.name, target))
    return tuple(found)
