"""One unit of work: the only place where a transaction begins and ends, together with the
outbox.
"""

import json
import random
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Any, TypeVar, cast

from flask_appbuilder.models.sqla.base import SQLA
from sqlalchemy import Connection, CursorResult, Engine, Executable, event
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.orm import Session, scoped_session
from sqlalchemy.orm.exc import StaleDataError

from models import Model


class Database(SQLA):  # type: ignore[misc]  # the generator's base has no types
    """The database of the application; its session is bound to the request or the task."""

    session: scoped_session[Session]
    engine: Engine
    engines: dict[str | None, Engine]


db = Database(model_class=Model)


def changed(statement: Executable) -> int:
    """Run an UPDATE or DELETE in the caller's unit; returns how many rows it touched."""
    return cast("CursorResult[Any]", db.session.execute(statement)).rowcount


# Called after each commit that left something to tell the outside, with the seconds until it may
# leave; app.py plugs the queue's bell in.
after_commit: list[Callable[[int], Any]] = []

RETRIES = 5
T = TypeVar("T")


@contextmanager
def unit_of_work() -> Iterator[Session]:
    """Everything inside is kept together or not at all.

    Load rows inside: the read transaction of the request ends here, and on SQLite the write lock is
    taken first (BEGIN IMMEDIATE): reading before it can raise SQLITE_BUSY later.
    """
    session = db.session()
    if session.info.get("in_unit"):
        raise RuntimeError(
            "a unit of work may not open another: two commits in one verb are two verbs"
        )
    session.rollback()
    session.info["in_unit"] = True
    try:
        session.connection(execution_options={"immediate": True})
        yield session
        session.commit()
    except BaseException:
        session.rollback()
        session.info.pop("rings", None)
        raise
    finally:
        session.info.pop("in_unit", None)
    seconds = session.info.pop("rings", None)
    if seconds is not None:
        for ring in after_commit:
            ring(seconds)


def retried(work: Callable[[], T]) -> T:
    """Run `work` (which opens its own unit) again when the database said « locked » or « deadlock
    », at most 5 times.
    """
    for attempt in range(1, RETRIES + 1):
        try:
            return work()
        except (
            DBAPIError,
            StaleDataError,
        ) as error:  # a row that moved under us is read again by the next try
            if attempt == RETRIES or not (is_lock(error) or is_conflict(error)):
                raise
            time.sleep(random.uniform(0, 0.05 * 2**attempt))
    raise AssertionError("unreachable")


def is_lock(error: BaseException) -> bool:
    """Someone else holds what we need: worth trying again (SQLITE_BUSY; PostgreSQL 40001, 40P01,
    55P03).
    """
    if not isinstance(error, DBAPIError):
        return False
    if isinstance(error, OperationalError) and "locked" in str(error.orig):
        return True
    return getattr(error.orig, "sqlstate", None) in {"40001", "40P01", "55P03"}


def is_away(error: BaseException) -> bool:
    """The database cannot be reached, or has no room to write: nobody's mistake, and it passes
    (PostgreSQL classes 08, 53, 57 or no answer at all; SQLite without a disk).
    """
    if not isinstance(error, DBAPIError):
        return False
    state = getattr(error.orig, "sqlstate", None)
    if error.connection_invalidated or state == "25006":  # a server that only reads, for the moment
        return True
    if not isinstance(error, OperationalError | InterfaceError):
        return False
    if isinstance(error.orig, sqlite3.Error):
        return (error.orig.sqlite_errorcode & 0xFF) in _NO_DISK
    return state is None or state[:2] in {"08", "53", "57"}


# Read-only, input or output error, full, cannot be opened.
_NO_DISK = {
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
}


def is_conflict(error: BaseException) -> bool:
    """Someone else changed the row first (its version moved)."""
    return isinstance(error, StaleDataError)


def is_sqlite() -> bool:
    return db.engine.dialect.name == "sqlite"


