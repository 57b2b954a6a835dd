"""« Mes ventes »: the parts of orders a shop answers, makes ready and hands over; for the operator,
those of all shops.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from flask import flash, has_request_context, redirect, render_template, request, url_for
from flask_appbuilder import BaseView, expose
from flask_appbuilder.models.sqla.interface import SQLAInterface
from flask_appbuilder.security.decorators import has_access, permission_name
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_login import current_user

from admin import forms
from admin.base import ScopedView, as_pdf, me, row_or_404
from models import OrderEnd, VendorOrder
from services import access, clock, dates, working_time
from services.orders import fulfilment, papers, parts, pickup
from services.people import machine_keys, staff
from services.unit import unit_of_work
from services.workflow import Refused

S = parts.S


def time_left(part: VendorOrder) -> timedelta | None:
    """The working time a store still has to accept a part; None when it answered."""
    if not parts.VENDOR_ORDER.allows(part, "refuse"):
        return None
    return working_time.left(clock.now(), part.accept_by, part.store.postcode)


def left_words(left: timedelta) -> str:
    """« reste 5 h 12 », as the urgency of an answer is said."""
    if left <= timedelta(0):
        return _("too late")
    minutes = int(left.total_seconds() // 60)
    return _("%(hours)s h %(minutes)s left", hours=minutes // 60, minutes=f"{minutes % 60:02d}")


def _due(moment: Any) -> Any:
    if moment is None:
        return "–"
    # Midnight ends the day before it.
    return [
        left_words(working_time.left(clock.now(), moment)),
        dates.day(moment - timedelta(seconds=1)),
    ]


_OVER = "%2C".join(state.value for state in (S.received, S.refused, S.canceled))


class SaleView(ScopedView):
    datamodel = SQLAInterface(VendorOrder)
    route_base = "/gestion/commandes"
    base_permissions = [
        *ScopedView.base_permissions,
        "can_answer",
        "can_hand_over",
        "can_steer",
    ]
    list_columns = [
        "reference",
        "status",
        "due_at",
        "created_at",
        "units",
        "total_cents",
        "modified_at",
        "store",
    ]
    show_columns = ["vendor", "store", "accepted_at", "ready_at", "ended_at"]
    label_columns = {
        "reference": _l("Order no."),
        "status": _l("State of the order"),
        "due_at": _l("To do before"),
        "created_at": _l("Ordered on"),
        "units": _l("Units"),
        "total_cents": _l("Amount with tax"),
        "modified_at": _l("Modified"),
        "store": _l("Store"),
        "vendor": _l("Vendor"),
        "why": _l("Reason"),
        "accepted_at": _l("Accepted on"),
        "ready_at": _l("Ready since"),
        "ended_at": _l("Over since"),
    }
    formatters_columns = {
        "due_at": _due,
        "modified_at": lambda moment: _("Modified ✓") if moment else "",
    }
    order_columns = ["due_at", "created_at", "units", "total_cents", "status"]
    search_columns = ["status"]
    filter_columns = ("status", "vendor", "store", "why", "created_at")
    find_columns = (VendorOrder.reference,)
    find_hint = _l("Number, name of the buyer, telephone")
    first_order = "due_at"
    all_tab = _l("To do")
    tabs = (
        (_l("To accept"), f"?status={S.waiting_acceptance.value}"),
        (_l("To prepare"), f"?status={S.shipping.value}"),
        (_l("To be collected"), f"?status={S.to_collect.value}"),
        (_l("Over"), f"?status={_OVER}&ordre=-created_at"),
    )
    list_loads = ("order",)
    flow = parts.VENDOR_ORDER
    first_partials = ("admin/orders/_part.html",)
    links = ((_l("Print what is to prepare"), "SaleActionsView.slips", "print"),)
    row_links = ((_l("Preparation slip"), "SaleActionsView.slip", "print"),)
    empty_sentence = _l("No order yet: they arrive from the shop.")

    @property
    def list_title(self) -> Any:
        """« Commandes » for the operator, « Mes ventes » for who sells."""
        if has_request_context() and staff.sees_all(current_user):
            return _("Orders")
        return _l("My sales (vendor)")

    @list_title.setter
    def list_title(self, _words: Any) -> None:
        """The generator gives each list a title of its own; this one knows its own."""

    def find_condition(self, words: str) -> Any:
        return parts.found_by(words)

    def title_of(self, row: VendorOrder) -> str:
        return _("Order no. %(number)s", number=row.reference)

    def list_conditions(self, asked: Any) -> list[Any]:
        """Unless one asks for a state or looks for something: what is still to be done."""
        if asked.q or "status" in asked.filters:
            return []
        return [VendorOrder.status.in_(parts.OPEN)]

    def tab_counts(self) -> dict[str, int]:
        counts = parts.counts()
        return {f"?status={state.value}": counts.get(state, 0) for state in parts.OPEN}

    def show_more(self, row: VendorOrder) -> dict[str, Any]:
        may = self.allowed_action
        left = time_left(row)
        return {
            "part": row,
            "dossier": {"timeline": parts.happened(row)},
            "buyer": parts.buyer_of(row),
            "amounts": parts.amounts(row),
            "places": parts.places(row),
            "left": left_words(left) if left is not None else "",
            "is_late": row.due_at is not None and row.due_at < clock.now(),
            "is_urgent": left is not None and left < timedelta(hours=12),
            "undo_seconds": parts.seconds_to_undo(row) if may("can_answer") else 0,
            "has_till": machine_keys.has_till(row.store_id),
            "is_locked": pickup.is_locked(row),
            "locked_words": pickup.locked_words,
            "reached": lambda step: parts.has_reached(row, step),
            "problems": parts.PROBLEMS,
            "can": {
                verb: may(right) and parts.VENDOR_ORDER.allows(row, verb)
                for verb, right in RIGHT_OF.items()
            },
        }


# What each verb of a part asks for.
RIGHT_OF = {
    "accept": "can_answer",
    "refuse": "can_answer",
    "ready": "can_answer",
    "fail": "can_answer",
    "collect": "can_hand_over",
    "cancel": "can_steer",
    "give_code": "can_steer",
}


class CodeForm(forms.Sent):
    """The buyer's code; `paid` when the till told the sale already."""

    code = forms.Typed()
    paid = forms.Ticked()


