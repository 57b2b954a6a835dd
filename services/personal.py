"""What the house keeps of a person, said by each noun: how it is exported (RGPD art. 15 and 20),
why a person cannot be erased yet, and what is erased of them (art. 17).

A chapter declares its rule beside its noun, so that a new one is never forgotten by the account
page: `personal.rule("parcels", export=…, why_keep=…, erase=…)`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from models import Customer

Export = Callable[[Customer], list[dict[str, Any]]]
WhyKeep = Callable[[Customer], str | None]
Erase = Callable[[Customer], None]


@dataclass(frozen=True)
class Rule:
    """What one noun holds of a person. `first` orders the reasons to keep an account."""

    noun: str
    export: Export | None
    why_keep: WhyKeep | None
    erase: Erase | None
    stays: WhyKeep | None
    first: int


RULES: dict[str, Rule] = {}


def rule(
    noun: str,
    *,
    export: Export | None = None,
    why_keep: WhyKeep | None = None,
    erase: Erase | None = None,
    stays: WhyKeep | None = None,
    first: int = 9,
) -> None:
    """Declare what a noun holds of a person; `stays` says what remains after the erasure, why and
    until when.
    """
    RULES[noun] = Rule(noun, export, why_keep, erase, stays, first)


def exported(customer: Customer) -> dict[str, list[dict[str, Any]]]:
    """Everything the chapters hold about a person, as plain values, by noun."""
    return {name: r.export(customer) for name, r in sorted(RULES.items()) if r.export is not None}


def why_keep(customer: Customer) -> str | None:
    """None when nothing keeps the account, else the sentence of the first reason."""
    for one in sorted(RULES.values(), key=lambda r: r.first):
        if one.why_keep is not None and (reason := one.why_keep(customer)):
            return reason
    return None


def kept_sentence(customer: Customer) -> str | None:
    """What stays of a person after the erasure, in words; None when nothing does."""
    sentences = (r.stays(customer) for r in RULES.values() if r.stays is not None)
    return next((sentence for sentence in sentences if sentence), None)


def erase(customer: Customer) -> None:
    """Erase what every chapter holds of a person, in the caller's unit."""
    for one in RULES.values():
        if one.erase is not None:
            one.erase(customer)
