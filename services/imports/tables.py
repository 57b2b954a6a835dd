"""Files people give us, read line by line: any usual encoding and separator, columns in any order,
CSV, XLSX or XLS, titles above the header, the sheet that holds it, the marks other software leaves.

A file that cannot be read at all is refused with one sentence; a line that is wrong is refused
alone, with its number.
"""

import contextlib
import csv
import re
import threading
import unicodedata
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any, Self

import openpyxl
from flask_babel import gettext as _

from services import money
from services.imports import archives, old_spreadsheets
from services.workflow import Refused

MOST_LINES = 2_000_000
# A spreadsheet unpacked: all of it, and the table of its words, which the reader must hold whole. A
# bomb of 1 MB takes minutes and gigabytes.
MOST_UNPACKED, MOST_WORDS, MOST_SHARED = 400_000_000, 60_000_000, 800_000
# What a page opens itself (`on_a_page`): reading is paid by whoever waits for another page.
PAGE_UNPACKED, PAGE_SHARED, PATIENCE_SECONDS = 25_000_000, 150_000, 8
# A sheet somebody filled shrinks 5 to 30 times; one made to choke us, hundreds of times. Small
# parts may (an empty style sheet does).
MOST_RATIO, SMALL_PART = 100, 2_000_000
NAMES = (".csv", ".txt", ".tsv", ".xlsx", ".xls", ".zip")
PACKED = (".xlsx", ".zip")
# Of a header: a file of 4 MB of « ; » would be as many columns to look at.
MOST_COLUMNS, MOST_HEADER = 500, 50_000
csv.field_size_limit(100_000)


_is_on_a_page: ContextVar[bool] = ContextVar("is_on_a_page", default=False)
_one_spreadsheet = threading.Semaphore(1)


@contextlib.contextmanager
def on_a_page() -> Iterator[None]:
    """Files opened inside are opened for a page that somebody waits for: a spreadsheet is refused
    when it is too large for that, and spreadsheets are opened one after the other. Raises Refused.
    """
    if not _one_spreadsheet.acquire(timeout=PATIENCE_SECONDS):
        raise Refused(_("Other files are being looked at: try again in a minute."))
    token = _is_on_a_page.set(True)
    try:
        yield
    finally:
        _is_on_a_page.reset(token)
        _one_spreadsheet.release()


@dataclass
class Table:
    """A file opened for reading: how it was understood, its header, and its rows with their line
    numbers.
    """

    encoding: str
    separator: str
    header: list[str]
    rows: Iterator[tuple[int, list[str]]]


class Unclear(Refused):
    """A text with columns, whose header is not where we look: a person can say where it is."""


@dataclass
class Columns:
    """Which of our columns stands where in the file."""

    at: dict[str, int]
    unknown: list[str] = field(default_factory=list)


def check_name(path: Path, name: str) -> None:
    """The name of a file says what is in it: « .xlsx » for a spreadsheet, « .zip » for an archive,
    else « .csv », « .txt » or « .tsv ». « .xls » may be an old spreadsheet, a new one, or a text
    with columns: programs write all three under that name. Raises Refused.
    """
    suffix = Path(name).suffix.lower()
    with path.open("rb") as file:
        start = file.read(512)
    is_packed = start.startswith(b"PK\x03\x04")
    is_old = old_spreadsheets.is_one(start)
    if suffix not in NAMES:
        raise Refused(_("This file is no table: export it as CSV or XLSX."))
    if suffix == ".xls":
        if start.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"<"):
            raise Refused(_("This « .xls » is a web page: open it, and save it as XLSX or CSV."))
    elif is_old or (suffix in PACKED) != is_packed:
        raise Refused(_("This spreadsheet cannot be read: save it again as XLSX or CSV."))


Aliases = dict[str, tuple[str, ...]]
# Lines looked at for the header, from the top.
HEADER_WITHIN = 30
# The encodings a person may say, by the names they are shown under.
ENCODINGS = {
    "utf-8-sig": "UTF-8",
    "cp1252": "Windows (cp1252)",
    "cp850": "DOS (cp850)",
    "mac_roman": "Macintosh",
    "utf-16": "UTF-16",
}


