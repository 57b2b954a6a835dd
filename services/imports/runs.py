"""The life of a file given to us: kept, looked at, started, read line by line, applied whole or not
at all, told.

Each kind of file (argus, référencier, stock, listings…) declares its columns and how it is applied;
everything around it (preview, progress, cancel, confirmation, refused lines, history) is here,
once.
"""

import csv
import hashlib
import os
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta
from datetime import time as time_of_day
from itertools import islice
from pathlib import Path
from typing import IO, Any, TypedDict

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import String, bindparam, or_, select, update

from models import FeedSource, ImportRun, ImportState, Store, Vendor
from services import clock, files, outbox, retention, webhooks, words, workflow
from services.imports import archives, memory, tables
from services.unit import db, unit_of_work
from services.workflow import CLOCK, TIME, Actor, Move, Refused, Workflow

S = ImportState
workflow.name_states(
    (S.draft, _l("To start"), "warn"),
    (S.waiting, _l("Waiting"), "warn"),
    (S.running, _l("Running"), "info"),
    (S.to_confirm, _l("To confirm"), "bad"),
    (S.complete, _l("Done"), "ok"),
    (S.failed, _l("Failed"), "bad"),
    (S.cancelled, _l("Cancelled"), "off"),
)
files.named_by(ImportRun, "file_path", "errors_path")
# ruff: disable[E501]
IMPORT = Workflow(
    "import_run",
    Move("start_import",   _l("Load this file"),                {S.draft},                               S.waiting,    done=_l("Started")),
    Move("begin",          _l("Reading begun"),                 {S.waiting, S.running},                  S.running,    by=(TIME,)),
    Move("ask",            _l("Waits for a confirmation"),      {S.waiting, S.running},                  S.to_confirm, by=(TIME,)),
    Move("confirm_import", _l("Yes, load it"),                  {S.to_confirm},                          S.waiting,    done=_l("Confirmed")),
    Move("complete",       _l("Loaded"),                        {S.waiting, S.running},                  S.complete,   by=(TIME,)),
    Move("fail",           _l("Failed"),                        {S.waiting, S.running},                  S.failed,     by=(TIME,)),
    Move("cancel_import",  _l("Cancel"),                        {S.draft, S.waiting, S.to_confirm},      S.cancelled,  done=_l("Cancelled")),
    Move("cancel_import",  _l("Cancel"),                        {S.running},                             None,         done=_l("Cancelled")),
    Move("undo_import",    _l("Undo this import"),              {S.complete},                            S.cancelled,  done=_l("Import undone")),
    Move("stop",           _l("Stopped, as was asked"),         {S.waiting, S.running},                  S.cancelled,  by=(TIME,)),
    field="state",
)  # fmt: skip
# ruff: enable[E501]
workflow.says("import_run", import_file=_l("File given"))

# A file says everything a store holds, or only what changed (domain 2.20).
FULL, DELTA = "full", "delta"
UNDER_WAY = (S.waiting, S.running)
PROGRESS_EVERY, PROGRESS_SECONDS = 10_000, 0.5  # lines, then looked at whether it is time
PREVIEW_LINES = 20
MOST_TOLD = 200
MOST_FORECAST = 20  # lines shown of a trial
WORTH_COUNTING = 500_000  # bytes: below, the file is read before anybody looks


ERROR_COLUMNS = (
    "error-line",
    "error-message",
)  # what a file of refused lines adds to their columns


def meant(kind: "Kind", header: list[str], said: str) -> str:
    """How a file is to be taken: refused lines that come back corrected are never all there is;
    else as it was said; else as its header says.
    """
    if set(ERROR_COLUMNS) <= set(header) and "delta" in kind.modes:
        return "delta"
    return said or kind.mode_of(header) or (kind.modes[0] if kind.modes else "")


class Ignored(Refused):
    """A line that is right in itself and says nothing we can use (an unknown reference, a fanciful
    quantity): counted apart.
    """


class TriedOut(Exception):
    """A trial came to the moment where the file would be kept: nothing of it is, and this is what
    it would have done (services/imports/trials.py).
    """

    def __init__(self, forecast: dict[str, Any]) -> None:
        super().__init__()
        self.forecast = forecast


class Cancelled(Exception):
    """Somebody asked the run to stop before anything was applied."""


@dataclass(frozen=True)
class Kind:
    """One kind of file. `load` reads through a `Loading` and applies; `columns` maps our names to
    those files use.
    """

    name: str
    label: Any
    columns: dict[str, tuple[str, ...]]
    required: tuple[str, ...]
    load: Callable[["Loading"], None]
    help: Any = ""
    needs_store: bool = False
    for_vendors: bool = True  # a vendor may give one; else only the operator
    known_by: str = ""  # the column without which no file is taken for one of this kind
    gives_access: bool = False  # it opens accesses: only who may do so by hand gives one
    modes: tuple[str, ...] = ()
    lack: Callable[[ImportRun, dict[str, int]], str] = lambda _run, _at: (
        ""
    )  # what its columns do not say, though none of them alone is required
    mode_of: Callable[[list[str]], str] = lambda _header: (
        ""
    )  # how a file is meant, by its header, when nobody said it


