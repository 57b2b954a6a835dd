"""Spreadsheets in the format of Excel before 2007 (.xls), which many tills still export.

The library reads a file whole. Its format holds at most 65,536 lines of 256 cells, so the size of
the file bounds what it costs.
"""

import io
import struct
from pathlib import Path
from typing import Any

import xlrd
from flask_babel import gettext as _

from services.workflow import Refused

MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
MOST_BYTES, MOST_BYTES_ON_A_PAGE = 40_000_000, 6_000_000
MOST_SHEETS = 20
# What the library raises of files made by chance or by malice (40,000 mutations were tried).
_DAMAGES = (
    *(xlrd.XLRDError, xlrd.compdoc.CompDocError, xlrd.xldate.XLDateError, struct.error),
    *(AssertionError, AttributeError, ArithmeticError, LookupError, MemoryError),
    *(NotImplementedError, OSError, RecursionError, TypeError, ValueError),
)

Sheet = tuple[str, list[list[Any]]]


def is_one(start: bytes) -> bool:
    """Whether the first eight bytes of a file are those of an old spreadsheet."""
    return start.startswith(MAGIC)


def names(path: Path) -> list[str]:
    """The names of its sheets. Raises Refused when it is damaged."""
    try:
        found: list[str] = _book(path).sheet_names()
    except _DAMAGES:
        raise _damaged() from None
    return found[:MOST_SHEETS]


def read(path: Path, only: str = "", *, on_a_page: bool = False) -> list[Sheet]:
    """The sheets with their lines, or the one named `only` where it has one of that name. Raises
    Refused when the file is damaged, or larger than what may be read at once.
    """
    if path.stat().st_size > (MOST_BYTES_ON_A_PAGE if on_a_page else MOST_BYTES):
        raise Refused(_("This spreadsheet is too large once unpacked: export it as CSV."))
    try:
        book = _book(path)
        chosen = [only] if only in book.sheet_names() else book.sheet_names()[:MOST_SHEETS]
        return [
            (
                name,
                [[_value(cell, book.datemode) for cell in line] for line in sheet.get_rows()],
            )
            for name in chosen
            for sheet in [book.sheet_by_name(name)]
        ]
    except _DAMAGES:
        raise _damaged() from None


def _book(path: Path) -> Any:
    """Its sheets are read one by one, when they are asked for; what the library would print of a
    damaged file is thrown away.
    """
    return xlrd.open_workbook(
        str(path),
        logfile=io.StringIO(),
        on_demand=True,
        ragged_rows=True,
        ignore_workbook_corruption=True,
    )


def _value(cell: Any, datemode: int) -> Any:
    """A cell as the reader of new spreadsheets gives it: a date as a date, an error as nothing."""
    if cell.ctype == xlrd.XL_CELL_DATE:
        return xlrd.xldate.xldate_as_datetime(cell.value, datemode)
    if cell.ctype == xlrd.XL_CELL_BOOLEAN:
        return bool(cell.value)
    if cell.ctype in (xlrd.XL_CELL_ERROR, xlrd.XL_CELL_EMPTY, xlrd.XL_CELL_BLANK):
        return None
    return cell.value


def _damaged() -> Refused:
    return Refused(_("This spreadsheet cannot be read: save it again as XLSX or CSV."))
