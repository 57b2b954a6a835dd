"""Sizes as people write them: one spelling for each, and their order on a shelf.

« 42,5 », « 42.5 », « 42 1/2 » and « 42½ » are one size; « xl » is « XL ». A scale is kept as it is
written (« 8,5 UK / 42,5 EU »); where sizes are filtered, counted and searched, labels that mean the
same European size are one.
"""

import re
from dataclasses import dataclass

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


# ── scales ──

# An adult's British size and its European one, as shoemakers print them beside each other in
# France; ISO/TS 19407 gives the same within half a size. A label that names both is believed first.
_UK = {
    "2": "34",
    "2,5": "35",
    "3": "35,5",
    "3,5": "36",
    "4": "37",
    "4,5": "37,5",
    "5": "38",
    "5,5": "39",
    "6": "39,5",
    "6,5": "40",
    "7": "41",
    "7,5": "41,5",
    "8": "42",
    "8,5": "42,5",
    "9": "43",
    "9,5": "44",
    "10": "44,5",
    "10,5": "45",
    "11": "46",
    "11,5": "46,5",
    "12": "47",
    "13": "48",
    "14": "49",
    "15": "50",
}
# A child's, which needs to be said: « 8 UK » alone is an adult's. Below 7 it could be a baby's or,
# as that scale begins again, a schoolchild's.
_UK_CHILD = {
    "7": "24",
    "8": "25",
    "8,5": "26",
    "9": "27",
    "10": "28",
    "11": "29",
    "11,5": "30",
    "12": "31",
    "12,5": "31",
    "13": "32",
}
_HALVES_AHEAD_OF_UK = {"men": 2, "women": 4}  # an American 9 is a British 8 for men, 7 for women
_WHO = {
    "m": "men",
    "h": "men",
    "men": "men",
    "homme": "men",
    "w": "women",
    "f": "women",
    "women": "women",
    "femme": "women",
    "c": "child",
    "k": "child",
    "kids": "child",
    "enfant": "child",
}
_NUMBER = r"(\d{1,2}(?:,5| [12]/3)?)"
_FOR = rf"(?:\s*({'|'.join(sorted(_WHO, key=len, reverse=True))})\b)?"
_SCALES = {"eu": "eu", "eur": "eu", "fr": "eu", "uk": "uk", "gb": "uk", "us": "us", "usa": "us"}
_SCALE = rf"({'|'.join(sorted(_SCALES, key=len, reverse=True))})"
_IN_A_SCALE = re.compile(
    rf"\b{_SCALE}{_FOR}\.?\s*{_NUMBER}(?![\d,]){_FOR}|(?<![\d,]){_NUMBER}{_FOR}\s*{_SCALE}\b{_FOR}",
    re.I,
)
_ALONE = re.compile(_NUMBER)
_SMALLEST, _LARGEST = 15, 55  # European sizes of shoes, a baby's to a giant's


@dataclass(frozen=True)
class Reading:
    """A size as a label gives it: its scale (« eu », « uk », « us »), for whom (« men », « women »,
    « child », or nobody said), its number, and where the words stand in the text.
    """

    scale: str
    who: str
    number: str
    start: int
    end: int

    @property
    def european(self) -> str:
        """The same size in the European scale; empty where it cannot be known: an American size
        needs to say whose it is.
        """
        if self.scale == "eu":
            return self.number if _is_european(self.number) else ""
        if self.scale == "uk":
            return (_UK_CHILD if self.who == "child" else _UK).get(self.number, "")
        if self.who not in _HALVES_AHEAD_OF_UK:
            return ""
        halves = _halves(self.number)
        return _UK.get(_of_halves(halves - _HALVES_AHEAD_OF_UK[self.who]), "") if halves else ""


def readings(text: str) -> list[Reading]:
    """Each size of a text that names its scale, in the order of the text: « 8,5 UK / 42,5 EU »."""
    found = []
    for match in _IN_A_SCALE.finditer(text):
        scale, number = match[1] or match[7], match[3] or match[5]
        who = next((match[n] for n in (2, 4, 6, 8) if match[n]), "")
        found.append(
            Reading(
                _SCALES[scale.lower()],
                _WHO.get(who.lower(), ""),
                number,
                *match.span(),
            )
        )
    return found


def european(text: str) -> str:
    """The European size a shoe's label means: itself where it is one already, the one it names
    among several scales, else the one its scale stands for; empty where nothing says.
    """
    plain = normal(text)
    if _ALONE.fullmatch(plain):
        return plain if _is_european(plain) else ""
    found = readings(plain)
    beside = _ALONE.findall(_without(plain, found))  # « 42,5 (8 UK) »
    named = {one.number for one in found if one.scale == "eu"} | set(beside if found else ())
    meant = {size for size in named if _is_european(size)} or {one.european for one in found}
    meant.discard("")
    return meant.pop() if len(meant) == 1 else ""  # « 36 EU / 37 EU » is two


def _without(text: str, found: list[Reading]) -> str:
    for one in reversed(found):
        text = text[: one.start] + " " + text[one.end :]
    return text


_SAME_LETTERS = {"2XL": "XXL", "XXXL": "3XL", "XXXXL": "4XL", "2XS": "XXS", "3XS": "XXXS"}


def same(text: str, *, of_a_shoe: bool) -> str:
    """The size by which labels that mean the same are filtered and counted together: « UK 8 » and
    « 42 » of shoes, « 2XL » and « XXL » of clothes.
    """
    plain = normal(text)
    return (european(plain) if of_a_shoe else "") or _SAME_LETTERS.get(plain, plain)


def _is_european(number: str) -> bool:
    return _SMALLEST <= int(re.split("[ ,]", number)[0]) <= _LARGEST


def _halves(number: str) -> int:
    """A size in half sizes; 0 for thirds, which only some makers of the European scale use."""
    whole, _comma, half = number.partition(",")
    return 2 * int(whole) + bool(half) if whole.isdigit() else 0


def _of_halves(halves: int) -> str:
    return f"{halves // 2},5" if halves % 2 else str(halves // 2)