class FailForm(forms.Sent):
    why = forms.OneOf(OrderEnd, _l("Choose what is wrong."))
    words = forms.Text(fulfilment.MOST_WORDS)


class ReportForm(forms.Sent):
    """How many units there are (« kept-12 ») and what is wrong (« why-12 »), line by line; `send`
    once the new total was shown.
    """

    words = forms.Text(fulfilment.MOST_WORDS)
    send = forms.Ticked()


def _read_numbers(part: VendorOrder, typed: dict[int, str]) -> dict[int, int]:
    """How many there are of each line. Raises Refused with the article whose number is none."""
    found = {}
    for line in part.lines:
        words = (typed.get(line.id) or "").strip()
        if not (words.isascii() and words.isdigit() and len(words) < 8):
            raise Refused(
                _(
                    "« %(title)s »: type how many there are, from 0 to %(most)s.",
                    title=line.title,
                    most=line.kept,
                )
            )
        found[line.id] = int(words)
    return found


def _read_reasons(typed: dict[int, str]) -> dict[int, OrderEnd]:
    known = {why.value: why for why in parts.PROBLEMS}
    return {id: known.get(words or "", OrderEnd.out_of_stock) for id, words in typed.items()}


class SaleActionsView(BaseView):
    """The buttons of the page of an order."""

    route_base = "/gestion/commandes"
    class_permission_name = "SaleView"
    base_permissions = ["can_answer", "can_hand_over", "can_steer"]

    @expose("/bons")
    @has_access
    @permission_name("answer")
    def slips(self) -> Any:
        """« Bons de préparation » of all that is to prepare, a page each."""
        orders = parts.to_prepare()
        if not orders:
            flash(_("Nothing is to be prepared now."), "info")
            return redirect(url_for("SaleView.list"))
        return as_pdf(papers.preparation(orders), "bons-de-preparation.pdf")

    @expose("/<int:id>/bon")
    @has_access
    @permission_name("answer")
    def slip(self, id: int) -> Any:
        part = row_or_404(VendorOrder, id)
        return as_pdf(papers.preparation([part]), f"preparation-{part.reference}.pdf")

    @expose("/<int:id>/bon-de-retrait")
    @has_access
    @permission_name("hand_over")
    def receipt(self, id: int) -> Any:
        part = row_or_404(VendorOrder, id)
        return as_pdf(papers.collection(part), f"retrait-{part.reference}.pdf")

    def _back(self, id: int) -> Any:
        return redirect(url_for("SaleView.show", pk=id))

    @contextmanager
    def _part(self, id: int) -> Iterator[VendorOrder]:
        """A unit with a part this person may see. What follows from a verb is not theirs alone: the
        buyer's mail leaves from the site of another vendor.
        """
        row_or_404(VendorOrder, id)
        with access.limited_to(None), unit_of_work() as session:
            yield session.get_one(VendorOrder, id)

    @expose("/<int:id>/valider", methods=["POST"])
    @has_access
    @permission_name("answer")
    def accept(self, id: int) -> Any:
        """« Valider », after its warning."""
        with self._part(id) as part:
            fulfilment.accept(part, by=me(), can_be_undone=True)
        return self._back(id)

    @expose("/<int:id>/annuler-validation", methods=["POST"])
    @has_access
    @permission_name("answer")
    def undo(self, id: int) -> Any:
        with self._part(id) as part:
            fulfilment.undo(part, by=me())
        flash(_("Your acceptance is taken back: nobody was told."), "success")
        return self._back(id)

    @expose("/<int:id>/probleme", methods=["GET", "POST"])
    @has_access
    @permission_name("answer")
    def report(self, id: int) -> Any:
        """« Signaler un problème »: line by line, the new total is shown before it is sent. What is
        refused is shown again as it was typed.
        """
        part = row_or_404(VendorOrder, id)
        form = ReportForm.read()
        ids = [line.id for line in part.lines]
        kept = forms.of_each("kept", ids, forms.Typed)
        why = forms.of_each("why", ids, forms.Typed)
        wrong, left = "", None
        if request.method == "POST":
            try:
                numbers, reasons = _read_numbers(part, kept), _read_reasons(why)
                left = fulfilment.preview(part, numbers, reasons)
                if form.send.data:
                    with self._part(id) as row:
                        fulfilment.report(row, numbers, reasons, words=form.words.data, by=me())
                    flash(
                        _("Sent: the buyer is told what is missing and the new total."), "success"
                    )
                    return self._back(id)
            except Refused as refusal:
                wrong = str(refusal)
        page = render_template(
            "admin/orders/report.html",
            part=part,
            kept=kept,
            why=why,
            words=form.words.data,
            wrong=wrong,
            left=left,
            problems=parts.PROBLEMS,
        )
        return page, 422 if wrong else 200

    @expose("/<int:id>/aucun", methods=["POST"])
    @has_access
    @permission_name("answer")
    def refuse(self, id: int) -> Any:
        """« Aucun produit de disponible »."""
        with self._part(id) as part:
            fulfilment.refuse(part, by=me())
        flash(_("Order refused: the buyer is told, and the operator calls them."), "success")
        return self._back(id)

    @expose("/<int:id>/abandonner", methods=["POST"])
    @has_access
    @permission_name("answer")
    def fail(self, id: int) -> Any:
        """« Je ne peux plus livrer »."""
        form = FailForm.read()
        with self._part(id) as part:
            why = form.why.data or OrderEnd.buyer  # none chosen: refused by the verb
            fulfilment.fail(part, why, words=form.words.data, by=me())
        flash(_("The order is cancelled: the buyer is told."), "success")
        return self._back(id)

    @expose("/<int:id>/prete", methods=["POST"])
    @has_access
    @permission_name("answer")
    def ready(self, id: int) -> Any:
        """« Prête à retirer »."""
        with self._part(id) as part:
            pickup.ready(part, by=me())
        flash(_("The buyer is told that it is ready."), "success")
        return self._back(id)

    @expose("/<int:id>/retrait", methods=["POST"])
    @has_access
    @permission_name("hand_over")
    def collect(self, id: int) -> Any:
        """« Valider le retrait » with the code of the buyer."""
        form = CodeForm.read()
        with self._part(id) as part:
            wrong = pickup.collect(part, form.code.data, by=me(), is_paid=form.paid.data)
        if wrong:
            flash(wrong, "danger")
        else:
            flash(_("Handed over: the order is finished."), "success")
        return self._back(id)

    @expose("/<int:id>/annuler", methods=["POST"])
    @has_access
    @permission_name("steer")
    def cancel(self, id: int) -> Any:
        """The operator cancels for the buyer."""
        with self._part(id) as part:
            fulfilment.cancel(part, by=me())
        flash(_("The order is cancelled: buyer and shop are told."), "success")
        return self._back(id)

    @expose("/<int:id>/nouveau-code", methods=["POST"])
    @has_access
    @permission_name("steer")
    def give_code(self, id: int) -> Any:
        """A new code for a buyer who lost it, or whose order was locked."""
        with self._part(id) as part:
            pickup.give_code(part, by=me())
        flash(_("A new code was mailed to the buyer."), "success")
        return self._back(id)
