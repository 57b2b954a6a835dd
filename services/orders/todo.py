"""What waits for somebody in orders, counted in one statement for the menu; never beyond a
thousand.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, func, select

from models import CallTask, VendorOrder
from services.orders.parts import S
from services.unit import db

MOST = 1_000


@dataclass(frozen=True)
class Counts:
    """Parts to answer, and buyers to call."""

    to_answer: int
    to_call: int


def counts() -> Counts:
    """Within what this person may see."""
    rows = (
        select(VendorOrder.id).where(VendorOrder.status == S.waiting_acceptance),
        select(CallTask.id).where(CallTask.done_at.is_(None)),
    )
    return Counts(*db.session.execute(select(*(_capped(one) for one in rows))).one())


def _capped(rows: Select[Any]) -> Any:
    return select(func.count()).select_from(rows.limit(MOST).subquery()).scalar_subquery()
