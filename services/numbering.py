"""Numbers without gaps, taken inside the transaction that creates the document."""

from sqlalchemy import select, update

from models import Counter
from services.unit import db


def take(series: str) -> int:
    """The next number of a series, from 1. The row stays locked until the unit ends, so none is lost or given twice."""
    taken = db.session.execute(update(Counter).where(Counter.name == series).values(value=Counter.value + 1).returning(Counter.value)).scalar()
    if taken is None:
        db.session.add(Counter(name=series, value=1))
        db.session.flush()
        return 1
    return taken


def last(series: str) -> int:
    return db.session.scalar(select(Counter.value).where(Counter.name == series)) or 0


def buyback_slip() -> str:
    """« CDE000000001 »: CDE and 9 digits, printed as Code 128."""
    return f"CDE{take('CDE'):09d}"
