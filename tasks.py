"""The clock: one line of schedule and one verb per task. Rows are the queue; Huey only rings and
tells the time.
"""

import functools
import logging
import threading
import time
from collections.abc import Callable, Iterable
from datetime import time as time_of_day
from pathlib import Path
from typing import Any

from huey import RedisHuey, SqliteHuey, crontab
from huey.exceptions import TaskLockedException
from huey.serializer import SignedSerializer

import config
from models import FeedSource, SellerPayment, Vendor, VendorOrder
from services import (
    clock,
    days,
    files,
    limits,
    once,
    outbox,
    redis_pool,
    retention,
    settings,
    trace,
    visits,
)
from services.buyback import offers, parcels, police_register, reception
from services.catalogue import picture_addresses, search
from services.imports import folders, sources, undoing
from services.installation import agreement, backups, csp, health, machines
from services.orders import fulfilment, pickup
from services.payments import seller_payments
from services.people import customers, machine_keys
from services.shipping import tracking
from services.stock import levels, listings, watch
from services.unit import db, retried, unit_of_work
from services.workflow import CLOCK, Refused

log = logging.getLogger("tasks")


def _queue() -> Any:
    """The queue, whose messages are signed: a worker runs nothing that we did not put there."""
    machine = config.read()
    signed = SignedSerializer(secret=machine.secret_key, salt="comptoir queue")
    if machine.redis_url:
        return RedisHuey(
            "comptoir", connection_pool=redis_pool.pool(machine.redis_url), serializer=signed
        )
    return SqliteHuey("comptoir", filename=str(machine.data_dir / "queue.db"), serializer=signed)


huey = _queue()


@functools.cache
def _app() -> Any:
    """The application, built once per worker; the web server brings its own."""
    from app import create_app

    app = create_app(machine=config.read(), bell=None)
    with app.app_context():
        if (
            health.is_another_version()
        ):  # an old worker must not write into a newer database, nor the other way round
            raise SystemExit(
                "The database is of another version than this worker: type « flask --app app init"
                " », or update the worker."
            )
    return app


def every(schedule: str) -> Callable[[Callable[[], Any]], Any]:
    """A periodic task, by a crontab line."""
    minute, hour, day, month, weekday = schedule.split()

    def register(work: Callable[[], Any]) -> Any:
        @functools.wraps(work)
        def run() -> None:
            with _app().app_context():
                _told(work)

        return huey.periodic_task(
            crontab(minute=minute, hour=hour, day=day, month=month, day_of_week=weekday)
        )(run)

    return register


JOBS: list[days.Job] = []


def alone(work: Callable[[], Any]) -> Callable[[], Any]:
    """Skip a task whose last run is not over, in any process: a slow folder or carrier holds one
    thread of the worker, never both. A worker frees the locks of a killed one at its start (`-f`).
    """
    lock = huey.lock_task(work.__name__)

    @functools.wraps(work)
    def one() -> Any:
        try:
            with lock:
                return work()
        except TaskLockedException:
            log.info("%s is still under way: skipped", work.__name__)
            return None

    return one


def daily(after: str) -> Callable[[Callable[[], Any]], Any]:
    """A job of the day: once for each Paris day, from that hour on; a machine that was off catches
    it up.
    """
    hour, _colon, minute = after.partition(":")

    def register(work: Callable[[], Any]) -> Any:
        @functools.wraps(work)
        def now() -> None:
            with _app().app_context():
                _told(work)

        JOBS.append(days.Job(work.__name__, time_of_day(int(hour), int(minute)), work))
        work.call_local = now  # type: ignore[attr-defined]  # by hand, whatever the day
        return work

    return register


def run_days() -> None:
    """Every job of today whose hour has come and that nobody did yet."""
    for job in JOBS:
        day = days.claim(job)
        if day is None:
            continue
        error = ""
        _under_way.add(job.name)
        try:
            _told(job.work)
        except Exception as failure:
            log.exception("the job %s failed", job.name)
            error = type(failure).__name__
        finally:
            _under_way.discard(job.name)
            db.session.rollback()
        retried(functools.partial(days.ended, job, day, error))


def _told(work: Callable[[], Any]) -> None:
    """Name the work in the logs, and say how long it took."""
    trace.begin()
    start = time.perf_counter()
    work()
    log.info(
        "%s",
        work.__name__,
        extra={"job": work.__name__, "ms": round((time.perf_counter() - start) * 1000, 1)},
    )


