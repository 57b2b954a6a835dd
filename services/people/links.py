"""Signed, expiring links to a person's own things. A purpose is a salt; a used or outdated link
says so.
"""

from dataclasses import dataclass
from typing import Any

from flask import current_app
from flask_babel import gettext as _
from itsdangerous import BadSignature, SignatureExpired, URLSafeTimedSerializer

from models import Customer
from services.unit import db
from services.workflow import Refused

CONFIRM_DAYS, RESET_HOURS, DOCUMENT_DAYS = 7, 2, 60


def confirm(customer: Customer, address: str) -> str:
    """Proves that who opens it reads this address."""
    return "/compte/confirmer/" + _signer("confirm-email").dumps([customer.id, address])


def reset(customer: Customer) -> str:
    """Lets who opens it choose a new password, once: the next change makes it void."""
    return "/compte/nouveau-mot-de-passe/" + _signer("new-password").dumps(
        [customer.id, customer.session_epoch, customer.password_hash[-8:]]
    )


def document(what: str, id: int, customer: Customer | None = None, mark: str = "") -> str:
    """Opens one document (« label », « slip », « photo »…) for as long as a parcel may need it, and
    until its customer signs out everywhere or changes the password. `mark` tells it from another
    one that gets its number once it is deleted: SQLite gives numbers again.
    """
    epoch = customer.session_epoch if customer is not None else None
    return "/documents/" + _signer("document").dumps([what, id, epoch, *([mark] if mark else [])])


@dataclass(frozen=True)
class Document:
    """What a link opens, and when it was given out: the sessions of its customer at that time;
    None of a link made before they were signed in.
    """

    what: str
    id: int
    epoch: int | None
    mark: str = ""

    def check(self, customer: Customer | None) -> None:
        """Raises Refused when its customer has ended what was given out by then."""
        if customer is None or self.epoch is None:
            return
        if self.epoch != customer.session_epoch:
            raise Refused(
                _(
                    "This link was ended when the account signed out everywhere or changed its"
                    " password: open the document from « My sales »."
                )
            )


def read_document(token: str) -> Document:
    what, id, *more = _read("document", token, DOCUMENT_DAYS * 24 * 3600)
    epoch = more[0] if more else None  # links of earlier days hold less
    return Document(str(what), int(id), epoch, str(more[1]) if len(more) > 1 else "")


def read_confirm(token: str, *, lock: bool = False) -> tuple[Customer, str]:
    """Whose address a link confirms, and the address. `lock`: as `read_reset`."""
    customer_id, address = _read("confirm-email", token, CONFIRM_DAYS * 24 * 3600)
    return _customer(customer_id, lock), address


def read_reset(token: str, *, lock: bool = False) -> Customer:
    """Whose password a link lets change. `lock` in the unit that uses it up: whoever opens it at
    the same moment waits, then finds it used.
    """
    customer_id, epoch, tail = _read("new-password", token, RESET_HOURS * 3600)
    customer = _customer(customer_id, lock)
    if (customer.session_epoch, customer.password_hash[-8:]) != (epoch, tail):
        raise Refused(_("This link was already used: ask for a new one."))
    return customer


def _customer(id: int, lock: bool) -> Customer:
    customer = db.session.get(Customer, id, with_for_update=lock, populate_existing=lock)
    if customer is None or customer.erased_at:
        raise Refused(_("This account no longer exists."))
    return customer


def _read(purpose: str, token: str, seconds: int) -> list[Any]:
    try:
        read: list[Any] = _signer(purpose).loads(token, max_age=seconds)
        return read
    except SignatureExpired:
        raise Refused(_("This link is too old: ask for a new one.")) from None
    except BadSignature:
        raise Refused(
            _("This link is incomplete: copy it whole from the mail, or ask for a new one.")
        ) from None


def _signer(purpose: str) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(secrets(), salt=f"link-{purpose}-v1")


def secrets() -> list[str]:
    """The secrets of this installation, the one that signs last: an older one still reads what it
    signed.
    """
    return [
        *reversed(current_app.config["SECRET_KEY_FALLBACKS"] or []),
        current_app.config["SECRET_KEY"],
    ]
