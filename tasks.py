"""The clock: one line of schedule and one verb per task. Rows are the queue; Huey only rings and tells the time."""

import functools
import logging
import threading
from collections.abc import Callable, Iterable
from typing import Any

from huey import RedisHuey, SqliteHuey, crontab

import config
from models import SellerPayment, Vendor
from services import limits, once, outbox, settings, visits
from services.buyback import offers, parcels, police_register, reception
from services.payments import seller_payments
from services.unit import db, retried, unit_of_work
from services.workflow import Refused

log = logging.getLogger("tasks")


def _queue() -> Any:
    machine = config.read()
    if machine.redis_url:
        return RedisHuey("comptoir", url=machine.redis_url)
    return SqliteHuey("comptoir", filename=str(machine.data_dir / "queue.db"))


huey = _queue()


@functools.cache
def _app() -> Any:
    """The application, built once per worker; the web server brings its own."""
    from app import create_app

    return create_app(machine=config.read(), bell=None)


def every(schedule: str) -> Callable[[Callable[[], Any]], Any]:
    """A periodic task, by a crontab line."""
    minute, hour, day, month, weekday = schedule.split()

    def register(work: Callable[[], Any]) -> Any:
        @functools.wraps(work)
        def run() -> None:
            with _app().app_context():
                work()

        return huey.periodic_task(crontab(minute=minute, hour=hour, day=day, month=month, day_of_week=weekday))(run)

    return register


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


@huey.task()
def ring() -> None:
    """The bell: something was written to the outbox."""
    with _app().app_context():
        outbox.work()
        tell_paid()


@every("* * * * *")
def sweep() -> None:
    """What the bell missed, each minute."""
    settings.forget()
    outbox.work()
    tell_paid()


def tell_paid() -> None:
    """Who is in a transfer file that is ready is told, one small unit each."""
    each(seller_payments.untold(), SellerPayment, seller_payments.tell_paid)


@every("*/10 * * * *")
def count_visits() -> None:
    """Visitors, unknown barcodes, clicks on the links of mails."""

    def roll() -> None:
        with unit_of_work():
            visits.count()
            for parcel_id, what, at in visits.clicks():
                parcels.clicked(parcel_id, what, at)
        visits.counted()

    with _one_roll_at_a_time:
        retried(roll)


_one_roll_at_a_time = threading.Lock()


@every("5 * * * *")
def lapse() -> None:
    """What nobody answered in time, before and after the reception; recaps somebody forgot to send."""
    each(offers.late(), offers.Offer, offers.lapse)
    each(reception.untold(), offers.Offer, reception.tell_by_clock)
    each(reception.unanswered(), offers.Offer, reception.lapse)


@every("*/10 * * * *")
def follow_parcels() -> None:
    """Ask the carrier about the parcels whose time has come, five hundred at a time."""
    with _one_tour_at_a_time:
        parcels.follow(parcels.to_follow())


_one_tour_at_a_time = threading.Lock()


@every("0 9 * * *")
def remind() -> None:
    """Parcels not dropped off: a mail after five days, an SMS after ten, given up after thirty (settings)."""
    each(parcels.to_remind(), parcels.Parcel, parcels.remind_by_clock)
    each(parcels.to_text(), parcels.Parcel, parcels.text_by_clock)
    each(parcels.given_up(), offers.Offer, offers.abandon_by_clock)


@every("20 0 * * *")
def seal_registers() -> None:
    """Each register's days that are over; what a stopped machine missed is caught up."""
    for vendor_id in db.session.scalars(db.select(Vendor.id)).all():
        for day in police_register.unsealed_days(vendor_id):
            each([vendor_id], Vendor, functools.partial(police_register.seal_day, day=day))


@every("35 3 * * *")
def tidy() -> None:
    """Carts nobody came back to, forms sent two days ago, told outbox rows, counters that ran out."""
    each(offers.stale_carts(), offers.Offer, offers.empty_if_stale)
    with unit_of_work():
        once.forget_old()
        police_register.forget_consultations()
        outbox.forget_done()
    if isinstance(limits.store, limits.SqliteStore):
        limits.store.sweep()
