"""The words of a text as the catalogue indexes and compares them."""

import re
import unicodedata
from functools import lru_cache

_LETTERS = str.maketrans({"’": "'", "œ": "oe", "æ": "ae", "ß": "ss", "ø": "o", "ł": "l", "đ": "d"})
_WORD = re.compile(r"[a-z0-9]+")
_JOINED = re.compile(r"[a-z0-9]+(?:[-./][a-z0-9]+)+")


@lru_cache(maxsize=20_000)
def _one(word: str) -> str:
    """« jeux » and « jeu », « chaussures » and « chaussure » are one word."""
    return word[:-1] if len(word) > 3 and word[-1] in "sx" and not word[-2].isdigit() else word


_DECIMAL = re.compile(r"(?<![\d.,])(\d{1,2})[.,](\d)(?![\d.,])")
_HALF = re.compile(r"(?<=\d)(?:½|\s+1/2\b)")


def with_decimals(text: str) -> str:
    """« 42,5 », « 42.5 » and « 42 1/2 » as one word, « 42v5 »: a half size is no 42 and no 5."""
    if "½" in text or "1/2" in text:
        text = _HALF.sub(",5", text)
    return _DECIMAL.sub(r"\1v\2", text) if "," in text or "." in text else text


def words_of(text: str) -> list[str]:
    """The words of a text as they are indexed and looked for: lower case, no accent, singular; «
    AB-1234 » is also « ab1234 ».
    """
    bare = with_decimals(text.lower())
    if not bare.isascii():
        bare = (
            unicodedata.normalize("NFKD", bare.translate(_LETTERS))
            .encode("ascii", "ignore")
            .decode()
        )
    found = [_one(word)[:40] for word in _WORD.findall(bare)]
    if "-" in bare or "." in bare or "/" in bare:
        found += [re.sub("[-./]", "", joined)[:40] for joined in _JOINED.findall(bare)]
    return found
