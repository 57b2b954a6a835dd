"""New units in stores: counted from what moved, reserved by a conditional update, never below zero.

A level is the sum of its movements (no item); second-hand units are items of their own (MG-016 to
MG-019). An absolute statement (a file, a till's count, a hand) becomes the movement that makes the
sum right.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    bindparam,
    case,
    func,
    or_,
    select,
    true,
    union_all,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm.attributes import set_committed_value

from models import (
    ConflictState,
    Item,
    Movement,
    MovementKind,
    Reservation,
    ReservationState,
    StockConflict,
    StockLevel,
    Store,
    TillEvent,
    TillEventKind,
    Variant,
)
from services import clock, settings, webhooks, workflow
from services.people import places
from services.stock import items
from services.unit import db, is_sqlite, lock_until_commit
from services.workflow import Actor, Move, Refused, Workflow

R, K, C = ReservationState, MovementKind, ConflictState
MOST = 1_000_000
workflow.name_states(
    (R.held, _l("In a cart"), "info"),
    (R.promised, _l("Sold on line"), "warn"),
    (R.handed, _l("Handed over"), "ok"),
    (R.released, _l("Free again"), "off"),
    (R.beaten, _l("Sold by the shop first"), "bad"),
    (C.open, _l("To settle"), "bad"),
    (C.moved, _l("Found elsewhere"), "ok"),
    (C.given_up, _l("Nowhere to be found"), "off"),
)
_ANYBODY = (workflow.STAFF, workflow.CUSTOMER, workflow.TIME)


def _of_no_order(conflict: StockConflict) -> str | None:
    """An order names its store and its vendor: a twin elsewhere would be another order."""
    if conflict.reservation.order_line_id is None:
        return None
    return _("This order is answered by itself: its buyer is told that it will not come.")


RESERVATION = Workflow(
    "reservation",
    Move("promise", _l("Sold on line"), {R.held}, R.promised, by=_ANYBODY),
    Move(
        "release",
        _l("Free again"),
        {R.held, R.promised},
        R.released,
        by=_ANYBODY,
        done=_l("Reservation freed"),
    ),
    Move("hand_over", _l("Handed over"), {R.promised}, R.handed, by=_ANYBODY),
    Move("beat", _l("Sold by the shop first"), {R.held, R.promised}, R.beaten, by=_ANYBODY),
)
CONFLICT = Workflow(
    "stock_conflict",
    Move(
        "replace", _l("Take the twin"), {C.open}, C.moved, _of_no_order, done=_l("Found elsewhere")
    ),
    # By the clock where it is an order's: the sale at the till counts as a refusal.
    Move(
        "give_up",
        _l("There is none"),
        {C.open},
        C.given_up,
        by=(workflow.STAFF, workflow.TIME),
        done=_l("Nowhere to be found"),
    ),
)
workflow.says(
    "reservation",
    keep_fewer=_l("Fewer units needed"),
    leave_to_till=_l("Collected: the till tells the sale"),
    beat_in_part=_l("Sold by the shop first, in part"),
)
workflow.says(
    "stock_level",
    adjust=_l("Stock corrected"),
    alert=_l("Alert threshold"),
    place=_l("Place"),
)


# ── one level ──


def lock_store(store_id: int) -> None:
    """Let transactions that change quantities of a store run one after the other, until they
    commit. Buyers who only reserve do not wait for it.
    """
    lock_until_commit(db.session.connection(), f"stock {store_id}")


def of(store: Store, variant: Variant) -> StockLevel:
    """The level of a reference in a store, made at zero when the store never had one; read anew."""
    named = {"store": store.id, "variant": variant.id}
    found: StockLevel | None = db.session.scalar(_LEVEL, named)
    if found is not None:
        return found
    insert = (sqlite if is_sqlite() else postgresql).insert(StockLevel)
    db.session.execute(
        insert.values(
            vendor_id=store.vendor_id,
            store_id=store.id,
            variant_id=variant.id,
            quantity=0,
            reserved=0,
            counted=0,
            place="",
            updated_at=clock.now(),
        ).on_conflict_do_nothing(index_elements=["store_id", "variant_id"])
    )
    return db.session.scalars(_LEVEL, named).one()


def locked(store: Store, variant_ids: Iterable[int]) -> dict[int, StockLevel]:
    """The levels a store has of some references, by reference, locked until the unit ends."""
    found: dict[int, StockLevel] = {}
    ids = sorted(variant_ids)
    for first in range(0, len(ids), 500):
        some = ids[first : first + 500]
        rows = (
            select(StockLevel)
            .where(StockLevel.store_id == store.id, StockLevel.variant_id.in_(some))
            .order_by(StockLevel.id)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
        found |= {level.variant_id: level for level in db.session.scalars(rows)}
    return found


# Statements of a move, made once: a till that was off line makes five hundred.
_LEVEL = (
    select(StockLevel)
    .where(StockLevel.store_id == bindparam("store"), StockLevel.variant_id == bindparam("variant"))
    .with_for_update()
    .execution_options(populate_existing=True)
)
_MOVED = (
    update(StockLevel)
    .where(StockLevel.id == bindparam("level"), StockLevel.quantity == bindparam("was"))
    .values(quantity=bindparam("after"), updated_at=bindparam("now"))
    .returning(StockLevel.reserved)
)


def move(
    level: StockLevel,
    quantity: int,
    kind: MovementKind,
    *,
    by: Actor,
    reference: str = "",
    price_cents: int | None = None,
    channel: str = "",
    at: datetime | None = None,
    then: int | None = None,
) -> None:
    """Add a movement and its effect, in the caller's unit, the store being locked. Nothing for
    zero. Raises Refused below zero.

    `then`: how many there are after it all the same, because something newer is known; the
    difference is a movement too.
    """
    now = clock.now()
    after = level.quantity + quantity if then is None else then
    if after < 0:
        raise Refused(_("There are not that many units in this store."))
    if after > MOST:
        raise Refused(
            _("%(count)s units are more than a shop holds: correct its stock first.", count=after)
        )
    rows = [(kind, quantity, price_cents), (K.count, after - level.quantity - quantity, None)]
    for what, count, price in rows:
        if count:
            db.session.add(
                Movement(
                    vendor_id=level.vendor_id,
                    store_id=level.store_id,
                    variant_id=level.variant_id,
                    kind=what,
                    quantity=count,
                    price_cents=price,
                    channel=channel,
                    reference=reference[:60],
                    by_name=by.name,
                    at=at or now,
                    recorded_at=now,
                )
            )
    if after != level.quantity:
        with db.session.no_autoflush:  # the movement is written with what follows it
            reserved = db.session.execute(
                _MOVED,
                {"level": level.id, "was": level.quantity, "after": after, "now": now},
                execution_options={"synchronize_session": False},
            ).scalar_one_or_none()
        if reserved is None:
            raise Refused(
                _("Somebody changed this at the same moment: look at it again before you decide.")
            )
        # The row is locked by now: what was read is what there is.
        for name, value in (("quantity", after), ("reserved", reserved), ("updated_at", now)):
            set_committed_value(level, name, value)


def state(
    level: StockLevel,
    quantity: int,
    kind: MovementKind,
    *,
    by: Actor,
    at: datetime,
    reference: str = "",
    key_id: int | None = None,
    number: int | None = None,
    through: int | None = None,
) -> None:
    """Somebody says how many there were at a moment: what moved since is applied on top."""
    (
        level.counted,
        level.counted_at,
        level.counted_key_id,
        level.counted_number,
        level.counted_through,
    ) = (quantity, at, key_id, number, through)
    db.session.flush()
    target = expected(level)
    move(level, target - level.quantity, kind, by=by, at=at, reference=reference)


def expected(level: StockLevel) -> int:
    """How many there must be: the last statement, and what it did not know yet of tills, orders and
    transfers; never below zero.
    """
    rows = _happened_to_one(level.counted_at is not None, level.counted_key_id is not None)
    values = {
        "store": level.store_id,
        "variant": level.variant_id,
        "since": level.counted_at,
        "till": level.counted_key_id,
        "through": level.counted_through or 0,
    }
    db.session.flush()
    given = {name: value for name, value in values.items() if value is not None}
    found = db.session.connection().execute(rows, given).first()
    _variant, total, lowest = found or (level.variant_id, 0, 0)
    return after(level.counted, int(total), int(lowest))


@lru_cache
def _happened_to_one(was_counted: bool, by_a_till: bool) -> Any:
    """The statement of `expected`, made once: a till that was off line asks it five hundred
    times.
    """
    since = bindparam("since", type_=TillEvent.at.type)
    told = TillEvent.at > since if was_counted else true()
    if by_a_till:
        # A till's count knows what the till had told before it, whatever the clocks say.
        counted_it = TillEvent.key_id == bindparam("till")
        told = case((counted_it, TillEvent.number > bindparam("through")), else_=told)
    moved = Movement.at > since if was_counted else true()
    variant: Any = bindparam("variant")
    return _happened(
        and_(told, TillEvent.variant_id == variant), and_(moved, Movement.variant_id == variant)
    )


def moved_since(store_id: int, moment: datetime) -> dict[int, tuple[int, int]]:
    """What was sold, returned or sent elsewhere after the moment a file speaks of, by reference:
    its sum and the lowest of its running sum, for `after`.
    """
    if clock.now() - moment < timedelta(seconds=2):
        return {}
    rows = _happened(TillEvent.at > moment, Movement.at > moment)
    return {
        variant: (int(total), int(lowest))
        for variant, total, lowest in db.session.execute(rows, {"store": store_id})
    }


def _happened(told: ColumnElement[bool], moved: ColumnElement[bool]) -> Any:
    """Of each reference of the store `:store`: the sum of what tills told and of what moved
    otherwise, under these conditions, and the lowest of its running sum.

    The running sum is looked at step by step, in the order things happened, not only at its end:
    units sold beyond the known stock are not taken from units that come later.
    """
    delta = case(
        (TillEvent.kind == TillEventKind.sale, -TillEvent.quantity), else_=TillEvent.quantity
    )
    steps = union_all(
        select(TillEvent.variant_id, TillEvent.at.label("at"), delta.label("delta")).where(
            TillEvent.store_id == bindparam("store"),
            TillEvent.variant_id.is_not(None),
            TillEvent.item_id.is_(None),
            TillEvent.kind.not_in([TillEventKind.trade_in, TillEventKind.count]),
            told,
        ),
        select(Movement.variant_id, Movement.at, Movement.quantity).where(
            Movement.store_id == bindparam("store"),
            Movement.item_id.is_(None),
            Movement.channel != "till",
            Movement.kind.not_in([K.feed, K.count, K.adjustment]),
            moved,
        ),
    ).subquery()
    balance = func.sum(steps.c.delta).over(
        partition_by=steps.c.variant_id, order_by=(steps.c.at, steps.c.delta.desc())
    )
    run = select(steps.c.variant_id, steps.c.delta, balance.label("balance")).subquery()
    rows = select(run.c.variant_id, func.sum(run.c.delta), func.min(run.c.balance))
    return rows.group_by(run.c.variant_id)


def after(counted: int, total: int, lowest: int) -> int:
    """Units left of `counted` when what happened sums to `total` and its running sum went down to
    `lowest` (not below zero at any step).
    """
    return max(counted, -lowest) + total


def adjust(level: StockLevel, quantity: int, *, by: Actor, reason: str = "") -> int:
    """A person says how many there are; returns the difference. Raises Refused for a number that is
    none.
    """
    most = settings.value("stock_most_quantity")
    if not 0 <= quantity <= most:
        raise Refused(_("Type a quantity from 0 to %(most)s.", most=most))
    lock_store(level.store_id)
    db.session.refresh(level, with_for_update=True)
    difference = quantity - level.quantity
    # Also « there are as many as we thought » is newer than what is told late.
    state(level, quantity, K.adjustment, by=by, at=clock.now(), reference=reason)
    if difference:
        workflow.record(level, "adjust", by=by, was=quantity - difference, now=quantity)
        settle(level, cause=_("stock corrected by hand"), by=by)
        changed(level.store_id, level.vendor_id)
    return difference


def set_alert(level: StockLevel, under: int | None, *, by: Actor) -> None:
    """Warn when fewer units than that are left; None: never."""
    if under is not None and not 0 < under <= MOST:
        raise Refused(_("Type a quantity from 1 to %(most)s.", most=MOST))
    level.alert_under = under
    workflow.record(level, "alert", by=by, under=under)


def set_place(level: StockLevel, place: str, *, by: Actor) -> None:
    """Where in the store it lies (« R3-B2 »)."""
    level.place = " ".join(place.split())[:60]
    workflow.record(level, "place", by=by, place=level.place)


def changed(store_id: int, vendor_id: int) -> None:
    """Tell the vendor's software that this store's stock moved: it asks what, from its cursor
    on.
    """
    webhooks.tell(vendor_id, "stock.changed", named(store_id))


def named(store_id: int) -> dict[str, Any]:
    """A store as machines are told of it: by its code, as every other door names it."""
    code = db.session.scalar(select(Store.code).where(Store.id == store_id))
    return {"store": code or "", "store_id": store_id}


# ── kept for somebody ──


def reserve(
    level: StockLevel, quantity: int, holder: str, until: datetime, *, by: Actor
) -> Reservation:
    """Keep units for a cart until a moment. One update decides: of a hundred who want the last
    unit, one gets it. Raises Refused.
    """
    if quantity < 1:
        raise Refused(_("Choose at least one unit."))
    done = db.session.execute(
        update(StockLevel)
        .where(StockLevel.id == level.id, StockLevel.quantity - StockLevel.reserved >= quantity)
        .values(reserved=StockLevel.reserved + quantity),
        execution_options={"synchronize_session": False},
    )
    if done.rowcount != 1:  # type: ignore[attr-defined]
        raise Refused(
            _("There are no longer %(count)s units of it here.", count=quantity)
            if quantity > 1
            else _("The last unit was just taken.")
        )
    row = Reservation(
        vendor_id=level.vendor_id,
        store_id=level.store_id,
        variant_id=level.variant_id,
        quantity=quantity,
        holder=holder,
        status=R.held,
        until=until,
        created_at=clock.now(),
    )
    db.session.add(row)
    workflow.record(row, "create", by=by)
    db.session.expire(level)
    return row


def reserve_item(item: Item, holder: str, until: datetime, *, by: Actor) -> Reservation:
    """Keep one second-hand unit for a cart. Raises Refused when somebody else has it."""
    items.ITEM.fire(item, "reserve", by=by)
    row = Reservation(
        vendor_id=item.vendor_id,
        store_id=item.store_id,
        variant_id=item.variant_id,
        item_id=item.id,
        quantity=1,
        holder=holder,
        status=R.held,
        until=until,
        created_at=clock.now(),
    )
    db.session.add(row)
    workflow.record(row, "create", by=by)
    return row


def promise(
    row: Reservation, *, by: Actor, holder: str = "", order_line_id: int | None = None
) -> None:
    """The cart became an order: from now on only the shop's own counter can be faster. `holder` is
    what shops read (« 1702-A »), `order_line_id` the line it is kept for.
    """
    RESERVATION.fire(row, "promise", by=by)
    row.until = None
    row.holder = holder or row.holder
    row.order_line_id = order_line_id if order_line_id is not None else row.order_line_id


def of_order_line(line_id: int) -> Reservation | None:
    """What is kept now for a line of an order."""
    found: Reservation | None = db.session.scalar(
        select(Reservation)
        .where(Reservation.order_line_id == line_id, Reservation.status == R.promised)
        .order_by(Reservation.id.desc())
        .limit(1)
    )
    return found


def keep_fewer(row: Reservation, quantity: int, *, by: Actor) -> None:
    """Only so many units of a promise are needed any more; none: it is freed."""
    if quantity >= row.quantity:
        return
    if quantity < 1:
        release(row, by=by)
        return
    lock_store(row.store_id)
    db.session.refresh(row, with_for_update=True)  # a till may have been faster
    RESERVATION.require(row, "release", by=by)
    if quantity >= row.quantity:
        return
    workflow.record(row, "keep_fewer", by=by, quantity=quantity)
    freed, row.quantity = row.quantity - quantity, quantity
    _free_units(row, freed)


def release(row: Reservation, *, by: Actor) -> None:
    """Free again: the cart was emptied, its time is over, the order cancelled."""
    lock_store(row.store_id)
    RESERVATION.fire(row, "release", by=by)
    _give_back(row)


def hand_over(row: Reservation, price_cents: int, *, by: Actor, channel: str = "web") -> None:
    """The order left or was collected: units and promise go together, as a sale. `price_cents` is
    the price of one unit.
    """
    lock_store(row.store_id)
    RESERVATION.fire(row, "hand_over", by=by)
    if row.item_id is not None:
        item = db.session.get_one(Item, row.item_id)
        items.ITEM.fire(item, "release", by=by)
        items.sell(item, price_cents, channel=channel, by=by)
        return
    _give_back(row)
    level = db.session.scalars(
        select(StockLevel).where(
            StockLevel.store_id == row.store_id, StockLevel.variant_id == row.variant_id
        )
    ).one()
    db.session.refresh(level, with_for_update=True)
    after = max(
        0, level.quantity - row.quantity
    )  # what the shop hands over was there, whatever we thought
    move(
        level,
        -row.quantity,
        K.sale,
        by=by,
        reference=row.holder,
        price_cents=price_cents,
        channel=channel,
        then=after,
    )
    changed(level.store_id, level.vendor_id)


def _give_back(row: Reservation) -> None:
    if row.item_id is not None:
        items.free(db.session.get_one(Item, row.item_id))
        return
    _free_units(row, row.quantity)


def _free_units(row: Reservation, quantity: int) -> None:
    db.session.execute(
        update(StockLevel)
        .where(StockLevel.store_id == row.store_id, StockLevel.variant_id == row.variant_id)
        .values(reserved=StockLevel.reserved - quantity),
        execution_options={"synchronize_session": False},
    )
    for level in db.session.identity_map.values():
        if isinstance(level, StockLevel) and (level.store_id, level.variant_id) == (
            row.store_id,
            row.variant_id,
        ):
            db.session.expire(level)


def over(limit: int = 500) -> list[int]:
    """Carts whose time is over, for the clock."""
    return list(
        db.session.scalars(
            select(Reservation.id)
            .where(Reservation.status == R.held, Reservation.until < clock.now())
            .limit(limit)
        )
    )


def lapse(row: Reservation) -> None:
    """The clock frees what nobody paid in time."""
    if row.status is R.held and row.until is not None and row.until < clock.now():
        release(row, by=workflow.CLOCK)


# ── handed over where the till tells the sale ──

TILL_HOURS = 24


def leave_to_till(row: Reservation, *, by: Actor) -> None:
    """The buyer has it and paid at the counter: the till of this store tells the sale, which takes
    the units and the promise together. They stay promised until then, so that nobody else is sold
    them; after a day the order tells the sale itself (`untold`).
    """
    RESERVATION.require(row, "hand_over", by=by)
    row.until = clock.now() + timedelta(hours=TILL_HOURS)
    workflow.record(row, "leave_to_till", by=by)


def told_by_till(store_id: int, variant_id: int, quantity: int, *, by: Actor) -> None:
    """The till told a sale of new units: those that were left to it are handed over, the oldest
    first.
    """
    left = quantity
    for row in db.session.scalars(
        _left_to_till().where(
            Reservation.store_id == store_id,
            Reservation.variant_id == variant_id,
            Reservation.item_id.is_(None),
        )
    ):
        if not left:
            break
        if row.quantity > left:  # the rest is told by another sale
            row.quantity -= left
            _free_units(row, left)
            break
        left -= row.quantity
        RESERVATION.fire(row, "hand_over", by=by)
        _give_back(row)


def counted_by_till(store_id: int, variant_id: int, at: datetime, *, by: Actor) -> None:
    """The till counted the shelf at a moment: what had been left to it before is not on it any
    more, whether it told the sale or not.
    """
    for row in db.session.scalars(
        _left_to_till().where(
            Reservation.store_id == store_id,
            Reservation.variant_id == variant_id,
            Reservation.item_id.is_(None),
            Reservation.until <= at + timedelta(hours=TILL_HOURS),
        )
    ):
        RESERVATION.fire(row, "hand_over", by=by)
        _give_back(row)


def told_already(row: Reservation, *, by: Actor) -> None:
    """The till told this sale before the collection was: nothing moves any more."""
    lock_store(row.store_id)
    RESERVATION.fire(row, "hand_over", by=by)
    _give_back(row)


def item_told_by_till(item: Item, *, by: Actor) -> bool:
    """The same of one second-hand unit; whether it was left to the till."""
    row = db.session.scalar(_left_to_till().where(Reservation.item_id == item.id))
    if row is None:
        return False
    RESERVATION.fire(row, "hand_over", by=by)
    items.ITEM.fire(item, "release", by=by)
    return True


def items_left_to_till(store_id: int) -> Select[Any]:
    """The second-hand units of a store whose buyers have them, and whose sale no till told yet."""
    rows = _left_to_till().with_only_columns(Reservation.item_id).order_by(None)
    return rows.where(Reservation.store_id == store_id, Reservation.item_id.is_not(None))


def untold(limit: int = 500) -> list[int]:
    """What no till told the sale of for a day, for the clock."""
    rows = _left_to_till().where(Reservation.until < clock.now()).limit(limit)
    return list(db.session.scalars(rows.with_only_columns(Reservation.id)))


def _left_to_till() -> Select[Any]:
    return (
        select(Reservation)
        .where(Reservation.status == R.promised, Reservation.until.is_not(None))
        .order_by(Reservation.id)
    )


# ── the shop was faster ──


def settle(level: StockLevel, *, cause: str, by: Actor) -> list[StockConflict]:
    """More is promised than is there, because the till is right: unpaid carts lose first, the
    newest first; an order then becomes a conflict. The level is as it was read or moved in this
    unit, and locked.
    """
    found: list[StockConflict] = []
    if level.reserved <= level.quantity:
        return found
    rows = db.session.scalars(
        select(Reservation)
        .where(
            Reservation.store_id == level.store_id,
            Reservation.variant_id == level.variant_id,
            Reservation.item_id.is_(None),
            Reservation.status.in_([R.held, R.promised]),
        )
        .order_by((Reservation.status == R.promised), Reservation.id.desc())
    ).all()
    for row in rows:
        if level.reserved <= level.quantity:
            break
        short = level.reserved - level.quantity
        if (conflict := _beat(row, cause, by, short)) is not None:
            found.append(conflict)
        db.session.refresh(level)
    return found


def settle_item(item: Item, *, cause: str, by: Actor) -> StockConflict | None:
    """The shop sold the very unit a cart or an order had been promised."""
    row = db.session.scalar(
        select(Reservation).where(
            Reservation.item_id == item.id, Reservation.status.in_([R.held, R.promised])
        )
    )
    return _beat(row, cause, by) if row is not None else None


def _beat(
    row: Reservation, cause: str, by: Actor, short: int | None = None
) -> StockConflict | None:
    """Take units away from who was promised them: all of them, or of an order only those that are
    `short`.
    """
    db.session.refresh(row, with_for_update=True)
    if row.status not in (R.held, R.promised):
        return None
    was_promised = row.status is R.promised
    lost = row.quantity
    if row.order_line_id is not None and short is not None and 0 < short < row.quantity:
        lost = short
        row.quantity -= short
        _free_units(row, short)
        workflow.record(row, "beat_in_part", by=by, cause=cause, quantity=short)
    else:
        RESERVATION.fire(row, "beat", by=by, cause=cause)
        _give_back(row)
    if not was_promised:
        return None
    conflict = StockConflict(
        vendor_id=row.vendor_id,
        store_id=row.store_id,
        variant_id=row.variant_id,
        reservation_id=row.id,
        quantity=lost,
        status=C.open,
        cause=cause[:200],
        created_at=clock.now(),
    )
    db.session.add(conflict)
    workflow.record(conflict, "create", by=by)
    webhooks.tell(
        row.vendor_id,
        "stock.conflicted",
        {"conflict": conflict.id, "holder": row.holder, **named(row.store_id)},
    )
    return conflict


@dataclass(frozen=True)
class Twin:
    """Another place that has it: new units of a store, or one second-hand unit; kilometres from the
    shop that failed, when both are known.
    """

    store: Store
    available: int
    item: Item | None
    km: int | None


def twins(conflict: StockConflict, limit: int = 10) -> list[Twin]:
    """Where the same thing can be had: the same vendor's stores first, then the nearest."""
    here = conflict.store
    if conflict.reservation.item_id is None:
        rows = db.session.scalars(
            select(StockLevel)
            .where(
                StockLevel.variant_id == conflict.variant_id,
                StockLevel.store_id != conflict.store_id,
                StockLevel.quantity - StockLevel.reserved >= conflict.quantity,
            )
            .limit(500)
        ).all()
        found = [
            Twin(row.store, row.available, None, places.km_between(here, row.store)) for row in rows
        ]
    else:
        units = db.session.scalars(
            select(Item)
            .where(Item.variant_id == conflict.variant_id, Item.status.in_(items.FREE))
            .order_by(Item.id)
            .limit(200)
        ).all()
        found = [Twin(unit.store, 1, unit, places.km_between(here, unit.store)) for unit in units]
    found.sort(
        key=lambda t: (t.store.vendor_id != conflict.vendor_id, t.km is None, t.km or 0, t.store.id)
    )
    return found[:limit]


