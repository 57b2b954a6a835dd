"""Inventories and transfers: people count a store, units travel between stores.

Counting may take a day: each line remembers when it was counted, and what is sold after that moment
is no difference.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import Select, func, select
from sqlalchemy.orm import selectinload

from models import (
    CountState,
    Movement,
    MovementKind,
    StockCount,
    StockCountLine,
    StockLevel,
    StockTransfer,
    StockTransferLine,
    StockTransferState,
    Store,
    Variant,
)
from services import clock, settings, workflow
from services.catalogue import matching, products
from services.stock import feeds, levels
from services.unit import db
from services.workflow import Actor, Move, Refused, Workflow

C, T, K = CountState, StockTransferState, MovementKind
workflow.name_states(
    (C.counting, _l("Being counted"), "info"),
    (C.counted, _l("Validated"), "ok"),
    (C.dropped, _l("Abandoned"), "off"),
    (T.preparing, _l("Being prepared"), "info"),
    (T.on_its_way, _l("Sent, not arrived"), "warn"),
    (T.arrived, _l("Arrived"), "ok"),
    (T.dropped, _l("Abandoned"), "off"),
)
COUNT = Workflow(
    "stock_count",
    Move(
        "validate_count",
        _l("Validate the count"),
        {C.counting},
        C.counted,
        done=_l("Count validated"),
    ),
    Move(
        "drop_count", _l("Abandon the count"), {C.counting}, C.dropped, done=_l("Count abandoned")
    ),
)
TRANSFER = Workflow(
    "stock_transfer",
    Move("send", _l("Send"), {T.preparing}, T.on_its_way, done=_l("Transfer sent")),
    Move("arrive", _l("Arrived"), {T.on_its_way}, T.arrived, done=_l("Transfer arrived")),
    Move("drop_transfer", _l("Abandon"), {T.preparing}, T.dropped, done=_l("Transfer abandoned")),
)


# ── counting ──


def open_count(store: Store, name: str, *, whole: bool, by: Actor) -> StockCount:
    """Begin to count a store; `whole`: what nobody counted is not there. One at a time in a store.
    Raises Refused.
    """
    levels.lock_store(store.id)
    if db.session.scalar(
        select(StockCount.id).where(
            StockCount.store_id == store.id, StockCount.status == C.counting
        )
    ):
        raise Refused(_("This store is already being counted: end that count first."))
    name = " ".join(name.split())[:200] or _(
        "Inventory of %(day)s", day=clock.today().strftime("%d/%m/%Y")
    )
    count = StockCount(
        vendor_id=store.vendor_id,
        store_id=store.id,
        name=name,
        whole=whole,
        status=C.counting,
        by_name=by.name,
        opened_at=clock.now(),
    )
    db.session.add(count)
    workflow.record(count, "create", by=by)
    return count


class UnknownReference(Refused):
    """What was scanned is in no catalogue: `note_unknown` keeps it for the people who complete
    it.
    """

    def __init__(self, ean: str) -> None:
        super().__init__(
            _(
                "The catalogue does not know %(ean)s: put it aside. It waits among « Unknown"
                " references », and is counted once it is known.",
                ean=ean[:20],
            )
        )
        self.ean = ean


def note_unknown(count: StockCount, ean: str) -> None:
    """Somebody holds an article that no catalogue knows: the vendor's queue keeps it."""
    line = feeds.Line(0, "", products.read_ean(ean), 1, count.store_id)
    matching.note_unknown(count.store.vendor_id, [line])


def scan(count: StockCount, ean: str, *, quantity: int = 1, by: Actor) -> StockCountLine:
    """One more unit of a barcode was seen (or so many). Raises Refused, BadEan."""
    line = _line(count, ean)
    return _put(count, line, line.counted + quantity)


def say(count: StockCount, ean: str, quantity: int, *, by: Actor) -> StockCountLine:
    """So many of a barcode were counted: instead of what was said before."""
    return _put(count, _line(count, ean), quantity)


