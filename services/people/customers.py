"""Accounts of private people: opened, confirmed, signed in to, corrected, exported and erased."""

import re
import secrets
import unicodedata
from datetime import datetime, timedelta
from typing import Any

import phonenumbers
from email_validator import EmailNotValidError, validate_email
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import Select, and_, exists, func, or_, select

from models import (
    Customer,
    Event,
    Offer,
    Site,
)  # fmt: skip
from services import (
    audit,
    clock,
    limits,
    messages,
    personal,
    retention,
    settings,
    words,
    workflow,
)
from services.people import passwords, sites
from services.unit import db
from services.workflow import Actor, Refused

workflow.says(
    "customer",
    open_account=_l("Account opened"),
    confirm_email=_l("E-mail confirmed"),
    change_email=_l("E-mail changed"),
    change_password=_l("Password changed"),
    correct=_l("Personal data corrected"),
    erase=_l("Account erased"),
    ask_email=_l("New e-mail asked for"),
)

LEAVING_DAYS = 30
PERSONAL = ("first_name", "last_name", "address", "address_more", "postcode", "city", "phone")


def actor(customer: Customer) -> Actor:
    return Actor(workflow.CUSTOMER, customer.id, customer.name)


# ── the life of an account ──


def open_account(site: Site, *, email: str, password_hash: str, **data: str) -> Customer:
    """Open an account and send the mail that confirms its address. Raises Refused on an address
    already taken, limits.TooMany on one that got too many letters.
    """
    email = clean_email(email)
    _count_letter(email)
    if by_email(email):
        raise Refused(
            _("An account already uses this e-mail address: sign in, or ask for a new password.")
        )
    customer = Customer(
        email=email,
        password_hash=password_hash,
        created_at=clock.now(),
        session_epoch=0,
        **clean(data),
    )
    db.session.add(customer)
    workflow.record(customer, "open_account", by=Actor(workflow.CUSTOMER, None, customer.name))
    send_confirmation(customer, site)
    return customer


def sign_in(email: str, password: str) -> Customer | None:
    """The customer with these, or None; as slow for an unknown address as for a wrong password.
    Raises limits.TooMany. Slow: call it outside a unit.
    """
    email = email.strip().lower()
    customer = by_email(email)
    stored = customer.password_hash if customer else ""
    right = passwords.is_right(f"customer:{email}", stored, password, too_many=_TOO_MANY)
    return customer if right else None


_TOO_MANY = _l("Too many wrong passwords: wait %(minutes)s min, or ask for a new password.")


def came(customer: Customer) -> None:
    """He signed in: his account is in use."""
    customer.seen_at, customer.leaving_told_at = clock.now(), None


def tell_leaving(customer: Customer) -> None:
    """A month before an unused account is erased, its owner is told; signing in keeps it. Never
    while a sale is under way.
    """
    if (
        customer.leaving_told_at is not None
        or customer.erased_at is not None
        or why_not_erase(customer) is not None
    ):
        return
    last = db.session.scalars(
        select(Offer).where(Offer.customer_id == customer.id).order_by(Offer.id.desc()).limit(1)
    ).first()
    site = last.site if last else db.session.get(Site, sites.default_id())
    if site is None:
        return
    customer.leaving_told_at = clock.now()
    day = clock.paris(clock.days_later(LEAVING_DAYS)).date()
    messages.tell(
        customer,
        "account_leaving",
        site=site,
        day=day,
        link=f"{sites.address(site)}/compte/connexion",
    )


def to_tell_leaving() -> list[int]:
    """Accounts nobody used for so long that they are erased in a month."""
    limit = (
        clock.now()
        - retention.months(settings.value("account_months"))
        + timedelta(days=LEAVING_DAYS)
    )
    return list(
        db.session.scalars(
            _unused(limit)
            .where(Customer.leaving_told_at.is_(None))
            .order_by(Customer.id)
            .limit(5_000)
        )
    )


def send_confirmation(customer: Customer, site: Site) -> None:
    """Send the link that confirms the address (again)."""
    messages.tell(
        customer,
        "confirm_email",
        site=site,
        secret_link=sites.address(site) + links.confirm(customer, customer.email),
    )


def send_confirmation_again(customer: Customer, site: Site) -> None:
    """The same once more, for somebody who asks. Raises TooMany when that address was written to so
    often.
    """
    _count_letter(customer.email)
    send_confirmation(customer, site)