KINDS: dict[str, Kind] = {}
# Names a kind had before, still accepted from vendors' software.
FORMERLY = {"offers": "listings"}


def kind(
    name: str,
    label: Any,
    columns: dict[str, tuple[str, ...]],
    required: tuple[str, ...],
    load: Callable[["Loading"], None],
    **how: Any,
) -> Kind:
    KINDS[name] = Kind(name, label, columns, required, load, **how)
    return KINDS[name]


def kind_by_its_columns(path: Path, among: list[Kind], vendor_id: int | None = None) -> Kind | None:
    """What a file holds, by the names of its columns and by what was said of this vendor's files;
    None when no kind knows them. A column only one kind knows counts twice, the one without which a
    kind says nothing (a number of units, an argus) most; of two that fit as well, the one that asks
    for less.
    """
    named: dict[str, set[str]] = {}
    needed: dict[str, set[str]] = {}
    trouble: Refused | None = None
    for kind in among:
        try:
            table, said = memory.opened(path, kind.columns, vendor_id, kind.name)
        except Refused as refusal:  # nothing in it is called as this kind calls it
            trouble = refusal
            continue
        header = table.header
        found = tables.columns(header, kind.columns, (), said.columns).at
        if all(name in found for name in (*kind.required, kind.known_by) if name):
            named[kind.name] = {tables.fold(header[place]) for place in found.values()}
            needed[kind.name] = {tables.fold(header[found[name]]) for name in kind.required}
    if trouble is not None and not named:
        raise trouble
    known = Counter(title for titles in named.values() for title in titles)
    scores = {
        name: sum(2 if known[title] == 1 else 1 for title in titles)
        + DECISIVE * any(known[title] == 1 for title in needed[name])
        for name, titles in named.items()
    }
    best = max(scores, key=lambda name: (scores[name], -len(KINDS[name].columns)), default="")
    return KINDS[best] if best else None


DECISIVE = 4


# ── a file comes in ──


@dataclass(frozen=True)
class KeptFile:
    """A file as it came, copied among ours before any transaction: its name there, its print, what
    its owner calls it.
    """

    stored: str
    sha256: str
    name: str


def keep(path: Path, name: str) -> KeptFile:
    """Copy a file among ours; of an archive of one list, that list. What cannot be unpacked is
    kept as it is: the worker says so on its page. Slow: call it outside a unit.
    """
    try:
        with archives.unpacked(path, name) as (inside, its_name):
            return _copied(inside, its_name)
    except Refused:
        return _copied(path, name)


def _copied(path: Path, name: str) -> KeptFile:
    digest = hashlib.sha256()
    stored = files.begin(".table")
    with path.open("rb") as source, files.path(stored).open("wb") as target:
        while block := source.read(1 << 20):
            digest.update(block)
            target.write(block)
    files.settle(stored)
    return KeptFile(stored, digest.hexdigest(), words.visible(name)[:200])


def receive(
    file: KeptFile,
    kind: str,
    *,
    by: Actor,
    vendor: Vendor | None = None,
    store: Store | None = None,
    mode: str = "",
    dated_at: datetime | None = None,
    draft: bool = False,
    source_id: int | None = None,
) -> ImportRun:
    """Take a file in. Unless it is a draft, which a person looks at first, the worker loads it. The
    same file already on its way is not taken twice, unless another mode is asked for it.
    """
    kind = FORMERLY.get(kind, kind)
    what = KINDS[kind]
    if mode not in what.modes:  # the file itself says it, when it is loaded
        mode = ""
    if what.needs_store and store is None and vendor is not None:
        stores = db.session.scalars(
            select(Store).where(Store.vendor_id == vendor.id).limit(2)
        ).all()
        store = stores[0] if len(stores) == 1 else None  # a vendor's only store need not be named
    if store is not None and vendor is not None and store.vendor_id != vendor.id:
        raise Refused(_("This store belongs to another vendor."))
    owner, now = store.vendor_id if store else vendor.id if vendor else None, clock.now()
    under_way: ImportRun | None = (
        None
        if draft
        else db.session.scalar(
            _SAME_FILE,
            {
                "sha256": file.sha256,
                "kind": kind,
                "vendor": owner,
                "store": store.id if store else None,
                "mode": mode,
            },
        )
    )
    if under_way:
        return under_way
    run = ImportRun(
        kind=kind,
        vendor_id=owner,
        store_id=store.id if store else None,
        mode=mode,
        dated_at=dated_at,
        file_name=file.name,
        file_path=file.stored,
        sha256=file.sha256,
        by_name=by.name,
        source_id=source_id,
        received_at=now,
        started_at=now,
        report={},
        mapping={},
        reading={},
        state=S.draft if draft else S.waiting,
    )
    db.session.add(run)
    workflow.record(run, "import_file", by=by)
    if not draft:
        _queue(run)
    return run


