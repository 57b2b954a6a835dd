"""The argus: what each reference is worth on the market, since when, and who says so.

Lists arrive as files. They are staged beside the catalogue, compared with it in one go, and only what differs is
written, in one short transaction: a file never half-applies, whatever kills it.
"""

import csv
import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import Connection, select, text, update

from models import ArgusValue, ImportRun, ImportState, Platform, Variant
from services import clock, files, money, outbox, retention, words, workflow
from services.stock import catalogue, imports
from services.unit import bulk, db, is_sqlite, merging, unit_of_work
from services.workflow import Actor, Refused

workflow.name_states(
    (ImportState.waiting, _l("Waiting"), "warn"),
    (ImportState.running, _l("Running"), "info"),
    (ImportState.complete, _l("Done"), "ok"),
    (ImportState.failed, _l("Failed"), "bad"),
)
files.named_by(ImportRun, "file_path", "errors_path")
workflow.VERBS.update(argus=_l("Argus changed"), import_argus=_l("Argus imported"), cover=_l("Cover changed"))

COLUMNS: dict[str, tuple[str, ...]] = {
    "ean": ("ean", "code-barres", "code barre", "gtin", "barcode", "ean13", "upc"),
    "title": ("titre", "title", "désignation", "libellé", "nom", "jeu"),
    "platform": ("plateforme", "platform", "console", "support", "machine"),
    "argus": ("argus", "cote", "valeur", "prix argus", "resale", "prix"),
    "voucher": ("bon_achat", "bon d'achat", "voucher", "avoir"),
    "cash": ("especes", "espèces", "cash", "comptant"),
}
REQUIRED = ("ean", "title", "argus")
PROGRESS_EVERY = 10_000


# ── by hand ──


def change(variant: Variant, value_cents: int, *, by: Actor) -> None:
    """Set what a reference is worth from today on. Raises Refused below zero."""
    if value_cents < 0:
        raise Refused(_("An argus cannot be negative."))
    if variant.argus_cents == value_cents:
        return
    before, today = variant.argus_cents, clock.today()
    variant.argus_cents, variant.argus_on = value_cents, today
    db.session.add(
        ArgusValue(variant=variant, value_cents=value_cents, voucher_cents=variant.voucher_cents, cash_cents=variant.cash_cents,
                   source=by.name[:40], since=today)
    )  # fmt: skip
    workflow.record(variant, "argus", by=by, before_cents=before, after_cents=value_cents)


def history(variant: Variant, limit: int = 60) -> list[ArgusValue]:
    """What a reference was worth, oldest first."""
    newest = db.session.scalars(
        select(ArgusValue).where(ArgusValue.variant_id == variant.id).order_by(ArgusValue.since.desc(), ArgusValue.id.desc()).limit(limit)
    ).all()
    return list(reversed(newest))


# ── by file ──


@dataclass(frozen=True)
class KeptFile:
    """A file as it came, copied among ours before any transaction: its name there, its print, what its owner calls it."""

    stored: str
    sha256: str
    name: str


def keep(path: Path, name: str) -> KeptFile:
    """Copy a file among ours. Slow: call it outside a unit."""
    digest = hashlib.sha256()
    stored = files.keep(b"", ".table")
    with path.open("rb") as source, files.path(stored).open("wb") as target:
        while block := source.read(1 << 20):
            digest.update(block)
            target.write(block)
    return KeptFile(stored, digest.hexdigest(), words.visible(name)[:200])


def receive(file: KeptFile, *, by: Actor) -> ImportRun:
    """Take a file in; the worker loads it. The same file already on its way is not taken twice."""
    sha256 = file.sha256
    under_way = db.session.scalar(
        select(ImportRun).where(ImportRun.sha256 == sha256, ImportRun.state.in_([ImportState.waiting, ImportState.running]))
    )
    if under_way:
        return under_way
    run = ImportRun(kind="argus", file_name=file.name, file_path=file.stored, sha256=sha256, by_name=by.name, started_at=clock.now(), report={})
    db.session.add(run)
    workflow.record(run, "import_argus", by=by)
    outbox.add("import", f"import:{run.id}", run=run.id)
    return run


