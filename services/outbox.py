"""Calls to outside systems (mail, SMS, carrier, webhooks, files), stored as rows in the unit that
wants them. The queue only wakes a worker; a row reserved by a worker that died is taken again after
its lease.

A kind gives two functions: `call(payload, key)` calls the partner with no transaction open and
returns its answer; `record(payload, answer, error)` writes the answer down in the unit that marks
the row done.
"""

import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import and_, delete, func, or_, select, update

from gateways import GatewayError
from models import Outbox, OutboxHold, OutboxState
from services import audit, clock, workflow
from services.unit import changed, db, retried, unit_of_work
from services.workflow import TIME, Actor, Move, Refused, Workflow

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=90)
# Tried again this long, then a person must look.
PATIENCE = timedelta(days=3)
TRIES_OF_A_BUG = 6
# One run of the worker stops taking new rows after this.
BUDGET_SECONDS = 45
# After so many failures in a row a partner is left alone for so many seconds; an answer that took
# longer than SLOW_SECONDS is one, where a kind has several partners.
FAILURES, REST_SECONDS, SLOW_SECONDS = 3, 60, 5.0
S = OutboxState
workflow.name_states(
    (S.todo, _l("Waiting"), "info"),
    (S.running, _l("Being done"), "info"),
    (S.done, _l("Done"), "ok"),
    (S.dead, _l("Given up: to look at"), "bad"),
    (S.abandoned, _l("Abandoned"), "off"),
)
OUTBOX = Workflow(
    "outbox",
    Move("claim", _l("Being done"), {S.todo, S.running}, S.running, by=(TIME,)),
    Move("do", _l("Done"), {S.running}, S.done, by=(TIME,)),
    Move("put_off", _l("To be tried later"), {S.running}, S.todo, by=(TIME,)),
    Move("give_up", _l("Given up"), {S.running}, S.dead, by=(TIME,)),
    Move("doubt", _l("May have left already"), {S.todo}, S.running, by=(TIME,)),
    Move("retry_task", _l("Try again"), {S.dead}, S.todo, done=_l("Tried again")),
    Move("abandon_task", _l("Abandon"), {S.dead, S.todo}, S.abandoned, done=_l("Abandoned")),
    field="state",
)


@dataclass(frozen=True)
class Kind:
    label: Any
    # Each kind has a TypedDict of its own for its payload.
    call: Callable[[Any, str], str]
    record: Callable[[Any, str | None, str | None], None]
    once: bool = False
    why_not_again: Callable[[Any], str | None] = lambda _payload: None
    taken_back: Callable[[Any], None] = lambda _payload: None
    # The partner called, « 3/12 »: who fails holds up what goes to the same one, and nothing else.
    # Before the stroke stands whose it is: of theirs, one is called at a time.
    partner: Callable[[Any], str] | None = None

    @property
    def threads(self) -> int:
        """How many calls of this kind a process makes at once."""
        return THREADS if self.partner else 1


# For a kind with several partners.
THREADS = 4


KINDS: dict[str, Kind] = {}


# The error that `record` gets when nobody knows whether the partner did it.
UNSURE = "unsure"


def handles(
    kind: str,
    label: Any,
    *,
    call: Callable[[Any, str], str],
    record: Callable[[Any, str | None, str | None], None],
    once: bool = False,
    why_not_again: Callable[[Any], str | None] = lambda _payload: None,
    taken_back: Callable[[Any], None] = lambda _payload: None,
    partner: Callable[[Any], str] | None = None,
) -> None:
    """`once`: a repeat would cost. A row whose worker died during the call, or whose answer was
    lost, is never tried again: `record` gets UNSURE as its error, and a look-up or a person
    decides. `why_not_again` says, in words, why a dead row of this kind cannot be tried once more
    from « Tâches ». `taken_back` deletes what waited for a call that a person took back before it
    left. `partner` names the partner where a kind has several, « vendor/address ».
    """
    KINDS[kind] = Kind(label, call, record, once, why_not_again, taken_back, partner)


def label_of(kind: str) -> str:
    """What a kind of task is called on screen."""
    return str(KINDS[kind].label) if kind in KINDS else kind


def add(kind: str, key: str, **payload: Any) -> Outbox:
    """Add a call to make, in the caller's unit. `key` comes from the business fact, so that one
    fact makes one call.
    """
    now = clock.now()
    undo_key, wait = db.session().info.get("undoable", ("", 0))
    handler = KINDS.get(kind)
    row = Outbox(
        kind=kind,
        key=key,
        partner=handler.partner(payload) if handler and handler.partner else "",
        payload=payload,
        next_at=now + timedelta(seconds=wait),
        created_at=now,
        undo_key=undo_key,
    )
    db.session.add(row)
    info = db.session().info
    info["rings"] = min(wait, info.get("rings", wait))
    return row


