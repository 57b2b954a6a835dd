"""A list as asked for by its address: words looked for, filters, order, page; and the same rows as
a file.
"""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from itertools import chain, islice
from typing import Any
from urllib.parse import urlencode

import openpyxl
import sqlalchemy
from flask_babel import gettext as _
from flask_babel import ngettext
from fpdf import XPos, YPos
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter
from sqlalchemy import Boolean, Date, Enum, Select, func, inspect, or_, select
from sqlalchemy.orm import selectinload

from models import UTCDateTime, Vendor
from services import access, clock, dates, documents, money, workflow
from services.documents import latin
from services.imports import tables
from services.unit import db
from services.words import xml_safe

SIZES = (25, 50, 100)
COUNT_CAP = 10_000
MOST_PDF_ROWS, MOST_XLSX_ROWS, MOST_FILE_ROWS = (
    2_000,
    100_000,
    1_000_000,
)  # the sheet is made whole before it leaves; the CSV leaves as it is made
MOST_CHOICES = 2_000


@dataclass
class Asked:
    """What the address asks for; whatever it does not know is left out, so that an old link still
    opens.
    """

    q: str = ""
    filters: dict[str, str] = field(default_factory=dict)
    order: str = ""
    page: int = 1
    size: int = SIZES[0]
    kept: dict[str, str] = field(
        default_factory=dict
    )  # what a view of its own reads in the address, carried along

    def query(self, **changes: Any) -> str:
        """The address of this list with something changed."""
        parts: dict[str, Any] = {
            "q": self.q,
            **self.kept,
            **self.filters,
            "ordre": self.order,
            "page": self.page,
            "taille": self.size,
            **changes,
        }
        defaults = {"page": 1, "taille": SIZES[0]}
        return "?" + urlencode(
            {k: v for k, v in parts.items() if v not in ("", None) and defaults.get(k) != v}
        )


def read(view: Any, args: Any) -> Asked:
    order = args.get("ordre", "")
    return Asked(
        q=args.get("q", "").strip()[:100].replace("\0", ""),
        filters={
            name: args[name].strip()[:60]
            for name in filter_names(view)
            if args.get(name, "").strip()
        },
        order=order
        if order.lstrip("-") in (*view.order_columns, *getattr(view, "order_through", ()))
        else "",
        page=min(whole(args.get("page"), 1), 100_000),
        size=s if (s := whole(args.get("taille"), SIZES[0])) in SIZES else SIZES[0],
        kept={name: args[name][:20] for name in getattr(view, "kept_args", ()) if args.get(name)},
    )


def filter_names(view: Any) -> Iterator[str]:
    for name in view.filter_columns:
        if _has_days(view, name):
            yield from (f"{name}.depuis", f"{name}.jusqu")
        else:
            yield name


def _has_days(view: Any, name: str) -> bool:
    """Whether a column holds days or moments: it is filtered from one day to another."""
    return isinstance(_type(view, name), Date | UTCDateTime)


def whole(words: str | None, default: int) -> int:
    return (
        int(words)
        if words and len(words) < 10 and words.isascii() and words.isdigit() and int(words) > 0
        else default
    )


def statement(view: Any, asked: Asked) -> Select[Any]:
    """The rows asked for, in order, unpaged."""
    model = view.datamodel.obj
    rows = select(model)
    for condition in (*view.base_conditions(), *view.list_conditions(asked)):
        rows = rows.where(condition)
    for name, words in asked.filters.items():
        condition = _condition(view, name, words)
        if condition is not None:
            rows = rows.where(condition)
    if asked.q and (found := view.find_condition(asked.q)) is not None:
        rows = rows.where(found)
    elif asked.q and view.find_columns:
        for relation in view.find_through:
            rows = rows.outerjoin(relation)
        like = "%" + asked.q.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_") + "%"
        rows = rows.where(or_(*(column.ilike(like, escape="\\") for column in view.find_columns)))
    order = asked.order or view.first_order
    path = getattr(view, "order_through", {}).get(order.lstrip("-"))
    column = path[-1] if path else getattr(model, order.lstrip("-"))
    if path and not (asked.q and view.find_columns):  # a search has joined these already
        for relation in path[:-1]:
            rows = rows.outerjoin(relation)
    key = view.datamodel.get_pk_name()
    rows = rows.order_by(
        column.desc().nulls_last() if order.startswith("-") else column.asc().nulls_first(),
        getattr(model, key).desc(),
    )
    return rows.options(*_loads(model, [*columns_of(view, asked), *view.list_loads]))


def columns_of(view: Any, asked: Asked) -> list[str]:
    """The columns this list shows to its reader."""
    return list(view.shown_columns(asked))


