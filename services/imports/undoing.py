"""A whole file taken back, while nothing it changed has moved since: asked on its page, done by the
worker. What a row was before is kept for a week (`ImportBefore`); each kind of file says with a law
of its own how its rows go back.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypedDict

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import Connection, delete, select, text

from models import ImportBefore, ImportRun, ImportState
from services import clock, outbox, workflow
from services.imports import runs
from services.unit import db, is_sqlite, retried, unit_of_work
from services.workflow import CLOCK, Actor, Refused

UNDONE = "undone_at"  # its place in the report of a run
ASKED = "undo"  # and what became of the last one that was asked
WRITTEN = "written_at"  # and the moment what it counted speaks of, where no line says it, in ISO
LONGEST = timedelta(days=7)


@dataclass(frozen=True)
class Undone:
    """How many rows are as before, and which the file made are kept, by their names, since
    something depends on them by now.
    """

    count: int
    kept: tuple[str, ...] = ()


@dataclass(frozen=True)
class Law:
    """How a kind of file is undone: whether a run changed anything, and the verb, which works in
    the caller's unit and raises Refused when something moved since.
    """

    has_changed: Callable[[ImportRun], bool]
    undo: Callable[[ImportRun, Actor], Undone]
    afterwards: Callable[[], Any]


LAWS: dict[str, Law] = {}


def law(
    kind: str,
    undo: Callable[[ImportRun, Actor], Undone],
    has_changed: Callable[[ImportRun], bool] | None = None,
    afterwards: Callable[[], Any] = lambda: None,
) -> None:
    """Declare how files of a kind are undone; `afterwards` is called once it is kept."""
    LAWS[kind] = Law(has_changed or kept_something, undo, afterwards)


# ── what a row was before ──


def keep_changed(
    connection: Connection, run_id: int, table: str, columns: list[str], *, among: str
) -> None:
    """Keep these columns of the rows a file is about to change. `among`: SQL that selects their
    numbers. `keep_what_became` says what they are once it has.
    """
    if columns:
        connection.execute(
            text(
                "INSERT INTO import_before (run_id, subject, subject_id, before) SELECT :run,"
                f" '{table}', t.id, {as_json('t', columns)} FROM {table} t WHERE t.id IN ({among})"
            ),
            {"run": run_id},
        )


def keep_what_became(connection: Connection, run_id: int, table: str, columns: list[str]) -> None:
    """Keep what a file made of the rows it changed."""
    if columns:
        connection.execute(
            text(
                f"UPDATE import_before SET after = {as_json('t', columns)} FROM {table} t WHERE"
                f" run_id = :run AND subject = '{table}' AND before IS NOT NULL AND t.id ="
                " subject_id"
            ),
            {"run": run_id},
        )


def keep_created(
    connection: Connection, run_id: int, table: str, columns: list[str], *, among: str
) -> None:
    """Keep that a file made these rows, and what it put into these columns."""
    connection.execute(
        text(
            "INSERT INTO import_before (run_id, subject, subject_id, after) SELECT :run,"
            f" '{table}', t.id, {as_json('t', columns)} FROM {table} t WHERE t.id IN ({among})"
        ),
        {"run": run_id},
    )


def as_json(alias: str, columns: list[str]) -> str:
    """SQL: these columns of a row as JSON; the same values always make the same text."""
    made = "json_object" if is_sqlite() else "json_build_object"
    pairs = ", ".join(f"'{column}', {alias}.{column}" for column in columns)
    return f"{made}({pairs})"


def as_text(json: str) -> str:
    """SQL: a JSON to be compared."""
    return json if is_sqlite() else f"CAST({json} AS TEXT)"


def kept_something(run: ImportRun) -> bool:
    found = select(ImportBefore.id).where(ImportBefore.run_id == run.id)
    return db.session.scalar(found.limit(1)) is not None


FORGET_AT_ONCE = 5_000


def forget_old() -> int:
    """What rows were before files that are a week old; returns how many were forgotten. In short
    units of its own.
    """
    done = 0
    while True:
        with unit_of_work() as session:
            ids = session.scalars(
                select(ImportBefore.id)
                .join(ImportRun, ImportRun.id == ImportBefore.run_id)
                .where(ImportRun.ended_at < clock.now() - LONGEST)
                .limit(FORGET_AT_ONCE)
            ).all()
            if not ids:
                return done
            session.execute(delete(ImportBefore).where(ImportBefore.id.in_(ids)))
        done += len(ids)


# ── asked, and done ──


def can_be_undone(run: ImportRun) -> bool:
    """Whether the question makes sense: a file of this week that was loaded, changed something and
    is not being undone. What moved since is asked by `undo`.
    """
    return _is_open(run) and not is_under_way(run) and LAWS[run.kind].has_changed(run)


def _is_open(run: ImportRun) -> bool:
    return (
        run.kind in LAWS
        and run.state is ImportState.complete
        and UNDONE not in run.report
        and run.ended_at is not None
        and run.ended_at > clock.now() - LONGEST
    )


def is_under_way(run: ImportRun) -> bool:
    return ASKED in run.report and "error" not in run.report[ASKED] and UNDONE not in run.report


def ask(run: ImportRun, *, by: Actor) -> None:
    """Let the worker undo a file; asked again meanwhile, it is undone once. Raises Refused when it
    cannot be undone any more.
    """
    db.session.refresh(run, with_for_update=True)
    if is_under_way(run):
        return  # asked twice: once is enough
    if not can_be_undone(run):
        raise Refused(_("This file can no longer be undone: give the right one instead."))
    number = run.report.get(ASKED, {}).get("number", 0) + 1
    run.report = {**run.report, ASKED: {"number": number}}
    workflow.record(run, "ask_undo", by=by)
    outbox.add(
        "import_undo",
        f"import_undo:{run.id}:{number}",
        run=run.id,
        number=number,
        by=[by.kind, by.id, by.name],
    )


def undo(run: ImportRun, *, by: Actor) -> Undone:
    """Put back what a file changed, in the caller's unit. Raises Refused when one of its rows moved
    since, or is held: then nothing is put back.
    """
    db.session.refresh(run, with_for_update=True)
    if not _is_open(run):
        raise Refused(_("This file can no longer be undone: give the right one instead."))
    id = run.id
    done = LAWS[run.kind].undo(run, by)
    run = db.session.get_one(ImportRun, id)  # what was put back expired the session
    told = {**run.report.get(ASKED, {}), "count": done.count, "kept": list(done.kept)}
    told.pop("error", None)
    report = {**run.report, UNDONE: clock.now().isoformat(), ASKED: told}
    runs.IMPORT.fire(run, "undo_import", by=by, set={"report": report}, references=done.count)
    return done


# ── the worker's door ──


class FileToUndo(TypedDict):
    """What the outbox keeps of a file to undo; `by`: kind, number and name of who asked."""

    run: int
    number: int
    by: tuple[str, int | None, str]


def _work(payload: FileToUndo, key: str) -> str:
    def work() -> None:
        with unit_of_work() as session:
            run = session.get_one(ImportRun, payload["run"])
            if is_under_way(run) and run.report[ASKED]["number"] == payload["number"]:
                undo(run, by=Actor(*payload["by"]))
                done.append(LAWS[run.kind])

    done: list[Law] = []
    try:
        retried(work)
        for law in done[-1:]:
            law.afterwards()
    except Refused as refusal:
        return str(refusal)
    return ""


def _worked(payload: FileToUndo, answer: str | None, error: str | None) -> None:
    if answer is None and error is None:
        return  # it is tried again
    run = db.session.get(ImportRun, payload["run"])
    asked = run.report.get(ASKED, {}).get("number") if run is not None else None
    if run is None or UNDONE in run.report or asked != payload["number"]:
        return
    sentence = _("It stopped on an error of ours: it was written down. Nothing was undone.")
    told = {"number": payload["number"], "error": sentence if error is not None else answer}
    run.report = {**run.report, ASKED: told}
    workflow.record(run, "refuse_undo", by=CLOCK, reason=told["error"])


workflow.says("import_run", ask_undo=_l("Undo asked"), refuse_undo=_l("Nothing was undone"))
outbox.handles("import_undo", _l("File to undo"), call=_work, record=_worked)


def since(run: ImportRun, kinds: tuple[str, ...]) -> bool:
    """Whether another file of these kinds was loaded since, which may have said the same again."""
    later = select(ImportRun.id).where(
        ImportRun.kind.in_(kinds),
        ImportRun.state == ImportState.complete,
        ImportRun.id != run.id,
        ImportRun.ended_at >= run.ended_at,
    )
    return db.session.scalar(later.limit(1)) is not None


def undone_lately(vendor_id: int | None) -> list[ImportRun]:
    """The files of a vendor that were undone within a week: what they did counts no more."""
    rows = db.session.scalars(
        select(ImportRun).where(
            ImportRun.vendor_id == vendor_id,
            ImportRun.state == ImportState.cancelled,
            ImportRun.ended_at > clock.now() - 2 * LONGEST,
        )
    )
    return [row for row in rows if UNDONE in row.report]


def named(words: list[str], most: int = 3) -> str:
    """The first few of them, for whoever looks them up."""
    return ", ".join(words[:most]) + (" …" if len(words) > most else "")
