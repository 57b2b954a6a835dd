"""What waits for somebody in stock and catalogue, counted in one statement for the menu; never
beyond a thousand.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, func, select

from models import ConflictState as C
from models import (
    ImportRun,
    ImportState,
    Product,
    ProductState,
    StockConflict,
    StockLevel,
    UnmatchedReference,
    UnmatchedState,
)
from services.unit import db

MOST = 1_000


@dataclass(frozen=True)
class Counts:
    low: int
    conflicts: int
    to_confirm: int
    to_validate: int
    unmatched: int


def counts() -> Counts:
    """Within what this person may see."""
    rows = (
        select(StockLevel.id).where(StockLevel.quantity < StockLevel.alert_under),
        select(StockConflict.id).where(StockConflict.status == C.open),
        select(ImportRun.id).where(ImportRun.state == ImportState.to_confirm),
        select(Product.id).where(Product.status == ProductState.proposed),
        select(UnmatchedReference.id).where(UnmatchedReference.status == UnmatchedState.unmatched),
    )
    return Counts(*db.session.execute(select(*(_capped(one) for one in rows))).one())


def _capped(rows: Select[Any]) -> Any:
    return select(func.count()).select_from(rows.limit(MOST).subquery()).scalar_subquery()
