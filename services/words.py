"""What people type, without what nobody sees: controls, direction marks, fillers, characters that
are none.
"""

import re
import unicodedata

# Look like nothing, and are letters or symbols to Unicode: Hangul fillers, the blank Braille cell,
# replacement marks.
_BLANKS = set("\u115f\u1160\u3164\uffa0\u2800\ufffc\ufffd")
_PLAIN = re.compile(r"[\x20-\x7e\u00a1-\u00ac\u00ae-\u017f]*")
# What XML 1.0 cannot hold (and so neither a spreadsheet, a drawing nor a bank's file).
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def visible(text: str) -> str:
    """The same text without control characters, direction and format marks, private, unassigned and
    blank ones; line breaks are spaces.
    """
    if _PLAIN.fullmatch(text):  # nearly everything: no look at each character
        return text
    return "".join(" " if c in "\t\n\r" else c for c in text if c in "\t\n\r" or not _is_unseen(c))


def paragraphs(text: str) -> str:
    """The same of a text of several lines, which stay."""
    return "\n".join(visible(line) for line in text.splitlines()).strip()


def xml_safe(text: str) -> str:
    """The same text without what XML cannot hold."""
    return _NOT_XML.sub("", text)


def _is_unseen(c: str) -> bool:
    return (
        c in _BLANKS
        or unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Cn")
        or 0xE0100 <= ord(c) <= 0xE01EF
        or 0xFE00 <= ord(c) <= 0xFE0F
    )
