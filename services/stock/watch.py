"""The watch over stock files: of each store the last good one, and what a person should look at.

A store is in trouble when its last file failed or waits for a click, when no good one came for
longer than the setting `feed_silent_hours`, or when its last one was much worse than the five
before it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from flask_babel import lazy_gettext as _l
from sqlalchemy import func, select

from models import FeedSource, ImportRun, ImportState, Pulse, Store, Vendor
from services import clock, days, messages, settings
from services.imports import sources
from services.people import sites
from services.unit import db

SEEN_FOR = timedelta(days=60)
BEFORE = 5  # earlier files the last one is held against
WORSE_PERCENT, WORSE_TIMES = 5, 2
PULSE = "feeds:"  # and the vendor: what it was told
MOST_TOLD = 50  # stores named in one letter


class Health(StrEnum):
    """How a store's files do, the worst first."""

    failed = "failed"
    silent = "silent"
    waits = "waits"
    worse = "worse"
    well = "well"
    never = "never"


WORDS: dict[Health, tuple[Any, str]] = {
    Health.failed: (_l("The last file failed"), "bad"),
    Health.silent: (_l("Silent"), "bad"),
    Health.waits: (_l("A file waits for a click"), "warn"),
    Health.worse: (_l("Worse than usual"), "warn"),
    Health.well: (_l("Well"), "ok"),
    Health.never: (_l("No file yet"), "off"),
}
TROUBLES = {Health.failed, Health.silent, Health.waits, Health.worse}


@dataclass(frozen=True)
class Feed:
    """What is known of the stock files of one store. `last` is its last run; `refused_percent`: of
    its lines, refused or ignored.
    """

    store: str
    code: str
    vendor: str
    health: Health
    last_good: datetime | None
    last: Any
    refused_percent: int
    store_id: int = 0
    vendor_id: int = 0

    @property
    def words(self) -> str:
        return str(WORDS[self.health][0])

    @property
    def why(self) -> str:
        """What the last file was refused for; empty otherwise."""
        return (self.last.error if self.last is not None else "") or ""


def troubled(vendor_id: int | None = None) -> list[Feed]:
    """The stores somebody must look at, perhaps of one vendor."""
    return [
        feed for feed in feeds() if feed.health in TROUBLES and vendor_id in (None, feed.vendor_id)
    ]


def vendors_to_tell() -> list[int]:
    """Vendors one of whose stores got into trouble, or out of it, since the last look."""
    found: dict[int, dict[str, str]] = {}
    for feed in troubled():
        found.setdefault(feed.vendor_id, {})[str(feed.store_id)] = feed.health.value
    for source in sources.in_trouble():
        if source.vendor_id is not None:
            found.setdefault(source.vendor_id, {}).update(_marks([source]))
    for pulse in db.session.scalars(select(Pulse).where(Pulse.name.startswith(PULSE))):
        if pulse.facts.get("told"):
            found.setdefault(int(pulse.name.removeprefix(PULSE)), {})
    return sorted(id for id, stores in found.items() if stores != _told(id))


def _marks(troubled_sources: list[FeedSource]) -> dict[str, str]:
    """What is remembered of sources in trouble, beside that of stores."""
    return {f"source {row.id}": row.status.value for row in troubled_sources}


def _told(vendor_id: int) -> dict[str, str]:
    """The troubles a vendor knows of, by store and by source."""
    known = days.pulse(f"{PULSE}{vendor_id}")
    return dict(known.facts.get("told", {})) if known is not None else {}


def tell(vendor: Vendor) -> None:
    """A letter to the vendor about all of its stores and sources in trouble; said once, until one
    more gets into trouble or one gets into another. What is well again is forgotten, so that the
    next trouble is told.
    """
    found, told = troubled(vendor.id), _told(vendor.id)
    unreached = sources.in_trouble(vendor.id)
    now = {str(feed.store_id): feed.health.value for feed in found} | _marks(unreached)
    days.beat(f"{PULSE}{vendor.id}", told=now)
    site = sites.of_vendor(vendor.id)
    is_news = any(told.get(one) != health for one, health in now.items())
    if is_news and site is not None:
        messages.tell_shop(
            "feeds_in_trouble",
            site=site,
            feeds=found[:MOST_TOLD],
            sources=unreached[:MOST_TOLD],
        )


def feeds(words: str = "") -> list[Feed]:
    """Every store this person may see, the troubles first; perhaps those whose name, code or vendor
    holds these words.
    """
    runs: dict[int, list[Any]] = {}
    for row in db.session.execute(_last_runs()):
        runs.setdefault(row.store_id, []).append(row)
    wanted = words.strip().lower()
    found = [
        _feed(store, vendor, runs.get(store.id, []))
        for store, vendor in db.session.execute(
            select(Store, Vendor.name).join(Vendor, Vendor.id == Store.vendor_id)
        )
        if wanted in f"{store.name} {store.code} {vendor}".lower()
    ]
    places = list(Health)
    return sorted(found, key=lambda feed: (places.index(feed.health), feed.vendor, feed.store))


def _last_runs() -> Any:
    place = func.row_number().over(partition_by=ImportRun.store_id, order_by=ImportRun.id.desc())
    over = (ImportState.complete, ImportState.failed, ImportState.to_confirm)
    ranked = (
        select(
            ImportRun.id,
            ImportRun.store_id,
            ImportRun.state,
            ImportRun.error,
            ImportRun.ended_at,
            ImportRun.lines_read,
            (ImportRun.refused + ImportRun.ignored).label("aside"),
            place.label("place"),
        )
        .where(
            ImportRun.kind == "stock",
            ImportRun.store_id.is_not(None),
            ImportRun.state.in_(over),
            ImportRun.started_at > clock.now() - SEEN_FOR,
        )
        .subquery()
    )
    return select(ranked).where(ranked.c.place <= BEFORE + 1).order_by(ranked.c.place)


def _feed(store: Store, vendor: str, runs: list[Any]) -> Feed:
    """`runs`: its last ones, the newest first."""
    good = [row for row in runs if row.state == ImportState.complete]
    times = [row.ended_at for row in good[:1]] + [store.last_feed_at]
    last_good = max((at for at in times if at is not None), default=None)
    last = runs[0] if runs else None
    return Feed(
        store=store.name,
        code=store.code or "",
        vendor=vendor,
        health=_health(last, last_good, good),
        last_good=last_good,
        last=last,
        refused_percent=_share(last) if last is not None else 0,
        store_id=store.id,
        vendor_id=store.vendor_id,
    )


def _health(last: Any, last_good: datetime | None, good: list[Any]) -> Health:
    if last is None and last_good is None:
        return Health.never
    if last is not None and last.state == ImportState.failed:
        return Health.failed
    hours = settings.value("feed_silent_hours")
    if hours and (last_good is None or last_good < clock.now() - timedelta(hours=hours)):
        return Health.silent
    if last is not None and last.state == ImportState.to_confirm:
        return Health.waits
    before = [row for row in good[1:] if row.lines_read]  # the same file again reads no line
    if last is not None and before:
        usual = sum(_share(row) for row in before) // len(before)
        if _share(last) > max(WORSE_PERCENT, WORSE_TIMES * usual):
            return Health.worse
    return Health.well


def _share(row: Any) -> int:
    """The percentage of its lines that was put aside."""
    return 100 * row.aside // row.lines_read if row.lines_read else 0