def _line(count: StockCount, ean: str) -> StockCountLine:
    levels.lock_store(count.store_id)
    db.session.refresh(count, ["status"])
    if count.status is not C.counting:
        raise Refused(_("This count is over: open another one."))
    variant = matching.meant_by(count.store.vendor_id, products.read_ean(ean))
    if variant is None:
        raise UnknownReference(ean)
    existing = select(StockCountLine).where(
        StockCountLine.count_id == count.id, StockCountLine.variant_id == variant.id
    )
    line = db.session.scalar(existing, execution_options={"populate_existing": True})
    if line is None:
        line = StockCountLine(count_id=count.id, variant_id=variant.id, counted=0, at=clock.now())
        db.session.add(line)
    return line


def _put(count: StockCount, line: StockCountLine, quantity: int) -> StockCountLine:
    most = settings.value("stock_most_quantity")
    if not 0 <= quantity <= most:
        raise Refused(_("Type a quantity from 0 to %(most)s.", most=most))
    line.counted, line.at = quantity, clock.now()
    db.session.flush()
    return line


@dataclass(frozen=True)
class Difference:
    """One reference of a count: what was thought at the moment it was counted, what was counted."""

    variant: Variant
    thought: int
    counted: int | None

    @property
    def gap(self) -> int:
        return (self.counted or 0) - self.thought


def differences(count: StockCount, only_gaps: bool = True, limit: int = 500) -> list[Difference]:
    """What was counted beside what was thought, the widest gaps first; of a whole count also what
    nobody counted. Of one that was validated, what it changed.
    """
    if count.status is C.counted:
        return _changed_by(count, limit)
    rows = db.session.execute(
        select(Variant, _held_when_counted(count), StockCountLine.counted)
        .join(StockCountLine, Variant.id == StockCountLine.variant_id)
        .where(StockCountLine.count_id == count.id)
        .options(selectinload(Variant.product))
    ).all()
    found = [Difference(variant, int(held), counted) for variant, held, counted in rows]
    if count.whole:
        seen = select(StockCountLine.variant_id).where(StockCountLine.count_id == count.id)
        # What came after the count was opened is no part of it, as when it is validated.
        opened = _held_at(count, StockLevel.variant_id, count.opened_at).correlate(StockLevel)
        at_opening = opened.scalar_subquery()
        missed = db.session.execute(
            select(Variant, at_opening)
            .join(StockLevel, StockLevel.variant_id == Variant.id)
            .where(
                StockLevel.store_id == count.store_id,
                StockLevel.quantity > 0,
                (StockLevel.counted_at.is_(None)) | (StockLevel.counted_at <= count.opened_at),
                at_opening > 0,
                Variant.id.not_in(seen),
            )
            .options(selectinload(Variant.product))
            .limit(limit)
        ).all()
        found += [Difference(variant, int(quantity), None) for variant, quantity in missed]
    found = [d for d in found if d.gap or not only_gaps]
    return sorted(found, key=lambda d: (-abs(d.gap), d.variant.ean))[:limit]


def _changed_by(count: StockCount, limit: int) -> list[Difference]:
    rows = db.session.execute(
        select(Variant, func.sum(Movement.quantity), StockCountLine.counted)
        .join(Variant, Variant.id == Movement.variant_id)
        .outerjoin(
            StockCountLine,
            (StockCountLine.count_id == count.id) & (StockCountLine.variant_id == Variant.id),
        )
        .where(
            Movement.store_id == count.store_id,
            Movement.reference == _reference(count),
            Movement.kind == K.count,
        )
        .group_by(Variant, StockCountLine.counted)
    ).all()
    found = [
        Difference(variant, (counted or 0) - int(moved), counted)
        for variant, moved, counted in rows
    ]
    return sorted(found, key=lambda d: (-abs(d.gap), d.variant.ean))[:limit]


def _reference(count: StockCount) -> str:
    return f"inventaire {count.id}"


def _held_when_counted(count: StockCount) -> Any:
    """What the store held of a line's reference at the moment it was counted, as a part of the
    statement that reads the lines: a shop counts thousands.
    """
    held = _held_at(count, StockCountLine.variant_id, StockCountLine.at)
    return held.correlate(StockCountLine).scalar_subquery()