def load(run_id: int, alive: Callable[[], None] = lambda: None) -> None:
    """Read, compare, apply. Everything that can go wrong with the file becomes the run's sentence. Loading twice changes nothing."""
    with unit_of_work() as session:
        run = session.get_one(ImportRun, run_id)
        if run.state in (ImportState.complete, ImportState.failed):
            return
        run.state, run.started_at = ImportState.running, clock.now()
        source, name = files.path(run.file_path), run.file_name
    try:
        imports.check_name(source, name)
        _load(run_id, source, alive)
    except Refused as refusal:
        _fail(run_id, str(refusal))
    except UnicodeError:
        _fail(run_id, _("This file's letters cannot be read: save it as « CSV UTF-8 »."))


def import_file(path: Path, *, by: Actor) -> ImportRun:
    """Receive and load at once (the command line), or wait for the worker that was quicker. Returns the finished run."""
    kept = keep(path, path.name)
    with unit_of_work():
        run_id = receive(kept, by=by).id
    outbox.work_now(f"import:{run_id}")
    for _second in range(3600):
        db.session.rollback()
        run = db.session.get_one(ImportRun, run_id)
        if run.ended_at:
            return run
        time.sleep(1)
    raise Refused(_("The worker is still at it: follow it under « Imports »."))


def latest_runs(limit: int = 20) -> list[ImportRun]:
    return list(db.session.scalars(select(ImportRun).order_by(ImportRun.id.desc()).limit(limit)))


# ── private: reading ──


def _load(run_id: int, source: Path, alive: Callable[[], None]) -> None:
    table = imports.open_table(source)
    at = imports.columns(table.header, COLUMNS, REQUIRED)
    platforms = {imports.fold(name): name for name in db.session.scalars(select(Platform.name))}
    db.session.rollback()
    errors_name = files.keep(b"", ".csv")
    reader = _Reader(table, at.at, platforms, files.path(errors_name))
    with bulk() as connection:
        _make_stage(connection)
        for chunk in imports.chunks(reader.lines(), 1000):
            _stage(connection, chunk)
            if reader.read % PROGRESS_EVERY < 1000:
                _progress(run_id, reader.read)
                alive()
        if not reader.refused:
            files.path(errors_name).unlink()
            errors_name = ""
        report = {
            "state": ImportState.complete, "errors_path": errors_name, "encoding": table.encoding, "separator": table.separator,
            "lines_read": reader.read, "refused": reader.refused, "repeated": reader.repeats,
            "report": {"repeated": reader.repeat_lines, "refused": reader.refused_lines, "unknown_columns": at.unknown[:20]},
        }  # fmt: skip
        alive()
        _merge(connection, run_id, report, absent=[name for name in ("voucher", "cash") if name not in at.at])