_SAME_FILE = select(ImportRun).where(
    ImportRun.sha256 == bindparam("sha256"),
    ImportRun.kind == bindparam("kind"),
    ImportRun.state.in_(UNDER_WAY),
    ImportRun.vendor_id.is_not_distinct_from(bindparam("vendor")),
    ImportRun.store_id.is_not_distinct_from(bindparam("store")),
    or_(bindparam("mode", type_=String) == "", ImportRun.mode == bindparam("mode", type_=String)),
)


_TIME = r"(?:[^\d]{0,3}(?P<hour>\d\d)[-_.:hH]?(?P<minute>\d\d)(?:[-_.:mM]?(?P<second>\d\d))?)?"
_YEAR_FIRST = re.compile(
    r"(?<!\d)(?P<year>20\d\d)(?P<mark>[-_.]?)(?P<month>\d\d)(?P=mark)(?P<day>\d\d)"
    + _TIME
    + r"(?!\d)"
)
_DAY_FIRST = re.compile(
    r"(?<!\d)(?P<day>\d\d)(?P<mark>[-_.]?)(?P<month>\d\d)(?P=mark)(?P<year>20\d\d)"
    + _TIME
    + r"(?!\d)"
)


def date_in_name(name: str) -> datetime | None:
    """« stock_20261125.csv », « stock-2026-11-25-183000.csv », « stock 25-11-2026 1830.csv »: the
    moment a file's own name gives, in Paris; None without one.
    """
    for form in (_YEAR_FIRST, _DAY_FIRST):
        for found in form.finditer(Path(name).stem):
            try:
                day = date(int(found["year"]), int(found["month"]), int(found["day"]))
                hour = time_of_day(
                    int(found["hour"] or 0), int(found["minute"] or 0), int(found["second"] or 0)
                )
            except ValueError:
                continue
            return clock.from_paris(datetime.combine(day, hour))
    return None


# ── looked at before it is started ──


@dataclass(frozen=True)
class Preview:
    """What a file looks like to us: its encoding, its first lines, and which of our columns we
    recognise in it.
    """

    encoding: str
    separator: str
    header: list[str]
    rows: list[tuple[int, list[str]]]
    mapping: dict[str, str]
    missing: list[str]
    mode: str = ""
    lack: str = ""
    sentence: str = ""
    reading: tables.Reading = tables.BY_ITSELF
    sheets: list[str] = field(default_factory=list)
    # Its first lines as they stand, when they could not be cut.
    raw: list[str] = field(default_factory=list)


def preview(run: ImportRun) -> Preview:
    """The first lines of a draft, with the columns as they are remembered for this vendor, else as
    their names say.
    """
    what, path = KINDS[run.kind], files.path(run.file_path)
    said = _said_of(run)
    how: dict[str, Any] = {"reading": said.reading, "sheets": tables.sheets(path)}
    try:
        tables.check_name(path, run.file_name)
        table = tables.open_table(path, what.columns, said.reading)
        rows = list(islice(table.rows, PREVIEW_LINES))
    except Refused as refusal:
        how["raw"] = tables.first_lines(path)
        return Preview("", "", [], [], {}, list(what.required), sentence=str(refusal), **how)
    except UnicodeError:
        sentence = _("This file's letters cannot be read: save it as « CSV UTF-8 ».")
        return Preview("", "", [], [], {}, list(what.required), sentence=sentence, **how)
    found = tables.columns(table.header, what.columns, (), said.columns)
    named = {name: table.header[position] for name, position in found.at.items()}
    missing = [c for c in what.required if c not in named]
    lack = "" if missing else what.lack(run, found.at)
    return Preview(
        table.encoding,
        table.separator,
        table.header,
        rows,
        named,
        missing,
        meant(what, table.header, run.mode or (said.mode if said.mode in what.modes else "")),
        lack,
        **how,
    )


def _said_of(run: ImportRun) -> memory.Said:
    """How a file is read and names our columns: as was said of it, else of those before it."""
    header = memory.header_of(files.path(run.file_path), KINDS[run.kind].columns)
    remembered = memory.recall(run.vendor_id, run.kind, header)
    if run.mapping or run.reading:
        reading = tables.Reading.of(run.reading)
        return memory.Said(dict(run.mapping), reading, remembered.mode)
    return remembered