def confirm_email(customer: Customer, address: str) -> None:
    """The link arrived: the address is his. It may be a new one he asked for."""
    if address == customer.email:
        if customer.email_confirmed_at is None:
            customer.email_confirmed_at = clock.now()
            workflow.record(customer, "confirm_email", by=actor(customer))
        return
    if address != customer.pending_email:
        raise Refused(_("This link was replaced by a newer one: use the last mail we sent."))
    if by_email(address):
        raise Refused(_("An account already uses this e-mail address."))
    sign_out_everywhere(customer)
    customer.email, customer.pending_email, customer.email_confirmed_at = address, None, clock.now()
    workflow.record(customer, "change_email", by=actor(customer))


def ask_email(customer: Customer, address: str, *, site: Site) -> None:
    """Ask to change the address: the new one must confirm, the old one is told."""
    address = clean_email(address)
    if address == customer.email:
        raise Refused(_("This is already your e-mail address."))
    if seconds := limits.spend(f"letters-by:{customer.id}", LETTERS_OF_ONE, 3600):
        raise limits.TooMany(_TOO_MANY_LETTERS % {"minutes": (seconds + 59) // 60}, seconds)
    _count_letter(address)
    customer.pending_email = address
    workflow.record(customer, "ask_email", by=actor(customer))
    # Told even when the address has an account: who asks must not learn it here.
    if not by_email(address):
        link = sites.address(site) + links.confirm(customer, address)
        messages.tell_address(
            address, "confirm_new_email", site=site, person=customer, secret_link=link
        )
    messages.tell_address(
        customer.email,
        "email_change_asked",
        site=site,
        person=customer,
        new_address=masked(address),
    )


def forgot_password(email: str, *, site: Site) -> None:
    """Send a link for a new password, if the address has an account; says nothing either way."""
    customer = by_email(email.strip().lower())
    if customer is not None and _may_write_to(customer.email) is None:
        messages.tell(
            customer,
            "new_password",
            site=site,
            secret_link=sites.address(site) + links.reset(customer),
        )


def change_password(customer: Customer, password_hash: str, *, site: Site) -> None:
    """Set a new password (`passwords.chosen`); every session of the account ends."""
    customer.password_hash = password_hash
    sign_out_everywhere(customer)
    limits.forgive(f"customer:{customer.email}")
    workflow.record(customer, "change_password", by=actor(customer))
    messages.tell(customer, "password_changed", site=site)


def sign_out_everywhere(customer: Customer) -> None:
    """End every session of the account, and make its links for a new password void. Two at once are
    counted one after the other.
    """
    db.session.refresh(customer, ["session_epoch"], with_for_update=True)
    customer.session_epoch += 1


def correct(customer: Customer, **data: str) -> list[str]:
    """Correct personal data; returns the names of what changed."""
    new = clean(data)
    changed = [name for name in PERSONAL if getattr(customer, name) != new[name]]
    for name in changed:
        setattr(customer, name, new[name])
    if changed:
        workflow.record(customer, "correct", by=actor(customer), fields=changed)
    return changed


def export(customer: Customer) -> dict[str, Any]:
    """Everything we hold about a person (RGPD art. 15 and 20), as plain values: the account here,
    the rest as each chapter says it (services/personal.py).
    """
    confirmed = customer.email_confirmed_at
    return {
        "account": {
            "email": customer.email,
            **{n: getattr(customer, n) for n in PERSONAL},
            "country": customer.country,
            "created_at": customer.created_at.isoformat(),
            "email_confirmed_at": confirmed.isoformat() if confirmed else None,
        },
        **personal.exported(customer),
        "events": [{"at": e.at.isoformat(), "what": e.verb} for e in workflow.history(customer)],
    }


def why_not_erase(customer: Customer) -> str | None:
    """A sale that is under way keeps the account: its parcel and its payment need the address."""
    return personal.why_keep(customer)


def erase(customer: Customer, *, by: Actor | None = None) -> str:
    """Erase what the law allows (RGPD art. 17): the person leaves, finished sales stay without a
    name.

    By themselves, by staff on their written request, or by the clock when nobody used the account
    for years. Returns the sentence that says what stays, why and until when. Raises Refused while a
    sale is under way.
    """
    if customer.erased_at is not None:
        raise Refused(_("This account is already erased."))
    if reason := why_not_erase(customer):
        raise Refused(reason)
    sentence = personal.kept_sentence(customer)
    by = by or Actor(workflow.CUSTOMER, customer.id, _("Erased customer"))
    workflow.record(customer, "erase", by=by)
    audit.note("person_erased", by=by, subject=f"customer {customer.id}")
    nobody = _("Erased customer")
    personal.erase(customer)
    for event in db.session.scalars(
        select(Event).where(
            Event.actor_kind == workflow.CUSTOMER,
            or_(
                Event.actor_id == customer.id,
                and_(Event.subject == "customer", Event.subject_id == customer.id),
            ),
        )
    ):
        event.actor_name = nobody
    customer.email = f"{secrets.token_hex(8)}@efface.invalid"
    customer.password_hash = "!"
    for name in PERSONAL:
        setattr(customer, name, "")
    customer.first_name = nobody
    customer.pending_email = None
    sign_out_everywhere(customer)
    customer.erased_at = clock.now()
    return sentence or _("Your account and all your data are erased.")


# ── questions ──


def by_email(email: str) -> Customer | None:
    return db.session.scalar(select(Customer).where(Customer.email == email))


def check_password(customer: Customer, password: str) -> None:
    """Raises Refused when the password is not theirs, or limits.TooMany; wrong ones are counted
    apart from those of a sign-in, which a stranger can close. Slow: call it outside a unit.
    """
    account = f"customer-proof:{customer.id}"
    if not passwords.is_right(account, customer.password_hash, password, too_many=_TOO_MANY):
        raise Refused(_("This is not your current password."))


def masked(address: str) -> str:
    """« c•••@exemple.fr »: enough to recognise an address, too little to learn it."""
    name, _at, domain = address.partition("@")
    return f"{name[:1]}•••@{domain}"


# ── letters anybody can make us write ──

# To one address, and asked by one account, in an hour: our mail is not for writing to strangers.
LETTERS_TO_ONE, LETTERS_OF_ONE = 5, 5
_TOO_MANY_LETTERS = _l("Too many letters were asked for: wait %(minutes)s min.")


def _may_write_to(address: str) -> int | None:
    """Count a letter that a person who proved nothing asks for; None while it may leave, else the
    seconds to wait.
    """
    return limits.spend(f"letters-to:{address}", LETTERS_TO_ONE, 3600)


def _count_letter(address: str) -> None:
    if seconds := _may_write_to(address):
        raise limits.TooMany(_TOO_MANY_LETTERS % {"minutes": (seconds + 59) // 60}, seconds)


# ── what is typed ──

# A name greets in letters: with an address in it, our mail would carry somebody's advertising.
# « J.-P. » and « M. Le Goff » are names; « t.co/x », « evil。fr » and a telephone number are not.
_ADDRESS_IN_NAME = re.compile(r"[/@。\d]|\bwww\b|\w\.\w{2,}", re.I)
_DOMAIN = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)*\.[a-z][a-z0-9-]*[a-z0-9]")
# Departments, overseas (971–978, 984, 986–988), Monaco (980).
_POSTCODE = re.compile(r"(0[1-9]|[1-8]\d|9[0-5]|97[1-8]|98[04678])\d{2,3}")
LENGTHS = {"first_name": 100, "last_name": 100, "address": 200, "address_more": 200, "city": 100}


class Invalid(Refused):
    """What was typed in one field is wrong; `field` names it, so that the sentence stands beside
    it.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


def clean_email(typed: str) -> str:
    """An address in lower case, a foreign domain in its ASCII form. Raises Invalid."""
    wrong = Invalid("email", _("This is no e-mail address: write it as camille@exemple.fr."))
    try:
        email = (
            validate_email(
                typed.strip(),
                check_deliverability=False,
                allow_smtputf8=False,
                globally_deliverable=False,
                strict=True,
                test_environment=True,
            ).ascii_email
            or ""
        )
    except EmailNotValidError:
        raise wrong from None
    # « =?…?= » is an encoded word in a header of mail: what it hides would be written there.
    if not typed.strip().isascii() and any(
        not c.isascii() for c in typed.strip().rpartition("@")[0]
    ):
        raise wrong
    email = email.lower()
    if len(email) > 254 or "=?" in email or not _DOMAIN.fullmatch(email.rpartition("@")[2]):
        raise wrong
    return email


def clean(data: dict[str, str]) -> dict[str, str]:
    """Check and tidy what a person typed about himself. Raises Invalid with the field and the
    sentence.
    """
    tidy = {name: " ".join(words.visible(data.get(name) or "").split()) for name in PERSONAL}
    for name, most in LENGTHS.items():
        if len(tidy[name]) > most:
            raise Invalid(name, _("This is too long: %(most)s characters at most.", most=most))
    for name in ("first_name", "last_name"):
        if _ADDRESS_IN_NAME.search(unicodedata.normalize("NFKC", tidy[name])):
            raise Invalid(name, _("A name holds no address of a site or of a mailbox, no number."))
    for name, sentence in (
        ("first_name", _("Type your first name.")),
        ("last_name", _("Type your last name.")),
        ("address", _("Type the number and the street.")),
        ("city", _("Type the town.")),
    ):
        if not any(c.isalnum() for c in tidy[name]):
            raise Invalid(name, sentence)
    tidy["postcode"] = clean_postcode(tidy["postcode"])
    tidy["phone"] = clean_phone(tidy["phone"], tidy["postcode"])
    return tidy


def clean_postcode(typed: str) -> str:
    """Five digits of metropolitan France or overseas."""
    postcode = "".join(typed.split())
    if len(postcode) != 5 or not postcode.isascii() or not _POSTCODE.fullmatch(postcode):
        raise Invalid(
            "postcode",
            _(
                "This is no French postcode: 5 digits, such as 44000. We buy from people who live"
                " in France."
            ),
        )
    return postcode


# The region a number without prefix belongs to: overseas numbers have their own plans, told by
# their first digits, else by the postcode.
_PREFIXES = {
    "0590": "GP",
    "0690": "GP",
    "0691": "GP",
    "0596": "MQ",
    "0696": "MQ",
    "0697": "MQ",
    "0594": "GF",
    "0694": "GF",
    "0262": "RE",
    "0263": "RE",
    "0692": "RE",
    "0693": "RE",
    "0269": "YT",
    "0639": "YT",
}
_REGIONS = {
    "971": "GP",
    "972": "MQ",
    "973": "GF",
    "974": "RE",
    "975": "PM",
    "976": "YT",
    "977": "BL",
    "978": "MF",
    "980": "MC",
    "986": "WF",
    "987": "PF",
    "988": "NC",
}
_LABEL = re.compile(r"^(t[ée]l(éphone)?|mobile|portable)[. :]+", re.I)
_PHONE = re.compile(r"[0-9+(). /-]{4,40}")


def clean_phone(typed: str, postcode: str = "") -> str:
    """A number in international form, « +33612345678 ». Raises Invalid: letters and extensions are
    no number.
    """
    plain = _LABEL.sub("", " ".join(words.visible(typed).split()))
    digits = "".join(c for c in plain if c.isdigit())
    if (
        digits.startswith("0508") and len(digits) == 10
    ):  # Saint-Pierre-et-Miquelon, as dialled from elsewhere in France
        plain = f"+508{digits[4:]}"
    local = (
        ""
        if len(digits) == 10 and _REGIONS.get(postcode[:3]) in ("MC", "WF", "PF", "NC")
        else _REGIONS.get(postcode[:3], "FR")
    )
    regions = [_PREFIXES.get(digits[:4], ""), local, "FR", "GP", "MQ", "RE", "YT", "GF"]
    for region in dict.fromkeys(filter(None, regions)) if _PHONE.fullmatch(plain) else ():
        try:
            number = phonenumbers.parse(plain, region)
        except phonenumbers.NumberParseException:
            continue
        if phonenumbers.is_valid_number(number):
            return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    raise Invalid("phone", _("This is no phone number: 10 digits, such as 06 12 34 56 78."))


def shown_phone(number: str) -> str:
    """« 06 12 34 56 78 », as people read it."""
    try:
        parsed = phonenumbers.parse(number, "FR")
    except phonenumbers.NumberParseException:
        return number
    style = (
        phonenumbers.PhoneNumberFormat.NATIONAL
        if parsed.country_code == 33
        else phonenumbers.PhoneNumberFormat.INTERNATIONAL
    )
    return phonenumbers.format_number(parsed, style)


# ── how long ──


def _unused(since: datetime) -> Select[Any]:
    """Accounts nobody signed in to, and no sale of which moved, since a moment."""
    return select(Customer.id).where(
        Customer.erased_at.is_(None),
        func.coalesce(Customer.seen_at, Customer.created_at) < since,
        ~exists().where(Offer.customer_id == Customer.id, Offer.touched_at >= since),
    )


def _to_erase(now: datetime) -> Select[Any]:
    told = Customer.leaving_told_at < now - timedelta(days=LEAVING_DAYS)
    return _unused(now - retention.months(settings.value("account_months"))).where(told)


def _erase_by_clock(customer: Customer) -> None:
    erase(customer, by=workflow.CLOCK)


retention.rule(
    "accounts",
    _l("Accounts nobody uses"),
    lambda: _l("%(n)s months, told a month before", n=settings.value("account_months")),
    _l("An account is kept as long as it is used; finished sales stay without a name, ten years."),
    Customer,
    _to_erase,
    _erase_by_clock,
)

from services.people import links  # noqa: E402  (links sign what is written in these mails)
