"""Units, levels, promises and what tills tell."""

from datetime import timedelta

from models import Condition, MachineKey, Reservation, StockLevel, Store, TillEventKind, Variant
from services import clock
from services.stock import items, levels, tills
from services.unit import db, unit_of_work
from tests.factories.house import COMMAND, HUGO, MARC, the_store


def an_item(variant: Variant, cost_cents: int = 500, store: Store | None = None):
    with unit_of_work() as session:
        place = session.merge(store) if store else the_store()
        item = items.enter(
            session.merge(variant),
            place,
            cost_cents=cost_cents,
            by=COMMAND,
            condition=Condition.good_unit,
        )
        id = item.id
    from models import Item

    return db.session.get(Item, id)


def stocked(variant: Variant, quantity: int, store: Store | None = None) -> StockLevel:
    """So many new units in a store, by the hand of somebody."""
    with unit_of_work() as session:
        level = levels.of(session.merge(store or the_store()), session.merge(variant))
        levels.adjust(level, quantity, by=MARC)
        id = level.id
    return db.session.get(StockLevel, id)


def a_reservation(
    level: StockLevel, quantity: int = 1, holder: str = "panier 1", promised: bool = False
) -> Reservation:
    with unit_of_work() as session:
        row = levels.reserve(
            session.get_one(StockLevel, level.id),
            quantity,
            holder,
            clock.now() + timedelta(minutes=30),
            by=HUGO,
        )
        if promised:
            levels.promise(row, by=HUGO)
        id = row.id
    return db.session.get(Reservation, id)


def told(
    key: MachineKey,
    number: int,
    kind: str,
    variant: Variant | str,
    quantity: int = 1,
    at=None,
    price_cents: int | None = 1000,
    **how,
) -> dict:
    """A till tells an event; what it is answered."""
    code = variant if isinstance(variant, str) else variant.ean
    event = tills.Told(
        number,
        TillEventKind(kind),
        code,
        quantity,
        at or clock.now(),
        price_cents if kind != "count" else None,
        **how,
    )
    with unit_of_work() as session:
        taken = tills.take(session.get_one(MachineKey, key.id), event)
    return {**taken.answer, "again": taken.again}


def quantity(variant: Variant, store: Store | None = None) -> int:
    db.session.rollback()
    found = db.session.scalar(
        db.select(StockLevel.quantity).where(
            StockLevel.store_id == (store or the_store()).id, StockLevel.variant_id == variant.id
        )
    )
    return found or 0