def keep_choices(run: ImportRun, mapping: Mapping[str, str], mode: str) -> None:
    """Keep what is chosen of a draft so far, right or not: a refusal, or another reading of the
    file, loses none of it.
    """
    if run.state is not S.draft:
        return
    what = KINDS[run.kind]
    run.mapping = {
        name: title[:200] for name, title in mapping.items() if name in what.columns and title
    }
    if mode in what.modes:
        run.mode = mode


def read_as(run: ImportRun, said: Mapping[str, str]) -> None:
    """Say how a draft is to be read (encoding, separator, sheet, line of the header); what is left
    empty is found by itself. Raises Refused when it was started.
    """
    if run.state is not S.draft:
        raise Refused(_("This file was already started."), code="already_started")
    # « Found by itself » said of a file is not nothing: what is remembered counts no more.
    run.reading = _facts_of(tables.Reading.of(said)) or {"line": 0}
    run.report = {}


def start(run: ImportRun, mapping: dict[str, str], *, by: Actor, mode: str = "") -> None:
    """The columns are right: let the worker load it, and remember them for the next file. Raises
    Refused.
    """
    choose_columns(run, mapping, mode)
    header = memory.header_of(files.path(run.file_path), KINDS[run.kind].columns)
    said = {**run.reading, **({"mode": run.mode} if run.mode else {})}
    memory.keep(run.vendor_id, run.kind, header, run.mapping, said)
    IMPORT.fire(run, "start_import", by=by, set={"started_at": clock.now()})
    _queue(run)


def choose_columns(run: ImportRun, mapping: dict[str, str], mode: str = "") -> None:
    """Say which columns a draft has, and how it is meant. Raises Refused when they do not do, or
    when it was started.
    """
    if run.state is not S.draft:
        raise Refused(_("This file was already started."), code="already_started")
    what = KINDS[run.kind]
    if not run.reading:
        run.reading = _facts_of(_said_of(run).reading)
    try:
        found = tables.columns(
            tables.open_table(
                files.path(run.file_path), what.columns, tables.Reading.of(run.reading)
            ).header,
            what.columns,
            what.required,
            mapping,
        )
    except UnicodeError:
        raise Refused(_("This file's letters cannot be read: save it as « CSV UTF-8 ».")) from None
    if lack := what.lack(run, found.at):
        raise Refused(lack)
    keep_choices(run, mapping, mode)


def _facts_of(reading: tables.Reading) -> dict[str, Any]:
    return {name: value for name, value in asdict(reading).items() if value}


def cancel(run: ImportRun, *, by: Actor) -> None:
    """Stop a run before it is applied: at once when it waits, at its next step while it is read.
    Raises Refused when it is over.
    """
    if not IMPORT.allows(run, "cancel_import"):
        raise Refused(
            _("This file was already loaded or refused: there is nothing left to cancel.")
        )
    read = run.state is S.running
    stopped = {"cancel_asked": True} if read else {"ended_at": clock.now()}
    IMPORT.fire(run, "cancel_import", by=by, set=stopped)


def why_it_waits(run: ImportRun) -> list[str]:
    """What somebody must look at before a file is applied; nothing when it waits for nobody."""
    return what_to_look_at(run.report) if run.state is S.to_confirm else []


def what_to_look_at(report: dict[str, Any]) -> list[str]:
    """Why a file is not applied by itself, from its report or from its trial."""
    sentences = [
        _(
            "%(store)s: this file would take the stock of %(emptied)s references of %(held)s away."
            " Nothing was changed yet.",
            store=store,
            emptied=emptied,
            held=held,
        )
        for store, emptied, held in report.get("would_empty", [])
    ]
    if unreadable := report.get("unreadable"):
        sentences.append(
            _(
                "%(bad)s lines of %(all)s name no reference we can read. What the other lines do"
                " not name would be emptied: look at the file first. Nothing was changed yet.",
                bad=unreadable[0],
                all=unreadable[1],
            )
        )
    if withdrawn := report.get("would_withdraw"):
        sentences.append(
            _(
                "This file says it is complete, and would withdraw %(left)s sale offers of"
                " %(all)s. Nothing was changed yet.",
                left=withdrawn[0],
                all=withdrawn[1],
            )
        )
    return sentences


def confirm(run: ImportRun, *, by: Actor) -> None:
    """« Oui, ce magasin est bien vide »: apply what waited for a click. Raises Refused when nothing
    waits.
    """
    if not IMPORT.allows(run, "confirm_import"):
        raise Refused(_("Nothing waits for a confirmation here."), code="nothing_waits")
    IMPORT.fire(run, "confirm_import", by=by, set={"confirmed": True, "ended_at": None})
    outbox.add("import", f"import:{run.id}:confirmed", run=run.id)


