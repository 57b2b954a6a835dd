"""Spreadsheets in the format of Excel before 2007 (.xls), which many tills still export.

The library reads a file whole, and a file may be made to keep it busy for ever or to fill the
memory: it works in a process of its own, with a limit of time, of memory and of cells.
"""

import io
import json
import resource
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
MOST_BYTES, MOST_BYTES_ON_A_PAGE = 40_000_000, 6_000_000
SECONDS, SECONDS_ON_A_PAGE = 120, 15
MOST_MEMORY = 900_000_000  # bytes of the process that reads
MOST_CELLS = 3_000_000
MOST_SHEETS = 20
_DAMAGED, _TOO_LARGE = 3, 4  # what the process ends with

Sheet = tuple[str, list[list[Any]]]


def is_one(start: bytes) -> bool:
    """Whether the first eight bytes of a file are those of an old spreadsheet."""
    return start.startswith(MAGIC)


def names(path: Path) -> list[str]:
    """The names of its sheets. Raises Refused when it is damaged."""
    return [name for name, _lines in _read("names", path, "", SECONDS_ON_A_PAGE)]


def read(path: Path, only: str = "", *, on_a_page: bool = False) -> list[Sheet]:
    """The sheets with their lines, or the one named `only` where it has one of that name. Raises
    Refused when the file is damaged, or larger than what may be read at once.
    """
    if path.stat().st_size > (MOST_BYTES_ON_A_PAGE if on_a_page else MOST_BYTES):
        raise _too_large()
    return _read("sheets", path, only, SECONDS_ON_A_PAGE if on_a_page else SECONDS)


def _read(what: str, path: Path, only: str, seconds: int) -> list[Sheet]:
    command = [sys.executable, "-m", __name__, what, str(path), only]
    root = Path(__file__).parent.parent.parent
    try:
        done = subprocess.run(command, cwd=root, capture_output=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        raise _too_large() from None
    if done.returncode == 0:
        return [(name, lines) for name, lines in json.loads(done.stdout)]
    raise _damaged() if done.returncode == _DAMAGED else _too_large()


def _damaged() -> Exception:
    from flask_babel import gettext as _

    from services.workflow import Refused

    return Refused(_("This spreadsheet cannot be read: save it again as XLSX or CSV."))


def _too_large() -> Exception:
    from flask_babel import gettext as _

    from services.workflow import Refused

    return Refused(_("This spreadsheet is too large once unpacked: export it as CSV."))


# ── in the process that reads ──


def main() -> None:
    """Write the sheets of a file as JSON; end with `_DAMAGED` or `_TOO_LARGE` when it cannot be."""
    import xlrd

    what, path, only = sys.argv[1:4]
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    try:
        book = xlrd.open_workbook(
            path,
            logfile=io.StringIO(),  # what the library would print of a damaged file
            on_demand=True,
            ragged_rows=True,
            ignore_workbook_corruption=True,
        )
        chosen = [only] if only in book.sheet_names() else book.sheet_names()[:MOST_SHEETS]
        found: list[Sheet] = []
        cells = 0
        for name in chosen:
            lines = []
            for line in book.sheet_by_name(name).get_rows() if what == "sheets" else ():
                cells += len(line)
                if cells > MOST_CELLS:
                    sys.exit(_TOO_LARGE)
                lines.append([_value(cell, book.datemode) for cell in line])
            book.unload_sheet(name)
            found.append((name, lines))
    except MemoryError:
        sys.exit(_TOO_LARGE)
    except (
        # What the library raises of files made by chance or by malice (8,000 were tried).
        *(xlrd.XLRDError, xlrd.compdoc.CompDocError, struct.error, AssertionError),
        *(AttributeError, ArithmeticError, LookupError, NotImplementedError, OSError),
        *(RecursionError, TypeError, ValueError),
    ):
        sys.exit(_DAMAGED)
    json.dump(found, sys.stdout)


def _value(cell: Any, datemode: int) -> Any:
    """A cell as the reader of new spreadsheets gives it: a date in words, an error as nothing. A
    number that only looks like a date (a barcode in a column of dates) stays a number.
    """
    import xlrd

    if cell.ctype == xlrd.XL_CELL_DATE:
        try:
            return str(xlrd.xldate.xldate_as_datetime(cell.value, datemode))
        except (xlrd.xldate.XLDateError, ArithmeticError, ValueError):
            return cell.value
    if cell.ctype in (xlrd.XL_CELL_ERROR, xlrd.XL_CELL_EMPTY, xlrd.XL_CELL_BLANK):
        return None
    return cell.value


if __name__ == "__main__":
    main()
