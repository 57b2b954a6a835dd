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


def words_of(text: str) -> list[str]:
    """The words of a text as they are indexed and looked for: lower case, no accent, singular; «
    AB-1234 » is also « ab1234 ».
    """
    bare = text.lower()
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