def _held_at(count: StockCount, variant_id: Any, moment: Any) -> Select[Any]:
    """What moved in the count's store of a reference until a moment: what it held then."""
    return select(func.coalesce(func.sum(Movement.quantity), 0)).where(
        Movement.store_id == count.store_id,
        Movement.variant_id == variant_id,
        Movement.item_id.is_(None),
        Movement.at <= moment,
    )


@dataclass(frozen=True)
class Forecast:
    """What validating a count would do: references corrected; of them those nobody counted, that go
    to zero, and their units; whether these are most of the store.
    """

    corrected: int
    emptied: int
    units: int
    is_most: bool


def forecast(count: StockCount) -> Forecast:
    gaps = differences(count, limit=MOST_GAPS)
    emptied = [gap for gap in gaps if gap.counted is None]
    held = (
        db.session.scalar(
            select(func.count(StockLevel.id)).where(
                StockLevel.store_id == count.store_id, StockLevel.quantity > 0
            )
        )
        or 0
    )
    return Forecast(
        len(gaps),
        len(emptied),
        sum(gap.thought for gap in emptied),
        len(emptied) * 100 > held * settings.value("feed_empty_percent"),
    )


MOST_GAPS = 1_000_000


def validate(count: StockCount, *, by: Actor, sure: bool = True) -> int:
    """The count is right: stock follows it, what moved meanwhile on top. Returns how many
    references changed.

    Raises Refused when it would empty most of the store and `sure` was not said.
    """
    levels.lock_store(count.store_id)
    if not sure and forecast(count).is_most:
        raise Refused(
            _(
                "This would take most of the store away: say that these references are no longer"
                " there."
            )
        )
    COUNT.fire(count, "validate_count", by=by)
    count.ended_at = clock.now()
    store, changed = db.session.get_one(Store, count.store_id), 0
    lines = {
        line.variant_id: line
        for line in db.session.scalars(
            select(StockCountLine).where(StockCountLine.count_id == count.id)
        )
    }
    known = levels.locked(store, lines)
    for variant_id, line in sorted(lines.items()):
        level = known.get(variant_id) or levels.of(store, db.session.get_one(Variant, variant_id))
        changed += _follow(level, line.counted, line.at, count, by)
    if count.whole:
        for level in db.session.scalars(
            select(StockLevel).where(StockLevel.store_id == store.id, StockLevel.quantity > 0)
        ).all():
            if level.variant_id not in lines and (
                level.counted_at is None or level.counted_at <= count.opened_at
            ):
                changed += _follow(level, 0, count.opened_at, count, by)
    if changed:
        levels.changed(store.id, store.vendor_id)
    return changed


def _follow(level: StockLevel, counted: int, at: datetime, count: StockCount, by: Actor) -> bool:
    if level.counted_at is not None and level.counted_at > at:  # a newer statement is known
        return False
    before = level.quantity
    levels.state(level, counted, K.count, by=by, at=at, reference=_reference(count))
    levels.settle(level, cause=_("inventory « %(name)s »", name=count.name), by=by)
    return level.quantity != before


def drop(count: StockCount, *, by: Actor) -> None:
    """Nothing of it counts."""
    COUNT.fire(count, "drop_count", by=by)
    count.ended_at = clock.now()


def counted_lines(count: StockCount, limit: int = 50) -> list[StockCountLine]:
    """The last references counted, newest first."""
    return list(
        db.session.scalars(
            select(StockCountLine)
            .where(StockCountLine.count_id == count.id)
            .order_by(StockCountLine.at.desc(), StockCountLine.id.desc())
            .options(selectinload(StockCountLine.variant).selectinload(Variant.product))
            .limit(limit)
        )
    )


def counted_total(count: StockCount) -> tuple[int, int]:
    """How many references and units were counted so far."""
    row = db.session.execute(
        select(func.count(), func.coalesce(func.sum(StockCountLine.counted), 0)).where(
            StockCountLine.count_id == count.id
        )
    ).one()
    return int(row[0]), int(row[1])


# ── transfers ──