def tune(engine: Engine) -> None:
    """Make an engine keep our promises: durable, foreign keys on, write units that queue rather
    than fail.
    """
    if engine.dialect.name != "sqlite":
        return

    @event.listens_for(engine, "connect")
    def _pragmas(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves
        cursor = connection.cursor()
        cursor.execute("PRAGMA busy_timeout = 10000")
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        immediate = connection.get_execution_options().get("immediate")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


@contextmanager
def bulk() -> Iterator[Connection]:
    """A connection of its own for set-based work: stage into temporary tables first, then merge
    once, shortly.
    """
    with db.engine.connect() as connection:
        try:
            yield connection
        finally:
            connection.rollback()
            connection.invalidate()  # temporary tables go with the connection


@contextmanager
def merging(connection: Connection) -> Iterator[None]:
    """The one short write of a bulk job: all of it or nothing."""
    connection.commit()
    connection.execution_options(immediate=True)
    with connection.begin():
        yield


def insert_many(
    connection: Connection, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]
) -> None:
    """Write many rows as fast as the engine can: COPY on PostgreSQL, one prepared statement on
    SQLite. Values as `raw` gives them.
    """
    names = ", ".join(columns)
    if is_sqlite():
        _executed_for_each(
            connection,
            f"INSERT INTO {table} ({names}) VALUES ({', '.join('?' * len(columns))})",
            list(rows),
        )
        return
    with connection.connection.cursor().copy(f"COPY {table} ({names}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


def insert_alike(
    connection: Connection,
    table: str,
    alike: dict[str, Any],
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
) -> None:
    """Insert some hundred rows that share most of their values: the constants are sent once, the
    varying columns (numbers and text) as one JSON or array parameter.
    """
    if not rows:
        return
    names, shared = ", ".join((*alike, *columns)), tuple(alike.values())
    if is_sqlite():
        once, others = (
            ", ".join("?" * len(alike)),
            ", ".join(f"json_extract(value, '$[{n}]')" for n in range(len(columns))),
        )
        connection.exec_driver_sql(
            f"INSERT INTO {table} ({names}) SELECT {once}, {others} FROM json_each(?)",
            (*shared, json.dumps(rows)),
        )
    else:
        once, (unnested, arrays) = ", ".join(["%s"] * len(alike)), _unnested(rows)
        connection.exec_driver_sql(
            f"INSERT INTO {table} ({names}) SELECT {once}, u.* FROM {unnested} u",
            (*shared, *arrays),
        )


def update_alike(
    connection: Connection,
    table: str,
    alike: dict[str, Any],
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    *,
    by: str,
    among: dict[str, Any],
) -> None:
    """Change many rows at once: each is found by its last value, named `by`, among those that have
    the values `among`.
    """
    if is_sqlite():
        sets, where = (
            ", ".join(f"{name} = ?" for name in (*alike, *columns)),
            " AND ".join(f"{name} = ?" for name in (*among, by)),
        )
        first, last = tuple(alike.values()), tuple(among.values())
        _executed_for_each(
            connection,
            f"UPDATE {table} SET {sets} WHERE {where}",
            [(*first, *row[:-1], *last, row[-1]) for row in rows],
        )
    elif rows:
        sets = ", ".join(
            [f"{name} = %s" for name in alike] + [f"{name} = u.{name}" for name in columns]
        )
        where, (unnested, arrays) = (
            " AND ".join(f"t.{name} = %s" for name in among),
            _unnested(rows),
        )
        connection.exec_driver_sql(
            f"UPDATE {table} t SET {sets} FROM {unnested} AS u({', '.join((*columns, 'found_by'))})"
            f" WHERE {where} AND t.{by} = u.found_by",
            (*alike.values(), *arrays, *among.values()),
        )


def _unnested(rows: Sequence[Sequence[Any]]) -> tuple[str, list[Any]]:
    """Rows as PostgreSQL's `unnest` of an array a column, and these."""
    arrays = [_array(column) for column in zip(*rows, strict=True)]
    return (
        f"unnest({', '.join('%s::int[]' if isinstance(array, str) else '%s' for array in arrays)})",
        arrays,
    )


def _array(values: Sequence[Any]) -> str | list[Any]:
    """Values as PostgreSQL's driver takes an array. Whole numbers are written out here: it would
    look at each one of them.
    """
    return (
        f"{{{','.join(map(str, values))}}}"
        if all(type(value) is int for value in values)
        else list(values)
    )


def _executed_for_each(connection: Connection, sql: str, rows: list[Any]) -> None:
    if rows:
        connection.exec_driver_sql(sql, rows)


def one_of(name: str) -> str:
    """SQL for « is one of the values of :name », given as `listed` makes them: one value and one
    statement, however many there are.
    """
    return f"IN (SELECT value FROM json_each(:{name}))" if is_sqlite() else f"= ANY(:{name})"


def listed(values: Iterable[Any]) -> Any:
    if is_sqlite():
        return json.dumps(list(values))
    values = list(values)
    if values and all(type(value) is str and value.isalnum() for value in values):
        # Written out here, as whole numbers are in `_array`: the driver looks at each one.
        return '{"' + '","'.join(values) + '"}'
    return values


def raw(value: datetime | date) -> Any:
    """A moment or a day as the engine keeps it, for statements written by hand."""
    if not is_sqlite():
        return value
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    return value.isoformat()


def read_moment(value: Any) -> datetime | None:
    """The other way round."""
    if value is None or isinstance(value, datetime):
        return value
    return datetime.strptime(value, "%Y-%m-%d %H:%M:%S.%f").replace(tzinfo=UTC)


def lock_until_commit(connection: Connection, name: str) -> None:
    """Take the lock of this name until the transaction ends; wait while another holds it. On SQLite
    the write lock of the transaction is enough.
    """
    if not is_sqlite():
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtext(%s))", (name,))