def replace(
    conflict: StockConflict, twin_store: Store, item: Item | None, *, by: Actor
) -> Reservation:
    """Take the twin for the order: it is promised there at once. Raises Refused when it went
    meanwhile.
    """
    CONFLICT.fire(conflict, "replace", by=by, store=twin_store.name)
    until = clock.now() + timedelta(minutes=5)
    holder, line_id = conflict.reservation.holder, conflict.reservation.order_line_id
    if item is not None:
        row = reserve_item(item, holder, until, by=by)
    else:
        level = db.session.scalar(
            select(StockLevel).where(
                StockLevel.store_id == twin_store.id, StockLevel.variant_id == conflict.variant_id
            )
        )
        if level is None:
            raise Refused(_("This store no longer has it."))
        row = reserve(level, conflict.quantity, holder, until, by=by)
    promise(row, by=by, order_line_id=line_id)
    conflict.replaced_by_id, conflict.ended_at = row.id, clock.now()
    return row


def give_up(conflict: StockConflict, *, by: Actor) -> None:
    """There is none anywhere: the order must be refunded or changed."""
    CONFLICT.fire(conflict, "give_up", by=by)
    conflict.ended_at = clock.now()


# ── questions ──


def at(store_id: int, variant_id: int, moment: datetime) -> int:
    """How many new units a store held at a moment, by what moved until then."""
    return (
        db.session.scalar(
            _until(moment).where(Movement.store_id == store_id, Movement.variant_id == variant_id)
        )
        or 0
    )


