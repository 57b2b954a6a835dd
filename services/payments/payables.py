"""Payables: what a transfer file can pay. Sellers today, vendors and refunds tomorrow.

A noun that is owed money declares itself with `pays`: what is due, what happens when it is put in a
file, executed, sent back or taken out again. Transfer files and the bank's answers know no other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import Select

from models import TransferLine
from services.payments.ledger import Side
from services.workflow import Actor


@dataclass(frozen=True)
class Due:
    """One amount to pay, with the account it goes to. `reference` comes back in the bank's answer
    and is unique; `debt` is the side of the ledger that the payment settles, in positive cents.
    """

    id: int
    cents: int
    reference: str
    holder: str
    iban: str
    iban_tail: str
    bic: str
    debt: Side


class Payable(Protocol):
    """A noun that is owed money. Lines are those of its own column of TransferLine."""

    words: Any  # what the one who is paid reads on the bank statement, before the reference

    def waiting(self, vendor_id: int) -> Select[int, int]:
        """Number and amount in cents of what the next file would pay, oldest first."""

    def hold_unreadable(self, vendor_id: int, *, by: Actor) -> list[str]:
        """Hold what would go to an account that cannot be read; the names of whose it is."""

    def due(self, vendor_id: int, most: int) -> list[Due]:
        """The same, locked and ready to be paid."""

    def put_in_file(self, ids: list[int], number: str, *, by: Actor) -> None: ...
    def take_out(self, lines: Sequence[TransferLine], number: str, *, by: Actor) -> None:
        """The file was cancelled before it left: they are to pay again."""

    def executed(self, lines: Sequence[TransferLine], *, by: Actor) -> None: ...
    def sent_back(self, line: TransferLine, is_about_the_account: bool, *, by: Actor) -> None: ...
    def debts(self, lines: Sequence[TransferLine]) -> list[Side]:
        """The sides of the ledger that these lines settle, in positive cents."""


# By the column of TransferLine that names what is paid.
PAYABLES: dict[str, Payable] = {}


def pays(column: str, payable: Payable) -> None:
    """Declare what lines with this column pay."""
    PAYABLES[column] = payable


def column_of(line: TransferLine) -> str:
    return next(column for column in PAYABLES if getattr(line, column) is not None)


def by_payable(lines: Sequence[TransferLine]) -> list[tuple[Payable, list[TransferLine]]]:
    """Lines together with what they pay."""
    found: dict[str, list[TransferLine]] = {}
    for line in lines:
        found.setdefault(column_of(line), []).append(line)
    return [(PAYABLES[column], those) for column, those in found.items()]


def debts(lines: Sequence[TransferLine]) -> list[Side]:
    """What these lines settle in the ledger, in positive cents."""
    return [side for payable, those in by_payable(lines) for side in payable.debts(those)]
