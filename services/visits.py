"""Who came and what was asked in vain, counted without a cookie and without a write in the
request's database.

A visitor is HMAC(salt of the day, address + agent + site): the salt is thrown away each night, so
nobody can be
followed from one day to the next (audience measurement exempt from consent). Pages append to a
small file of the
day; the worker counts it into VisitDay and UnknownDemand.
"""

import contextlib
import hashlib
import hmac
import os
import re
import secrets
from collections import Counter
from datetime import date, datetime, timedelta
from pathlib import Path

from sqlalchemy import select

from models import Site, UnknownDemand, VisitDay
from services import clock
from services.unit import db

_dir: Path
_seen: set[tuple[str, str]] = set()
_BOTS = re.compile(
    r"bot|crawl|spider|slurp|preview|monitor|curl|wget|python|headless.*lighthouse|scan", re.I
)


def plug(data_dir: Path) -> None:
    """Called once by app.py."""
    global _dir
    _dir = data_dir / "visits"
    _dir.mkdir(parents=True, exist_ok=True)
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
    _append(f"visits-{day}", f"{site_id} {who}\n")


def asked_in_vain(ean: str) -> None:
    """A barcode nobody knows here; kept for the catalogue team."""
    _append("unknown", f"{ean}\n")


def clicked(parcel_id: int, what: str, agent: str) -> None:
    """A link of a mail about a parcel was used (« link »), or its picture shown (« open »). Mail
    scanners are not people.
    """
    if agent and not _BOTS.search(agent):
        _append("clicks", f"{parcel_id} {what} {clock.now().isoformat()}\n")


def clicks() -> list[tuple[int, str, datetime]]:
    """What was spooled since the last count, oldest first; `counted` forgets it."""
    path, taken = _dir / "clicks", _dir / "clicks.taken"
    if not taken.exists():
        if not path.exists():
            return []
        path.rename(taken)
    rows = [line.split() for line in taken.read_text().splitlines()]
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
    for path in sorted(_dir.glob("visits-*")):
        day = date.fromisoformat(path.name.removeprefix("visits-"))
        people = {
            tuple(line.split()) for line in path.read_text().splitlines() if len(line.split()) == 2
        }
        for site_id, visitors in Counter(int(site) for site, _who in people).items():
            if site_id in sites:
                put(site_id, day, visitors)
        if day < today - timedelta(days=1):
            path.unlink()
    for path in _dir.glob("salt-*"):
        if date.fromisoformat(path.name.removeprefix("salt-")) < today:
            path.unlink()
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
    path, taken = _dir / "unknown", _dir / "unknown.taken"
    if not taken.exists():
        if not path.exists():
            return
        path.rename(taken)
    now = clock.now()
    for ean, times in Counter(taken.read_text().split()).items():
        row = db.session.scalar(select(UnknownDemand).where(UnknownDemand.ean == ean))
        if row is None:
            db.session.add(UnknownDemand(ean=ean, times=times, first_at=now, last_at=now))
        else:
            row.times += times
            row.last_at = now


def counted() -> None:
    """After the commit of `count`: the file that was counted may go. Killed in between, a demand is
    counted twice, never lost.
    """
    (_dir / "unknown.taken").unlink(missing_ok=True)
    (_dir / "clicks.taken").unlink(missing_ok=True)


def _salt(day: str) -> bytes:
    path = _dir / f"salt-{day}"
    try:
        return path.read_bytes()
    except FileNotFoundError:
        pass
    # Written aside, then linked: another process never reads half a salt, and the first one wins.
    aside = _dir / f"making-{secrets.token_hex(8)}"
    aside.write_bytes(secrets.token_bytes(32))
    with contextlib.suppress(FileExistsError):
        os.link(aside, path)
    aside.unlink()
    return path.read_bytes()


def _append(name: str, line: str) -> None:
    # One short write to a file opened for appending is whole, whichever process makes it.
    descriptor = os.open(_dir / name, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
    try:
        os.write(descriptor, line.encode())
    finally:
        os.close(descriptor)
