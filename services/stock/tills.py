"""What a shop's till tells us: counter sales, returns, trade-ins, goods received, corrections and
counts, each under the number the till gave it.

The till is right about its shop. Told twice, an event counts once; told late, it counts when it
happened: a sale that a later count already knows of changes nothing any more. So the order in which
a line that was cut delivers its queue does not matter (docs/rules/stock.md).
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import func, select

from models import (
    Condition,
    Item,
    ItemState,
    MachineKey,
    MovementKind,
    StockLevel,
    Store,
    TillEvent,
    TillEventKind,
    Variant,
)
from services import clock, settings, workflow
from services.catalogue import matching
from services.people import machine_keys
from services.stock import items, levels
from services.stock.feeds import Line
from services.unit import db
from services.workflow import Actor, Refused

E, K = TillEventKind, MovementKind
workflow.name_states(
    (E.sale, _l("Sale"), "info"),
    (E.return_, _l("Return"), "warn"),
    (E.trade_in, _l("Trade-in"), "ok"),
    (E.count, _l("Counting"), "info"),
    (E.receipt, _l("Goods received"), "ok"),
    (E.correction, _l("Stock correction"), "warn"),
)
# What the events that change a number of new units do: their kind of movement and its sign. What
# counts them again (`levels.expected`) knows the same ones.
_MOVES = {
    E.sale: (K.sale, -1),
    E.return_: (K.return_, 1),
    E.receipt: (K.entry, 1),
    E.correction: (K.adjustment, 1),
}
MOST_NUMBER = 2_147_483_647
MOST_UNITS = 9_999
AHEAD = timedelta(seconds=30)


class NumberReused(Refused):
    """This till gave one number to two different events: its numbering is broken, and a person must
    look.
    """

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence, code="number_reused")


@dataclass(frozen=True)
class Told:
    """One event as a till tells it. `at` is the till's own clock; `includes` (of a count) the last
    of its own events the count already knows; `condition` (of a trade-in) as what was taken in will
    be sold.
    """

    number: int
    kind: TillEventKind
    ean: str
    quantity: int
    at: datetime
    price_cents: int | None = None
    reference: str = ""
    item: int | None = None
    used: bool = False
    includes: int | None = None
    condition: Condition | None = None

    def sha256(self) -> str:
        facts = [
            self.number,
            self.kind.value,
            self.ean,
            self.quantity,
            self.at.isoformat(),
            self.price_cents,
            self.reference,
            self.item,
            self.used,
            self.includes,
        ]
        if self.condition is not None:  # events kept before it existed stay what they were
            facts.append(self.condition.value)
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


@dataclass(frozen=True)
class Taken:
    """What became of an event: its answer for the till, and whether it had been told before."""

    answer: dict[str, Any]
    again: bool


class _Shop:
    """The store of a till while it tells a few events: its lock, and what is read once for all of
    them.
    """

    def __init__(self, key: MachineKey, told: list[Told]) -> None:
        if key.store_id is None:
            raise Refused(_("A till stands in one store: choose it."))
        self.key, self.by = key, machine_keys.actor(key)
        self.store = db.session.get_one(Store, key.store_id)
        levels.lock_store(self.store.id)
        numbers = [event.number for event in told]
        self.known = {
            event.number: (event.sha256, event.answer)
            for event in db.session.scalars(
                select(TillEvent).where(
                    TillEvent.key_id == key.id,
                    TillEvent.number.in_(numbers),
                )
            )
        }
        new = {event.ean for event in told if event.number not in self.known}
        # What this shop means by each barcode.
        self.meant = matching.meant_by_each(self.store.vendor_id, new)
        self._levels = levels.locked(self.store, {variant.id for variant in self.meant.values()})

    def level(self, variant: Variant) -> StockLevel:
        """The level of a reference in this store, locked."""
        if variant.id not in self._levels:
            self._levels[variant.id] = levels.of(self.store, variant)
        return self._levels[variant.id]

    def forget_levels(self) -> None:
        """An event was taken back: a level it made is gone, one it moved is read again."""
        self._levels.clear()

    def told_before(self, told: Told) -> Taken | None:
        """What was answered when the till told this event before. Raises NumberReused when it told
        another one under its number.
        """
        if told.number not in self.known:
            return None
        sha256, answer = self.known[told.number]
        if sha256 != told.sha256():
            raise NumberReused(
                _(
                    "Event %(number)s of this till was something else before: its numbers must"
                    " never be used twice.",
                    number=told.number,
                )
            )
        return Taken(answer, True)


def take(key: MachineKey, told: Told, *, drift: timedelta = timedelta(0)) -> Taken:
    """Record an event of a till and its effect, in the caller's unit. `drift`: how far the till's
    clock is ahead of ours.

    Raises NumberReused, or Refused with a sentence when the event itself makes no sense; nothing is
    kept then.
    """
    _check(told)
    shop = _Shop(key, [told])
    if (known := shop.told_before(told)) is not None:
        return known
    taken = _take(shop, told, drift)
    levels.changed(shop.store.id, shop.store.vendor_id)
    return taken


def take_many(
    key: MachineKey, told: list[Told], *, drift: timedelta = timedelta(0)
) -> list[Taken | Refused]:
    """The same for a few dozen events, in the order given, in the caller's one unit. One that is
    refused keeps nothing and stops no other: its refusal stands in its place.
    """
    shop = _Shop(key, told)
    found: list[Taken | Refused] = []
    for event in told:
        try:
            _check(event)
            if (known := shop.told_before(event)) is not None:
                found.append(known)
                continue
            with db.session.begin_nested():
                taken = _take(shop, event, drift)
            shop.known[event.number] = (event.sha256(), taken.answer)
            found.append(taken)
        except Refused as refusal:
            shop.forget_levels()
            found.append(refusal)
    if any(isinstance(one, Taken) and not one.again for one in found):
        levels.changed(shop.store.id, shop.store.vendor_id)
    return found


def _take(shop: _Shop, told: Told, drift: timedelta) -> Taken:
    key, store = shop.key, shop.store
    now = clock.now()
    # Never store a moment in the future: the till's clock may run ahead.
    at = min(told.at - drift, now) if told.at - drift <= now + AHEAD else now
    item = _item(shop, told)
    variant = item.variant if item else shop.meant.get(told.ean)
    event = TillEvent(
        vendor_id=store.vendor_id,
        store_id=store.id,
        key_id=key.id,
        variant_id=variant.id if variant else None,
        number=told.number,
        kind=told.kind,
        ean=told.ean,
        quantity=told.quantity,
        includes=told.includes,
        price_cents=told.price_cents,
        reference=told.reference[:60],
        sha256=told.sha256(),
        answer={},
        at=at,
        received_at=now,
    )
    db.session.add(event)
    warnings = ["clock_ahead"] if told.at - drift > now + AHEAD else []
    if variant is None:
        matching.note_unknown(store.vendor_id, [Line(0, "", told.ean, told.quantity, store.id)])
        event.answer = {"status": "unknown_ean", "quantity": None}
    else:
        event.answer = _effect(shop, event, told, variant, item)
        warnings += event.answer.pop("warnings", [])
    if warnings:
        event.answer = {**event.answer, "warnings": warnings}
    db.session.flush()
    return Taken(event.answer, False)


def _check(told: Told) -> None:
    if not 0 < told.number <= MOST_NUMBER:
        raise Refused(_("The number of an event is a whole number from 1 on."), code="bad_number")
    if told.kind is E.count:
        if not 0 <= told.quantity <= settings.value("stock_most_quantity"):
            raise Refused(
                _("%(count)s units are more than a shop holds.", count=told.quantity),
                code="too_many_units",
            )
        if told.includes is not None and not 0 <= told.includes < told.number:
            raise Refused(
                _("A count can only include events that came before it."), code="bad_includes"
            )
    elif told.kind is E.correction:
        if told.quantity == 0 or abs(told.quantity) > MOST_UNITS:
            raise Refused(
                _(
                    "A correction takes away or adds 1 to %(most)s units: -2 or 3.",
                    most=MOST_UNITS,
                ),
                code="too_many_units",
            )
    elif not 0 < told.quantity <= MOST_UNITS:
        raise Refused(
            _("A quantity is a whole number from 1 to %(most)s.", most=MOST_UNITS),
            code="too_many_units",
        )
    if told.kind in (E.sale, E.trade_in) and told.price_cents is None:
        raise Refused(_("Give the price."), code="price_missing")
    if told.kind in (E.receipt, E.correction) and (told.item is not None or told.used):
        raise Refused(
            _("Second-hand units are told one by one: as a trade-in, a sale or a return."),
            code="one_unit_only",
        )
    if (told.item is not None or told.used) and told.quantity != 1:
        raise Refused(_("Second-hand units are sold one by one."), code="one_unit_only")


def _item(shop: _Shop, told: Told) -> Item | None:
    """The second-hand unit an event speaks of: by our number, else the oldest of this barcode in
    this store.
    """
    store = shop.store
    if told.item is not None:
        found: Item | None = db.session.scalar(
            select(Item).where(Item.id == told.item, Item.store_id == store.id).with_for_update()
        )
        if found is None or (told.ean and found.variant.ean != told.ean):
            raise Refused(
                _(
                    "There is no second-hand unit %(id)s with this barcode in this store.",
                    id=told.item,
                ),
                code="no_such_unit",
            )
        return found
    if not told.used or told.kind is E.trade_in:
        return None
    wanted = [ItemState.sold] if told.kind is E.return_ else list(items.ON_HAND)
    variant = shop.meant.get(told.ean)
    rows = (
        select(Item)
        .where(
            Item.store_id == store.id,
            Item.variant_id == (variant.id if variant else 0),
            Item.status.in_(wanted),
        )
        .order_by(
            # What its buyer took away, then what is free, then what is kept for somebody.
            Item.id.not_in(levels.items_left_to_till(store.id)),
            Item.status == ItemState.reserved,
            Item.id,
        )
    )
    oldest = db.session.scalars(rows.limit(1).with_for_update()).first()
    if oldest is None:
        raise Refused(
            _("This store has no second-hand unit with this barcode."), code="no_such_unit"
        )
    return oldest


def _effect(
    shop: _Shop, event: TillEvent, told: Told, variant: Variant, item: Item | None
) -> dict[str, Any]:
    key, store, by = shop.key, shop.store, shop.by
    reference = told.reference or f"{key.name} {told.number}"
    if told.kind is E.trade_in:
        made = [
            items.enter(
                variant,
                store,
                cost_cents=told.price_cents or 0,
                by=by,
                reference=reference,
                at=event.at,
                condition=told.condition,
            )
            for _n in range(told.quantity)
        ]
        db.session.flush()
        event.item_id = made[0].id
        return {"status": "ok", "items": [unit.id for unit in made], "quantity": None}
    if item is not None:
        return _effect_on_item(event, told, item, reference, by)
    level = shop.level(variant)
    if told.kind is E.count:
        return _count(event, told, key, level, by)
    kind, sign = _MOVES[told.kind]
    delta = sign * told.quantity
    if told.kind is E.sale and level.reserved:
        levels.told_by_till(store.id, variant.id, told.quantity, by=by)
    before, target = level.quantity, levels.expected(level)
    levels.move(
        level,
        delta,
        kind,
        by=by,
        reference=reference,
        price_cents=told.price_cents,
        channel="till",
        at=event.at,
        then=target,
    )
    conflicts = levels.settle(
        level,
        cause=_("corrected at the till (%(reference)s)", reference=reference)
        if told.kind is E.correction
        else _("sold over the counter (%(reference)s)", reference=reference),
        by=by,
    )
    counted = (
        target == before and before + delta >= 0
    )  # a later count knew it: the sale is kept, the stock stays
    answer = {
        "status": "already_counted" if counted else "ok",
        "quantity": level.quantity,
        "conflicts": len(conflicts),
    }
    # The till is right about what it took; that we did not have as many is said to it.
    return {**answer, "warnings": ["below_zero"]} if before + delta < 0 else answer


def _effect_on_item(
    event: TillEvent, told: Told, item: Item, reference: str, by: Actor
) -> dict[str, Any]:
    event.item_id = item.id
    conflict = None
    if told.kind is E.sale:
        if item.status is ItemState.reserved and not levels.item_told_by_till(item, by=by):
            conflict = levels.settle_item(
                item, cause=_("sold over the counter (%(reference)s)", reference=reference), by=by
            )
        items.sell(
            item, told.price_cents or 0, channel="till", by=by, at=event.at, reference=reference
        )
    elif told.kind is E.return_:
        items.give_back(item, by=by)
    else:
        raise Refused(_("Second-hand units are not counted by quantity."), code="one_unit_only")
    return {
        "status": "ok",
        "item": item.id,
        "quantity": None,
        "conflicts": int(conflict is not None),
    }


def _count(
    event: TillEvent, told: Told, key: MachineKey, level: StockLevel, by: Actor
) -> dict[str, Any]:
    """« Il y en a tant »: believed from the one till that counts for its store, unless something
    newer is known.
    """
    if not key.counts:
        first = db.session.scalar(
            select(MachineKey.name).where(MachineKey.store_id == key.store_id, MachineKey.counts)
        )
        if first is not None:
            raise Refused(
                _(
                    "The counts of this store come from « %(name)s »: two tills would each count"
                    " their own half of the day.",
                    name=first,
                ),
                code="counts_elsewhere",
            )
        machine_keys.believe_counts(key, by=by)
    if level.counted_key_id == key.id:
        newer = told.number > (level.counted_number or 0)
    else:
        newer = level.counted_at is None or event.at > level.counted_at
    if not newer:
        return {"status": "older_than_known", "quantity": level.quantity}
    levels.counted_by_till(level.store_id, level.variant_id, event.at, by=by)
    db.session.refresh(level)
    through = told.includes if told.includes is not None else told.number - 1
    levels.state(
        level,
        told.quantity,
        K.count,
        by=by,
        at=event.at,
        reference=told.reference or f"{key.name} {told.number}",
        key_id=key.id,
        number=told.number,
        through=through,
    )
    conflicts = levels.settle(level, cause=_("counted by the till"), by=by)
    return {"status": "ok", "quantity": level.quantity, "conflicts": len(conflicts)}


# ── questions ──


def last_number(key: MachineKey) -> int:
    """The highest number this till was heard under: where it goes on after a loss of its own."""
    return (
        db.session.scalar(select(func.max(TillEvent.number)).where(TillEvent.key_id == key.id)) or 0
    )


def missing(key: MachineKey, limit: int = 100) -> list[int]:
    """Numbers below the highest that never came: what an offline till still has to tell."""
    numbers = set(
        db.session.scalars(
            select(TillEvent.number).where(
                TillEvent.key_id == key.id, TillEvent.number > last_number(key) - 10_000
            )
        )
    )
    if not numbers:
        return []
    return [n for n in range(min(numbers), max(numbers)) if n not in numbers][:limit]