def newest(view: Any) -> int:
    """The highest number of a row today: those above it came later."""
    key = getattr(view.datamodel.obj, view.datamodel.get_pk_name())
    return db.session.scalar(select(func.max(key))) or 0


def asked_words(view: Any, asked: Asked) -> str:
    """What a list was asked for, in words for its printed page."""
    parts = [f"« {asked.q} »"] if asked.q else []
    for name, words in asked.filters.items():
        base, _dot, side = name.partition(".")
        known = {} if side else dict(choices(view, name) or [])
        shown = ", ".join(str(known.get(code, code)) for code in words.split(","))
        if side:
            shown = day_words(words)
        sign = {"depuis": _("from"), "jusqu": _("until")}.get(side, ":")
        parts.append(f"{view.label_columns[base]} {sign} {shown}")
    return " · ".join(parts)


def day_words(words: str) -> str:
    """A day of an address as people read it; as it is when it is none."""
    try:
        return dates.day(dates.read_day(words))
    except ValueError:
        return words


def _loads(model: Any, columns: Sequence[str]) -> Iterator[Any]:
    """Relations shown in a list are read in one statement each, however many rows there are."""
    for path in dict.fromkeys(columns):
        owner, option = model, None
        for part in path.split("."):
            relation = sqlalchemy.inspect(owner).relationships.get(part)
            if relation is None:
                break
            step = getattr(owner, part)
            option = selectinload(step) if option is None else option.selectinload(step)
            owner = relation.mapper.class_
        if option is not None:
            yield option


def count(rows: Select[Any]) -> int:
    """How many rows, counted up to a cap: nobody reads page 401, and counting a million costs what
    the page does not.
    """
    inner = (
        rows.order_by(None)
        .with_only_columns(next(iter(rows.selected_columns)), maintain_column_froms=True)
        .limit(COUNT_CAP + 1)
        .subquery()
    )
    return db.session.scalar(select(func.count()).select_from(inner)) or 0


def page(rows: Select[Any], asked: Asked) -> list[Any]:
    return list(
        db.session.scalars(rows.limit(asked.size).offset((asked.page - 1) * asked.size)).unique()
    )


def choices(view: Any, name: str) -> list[tuple[str, str]]:
    """What one may filter a column by."""
    model = view.datamodel.obj
    column_type = _type(view, name)
    if isinstance(column_type, Enum):
        return [
            (s.value, workflow.words_of(s))
            for s in column_type.enum_class or ()
            if s.value not in view.hidden_states
        ]
    if isinstance(column_type, Boolean):
        return [("1", _("Yes")), ("0", _("No"))]
    if view.datamodel.is_relation(name):
        target = getattr(model, name).property.mapper.class_
        named = getattr(target, "name", None)
        if named is not None:  # two words a row: a group has 1,600 stores
            return [
                (str(id), name)
                for id, name in db.session.execute(
                    select(target.id, named).order_by(named).limit(MOST_CHOICES)
                )
            ]
        return [
            (str(row.id), str(row))
            for row in db.session.scalars(select(target).limit(MOST_CHOICES))
        ]
    return []


def _type(view: Any, name: str) -> Any:
    column = view.datamodel.obj.__table__.columns.get(name)
    return column.type if column is not None else None


def _condition(view: Any, name: str, words: str) -> Any:
    model = view.datamodel.obj
    base, _dot, side = name.partition(".")
    column = getattr(model, base)
    if side:
        try:
            day = dates.read_day(words)
        except ValueError:
            return None
        if isinstance(_type(view, base), Date):
            return column >= day if side == "depuis" else column <= day
        edge = clock.end_of_day(day)
        return column > clock.days_later(-1, edge) if side == "depuis" else column <= edge
    column_type = _type(view, base)
    if isinstance(column_type, Enum):
        found = [s for s in column_type.enum_class or () if s.value in words.split(",")]
        return column.in_(found) if found else None
    if isinstance(column_type, Boolean):
        return column.is_(words == "1")
    if view.datamodel.is_relation(base):
        key = next(iter(getattr(model, base).property.local_columns))
        return (
            key == int(words) if words.isascii() and words.isdigit() and len(words) < 10 else None
        )
    return column == words


class Euros(float):
    """An amount of a workbook, in euros."""


# ── one value, for the screen and for a file ──


def value(row: Any, name: str) -> Any:
    """A column, or a path of them (« variant.product.title »)."""
    for part in name.split("."):
        row = getattr(row, part, None)
        if row is None:
            return None
    return row


