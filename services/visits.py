"""Who came and what was asked in vain, counted without a cookie and without a write in the
request's database.

A visitor is HMAC(salt of the day, address + agent + site): the salt is thrown away each night, so
nobody can be followed from one day to the next (audience measurement exempt from consent). Pages
append to a small file of the day; the worker counts it into VisitDay and UnknownDemand.
"""

import contextlib
import hashlib
import hmac
import os
import re
import secrets
from collections import Counter
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import redis
from sqlalchemy import delete, select

from models import Site, UnknownDemand, VisitDay
from services import clock, redis_pool
from services.unit import changed, db

_spool: "Spool"
_seen: set[tuple[str, str]] = set()
_BOTS = re.compile(
    r"bot|crawl|spider|slurp|preview|monitor|curl|wget|python|headless.*lighthouse|scan", re.I
)


class Spool(Protocol):
    """Short lines that pages leave and the worker counts, by name."""

    def add(self, name: str, line: str) -> None: ...
    def names(self, prefix: str) -> list[str]: ...
    def lines(self, name: str) -> list[str]: ...
    def drop(self, name: str) -> None: ...
    def take(self, name: str) -> list[str]:
        """Put what is there aside and give it; the same again until it is dropped by `done`."""

    def done(self, name: str) -> None: ...
    def once(self, name: str, make: Callable[[], bytes]) -> bytes:
        """What stands under a name, made by whoever comes first."""


def plug(data_dir: Path, redis_url: str = "") -> None:
    """Called once by app.py: with Redis all machines leave their lines in one place."""
    global _spool
    _spool = RedisSpool(redis_url) if redis_url else FileSpool(data_dir / "visits")
    _seen.clear()


def came(site_id: int, address: str, agent: str) -> None:
    """Somebody opened a page of a site. Bots and empty agents are not people."""
    if not agent or _BOTS.search(agent):
        return
    day = clock.today().isoformat()
    who = hmac.new(_salt(day), f"{address}|{agent}|{site_id}".encode(), hashlib.sha256).hexdigest()[
        :24
    ]
    if (day, who) in _seen:
        return
    if len(_seen) > 50_000:
        _seen.clear()
    _seen.add((day, who))
    _spool.add(f"visits-{day}", f"{site_id} {who}")


def asked_in_vain(ean: str) -> None:
    """A barcode nobody knows here; kept for the catalogue team."""
    _spool.add("unknown", ean)


def clicked(parcel_id: int, what: str, agent: str) -> None:
    """A link of a mail about a parcel was used (« link »), or its picture shown (« open »). Mail
    scanners are not people.
    """
    if agent and not _BOTS.search(agent):
        _spool.add("clicks", f"{parcel_id} {what} {clock.now().isoformat()}")


def clicks() -> list[tuple[int, str, datetime]]:
    """What was spooled since the last count, oldest first; `counted` forgets it."""
    rows = [line.split() for line in _spool.take("clicks")]
    return [
        (int(id), what, datetime.fromisoformat(at))
        for id, what, at in (row for row in rows if len(row) == 3)
    ]


def count() -> None:
    """Roll the files up, in the caller's unit. Counting twice changes nothing; a finished day loses
    its salt and its file.
    """
    today = clock.today()
    sites = set(db.session.scalars(select(Site.id)))
    for name in _spool.names("visits-"):
        day = date.fromisoformat(name.removeprefix("visits-"))
        people = {tuple(line.split()) for line in _spool.lines(name) if len(line.split()) == 2}
        for site_id, visitors in Counter(int(site) for site, _who in people).items():
            if site_id in sites:
                put(site_id, day, visitors)
        if day < today - timedelta(days=1):
            _spool.drop(name)
    for name in _spool.names("salt-"):
        if date.fromisoformat(name.removeprefix("salt-")) < today:
            _spool.drop(name)
    _count_unknown()


def put(site_id: int, day: date, visitors: int) -> None:
    """Set the count of a day (the highest wins: a file read again never lowers it)."""
    row = db.session.scalar(
        select(VisitDay).where(VisitDay.site_id == site_id, VisitDay.day == day)
    )
    if row is None:
        db.session.add(VisitDay(site_id=site_id, day=day, visitors=visitors))
    else:
        row.visitors = max(row.visitors, visitors)


