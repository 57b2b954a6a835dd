"""Inventories: scan, compare, validate."""

from typing import Any

from flask import (
    abort,
    flash,
    redirect,
    render_template,
    request,
    url_for,
)
from flask_appbuilder import BaseView, expose
from flask_appbuilder.models.sqla.interface import SQLAInterface
from flask_appbuilder.security.decorators import has_access
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import select

from admin import forms
from admin.base import ScopedView, me, row_or_404
from models import (
    StockCount,
    Store,
)
from services import workflow
from services.stock import inventories
from services.unit import db, unit_of_work
from services.workflow import Refused


class StockCountView(ScopedView):
    datamodel = SQLAInterface(StockCount)
    route_base = "/gestion/inventaires"
    list_title = _l("Inventories")
    list_columns = show_columns = [
        "name",
        "store",
        "whole",
        "status",
        "by_name",
        "opened_at",
        "ended_at",
    ]
    label_columns = {
        "name": _l("Inventory"),
        "store": _l("Store"),
        "whole": _l("Whole store"),
        "status": _l("Status"),
        "by_name": _l("By"),
        "opened_at": _l("Begun"),
        "ended_at": _l("Ended"),
    }
    order_columns = ["opened_at"]
    search_columns = ["name"]
    filter_columns = ("status", "store")
    find_columns = (StockCount.name,)
    first_order = "-opened_at"
    links = ((_l("Count a store"), "CountView.open", "plus"),)
    empty_sentence = _l("No inventory yet: count a store.")

    def open_url(self, row: StockCount) -> str:  # type: ignore[override]
        return url_for("CountView.count", id=row.id)


class CountForm(forms.Sent):
    """A new inventory: where, and whether the whole store is counted."""

    store = forms.Chosen()
    name = forms.Typed()
    whole = forms.Ticked()


class ScanForm(forms.Sent):
    ean = forms.Typed()
    quantity = forms.Count()


class SureForm(forms.Sent):
    sure = forms.Ticked()


class CountView(BaseView):
    """Counting: scan, correct, look at the differences, validate. A USB scanner is enough."""

    route_base = "/gestion/inventaires/compter"
    default_view = "open"
    base_permissions = ["can_count"]
    method_permission_name = {name: "count" for name in ("open", "count", "scan", "decide")}

    @expose("/", methods=["GET", "POST"])
    @has_access
    def open(self) -> Any:
        stores, sentence = (
            list(db.session.scalars(select(Store).order_by(Store.name).limit(2000))),
            "",
        )
        if request.method == "POST":
            try:
                form = CountForm.read()
                with unit_of_work() as session:
                    store = session.scalar(
                        select(Store).where(Store.id == form.store.data)
                    ) or abort(404)
                    count = inventories.open_count(
                        store, form.name.data, whole=form.whole.data, by=me()
                    )
                    session.flush()
                    id = count.id
                return redirect(url_for("CountView.count", id=id))
            except Refused as refusal:
                sentence = str(refusal)
        return render_template("admin/stock/count_open.html", stores=stores, sentence=sentence), (
            422 if sentence else 200
        )

    @expose("/<int:id>")
    @has_access
    def count(self, id: int) -> Any:
        return self._page(id)

    def _page(self, id: int, sentence: str = "", typed: str = "") -> str:
        count = self._count(id)
        gaps = inventories.differences(count) if request.args.get("ecarts") else []
        # Comparing thousands of references is for who asks, not for each scan.
        asked = request.args.get("valider") and workflow.can(count, "validate_count")
        forecast = inventories.forecast(count) if asked else None
        return render_template(
            "admin/stock/count.html",
            count=count,
            lines=inventories.counted_lines(count),
            total=inventories.counted_total(count),
            gaps=gaps,
            forecast=forecast,
            flow=inventories.COUNT,
            sentence=sentence,
            typed=typed,
            showing=bool(request.args.get("ecarts")),
            history=workflow.history(count, 20),
        )

    @expose("/<int:id>/scan", methods=["POST"])
    @has_access
    def scan(self, id: int) -> Any:
        try:
            form = ScanForm.read()
            with unit_of_work():
                count = self._count(id)
                if form.quantity.data is not None:
                    inventories.say(count, form.ean.data, form.quantity.data, by=me())
                else:
                    inventories.scan(count, form.ean.data, by=me())
        except inventories.UnknownReference as unknown:
            with unit_of_work():
                inventories.note_unknown(self._count(id), unknown.ean)
            return self._page(id, str(unknown), unknown.ean), 422
        except Refused as refusal:
            return self._page(id, str(refusal), forms.EanForm.read().ean.data), 422
        return redirect(url_for("CountView.count", id=id))

    @expose("/<int:id>/<any(validate,drop):verb>", methods=["POST"])
    @has_access
    def decide(self, id: int, verb: str) -> Any:
        with unit_of_work():
            count = self._count(id)
            changed = 0
            if verb == "validate":
                changed = inventories.validate(count, by=me(), sure=SureForm.read().sure.data)
            else:
                inventories.drop(count, by=me())
        flash(
            (
                _("Validated: %(count)s references corrected.", count=changed)
                if verb == "validate"
                else _("Abandoned: nothing changed.")
            ),
            "success",
        )
        return redirect(url_for("CountView.count", id=id))

    @staticmethod
    def _count(id: int) -> StockCount:
        return row_or_404(StockCount, id)