class _Reader:
    """Turns lines into rows to stage; refused ones go to a file with their sentence, to be corrected and loaded again."""

    def __init__(self, table: imports.Table, at: dict[str, int], platforms: dict[str, str], errors: Path) -> None:
        self.table, self.at, self.platforms, self.errors = table, at, platforms, errors
        self.read = self.refused = self.repeats = 0
        self.seen: set[int] = set()
        self.spelled: dict[str, str] = {}
        self.repeat_lines: list[list[Any]] = []
        self.refused_lines: list[list[Any]] = []

    def lines(self) -> Iterator[tuple[Any, ...]]:
        with self.errors.open("w", encoding="utf-8-sig", newline="") as file:
            writer = csv.writer(file, delimiter=";")
            writer.writerow([*self.table.header, "ligne", "motif"])
            for line, cells in self.table.rows:
                self.read += 1
                try:
                    row = self._row(line, cells)
                except Refused as refusal:
                    self.refused += 1
                    if len(self.refused_lines) < 200:
                        self.refused_lines.append([line, " ; ".join(cells)[:120], str(refusal)])
                    cells += [""] * (len(self.table.header) - len(cells))
                    writer.writerow([*(imports.neutral(c) for c in cells[: len(self.table.header)]), line, str(refusal)])
                else:
                    yield row

    def _row(self, line: int, cells: list[str]) -> tuple[Any, ...]:
        if not cells:
            raise Refused(_("This line cannot be read: a quotation mark is open."))
        at, width = self.at, len(cells)
        ean = catalogue.read_ean(cells[at["ean"]] if at["ean"] < width else "")
        title = cells[at["title"]].strip() if at["title"] < width else ""
        if not title.isascii() or not title.isprintable() or "  " in title or len(title) > 300:
            title = " ".join(words.visible(title).split())[:300]
        if not title:
            raise Refused(_("The title is missing."))
        argus = self._amount(cells, "argus")
        if argus is None:
            raise Refused(_("The argus is missing."))
        platform = words.visible(cells[at["platform"]]).strip()[:100] if at.get("platform", width) < width else ""
        if platform:
            known = self.spelled.get(platform)
            if known is None:
                known = self.spelled[platform] = self.platforms.setdefault(imports.fold(platform), platform)
            platform = known
        key = int(ean) * 100 + len(ean)
        if key in self.seen:
            self.repeats += 1
            if len(self.repeat_lines) < 200:
                self.repeat_lines.append([line, ean])
        else:
            self.seen.add(key)
        return line, ean, title, platform, argus, self._amount(cells, "voucher"), self._amount(cells, "cash")

    def _amount(self, cells: list[str], name: str) -> int | None:
        position = self.at.get(name)
        words = cells[position] if position is not None and position < len(cells) else ""
        if not words.strip():
            return None
        try:
            amount = money.parse(words)
        except ValueError:
            raise Refused(_("« %(words)s » is no amount: write 12,50.", words=words[:20])) from None
        if amount < 0:
            raise Refused(_("« %(words)s » is negative.", words=words[:20]))
        return amount


def _progress(run_id: int, lines: int) -> None:
    with unit_of_work() as session:
        session.execute(update(ImportRun).where(ImportRun.id == run_id).values(lines_read=lines))


def _fail(run_id: int, sentence: str) -> None:
    with unit_of_work() as session:
        run = session.get_one(ImportRun, run_id)
        run.state, run.error, run.ended_at = ImportState.failed, sentence, clock.now()


# ── private: comparing and applying, the same shape on both engines ──


def _make_stage(connection: Connection) -> None:
    connection.execute(
        text(
            "CREATE TEMPORARY TABLE stage (line INTEGER, ean VARCHAR(14), title TEXT, platform TEXT, argus INTEGER, voucher INTEGER, "
            "cash INTEGER, variant_id INTEGER, product_id INTEGER, changed INTEGER)"
        )
    )
    connection.execute(text("CREATE INDEX stage_ean ON stage (ean, line)"))


