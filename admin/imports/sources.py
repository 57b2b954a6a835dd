"""« Fichiers à aller chercher »: where vendors' software leaves its files, and how the last fetches
went.
"""

from typing import Any

from flask import flash, redirect, url_for
from flask_appbuilder import BaseView, expose
from flask_appbuilder.models.sqla.interface import SQLAInterface
from flask_appbuilder.security.decorators import has_access
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_login import current_user
from wtforms import SelectField, TextAreaField
from wtforms.validators import Optional

from admin import forms
from admin.base import ReferenceView, action_of, me, row_or_404
from admin.imports.imports import MODES
from models import FeedSource, ImportRun, Vendor
from services.imports import runs, sources
from services.people import staff
from services.unit import db, unit_of_work
from services.workflow import Refused

MOVE = {move.verb: move for move in sources.SOURCE.moves}
MOST_RUNS = 10


def _kinds() -> list[tuple[str, str]]:
    """The kinds of file this person may have fetched."""
    sees_all = staff.sees_all(current_user)
    return [
        (kind.name, str(kind.label)) for kind in sources.kinds() if kind.for_vendors or sees_all
    ]


class _SecretArea(TextAreaField):
    """Lines that are never shown again, not even to who typed them."""

    def _value(self) -> str:
        return ""


def _modes() -> list[tuple[str, str]]:
    return [("", _("as its header says")), *((mode, str(words)) for mode, words in MODES.items())]


class SourceView(ReferenceView):
    asks_proof = {"add", "edit", "delete"}
    datamodel = SQLAInterface(FeedSource)
    route_base = "/gestion/imports/sources"
    base_permissions = [*ReferenceView.base_permissions, "fetch_now", "pause", "resume"]
    list_title, noun = _l("Files to fetch"), _l("New source")
    list_columns = ["name", "store", "status", "last_good_at", "error"]
    show_columns = [
        *("name", "kind", "mode", "vendor", "store", "url", "login", "host_key"),
        *("every_minutes", "status", "next_at", "last_at", "last_good_at", "error"),
    ]
    _fields = ["name", "kind", "mode", "store", "url", "login", "secret", "every_minutes"]
    add_columns, edit_columns = ["vendor", *_fields], _fields
    label_columns = {
        "name": _l("Name"),
        "kind": _l("What it holds"),
        "mode": _l("Mode"),
        "vendor": _l("Vendor"),
        "store": _l("Store"),
        "url": _l("Address"),
        "login": _l("User name"),
        "secret": _l("Password, token or private key"),
        "host_key": _l("Key of the server"),
        "every_minutes": _l("Every (minutes)"),
        "status": _l("Status"),
        "next_at": _l("Next time"),
        "last_at": _l("Last time"),
        "last_good_at": _l("Last good time"),
        "error": _l("What went wrong"),
    }
    description_columns = {
        "name": _l("« Caisse de Nantes », « Export du siège »…"),
        "store": _l("Empty when the file names the store of each line, or holds no stock."),
        "url": _l(
            "https://…/stock.csv, or sftp://server/folder/stock_*.csv: « * » stands for what"
            " changes in the name."
        ),
        "login": _l("Empty when the address needs none."),
        "every_minutes": _l("5 at least; 60 is every hour, 1440 once a day."),
    }
    _chosen = {
        "kind": SelectField(_l("What it holds"), choices=_kinds, default="stock"),
        "mode": SelectField(_l("Mode"), choices=_modes, validators=[Optional()]),
        "secret": _SecretArea(
            _l("Password, token or private key"),
            [Optional()],
            description=_l("Kept sealed; empty keeps the one we have."),
            render_kw={"autocomplete": "off", "rows": 2, "spellcheck": "false"},
        ),
    }
    add_form_extra_fields = edit_form_extra_fields = _chosen
    sealed_fields = ("secret",)
    formatters_columns = {
        "kind": lambda kind: runs.KINDS[kind].label if kind in runs.KINDS else kind,
        "mode": lambda mode: MODES.get(mode, _("as its header says")),
    }
    order_columns = ["name", "last_good_at"]
    search_columns = ["name"]
    filter_columns = ("vendor", "status")
    find_columns = (FeedSource.name, FeedSource.url)
    first_order = "name"
    flow = sources.SOURCE
    show_partials = ("admin/imports/_source.html",)
    links = ((_l("Imports"), "ImportRunView.list", "download"),)
    empty_sentence = _l(
        "Nothing is fetched: give the address where a till or a software leaves its file, by https"
        " or SFTP."
    )

    fetch_source = action_of(MOVE["fetch_now"], sources.fetch_now)
    pause_source = action_of(MOVE["pause"], sources.pause)
    resume_source = action_of(MOVE["resume"], sources.resume)

    def check(self, row: FeedSource) -> None:
        if row.vendor is None and row.store is None and not staff.sees_all(current_user):
            theirs = db.session.scalars(db.select(Vendor).limit(2)).all()
            row.vendor = theirs[0] if len(theirs) == 1 else None
        # What was typed into a field that is no column lies on the row for a moment.
        sources.check(row, secret=getattr(row, "secret", "") or "")

    def kept(self, row: FeedSource, form: Any, ready: Any) -> None:
        db.session.flush()
        sources.keep_secret(row, form.secret.data or "")

    def show_more(self, row: FeedSource) -> dict[str, Any]:
        last = (
            db.select(ImportRun)
            .where(ImportRun.source_id == row.id)
            .order_by(ImportRun.id.desc())
            .limit(MOST_RUNS)
        )
        return {"fetched": db.session.scalars(last).all()}


class KeyForm(forms.Sent):
    """The key that was on the page when somebody said it is the right one."""

    key = forms.Text(200)


class SourceTrustView(BaseView):
    """« C'est le bon serveur »."""

    asks_proof = {"trust"}
    route_base = "/gestion/imports/sources"
    class_permission_name = "SourceView"
    method_permission_name = {"trust": "edit"}
    base_permissions = ["can_edit"]

    @expose("/<int:id>/cle", methods=["POST"])
    @has_access
    def trust(self, id: int) -> Any:
        row_or_404(FeedSource, id)
        try:
            with unit_of_work() as session:
                row = session.get_one(FeedSource, id)
                sources.trust(row, by=me(), key=KeyForm.read().key.data)
            flash(_("Accepted: its files are fetched within a minute."), "success")
        except Refused as refusal:
            flash(str(refusal), "danger")
        return redirect(url_for("SourceView.show", pk=id))