@dataclass(frozen=True)
class Reading:
    """How a person said that a file is to be read; what is empty is found by itself. `line`: of
    the header, 1 is the first of the file or of the sheet.
    """

    encoding: str = ""
    separator: str = ""
    sheet: str = ""
    line: int = 0

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> Self:
        """From what a form or a row holds; what makes no sense counts as not said."""
        encoding, separator = str(said.get("encoding", "")), str(said.get("separator", ""))
        line = str(said.get("line", ""))
        is_line = line.isascii() and line.isdigit() and 1 <= int(line[:9]) <= MOST_LINES
        return cls(
            encoding if encoding in ENCODINGS else "",
            separator if len(separator) == 1 and separator in SEPARATORS + RARE_SEPARATORS else "",
            str(said.get("sheet", ""))[:100],
            int(line) if is_line else 0,
        )


BY_ITSELF = Reading()


def open_table(path: Path, aliases: Aliases | None = None, reading: Reading = BY_ITSELF) -> Table:
    """Open a CSV, XLSX or XLS file. Its header is the first line of the file, unless a line below
    (in a spreadsheet, also of another sheet) names at least two of the columns that `aliases`
    knows, and more of them, or `reading` says where it is. Raises Refused with the sentence when it
    is no table.
    """
    known = {fold(word) for name, words in (aliases or {}).items() for word in (name, *words)}
    with path.open("rb") as file:
        start = file.read(8)
    if archives.is_archive(path):
        table = _open_pictures(path)
        if known and fold(PICTURE_COLUMN) not in known:
            raise Refused(_("This archive holds pictures: choose « Pictures (ZIP) »."))
        return table
    if start.startswith(b"PK\x03\x04"):
        return _open_xlsx(path, known, reading)
    if old_spreadsheets.is_one(start):
        return _open_xls(path, known, reading)
    if start.startswith((b"%PDF", b"\x89PNG", b"\xff\xd8\xff", b"GIF8")):
        raise Refused(_("This file is no table: export it as CSV or XLSX."))
    return _open_csv(path, known, reading)


def sheets(path: Path) -> list[str]:
    """The names of the sheets of a spreadsheet; none of another file, or of a damaged one."""
    with path.open("rb") as file:
        start = file.read(8)
    try:
        if old_spreadsheets.is_one(start):
            return old_spreadsheets.names(path)
        if not start.startswith(b"PK\x03\x04"):
            return []
        with zipfile.ZipFile(path) as parts:
            _refuse_swollen(parts)
        book = openpyxl.load_workbook(path.open("rb"), read_only=True)
        return [sheet.title for sheet in book.worksheets[:MOST_SHEETS]]
    except (Refused, *_DAMAGES):
        return []


def _header_among(rows: Iterable[list[str]], known: set[str]) -> tuple[int, int]:
    """The place of the row that names most of the columns we know, and how many; (0, 0) when none
    names two.
    """
    best = (0, 0)
    for place, row in enumerate(rows):
        score = len({fold(cell) for cell in row} & known)
        if score >= 2 and score > best[1]:
            best = place, score
    return best


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
    ours: dict[str, tuple[int, str]] = {}
    for name, names in aliases.items():
        if name not in chosen.values():
            for rank, alias in enumerate((name, *names)):
                ours.setdefault(fold(alias), (rank, name))
    ours |= {title: (-1, name) for title, name in chosen.items()}
    found, ranks = Columns({}), dict[str, int]()
    for position, title in enumerate(header):
        rank, name = ours.get(fold(title), (0, ""))
        if name and rank < ranks.get(name, 1_000):
            found.at[name], ranks[name] = position, rank
    taken = set(found.at.values())
    found.unknown = [
        title.strip()
        for position, title in enumerate(header)
        if position not in taken and title.strip()
    ]
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
        cents = money.parse(_plain_amount(words))
    except ValueError:
        raise Refused(_("« %(words)s » is no amount: write 12,50.", words=words[:20])) from None
    if cents < 0:
        raise Refused(_("« %(words)s » is negative.", words=words[:20]))
    return cents


_AMOUNT = re.compile(r"(-?)(\d[\d., \u00a0\u202f']*?)(?:\s*(?:EUR|€|euros?))?", re.I)


