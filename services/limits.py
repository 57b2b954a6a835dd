"""How often something may be done: counters that live a while, shared by all processes (Redis, else
a SQLite file of ours).
"""

import contextlib
import ipaddress
import logging
import sqlite3
import threading
import time
from pathlib import Path
from typing import Protocol

import redis

from services import trace
from services.workflow import Refused


class Store(Protocol):
    def add(self, key: str, seconds: int) -> int: ...
    def left(self, key: str) -> int: ...
    def count(self, key: str) -> int: ...
    def clear(self, key: str) -> None: ...


class RedisStore:
    def __init__(self, url: str, prefix: str = "comptoir:limit:") -> None:
        self._redis = redis.Redis.from_url(url, socket_timeout=2)
        self._prefix = prefix

    def add(self, key: str, seconds: int) -> int:
        pipe = self._redis.pipeline()
        pipe.incr(self._prefix + key)
        pipe.expire(self._prefix + key, seconds, nx=True)
        return int(pipe.execute()[0])

    def left(self, key: str) -> int:
        return max(0, int(self._redis.ttl(self._prefix + key)))  # type: ignore[arg-type]

    def count(self, key: str) -> int:
        return int(self._redis.get(self._prefix + key) or 0)  # type: ignore[arg-type]

    def clear(self, key: str) -> None:
        self._redis.delete(self._prefix + key)


class SqliteStore:
    """A file of its own: a counter must never wait for, or roll back with, a business
    transaction.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._local = path, threading.local()
        self._db().execute(
            "CREATE TABLE IF NOT EXISTS counter (key TEXT PRIMARY KEY, n INTEGER NOT NULL, until"
            " REAL NOT NULL)"
        )

    def _db(self) -> sqlite3.Connection:
        if not hasattr(self._local, "db"):
            self._local.db = sqlite3.connect(self._path, isolation_level=None, timeout=5)
            self._local.db.execute("PRAGMA journal_mode = WAL")
            self._local.db.execute("PRAGMA synchronous = OFF")
        opened: sqlite3.Connection = self._local.db
        return opened

    def add(self, key: str, seconds: int) -> int:
        now = time.time()
        row = self._db().execute(
            "INSERT INTO counter VALUES (?, 1, ?) ON CONFLICT (key) DO UPDATE SET n = CASE WHEN"
            " until < ? THEN 1 ELSE n + 1 END, until = CASE WHEN until < ? THEN excluded.until ELSE"
            " until END RETURNING n",
            (key, now + seconds, now, now),
        )
        return int(row.fetchone()[0])

    def left(self, key: str) -> int:
        row = self._db().execute("SELECT until FROM counter WHERE key = ?", (key,)).fetchone()
        return max(0, int(row[0] - time.time() + 0.999)) if row else 0

    def count(self, key: str) -> int:
        row = (
            self._db()
            .execute("SELECT n FROM counter WHERE key = ? AND until >= ?", (key, time.time()))
            .fetchone()
        )
        return int(row[0]) if row else 0

    def clear(self, key: str) -> None:
        self._db().execute("DELETE FROM counter WHERE key = ?", (key,))

    def sweep(self) -> None:
        self._db().execute("DELETE FROM counter WHERE until < ?", (time.time(),))


store: Store
# The store is away: the shop stays open, and says so in the log.
AWAY = (redis.RedisError, sqlite3.Error)
log = logging.getLogger(__name__)


def plug(redis_url: str, data_dir: Path) -> None:
    """Called once by app.py."""
    global store
    store = RedisStore(redis_url) if redis_url else SqliteStore(data_dir / "limits.db")


class TooMany(Refused):
    """Refused because it was done too often; `seconds` says when to come back."""

    def __init__(self, message: str, seconds: int) -> None:
        super().__init__(message)
        self.seconds = seconds


def spend(key: str, most: int, seconds: int) -> int | None:
    """Count one use; None while it is allowed, else the seconds to wait."""
    if most == 0:
        return None
    try:
        if store.add(key, seconds) <= most:
            return None
        return max(1, store.left(key))
    except AWAY:
        log.warning(
            "limits cannot be counted; %s is let through", key.partition(":")[0], exc_info=True
        )
        return None


def answers() -> bool:
    """Whether the counters can be reached."""
    try:
        store.count("health")
        return True
    except AWAY:
        return False


# Sign-in: 5 wrong passwords from one place lock the account for that place one minute, each further
# one doubles it, at most an
# hour. So a stranger cannot keep its owner out; who tries from everywhere at once meets the second
# lock, at 50 wrong ones in a day.
FREE_TRIES, FREE_TRIES_EVERYWHERE = 5, 50


def lock_left(account: str) -> int:
    """Seconds an account stays closed, for this place or for all, after wrong passwords; 0 when it
    is open.
    """
    try:
        here = _here(account)
        keys = (
            (here,) if store.count(f"known:{here}") else (here, account)
        )  # who signed in from here lately is judged by this place alone
        return max(store.left(f"lock:{key}") if store.count(f"lock:{key}") else 0 for key in keys)
    except AWAY:
        return 0


def wrong_password(account: str) -> None:
    with contextlib.suppress(*AWAY):
        _wrong(_here(account), FREE_TRIES)
        _wrong(account, FREE_TRIES_EVERYWHERE)


def _wrong(key: str, free: int) -> None:
    failures = store.add(f"fail:{key}", 24 * 3600)
    if failures >= free:
        store.clear(f"lock:{key}")
        store.add(f"lock:{key}", min(60 * 2 ** (failures - free), 3600))


def right_password(account: str) -> None:
    """The count starts anew for this place; and for all, so that who was attacked is let in
    everywhere.
    """
    with contextlib.suppress(*AWAY):
        for key in (_here(account), account):
            store.clear(f"fail:{key}")
            store.clear(f"lock:{key}")
        store.clear(f"known:{_here(account)}")
        store.add(f"known:{_here(account)}", 30 * 24 * 3600)


def forgive(account: str) -> None:
    """Every count of wrong passwords of an account is forgotten, from wherever they came."""
    with contextlib.suppress(*AWAY):
        store.add(f"forgiven:{account}", 48 * 3600)
        store.clear(f"fail:{account}")
        store.clear(f"lock:{account}")


def _here(account: str) -> str:
    return f"{account}@{_place()}#{store.count(f'forgiven:{account}')}"


def _place() -> str:
    """Where somebody asks from: his address, or his network (/64) in IPv6, where one person has
    thousands of addresses.
    """
    address = trace.here().address
    try:
        return str(ipaddress.ip_network((address, 64), strict=False)) if ":" in address else address
    except ValueError:
        return address
