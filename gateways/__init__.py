"""The outside world, in our words: what we need of it, and how it may fail. Knows nothing of our
tables.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Protocol

from flask_babel import gettext as _


class GatewayError(Exception):
    """A partner failed. Permanent: trying the same again is useless and a person must look. Waits:
    nothing was tried yet.

    Unsure: the partner may have done it although no answer came, and doing it twice would cost: a
    look-up or a person decides.
    """

    def __init__(
        self, message: str, permanent: bool = False, waits: bool = False, unsure: bool = False
    ) -> None:
        super().__init__(message)
        self.permanent = permanent
        self.waits = waits
        self.unsure = unsure


def silence(error: BaseException) -> str:
    """Why nothing came back, as a sentence, with the library's own word for who looks into it."""
    word = type(error).__name__
    if "timeout" in word.lower() or "timed out" in str(error).lower():
        return _("No answer came in time (%(word)s).", word=word)
    return _("The other side cannot be reached (%(word)s).", word=word)


@dataclass(frozen=True)
class Letter:
    """A mail ready to leave; `reference` is stable over retries and becomes its Message-ID."""

    reference: str
    sender_name: str
    sender_address: str
    reply_to: str
    to: str
    subject: str
    text: str
    html: str


class Mail(Protocol):
    def send(self, letter: Letter) -> str: ...


class Sms(Protocol):
    def send(self, sender: str, to: str, text: str, reference: str) -> str: ...


@dataclass(frozen=True)
class CarrierAccount:
    """A vendor's contract with a carrier, opened for one call. Never logged. A carrier reads the
    codes it needs and leaves the others.
    """

    service: str  # which of the carrier's services makes labels, when it has several
    is_test: bool
    account: str
    brand: str
    key: str = field(repr=False)
    login: str
    password: str = field(repr=False)
    relay_country: str
    relay_number: str
    insurance_levels: int = 0


@dataclass(frozen=True)
class Address:
    name: str
    street: str
    more: str
    postcode: str
    city: str
    country: str
    phone: str  # E.164
    email: str


@dataclass(frozen=True)
class Shipment:
    """One parcel to a relay point or to a home (`kind`): grams, cents, and the insurance level of
    the contract, 0 for none. `relays_near` is the postcode around which the sender would like to
    know relay points; empty for none.
    """

    reference: str
    sender: Address
    recipient: Address
    relay_country: str
    relay_number: str
    weight_grams: int
    value_cents: int
    insurance: int
    kind: str = "relay"
    relays_near: str = ""


@dataclass(frozen=True)
class MadeLabel:
    """A label that exists at the carrier: its number, where its PDF is, and what of the order the
    carrier left out (a warning in its own words; empty when it took everything).
    """

    number: str
    url: str
    warning: str = ""


@dataclass(frozen=True)
class Cover:
    """What one insurance level of a contract pays at most, in cents."""

    level: int
    cents: int


@dataclass(frozen=True)
class Relay:
    """A relay point; `metres` from the postcode asked for, `hours` from Monday to Sunday."""

    number: str
    name: str
    street: str
    postcode: str
    city: str
    country: str
    latitude: str
    longitude: str
    is_locker: bool
    metres: int
    hours: tuple[str, ...]
    # The next days it is closed for, first and last (2026-12-24), when that is soon.
    closes: tuple[str, str] | None = None


@dataclass(frozen=True)
class Trace:
    """One thing the carrier saw, in its words."""

    at: datetime
    words: str
    place: str
    relay: str


@dataclass(frozen=True)
class Tracking:
    """Where a parcel is: `state` is not_sent, in_transit, at_relay, delivered, incident, or empty
    when the carrier's words are unknown; then its last words and all it saw, oldest first.
    """

    state: str
    words: str
    events: tuple[Trace, ...]


class Carrier(Protocol):
    """A carrier, in words that fit any. A service that a carrier does not have raises GatewayError;
    `makes_labels` and `follows` say so beforehand.
    """

    name: Any
    kinds: frozenset[str]  # of shipments: "relay", "home"
    formats: tuple[str, ...]  # of its label's PDF, the usual one first
    makes_labels: bool
    follows: bool

    def lacks(self, account: CarrierAccount) -> list[str]:
        """The codes that the contract does not have yet, in words for the administrator."""

    def wrong_code(self, account: CarrierAccount) -> str | None:
        """None when each code that is there has the form this carrier gives it, else a sentence
        about the first that has not.
        """

    def covers(self, account: CarrierAccount) -> list[Cover]:
        """The insurance levels that the contract opens, the standard one (0) first."""

    def why_no_number(self, number: str) -> str | None:
        """None when it may be the number of a label, else the sentence that says why not."""

    def tracking_link(self, account: CarrierAccount | None, number: str, name: str = "") -> str:
        """The carrier's public page about a parcel, or "" when there is none. `name` says which
        carrier, for a label that was made elsewhere.
        """

    def check(self, account: CarrierAccount) -> str: ...
    def relays(
        self, account: CarrierAccount, postcode: str, country: str = "FR", most: int = 8
    ) -> list[Relay]: ...
    def create_label(self, account: CarrierAccount, shipment: Shipment) -> MadeLabel: ...
    def label_pdf(self, url: str, size: str = "A4") -> bytes: ...
    def find_label(self, account: CarrierAccount, number: str) -> str: ...
    def track(self, account: CarrierAccount, number: str) -> Tracking: ...


class Webhooks(Protocol):
    def post(self, url: str, headers: dict[str, str], body: bytes) -> int: ...


@dataclass(frozen=True)
class Place:
    """Where files of a vendor lie: `https://…`, or `sftp://host/path`, whose last part may hold
    « * ». Opened for one call, never logged.

    `secret`: a password, a token (https without a login), or a private key (SFTP). `host_key`: the
    print that was accepted, empty before. `seen`: the mark of each file that was taken already, by
    its name; over https, under the empty name. `newest_only`: of several, the others say nothing.
    """

    url: str
    login: str = ""
    secret: str = field(default="", repr=False)
    host_key: str = ""
    seen: Mapping[str, str] = field(default_factory=dict)
    newest_only: bool = False


@dataclass(frozen=True)
class FetchedFile:
    """A file as a server holds it, copied to `path`. `mark` changes when it does."""

    name: str
    path: Path
    modified: datetime | None
    mark: str


class UnknownHost(GatewayError):
    """A server shows a key nobody accepted: a person compares `shown` with what they were given."""

    def __init__(self, shown: str) -> None:
        super().__init__(shown)
        self.shown = shown


class Fetching(Protocol):
    def fetch(self, place: Place, into: Path) -> list[FetchedFile]: ...


# Filled by app.py with the adapters this installation was given; carriers by their code.
live = SimpleNamespace(mail=None, sms=None, carriers={}, webhooks=None, fetching=None)
