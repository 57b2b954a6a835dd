"""The identity document of who sells to a vendor: its references only, and whether the person is of
age.

Law: art. R321-3 1° c. pén. asks for nature, number, date and authority; art. R635-4 forbids buying
from a minor without the express consent of who holds parental authority. A copy has no legal basis
and is not kept.
"""

from datetime import date
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import delete, exists, select

from models import Customer, DocumentKind, IdentityDocument, Offer, Vendor
from services import audit, clock, personal, retention, sealing, settings, workflow
from services.people.customers import Invalid
from services.unit import db
from services.workflow import Actor

D = DocumentKind
workflow.name_states(
    (D.identity_card, _l("Identity card"), "info"),
    (D.driving_licence, _l("Driving licence"), "info"),
    (D.passport, _l("Passport"), "info"),
    (D.residence_permit, _l("Residence permit"), "info"),
)
sealing.keeps(IdentityDocument, "number_sealed", lambda row: _place(row.vendor_id, row.customer_id))
workflow.says(
    "customer",
    record_identity=_l("Identity document recorded"),
)
ADULT = 18


def of(vendor_id: int, customer_id: int) -> IdentityDocument | None:
    return db.session.scalar(
        select(IdentityDocument).where(
            IdentityDocument.vendor_id == vendor_id, IdentityDocument.customer_id == customer_id
        )
    )


def number_of(document: IdentityDocument) -> str:
    """The whole number: for the register only."""
    return sealing.unseal(document.number_sealed, _place(document.vendor_id, document.customer_id))


def age_on(birth: date, day: date) -> int:
    return day.year - birth.year - ((day.month, day.day) < (birth.month, birth.day))


def is_minor(document: IdentityDocument) -> bool:
    """Under 18 today, and nobody with parental authority agreed."""
    return age_on(document.birth_date, clock.today()) < ADULT and not document.consent_by


def record(
    vendor: Vendor, customer: Customer, typed: dict[str, str], *, by: Actor
) -> IdentityDocument:
    """Keep what the document says. Raises Invalid with the field and the sentence; a second
    document replaces the first.
    """
    tidy = {
        name: " ".join((typed.get(name) or "").split())[:200]
        for name in ("number", "issued_by", "first_names", "profession", "consent_by")
    }
    try:
        kind = D(typed.get("kind", ""))
    except ValueError:
        raise Invalid("kind", _("Choose the type of document.")) from None
    document = of(vendor.id, customer.id)
    number = "".join(c for c in tidy["number"].upper() if c.isalnum())
    if document is not None and not number:  # a correction that leaves the number as it is
        number = number_of(document)
    if not 5 <= len(number) <= 20:
        raise Invalid("number", _("Type the document's number: 5 to 20 letters and digits."))
    for name, sentence in (
        ("issued_by", _("Type who delivered it: préfecture, sous-préfecture, or the country.")),
        ("first_names", _("Type all the first names, as on the document.")),
        ("profession", _("Type the profession the seller declares.")),
    ):
        if not tidy[name]:
            raise Invalid(name, sentence)
    issued, birth, today = _day(typed, "issued_on"), _day(typed, "birth_date"), clock.today()
    if not date(1950, 1, 1) <= issued <= today:
        raise Invalid("issued_on", _("The day it was delivered is not possible."))
    if not 5 <= age_on(birth, today) <= 120 or birth > issued:
        raise Invalid("birth_date", _("This birth date is not possible."))
    if document is None:
        document = IdentityDocument(vendor_id=vendor.id, customer_id=customer.id)
        db.session.add(document)
    document.kind, document.issued_by, document.issued_on, document.birth_date = (
        kind,
        tidy["issued_by"],
        issued,
        birth,
    )
    document.number_sealed, document.number_tail = (
        sealing.seal(number, _place(vendor.id, customer.id)),
        number[-4:],
    )
    document.first_names, document.profession, document.consent_by = (
        tidy["first_names"],
        tidy["profession"],
        tidy["consent_by"],
    )
    document.recorded_by, document.recorded_at = by.name, clock.now()
    audit.note(
        "identity_recorded",
        by=by,
        subject=f"customer {customer.id}",
        vendor_id=vendor.id,
        tail=document.number_tail,
    )
    workflow.record(
        customer,
        "record_identity",
        by=by,
        kind=workflow.words_of(kind),
        tail=document.number_tail,
        consent=_("with a parent's consent") if tidy["consent_by"] else "",
    )
    return document


def _day(typed: dict[str, str], name: str) -> date:
    try:
        return date.fromisoformat(typed.get(name, "").strip())
    except ValueError:
        raise Invalid(name, _("Type a date.")) from None


def _place(vendor_id: int, customer_id: int) -> str:
    return f"identity_document.number:{vendor_id}:{customer_id}"


retention.rule(
    "identity",
    _l("References of identity documents"),
    lambda: _l("%(n)s months after the last sale", n=settings.value("account_months")),
    _l(
        "Asked once, for the first sale (art. R321-3 c. pén.); the register keeps its own copy, ten"
        " years."
    ),
    IdentityDocument,
    lambda now: select(IdentityDocument.id).where(
        IdentityDocument.recorded_at < now - retention.months(settings.value("account_months")),
        ~exists().where(
            Offer.customer_id == IdentityDocument.customer_id,
            Offer.vendor_id == IdentityDocument.vendor_id,
            Offer.touched_at >= now - retention.months(settings.value("account_months")),
        ),
    ),
    retention.gone,
)


# ── what it holds of a person ──


def _export(customer: Customer) -> list[dict[str, Any]]:
    rows = select(IdentityDocument).where(IdentityDocument.customer_id == customer.id)
    return [
        {
            "kind": d.kind.value,
            "number_ends_in": d.number_tail,
            "issued_by": d.issued_by,
            "issued_on": d.issued_on.isoformat(),
            "birth_date": d.birth_date.isoformat(),
            "first_names": d.first_names,
            "profession": d.profession,
        }
        for d in db.session.scalars(rows)
    ]


def _erase(customer: Customer) -> None:
    """The police register keeps its own frozen copy, ten years, as the law asks."""
    db.session.execute(delete(IdentityDocument).where(IdentityDocument.customer_id == customer.id))


personal.rule("identity_documents", export=_export, erase=_erase)
