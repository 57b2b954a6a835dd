"""Sizes as people write them: one spelling for each, and their order on a shelf.

« 42,5 », « 42.5 », « 42 1/2 » and « 42½ » are one size; « xl » is « XL ». Scales are kept as they
are written: « 8,5 UK / 42,5 EU ».
"""

import re

_VULGAR = str.maketrans(
    {"½": " 1/2", "⅓": " 1/3", "⅔": " 2/3", "¼": " 1/4", "¾": " 3/4", "⁄": "/", "\u00a0": " "}
)
_HALF = re.compile(r"(?<=\d)\s+1/2\b")
_DECIMAL = re.compile(r"(?<![\d.,])(\d{1,3})[.,](\d{1,2})(?![\d.,])")
_LETTERS = re.compile(r"\d{0,2}x{0,4}[sml]|t\.?u\.?", re.I)
_ON_THE_SHELF = [
    "XXXS",
    "XXS",
    "XS",
    "S",
    "M",
    "L",
    "XL",
    "XXL",
    "2XL",
    "XXXL",
    "3XL",
    "4XL",
    "5XL",
]


def normal(text: str) -> str:
    """The one spelling of a size."""
    plain = " ".join(text.translate(_VULGAR).split())
    plain = _DECIMAL.sub(_decimal, _HALF.sub(",5", plain))
    return plain.upper() if _LETTERS.fullmatch(plain) else plain


def _decimal(found: re.Match[str]) -> str:
    part = found[2].rstrip("0")
    return f"{found[1]},{part}" if part else found[1]


_MONTH = (
    r"(?:janv?|f[ée]v|mars?|avr|apr|mai|may|juin|jun|juil|jul|ao[ûu]t|aug|sept?|oct|nov|d[ée]c)"
)
_DATE = re.compile(
    rf"\d{{1,2}}[-/ ]{_MONTH}\.?|{_MONTH}\.?[-/ ]\d{{1,2}}|\d{{1,2}}/\d{{1,2}}/\d{{2,4}}"
    r"|\d{4}-\d{2}-\d{2}(?: \d{2}:\d{2}:\d{2})?",
    re.I,
)


def is_a_date(text: str) -> bool:
    """« 03-avr », « 2026-04-03 00:00:00 »: what a spreadsheet makes of « 3-4 » typed as a size."""
    return _DATE.fullmatch(text.strip()) is not None


def order(size: str) -> tuple[int, int, str]:
    """The place of a size among others: letters from the smallest, then numbers, then words."""
    if size.upper() in _ON_THE_SHELF:
        return 0, _ON_THE_SHELF.index(size.upper()), ""
    if found := re.match(r"(\d+)(?:,(\d{1,3}))?(?: (\d)/([1-9]))?", size):
        thousandths = int(found[1]) * 1000 + int((found[2] or "0").ljust(3, "0"))
        return 1, thousandths + (1000 * int(found[3]) // int(found[4]) if found[4] else 0), size
    return 2, 0, size.lower()
