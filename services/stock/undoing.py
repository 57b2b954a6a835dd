"""Levels a file moved, of stock or of offers, go back to what they were, while nothing moved since.

It is a statement as of the file's own moment, with movements of its own: what the file did stays in
the history, and the right file counts after it.
"""

from datetime import datetime
from typing import Any

from flask_babel import gettext as _
from flask_babel import ngettext
from sqlalchemy import func, select

from models import ImportRun, ImportState, Movement, StockLevel, Store, Variant
from services import clock
from services.catalogue import matching
from services.imports import runs, undoing
from services.imports.undoing import Undone
from services.stock import feeds, levels
from services.unit import db
from services.workflow import Actor, Refused


def undo_stock(run: ImportRun, by: Actor) -> Undone:
    """Put back the levels a stock file moved, and forget what it named that nobody knows."""
    matching.forget_unknown(run)
    return Undone(put_levels_back(run, by))


def put_levels_back(run: ImportRun, by: Actor) -> int:
    """Each level the file moved, as it was; returns how many references. Raises Refused when one of
    them moved since, or when an order holds more than would be left.
    """
    stores = db.session.scalars(
        select(Store)
        .where(Store.id.in_(select(Movement.store_id).where(Movement.reference == _reference(run))))
        .order_by(Store.id)
    ).all()
    done, own_moment = 0, _counted_at(run)
    run_id, file_name = run.id, run.file_name
    for store in stores:
        run = db.session.get_one(ImportRun, run_id)  # what is counted expires the session
        levels.lock_store(store.id)
        before, known_at = _before(run, store)
        # Said as of the file's own moment (or of a later one that was undone): the right file, and
        # a sale that is told late, still count after it. What happened since then is in `before`
        # already, and is added again.
        dated_at = max(own_moment, known_at)
        since = levels.moved_since(store.id, dated_at)
        if store.last_feed_at == own_moment:
            store.last_feed_at = _feed_before(run, store)
            db.session.flush()  # what is counted below expires what was not written
        wild = feeds.count(
            store,
            {
                variant_id: feeds.Line(
                    0, "", "", max(0, quantity - since.get(variant_id, (0, 0))[0]), store.id
                )
                for variant_id, quantity in before.items()
            },
            dated_at=dated_at,
            reference=f"annule import {run_id}",
            cause=_("stock file « %(name)s » undone", name=file_name),
            by=by,
        )
        if wild:
            raise Refused(
                _(
                    "The stock of %(store)s cannot go back (%(why)s) Nothing was undone: correct it"
                    " in the list.",
                    store=store.name,
                    why=next(iter(wild.values())),
                )
            )
        done += len(before)
    return done


def _counted_at(run: ImportRun) -> datetime:
    """The moment the counts of a file speak of."""
    if undoing.WRITTEN in run.report:
        return datetime.fromisoformat(run.report[undoing.WRITTEN])
    return run.dated_at or run.ended_at or clock.now()


def _reference(run: ImportRun) -> str:
    return f"import {run.id}"


def _moved(run: ImportRun) -> Any:
    return select(Movement.id).where(
        Movement.reference == _reference(run),
        Movement.vendor_id == run.vendor_id,
        Movement.item_id.is_(None),
    )


def _before(run: ImportRun, store: Store) -> tuple[dict[int, int], datetime]:
    """What the store held of each reference before the file, and the moment the latest of their
    levels speaks of. Raises Refused.
    """
    rows = db.session.execute(
        select(
            Movement.variant_id,
            func.max(Movement.id).label("last"),
            func.sum(Movement.quantity).label("moved"),
        )
        .where(Movement.id.in_(_moved(run)), Movement.store_id == store.id)
        .group_by(Movement.variant_id)
    ).all()
    # A file that was undone, and what undid it, count no more: of two wrong files the last goes
    # first, then the other.
    undone = undoing.undone_lately(run.vendor_id)
    no_more = [sign.format(one.id) for one in undone for sign in ("import {}", "annule import {}")]
    newest = (
        select(Movement.variant_id, func.max(Movement.id).label("newest"))
        .where(
            Movement.store_id == store.id,
            Movement.item_id.is_(None),
            Movement.reference.not_in(no_more),
        )
        .group_by(Movement.variant_id)
        .subquery()
    )
    now = {
        variant_id: (last, quantity, reserved, counted_at)
        for variant_id, last, quantity, reserved, counted_at in db.session.execute(
            select(
                newest.c.variant_id,
                newest.c.newest,
                StockLevel.quantity,
                StockLevel.reserved,
                StockLevel.counted_at,
            ).join(
                StockLevel,
                (StockLevel.variant_id == newest.c.variant_id) & (StockLevel.store_id == store.id),
            )
        )
    }
    moments = {_counted_at(run), *(_counted_at(one) for one in undone)}
    # Also « there are as many as the file says », by somebody else since, is a statement of theirs.
    moved_since = [
        row.variant_id
        for row in rows
        if now[row.variant_id][0] != row.last or now[row.variant_id][3] not in moments
    ]
    if moved_since:
        raise Refused(
            ngettext(
                "%(num)s reference moved since (%(store)s: %(which)s): nothing was undone. Give the"
                " right file, or correct the stock in the list.",
                "%(num)s references moved since (%(store)s: %(which)s): nothing was undone. Give"
                " the right file, or correct the stock in the list.",
                len(moved_since),
                store=store.name,
                which=_named(moved_since),
            )
        )
    before = {row.variant_id: now[row.variant_id][1] - int(row.moved) for row in rows}
    held = [variant_id for variant_id, quantity in before.items() if now[variant_id][2] > quantity]
    if held:
        raise Refused(
            _(
                "Orders or carts hold units that would no longer be there (%(store)s: %(which)s):"
                " nothing was undone.",
                store=store.name,
                which=_named(held),
            )
        )
    return before, max((now[id][3] for id in before), default=_counted_at(run))


def _feed_before(run: ImportRun, store: Store) -> datetime | None:
    """The moment the last full file of a store spoke of, without this one."""
    found: datetime | None = db.session.scalar(
        select(func.max(ImportRun.dated_at)).where(
            ImportRun.kind == "stock",
            ImportRun.store_id == store.id,
            ImportRun.mode == runs.FULL,
            ImportRun.state == ImportState.complete,
            ImportRun.id != run.id,
        )
    )
    return found


def _named(variant_ids: list[int]) -> str:
    """The barcodes of the first few of them, for whoever looks them up."""
    some = sorted(variant_ids)[:4]
    eans = db.session.scalars(select(Variant.ean).where(Variant.id.in_(some)).order_by(Variant.id))
    return undoing.named(list(eans))


def has_moved(run: ImportRun) -> bool:
    return db.session.scalar(_moved(run).limit(1)) is not None


undoing.law("stock", undo_stock, has_moved)