def open_transfer(here: Store, there: Store, *, by: Actor) -> StockTransfer:
    """Prepare units to be sent from one store of a vendor to another. Raises Refused."""
    if here.id == there.id:
        raise Refused(_("Choose two different stores."))
    if here.vendor_id != there.vendor_id:
        raise Refused(_("Stock is transferred between the stores of one vendor."))
    transfer = StockTransfer(
        vendor_id=here.vendor_id,
        from_store_id=here.id,
        to_store_id=there.id,
        status=T.preparing,
        by_name=by.name,
        created_at=clock.now(),
    )
    db.session.add(transfer)
    workflow.record(transfer, "create", by=by)
    return transfer


def put_in(transfer: StockTransfer, ean: str, quantity: int | None, *, by: Actor) -> None:
    """So many units of a barcode travel, one more without a quantity; zero takes the line out.
    Raises Refused when the store has not that many free.
    """
    _alone_with(transfer)
    if transfer.status is not T.preparing:
        raise Refused(_("This transfer already left: prepare another one."))
    variant = matching.meant_by(transfer.from_store.vendor_id, products.read_ean(ean))
    level = variant and db.session.scalar(
        select(StockLevel).where(
            StockLevel.store_id == transfer.from_store_id, StockLevel.variant_id == variant.id
        )
    )
    if variant is None or level is None:
        raise Refused(
            _("%(store)s does not have %(ean)s.", store=transfer.from_store.name, ean=ean[:20])
        )
    line = next((one for one in transfer.lines if one.variant_id == variant.id), None)
    if quantity is None:
        quantity = (line.quantity if line is not None else 0) + 1
    if quantity == 0 and line is not None:
        transfer.lines.remove(line)
        return
    if not 0 < quantity <= level.available:
        raise Refused(
            _(
                "%(store)s has %(count)s free units of it.",
                store=transfer.from_store.name,
                count=level.available,
            )
        )
    if line is None:
        transfer.lines.append(StockTransferLine(variant_id=variant.id, quantity=quantity))
    else:
        line.quantity = quantity


def _alone_with(transfer: StockTransfer) -> None:
    """Lock the sending store and read the transfer and its lines again."""
    levels.lock_store(transfer.from_store_id)
    db.session.flush()
    db.session.refresh(transfer, ["status", "lines"])


def send(transfer: StockTransfer, *, by: Actor) -> None:
    """The units leave the first store. Raises Refused when some of them went meanwhile."""
    _alone_with(transfer)
    if not transfer.lines:
        raise Refused(_("Nothing is in this transfer yet."))
    TRANSFER.fire(transfer, "send", by=by)
    transfer.sent_at = clock.now()
    for line in sorted(transfer.lines, key=lambda one: one.variant_id):
        level = levels.of(transfer.from_store, line.variant)
        if level.available < line.quantity:
            raise Refused(
                _(
                    "« %(title)s »: %(count)s free units are left.",
                    title=line.variant.product.title,
                    count=level.available,
                )
            )
        levels.move(level, -line.quantity, K.transfer, by=by, reference=f"transfert {transfer.id}")
    levels.changed(transfer.from_store_id, transfer.vendor_id)


def arrive(transfer: StockTransfer, arrived: dict[int, int] | None = None, *, by: Actor) -> None:
    """The units are in the second store: all of them, or as many of each line as were counted. What
    is missing is a loss of the first.
    """
    TRANSFER.fire(transfer, "arrive", by=by)
    transfer.arrived_at = clock.now()
    for store_id in sorted((transfer.from_store_id, transfer.to_store_id)):
        levels.lock_store(store_id)
    for line in sorted(transfer.lines, key=lambda one: one.variant_id):
        came = (arrived or {}).get(line.id, line.quantity)
        if not 0 <= came <= line.quantity:
            raise Refused(
                _(
                    "At most %(count)s units of « %(title)s » can arrive.",
                    count=line.quantity,
                    title=line.variant.product.title,
                )
            )
        line.arrived = came
        levels.move(
            levels.of(transfer.to_store, line.variant),
            came,
            K.transfer,
            by=by,
            reference=f"transfert {transfer.id}",
        )
    levels.changed(transfer.to_store_id, transfer.vendor_id)


def drop_transfer(transfer: StockTransfer, *, by: Actor) -> None:
    TRANSFER.fire(transfer, "drop_transfer", by=by)
