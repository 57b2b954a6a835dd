"""How often something may be done: counters that live a while, shared by all processes, kept by the
library `limits` in Redis, else in a SQLite file of ours.
"""

import contextlib
import ipaddress
import logging
import math
import sqlite3
import threading
import time
from pathlib import Path

import redis
from limits import RateLimitItemPerSecond
from limits.storage import RedisStorage, Storage
from limits.strategies import FixedWindowRateLimiter

from services import redis_pool, trace
from services.workflow import Refused


class SqliteStorage(Storage):
    """Counters in a file of their own: one must never wait for, or roll back with, a business
    transaction.
    """

    STORAGE_SCHEME = None

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path, self._local = path, threading.local()
        self._db().execute(
            "CREATE TABLE IF NOT EXISTS counter (key TEXT PRIMARY KEY, n INTEGER NOT NULL, until"
            " REAL NOT NULL)"
        )

    @property
    def base_exceptions(self) -> type[Exception]:
        return sqlite3.Error

    def _db(self) -> sqlite3.Connection:
        if not hasattr(self._local, "db"):
            self._local.db = sqlite3.connect(self._path, isolation_level=None, timeout=5)
            self._local.db.execute("PRAGMA journal_mode = WAL")
            self._local.db.execute("PRAGMA synchronous = OFF")
        opened: sqlite3.Connection = self._local.db
        return opened

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        now = time.time()
        row = self._db().execute(
            "INSERT INTO counter VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE SET n = CASE WHEN"
            " until < ? THEN excluded.n ELSE n + excluded.n END, until = CASE WHEN until < ? THEN"
            " excluded.until ELSE until END RETURNING n",
            (key, amount, now + expiry, now, now),
        )
        return int(row.fetchone()[0])

    def get(self, key: str) -> int:
        row = (
            self._db()
            .execute("SELECT n FROM counter WHERE key = ? AND until >= ?", (key, time.time()))
            .fetchone()
        )
        return int(row[0]) if row else 0

    def get_expiry(self, key: str) -> float:
        row = self._db().execute("SELECT until FROM counter WHERE key = ?", (key,)).fetchone()
        until: float = row[0] if row else time.time()
        return until

    def check(self) -> bool:
        return self._db().execute("SELECT 1").fetchone() is not None

    def clear(self, key: str) -> None:
        self._db().execute("DELETE FROM counter WHERE key = ?", (key,))

    def reset(self) -> int:
        return self._db().execute("DELETE FROM counter").rowcount

    def sweep(self) -> None:
        """Forget what is over; Redis does so by itself."""
        self._db().execute("DELETE FROM counter WHERE until < ?", (time.time(),))

    def forget_connections(self) -> None:
        """After a fork: a connection of SQLite is not carried across it."""
        self._local.__dict__.clear()


storage: Storage
# When the counters cannot be reached, what is asked is allowed and a warning is logged.
STORAGE_ERRORS = (redis.RedisError, sqlite3.Error)
log = logging.getLogger(__name__)


def plug(redis_url: str, data_dir: Path) -> None:
    """Called once by app.py."""
    global storage
    if redis_url:
        storage = RedisStorage(redis_url, redis_pool.pool(redis_url), key_prefix="comptoir:limit")
    else:
        storage = SqliteStorage(data_dir / "limits.db")


class TooMany(Refused):
    """Refused because it was done too often; `seconds` says when to come back."""

    def __init__(self, message: str, seconds: int) -> None:
        super().__init__(message)
        self.seconds = seconds


def spend(key: str, most: int, seconds: int) -> int | None:
    """Count one use; None while it is allowed, else the seconds to wait. `most` 0: no limit."""
    if most == 0:
        return None
    limit = RateLimitItemPerSecond(most, seconds)
    try:
        limiter = FixedWindowRateLimiter(storage)
        if limiter.hit(limit, key):
            return None
        return max(1, _seconds_until(limiter.get_window_stats(limit, key).reset_time))
    except STORAGE_ERRORS:
        log.warning(
            "limits cannot be counted; %s is let through", key.partition(":")[0], exc_info=True
        )
        return None


def give_back(key: str, most: int, seconds: int) -> None:
    """Take one use back, which `spend` counted and which turned out to be none."""
    limit = RateLimitItemPerSecond(most, seconds).key_for(key)
    try:
        if storage.get(limit) > 0:
            storage.incr(limit, seconds, amount=-1)
    except STORAGE_ERRORS:
        log.warning("limits cannot be counted: a use is not given back", exc_info=True)


def _seconds_until(moment: float) -> int:
    return max(0, math.ceil(moment - time.time()))


def answers() -> bool:
    """Whether the counters can be reached."""
    try:
        storage.get("health")
        return True
    except STORAGE_ERRORS:
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
        # After a sign-in from this place within 30 days only the lock of this place counts, so that
        # a stranger elsewhere cannot keep the owner out.
        keys = (here,) if storage.get(f"known:{here}") else (here, account)
        return max(
            _seconds_until(storage.get_expiry(f"lock:{key}")) if storage.get(f"lock:{key}") else 0
            for key in keys
        )
    except STORAGE_ERRORS:
        return 0


def wrong_password(account: str) -> None:
    with contextlib.suppress(*STORAGE_ERRORS):
        _wrong(_here(account), FREE_TRIES)
        _wrong(account, FREE_TRIES_EVERYWHERE)


def _wrong(key: str, free: int) -> None:
    failures = storage.incr(f"fail:{key}", 24 * 3600)
    if failures >= free:
        storage.clear(f"lock:{key}")
        storage.incr(f"lock:{key}", min(60 * 2 ** (failures - free), 3600))


def right_password(account: str) -> None:
    """The count starts anew for this place; and for all, so that who was attacked is let in
    everywhere.
    """
    with contextlib.suppress(*STORAGE_ERRORS):
        for key in (_here(account), account):
            storage.clear(f"fail:{key}")
            storage.clear(f"lock:{key}")
        storage.clear(f"known:{_here(account)}")
        storage.incr(f"known:{_here(account)}", 30 * 24 * 3600)


def forgive(account: str) -> None:
    """Every count of wrong passwords of an account is forgotten, from wherever they came."""
    with contextlib.suppress(*STORAGE_ERRORS):
        storage.incr(f"forgiven:{account}", 48 * 3600)
        storage.clear(f"fail:{account}")
        storage.clear(f"lock:{account}")


def _here(account: str) -> str:
    return f"{account}@{place()}#{storage.get(f'forgiven:{account}')}"


def place() -> str:
    """Where somebody asks from: his address, or his network (/64) in IPv6, where one person has
    thousands of addresses.
    """
    address = trace.here().address
    try:
        return str(ipaddress.ip_network((address, 64), strict=False)) if ":" in address else address
    except ValueError:
        return address