def _queue(run: ImportRun) -> None:
    outbox.add("import", f"import:{run.id}", run=run.id)


# ── loaded ──


def load(run_id: int, alive: Callable[[], None] = lambda: None) -> None:
    """Read, compare, apply. Everything that can go wrong with the file becomes the run's sentence.
    Loading twice changes nothing.
    """
    db.session.rollback()
    run = db.session.get_one(ImportRun, run_id)
    if run.state not in UNDER_WAY:
        if LATE in run.report:  # killed after it was applied, before its report was whole
            _finish_report(run, alive)
        return
    loading, what = Loading(run, alive), KINDS[run.kind]
    try:
        if loading.is_long:
            loading.begin()
        tables.check_name(loading.source, loading.name)
        what.load(loading)
    except Cancelled:
        loading.forget_errors()
        _end(loading, "stop", "")
    except Refused as refusal:
        _end(loading, "fail", str(refusal))
    except UnicodeError:
        _end(loading, "fail", _("This file's letters cannot be read: save it as « CSV UTF-8 »."))
    except BaseException:
        loading.forget_errors()
        raise
    loading.write_late()
    loading.settle_errors()


# In a report: the lines the comparison refused, that are not yet in the file of refused lines.
LATE = "late"


def _finish_report(run: ImportRun, alive: Callable[[], None]) -> None:
    """Write what a load that was killed had still to write into the file of refused lines."""
    loading = Loading(run, alive)
    loading.open()
    loading.errors_name, loading.refused_lines = run.errors_path, list(run.report["refused"])
    late = run.report[LATE]
    loading.late = {line: reason for reason, lines in late["lines"].items() for line in lines}
    if files.exists(run.errors_path):
        os.truncate(files.path(run.errors_path), late["size"])
    else:  # another machine died before it could store the file
        files.store().begin(run.errors_path)
    loading.write_late()
    loading.settle_errors()