def _count_unknown() -> None:
    now = clock.now()
    for ean, times in Counter(_spool.take("unknown")).items():
        row = db.session.scalar(select(UnknownDemand).where(UnknownDemand.ean == ean))
        if row is None:
            db.session.add(UnknownDemand(ean=ean, times=times, first_at=now, last_at=now))
        else:
            row.times += times
            row.last_at = now


ASKED_ONCE_FOR, ASKED_FOR = timedelta(days=90), timedelta(days=366)


def forget_old() -> int:
    """Barcodes nobody asked for any more, and those that were asked for once and may be a mistake;
    returns how many.
    """
    now = clock.now()
    gone = delete(UnknownDemand).where(
        (UnknownDemand.last_at < now - ASKED_FOR)
        | ((UnknownDemand.times <= 1) & (UnknownDemand.last_at < now - ASKED_ONCE_FOR))
    )
    return changed(gone)


def counted() -> None:
    """After the commit of `count`: what was counted may go. Killed in between, a demand is counted
    twice, never lost.
    """
    _spool.done("unknown")
    _spool.done("clicks")


def _salt(day: str) -> bytes:
    return _spool.once(f"salt-{day}", lambda: secrets.token_bytes(32))


class FileSpool:
    """One small file a name, in a folder of this machine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def add(self, name: str, line: str) -> None:
        # One short write to a file opened for appending is whole, whichever process makes it.
        descriptor = os.open(self.folder / name, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
        try:
            os.write(descriptor, f"{line}\n".encode())
        finally:
            os.close(descriptor)

    def names(self, prefix: str) -> list[str]:
        return sorted(path.name for path in self.folder.glob(f"{prefix}*"))

    def lines(self, name: str) -> list[str]:
        path = self.folder / name
        return path.read_text().splitlines() if path.exists() else []

    def drop(self, name: str) -> None:
        (self.folder / name).unlink(missing_ok=True)

    def take(self, name: str) -> list[str]:
        aside = self.folder / f"{name}.taken"
        if not aside.exists():
            with contextlib.suppress(FileNotFoundError):
                (self.folder / name).rename(aside)
        return self.lines(aside.name)

    def done(self, name: str) -> None:
        self.drop(f"{name}.taken")

    def once(self, name: str, make: Callable[[], bytes]) -> bytes:
        path = self.folder / name
        try:
            return path.read_bytes()
        except FileNotFoundError:
            pass
        # Written aside, then linked: another process never reads half of it, and the first wins.
        aside = self.folder / f"making-{secrets.token_hex(8)}"
        aside.write_bytes(make())
        with contextlib.suppress(FileExistsError):
            os.link(aside, path)
        aside.unlink()
        return path.read_bytes()


class RedisSpool:
    """Sets and lists in Redis. When it is away a visit goes uncounted: the page is worth more."""

    def __init__(self, url: str, prefix: str = "comptoir:visits:") -> None:
        self._redis, self._prefix = redis.Redis(connection_pool=redis_pool.pool(url)), prefix

    def add(self, name: str, line: str) -> None:
        with contextlib.suppress(redis.RedisError):
            if name.startswith("visits-"):  # each visitor once
                self._redis.sadd(self._prefix + name, line)
            else:
                self._redis.rpush(self._prefix + name, line)

    def names(self, prefix: str) -> list[str]:
        keys = self._redis.scan_iter(f"{self._prefix}{prefix}*")
        return sorted(key.decode().removeprefix(self._prefix) for key in keys)

    def lines(self, name: str) -> list[str]:
        key = self._prefix + name
        of_people = name.startswith("visits-")
        found: Any = self._redis.smembers(key) if of_people else self._redis.lrange(key, 0, -1)
        return [line.decode() for line in found]

    def drop(self, name: str) -> None:
        self._redis.delete(self._prefix + name)

    def take(self, name: str) -> list[str]:
        key, aside = self._prefix + name, f"{self._prefix}{name}.taken"
        if not self._redis.exists(aside):
            with contextlib.suppress(redis.ResponseError):  # nothing was left
                self._redis.rename(key, aside)
        return self.lines(f"{name}.taken")

    def done(self, name: str) -> None:
        self.drop(f"{name}.taken")

    def once(self, name: str, make: Callable[[], bytes]) -> bytes:
        try:
            self._redis.set(self._prefix + name, make(), nx=True)
            found: Any = self._redis.get(self._prefix + name)
            return bytes(found)
        except redis.RedisError:
            return b"away"  # `add` finds it away too: nothing made with this is kept