def each(ids: Iterable[int], model: Any, verb: Callable[[Any], Any]) -> int:
    """One unit per row: re-read, skipped if it moved, logged if it fails, and the others go on."""
    done = 0
    for id in list(ids):

        def one(id: int = id) -> None:
            with unit_of_work() as session:
                row = session.get(model, id)
                if row is not None:
                    verb(row)

        try:
            retried(one)
            done += 1
        except Refused as refusal:
            log.info("%s %s left as it is: %s", model.__tablename__, id, refusal)
        except Exception:
            log.exception("%s %s failed", model.__tablename__, id)
    return done


# ── one thread a lane ──


class _Lane:
    """The thread of this process that makes the calls of one kind: a partner that is slow, or a
    file of an hour, keeps its own kind waiting and no other. A kind with several partners has a few
    threads, and no two of them call one vendor's.
    """

    def __init__(self, kind: str) -> None:
        self.kind, self._rung = kind, 0
        self._threads = outbox.KINDS[kind].threads if kind in outbox.KINDS else 1
        self._free = threading.Semaphore(self._threads)

    def ring(self) -> None:
        """Something is due. The threads that are at it look again before they end."""
        self._rung += 1
        while self._free.acquire(blocking=False):
            threading.Thread(target=self._work, name=f"lane {self.kind}", daemon=True).start()

    def _work(self) -> None:
        while True:
            seen = self._rung
            try:
                with _app().app_context():
                    trace.begin()
                    while goes_on() and outbox.work(kind=self.kind, goes_on=goes_on):
                        pass
                    if self.kind == "transfer_file":  # who is in a file that was just made
                        tell_paid()
                    db.session.remove()
            except Exception:  # told; the sweep of the next minute rings again
                log.exception("the lane %s stopped", self.kind)
            finally:
                self._free.release()
            if self._rung == seen or not self._free.acquire(blocking=False):
                return

    def end(self, seconds: float) -> None:
        """Wait until the calls under way are over, as many seconds for all of them."""
        until = time.monotonic() + seconds
        held = 0
        while held < self._threads:
            if not self._free.acquire(timeout=max(0.0, until - time.monotonic())):
                break
            held += 1
        if held:
            self._free.release(held)


_lanes: dict[str, _Lane] = {}
_stopping = threading.Event()


def goes_on() -> bool:
    return not _stopping.is_set()


def work_lanes() -> None:
    """Ring every lane that has something due. In an application context."""
    for kind in outbox.kinds_due():
        _lanes.setdefault(kind, _Lane(kind)).ring()
    db.session.rollback()


@huey.on_shutdown()
def end_lanes() -> None:
    """A worker that is asked to stop ends the calls under way and begins no other: a label half
    ordered would need a person.
    """
    _stopping.set()
    for lane in list(_lanes.values()):
        lane.end(LONGEST_CALL)


LONGEST_CALL = 30.0  # seconds: a little more than the deadline of a call (gateways/deadline.py)


@huey.task()
def ring() -> None:
    """The bell: something was written to the outbox."""
    with _app().app_context():
        work_lanes()
        tell_paid()


@every("* * * * *")
def sweep() -> None:
    """What the bell missed, each minute; the sign that the worker lives; the jobs of the day whose
    hour has come.
    """
    settings.forget()
    retried(_beat)
    work_lanes()
    tell_paid()
    files.send_what_is_left()
    if _one_day_at_a_time.acquire(
        blocking=False
    ):  # beside the worker's own threads: a long backup keeps no letter waiting
        threading.Thread(target=_run_days_aside, daemon=True).start()


_one_day_at_a_time = threading.Lock()
_under_way: set[str] = set()


def _run_days_aside() -> None:
    try:
        with _app().app_context():
            run_days()
            db.session.remove()
    finally:
        _one_day_at_a_time.release()


def _beat() -> None:
    with unit_of_work():
        days.beat("worker", queue=huey.pending_count())
        machines.beat(machines.here())
        days.extend_lease(_under_way)


def tell_paid() -> None:
    """Who is in a transfer file that is ready is told, one small unit each."""
    each(seller_payments.untold(), SellerPayment, seller_payments.tell_paid)


@every("* * * * *")
@alone
def watch_folder() -> None:
    """Stock files dropped into the watched folder, by shops or by their tills."""
    folder = config.read().feeds_dir
    if folder:
        folders.take_in(Path(folder))


@every("* * * * *")
@alone
def fetch_sources() -> None:
    """Files that vendors' software leaves on servers of its own, each source at its time."""
    each(sources.due(), FeedSource, sources.ring)


@every("* * * * *")
@alone
def fetch_pictures() -> None:
    """Pictures that a référencier names by their address."""
    picture_addresses.fetch(goes_on)


@every("* * * * *")
def free_carts() -> None:
    """Units kept for carts nobody paid in time are free again; products a file changed are found by
    their new words.
    """
    each(levels.over(), levels.Reservation, levels.lapse)
    search.catch_up()


