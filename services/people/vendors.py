"""Who sells: what must be true of a vendor's and a store's sheet, and what a vendor keeps up by
himself (MQ-005, AN-069).
"""

import re

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import func, select
from stdnum.fr import siren

from models import MachineKey, MachineKeyVendor, Store, Vendor
from services import access, clock, workflow
from services.people import customers
from services.unit import db
from services.workflow import Actor, Refused

workflow.says(
    "vendor",
    keep_contact=_l("Contact changed"),
)
workflow.says(
    "store",
    keep_store=_l("Store sheet changed"),
)


def operator_id() -> int | None:
    """The operator's own company, which is vendor no. 1 (domain.md § 1)."""
    with access.limited_to(None):
        found: int | None = db.session.scalar(select(func.min(Vendor.id)))
    return found


def operator_phone() -> str:
    """The telephone shops call when only the operator can help; empty when its sheet has none."""
    with access.limited_to(None):
        found = db.session.scalar(select(Vendor.phone).where(Vendor.id == operator_id()))
    return found or ""


def check(row: Vendor) -> None:
    """Tidy a vendor's sheet. Raises Refused with what is wrong on it."""
    row.code = _tidy_code(row.code)
    _refuse_a_code_in_use(row)
    with db.session.no_autoflush:
        same = select(Vendor.id).where(
            func.lower(Vendor.code) == (row.code or "").lower(), Vendor.id != (row.id or 0)
        )
        if row.code and db.session.scalar(same):
            raise Refused(_("Another vendor already has the code « %(code)s ».", code=row.code))
    row.siren = re.sub(r"\s", "", row.siren or "")
    if row.siren and not siren.is_valid(row.siren):
        raise Refused(_("This SIREN is wrong: 9 digits, as on the Kbis."))
    if row.email:
        row.email = customers.clean_email(row.email)
    if row.phone:
        row.phone = customers.clean_phone(row.phone)
    if row.created_at is None:
        row.created_at = clock.now()


def _refuse_a_code_in_use(row: Vendor) -> None:
    """Raises Refused when the key of a partner calls this vendor by the code that would go."""
    history = db.inspect(row).attrs.code.history
    before = history.deleted[0] if history.deleted else None
    if not before or (row.code or "").lower() == before.lower():
        return
    with db.session.no_autoflush:
        partner = db.session.scalar(
            select(MachineKey.name)
            .join(MachineKeyVendor, MachineKeyVendor.key_id == MachineKey.id)
            .where(MachineKeyVendor.vendor_id == row.id, MachineKey.revoked_at.is_(None))
            .limit(1)
        )
    if partner is not None:
        raise Refused(
            _(
                "The key of « %(partner)s » calls this vendor by its code %(code)s: close this"
                " vendor to that key first, then open it under the new code.",
                partner=partner,
                code=before,
            )
        )


def check_store(row: Store) -> None:
    """Tidy a store's sheet. Raises Refused with what is wrong on it."""
    row.code = _tidy_code(row.code)
    with db.session.no_autoflush:
        same = select(Store.id).where(
            func.lower(Store.code) == (row.code or "").lower(), Store.id != (row.id or 0)
        )
        if row.code and db.session.scalar(same):
            raise Refused(_("Another store already has the code « %(code)s ».", code=row.code))
    if (
        (row.latitude is None) != (row.longitude is None)
        or not -90 <= (row.latitude or 0) <= 90
        or not -180 <= (row.longitude or 0) <= 180
    ):
        raise Refused(_("Give latitude and longitude together, in degrees, or neither."))
    if row.postcode and not re.fullmatch(r"(0[1-9]|[1-8]\d|9[0-8])\d{3}", row.postcode):
        raise Refused(_("This is no French postcode: 5 digits, such as 44000."))
    if row.phone:
        row.phone = customers.clean_phone(row.phone, row.postcode)


def _tidy_code(code: str | None) -> str | None:
    """A code that files and calls name a vendor or a store by. Raises Refused."""
    code = (code or "").strip() or None
    if code and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,19}", code):
        raise Refused(_("A code has letters, digits and dashes, 20 at most."))
    return code


def keep_contact(vendor: Vendor, *, email: str, phone: str, address: str, by: Actor) -> None:
    """How to reach a vendor, by himself; what makes him a company (name, SIREN, VAT) is the
    operator's to check. Raises Refused.
    """
    vendor.email, vendor.phone, vendor.address = (
        email.strip()[:320],
        phone.strip()[:20],
        address.strip()[:1000],
    )
    check(vendor)
    workflow.record(vendor, "keep_contact", by=by)


def keep_store(
    store: Store,
    *,
    address: str,
    postcode: str,
    city: str,
    phone: str,
    opening_hours: str,
    reserve_collect: bool = False,
    by: Actor,
) -> None:
    """Where a store is, when it opens, how to call it and whether it keeps goods for buyers, by its
    own people. Raises Refused.
    """
    store.reserve_collect = reserve_collect
    store.address, store.postcode, store.city = (
        address.strip()[:200],
        postcode.strip()[:5],
        city.strip()[:100],
    )
    store.phone, store.opening_hours = phone.strip()[:20], opening_hours.strip()[:1000]
    check_store(store)
    workflow.record(store, "keep_store", by=by)
