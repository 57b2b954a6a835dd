"""Files people give us: dropped, looked at, their columns matched, started, followed, cancelled,
confirmed; and the history with its files.
"""

import tempfile
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

from flask import (
    abort,
    current_app,
    flash,
    jsonify,
    redirect,
    render_template,
    request,
    send_file,
    url_for,
)
from flask_appbuilder import BaseView, expose
from flask_appbuilder.models.sqla.interface import SQLAInterface
from flask_appbuilder.security.decorators import has_access
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_login import current_user

from admin import forms
from admin.base import ScopedView, me, row_or_404
from models import ImportRun, Store, Vendor
from services import access, clock, files, workflow
from services.imports import archives, runs, tables, trials, undoing
from services.people import staff
from services.unit import db, unit_of_work
from services.workflow import Refused

MODES = {
    "full": _l("full: what it does not name is no longer there"),
    "delta": _l("partial: the rest stays as it is"),
    "normal": _l("changes what it names"),
    "replace": _l("replaces all offers"),
}


class ImportRunView(ScopedView):
    datamodel = SQLAInterface(ImportRun)
    route_base = "/gestion/imports"
    list_title = _l("Imports")
    list_columns = [
        "file_name",
        "kind",
        "state",
        "vendor",
        "store",
        "lines_read",
        "created",
        "updated",
        "ignored",
        "refused",
        "by_name",
        "started_at",
    ]
    show_columns = [
        "file_name",
        "kind",
        "mode",
        "state",
        "error",
        "vendor",
        "store",
        "dated_at",
        "encoding",
        "separator",
        "lines_read",
        "created",
        "updated",
        "unchanged",
        "removed",
        "ignored",
        "refused",
        "repeated",
        "by_name",
        "started_at",
        "ended_at",
    ]
    label_columns = {
        "file_name": _l("File"),
        "kind": _l("What"),
        "mode": _l("Mode"),
        "state": _l("Status"),
        "vendor": _l("Vendor"),
        "store": _l("Store"),
        "dated_at": _l("Dated"),
        "lines_read": _l("Lines read"),
        "created": _l("Created"),
        "updated": _l("Updated"),
        "unchanged": _l("Unchanged"),
        "removed": _l("Taken off"),
        "ignored": _l("Ignored"),
        "refused": _l("Refused"),
        "by_name": _l("By"),
        "started_at": _l("Started"),
        "ended_at": _l("Ended"),
        "error": _l("What went wrong"),
        "encoding": _l("Encoding"),
        "separator": _l("Separator"),
        "repeated": _l("Named twice"),
    }
    formatters_columns = {
        "kind": lambda kind: runs.KINDS[kind].label if kind in runs.KINDS else kind,
        "mode": lambda mode: MODES.get(mode, mode or "–"),
    }
    order_columns = ["started_at", "lines_read"]
    search_columns = ["state"]
    filter_columns = ("state", "vendor", "store", "started_at")
    find_columns = (ImportRun.file_name,)
    first_order = "-started_at"
    tabs = ((_l("To confirm"), "?state=to_confirm"), (_l("Failed"), "?state=failed"))
    links = (
        (_l("Files of the stores"), "FeedWatchView.watch", "stock"),
        (_l("Files to fetch"), "SourceView.list", "clock"),
        (_l("Give a file"), "ImportView.upload", "download"),
    )
    show_partials = ("admin/imports/_import_report.html",)

    def open_url(self, run: ImportRun) -> str:  # type: ignore[override]
        return url_for("ImportView.follow", id=run.id)

    def show_more(self, row: ImportRun) -> dict[str, Any]:
        return {"refusals": runs.refusals(row, request.args.get("q", ""))}


# What the screen calls the columns people must find in their own files.
COLUMN_WORDS = {
    "ean": _l("Barcode (EAN)"),
    "file": _l("Picture"),
    "sku": _l("Your reference"),
    "quantity": _l("Quantity"),
    "store": _l("Store"),
    "title": _l("Title"),
    "brand": _l("Brand"),
    "supplier_ref": _l("Supplier reference"),
    "delete": _l("update-delete"),
    "argus": _l("Argus"),
    "platform": _l("Platform"),
    "voucher": _l("Voucher price"),
    "cash": _l("Cash price"),
    "maker": _l("Maker"),
    "category": _l("Department"),
    "family": _l("Family"),
    "subfamily": _l("Subfamily"),
    "color": _l("Colour"),
    "material": _l("Material"),
    "size": _l("Size"),
    "shoe_size": _l("Shoe size"),
    "buy": _l("Supplier's price"),
    "advised": _l("Advised price"),
    "vat": _l("VAT"),
    "season": _l("Season"),
    "active": _l("Active"),
    "description": _l("Description"),
    "weight": _l("Weight (g)"),
    "edition": _l("Edition"),
    "price": _l("Price"),
    "discount": _l("Reduced price"),
    "state": _l("Condition"),
    "product_id": _l("Barcode (EAN)"),
    "id_type": _l("Kind of that code"),
    "alert": _l("Alert under"),
    "available_from": _l("Available from"),
    "available_to": _l("Available until"),
    "logistic": _l("Logistic class"),
    "discount_from": _l("Reduced from"),
    "discount_to": _l("Reduced until"),
    "delay": _l("Leaves within (days)"),
    "what": _l("update-delete"),
}


