"""How the installation is: what must keep happening, whether it does, and what to do when it does
not.

The same checks make the « Santé » page, the answer to a load balancer, and the figures a monitoring
program collects.
"""

import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from flask import current_app
from flask_babel import gettext as _
from flask_babel import ngettext
from sqlalchemy import func, select, text
from sqlalchemy.exc import SQLAlchemyError

from models import Message, MessageState, Outbox, OutboxState, StaffAccount, User
from services import clock, dates, days, limits, outbox
from services.installation import csp
from services.people import staff
from services.unit import db

OK, WARN, BAD = "ok", "warn", "bad"
_data_dir: Path
_program: str


def plug(data_dir: Path, program: str) -> None:
    """Called once by app.py: where the files are, and the version of the database this program
    speaks to.
    """
    global _data_dir, _program
    _data_dir, _program = data_dir, program


@dataclass(frozen=True)
class Check:
    """One thing looked at: its state, what was found, what to do when it is not well; `figure` is
    for monitoring (seconds, rows, percent).
    """

    name: str
    label: str
    state: str
    found: str
    advice: str = ""
    figure: float = 0


def checks() -> list[Check]:
    """Everything, in the order a person would look."""
    found = []
    for look in (
        _writes,
        _version,
        _worker,
        _held,
        _outbox,
        _dead,
        _letters,
        _counters,
        _backup,
        _invariants,
        _daily,
        _disk,
        _second_factor,
        _browsers,
    ):
        try:
            found += list(look())
        except SQLAlchemyError:
            db.session.rollback()
            found.append(
                Check(
                    look.__name__.strip("_"),
                    _("Database"),
                    BAD,
                    _("does not answer"),
                    _("Look at PostgreSQL, or at the disk."),
                    -1,
                )
            )
    return found


def is_well() -> bool:
    """For a load balancer: this process can write to its database. What waits for the worker is no
    reason to take the site away.
    """
    looked = _Look()
    looked.start()
    looked.join(LOOK_SECONDS)
    return looked.is_well


# A database that is there and says nothing would hold the answer as long as itself.
LOOK_SECONDS = 3.0


class _Look(threading.Thread):
    """One look at the database, in a thread and a session of its own."""

    def __init__(self) -> None:
        super().__init__(name="health", daemon=True)
        self.is_well = False
        self._app = current_app._get_current_object()  # type: ignore[attr-defined]

    def run(self) -> None:
        with self._app.app_context():
            try:
                self.is_well = next(iter(_writes())).state == OK and not _is_full()
            except SQLAlchemyError:
                db.session.rollback()
            finally:
                db.session.remove()


def metrics() -> str:
    """The same figures in the text format of Prometheus."""
    lines = ["# HELP comptoir_check 0 well, 1 to watch, 2 bad.", "# TYPE comptoir_check gauge"]
    rows = checks()
    lines += [f'comptoir_check{{name="{c.name}"}} {(OK, WARN, BAD).index(c.state)}' for c in rows]
    lines += [
        "# HELP comptoir_figure What was found: seconds, rows or percent, by check.",
        "# TYPE comptoir_figure gauge",
    ]
    lines += [f'comptoir_figure{{name="{c.name}"}} {c.figure:g}' for c in rows]
    lines += [
        "# HELP comptoir_outbox Rows to tell the outside, by state.",
        "# TYPE comptoir_outbox gauge",
    ]
    counts: dict[OutboxState, int] = {
        state: count
        for state, count in db.session.execute(
            select(Outbox.state, func.count(Outbox.id)).group_by(Outbox.state)
        )
    }
    lines += [
        f'comptoir_outbox{{state="{state.value}"}} {counts.get(state, 0)}' for state in OutboxState
    ]
    return "\n".join(lines) + "\n"


# ── the looks ──


def _writes() -> Iterator[Check]:
    """A write that is kept: one that is taken back never touches the disk."""
    try:
        with db.engine.connect() as connection:
            connection.execution_options(immediate=True)
            with connection.begin():
                # The one row that is always there, to what it is: nothing changes but the disk.
                connection.execute(text("UPDATE alembic_version SET version_num = version_num"))
        yield Check("database", _("Database"), OK, _("can be written"))
    except SQLAlchemyError:
        yield Check(
            "database",
            _("Database"),
            BAD,
            _("cannot be written"),
            _("Look at PostgreSQL, or at the disk: nothing can be kept now."),
            1,
        )


def _version() -> Iterator[Check]:
    there = version()
    if there != _program:
        yield Check(
            "version",
            _("Version of the database"),
            BAD,
            there or "—",
            _("Type « flask --app app init », then restart web and worker."),
            1,
        )


def version() -> str:
    return str(db.session.execute(text("SELECT version_num FROM alembic_version")).scalar() or "")


def program_version() -> str:
    return _program


def is_another_version() -> bool:
    """Whether the database is older or newer than this program: it must not work on it."""
    return version() != _program


def _worker() -> Iterator[Check]:
    row = days.pulse("worker")
    age = days.age(row)
    seconds = age.total_seconds() if age is not None else -1
    if age is None:
        yield Check(
            "worker",
            _("Worker"),
            BAD,
            _("was never seen"),
            _("Start it: « make worker », or its systemd service."),
            seconds,
        )
    else:
        state = OK if age < timedelta(minutes=3) else BAD
        yield Check(
            "worker",
            _("Worker"),
            state,
            dates.age_words(age),
            "" if state == OK else _("It no longer rings: restart it."),
            seconds,
        )
        waiting = int((row.facts if row else {}).get("queue", 0))
        yield Check(
            "queue",
            _("Queue"),
            OK if waiting < 500 else WARN,
            _("%(n)s bells", n=waiting),
            "",
            waiting,
        )


