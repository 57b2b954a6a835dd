"""Where people are paid: IBAN checked, sealed, masked; a change is told to every address the person
lately had.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from schwifty import BIC, IBAN
from schwifty.exceptions import SchwiftyException
from sqlalchemy import delete, exists, select

from models import (
    BankDetails,
    Customer,
    Message,
    Offer,
    PayingAccount,
    PaymentState,
    SellerPayment,
    Site,
)
from services import audit, clock, dates, messages, personal, retention, sealing, settings, workflow
from services.people import customers
from services.unit import db
from services.workflow import Refused

sealing.keeps(BankDetails, "iban_sealed", lambda row: f"bank_details.iban:{row.customer_id}")
sealing.keeps(PayingAccount, "iban_sealed", lambda row: f"paying_account.iban:{row.vendor_id}")
workflow.says(
    "customer",
    give_iban=_l("IBAN given"),
    change_iban=_l("IBAN changed"),
)


# An IBAN overseas begins with FR; these codes of places are no country of an IBAN.
_FRENCH_ELSEWHERE = {"BL", "GF", "GP", "MF", "MQ", "NC", "PF", "PM", "RE", "TF", "WF", "YT"}
# In the SEPA zone since 2025 and 2026, later than our library knows.
_JOINED_LATELY = {"AL", "MD", "ME", "MK", "RS"}


def check(words: str) -> IBAN:
    """An IBAN of the SEPA zone whose keys are right (ISO 7064 mod 97, and the French RIB key).
    Raises Refused with the sentence.
    """
    plain = "".join(c for c in words.upper() if c.isalnum())
    if plain.startswith("IBAN") and plain[4:6].isalpha():  # copied with its label
        plain = plain[4:]
    if not plain:
        raise customers.Invalid(
            "iban", _("Type your IBAN: it begins with FR76, on your bank's RIB.")
        )
    try:
        iban = IBAN(plain, validate_bban=True)
        if (
            plain[:2] in _FRENCH_ELSEWHERE
            or not plain[4:].strip("0")
            or not (iban.account_code or "1").strip("0")
        ):
            raise ValueError(plain[:2])
    except (SchwiftyException, ValueError):
        raise customers.Invalid(
            "iban",
            _(
                "This IBAN has a mistake: one character is wrong or missing. Copy it from your"
                " bank's RIB."
            ),
        ) from None
    if not iban.in_sepa_zone and plain[:2] not in _JOINED_LATELY:
        raise customers.Invalid("iban", _("We can only pay to an account of the SEPA zone."))
    return iban


def grouped(iban: str) -> str:
    """By four, as on a RIB."""
    return " ".join(iban[i : i + 4] for i in range(0, len(iban), 4))


def masked(details: BankDetails | None) -> str:
    """« FR •••• 1234 »."""
    return f"{details.country} •••• {details.iban_tail}" if details else ""


def of(customer_id: int) -> BankDetails | None:
    return db.session.get(BankDetails, customer_id)


def why_wait(customer_id: int) -> str | None:
    """Why nothing may be paid to the IBAN we have yet, or None."""
    details = of(customer_id)
    if details is not None and not opens(details):
        return _(
            "The IBAN cannot be opened with the keys of this installation: ask the seller for it"
            " again."
        )
    return wait_words(customer_id) or None


def wait_words(customer_id: int) -> str:
    """Until when nothing is paid to a replaced IBAN, as its seller may read it; else empty."""
    details = of(customer_id)
    if details is None or details.held_until is None or details.held_until <= clock.now():
        return ""
    return _(
        "The IBAN was replaced: nothing is paid to it before %(when)s.",
        when=dates.moment(details.held_until),
    )


def opened(details: BankDetails) -> str:
    """The whole IBAN: for a transfer file only."""
    return sealing.unseal(details.iban_sealed, f"bank_details.iban:{details.customer_id}")


def opens(details: BankDetails) -> bool:
    """Whether the IBAN can be read: its sealing key is there, and nothing was changed."""
    try:
        opened(details)
    except sealing.CannotOpen:
        return False
    return True


# What waits for an IBAN hears of it in the same unit, and says how many payments go on.
_ON_GIVEN: list[Callable[[Customer], int]] = []


def on_given(hear: Callable[[Customer], int]) -> None:
    """Declare a noun that waits for IBANs."""
    _ON_GIVEN.append(hear)


def give(customer: Customer, words: str, holder: str, *, site: Site) -> int:
    """Keep where a customer wants their money. A change is announced to every address, and waits
    before money goes there; what waited for an IBAN goes on. Returns how many payments did.
    """
    iban = check(words)
    holder = " ".join(holder.split())[:70]
    if len(holder) < 2:
        raise customers.Invalid(
            "holder", _("Type the name of the account's holder, as the bank knows it.")
        )
    details = of(customer.id)
    is_change = details is not None
    if details is None:
        details = BankDetails(customer_id=customer.id)
        db.session.add(details)
    details.holder, details.iban_tail, details.country = (
        holder,
        str(iban)[-4:],
        str(iban.country_code),
    )
    details.iban_sealed = sealing.seal(str(iban), f"bank_details.iban:{customer.id}")
    details.bic = str(iban.bic or "")
    # A stolen account is emptied by a new IBAN: it waits, unless the bank itself had refused the
    # old one.
    hours = settings.value("iban_hold_hours") if is_change and details.refused_at is None else 0
    details.held_until = clock.now() + timedelta(hours=hours) if hours else None
    details.changed_at, details.refused_at = clock.now(), None
    workflow.record(
        customer,
        "change_iban" if is_change else "give_iban",
        by=customers.actor(customer),
        tail=details.iban_tail,
    )
    if is_change:
        audit.note(
            "iban_changed",
            by=customers.actor(customer),
            subject=f"customer {customer.id}",
            tail=details.iban_tail,
        )
    if is_change:
        for address in _addresses(customer):
            messages.tell_address(
                address,
                "iban_changed",
                site=site,
                person=customer,
                tail=details.iban_tail,
                held_until=details.held_until or "",
            )
    db.session.flush()
    return sum(hear(customer) for hear in _ON_GIVEN)


def _addresses(customer: Customer) -> set[str]:
    """The e-mail address, and the one it replaced within a month: who stole an account changes
    both.
    """
    since = clock.now() - timedelta(days=30)
    addresses = select(Message.recipient).where(
        Message.customer_id == customer.id,
        Message.event == "email_change_asked",
        Message.created_at > since,
    )
    return {customer.email, *(address for address in db.session.scalars(addresses) if address)}


def keep_paying_account(account: PayingAccount, words: str) -> None:
    """A vendor's own IBAN, typed by staff; empty keeps the one we have. Its BIC must be one, and of
    the same bank.
    """
    if words.strip():
        iban = check(words)
        account.iban_sealed = sealing.seal(str(iban), f"paying_account.iban:{account.vendor_id}")
        account.iban_tail = str(iban)[-4:]
    if not account.iban_sealed:
        raise Refused(_("Type the IBAN transfers are paid from."))
    bic = str(IBAN(paying_iban(account)).bic or "")
    typed = "".join((account.bic or "").upper().split())
    if not typed:
        account.bic = bic
        return
    try:
        BIC(typed)
    except SchwiftyException:
        raise Refused(
            _(
                "This BIC is wrong: 8 or 11 letters and digits, such as AGRIFRPP. Leave it empty to"
                " get the bank's own."
            )
        ) from None
    if bic and typed[:6] != bic[:6]:
        raise Refused(
            _(
                "This BIC is another bank's (%(known)s goes with this IBAN). Leave it empty to get"
                " the bank's own.",
                known=bic,
            )
        )
    account.bic = typed


def paying_iban(account: PayingAccount) -> str:
    return sealing.unseal(account.iban_sealed, f"paying_account.iban:{account.vendor_id}")


_OWED = (
    PaymentState.held,
    PaymentState.awaiting_iban,
    PaymentState.to_pay,
    PaymentState.in_file,
    PaymentState.rejected,
)
retention.rule(
    "ibans",
    _l("IBANs of sellers"),
    lambda: _l("%(n)s months after the last sale", n=settings.value("account_months")),
    _l("To pay the next sale without asking again; transfer files keep theirs, sealed, ten years."),
    BankDetails,
    lambda now: select(BankDetails.customer_id).where(
        BankDetails.changed_at < now - retention.months(settings.value("account_months")),
        ~exists().where(
            Offer.customer_id == BankDetails.customer_id,
            Offer.touched_at >= now - retention.months(settings.value("account_months")),
        ),
        ~exists().where(
            SellerPayment.customer_id == BankDetails.customer_id, SellerPayment.status.in_(_OWED)
        ),
    ),
    retention.gone,
)


# ── what it holds of a person ──


def _export(customer: Customer) -> list[dict[str, Any]]:
    rows = select(BankDetails).where(BankDetails.customer_id == customer.id)
    return [
        {
            "holder": b.holder,
            "country": b.country,
            "iban_ends_in": b.iban_tail,
            "since": b.changed_at.isoformat(),
        }
        for b in db.session.scalars(rows)
    ]


def _erase(customer: Customer) -> None:
    db.session.execute(delete(BankDetails).where(BankDetails.customer_id == customer.id))


personal.rule("bank_details", export=_export, erase=_erase)
