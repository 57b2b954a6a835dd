"""The outside world, in our words: what we need of it, and how it may fail. Knows nothing of our
tables.
"""

from dataclasses import dataclass, field
from datetime import datetime
from types import SimpleNamespace
from typing import Protocol


class GatewayError(Exception):
    """A partner failed. Permanent: trying the same again is useless and a person must look. Waits:
    nothing was tried yet.

    Unsure: he may have done it although no answer came, and doing it twice would cost: a look-up or
    a person decides.
    """

    def __init__(
        self, message: str, permanent: bool = False, waits: bool = False, unsure: bool = False
    ) -> None:
        super().__init__(message)
        self.permanent = permanent
        self.waits = waits
        self.unsure = unsure


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
    """A vendor's contract with a carrier, opened for one call. Never logged."""

    service: str  # "soap" or "rest": which of the two creates labels
    is_test: bool
    account: str
    brand: str
    key: str = field(repr=False)
    login: str
    password: str = field(repr=False)
    relay_country: str
    relay_number: str


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
    """One parcel to a relay point: grams, cents, insurance level 0 (none) to 5."""

    reference: str
    sender: Address
    recipient: Address
    relay_country: str
    relay_number: str
    weight_grams: int
    value_cents: int
    insurance: int


@dataclass(frozen=True)
class Label:
    """A label that exists at the carrier: its number, and where its PDF is."""

    number: str
    url: str


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


@dataclass(frozen=True)
class Trace:
    """One thing the carrier saw, in his words."""

    at: datetime
    words: str
    place: str
    relay: str


@dataclass(frozen=True)
class Tracking:
    """Where a parcel is: one of our states (« » when the carrier's words are unknown), his last
    words, all he saw, oldest first.
    """

    state: str
    words: str
    events: tuple[Trace, ...]


class Carrier(Protocol):
    def check(self, account: CarrierAccount) -> str: ...
    def relays(
        self, account: CarrierAccount, postcode: str, country: str = "FR", most: int = 8
    ) -> list[Relay]: ...
    def create_label(self, account: CarrierAccount, shipment: Shipment) -> Label: ...
    def label_pdf(self, url: str, size: str = "A4") -> bytes: ...
    def find_label(self, account: CarrierAccount, number: str) -> str: ...
    def track(self, account: CarrierAccount, number: str) -> Tracking: ...


class Webhooks(Protocol):
    def post(self, url: str, headers: dict[str, str], body: bytes) -> int: ...


# Filled by app.py with the adapters this installation was given.
live = SimpleNamespace(mail=None, sms=None, carrier=None, webhooks=None)