def _plain_amount(words: str) -> str:
    """An amount as a spreadsheet or another country writes it, where there is no doubt: « 1.234,56
    », « 1,234.50 », « 1'234.50 », « 16.666667 » (rounded to the cent), « 12,50 EUR ». « 1.234 » may
    be one euro or a thousand: it is left as it is.
    """
    found = _AMOUNT.fullmatch(words.strip())
    if found is None:
        return words
    sign, digits = found[1], found[2].strip()
    if any(c.isspace() for c in digits):  # groups of thousands: `money.parse` knows them
        return sign + digits
    if "'" in digits:  # groups of thousands as the Swiss write them: « 1'234.50 »
        if not re.fullmatch(r"\d{1,3}('\d{3})+([.,]\d+)?", digits):
            return words
        digits = digits.replace("'", "")
    marks = [c for c in digits if c in ".,"]
    if len(set(marks)) == 2:  # the last mark is that of the decimals, the other groups thousands
        last = marks[-1]
        whole, _mark, part = digits.rpartition(last)
        groups = re.split(r"[.,]", whole)
        if last in whole or any(len(group) != 3 for group in groups[1:]):
            return words
        digits = f"{''.join(groups)}.{part}"
    digits = digits.replace(",", ".")
    whole, _dot, part = digits.partition(".")
    if len(part) > 3 and part.isdigit():
        digits = str(Decimal(digits).quantize(Decimal("0.01"), ROUND_HALF_UP))
    return sign + digits


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


def first_lines(path: Path, most: int = 12) -> list[str]:
    """The first lines of a text as they stand, for who must say how they are cut; [] of a
    spreadsheet.
    """
    with path.open("rb") as file:
        start = file.read(4000)
    if start.startswith(b"PK"):
        return []
    try:
        text = start.decode(_encoding(path), "replace")
    except (Refused, LookupError):
        text = start.decode("cp1252", "replace")
    return [line[:200] for line in text.splitlines()[:most]]


SEPARATORS = ";,\t|"
# Too common within words to be guessed: a person says them.
RARE_SEPARATORS = "^~:#"


def _open_csv(path: Path, known: set[str], reading: Reading) -> Table:
    encoding = reading.encoding or _encoding(path)
    with path.open(encoding=encoding, newline="", errors="strict") as top:
        lines = [line.lstrip("\ufeff").rstrip("\r\n") for line in islice(top, HEADER_WITHIN)]
    is_twice = not reading.encoding and _is_encoded_twice("\n".join(lines))
    skip = 0
    if reading.line:
        with path.open(encoding=encoding, newline="", errors="strict") as top:
            lines = [line.rstrip("\r\n") for line in islice(top, reading.line - 1, reading.line)]
        skip = reading.line - 1
        separator = reading.separator or max(SEPARATORS, key=(lines or [""])[0].count)
    elif lines and (said := re.fullmatch(r"sep=(.)", lines[0])):  # what a spreadsheet reads first
        lines, skip = lines[1:], 1
        separator = reading.separator or said[1]
    else:
        place, _score = _header_among(
            (line.split(reading.separator or max(SEPARATORS, key=line.count)) for line in lines),
            known,
        )
        lines, skip = lines[place:], place
        separator = reading.separator or max(SEPARATORS, key=(lines or [""])[0].count)
    if not any(line.strip() for line in lines):
        if reading.line:
            raise Refused(
                _("Line %(line)s of this file is empty, or there is none.", line=reading.line)
            )
        raise Refused(_("This file is empty."))
    if not lines or not lines[0].strip() or lines[0].count(separator) == 0:
        marks = SEPARATORS + RARE_SEPARATORS
        is_table = any(line.count(mark) for line in lines for mark in marks)
        raise (Unclear if is_table else Refused)(
            _("This file is no table: its first line must name the columns, separated by « ; ».")
        )
    file = path.open(encoding=encoding, newline="", errors="strict")
    for _line in range(skip):
        file.readline()
    reader = csv.reader(_tidied(file, is_twice), delimiter=separator)

    def rows() -> Iterator[tuple[int, list[str]]]:
        with file:
            while True:
                line = skip + reader.line_num + 1
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
    header = [h.lstrip("\ufeff") for h in header]
    _check_width(header)
    return Table(f"{encoding} ×2" if is_twice else encoding, separator, header, stream)


def _check_width(header: list[str]) -> None:
    if len(header) > MOST_COLUMNS or sum(map(len, header)) > MOST_HEADER:
        raise Refused(
            _("This file has over %(most)s columns: keep those that are needed.", most=MOST_COLUMNS)
        )


# « ="0045…" »: how a spreadsheet is told to leave a number alone; quoted once more in a CSV.
_FORMULA_TEXT = re.compile(r'=(""?)([^"]*)\1')


def _tidied(file: Iterable[str], is_twice: bool) -> Iterator[str]:
    """Lines without the marks other software leaves in them."""
    for line in file:
        if "\0" in line:
            line = line.replace("\0", "")
        if '="' in line:
            line = _FORMULA_TEXT.sub(r"\2", line)
        if is_twice and not line.isascii():
            with contextlib.suppress(UnicodeError):
                line = line.encode("cp1252").decode("utf-8")
        yield line


