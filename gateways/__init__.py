"""The outside world, in our words: what we need of it, and how it may fail. Knows nothing of our tables."""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Protocol


class GatewayError(Exception):
    """A partner failed. Permanent: trying the same again is useless and a person must look. Waits: nothing was tried yet."""

    def __init__(self, message: str, permanent: bool = False, waits: bool = False) -> None:
        super().__init__(message)
        self.permanent = permanent
        self.waits = waits


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


# Filled by app.py with the adapters this installation was given.
live = SimpleNamespace(mail=None, sms=None)
