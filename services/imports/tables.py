"""Files people give us, read line by line: any usual encoding and separator, columns in any order,
CSV or XLSX.

A file that cannot be read at all is refused with one sentence; a line that is wrong is refused
alone, with its number.
"""

import contextlib
import csv
import re
import unicodedata
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import openpyxl
from flask_babel import gettext as _

from services import money
from services.workflow import Refused

MOST_LINES = 2_000_000
# A spreadsheet unpacked: all of it, and the table of its words, which the reader must hold whole. A
# bomb of 1 MB takes minutes and gigabytes.
MOST_UNPACKED, MOST_WORDS = 400_000_000, 60_000_000
# A sheet somebody filled shrinks 5 to 30 times; one made to choke us, hundreds of times. Small
# parts may (an empty style sheet does).
MOST_RATIO, SMALL_PART = 100, 2_000_000
NAMES = (".csv", ".txt", ".tsv", ".xlsx")
csv.field_size_limit(100_000)


@dataclass
class Table:
    """A file opened for reading: how it was understood, its header, and its rows with their line
    numbers.
    """

    encoding: str
    separator: str
    header: list[str]
    rows: Iterator[tuple[int, list[str]]]


@dataclass
class Columns:
    """Which of our columns stands where in the file."""

    at: dict[str, int]
    unknown: list[str] = field(default_factory=list)


def check_name(path: Path, name: str) -> None:
    """The name of a file says what is in it: « .xlsx » for a spreadsheet, else « .csv », « .txt »
    or « .tsv ». Raises Refused.
    """
    suffix = Path(name).suffix.lower()
    with path.open("rb") as file:
        is_packed = file.read(4) == b"PK\x03\x04"
    if suffix not in NAMES:
        raise Refused(_("This file is no table: export it as CSV or XLSX."))
    if (suffix == ".xlsx") != is_packed:
        raise Refused(_("This spreadsheet cannot be read: save it again as XLSX or CSV."))


def open_table(path: Path) -> Table:
    """Open a CSV or XLSX file. Raises Refused with the sentence when it is neither."""
    with path.open("rb") as file:
        start = file.read(8)
    if start.startswith(b"PK\x03\x04"):
        return _open_xlsx(path)
    if start.startswith((b"%PDF", b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"\xd0\xcf\x11\xe0")):
        raise Refused(_("This file is no table: export it as CSV or XLSX."))
    return _open_csv(path)


def columns(
    header: list[str],
    aliases: dict[str, tuple[str, ...]],
    required: tuple[str, ...],
    mapping: dict[str, str] | None = None,
) -> Columns:
    """Find our columns in a header, whatever their order; `mapping` (ours -> the file's name) is
    what a person said, perhaps of another file, and comes first where this header has that name.

    Raises Refused naming what is missing and what was found.
    """
    titles = {fold(title) for title in header}
    chosen = {
        fold(title): name
        for name, title in (mapping or {}).items()
        if name in aliases and fold(title) in titles
    }
    ours = {
        fold(alias): name
        for name, names in aliases.items()
        for alias in (name, *names)
        if name not in chosen.values()
    } | chosen
    found = Columns({})
    for position, title in enumerate(header):
        name = ours.get(fold(title))
        if name and name not in found.at:
            found.at[name] = position
        elif title.strip():
            found.unknown.append(title.strip())
    missing = [aliases[name][0] for name in required if name not in found.at]
    if missing:
        raise Refused(
            _(
                "The column « %(missing)s » is missing. The first line of this file names:"
                " %(found)s.",
                missing=" », « ".join(missing),
                found=", ".join(t.strip() for t in header if t.strip())[:200] or "—",
            )
        )
    return found


def fold(words: str) -> str:
    """« Code-barres » and « code barres » are one: lower case, no accent, no separator."""
    bare = unicodedata.normalize("NFKD", words.strip().lower())
    return re.sub(r"[^a-z0-9]", "", bare)


def amount(words: str) -> int | None:
    """An amount of a line in cents, None when the cell is empty. Raises Refused with the sentence
    when it is no amount.
    """
    if not words or not words.strip():
        return None
    try:
        cents = money.parse(words)
    except ValueError:
        raise Refused(_("« %(words)s » is no amount: write 12,50.", words=words[:20])) from None
    if cents < 0:
        raise Refused(_("« %(words)s » is negative.", words=words[:20]))
    return cents