def plain(row: Any, name: str, view: Any = None) -> Any:
    """What a file holds for a column: amounts and dates as spreadsheets like them, everything else
    in the words of the screen.
    """
    found = value(row, name)
    formatters = getattr(view, "formatters_columns", {})
    if name in formatters and name != "cover":
        shown = formatters[name](found)
        if isinstance(shown, list):  # lines of a cell, told one after the other
            return ", ".join(shown)
        return shown if isinstance(shown, int) else str(shown)
    if found is None:
        return ""
    if name.endswith("_cents"):
        return money.plain(found)
    if name.endswith("_bp"):
        return money.percent(found)
    if isinstance(found, datetime):
        return clock.paris(found).strftime("%d/%m/%Y %H:%M")
    if isinstance(found, date):
        return found.strftime("%d/%m/%Y")
    if isinstance(found, bool):
        return _("Yes") if found else _("No")
    if isinstance(found, StrEnum):
        return workflow.words_of(found)
    if isinstance(found, tuple):  # Event.happened
        return workflow.words_of_event(found)
    if isinstance(found, int):
        return found
    return str(found)


def as_csv(view: Any, rows: Select[Any], columns: Sequence[str]) -> Iterator[str]:
    """CSV as French spreadsheets open it: « ; », decimal comma, BOM; no cell runs as a formula."""
    line = io.StringIO()
    writer = csv.writer(line, delimiter=";")

    def flush() -> str:
        text = line.getvalue()
        line.seek(0)
        line.truncate()
        return text

    columns = [c for c in columns if c != "cover"]
    writer.writerow([str(view.label_columns[c]) for c in columns])
    yield "\ufeff" + flush()
    for row in _stream(rows, MOST_FILE_ROWS):
        writer.writerow([_safe(plain(row, c, view)) for c in columns])
        yield flush()


def as_xlsx(view: Any, rows: Select[Any], columns: Sequence[str]) -> bytes:
    """A workbook one can count with: dates are dates, amounts are numbers, the first line stays in
    sight, columns are as wide as their first lines need.
    """
    columns = [c for c in columns if c != "cover"]
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet(
        str(view.list_title)[:31].translate(str.maketrans("", "", "[]:*?/\\"))
    )
    sheet.freeze_panes = "A2"
    heads = [str(view.label_columns[c]) for c in columns]
    lines = (
        [
            tables.neutral(xml_safe(v)) if isinstance(v := _typed(row, c, view), str) else v
            for c in columns
        ]
        for row in _stream(rows, MOST_XLSX_ROWS)
    )
    first = list(islice(lines, 200))
    for number, head in enumerate(heads, 1):
        widest = max([len(head), *(_width(line[number - 1]) for line in first)])
        sheet.column_dimensions[get_column_letter(number)].width = min(widest + 2, 60)
    bold = Font(bold=True)
    sheet.append([_formatted(sheet, head, font=bold) for head in heads])
    written = 0
    for line in chain(first, lines):
        written += 1
        sheet.append([_formatted(sheet, v) for v in line])
    if written == MOST_XLSX_ROWS:
        sheet.append(
            [_("Cut at %(most)s rows: filter the list, or take the CSV.", most=MOST_XLSX_ROWS)]
        )
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _width(cell: Any) -> int:
    if isinstance(cell, datetime):
        return 16
    return 10 if isinstance(cell, date) else len(str(cell))


_FORMATS: dict[type, str] = {datetime: "dd/mm/yyyy hh:mm", date: "dd/mm/yyyy", Euros: "# ##0.00"}


def _formatted(sheet: Any, value: Any, font: Font | None = None) -> Any:
    """A cell with the format its kind of value needs; as it is where it needs none."""
    number_format = _FORMATS.get(type(value))
    if number_format is None and font is None:
        return value
    cell = WriteOnlyCell(sheet, value=value)
    if number_format:
        cell.number_format = number_format
    if font:
        cell.font = font
    return cell


