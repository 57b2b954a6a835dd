"""Keys of machines: a till, a vendor's software. Each opens one vendor, perhaps one store, and only
what its scopes name. The key of a partner, whose software serves several vendors, opens those it
was given; each of its calls names one of them.
"""

import hashlib
import secrets
from datetime import timedelta

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import delete, func, select

from models import IdempotentRequest, MachineKey, MachineKeyVendor, Store, Vendor
from services import clock, words, workflow
from services.unit import db
from services.workflow import Actor, Refused

workflow.says(
    "machine_key",
    make_key=_l("Key made"),
    revoke_key=_l("Key revoked"),
    believe_counts=_l("Its counts are believed"),
    open_vendors=_l("Vendors it opens changed"),
)

SCOPES = {
    "catalogue": _l("Read the catalogue"),
    "stock": _l("Read the stock and publish it"),
    "till": _l("Sales, returns and counts of a till"),
    "imports": _l("Give files and follow them"),
    "listings": _l("Read the sale offers"),
    "offers": _l("Publish sale offers and prices"),
    "orders": _l("Read and answer the orders of the shop"),
    "webhooks": _l("Register addresses that are told what happens"),
    "tills": _l("Register tills, receive their keys, and revoke keys of tills"),
}
START = "cpt_"
MOST_A_MINUTE = 100_000
USED_EVERY = timedelta(minutes=10)


def make(
    vendor: Vendor,
    name: str,
    scopes: list[str],
    *,
    by: Actor,
    store: Store | None = None,
    per_minute: int = 600,
) -> tuple[MachineKey, str]:
    """A new key; returns it with its secret (256 bits), shown once and never kept. Raises
    Refused.
    """
    if store is not None and store.vendor_id != vendor.id:
        raise Refused(_("This store belongs to another vendor."))
    row, secret = _new(name, scopes, store, per_minute)
    row.vendor_id = vendor.id
    db.session.add(row)
    workflow.record(row, "make_key", by=by, scopes=row.scopes)
    return row, secret


def make_for_partner(
    vendors: list[Vendor],
    name: str,
    scopes: list[str],
    *,
    by: Actor,
    per_minute: int = 600,
) -> tuple[MachineKey, str]:
    """The key of software that serves these vendors; returned as by `make`. Raises Refused."""
    row, secret = _new(name, scopes, None, per_minute)
    db.session.add(row)
    workflow.record(row, "make_key", by=by, scopes=row.scopes)
    open_vendors(row, vendors, by=by)
    return row, secret


def _new(
    name: str, scopes: list[str], store: Store | None, per_minute: int
) -> tuple[MachineKey, str]:
    if not name.strip():
        raise Refused(_("Give this key a name: the till or the software that will use it."))
    if not scopes or set(scopes) - set(SCOPES):
        raise Refused(_("Choose what this key opens."))
    if "till" in scopes and store is None:
        raise Refused(_("A till stands in one store: choose it."))
    if not 1 <= per_minute <= MOST_A_MINUTE:
        raise Refused(
            _("Between 1 and %(most)s requests a minute: 600 is usual.", most=MOST_A_MINUTE)
        )
    secret = START + secrets.token_urlsafe(32)
    row = MachineKey(
        store_id=store.id if store else None,
        name=name.strip()[:200],
        start=secret[:12],
        fingerprint=fingerprint(secret),
        scopes=" ".join(s for s in SCOPES if s in scopes),
        per_minute=per_minute,
        counts=False,
        created_at=clock.now(),
    )
    return row, secret


def open_vendors(row: MachineKey, vendors: list[Vendor], *, by: Actor) -> None:
    """From now on the key of a partner opens these vendors and no other. Raises Refused."""
    if row.vendor_id is not None or row.revoked_at is not None:
        raise Refused(_("Only the key of a partner, not revoked, opens vendors of one's choice."))
    if not vendors:
        raise Refused(_("Choose the vendors this partner works for."))
    for vendor in vendors:
        if not vendor.code:
            raise Refused(
                _(
                    "« %(name)s » has no code yet, by which the partner's calls name it: give it"
                    " one on its sheet.",
                    name=vendor.name,
                )
            )
    wanted = {vendor.id for vendor in vendors}
    row.opened = [
        *(one for one in row.opened if one.vendor_id in wanted),
        *(
            MachineKeyVendor(vendor_id=id)
            for id in sorted(wanted - {one.vendor_id for one in row.opened})
        ),
    ]
    workflow.record(row, "open_vendors", by=by, vendors=[vendor.name for vendor in vendors])