@dataclass
class Loading:
    """A run while it is loaded: its lines one by one, the refused ones written aside, its progress,
    its report.
    """

    run: ImportRun
    alive: Callable[[], None]
    read: int = 0
    refused: int = 0
    ignored: int = 0
    repeated: int = 0
    repeat_lines: list[list[Any]] = field(default_factory=list)
    doubts: list[tuple[int, str]] = field(default_factory=list)
    refused_lines: list[list[Any]] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    errors_name: str = ""
    is_trial: bool = False

    def __post_init__(self) -> None:
        run = self.run
        self.run_id, self.kind, self.name, self.mode, self.sha256 = (
            run.id,
            KINDS[run.kind],
            run.file_name,
            run.mode,
            run.sha256,
        )
        self.vendor_id, self.store_id, self.confirmed, self.dated_at = (
            run.vendor_id,
            run.store_id,
            run.confirmed,
            run.dated_at,
        )
        self.by_name, self.mapping, self.reading, self.source = (
            run.by_name,
            dict(run.mapping),
            tables.Reading.of(run.reading),
            files.path(run.file_path),
        )
        self.is_said = bool(run.mapping or run.reading)
        self.received_at, self.started_at, self.told_at = (
            run.received_at,
            clock.now(),
            time.monotonic(),
        )
        self._aside: IO[str] | None = None
        self._writer: Any = None
        self.late: dict[int, str] = {}

    def open(self) -> dict[str, int]:
        """Open the file; where each of our columns stands in it. Raises Refused when it is no table
        or lacks one.
        """
        if self.is_said:
            self.table = self._opened()
        else:
            columns = self.kind.columns
            self.table, said = memory.opened(self.source, columns, self.vendor_id, self.kind.name)
            self.mapping, self.reading = said.columns, said.reading
            db.session.rollback()  # no transaction stays open while the file is read
        found = tables.columns(
            self.table.header, self.kind.columns, self.kind.required, self.mapping
        )
        self.at, self.unknown = (
            found.at,
            [title for title in found.unknown if title not in ERROR_COLUMNS],
        )
        self.mode = meant(self.kind, self.table.header, self.mode)
        return self.at

    def _opened(self) -> tables.Table:
        return tables.open_table(self.source, self.kind.columns, self.reading)

    @property
    def is_long(self) -> bool:
        return self.source.stat().st_size > WORTH_COUNTING

    def begin(self) -> None:
        """Say that it runs, and how many lines there are. A short file is over before anybody
        looks: it goes from waiting to its end in one unit.
        """
        total = _count_lines(self.source)
        with unit_of_work() as session:
            begun = {
                **IMPORT.values("begin"),
                "started_at": self.started_at,
                "lines_read": 0,
                "lines_total": total,
            }
            if session.execute(_STILL_UNDER_WAY, {"run": self.run_id, **begun}).rowcount != 1:  # type: ignore[attr-defined]
                raise Cancelled

    def rows(self, read_row: Callable[[int, list[str]], Any]) -> Iterator[Any]:
        """What `read_row` makes of each line; a refused or ignored line goes to the file of refused
        lines with its sentence.
        """
        for line, cells in self.table.rows:
            self.read += 1
            if (
                self.read % PROGRESS_EVERY == 0
                and time.monotonic() - self.told_at >= PROGRESS_SECONDS
            ):
                self.progress()
            try:
                if not cells:
                    raise Refused(_("This line cannot be read: a quotation mark is open."))
                self._refuse_formulas(cells)
                row = read_row(line, cells)
            except Ignored as reason:
                self.ignored += 1
                self._put_aside(line, cells, str(reason))
            except Refused as refusal:
                self.refused += 1
                self._put_aside(line, cells, str(refusal))
            else:
                yield row

    def _refuse_formulas(self, cells: list[str]) -> None:
        """Raises Refused when a column of ours holds a formula without its value."""
        if self.table.separator:  # only a spreadsheet has any
            return
        for place in self.at.values():
            if place < len(cells) and isinstance(cells[place], tables.Uncomputed):
                raise Refused(
                    _(
                        "The formula « %(formula)s » has no value: open the file in a spreadsheet,"
                        " save it, give it again.",
                        formula=cells[place][:40],
                    )
                )

    def put_aside_late(self, reasons: dict[int, str], *, ignored: bool = False) -> None:
        """Lines that the comparison with what is known refuses, inside the unit that applies the
        file: counted now, written into the file of refused lines once the unit is over.
        """
        if ignored:
            self.ignored += len(reasons)
        else:
            self.refused += len(reasons)
        self.late |= reasons

    def write_late(self) -> None:
        """Write what `put_aside_late` counted, reading the file again; outside any unit."""
        if not self.late:
            return
        for line, cells in self._opened().rows:
            if line in self.late:
                self._put_aside(line, cells, self.late[line])
        self._close_errors()
        self.late = {}
        with unit_of_work() as session:
            run = session.get_one(ImportRun, self.run_id)
            report = {name: value for name, value in run.report.items() if name != LATE}
            run.report = {**report, "refused": self.refused_lines}

    def put_aside(self, reasons: dict[int, str], *, ignored: bool = False) -> None:
        """Lines that were read and turn out to be wrong only beside the others: the file is read
        again for their words. Call it before the unit that applies the file.
        """
        if not reasons:
            return
        if ignored:
            self.ignored += len(reasons)
        else:
            self.refused += len(reasons)
        for line, cells in self._opened().rows:
            if line in reasons:
                self._put_aside(line, cells, reasons[line])

    def _put_aside(self, line: int, cells: list[str], reason: str) -> None:
        if len(self.refused_lines) < MOST_TOLD:
            self.refused_lines.append([line, " ; ".join(cells)[:120], reason])
        if self._aside is None:
            self._open_errors()
        width = len(_without_errors(self.table.header))
        cells = [*cells[:width], *[""] * (width - len(cells))]
        self._writer.writerow([*(tables.neutral(c) for c in cells), line, reason])

    def _open_errors(self) -> None:
        """The file of refused lines, made when the first one comes."""
        is_new = not self.errors_name
        self.errors_name = self.errors_name or files.begin(".csv")
        self._aside = files.path(self.errors_name).open(
            "a", encoding="utf-8-sig" if is_new else "utf-8", newline=""
        )
        self._writer = csv.writer(self._aside, delimiter=";")
        if is_new:
            titles = (tables.neutral(title) for title in _without_errors(self.table.header))
            self._writer.writerow([*titles, *ERROR_COLUMNS])

    def _close_errors(self) -> None:
        if self._aside is not None:
            self._aside.close()
            self._aside = None

    def mark(self) -> tuple[int, int, int, int]:
        """Where the report stands before a unit that may have to be tried again."""
        self._close_errors()
        size = files.path(self.errors_name).stat().st_size if self.errors_name else 0
        return self.refused, self.ignored, len(self.refused_lines), size

    def back_to(self, mark: tuple[int, int, int, int]) -> None:
        self.refused, self.ignored, told, size = mark
        del self.refused_lines[told:]
        self.late = {}
        self._close_errors()
        if self.errors_name:
            os.truncate(files.path(self.errors_name), size)

    def repeat(self, line: int, words: str) -> None:
        """A line that names again what an earlier one named."""
        self.repeated += 1
        if len(self.repeat_lines) < MOST_TOLD:
            self.repeat_lines.append([line, words])

    def doubt(self, line: int, sentence: str) -> None:
        """Something of a line that was loaded, and that a person should look at."""
        if len(self.doubts) < MOST_TOLD:
            self.doubts.append((line, sentence))

    def progress(self) -> None:
        """Say how far we are, and hear whether somebody cancelled. Raises Cancelled. Its own short
        unit.
        """
        if self.is_trial:
            return self.alive()
        with unit_of_work() as session:
            so_far = {"run": self.run_id, **IMPORT.values("begin"), "lines_read": self.read}
            asked = session.execute(
                _STILL_UNDER_WAY.returning(ImportRun.__table__.c.cancel_asked), so_far
            ).scalar_one_or_none()
        self.told_at = time.monotonic()
        self.alive()
        if asked is not False:  # None: it was cancelled before it said that it runs
            raise Cancelled

    def ended(
        self,
        connection: Any,
        *,
        created: int = 0,
        updated: int = 0,
        unchanged: int = 0,
        removed: int = 0,
        verb: str = "complete",
        dated_at: datetime | None = None,
    ) -> None:
        """Write the report into the unit that applies the file: both or neither. `dated_at`: the
        moment the file speaks of, when it has one.

        Raises Cancelled when somebody was quicker, TriedOut when this is a trial.
        """
        if self.is_trial:
            raise TriedOut(
                {
                    "read": self.read,
                    "created": created,
                    "updated": updated,
                    "unchanged": unchanged,
                    "removed": removed,
                    "refused": self.refused,
                    "ignored": self.ignored,
                    "repeated": self.repeated,
                    "mode": self.mode,
                    "refused_lines": self._first_put_aside(),
                    "doubts": sorted(self.doubts)[:MOST_FORECAST],
                    "unknown_columns": self.unknown[:20],
                    **self.facts,
                }
            )
        if self.late:
            self._open_errors()
        self._close_errors()
        if not self.refused and not self.ignored:
            self.forget_errors()
        done = connection.execute(
            _STILL_UNDER_WAY,
            {
                "run": self.run_id,
                **IMPORT.values(verb),
                "mode": self.mode,
                "errors_path": self.errors_name,
                "encoding": self.table.encoding,
                "separator": self.table.separator,
                "lines_read": self.read,
                "refused": self.refused,
                "ignored": self.ignored,
                "repeated": self.repeated,
                "created": created,
                "updated": updated,
                "unchanged": unchanged,
                "removed": removed,
                "started_at": self.started_at,
                "ended_at": clock.now(),
                "dated_at": dated_at or self.dated_at,
                "report": {
                    "repeated": self.repeat_lines,
                    "refused": self.refused_lines,
                    "doubts": sorted(self.doubts),
                    "unknown_columns": self.unknown[:20],
                    **self.facts,
                    **self._what_is_late(),
                },
            },
        )
        if done.rowcount != 1:
            raise Cancelled

    def _first_put_aside(self) -> list[list[Any]]:
        """The first refused and ignored lines in their order, those of the comparison included."""
        late = [[line, "", reason] for line, reason in self.late.items()]
        return sorted([*self.refused_lines, *late])[:MOST_FORECAST]

    def _what_is_late(self) -> dict[str, Any]:
        if not self.late:
            return {}
        lines: dict[str, list[int]] = {}
        for line, reason in self.late.items():
            lines.setdefault(reason, []).append(line)
        return {LATE: {"lines": lines, "size": files.path(self.errors_name).stat().st_size}}

    def settle_errors(self) -> None:
        """The file of refused lines is complete: store it, outside any unit."""
        self._close_errors()
        files.settle(self.errors_name)

    def forget_errors(self) -> None:
        self._close_errors()
        if self.errors_name:
            files.drop(self.errors_name)
            self.errors_name = ""