def as_pdf(view: Any, rows: Select[Any], columns: Sequence[str], asked: str, who: str) -> bytes:
    """A printed list, A4 on its side, black on white, its pages numbered: what it was filtered by,
    who printed it and when, and the sums of its amounts; plain cells, because ten times faster than
    tables.
    """
    pdf = documents.Page(orientation="L")
    pdf.add_page()
    pdf.set_font("helvetica", "B", 14)
    pdf.cell(0, 9, latin(str(view.list_title)), new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    pdf.set_font("helvetica", "", 9)
    pdf.cell(
        0,
        6,
        latin(" · ".join(filter(None, (dates.moment(clock.now()), who, _owner_words(), asked)))),
        new_x=XPos.LMARGIN,
        new_y=YPos.NEXT,
    )
    columns = [c for c in columns if c != "cover"]
    heads = [latin(str(view.label_columns[c])) for c in columns]
    table = view.datamodel.obj.__table__.columns
    sides = [
        (
            "R"
            if c.endswith(("_cents", "_bp")) or (c in table and table[c].type.python_type is int)
            else "L"
        )
        for c in columns
    ]
    sums = {c: 0 for c in columns if c.endswith("_cents")}
    lines = []
    for row in _stream(rows, MOST_PDF_ROWS):
        for c in sums:
            sums[c] += value(row, c) or 0
        lines.append(
            [
                latin(
                    str(plain(row, c, view))
                    + (" €" if c.endswith("_cents") and value(row, c) is not None else "")
                )
                for c in columns
            ]
        )
    pdf.set_font("helvetica", "B", 8)
    widths = _shared_out(pdf, [heads, *lines[:300]])

    def print_line(cells: list[str], height: float) -> None:
        for words, width, side in zip(cells, widths, sides, strict=True):
            pdf.cell(width, height, _cut(pdf, words, width), align=side, border="B")
        pdf.ln()

    def header() -> None:
        pdf.set_font("helvetica", "B", 8)
        print_line(heads, 7)
        pdf.set_font("helvetica", "", 8)

    header()
    for cells in lines:
        if pdf.will_page_break(6):
            pdf.add_page()
            header()
        print_line(cells, 6)
    pdf.set_font("helvetica", "B", 8)
    rows_words = ngettext("%(num)s row", "%(num)s rows", len(lines))
    totals = [latin(money.text(sums[c])) if c in sums else "" for c in columns]
    if sums and columns[0] not in sums:
        print_line([latin(f"{rows_words}"), *totals[1:]], 7)
    else:
        pdf.cell(0, 7, latin(rows_words), new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    if len(lines) == MOST_PDF_ROWS:
        pdf.cell(
            0,
            8,
            latin(_("Cut at %(most)s rows: filter the list, or take the CSV.", most=MOST_PDF_ROWS)),
        )
    return bytes(pdf.output())


PADDING = 2.5  # mm a cell keeps on its two sides together


def _shared_out(pdf: documents.Page, lines: list[list[str]]) -> list[float]:
    """Widths of columns in mm: each what its words need; when that is more than the page, the
    widest give way.
    """
    needs = [
        max(pdf.get_string_width(cell) for cell in column) + PADDING
        for column in zip(*lines, strict=True)
    ]
    if sum(needs) <= pdf.epw:
        spare = pdf.epw - sum(needs)
        return [need + spare * need / sum(needs) for need in needs]
    left, widths = pdf.epw, dict.fromkeys(range(len(needs)), 0.0)
    for rank, number in enumerate(
        sorted(widths, key=lambda n: needs[n])
    ):  # the narrow ones first: what they leave is shared by the wide
        widths[number] = min(needs[number], left / (len(needs) - rank))
        left -= widths[number]
    return list(widths.values())


def _cut(pdf: documents.Page, words: str, width: float) -> str:
    """Words as they fit; what is left out is said by two dots."""
    room = width - PADDING / 2
    if (
        len(words) * 2.7 < room or (long := pdf.get_string_width(words)) <= room
    ):  # no letter of this size is wider than 2.7 mm
        return words
    kept = words[: max(1, int(len(words) * room / long) - 2)]
    while len(kept) > 1 and pdf.get_string_width(kept + "..") > room:
        kept = kept[:-1]
    return kept.rstrip() + ".."


def _stream(rows: Select[Any], most: int) -> Iterator[Any]:
    """All rows in their order, each once, whatever changes meanwhile: their numbers first, then the
    rows by the thousand.
    """
    model = rows.column_descriptions[0]["entity"]
    key = getattr(model, inspect(model).get_property_by_column(inspect(model).primary_key[0]).key)
    numbers = list(
        db.session.scalars(rows.with_only_columns(key, maintain_column_froms=True).limit(most))
    )
    for some in tables.chunks(numbers, 1000):
        found = {
            getattr(row, key.key): row
            for row in db.session.scalars(rows.order_by(None).where(key.in_(some))).unique()
        }
        yield from (found[number] for number in some if number in found)


def _safe(cell: Any) -> Any:
    return tables.neutral(cell) if isinstance(cell, str) else cell


def _typed(row: Any, name: str, view: Any) -> Any:
    """What a workbook holds: real dates (in Paris, without a zone, which no workbook knows), euros,
    whole numbers, words.
    """
    found = value(row, name)
    if name in getattr(view, "formatters_columns", {}):
        return _safe(plain(row, name, view))
    if found is not None and name.endswith("_cents"):
        return Euros(found / 100)
    if isinstance(found, datetime):
        return clock.paris(found).replace(tzinfo=None)
    if isinstance(found, date):
        return found
    return _safe(plain(row, name, view))


def _owner_words() -> str:
    """Whose rows a person sees, when it is one vendor alone."""
    scope = access.scope()
    if scope is None or len(scope.vendors) != 1:
        return ""
    vendor = db.session.get(Vendor, next(iter(scope.vendors)))
    return vendor.name if vendor else ""
