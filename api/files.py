"""Files of vendors' software: given, followed, their refused lines fetched."""

import tempfile
from pathlib import Path
from typing import Any

from flask import Response, jsonify, request
from flask_babel import gettext as _
from sqlalchemy import select

from api import bp, problem
from api.door import Invalid, iso, opens, read_moment, store_of
from models import ImportRun, ImportState, MachineKey, Store, Vendor
from services import files
from services.imports import runs, tables
from services.people import machine_keys
from services.unit import db, unit_of_work

# What the marketplaces call the states of an import.
STATES = {
    ImportState.draft: "WAITING",
    ImportState.waiting: "WAITING",
    ImportState.running: "RUNNING",
    ImportState.to_confirm: "TO_CONFIRM",
    ImportState.complete: "COMPLETE",
    ImportState.failed: "FAILED",
    ImportState.cancelled: "CANCELLED",
}
KINDS = ("stock", "listings", "prices", "catalogue")


@bp.post("/imports")
@opens("imports")
def give_file(key: MachineKey) -> Any:
    """Give a file (multipart: `file`, `kind`, perhaps `store`, `mode`, `dated_at`). 202 with its
    number; the same file on its way keeps its own.
    """
    given, kind = request.files.get("file"), request.form.get("kind", "")
    mode = (request.form.get("import_mode") or request.form.get("mode", "")).lower()
    errors = []
    if given is None or not given.filename:
        errors.append({"field": "file", "code": "file", "message": _("Choose a file.")})
    kind = runs.FORMERLY.get(kind, kind)
    if kind not in KINDS:
        errors.append(
            {
                "field": "kind",
                "code": "choice",
                "message": _("Give one of: %(choices)s.", choices=", ".join(KINDS)),
            }
        )
    elif key.store_id and kind != "stock":
        errors.append(
            {
                "field": "kind",
                "code": "store",
                "message": _(
                    "This key stands in one store: it gives its stock files, and no others."
                ),
            }
        )
    elif mode and mode not in runs.KINDS[kind].modes:
        errors.append(
            {
                "field": "mode",
                "code": "choice",
                "message": _(
                    "Give one of: %(choices)s.", choices=", ".join(runs.KINDS[kind].modes) or "–"
                ),
            }
        )
    words = request.form.get("dated_at", "")
    dated_at = read_moment(words) if words else None
    if words and dated_at is None:
        errors.append(
            {
                "field": "dated_at",
                "code": "moment",
                "message": _("Give a moment with its offset: 2026-11-25T10:30:00+01:00."),
            }
        )
    if errors:
        raise Invalid(errors)
    assert given is not None
    code = request.form.get("store", "")[:20].replace("\0", "")
    store_id = store_of(key, code).id if kind == "stock" and (code or key.store_id) else None
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
            dated_at=dated_at,
        )
        session.flush()
        answer = _told(run)
    return jsonify(answer), 202


@bp.get("/imports/<int:id>")
@opens("imports")
def file_status(key: MachineKey, id: int) -> Any:
    """What became of a file."""
    run = _run(key, id)
    return jsonify(_told(run)) if run else _nothing()


@bp.get("/imports/<int:id>/error_report")
@opens("imports")
def file_errors(key: MachineKey, id: int) -> Any:
    """Its refused and ignored lines with their reasons, as a file that can be corrected and given
    again.
    """
    run = _run(key, id)
    if run is None or not run.errors_path:
        return _nothing()
    return Response(files.read(run.errors_path), mimetype="text/csv")


def _run(key: MachineKey, id: int) -> ImportRun | None:
    return db.session.scalar(
        select(ImportRun).where(ImportRun.id == id, ImportRun.vendor_id == key.vendor_id)
    )


def _nothing() -> Any:
    return problem(
        404, "not_found", _("There is nothing at this address, or it is not yours to see.")
    )


def _told(run: ImportRun) -> dict[str, Any]:
    is_offers = run.kind == "listings"
    return {
        "import_id": run.id,
        "kind": run.kind,
        "status": STATES[run.state],
        "mode": run.mode,
        "lines_read": run.lines_read,
        "lines_in_success": run.created + run.updated + run.unchanged,
        "lines_in_error": run.refused + run.ignored,
        "lines_in_pending": max(0, run.lines_total - run.lines_read) if run.ended_at is None else 0,
        "offer_inserted": run.created if is_offers else 0,
        "offer_updated": run.updated if is_offers else 0,
        "offer_deleted": run.removed if is_offers else 0,
        "created": run.created,
        "updated": run.updated,
        "unchanged": run.unchanged,
        "removed": run.removed,
        "has_error_report": bool(run.errors_path),
        "reason_status": run.error or None,
        "date_created": iso(run.started_at),
    }
