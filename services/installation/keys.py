"""Changing the sealing key: everything an older key sealed is sealed again with the first one, a
little at a time.

`flask --app app rotate-keys` may be stopped and started again: what is done is done, what is left
is found by the name of its key. Rows that may never be rewritten (the police register) keep theirs,
which must then stay in the ring.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from sqlalchemy import Select, func, inspect, select, update

from services import audit, files, sealing
from services.sealing import Sealed
from services.unit import db, retried, unit_of_work
from services.workflow import Actor

AT_ONCE = 100


@dataclass
class Report:
    """How many texts and files were sealed again, which cannot be opened, and how many frozen ones
    hang on which older key.
    """

    sealed: int = 0
    unreadable: list[str] = field(default_factory=list)
    still_needed: dict[str, int] = field(default_factory=dict)


def rotate(*, by: Actor, step: Callable[[int], None] | None = None) -> Report:
    """Seal again what an older key sealed. Each hundred is a unit of its own; `step` is told how
    many are done.
    """
    report = Report()
    if (
        waiting := left()
    ):  # written before, so that a change that is stopped half-way has its trace too
        audit.note_now("keys_rotated", by=by, key=sealing.current(), waiting=waiting)
    for column in sealing.SEALED:
        if column.is_frozen:
            for name in sealing.names()[1:]:
                if count := db.session.scalar(
                    select(func.count()).select_from(_under(column, name).subquery())
                ):
                    report.still_needed[name] = report.still_needed.get(name, 0) + count
            continue
        after: int | None = 0
        while after is not None:
            ids, after = _left(column, after)
            if ids:
                report.sealed += retried(partial(_again, column, ids, report.unreadable))
                if step is not None:
                    step(report.sealed)
    db.session.rollback()
    return report


def left() -> int:
    """How many texts and files an older key still holds, the frozen ones aside."""
    return sum(
        len(_left(column, 0, most=1_000_000)[0])
        for column in sealing.SEALED
        if not column.is_frozen
    )


def unreadable() -> list[str]:
    """Everything sealed is opened once; what no key of the ring opens, in words. For restores and
    checks.
    """
    found = []
    for column in sealing.SEALED:
        name = getattr(column.model, column.column)
        for row in db.session.scalars(
            select(column.model).where(name != "").execution_options(yield_per=500)
        ):
            try:
                _opened(column, row)
            except (sealing.CannotOpen, OSError):
                found.append(f"{column.model.__tablename__}.{column.column} {_key(column, row)}")
    return found


def _left(column: Sealed, after: int, most: int = AT_ONCE) -> tuple[list[int], int | None]:
    """The next rows under an older key, and the id to go on from (None: there are no more)."""
    key = inspect(column.model).primary_key[0]
    name = getattr(column.model, column.column)
    rows = select(key).where(name != "", key > after).order_by(key).limit(most)
    if not column.is_file:
        rows = rows.where(~name.startswith(f"{sealing.current()}:", autoescape=True))
    seen = list(db.session.scalars(rows))
    if column.is_file:  # its name does not say which key: the file does
        ids = [id for id in seen if _file_key(column, id) not in ("", sealing.current())]
    else:
        ids = seen
    return ids, seen[-1] if seen else None


def _under(column: Sealed, name: str) -> Select[tuple[int]]:
    return select(inspect(column.model).primary_key[0]).where(
        getattr(column.model, column.column).startswith(f"{name}:", autoescape=True)
    )


def _file_key(column: Sealed, id: int) -> str:
    row = db.session.get(column.model, id)
    name = getattr(row, column.column)
    if not name or not files.exists(name):
        return ""
    with files.path(name).open("rb") as file:
        return file.read(60).partition(b":")[0].decode(errors="replace")


def _again(column: Sealed, ids: list[int], unreadable: list[str]) -> int:
    done, old_files = 0, []
    with unit_of_work() as session:
        for id in ids:
            row = session.get_one(column.model, id)
            old = getattr(row, column.column)
            try:
                opened = _opened(column, row)
            except (sealing.CannotOpen, OSError):
                unreadable.append(f"{column.model.__tablename__}.{column.column} {id}")
                continue
            if isinstance(opened, bytes):
                new = files.keep(sealing.seal_bytes(opened, column.place(row)), ".sealed")
                old_files.append(old)
            else:
                new = sealing.seal(opened, column.place(row))
            name = getattr(column.model, column.column)
            # Only if nobody changed it meanwhile; no version moves, because nothing a person sees
            # changed.
            session.execute(
                update(column.model)
                .where(inspect(column.model).primary_key[0] == id, name == old)
                .values({column.column: new}),
                execution_options={"synchronize_session": False},
            )
            session.expire(row)
            done += 1
    for old in old_files:
        files.drop(old)
    return done


def _opened(column: Sealed, row: object) -> str | bytes:
    sealed = getattr(row, column.column)
    return (
        sealing.unseal_bytes(files.read(sealed), column.place(row))
        if column.is_file
        else sealing.unseal(sealed, column.place(row))
    )


def _key(column: Sealed, row: object) -> int:
    return int(inspect(column.model).primary_key_from_instance(row)[0])