def _without_errors(header: list[str]) -> list[str]:
    """A file of refused lines given again, and refused again, does not grow."""
    return (
        header[: -len(ERROR_COLUMNS)]
        if tuple(header[-len(ERROR_COLUMNS) :]) == ERROR_COLUMNS
        else header
    )


def _count_lines(path: Path) -> int:
    """About how many lines a file has, to say how much is left; 0 for a spreadsheet, which must be
    unpacked to know.
    """
    with path.open("rb") as file:
        if file.read(4) == b"PK\x03\x04":
            return 0
        file.seek(0)
        return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b"")) - 1


_STILL_UNDER_WAY = update(ImportRun.__table__).where(
    ImportRun.__table__.c.id == bindparam("run"), ImportRun.__table__.c.state.in_(UNDER_WAY)
)  # type: ignore[arg-type]


def _end(loading: Loading, verb: str, sentence: str) -> None:
    with unit_of_work() as session:
        ended = {
            **IMPORT.values(verb),
            "error": sentence,
            "started_at": loading.started_at,
            "ended_at": clock.now(),
        }
        session.execute(_STILL_UNDER_WAY, {"run": loading.run_id, **ended})


def import_file(path: Path, kind: str = "argus", *, by: Actor, **how: Any) -> ImportRun:
    """Receive and load at once (the command line), or wait for the worker that was quicker. Returns
    the finished run.
    """
    stored = keep(path, path.name)
    with unit_of_work() as session:
        for name in ("vendor", "store"):
            if how.get(name) is not None:
                how[name] = session.merge(how[name])
        run_id = receive(stored, kind, by=by, **how).id
    was_ours = outbox.work_now(f"import:{run_id}")
    for _second in range(3600):
        db.session.rollback()
        run = db.session.get_one(ImportRun, run_id)
        if run.ended_at or run.state is S.to_confirm:
            return run
        if was_ours:
            raise Refused(_("The import stopped on an error of ours: it was written down."))
        time.sleep(1)
    raise Refused(_("The worker is still at it: follow it under « Imports »."))