def _held() -> Iterator[Check]:
    if row := outbox.held():
        yield Check(
            "held",
            _("Sendings"),
            BAD,
            _("held: %(why)s", why=row.reason),
            _("Look at « Tâches », then resume."),
            1,
        )


def _outbox() -> Iterator[Check]:
    since = outbox.oldest_due()
    age = clock.now() - since if since else timedelta(0)
    state = OK if age < timedelta(minutes=10) else WARN if age < timedelta(hours=2) else BAD
    yield Check(
        "outbox",
        _("Oldest thing to send"),
        state,
        dates.age_words(age) if since else _("nothing waits"),
        (
            ""
            if state == OK
            else _("The worker is away, or a partner does not answer: see « Tâches ».")
        ),
        age.total_seconds(),
    )


def _dead() -> Iterator[Check]:
    count = outbox.dead()
    yield Check(
        "dead",
        _("Given up"),
        OK if not count else WARN,
        str(count),
        _("Retry or abandon them under « Tâches ».") if count else "",
        count,
    )


def _letters() -> Iterator[Check]:
    since = clock.now() - timedelta(days=1)
    count = (
        db.session.scalar(
            select(func.count(Message.id)).where(
                Message.state == MessageState.failed, Message.created_at > since
            )
        )
        or 0
    )
    yield Check(
        "letters",
        _("Messages failed since yesterday"),
        OK if not count else WARN,
        str(count),
        "",
        count,
    )


def _counters() -> Iterator[Check]:
    well = limits.answers()
    yield Check(
        "limits",
        _("Counters of limits"),
        OK if well else WARN,
        _("answer") if well else _("do not answer"),
        "" if well else _("Redis is away: sign-in tries are no longer counted."),
        0 if well else 1,
    )


def _backup() -> Iterator[Check]:
    row = days.pulse("backup")
    age = days.age(row)
    if row is None or age is None:
        yield Check(
            "backup",
            _("Last backup"),
            WARN,
            _("none yet"),
            _("One is made each night; « flask --app app backup » makes one now."),
            -1,
        )
        return
    state = BAD if not row.is_well else OK if age < timedelta(hours=30) else WARN
    advice = (
        ""
        if state == OK
        else (
            _("Look at why: %(why)s", why=row.facts.get("error", ""))
            if not row.is_well
            else _("Is the worker running at night?")
        )
    )
    yield Check(
        "backup",
        _("Last backup"),
        state,
        f"{dates.age_words(age)} · {_weight(int(row.facts.get('bytes', 0)))}",
        advice,
        age.total_seconds(),
    )


def _invariants() -> Iterator[Check]:
    row = days.pulse("invariants")
    age = days.age(row)
    if row is None or age is None:
        yield Check(
            "invariants",
            _("Everything agrees"),
            WARN,
            _("not checked yet"),
            _("It is checked each night."),
            -1,
        )
        return
    count = int(row.facts.get("found", 0))
    advice = "; ".join(row.facts.get("sentences", [])[:3])
    yield Check(
        "invariants",
        _("Everything agrees"),
        BAD if not row.is_well else OK if age < timedelta(hours=30) else WARN,
        dates.age_words(age)
        if row.is_well
        else ngettext("%(num)s thing does not", "%(num)s things do not", count),
        advice,
        count,
    )


def _daily() -> Iterator[Check]:
    failed = [run for run in days.latest().values() if run.error]
    yield Check(
        "daily",
        _("Jobs of the day"),
        OK if not failed else WARN,
        ", ".join(f"{run.job} : {run.error}" for run in failed)[:200] or _("done"),
        "",
        len(failed),
    )


# Below, a photo or a file is refused by the disk.
LEAST_FREE = 20_000_000  # bytes


def _is_full() -> bool:
    return shutil.disk_usage(_data_dir).free < LEAST_FREE


def _disk() -> Iterator[Check]:
    usage = shutil.disk_usage(_data_dir)
    left = 100 * usage.free // usage.total
    state = OK if left >= 10 else WARN if left >= 4 else BAD
    advice = "" if state == OK else _("Make room: below a few percent nothing can be kept.")
    yield Check(
        "disk",
        _("Room on the disk"),
        state,
        f"{left}\u202f % · {usage.free // 1_000_000_000} Go",
        advice,
        left,
    )


def _second_factor() -> Iterator[Check]:
    users = db.session.scalars(select(User).where(User.active.is_(True))).unique().all()
    with_one = set(
        db.session.scalars(select(StaffAccount.user_id).where(StaffAccount.totp_sealed != ""))
    )
    without = [
        u
        for u in users
        if any(role.name in staff.NEED_SECOND_FACTOR for role in u.roles) and u.id not in with_one
    ]
    state, found = (
        (OK, _("all have one")) if not without else (WARN, _("%(n)s without", n=len(without)))
    )
    advice = _("Each turns it on under « Mon compte ».") if without else ""
    yield Check(
        "second_factor",
        _("Second factor of administrators and accountants"),
        state,
        found,
        advice,
        len(without),
    )


def _browsers() -> Iterator[Check]:
    count = csp.lately()
    yield Check(
        "csp",
        _("What browsers refused, this week"),
        OK if not count else WARN,
        str(count),
        _("See « Rapports des navigateurs ».") if count else "",
        count,
    )


def _weight(size: int) -> str:
    """A file's size as people say it."""
    return f"{size / 1_000_000:.0f} Mo" if size >= 10_000_000 else f"{max(1, size // 1000)} ko"