def kinds() -> list[runs.Kind]:
    """The kinds of file this person may give."""
    if access.tied_stores() is not None:
        return [runs.KINDS["stock"]]
    security: Any = getattr(current_app, "appbuilder").sm  # noqa: B009  # the generator's
    may_give_access = security.has_access("can_add", "AddStaffView")
    return [
        kind
        for kind in runs.KINDS.values()
        if (kind.for_vendors or staff.sees_all(current_user))
        and (may_give_access or not kind.gives_access)
    ]


# « By its columns », in the list of kinds.
GUESS = "guess"


class FileForm(forms.Sent):
    """What a file holds, and whose it is."""

    kind = forms.Typed()
    store = forms.Chosen()
    vendor = forms.Chosen()
    mode = forms.Typed()


class StartForm(forms.Sent):
    mode = forms.Typed()


class ReadingForm(forms.Sent):
    """How a file is to be read, where it was not found by itself."""

    encoding = forms.Typed()
    separator = forms.Typed()
    sheet = forms.Typed()
    line = forms.Typed()


SEPARATORS = {
    ";": _l("semicolon ;"),
    ",": _l("comma ,"),
    "\t": _l("tab"),
    "|": _l("bar |"),
    "^": "^",
    "~": "~",
    ":": _l("colon :"),
    "#": "#",
}