_TWICE = re.compile("[ÂÃ][\u0080-\u00bf\u0152-\u2122]|â€")


def _is_encoded_twice(text: str) -> bool:
    """« PokÃ©mon »: UTF-8 that was read as the Windows page and written as UTF-8 again."""
    letters = sum(not c.isascii() for c in text)
    return letters > 0 and 2 * len(_TWICE.findall(text)) >= 0.6 * letters


def _encoding(path: Path) -> str:
    """utf-8 (with or without BOM), utf-16, else the page of western Europe (of Windows, of DOS, of
    an old Macintosh) in which the letters look French.
    """
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
    for encoding in ("utf-8", _looks_french(path)):
        with (
            contextlib.suppress(UnicodeDecodeError),
            path.open(encoding=encoding, newline="") as text,
        ):
            while text.read(1 << 20):
                pass
            return encoding
    raise Refused(_("This file's letters cannot be read: save it as « CSV UTF-8 »."))


_FRENCH = set("éèêëàâçùûüîïôöœæÉÈÊËÀÂÇÙÛÜÎÏÔÖŒÆ’«»°€²³–—…®™\u00a0")


def _looks_french(path: Path) -> str:
    """The old page in which most of the letters beyond ASCII are those of French; Windows, when
    another is no better.
    """
    with path.open("rb") as file:
        sample = bytes(byte for byte in file.read(1 << 20) if byte >= 0x80)[:20_000]
    scores = {
        page: sum(c in _FRENCH for c in sample.decode(page, errors="replace"))
        for page in ("cp1252", "cp850", "mac_roman")
    }
    best = max(scores, key=lambda page: scores[page])
    return best if scores[best] > 1.5 * scores["cp1252"] else "cp1252"


# What openpyxl raises at a damaged file.
_DAMAGES = (
    zipfile.BadZipFile,
    KeyError,
    ValueError,
    OSError,
    IndexError,
    AttributeError,
    SyntaxError,
)
MOST_SHEETS = 20


class Uncomputed(str):
    """A cell whose formula was written by a program that computes none: it has no value, and this
    is the formula.
    """


def _open_xlsx(path: Path, known: set[str], reading: Reading) -> Table:
    damaged = Refused(_("This spreadsheet cannot be read: save it again as XLSX or CSV."))
    try:
        with zipfile.ZipFile(path) as parts:
            _refuse_swollen(parts)
        book = openpyxl.load_workbook(path.open("rb"), read_only=True, data_only=True)
        sheet, top = _sheet_and_line(book, known, reading)
        lines = sheet.iter_rows(min_row=top, values_only=True)
        header = [_cell(c) for c in next(lines, ())]
        formulas = _formulas_without_value(path, sheet.title, top)
    except _DAMAGES:
        raise damaged from None
    if not any(header):
        raise Refused(_("This file is no table: its first line must name the columns."))
    _check_width(header)

    def rows() -> Iterator[tuple[int, list[str]]]:
        try:
            for number, cells in enumerate(lines, start=top + 1):
                texts = [_cell(c) for c in cells[:MOST_COLUMNS]]
                if formulas is not None:
                    texts = _with_formulas(texts, next(formulas, ()))
                if any(texts):
                    yield number, texts
        except (zlib.error, EOFError, *_DAMAGES):
            raise damaged from None
        book.close()

    return Table("xlsx", "", header, rows())


def _open_xls(path: Path, known: set[str], reading: Reading) -> Table:
    sheets = old_spreadsheets.read(path, reading.sheet, on_a_page=_is_on_a_page.get())
    best: tuple[list[list[Any]], int, int] = (sheets[0][1] if sheets else [], reading.line or 1, 0)
    for _name, lines in sheets if not reading.line else ():
        top = ([_cell(cell) for cell in line[:MOST_COLUMNS]] for line in lines[:HEADER_WITHIN])
        place, score = _header_among(top, known)
        if score > best[2]:
            best = (lines, place + 1, score)
    lines, top_line, _score = best
    header = [_cell(cell) for cell in (lines[top_line - 1] if len(lines) >= top_line else ())]
    if not any(header):
        raise Refused(_("This file is no table: its first line must name the columns."))
    _check_width(header)

    def rows() -> Iterator[tuple[int, list[str]]]:
        for number, line in enumerate(lines[top_line:], start=top_line + 1):
            texts = [_cell(cell) for cell in line[:MOST_COLUMNS]]
            if any(texts):
                yield number, texts

    return Table("xls", "", header, rows())


