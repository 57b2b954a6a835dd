"""A file tried out: read, matched and compared like any other, in the worker, and taken back at the
moment it would be kept. What it would do is shown before anybody starts it.

The law is the one of the real load (`runs.Loading.ended` raises `runs.TriedOut` inside the unit
that applies the file), so that the forecast and the load cannot differ.
"""

from collections.abc import Callable
from typing import Any, TypedDict

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from models import ImportRun
from services import outbox, workflow
from services.imports import runs, tables
from services.unit import db, unit_of_work
from services.workflow import Actor, Refused

NAME = "trial"  # its place in the report of a run


def ask(run: ImportRun, mapping: dict[str, str], *, by: Actor, mode: str = "") -> None:
    """Let the worker try a draft with these columns; nothing of it is kept but the forecast. Raises
    Refused when the columns do not do, or when it was started.
    """
    runs.choose_columns(run, mapping, mode)
    number = run.report.get(NAME, {}).get("number", 0) + 1
    run.report = {**run.report, NAME: {"number": number}}
    workflow.record(run, "try_out", by=by)
    outbox.add("import_trial", f"import_trial:{run.id}:{number}", run=run.id, number=number)


def of(run: ImportRun) -> dict[str, Any] | None:
    """What a draft would do, when it was tried with the columns it has now: its counts, what it
    would wait for, its first refused lines. `{}` while it is tried; None when nobody asked.
    """
    found = run.report.get(NAME)
    if found is None:
        return None
    return {name: value for name, value in found.items() if name != "number"}


def try_out(run_id: int, alive: Callable[[], None] = lambda: None) -> dict[str, Any] | None:
    """Load a draft and take it back. Returns the forecast, None when it is a draft no more."""
    db.session.rollback()
    run = db.session.get_one(ImportRun, run_id)
    if not workflow.can(run, "start_import"):
        return None
    loading = runs.Loading(run, alive, is_trial=True)
    try:
        tables.check_name(loading.source, loading.name)
        loading.kind.load(loading)
        raise AssertionError(f"{loading.kind.name} was loaded without an end")
    except runs.TriedOut as tried:
        return tried.forecast
    except Refused as refusal:
        return {"error": str(refusal)}
    except UnicodeError:
        return {"error": _("This file's letters cannot be read: save it as « CSV UTF-8 ».")}
    finally:
        loading.forget_errors()


# ── the worker's door ──


class FileToTry(TypedDict):
    """What the outbox keeps of a file to try; `number`: the how manieth trial of it."""

    run: int
    number: int


def _work(payload: FileToTry, key: str) -> str:
    forecast = try_out(payload["run"], alive=lambda: outbox.extend_lease(key))
    with unit_of_work() as session:
        run = session.get_one(ImportRun, payload["run"])
        if forecast is not None and run.report.get(NAME, {}).get("number") == payload["number"]:
            run.report = {**run.report, NAME: {"number": payload["number"], **forecast}}
    return ""


def _worked(payload: FileToTry, answer: str | None, error: str | None) -> None:
    run = db.session.get(ImportRun, payload["run"])
    if error is not None and run is not None:
        sentence = _("The trial stopped on an error of ours: it was written down.")
        run.report = {**run.report, NAME: {"number": payload["number"], "error": sentence}}


workflow.says("import_run", try_out=_l("Tried out"))
outbox.handles("import_trial", _l("File to try out"), call=_work, record=_worked)