class ImportView(BaseView):
    route_base = "/gestion/imports/fichier"
    default_view = "upload"

    @expose("/", methods=["GET", "POST"])
    @has_access
    def upload(self) -> Any:
        sentence = ""
        if request.method == "POST":
            try:
                run_id = self._take()
                return redirect(url_for("ImportView.follow", id=run_id))
            except Refused as refusal:
                sentence = str(refusal)
        page = render_template(
            "admin/imports/import.html",
            kinds=kinds(),
            guess=GUESS,
            modes=MODES,
            stores=db.session.scalars(db.select(Store).order_by(Store.name).limit(2000)).all(),
            vendors=db.session.scalars(db.select(Vendor).order_by(Vendor.name).limit(2000)).all(),
            runs=runs.latest(),
            sentence=sentence,
            chosen=request.values.get("kind", ""),
            labels={name: kind.label for name, kind in runs.KINDS.items()},
            asked=request.values,
            sees_all=staff.sees_all(current_user),
        )
        return page, 422 if sentence else 200

    def _take(self) -> int:
        """Keep the file and open a draft: nothing is loaded before somebody looked at its
        columns.
        """
        form = FileForm.read()
        given, kind = request.files.get("file"), form.kind.data
        mine = {one.name: one for one in kinds()}
        if kind != GUESS and kind not in mine:
            if access.tied_stores() is not None:
                raise Refused(_("You work in one store: you give its stock files, and no others."))
            raise Refused(_("Choose what this file holds."))
        if not given or not given.filename:
            raise Refused(_("Choose a file."))
        with tempfile.NamedTemporaryFile() as kept, tables.on_a_page():
            given.save(kept)
            kept.flush()
            tables.check_name(Path(kept.name), given.filename)
            with archives.unpacked(Path(kept.name), given.filename) as (path, name):
                if kind == GUESS:
                    kind = self._guessed(path, list(mine.values()), form)
                store, vendor = self._owner(runs.KINDS[kind], form)
                # What is no table is refused before anything is kept; where its header is can be
                # said.
                with suppress(tables.Unclear):
                    tables.open_table(path, runs.KINDS[kind].columns)
                stored = runs.keep(path, name)
        with unit_of_work() as session:
            return runs.receive(
                stored,
                kind,
                by=me(),
                vendor=session.get(Vendor, vendor) if vendor else None,
                store=session.get(Store, store) if store else None,
                mode=form.mode.data,
                draft=True,
            ).id

    @staticmethod
    def _may_decide(run: ImportRun) -> bool:
        """Who works in one store decides about its stock files, and no others."""
        return access.tied_stores() is None or run.store_id is not None

    def _guessed(self, path: Path, among: list[runs.Kind], form: FileForm) -> str:
        """What a file holds, by its columns. Raises Refused."""
        guessed = None
        with suppress(tables.Unclear):
            guessed = runs.kind_by_its_columns(path, among, self._vendor_named(form))
        if guessed is None:
            raise Refused(_("Its columns do not say what this file holds: choose it in the list."))
        return guessed.name

    @staticmethod
    def _vendor_named(form: FileForm) -> int | None:
        """Whose file it is, before anybody knows what it holds."""
        store = db.session.scalar(db.select(Store).where(Store.id == form.store.data))
        vendor_id: int | None = store.vendor_id if store is not None else form.vendor.data
        return vendor_id

    @staticmethod
    def _owner(kind: runs.Kind, form: FileForm) -> tuple[int | None, int | None]:
        """Store and vendor a file is for, among those this person may see."""
        store = db.session.scalar(db.select(Store).where(Store.id == form.store.data))
        vendors = list(db.session.scalars(db.select(Vendor).order_by(Vendor.id).limit(2)))
        vendor = db.session.scalar(db.select(Vendor).where(Vendor.id == form.vendor.data))
        if (tied := access.tied_stores()) is not None:
            if kind.name != "stock":
                raise Refused(_("You work in one store: you give its stock files, and no others."))
            if store is None and len(tied) == 1:
                store = db.session.scalar(db.select(Store).where(Store.id == next(iter(tied))))
            if store is None:
                raise Refused(_("Choose the store or the vendor this file comes from."))
        if store is not None:
            return store.id, store.vendor_id
        if vendor is None and (
            not staff.sees_all(current_user) or kind.name in ("stock", "listings", "prices")
        ):
            vendor = vendors[0] if len(vendors) == 1 else None
            if vendor is None:
                raise Refused(_("Choose the store or the vendor this file comes from."))
        return None, vendor.id if vendor else None

    @expose("/<int:id>")
    @has_access
    def follow(self, id: int) -> Any:
        run = self._run(id)
        if workflow.can(run, "start_import"):
            kind = runs.KINDS[run.kind]
            with tables.on_a_page():
                preview = runs.preview(run)
            return render_template(
                "admin/imports/import_preview.html",
                run=run,
                kind=kind,
                preview=preview,
                trial=(trial := trials.of(run)),
                would_wait=runs.what_to_look_at(trial or {}),
                encodings=tables.ENCODINGS,
                separators=SEPARATORS,
                modes=MODES,
                words=COLUMN_WORDS,
            )
        return render_template(
            "admin/imports/import_run.html",
            run=run,
            kind=runs.KINDS.get(run.kind),
            pace=runs.pace(run),
            why_it_waits=runs.why_it_waits(run),
            can_be_undone=self._may_decide(run) and undoing.can_be_undone(run),
            is_being_undone=undoing.is_under_way(run),
            modes=MODES,
            now=clock.now(),
            history=workflow.history(run),
            refusals=runs.refusals(run, request.args.get("q", "")),
        )

    @expose("/<int:id>/<any(start,try,read,cancel,confirm,undo):verb>", methods=["POST"])
    @has_access
    def decide(self, id: int, verb: str) -> Any:
        chosen, mode = forms.beginning_with("col-"), StartForm.read().mode.data
        if verb in ("start", "try") or (verb == "read" and chosen):
            with unit_of_work():
                runs.keep_choices(self._run(id), chosen, mode)
        opens = tables.on_a_page() if verb in ("start", "try") else nullcontext()
        with opens, unit_of_work():
            run = self._run(id)
            if not self._may_decide(run):
                raise Refused(_("You work in one store: you give its stock files, and no others."))
            if verb in ("start", "try"):
                verb_of = runs.start if verb == "start" else trials.ask
                verb_of(run, chosen, by=me(), mode=mode)
            elif verb == "read":
                runs.read_as(run, ReadingForm.read().data)
            elif verb == "undo":
                undoing.ask(run, by=me())
            elif verb == "cancel":
                runs.cancel(run, by=me())
            else:
                runs.confirm(run, by=me())
        if verb == "cancel":
            flash(_("Cancelled: nothing of it was loaded."), "success")
        return redirect(url_for("ImportView.follow", id=id))

    @expose("/<int:id>/suite.json")
    @has_access
    def state(self, id: int) -> Any:
        run = self._run(id)
        return jsonify(
            state=run.state.value, lines_read=run.lines_read, lines_total=run.lines_total
        )

    @expose("/<int:id>/refusees.csv")
    @has_access
    def refused(self, id: int) -> Any:
        run = self._run(id)
        if not run.errors_path:
            abort(404)
        return send_file(
            files.path(run.errors_path),
            "text/csv",
            as_attachment=True,
            download_name=f"{Path(run.file_name).stem}-refusees.csv",
        )

    @expose("/<int:id>/fichier")
    @has_access
    def original(self, id: int) -> Any:
        run = self._run(id)
        if not run.file_path:
            abort(404)
        return send_file(
            files.path(run.file_path),
            "application/octet-stream",
            as_attachment=True,
            download_name=run.file_name,
        )

    @staticmethod
    def _run(id: int) -> ImportRun:
        return row_or_404(ImportRun, id)
