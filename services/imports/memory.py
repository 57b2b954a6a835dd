"""What a person said once of a file, remembered for the next one: how it is read and which of its
columns are ours, for each vendor, kind of file and header.
"""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import bindparam, select

from models import ColumnMapping
from services.imports import tables
from services.unit import db
from services.workflow import Refused

_OF = select(ColumnMapping).where(
    ColumnMapping.owner == bindparam("owner"), ColumnMapping.kind == bindparam("kind")
)


@dataclass(frozen=True)
class Said:
    """What was said of files with a header: our column -> the file's name for it, how the file is
    read, and whether it was all there is (`mode`, proposed on the screen, believed nowhere else).
    """

    columns: dict[str, str] = field(default_factory=dict)
    reading: tables.Reading = tables.BY_ITSELF
    mode: str = ""


def opened(
    path: Path, aliases: tables.Aliases, vendor_id: int | None, kind: str
) -> tuple[tables.Table, Said]:
    """A file opened as was said of those before it. Raises Refused or UnicodeError as
    `tables.open_table` does.
    """
    table, trouble = None, None
    try:
        table = tables.open_table(path, aliases)
    except (Refused, UnicodeError) as error:
        trouble = error
    said = recall(vendor_id, kind, table.header if table is not None else [])
    if said.reading != tables.BY_ITSELF:
        return tables.open_table(path, aliases, said.reading), said
    if table is None:
        raise trouble or AssertionError
    return table, said


def header_of(path: Path, aliases: tables.Aliases) -> list[str]:
    """The header of a file as it is found when nobody says how to read it; [] when none is."""
    try:
        return tables.open_table(path, aliases).header
    except (Refused, UnicodeError):
        return []


def recall(vendor_id: int | None, kind: str, header: list[str]) -> Said:
    """What was said of this vendor's files with this header; else the names said of his other files
    of this kind, which count where this header has them.
    """
    rows = db.session.scalars(_OF, {"owner": _owner(vendor_id), "kind": kind}).all()
    print_ = _print(header)
    exact = next((row for row in rows if row.header == print_), None)
    if exact is not None:
        mode = str(exact.reading.get("mode", ""))
        return Said(dict(exact.columns), tables.Reading.of(exact.reading), mode)
    newest = max(rows, key=lambda row: row.id, default=None)
    return Said(dict(newest.columns)) if newest is not None else Said()


def keep(
    vendor_id: int | None,
    kind: str,
    header: list[str],
    columns: dict[str, str],
    reading: dict[str, Any],
) -> None:
    """Remember what was said of a file, in the caller's unit."""
    owner, print_ = _owner(vendor_id), _print(header)
    row = db.session.scalar(
        _OF.where(ColumnMapping.header == print_), {"owner": owner, "kind": kind}
    )
    if row is not None:
        row.columns, row.reading = columns, reading
    elif columns or reading:
        db.session.add(
            ColumnMapping(owner=owner, kind=kind, header=print_, columns=columns, reading=reading)
        )


def _print(header: list[str]) -> str:
    """What makes two headers the same: their titles in their order, however they are spelt."""
    titles = "\x1f".join(tables.fold(title) for title in header)
    return hashlib.sha256(titles.encode()).hexdigest()


def _owner(vendor_id: int | None) -> str:
    return f"vendor {vendor_id}" if vendor_id else "operator"
