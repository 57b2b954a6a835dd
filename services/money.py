"""Integer cents: the only place that rounds, reads and writes amounts (docs/rules/money.md has the
worked figures).
"""

import functools
import re

NBSP = "\u00a0"
THIN = "\u202f"
MOST_CENTS = (
    100_000_000  # one million euros: nothing in a shop is dearer, so more is a slip of the hand
)


def share(amount_cents: int, basis_points: int) -> int:
    """A percentage of an amount, half up to the cent (4000 = 40 %). 20,00 € at 40 % = 8,00 €."""
    return (amount_cents * basis_points * 2 + 10_000) // 20_000


def without_tax(amount_cents: int, vat_bp: int) -> int:
    """An amount without its VAT, half up to the cent: 21,57 € with 20 % is 17,98 € without."""
    return (amount_cents * 20_000 + 10_000 + vat_bp) // (2 * (10_000 + vat_bp))


def to_step(amount_cents: int, step_cents: int) -> int:
    """The nearest multiple of a step, half up: 7,63 € by 0,50 € = 7,50 €."""
    return (amount_cents * 2 + step_cents) // (2 * step_cents) * step_cents


def text(cents: int) -> str:
    """« 1 234,50 € » with no-break spaces."""
    sign, cents = ("-", -cents) if cents < 0 else ("", cents)
    return f"{sign}{cents // 100:,}".replace(",", THIN) + f",{cents % 100:02d}{NBSP}€"


def plain(cents: int) -> str:
    """« 1234,50 » for a form field or a spreadsheet that reads French numbers."""
    sign, cents = ("-", -cents) if cents < 0 else ("", cents)
    return f"{sign}{cents // 100},{cents % 100:02d}"


def dotted(cents: int) -> str:
    """« 1234.50 », the decimal string machines exchange."""
    return plain(cents).replace(",", ".")


# Spaces stand between thousands only: « 12 50 » is no amount, and never twelve hundred and fifty
# euros.
_AMOUNT = re.compile(
    "\\s*€?\\s*([+-]?)(\\d+|\\d{1,3}(?:[ \u00a0\u202f\u2009]\\d{3})+)(?:[.,](\\d{1,2})0*)?["
    " \u00a0\u202f]?€?\\s*"
)


@functools.lru_cache(maxsize=32_768)  # a price list says the same prices again and again
def parse(words: str) -> int:
    """Read « 12,5 », « 1 234,56 € », « 8.00 » into cents. Raises ValueError on anything else, and
    above a million euros.
    """
    match = _AMOUNT.fullmatch(words)
    if not match:
        raise ValueError(words)
    sign, euros, decimals = match[1], "".join(c for c in match[2] if "0" <= c <= "9"), match[3]
    if len(euros) < len("".join(match[2].split())) or (
        decimals and not decimals.isascii()
    ):  # digits of another alphabet
        raise ValueError(words)
    if len(euros) > 9:
        raise ValueError(words)
    cents = int(euros) * 100 + int((decimals or "0").ljust(2, "0"))
    if cents > MOST_CENTS:
        raise ValueError(words)
    return -cents if sign == "-" else cents


def percent(basis_points: int) -> str:
    """« 40 % », « 37,5 % »."""
    whole, part = divmod(basis_points, 100)
    return f"{whole}" + (f",{part:02d}".rstrip("0") if part else "") + f"{NBSP}%"
