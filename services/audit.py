"""The audit log: who signed in, who read what is sealed, who changed rights. Chained, only ever
added, kept a year.

What the business did is in the event log (services/workflow.py); this one answers « who looked, and
from where ». Nothing sealed is ever written here: an IBAN is its last four digits, an address of
mail is masked.
"""

import hashlib
import json
from datetime import timedelta
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import select

from models import AuditEntry
from services import clock, numbering, trace
from services.chain import Verdict, Walk, chain_breaks
from services.unit import db, unit_of_work
from services.workflow import Actor

KEPT = timedelta(days=366)
FIRST = "0" * 64
SERIES, GONE = "audit", "audit:gone"
VISITOR = "visitor"

WHAT: dict[str, Any] = {
    "signed_in": _l("Signed in"),
    "sign_in_refused": _l("Sign-in refused"),
    "code_refused": _l("Second factor refused"),
    "recovery_code_used": _l("Recovery code used"),
    "signed_out": _l("Signed out"),
    "sessions_ended": _l("Sessions ended"),
    "proved": _l("Identity confirmed"),
    "proof_refused": _l("Confirmation refused"),
    "second_factor_on": _l("Second factor turned on"),
    "second_factor_off": _l("Second factor turned off"),
    "recovery_codes_made": _l("Recovery codes renewed"),
    "password_changed": _l("Password changed"),
    "one_time_password": _l("One-time password given"),
    "access_given": _l("Access given"),
    "access_withdrawn": _l("Access withdrawn"),
    "rights_changed": _l("Rights changed"),
    "iban_read": _l("IBAN read"),
    "iban_changed": _l("IBAN changed"),
    "transfer_file_read": _l("Transfer file downloaded"),
    "register_read": _l("Police register read"),
    "identity_recorded": _l("Identity document recorded"),
    "personal_data_exported": _l("Personal data exported"),
    "person_erased": _l("Person erased"),
    "keys_rotated": _l("Keys rotated"),
    "backup_made": _l("Backup made"),
    "clock_believed": _l("The date of the machine was said to be right"),
    "restored": _l("Backup restored"),
    "hold_lifted": _l("Sendings resumed"),
}


def note(
    what: str, *, by: Actor, subject: str = "", vendor_id: int | None = None, **facts: Any
) -> AuditEntry:
    """Add an entry, in the caller's unit: what was done and its trace are kept together or not at
    all.
    """
    if what not in WHAT:
        raise KeyError(what)
    db.session.flush()
    number = numbering.take(
        SERIES
    )  # its row stays locked until the unit ends, so that entries queue
    previous = (
        db.session.scalar(select(AuditEntry.hash).where(AuditEntry.number == number - 1)) or FIRST
    )
    from_where = trace.here()
    entry = AuditEntry(
        number=number,
        what=what,
        subject=subject[:200],
        vendor_id=vendor_id,
        actor_kind=by.kind,
        actor_id=by.id,
        actor_name=by.name[:200],
        facts=json.loads(json.dumps(facts, default=str)),
        address=from_where.address,
        request_id=from_where.id,
        previous_hash=previous,
        at=clock.now(),
    )
    entry.hash = _hash(entry)
    db.session.add(entry)
    db.session.flush()
    return entry


def note_now(
    what: str, *, by: Actor, subject: str = "", vendor_id: int | None = None, **facts: Any
) -> None:
    """The same in a unit of its own: before something sealed is shown, or when nothing else is
    written.
    """
    with unit_of_work():
        note(what, by=by, subject=subject, vendor_id=vendor_id, **facts)


def verify() -> Verdict:
    """Read the whole log again: no number missing, no entry changed, the chain unbroken."""
    last = numbering.last(SERIES)  # read first: what is written meanwhile is beyond it
    # What was purged is numbered: a missing prefix is told from a hole.
    walk = Walk(number=numbering.last(GONE), previous=None)
    entries = db.session.scalars(
        select(AuditEntry)
        .where(AuditEntry.number <= last)
        .order_by(AuditEntry.number)
        .execution_options(yield_per=500)
    )
    if wrong := walk.read(entries, _why_wrong):
        return wrong
    if walk.number < last:
        return walk.missing(walk.number + 1)
    return Verdict(
        walk.count, None, _("%(count)s entries read: none is missing or changed.", count=walk.count)
    )


def _why_wrong(entry: AuditEntry) -> str | None:
    return None if entry.hash == _hash(entry) else chain_breaks(entry.number)


def forget(entry: AuditEntry) -> None:
    """Purge an entry after a year, and record the last purged number, so that `verify` accepts a
    missing prefix and nothing else.
    """
    if entry.number == numbering.last(GONE) + 1:
        numbering.take(GONE)
    db.session.delete(entry)


def _hash(entry: AuditEntry) -> str:
    at = entry.at.astimezone(clock.UTC).isoformat(timespec="microseconds")
    words = [
        entry.number,
        entry.what,
        entry.subject,
        entry.vendor_id,
        entry.actor_kind,
        entry.actor_id,
        entry.actor_name,
        entry.facts,
        entry.address,
        entry.request_id,
        at,
    ]
    text = json.dumps(words, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(f"{entry.previous_hash}\n{text}".encode()).hexdigest()