@every("* * * * *")
@alone
def watch_orders() -> None:
    """Orders nobody accepted or collected in time, those a till was faster than, and collections no
    till told the sale of.
    """
    each(fulfilment.beaten(), levels.StockConflict, fulfilment.settle)
    each(fulfilment.late(), VendorOrder, fulfilment.lapse)
    each(pickup.late(), VendorOrder, pickup.lapse)
    each(levels.untold(), levels.Reservation, pickup.tell_untold)


@daily("00:02")
def turn_prices() -> None:
    """Reductions that begin or end today, in the history of prices."""
    with unit_of_work():
        listings.turn_prices()


@every("* * * * *")
@alone
def tell_delisted() -> None:
    """Vendors' software is told what buyers no longer see, whatever the cause."""
    day = clock.today()
    ids = listings.to_tell(day)
    db.session.rollback()
    for start in range(0, len(ids), listings.AT_ONCE):
        some = ids[start : start + listings.AT_ONCE]

        def tell(some: list[int] = some) -> None:
            with unit_of_work():
                listings.tell_shown(some, day)

        retried(tell)


@every("*/10 * * * *")
@alone
def count_visits() -> None:
    """Visitors, unknown barcodes, clicks on the links of mails."""

    def roll() -> None:
        with unit_of_work():
            visits.count()
            for parcel_id, what, at in visits.clicks():
                parcels.clicked(parcel_id, what, at)
        visits.counted()

    retried(roll)


@every("5 * * * *")
def lapse() -> None:
    """What nobody answered in time, before and after the reception; recaps somebody forgot to
    send.
    """
    each(offers.late(), offers.Offer, offers.lapse)
    each(reception.untold(), offers.Offer, reception.tell_by_clock)
    each(reception.unanswered(), offers.Offer, reception.lapse)
    each(
        seller_payments.iban_wait_over(),
        offers.Offer,
        functools.partial(reception.review, by=CLOCK),
    )


@every("*/10 * * * *")
@alone
def follow_parcels() -> None:
    """Ask the carrier about the parcels whose time has come, five hundred at a time."""
    tracking.follow(tracking.to_follow())


@daily("09:00")
def remind() -> None:
    """Parcels not dropped off: a mail after five days, an SMS after ten, given up after thirty
    (settings).
    """
    each(parcels.to_remind(), parcels.Parcel, parcels.remind_by_clock)
    each(seller_payments.to_remind(), SellerPayment, seller_payments.remind_by_clock)
    each(parcels.to_text(), parcels.Parcel, parcels.text_by_clock)
    each(parcels.given_up(), offers.Offer, offers.abandon_by_clock)


@daily("07:30")
def tell_feeds() -> None:
    """Vendors whose stores' stock files failed, stay away or wait, before the shops open."""
    each(watch.vendors_to_tell(), Vendor, watch.tell)


@daily("00:20")
def seal_registers() -> None:
    """Each register's days that are over; what a stopped machine missed is caught up."""
    for vendor_id in db.session.scalars(db.select(Vendor.id)).all():
        for day in police_register.unsealed_days(vendor_id):
            each([vendor_id], Vendor, functools.partial(police_register.seal_day, day=day))


@daily("02:30")
def back_up() -> None:
    """One backup a night, checked as it is read back; the fourteen newest stay."""
    machine = config.read()
    backups.back_up(machine.database_url, machine.data_dir, machine.backups, by=CLOCK)


@daily("03:00")
def check_everything() -> None:
    """Recompute everything that must agree; the « Santé » page says what does not."""
    try:
        found = agreement.check()
    except Exception as failure:  # what cannot even be checked does not agree
        log.exception("the check of everything failed")
        found = [f"{type(failure).__name__}: {failure}"[:200]]
    db.session.rollback()
    for sentence in found:
        log.error("does not agree: %s", sentence)
    with unit_of_work():
        days.beat("invariants", is_well=not found, found=len(found), sentences=found[:10])


@daily("03:35")
def tidy() -> None:
    """Carts nobody came back to, forms sent two days ago, told outbox rows, counters that ran
    out.
    """
    each(offers.stale_carts(), offers.Offer, offers.empty_if_stale)
    with unit_of_work():
        once.forget_old()
        outbox.forget_done()
        csp.forget_old()
        machine_keys.forget_old_requests()
        days.forget_old()
        machines.forget_old()
        visits.forget_old()
    undoing.forget_old()
    files.forget_copies()
    if isinstance(limits.storage, limits.SqliteStorage):
        limits.storage.sweep()


@daily("04:00")
def forget() -> None:
    """What is kept no longer than the law and we say; unused accounts are told a month before."""
    each(customers.to_tell_leaving(), customers.Customer, customers.tell_leaving)
    retention.run(by=CLOCK)