def all_at(
    store_id: int, moment: datetime, after: int = 0, size: int = 1000
) -> list[tuple[int, int, int]]:
    """The stock of a store at a moment: reference, new units and second-hand ones (MG-019), those
    not at zero, in pages.
    """
    new = func.coalesce(func.sum(case((Movement.item_id.is_(None), Movement.quantity))), 0)
    used = func.coalesce(func.sum(case((Movement.item_id.is_not(None), Movement.quantity))), 0)
    rows = db.session.execute(
        select(Movement.variant_id, new, used)
        .where(Movement.store_id == store_id, Movement.at <= moment, Movement.variant_id > after)
        .group_by(Movement.variant_id)
        .having(or_(new != 0, used != 0))
        .order_by(Movement.variant_id)
        .limit(size)
    ).all()
    return [(variant, int(news), int(useds)) for variant, news, useds in rows]


def _until(moment: datetime) -> Select[Any]:
    return select(func.sum(Movement.quantity)).where(
        Movement.item_id.is_(None), Movement.at <= moment
    )


def by_condition(vendor_id: int | None, variant_ids: Iterable[int]) -> dict[int, tuple[int, int]]:
    """New and second-hand units of each reference, apart (MG-019); of one vendor, or of all."""
    ids = list(variant_ids)
    new = (
        select(StockLevel.variant_id, func.sum(StockLevel.quantity))
        .where(StockLevel.variant_id.in_(ids))
        .group_by(StockLevel.variant_id)
    )
    used = (
        select(Item.variant_id, func.count())
        .where(Item.variant_id.in_(ids), Item.status.in_(items.ON_HAND))
        .group_by(Item.variant_id)
    )
    if vendor_id is not None:
        new, used = (
            new.where(StockLevel.vendor_id == vendor_id),
            used.where(Item.vendor_id == vendor_id),
        )
    counts = {id: (0, 0) for id in ids}
    for id, quantity in db.session.execute(new):
        counts[id] = (int(quantity), 0)
    for id, quantity in db.session.execute(used):
        counts[id] = (counts[id][0], int(quantity))
    return counts