def neutral(words: str) -> str:
    """A cell no spreadsheet will run as a formula."""
    start = words.lstrip(" \u00a0\u200b\ufeff")[:1]
    return (
        "'" + words
        if start
        and start in "=+-@\t\r\n＝＋－＠"
        and not re.fullmatch(r"[+-]?[\d\s]+([.,]\d+)?", words)
        else words
    )


def chunks(rows: Iterable[Any], size: int) -> Iterator[list[Any]]:
    source = iter(rows)
    while chunk := list(islice(source, size)):
        yield chunk


def _open_csv(path: Path) -> Table:
    encoding = _encoding(path)
    file = path.open(encoding=encoding, newline="", errors="strict")
    first = file.readline()
    separator = max(";,\t|", key=first.count)
    if not first.strip() or first.count(separator) == 0:
        file.close()
        raise Refused(
            _("This file is no table: its first line must name the columns, separated by « ; ».")
        )
    file.seek(0)
    reader = csv.reader(_without_nul(file), delimiter=separator)

    def rows() -> Iterator[tuple[int, list[str]]]:
        with file:
            while True:
                line = reader.line_num + 1
                try:
                    cells = next(reader)
                except StopIteration:
                    return
                except csv.Error:
                    yield line, []
                    continue
                if line > MOST_LINES:
                    raise Refused(_("This file has over %(most)s lines: cut it.", most=MOST_LINES))
                if any(cells):
                    yield line, cells

    stream = rows()
    _line, header = next(stream, (0, []))
    return Table(encoding, separator, [h.lstrip("\ufeff") for h in header], stream)


def _without_nul(file: Iterable[str]) -> Iterator[str]:
    for line in file:
        yield line.replace("\0", "") if "\0" in line else line


def _encoding(path: Path) -> str:
    """utf-8 (with or without BOM), utf-16, else the Windows page of western Europe."""
    with path.open("rb") as file:
        start = file.read(4096)
        if start.startswith(b"\xef\xbb\xbf"):
            return "utf-8-sig"
        if start.startswith((b"\xff\xfe", b"\xfe\xff")):
            return "utf-16"
        if len(start) > 1 and start[1::2].count(0) > len(start) // 4:
            return "utf-16-le"
        if len(start) > 1 and start[0::2].count(0) > len(start) // 4:
            return "utf-16-be"
    for encoding in ("utf-8", "cp1252"):
        with (
            contextlib.suppress(UnicodeDecodeError),
            path.open(encoding=encoding, newline="") as text,
        ):
            while text.read(1 << 20):
                pass
            return encoding
    raise Refused(_("This file's letters cannot be read: save it as « CSV UTF-8 »."))


def _open_xlsx(path: Path) -> Table:
    damaged = Refused(_("This spreadsheet cannot be read: save it again as XLSX or CSV."))
    try:
        with zipfile.ZipFile(path) as parts:
            sizes = {part.filename: part.file_size for part in parts.infolist()}
            words = sum(
                size for name, size in sizes.items() if not name.startswith("xl/worksheets/")
            )
            swollen = any(
                part.file_size > SMALL_PART and part.file_size > MOST_RATIO * part.compress_size
                for part in parts.infolist()
            )
            if swollen or sum(sizes.values()) > MOST_UNPACKED or words > MOST_WORDS:
                raise Refused(_("This spreadsheet is too large once unpacked: export it as CSV."))
        book = openpyxl.load_workbook(path.open("rb"), read_only=True, data_only=True)
        sheet = book.worksheets[0]
        sheet.reset_dimensions()  # what the file says of its own width is not believed
        lines = sheet.iter_rows(values_only=True)
        header = [_cell(c) for c in next(lines, ())]
    except (
        zipfile.BadZipFile,
        KeyError,
        ValueError,
        OSError,
        IndexError,
        AttributeError,
        SyntaxError,
    ):
        raise damaged from None
    if not any(header):
        raise Refused(_("This file is no table: its first line must name the columns."))

    def rows() -> Iterator[tuple[int, list[str]]]:
        try:
            for number, cells in enumerate(lines, start=2):
                texts = [_cell(c) for c in cells]
                if any(texts):
                    yield number, texts
        except (
            zipfile.BadZipFile,
            zlib.error,
            KeyError,
            ValueError,
            EOFError,
            OSError,
            SyntaxError,
        ):
            raise damaged from None
        book.close()

    return Table("xlsx", "", header, rows())


def _cell(value: Any) -> str:
    """A cell as typed. A whole number keeps all its digits (a barcode is one); a decimal keeps its
    comma.
    """
    if value is None:
        return ""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else f"{value:.10g}".replace(".", ",")
    return str(value)