# ── questions ──


def latest(kinds: tuple[str, ...] = (), limit: int = 20) -> list[ImportRun]:
    rows = select(ImportRun).order_by(ImportRun.id.desc()).limit(limit)
    return list(db.session.scalars(rows.where(ImportRun.kind.in_(kinds)) if kinds else rows))


@dataclass(frozen=True)
class Refusals:
    """Refused and ignored lines in their order: number, what was read, why; those shown, and how
    many answer.
    """

    rows: list[tuple[int, str, str]]
    count: int


def refusals(run: ImportRun, words: str = "", most: int = MOST_TOLD) -> Refusals:
    """The lines a run put aside, those that hold some words, from the file of refused lines itself:
    all of them are looked at.
    """
    if not run.errors_path or not files.exists(run.errors_path):
        return Refusals([], 0)
    wanted, found = words.strip().lower(), []
    with files.path(run.errors_path).open(encoding="utf-8-sig", newline="") as file:
        lines = csv.reader(file, delimiter=";")
        next(lines, None)
        for *cells, number, why in lines:
            read = " ; ".join(cells)
            if wanted in f"{number} {read} {why}".lower():
                found.append((int(number) if number.isdigit() else 0, read[:120], why))
    found.sort()
    return Refusals(found[:most], len(found))


@dataclass(frozen=True)
class Pace:
    """How fast a run is read, and how long it still takes, from its own file's size; None where
    nobody can know.
    """

    lines_a_second: int
    seconds_left: int | None


def pace(run: ImportRun) -> Pace:
    seconds = max(0.001, (clock.now() - run.started_at).total_seconds())
    rate = int(run.lines_read / seconds)
    if run.state is not S.running or not run.lines_read or not run.lines_total:
        return Pace(rate, None)
    return Pace(rate, max(0, int((run.lines_total - run.lines_read) / max(1, rate))))


# ── the worker's door ──


class FileToLoad(TypedDict):
    """What the outbox keeps of a file to load."""

    run: int


def _work(payload: FileToLoad, key: str) -> str:
    load(payload["run"], alive=lambda: outbox.extend_lease(key))
    return ""


def _worked(payload: FileToLoad, answer: str | None, error: str | None) -> None:
    run = db.session.get_one(ImportRun, payload["run"])
    if error is not None and run.state in UNDER_WAY:
        sentence = _("The import stopped on an error of ours: it was written down.")
        failed = {"error": sentence, "ended_at": clock.now()}
        IMPORT.fire(run, "fail", by=CLOCK, set=failed, log=False)
    _tell_source(run)
    if run.vendor_id and run.ended_at:
        webhooks.tell(
            run.vendor_id,
            "import.completed",
            {"import_id": run.id, "kind": run.kind, "status": run.state.value.upper()},
        )


def _tell_source(run: ImportRun) -> None:
    """A source whose last file failed, or waits, says so until the next one came through."""
    source = db.session.get(FeedSource, run.source_id) if run.source_id else None
    if source is None or source.failures:
        return
    if run.state is S.failed:
        source.error = _("%(file)s was refused: %(why)s", file=run.file_name, why=run.error)
    elif run.state is S.to_confirm:
        source.error = _("%(file)s waits for a click.", file=run.file_name)
    elif run.state is S.complete:
        source.error = ""


outbox.handles("import", _l("File to load"), call=_work, record=_worked)


def _forget_file(run: ImportRun) -> list[str]:
    paths = [run.file_path, run.errors_path]
    run.file_path = run.errors_path = ""
    return [name for name in paths if name]


retention.rule(
    "imports",
    _l("Files given to us, and their refused lines"),
    lambda: _l("one year"),
    _l("To see where a price or a stock came from."),
    ImportRun,
    lambda now: select(ImportRun.id).where(
        ImportRun.started_at < now - timedelta(days=366),
        ImportRun.ended_at.is_not(None),
        ImportRun.file_path != "",
    ),
    _forget_file,
)
