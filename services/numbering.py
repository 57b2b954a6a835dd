"""Numbers without gaps, taken inside the transaction that creates the document."""

from sqlalchemy import select, update
from sqlalchemy.dialects import postgresql, sqlite

from models import Counter
from services.unit import db, is_sqlite


def take(series: str) -> int:
    """The next number of a series, from 1. The row stays locked until the unit ends, so none is
    lost or given twice, the first included.
    """
    insert = (sqlite if is_sqlite() else postgresql).insert(Counter).values(name=series, value=1)
    row = insert.on_conflict_do_update(
        index_elements=[Counter.name], set_={"value": Counter.value + 1}
    ).returning(Counter.value)
    taken = db.session.execute(row, execution_options={"populate_existing": True})
    return int(taken.scalar_one())


def leave_a_gap(series: str, count: int) -> None:
    """Numbers that may be in use where we cannot see (after a restore) are never given; the gap is
    written down, so that it is no hole.
    """
    before = last(series)
    db.session.add(Counter(name=f"{series}:gap:{before + 1}", value=before + count))
    db.session.execute(update(Counter).where(Counter.name == series).values(value=before + count))
    if not before:
        db.session.merge(Counter(name=series, value=count))


def gaps(name: str) -> set[int]:
    """The numbers of a series that were left out on purpose."""
    rows = db.session.execute(
        select(Counter.name, Counter.value).where(
            Counter.name.startswith(f"{name}:gap:", autoescape=True)
        )
    )
    return {number for row, end in rows for number in range(int(row.rpartition(":")[2]), end + 1)}


def series(prefix: str) -> list[str]:
    """The series that begin so."""
    names = db.session.scalars(
        select(Counter.name).where(Counter.name.startswith(prefix, autoescape=True))
    )
    return [name for name in names if ":gap:" not in name]


def last(series: str) -> int:
    return db.session.scalar(select(Counter.value).where(Counter.name == series)) or 0


def buyback_slip() -> str:
    """« CDE000000001 »: CDE and 9 digits, printed as Code 128."""
    return f"CDE{take('CDE'):09d}"
