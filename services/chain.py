"""Chains: numbered entries of which each holds the hash of the one before, so that none can be
taken out, changed or moved unseen. The log of accesses and the police registers are chains.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from flask_babel import gettext as _


class Entry(Protocol):
    """A row of a chain."""

    number: Any
    previous_hash: Any
    hash: Any


@dataclass(frozen=True)
class Verdict:
    """How many entries were read; the number of the first that is not as it was written, or None;
    and that as a sentence.
    """

    count: int
    broken: int | None
    sentence: str


@dataclass
class Walk:
    """Where reading a chain stands: the number and the hash of the last good entry, and how many
    were read. `previous` None: the first entry hangs on something that was purged.
    """

    number: int
    previous: str | None
    count: int = 0

    def missing(self, number: int) -> Verdict:
        return Verdict(self.count, number, _("Entry %(number)s is missing.", number=number))

    def read(
        self, entries: Iterable[Entry], why_wrong: Callable[[Any], str | None]
    ) -> Verdict | None:
        """Read entries in the order of their numbers. None when no number is missing, each names
        the hash of the one before, and `why_wrong` finds nothing wrong inside; else the verdict.
        """
        for entry in entries:
            if entry.number != self.number + 1:
                return self.missing(self.number + 1)
            broken = self.previous is not None and entry.previous_hash != self.previous
            reason = why_wrong(entry) or (chain_breaks(entry.number) if broken else None)
            if reason:
                return Verdict(self.count, entry.number, reason)
            self.number, self.previous, self.count = entry.number, entry.hash, self.count + 1
        return None


def chain_breaks(number: int) -> str:
    """The sentence about an entry that is not the one that was written."""
    return _(
        "Entry %(number)s is not the one that was written: the chain breaks there.", number=number
    )