def vendor_of(row: MachineKey, code: str) -> int:
    """The vendor a call is for: the key's own, else the one its `code` names. Raises Refused."""
    if row.vendor_id is not None and not code:
        return row.vendor_id
    if not code:
        raise Refused(
            _("This key opens several vendors: say for which one with vendor=CODE."),
            code="vendor_required",
        )
    named = words.visible(code).strip()
    theirs = (
        MachineKeyVendor.vendor_id == Vendor.id,
        MachineKeyVendor.key_id == row.id,
    )
    is_open = Vendor.id == row.vendor_id if row.vendor_id else select(1).where(*theirs).exists()
    found: int | None = db.session.scalar(
        select(Vendor.id).where(func.lower(Vendor.code) == named.lower(), is_open)
    )
    if found is None:
        raise Refused(
            _("This key opens no vendor with the code « %(code)s ».", code=named[:40]),
            code="unknown_vendor",
        )
    return found


def vendors_of(row: MachineKey) -> list[Vendor]:
    """The vendors a key opens, in the order of their names."""
    theirs = select(MachineKeyVendor.vendor_id).where(MachineKeyVendor.key_id == row.id)
    wanted = Vendor.id == row.vendor_id if row.vendor_id else Vendor.id.in_(theirs)
    return list(db.session.scalars(select(Vendor).where(wanted).order_by(Vendor.name)))


def revoke(row: MachineKey, *, by: Actor) -> None:
    """The key opens nothing any more, at once."""
    if row.revoked_at is not None:
        raise Refused(_("This key was already revoked."))
    row.revoked_at, row.counts = clock.now(), False
    workflow.record(row, "revoke_key", by=by)


def believe_counts(row: MachineKey, *, by: Actor) -> None:
    """From now on the counts of the whole store come from this till; another's are refused."""
    if row.revoked_at is not None or row.store_id is None or "till" not in row.scopes.split():
        raise Refused(_("Only a till of a store counts its stock."))
    for other in db.session.scalars(
        select(MachineKey).where(MachineKey.store_id == row.store_id, MachineKey.counts)
    ):
        other.counts = False
    db.session.flush()
    row.counts = True
    workflow.record(row, "believe_counts", by=by)


def fingerprint(secret: str) -> str:
    """A secret of 256 bits needs no slow hash: it cannot be guessed."""
    return hashlib.sha256(secret.encode()).hexdigest()


def find(secret: str) -> MachineKey | None:
    """The key somebody shows, unless it was revoked."""
    if not secret.startswith(START) or len(secret) > 80:
        return None
    return db.session.scalar(
        select(MachineKey).where(
            MachineKey.fingerprint == fingerprint(secret), MachineKey.revoked_at.is_(None)
        )
    )


def needs_note(row: MachineKey) -> bool:
    """Whether its last use is worth writing again."""
    return row.used_at is None or clock.now() - row.used_at > USED_EVERY


def forget_old_requests() -> None:
    """Answers kept for requests that might be repeated: a day is promised, two are kept."""
    db.session.execute(
        delete(IdempotentRequest).where(IdempotentRequest.at < clock.now() - timedelta(days=2))
    )


def has_till(store_id: int) -> bool:
    """Whether a till of this store tells us its sales."""
    keys = db.session.scalars(
        db.select(MachineKey.scopes).where(
            MachineKey.store_id == store_id,
            MachineKey.revoked_at.is_(None),
            MachineKey.used_at.is_not(None),
        )
    )
    return any("till" in scopes.split() for scopes in keys)


def actor(row: MachineKey) -> Actor:
    return Actor("machine", row.id, row.name)
