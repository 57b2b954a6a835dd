"""The browsers staff are signed in with: each one listed, and ended from any other.

The cookie holds a key of 256 bits, the database only its fingerprint. A session ends by itself
after a while without a click (setting) and after twelve hours whatever happens; with the password,
with the access, or by a click.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta

from flask_appbuilder.security.sqla.models import User
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import select, update

from models import AuditEntry, StaffAccount, StaffSession
from services import audit, clock, retention, settings
from services.people import staff
from services.unit import changed, db
from services.workflow import Actor, Refused

LONGEST = timedelta(hours=12)
NOTED_EVERY = timedelta(minutes=5)
OTHER_TABS = timedelta(
    seconds=30
)  # how long the key before a proof still answers what another tab had asked


@dataclass(frozen=True)
class Standing:
    """What the gate must know of a session, in one read; `why_closed` is None while it is open."""

    id: int
    user_id: int
    why_closed: str | None
    was_ended: bool  # by its owner or an administrator, not by the clock
    must_change_password: bool
    has_second_factor: bool
    is_stale: bool
    is_leaving: bool  # asked with the key of before: its cookie is never written again


def open_for(user: User, *, address: str, agent: str) -> str:
    """Sign a browser in; returns the key its cookie keeps."""
    key = secrets.token_urlsafe(32)
    now = clock.now()
    db.session.add(
        StaffSession(
            fingerprint=_fingerprint(key),
            user_id=user.id,
            address=address[:45],
            agent=browser(agent),
            opened_at=now,
            seen_at=now,
        )
    )
    audit.note("signed_in", by=staff.actor(user), subject=user.username)
    return key


def standing(key: str, idle_since: int) -> Standing | None:
    """How a session stands: `idle_since` is the last click its own cookie remembers (seconds of the
    epoch). None when there is no such session.
    """
    given, now = _fingerprint(key), clock.now()
    on_its_way = (StaffSession.previous == given) & (StaffSession.renewed_at > now - OTHER_TABS)
    row = db.session.execute(
        select(StaffSession, StaffAccount)
        .outerjoin(StaffAccount, StaffAccount.user_id == StaffSession.user_id)
        .where((StaffSession.fingerprint == given) | on_its_way)
    ).first()
    if row is None:
        return None
    session, account = row
    why = None
    if session.ended_at is not None:
        why = _("This session was ended: sign in to go on.")
    elif now.timestamp() - idle_since > settings.value("staff_idle_minutes") * 60:
        why = _("You were signed out after a while without a click: sign in to go on.")
    elif now - session.opened_at > LONGEST:
        why = _("You have been signed in for twelve hours: sign in again to go on.")
    return Standing(
        session.id,
        session.user_id,
        why,
        session.ended_at is not None,
        bool(account and account.must_change_password),
        bool(account and account.totp_sealed),
        now - session.seen_at > NOTED_EVERY,
        session.fingerprint != given,
    )


def note_seen(id: int) -> None:
    """The list says when each browser was last used, to five minutes."""
    db.session.execute(
        update(StaffSession).where(StaffSession.id == id).values(seen_at=clock.now())
    )


def renew(id: int) -> str:
    """A new key for an open session; half a minute later the old one opens nothing any more."""
    key = secrets.token_urlsafe(32)
    db.session.execute(
        update(StaffSession)
        .where(StaffSession.id == id)
        .values(
            previous=StaffSession.fingerprint,
            fingerprint=_fingerprint(key),
            renewed_at=clock.now(),
            seen_at=clock.now(),
        )
    )
    return key


def live(user_id: int) -> list[StaffSession]:
    """The open sessions of a member of staff, the last used first."""
    since = clock.now() - LONGEST
    return list(
        db.session.scalars(
            select(StaffSession)
            .where(
                StaffSession.user_id == user_id,
                StaffSession.ended_at.is_(None),
                StaffSession.opened_at > since,
            )
            .order_by(StaffSession.seen_at.desc(), StaffSession.id.desc())
        )
    )


def end(id: int, user: User, *, by: Actor) -> None:
    """End one session of a user. Raises Refused when it is not his, or has ended."""
    ended = update(StaffSession).where(
        StaffSession.id == id, StaffSession.user_id == user.id, StaffSession.ended_at.is_(None)
    )
    if db.session.execute(ended.values(ended_at=clock.now())).rowcount != 1:  # type: ignore[attr-defined]
        raise Refused(_("This session has already ended."))
    audit.note("sessions_ended", by=by, subject=user.username, count=1)


def end_all(user: User, *, by: Actor, but: int | None = None) -> int:
    """End every session of a user, or every other one; returns how many."""
    rows = update(StaffSession).where(
        StaffSession.user_id == user.id, StaffSession.ended_at.is_(None)
    )
    if but is not None:
        rows = rows.where(StaffSession.id != but)
    count = changed(rows.values(ended_at=clock.now()))
    if count:
        audit.note("sessions_ended", by=by, subject=user.username, count=count)
    return count


def browser(agent: str) -> str:
    """« Firefox sur Windows »: enough to recognise one's own machine, less than what a browser says
    of itself.
    """
    systems = (
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Windows", "Windows"),
        ("Mac OS X", "macOS"),
        ("Linux", "Linux"),
    )
    browsers = (
        ("Edg/", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
    )
    name = next((name for mark, name in browsers if mark in agent), "")
    system = next((name for mark, name in systems if mark in agent), "")
    return " · ".join(filter(None, (name, system))) or _("Unknown browser")


def _fingerprint(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


retention.rule(
    "sessions",
    _l("Sessions of staff that ended"),
    lambda: _l("three months"),
    _l("To look into a strange sign-in."),
    StaffSession,
    lambda now: select(StaffSession.id).where(StaffSession.opened_at < now - timedelta(days=92)),
    retention.gone,
)
retention.rule(
    "audit",
    _l("Audit log"),
    lambda: _l("one year"),
    _l("CNIL, recommandation sur la journalisation (2021)."),
    AuditEntry,
    lambda now: (
        select(AuditEntry.id).where(AuditEntry.at < now - audit.KEPT).order_by(AuditEntry.number)
    ),
    audit.forget,
)