# ── what can be taken back before it leaves ──


@contextmanager
def undoable(fact: str, seconds: int) -> Iterator[None]:
    """Let the calls added inside leave so many seconds later. Until then `take_back(fact, …)`
    withdraws them; with 0 seconds they leave at once.
    """
    info = db.session().info
    if seconds:
        info["undoable"] = (fact, seconds)
    try:
        yield
    finally:
        info.pop("undoable", None)


def _of_fact(fact: str, since: datetime) -> Any:
    return select(Outbox).where(Outbox.undo_key == fact, Outbox.created_at >= since)


def can_take_back(fact: str, since: datetime) -> bool:
    """Whether everything that was added for a fact since then (UTC) still waits."""
    states = set(db.session.scalars(_of_fact(fact, since).with_only_columns(Outbox.state)))
    return states == {S.todo}


def take_back(fact: str, since: datetime) -> None:
    """Withdraw the calls of a fact, and what waited for them, in the caller's unit. Raises Refused
    when one of them left already.
    """
    rows = db.session.scalars(
        _of_fact(fact, since).with_for_update(), execution_options={"populate_existing": True}
    ).all()
    if not rows or any(row.state is not S.todo for row in rows):
        raise Refused(_("It is too late: the mail has left, or is leaving."))
    for row in rows:
        KINDS[row.kind].taken_back(row.payload)
        db.session.delete(row)


def due(limit: int = 100, kind: str = "") -> list[int]:
    """Rows to work on now, perhaps of one kind: those never tried, those whose lease ran out. The
    oldest of each partner come first, then the second of each, so that nobody waits for another
    one's backlog; those of a partner who is left alone are not among them. None while sendings are
    held.
    """
    if held() is not None:
        return []
    place = func.row_number().over(
        partition_by=(Outbox.kind, Outbox.partner), order_by=(Outbox.next_at, Outbox.id)
    )
    waiting = _is_due() if not kind else and_(_is_due(), Outbox.kind == kind)
    for resting_kind, partner in breaker.resting():
        waiting = and_(waiting, or_(Outbox.kind != resting_kind, Outbox.partner != partner))
    rows = select(Outbox.id, Outbox.next_at, place.label("place")).where(waiting).subquery()
    return list(
        db.session.scalars(
            select(rows.c.id).order_by(rows.c.place, rows.c.next_at, rows.c.id).limit(limit)
        )
    )


def wait_from_now() -> None:
    """What is to do and due already counts as due since now, in a unit of its own: a month told in
    a minute kept nobody waiting for weeks.
    """
    now = clock.now()
    with unit_of_work() as session:
        session.execute(
            update(Outbox).where(Outbox.state == S.todo, Outbox.next_at < now).values(next_at=now)
        )


def kinds_due() -> list[str]:
    """The kinds of which a row waits for its call now. None while sendings are held."""
    if held() is not None:
        return []
    return list(db.session.scalars(select(Outbox.kind).where(_is_due()).distinct()))


def work(limit: int = 100, kind: str = "", goes_on: Callable[[], bool] = lambda: True) -> int:
    """Make the calls that are due, perhaps of one kind, as long as `goes_on`; returns how many rows
    were worked on. Two may run at once.
    """
    ids = due(limit, kind)
    db.session.rollback()
    end = time.monotonic() + BUDGET_SECONDS
    return sum(work_one(id, spares=True) for id in ids if time.monotonic() < end and goes_on())


# A kind of call, and who is called where it has several partners.
Partner = tuple[str, str]