def _stage(connection: Connection, rows: list[tuple[Any, ...]]) -> None:
    if is_sqlite():
        connection.exec_driver_sql("INSERT INTO stage (line, ean, title, platform, argus, voucher, cash) VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
        return
    cursor = connection.connection.cursor()
    with cursor.copy("COPY stage (line, ean, title, platform, argus, voucher, cash) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


def _merge(connection: Connection, run_id: int, report: dict[str, Any], absent: list[str]) -> None:
    """Apply what differs and end the run with its report, in one transaction. A price the file has no column for stays as it is."""
    today, now, source = clock.today(), clock.now(), f"import:{run_id}"

    def run(sql: str, **values: Any) -> int:
        return connection.execute(text(sql), values).rowcount

    if report["repeated"]:  # the last line of a reference counts
        run("DELETE FROM stage WHERE EXISTS (SELECT 1 FROM stage later WHERE later.ean = stage.ean AND later.line > stage.line)")
    with merging(connection):
        if not is_sqlite():
            run("SELECT pg_advisory_xact_lock(hashtext('argus import'))")
        run(
            "INSERT INTO platform (name, weight_grams) SELECT DISTINCT platform, 150 FROM stage "
            "WHERE platform <> '' AND NOT EXISTS (SELECT 1 FROM platform p WHERE p.name = stage.platform)"
        )
        run("UPDATE stage SET variant_id = v.id, product_id = v.product_id FROM variant v WHERE v.ean = stage.ean")
        for name in absent:
            run(f"UPDATE stage SET {name} = v.{name}_cents FROM variant v WHERE v.id = stage.variant_id")
        if is_sqlite():
            run("UPDATE stage SET product_id = (SELECT coalesce(max(id), 0) FROM product) + stage.rowid WHERE variant_id IS NULL")
        else:
            run("UPDATE stage SET product_id = nextval('product_id_seq') WHERE variant_id IS NULL")
        run(
            "UPDATE stage SET changed = CASE WHEN v.argus_cents IS DISTINCT FROM stage.argus OR v.voucher_cents IS DISTINCT FROM stage.voucher "
            "OR v.cash_cents IS DISTINCT FROM stage.cash THEN 2 ELSE 1 END "
            "FROM variant v JOIN product p ON p.id = v.product_id LEFT JOIN platform pf ON pf.id = p.platform_id "
            "WHERE v.id = stage.variant_id AND (v.argus_cents IS DISTINCT FROM stage.argus OR v.voucher_cents IS DISTINCT FROM stage.voucher "
            "OR v.cash_cents IS DISTINCT FROM stage.cash OR p.title <> stage.title OR (stage.platform <> '' AND pf.name IS DISTINCT FROM stage.platform))"
        )
        created = run(
            "INSERT INTO product (id, title, platform_id, category, created_at) SELECT s.product_id, s.title, p.id, '', :now "
            "FROM stage s LEFT JOIN platform p ON p.name = s.platform WHERE s.variant_id IS NULL",
            now=now if not is_sqlite() else now.strftime("%Y-%m-%d %H:%M:%S.%f"),
        )
        run(
            "INSERT INTO variant (product_id, ean, argus_cents, argus_on, voucher_cents, cash_cents) "
            "SELECT product_id, ean, argus, :today, voucher, cash FROM stage WHERE variant_id IS NULL",
            today=today.isoformat() if is_sqlite() else today,
        )
        run(
            "INSERT INTO argus_value (variant_id, value_cents, voucher_cents, cash_cents, source, since) "
            "SELECT v.id, s.argus, s.voucher, s.cash, :source, :today FROM stage s JOIN variant v ON v.ean = s.ean "
            "WHERE s.variant_id IS NULL OR s.changed = 2",
            source=source, today=today.isoformat() if is_sqlite() else today,
        )  # fmt: skip
        updated = connection.execute(text("SELECT count(*) FROM stage WHERE changed > 0")).scalar_one()
        run(
            "UPDATE variant SET argus_cents = s.argus, argus_on = :today, voucher_cents = s.voucher, cash_cents = s.cash "
            "FROM stage s WHERE s.variant_id = variant.id AND s.changed = 2",
            today=today.isoformat() if is_sqlite() else today,
        )
        run(
            "UPDATE product SET title = s.title, platform_id = coalesce((SELECT id FROM platform WHERE name = s.platform), product.platform_id) "
            "FROM stage s WHERE s.product_id = product.id AND s.changed > 0"
        )
        same = connection.execute(text("SELECT count(*) FROM stage WHERE variant_id IS NOT NULL AND changed IS NULL")).scalar_one()
        counts = {"created": created, "updated": updated + report["repeated"], "unchanged": same, "ended_at": clock.now()}
        connection.execute(update(ImportRun).where(ImportRun.id == run_id).values(**report, **counts))


# ── the worker's door ──


def _work(payload: dict[str, Any], key: str) -> str:
    load(payload["run"], alive=lambda: outbox.still_at_it(key))
    return ""


def _worked(payload: dict[str, Any], answer: str | None, error: str | None) -> None:
    if error is not None:
        run = db.session.get_one(ImportRun, payload["run"])
        run.state, run.error, run.ended_at = ImportState.failed, _("The import stopped on an error of ours: it was written down."), clock.now()


outbox.handles("import", call=_work, record=_worked)


def _forget_file(run: ImportRun) -> list[str]:
    kept = [run.file_path, run.errors_path]
    run.file_path = run.errors_path = ""
    return [name for name in kept if name]


retention.rule("imports", _l("Price lists given to us, and their refused lines"), lambda: _l("one year"), _l("To see where a price came from."), ImportRun,
               lambda now: select(ImportRun.id).where(ImportRun.started_at < now - timedelta(days=366), ImportRun.ended_at.is_not(None), ImportRun.file_path != ""),
               _forget_file)  # fmt: skip
