"""Files of vendors' software: given, followed, their refused lines fetched."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

from flask import Response
from flask_babel import gettext as _
from pydantic import Field
from sqlalchemy import Select, select
from werkzeug.datastructures import FileStorage

from api import problem, routes
from api.door import store_of
from api.fields import (
    MOST_ID,
    N_,
    Answer,
    At,
    Digits,
    File,
    Form,
    Invalid,
    Moment,
    Page,
    Text,
)
from models import ImportRun, ImportState, MachineKey, Store, Vendor
from services import files
from services.imports import runs, tables
from services.people import machine_keys
from services.unit import db, unit_of_work

Status = Literal["WAITING", "RUNNING", "TO_CONFIRM", "COMPLETE", "FAILED", "CANCELLED"]
# What the marketplaces call the states of an import.
STATES: dict[ImportState, Status] = {
    ImportState.draft: "WAITING",
    ImportState.waiting: "WAITING",
    ImportState.running: "RUNNING",
    ImportState.to_confirm: "TO_CONFIRM",
    ImportState.complete: "COMPLETE",
    ImportState.failed: "FAILED",
    ImportState.cancelled: "CANCELLED",
}
KINDS = ("stock", "listings", "prices", "catalogue")


class GivenFile(Form):
    file: File
    kind: Annotated[
        str, Text(20, blank=False), Field(json_schema_extra={"enum": [*KINDS, *runs.FORMERLY]})
    ]
    store: Annotated[str, Text(20)] = ""
    mode: Annotated[
        str, Text(20), Field(json_schema_extra={"enum": ["full", "delta", "normal", "replace"]})
    ] = ""
    import_mode: Annotated[
        str, Text(20), Field(json_schema_extra={"enum": ["NORMAL", "REPLACE"]})
    ] = ""
    dated_at: Moment | None = None


class Import(Answer):
    import_id: int
    kind: str
    status: Status
    mode: str
    lines_read: int
    lines_in_success: int
    lines_in_error: int
    lines_in_pending: int
    offer_inserted: int
    offer_updated: int
    offer_deleted: int
    created: int
    updated: int
    unchanged: int
    removed: int
    has_error_report: bool
    reason_status: str | None
    date_created: At


@routes.post(
    "/imports",
    N_("Give a file"),
    scopes=("imports",),
    returns=N_("Taken: ask again for what became of it."),
    status=202,
    problems={413: N_("Over 50 MB.")},
)
def give_file(key: MachineKey, body: GivenFile) -> Import:
    """The same file on its way keeps its number."""
    kind = runs.FORMERLY.get(body.kind, body.kind)
    mode = (body.import_mode or body.mode).lower()
    given = _check(key, body.file, kind, mode)
    store_id = None
    if kind == "stock" and (body.store or key.store_id):
        store_id = store_of(key, body.store).id
    with tempfile.NamedTemporaryFile() as kept:
        given.save(kept)
        kept.flush()
        tables.check_name(Path(kept.name), given.filename or "")
        stored = runs.keep(Path(kept.name), given.filename or "")
    with unit_of_work() as session:
        store = session.get(Store, store_id) if store_id else None
        run = runs.receive(
            stored,
            kind,
            by=machine_keys.actor(key),
            vendor=session.get_one(Vendor, key.vendor_id),
            store=store,
            mode=mode,
            dated_at=body.dated_at,
        )
        session.flush()
        return _answer(run)


def _check(key: MachineKey, file: Any, kind: str, mode: str) -> FileStorage:
    """Whether this key may give such a file. Raises Invalid."""
    if not isinstance(file, FileStorage) or not file.filename:
        raise Invalid.field("file", "file", _("Choose a file."))
    if kind not in KINDS:
        raise Invalid.field(
            "kind", "choice", _("Give one of: %(choices)s.", choices=", ".join(KINDS))
        )
    if key.store_id and kind != "stock":
        raise Invalid.field(
            "kind",
            "store",
            _("This key stands in one store: it gives its stock files, and no others."),
        )
    modes = runs.KINDS[kind].modes
    if mode and mode not in modes:
        raise Invalid.field(
            "mode", "choice", _("Give one of: %(choices)s.", choices=", ".join(modes) or "–")
        )
    return file


class ImportsPage(Page):
    kind: Annotated[
        str, Text(20), Field(json_schema_extra={"enum": [*KINDS]}, description=N_("Of one kind."))
    ] = ""
    status: Annotated[
        str,
        Text(20),
        Field(
            json_schema_extra={"enum": sorted(set(STATES.values()))},
            description=N_("In one state: TO_CONFIRM waits for you."),
        ),
    ] = ""
    limit: Annotated[int, Digits(1, 100), Field(description=N_("How many in one page."))] = 50


class Imports(Answer):
    results: list[Import]
    next: int | None


@routes.get(
    "/imports",
    N_("The files you gave, and what became of them"),
    scopes=("imports",),
    returns=N_("A page, the oldest first."),
)
def files_given(key: MachineKey, query: ImportsPage) -> Imports:
    """With `status=TO_CONFIRM`, the files that wait for somebody to say that they are right."""
    states = [state for state, word in STATES.items() if word == query.status]
    if query.status and not states:
        choices = ", ".join(sorted(set(STATES.values())))
        raise Invalid.field("status", "choice", _("Give one of: %(choices)s.", choices=choices))
    rows = _of(key).where(ImportRun.id > query.cursor).order_by(ImportRun.id)
    if query.kind:
        rows = rows.where(ImportRun.kind == query.kind)
    if states:
        rows = rows.where(ImportRun.state.in_(states))
    found = db.session.scalars(rows.limit(query.limit)).all()
    return Imports(
        results=[_answer(run) for run in found],
        next=found[-1].id if len(found) == query.limit else None,
    )


_NOTHING = N_("There is nothing at this address, or it is not yours to see.")


@routes.get(
    "/imports/<int:id>",
    N_("What became of a file"),
    scopes=("imports",),
    returns=N_("Its counters."),
    problems={404: _NOTHING},
)
def file_status(key: MachineKey, id: Annotated[int, Field(ge=1, le=MOST_ID)]) -> Import | Response:
    run = _run(key, id)
    return _answer(run) if run else problem(404, "not_found", _(_NOTHING))


@routes.get(
    "/imports/<int:id>/error_report",
    N_("Its refused and ignored lines, to correct and give again"),
    scopes=("imports",),
    returns=N_("CSV with « error-line » and « error-message »."),
    media="text/csv",
    problems={404: _NOTHING},
)
def file_errors(key: MachineKey, id: Annotated[int, Field(ge=1, le=MOST_ID)]) -> Response:
    run = _run(key, id)
    if run is None or not run.errors_path:
        return problem(404, "not_found", _(_NOTHING))
    return Response(files.read(run.errors_path), mimetype="text/csv")


@routes.post(
    "/imports/<int:id>/confirm",
    N_("A file that waits is right: apply it"),
    scopes=("imports",),
    returns=N_("It waits for its turn."),
    problems={404: _NOTHING},
)
def confirm_file(key: MachineKey, id: Annotated[int, Field(ge=1, le=MOST_ID)]) -> Import | Response:
    """422 `refused` when it waits for nobody."""
    return _decide(key, id, runs.confirm)


@routes.post(
    "/imports/<int:id>/cancel",
    N_("Forget a file that was not applied yet"),
    scopes=("imports",),
    returns=N_("Cancelled, or being stopped."),
    problems={404: _NOTHING},
)
def cancel_file(key: MachineKey, id: Annotated[int, Field(ge=1, le=MOST_ID)]) -> Import | Response:
    """422 `refused` when it was already applied or refused."""
    return _decide(key, id, runs.cancel)


def _decide(key: MachineKey, id: int, verb: Callable[..., None]) -> Import | Response:
    with unit_of_work() as session:
        run = _run(key, id)
        if run is None:
            return problem(404, "not_found", _(_NOTHING))
        verb(run, by=machine_keys.actor(key))
        session.flush()
        return _answer(run)


def _of(key: MachineKey) -> Select[ImportRun]:
    """The files of a key's vendor; of a key that stands in one store the scope leaves that store's
    (services/access.py).
    """
    return select(ImportRun).where(ImportRun.vendor_id == key.vendor_id)


def _run(key: MachineKey, id: int) -> ImportRun | None:
    return db.session.scalar(_of(key).where(ImportRun.id == id))


def _answer(run: ImportRun) -> Import:
    is_offers = run.kind == "listings"
    return Import(
        import_id=run.id,
        kind=run.kind,
        status=STATES[run.state],
        mode=run.mode,
        lines_read=run.lines_read,
        lines_in_success=run.created + run.updated + run.unchanged,
        lines_in_error=run.refused + run.ignored,
        lines_in_pending=max(0, run.lines_total - run.lines_read) if run.ended_at is None else 0,
        offer_inserted=run.created if is_offers else 0,
        offer_updated=run.updated if is_offers else 0,
        offer_deleted=run.removed if is_offers else 0,
        created=run.created,
        updated=run.updated,
        unchanged=run.unchanged,
        removed=run.removed,
        has_error_report=bool(run.errors_path),
        reason_status=run.error or " ".join(runs.why_it_waits(run)) or None,
        date_created=run.started_at,
    )