class _Breaker:
    """Which partners are left alone: after three failures in a row, for a minute, in this process.
    Then one call tries whether they are back.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._failures: dict[Partner, int] = {}
        self._until: dict[Partner, datetime] = {}
        self._called: set[Partner] = set()

    def resting(self) -> list[Partner]:
        """Those who are left alone now."""
        with self._lock:
            now = clock.now()
            self._until = {one: until for one, until in self._until.items() if until > now}
            return sorted(self._until)

    @contextmanager
    def alone(self, partner: Partner) -> Iterator[bool]:
        """Whether this partner may be called now: not while it is left alone, nor while another
        thread calls one of the same owner.
        """
        kind, name = partner
        owner = (kind, name.partition("/")[0])
        is_resting = partner in self.resting()
        with self._lock:
            free = not is_resting and (not name or owner not in self._called)
            if free:
                self._called.add(owner)
        try:
            yield free
        finally:
            if free:
                with self._lock:
                    self._called.discard(owner)

    def heard(self, partner: Partner, *, failed: bool) -> None:
        with self._lock:
            failures = self._failures.get(partner, 0) + 1 if failed else 0
            self._failures[partner] = failures
            if failures >= FAILURES:
                self._until[partner] = clock.now() + timedelta(seconds=REST_SECONDS)

    def forget(self) -> None:
        with self._lock:
            self._failures.clear()
            self._until.clear()


breaker = _Breaker()


def work_one(id: int, spares: bool = False) -> bool:
    """Claim a row, call with no transaction open, record answer and end together. False when
    someone else has it, or with `spares` when its partner is left alone for a moment, or called by
    another thread.
    """
    if not spares:
        return _work_one(id)
    row = db.session.execute(select(Outbox.kind, Outbox.partner).where(Outbox.id == id)).first()
    db.session.rollback()
    if row is None:
        return False
    with breaker.alone((row.kind, row.partner)) as is_free:
        return is_free and _work_one(id)


def _work_one(id: int) -> bool:
    token = secrets.token_urlsafe(16)
    claimed = retried(lambda: _claim(id, token))
    if claimed is None:
        return False
    kind_name, key, partner, payload, attempts, since, was_running = claimed
    kind = KINDS.get(kind_name)
    answer = error = None
    last, asked = clock.now() - since > PATIENCE, False
    try:
        if kind is None:
            raise GatewayError(
                _(
                    "Nobody handles « %(kind)s » here: was the worker restarted after the upgrade?",
                    kind=kind_name,
                )
            )
        if kind.once and was_running:
            raise GatewayError(_("The worker died while it was asking."), unsure=True)
        asked, began = True, time.monotonic()
        answer = kind.call(payload, key)
        is_slow = bool(partner) and time.monotonic() - began > SLOW_SECONDS
        breaker.heard((kind_name, partner), failed=is_slow)
    except GatewayError as failure:
        if asked and not failure.permanent and not failure.waits:
            breaker.heard((kind_name, partner), failed=True)
        error, last = str(failure), failure.permanent or (last and not failure.waits)
        if kind is not None and kind.once and failure.unsure:
            error, last = UNSURE, True
    except Exception:
        # A bug in one row must not stop the others, nor be tried for days: it soon becomes a dead
        # row that a person sees.
        log.exception("outbox row %s failed", id)
        error, last = "internal error", attempts >= TRIES_OF_A_BUG
        if kind is not None and kind.once:  # who knows how far it got
            error, last = UNSURE, True
    finally:
        db.session.rollback()
    retried(lambda: _finish(id, token, kind, payload, answer, error, last, attempts))
    return True


def extend_lease(key: str) -> None:
    """Renew the lease of a row during a long call, so that no other worker takes it. Its own short
    unit.
    """
    with unit_of_work() as session:
        session.execute(
            update(Outbox)
            .where(Outbox.key == key, Outbox.state == S.running)
            .values(lease_until=clock.now() + LEASE)
        )


def work_now(key: str) -> bool:
    """Work on one row here and now; False when a worker already has it."""
    id = db.session.scalars(select(Outbox.id).where(Outbox.key == key)).one()
    return work_one(id)


# ── held: nothing leaves ──


def held() -> OutboxHold | None:
    """Why nothing leaves now, or None."""
    return db.session.scalar(select(OutboxHold).where(OutboxHold.lifted_at.is_(None)).limit(1))


def hold(reason: str, *, by: Actor) -> OutboxHold:
    """Let nothing leave any more until a person lifts it: after a restore, what waits here may have
    left already.
    """
    row = held()
    if row is None:
        row = OutboxHold(reason=reason, by_name=by.name, since=clock.now())
        db.session.add(row)
        db.session.flush()
    return row


def mark_unrepeatable_as_uncertain() -> int:
    """After a restore: treat each waiting row that must not be repeated as one whose worker died.
    It then ends in a look-up, never in a second call.
    """
    kinds = [name for name, kind in KINDS.items() if kind.once]
    doubted = (
        update(Outbox)
        .where(Outbox.kind.in_(kinds), Outbox.state.in_(OUTBOX.sources("doubt")))
        .values(**OUTBOX.values("doubt"), lease_until=clock.now() - LEASE)
    )
    return changed(doubted)


def lift(*, by: Actor) -> None:
    """Sendings go on: what is still due leaves now. Raises Refused when nothing was held."""
    row = held()
    if row is None:
        raise Refused(_("Sendings are not held."))
    row.lifted_at, row.lifted_by = clock.now(), by.name
    audit.note("hold_lifted", by=by, reason=row.reason)
    db.session().info["rings"] = 0


# ── dead rows, and what a person does about them ──


def why_not_retry(row: Outbox) -> str | None:
    """None when a dead row can be tried again, else the sentence that says what to do instead."""
    if row.state is not S.dead:
        return _("Only what was given up can be tried again.")
    kind = KINDS.get(row.kind)
    if kind is None:
        return _("This version does not know what « %(kind)s » is.", kind=row.kind)
    if kind.once:
        return _("Repeating this could cost twice: look at the parcel, it says what to do.")
    return kind.why_not_again(row.payload)


def retry(row: Outbox, *, by: Actor) -> None:
    """Try a dead row again, with three new days of patience. Raises Refused with the reason when it
    must not be.
    """
    if reason := why_not_retry(row):
        raise Refused(reason)
    now, error = clock.now(), row.last_error
    fresh = {"attempts": 0, "next_at": now, "created_at": now, "lease_token": None}
    OUTBOX.fire(row, "retry_task", by=by, set=fresh, kind=row.kind, error=error)
    db.session().info["rings"] = 0


def abandon(row: Outbox, reason: str, *, by: Actor) -> None:
    """Give a row up for good, with the reason: `record` is called as after a failure."""
    reason = reason.strip()
    if not reason:
        raise Refused(_("Write why it is given up: somebody will ask."))
    if not OUTBOX.allows(row, "abandon_task"):
        raise Refused(_("It is being done just now, or is over."))
    was_waiting, kind = row.state is S.todo, KINDS.get(row.kind)
    payload = dict(row.payload)
    bare = {name: value for name, value in payload.items() if not name.startswith("secret")}
    given_up = {"payload": bare, "last_error": reason[:500]}
    OUTBOX.fire(row, "abandon_task", by=by, set=given_up, kind=row.kind, reason=reason[:300])
    db.session.flush()
    if was_waiting and kind is not None:
        kind.record(payload, None, reason[:200])


def dead() -> int:
    return db.session.scalar(select(func.count(Outbox.id)).where(Outbox.state == S.dead)) or 0


def oldest_due() -> datetime | None:
    """Since when the oldest row that should have left waits."""
    return db.session.scalar(
        select(func.min(Outbox.next_at)).where(
            Outbox.state.in_([S.todo, S.running]), Outbox.next_at <= clock.now()
        )
    )


def waiting() -> int:
    return db.session.scalar(select(func.count()).where(Outbox.state.in_([S.todo, S.running]))) or 0


def forget_done(days: int = 30) -> int:
    """Delete finished and abandoned rows older than so many days: the messages themselves stay."""
    limit = clock.now() - timedelta(days=days)
    return changed(
        delete(Outbox).where(
            Outbox.state.in_([S.done, S.abandoned]),
            func.coalesce(Outbox.done_at, Outbox.created_at) < limit,
        )
    )


def _is_due() -> Any:
    now = clock.now()
    return or_(
        and_(Outbox.state == S.todo, Outbox.next_at <= now),
        and_(Outbox.state == S.running, Outbox.lease_until < now),
    )


def _claim(id: int, token: str) -> tuple[str, str, str, dict[str, Any], int, datetime, bool] | None:
    with unit_of_work() as session:
        if held() is not None:
            return None
        before = session.scalar(select(Outbox.state).where(Outbox.id == id).with_for_update())
        claimed = session.execute(
            update(Outbox)
            .where(Outbox.id == id, _is_due())
            .values(
                **OUTBOX.values("claim"),
                lease_until=clock.now() + LEASE,
                lease_token=token,
                attempts=Outbox.attempts + 1,
            )
            .returning(
                Outbox.kind,
                Outbox.key,
                Outbox.partner,
                Outbox.payload,
                Outbox.attempts,
                Outbox.created_at,
            )
        ).first()
        return (*claimed, before == S.running) if claimed else None  # type: ignore[return-value]


def _finish(
    id: int,
    token: str,
    kind: Kind | None,
    payload: dict[str, Any],
    answer: str | None,
    error: str | None,
    last: bool,
    attempts: int,
) -> None:
    now = clock.now()
    with unit_of_work() as session:
        # A finished row keeps no secret, whether it succeeded or not.
        shown = {name: value for name, value in payload.items() if not name.startswith("secret")}
        if error is None:
            end = {
                **OUTBOX.values("do"),
                "done_at": now,
                "provider_ref": (answer or "")[:200],
                "last_error": "",
                "payload": shown,
            }
        elif last:
            end = {**OUTBOX.values("give_up"), "last_error": error, "payload": shown}
        else:
            # 30 s, 1 min, 2 min … at most 1 h, so that a partner who is down is not hammered.
            pause = timedelta(seconds=min(30 * 2 ** min(attempts - 1, 10), 3600))
            end = {**OUTBOX.values("put_off"), "next_at": now + pause, "last_error": error}
        mine = session.execute(
            update(Outbox)
            .where(Outbox.id == id, Outbox.lease_token == token, Outbox.state == S.running)
            .values(lease_token=None, **end)
        )
        # else the lease ran out and another worker has it
        still_mine = mine.rowcount == 1  # type: ignore[attr-defined]
        if still_mine and kind is not None:
            kind.record(payload, answer, error if last else None)
