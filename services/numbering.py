"""Numbers without gaps, taken inside the transaction that creates the document."""

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite

from models import Counter
from services.unit import db, is_sqlite


def take(series: str) -> int:
    """The next number of a series, from 1. The row stays locked until the unit ends, so none is lost or given twice, the first included."""
    insert = (sqlite if is_sqlite() else postgresql).insert(Counter).values(name=series, value=1)
    row = insert.on_conflict_do_update(index_elements=[Counter.name], set_={"value": Counter.value + 1}).returning(Counter.value)
    return db.session.execute(row, execution_options={"populate_existing": True}).scalar_one()


def last(series: str) -> int:
    return db.session.scalar(select(Counter.value).where(Counter.name == series)) or 0


def buyback_slip() -> str:
    """« CDE000000001 »: CDE and 9 digits, printed as Code 128."""
    return f"CDE{take('CDE'):09d}"
