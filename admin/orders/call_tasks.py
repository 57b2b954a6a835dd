"""« Acheteurs à rappeler »: what they ordered will not come, somebody proposes something else."""

from typing import Any

from flask import flash, redirect, url_for
from flask_appbuilder import BaseView, expose
from flask_appbuilder.models.sqla.interface import SQLAInterface
from flask_appbuilder.security.decorators import has_access, permission_name
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import select

from admin import forms
from admin.base import ScopedView, me, row_or_404
from models import CallTask, VendorOrder
from services.orders import calls, parts
from services.people import customers
from services.unit import unit_of_work


class CallTaskView(ScopedView):
    datamodel = SQLAInterface(CallTask)
    route_base = "/gestion/rappels"
    base_permissions = [*ScopedView.base_permissions, "can_call"]
    list_title = _l("Buyers to call")
    list_columns = [
        "part.reference",
        "part.order.name",
        "part.order.phone",
        "part.why",
        "part.total_cents",
        "created_at",
        "done_at",
    ]
    show_columns = [*list_columns, "part.order.email", "part.remark", "done_by", "note"]
    label_columns = {
        "part.reference": _l("Order no."),
        "part.order.name": _l("Buyer"),
        "part.order.phone": _l("Phone"),
        "part.order.email": _l("E-mail"),
        "part.why": _l("Reason"),
        "part.total_cents": _l("Amount with tax"),
        "part.remark": _l("What the shop wrote"),
        "created_at": _l("Since"),
        "done_at": _l("Called"),
        "done_by": _l("By"),
        "note": _l("What was agreed"),
    }
    formatters_columns = {"part.order.phone": customers.shown_phone}
    order_columns = ["created_at", "done_at"]
    find_columns = (VendorOrder.reference,)
    find_hint = _l("Number, name of the buyer, telephone")
    first_order = "created_at"
    tabs = ((_l("Called already"), "?voir=faits"),)
    kept_args = ("voir",)
    show_partials = ("admin/orders/_call.html",)
    empty_sentence = _l("Nobody waits for a call. Everything is up to date.")

    def find_condition(self, words: str) -> Any:
        found = select(VendorOrder.id).where(parts.found_by(words))
        return CallTask.vendor_order_id.in_(found)

    def title_of(self, row: CallTask) -> str:
        return _("Call %(name)s", name=row.part.order.name)

    def list_conditions(self, asked: Any) -> list[Any]:
        """Unless one asks for those that were made: the calls to make."""
        if asked.kept.get("voir") == "faits":
            return [CallTask.done_at.is_not(None)]
        return [] if asked.q else [CallTask.done_at.is_(None)]

    def show_more(self, row: CallTask) -> dict[str, Any]:
        return {"task": row, "instead": calls.instead(row.part)}


class CalledForm(forms.Sent):
    note = forms.Text(2000)


class CallView(BaseView):
    """« Appelé »: what was agreed on the telephone."""

    route_base = "/gestion/rappels"
    class_permission_name = "CallTaskView"
    base_permissions = ["can_call"]

    @expose("/<int:id>/appele", methods=["POST"])
    @has_access
    @permission_name("call")
    def done(self, id: int) -> Any:
        form = CalledForm.read()
        with unit_of_work():
            calls.done(row_or_404(CallTask, id), form.note.data, by=me())
        flash(_("The call is noted."), "success")
        return redirect(url_for("CallTaskView.list"))