PICTURE_COLUMN = "fichier"


def _open_pictures(path: Path) -> Table:
    """An archive of pictures as a table of their names."""
    names = archives.picture_names(path)
    rows = ((line, [name]) for line, name in enumerate(names, 1))
    return Table("zip", "", [PICTURE_COLUMN], rows)


def _refuse_swollen(parts: zipfile.ZipFile) -> None:
    """Raises Refused when a spreadsheet is too large once unpacked."""
    sizes = {part.filename: part.file_size for part in parts.infolist()}
    words = sum(size for name, size in sizes.items() if not name.startswith("xl/worksheets/"))
    swollen = any(
        part.file_size > SMALL_PART and part.file_size > MOST_RATIO * part.compress_size
        for part in parts.infolist()
    )
    on_a_page = _is_on_a_page.get()
    most_unpacked, most_shared = (
        (PAGE_UNPACKED, PAGE_SHARED) if on_a_page else (MOST_UNPACKED, MOST_SHARED)
    )
    if (
        swollen
        or sum(sizes.values()) > most_unpacked
        or words > MOST_WORDS
        or _count_shared(parts) > most_shared
    ):
        raise Refused(_("This spreadsheet is too large once unpacked: export it as CSV."))


# A cell of a sheet: a formula, and no value behind it.
_NO_VALUE = re.compile(rb"(?:</f>|<f\b[^>]*/>)\s*(?:<v\s*/>|<v></v>)?\s*</c>")


def _formulas_without_value(path: Path, title: str, top: int) -> Iterator[tuple[Any, ...]] | None:
    """The same rows with the formulas instead of their values, below the header; None when every
    formula has its value, as in what a spreadsheet program saved.
    """
    with zipfile.ZipFile(path) as parts:
        names = [n for n in parts.namelist() if n.startswith("xl/worksheets/")]
        if not any(_has_formula_without_value(parts, name) for name in names):
            return None
    sheet = openpyxl.load_workbook(path.open("rb"), read_only=True)[title]
    sheet.reset_dimensions()
    rows: Iterator[tuple[Any, ...]] = iter(sheet.iter_rows(min_row=top + 1, values_only=True))
    return rows


def _has_formula_without_value(parts: zipfile.ZipFile, name: str) -> bool:
    with parts.open(name) as file:
        end = b""
        while block := file.read(1 << 20):
            if _NO_VALUE.search(end + block):
                return True
            end = block[-200:]
    return False


def _with_formulas(texts: list[str], formulas: Sequence[Any]) -> list[str]:
    return [
        Uncomputed(formula)
        if not text and isinstance(formula, str) and formula.startswith("=")
        else text
        for text, formula in zip_longest(texts, formulas[: len(texts)], fillvalue="")
    ]


def _count_shared(parts: zipfile.ZipFile) -> int:
    """How many words the cells of a spreadsheet share, and parts of words with a look of their
    own: reading them costs by each.
    """
    count = 0
    for part in parts.infolist():
        if part.filename.lower().endswith("sharedstrings.xml"):
            with parts.open(part) as file:
                while block := file.read(1 << 20):
                    count += block.count(b"<si") + block.count(b"<r>") + block.count(b"<r ")
    return count


def _sheet_and_line(book: Any, known: set[str], reading: Reading) -> tuple[Any, int]:
    """The sheet that holds the table, and the line of its header (1 is the first)."""
    looked_at = book.worksheets[:MOST_SHEETS]
    if chosen := [sheet for sheet in looked_at if sheet.title == reading.sheet]:
        looked_at = chosen
    best = (looked_at[0], reading.line or 1, 0)
    for sheet in looked_at:
        sheet.reset_dimensions()  # what the file says of its own width is not believed
        if reading.line:
            continue
        rows = sheet.iter_rows(max_row=HEADER_WITHIN, values_only=True)
        place, score = _header_among(
            ([_cell(c) for c in row[:MOST_COLUMNS]] for row in rows), known
        )
        if score > best[2]:
            best = (sheet, place + 1, score)
    return best[0], best[1]


def _cell(value: Any) -> str:
    """A cell as typed. A whole number keeps all its digits (a barcode is one); a decimal keeps its
    comma.
    """
    if value is None:
        return ""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else f"{value:.10g}".replace(".", ",")
    return str(value)