def changes(store_id: int, cursor: int, size: int = 100) -> list[Movement]:
    """What moved in a store after a cursor (the number of the last movement seen). Writers of a
    store come one after the other, so none is skipped.
    """
    return list(
        db.session.scalars(
            select(Movement)
            .where(Movement.store_id == store_id, Movement.id > cursor)
            .order_by(Movement.id)
            .limit(size)
        )
    )


def disagreements() -> list[tuple[int, int, int]]:
    """Levels that are not the sum of their movements, or whose promises are not their
    reservations': store, reference, level.
    """
    moved = (
        select(Movement.store_id, Movement.variant_id, func.sum(Movement.quantity).label("sum"))
        .where(Movement.item_id.is_(None))
        .group_by(Movement.store_id, Movement.variant_id)
        .subquery()
    )
    kept = (
        select(
            Reservation.store_id,
            Reservation.variant_id,
            func.sum(Reservation.quantity).label("sum"),
        )
        .where(Reservation.item_id.is_(None), Reservation.status.in_([R.held, R.promised]))
        .group_by(Reservation.store_id, Reservation.variant_id)
        .subquery()
    )
    rows = (
        select(StockLevel.store_id, StockLevel.variant_id, StockLevel.quantity)
        .outerjoin(
            moved,
            (moved.c.store_id == StockLevel.store_id)
            & (moved.c.variant_id == StockLevel.variant_id),
        )
        .outerjoin(
            kept,
            (kept.c.store_id == StockLevel.store_id) & (kept.c.variant_id == StockLevel.variant_id),
        )
        .where(
            or_(
                func.coalesce(moved.c.sum, 0) != StockLevel.quantity,
                func.coalesce(kept.c.sum, 0) != StockLevel.reserved,
            )
        )
        .limit(50)
    )
    found = [tuple(row) for row in db.session.execute(rows)]
    lost = (
        select(moved.c.store_id, moved.c.variant_id, moved.c.sum)
        .outerjoin(
            StockLevel,
            (moved.c.store_id == StockLevel.store_id)
            & (moved.c.variant_id == StockLevel.variant_id),
        )
        .where(StockLevel.id.is_(None), moved.c.sum != 0)
        .limit(50)
    )
    return found + [tuple(row) for row in db.session.execute(lost)]  # type: ignore[return-value]
