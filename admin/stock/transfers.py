"""Transfers between two stores of a vendor."""

from typing import Any

from flask import (
    abort,
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
    StockTransfer,
    Store,
)
from services import access, workflow
from services.stock import inventories
from services.unit import db, unit_of_work
from services.workflow import Refused


class StockTransferView(ScopedView):
    datamodel = SQLAInterface(StockTransfer)
    route_base = "/gestion/transferts"
    list_title = _l("Transfers between stores")
    list_columns = show_columns = [
        "from_name",
        "to_name",
        "status",
        "by_name",
        "created_at",
        "sent_at",
        "arrived_at",
    ]
    label_columns = {
        "from_name": _l("From"),
        "to_name": _l("To"),
        "status": _l("Status"),
        "by_name": _l("By"),
        "created_at": _l("Prepared"),
        "sent_at": _l("Sent"),
        "arrived_at": _l("Arrived"),
    }
    order_columns = ["created_at"]
    search_columns = ["status"]
    filter_columns = ("status",)
    first_order = "-created_at"
    tabs = ((_l("Sent, not arrived"), "?status=on_its_way"),)
    links = ((_l("Prepare a transfer"), "TransferView.open", "plus"),)
    empty_sentence = _l("No transfer yet.")

    def open_url(self, row: StockTransfer) -> str:  # type: ignore[override]
        return url_for("TransferView.transfer", id=row.id)


class EndsForm(forms.Sent):
    """The store units leave, and the one they go to."""

    here = forms.Chosen()
    there = forms.Chosen()


class PutInForm(forms.Sent):
    ean = forms.Typed()
    quantity = forms.Count()


def _arrived(transfer: StockTransfer) -> dict[int, int]:
    """How many units of each line arrived: what was typed, else all that were sent."""
    sent = {line.id: line.quantity for line in transfer.lines}
    typed = forms.of_each("arrived", sent, forms.Count)
    return {id: quantity if typed[id] is None else typed[id] for id, quantity in sent.items()}


class TransferView(BaseView):
    """One transfer: what travels, sent, arrived."""

    route_base = "/gestion/transferts/preparer"
    default_view = "open"
    base_permissions = ["can_transfer"]
    method_permission_name = {name: "transfer" for name in ("open", "transfer", "put", "decide")}

    @expose("/", methods=["GET", "POST"])
    @has_access
    def open(self) -> Any:
        stores, targets, sentence = (
            list(db.session.scalars(select(Store).order_by(Store.name).limit(2000))),
            self._targets(),
            "",
        )
        if request.method == "POST":
            form = EndsForm.read()
            ends = [
                next((s.id for s in among if s.id == chosen.data), None) or abort(404)
                for among, chosen in ((stores, form.here), (targets, form.there))
            ]
            try:
                with (
                    access.limited_to(None),
                    unit_of_work() as session,
                ):  # from a store of theirs to any of the same vendors
                    here, there = (session.get_one(Store, one) for one in ends)
                    transfer = inventories.open_transfer(here, there, by=me())
                    session.flush()
                    id = transfer.id
                return redirect(url_for("TransferView.transfer", id=id))
            except Refused as refusal:
                sentence = str(refusal)
        return render_template(
            "admin/stock/transfer_open.html", stores=stores, targets=targets, sentence=sentence
        ), (422 if sentence else 200)

    @expose("/<int:id>")
    @has_access
    def transfer(self, id: int) -> Any:
        return self._page(id)

    def _page(self, id: int, sentence: str = "") -> str:
        transfer = self._transfer(id)
        with access.limited_to(None):  # the other end may be a store they do not work in
            stores = [
                db.session.scalars(select(Store).where(Store.id == id)).one()
                for id in (transfer.from_store_id, transfer.to_store_id)
            ]
        return render_template(
            "admin/stock/transfer.html",
            transfer=transfer,
            from_store=stores[0],
            to_store=stores[1],
            flow=inventories.TRANSFER,
            sentence=sentence,
            typed=request.form,
            history=workflow.history(transfer, 20),
        )

    @expose("/<int:id>/article", methods=["POST"])
    @has_access
    def put(self, id: int) -> Any:
        try:
            form = PutInForm.read()
            self._stands_in(id, "put")
            with access.limited_to(None), unit_of_work() as session:
                inventories.put_in(
                    session.get_one(StockTransfer, id),
                    form.ean.data,
                    form.quantity.data,
                    by=me(),
                )
        except Refused as refusal:
            return self._page(id, str(refusal)), 422
        return redirect(url_for("TransferView.transfer", id=id))

    @expose("/<int:id>/<any(send,arrive,drop):verb>", methods=["POST"])
    @has_access
    def decide(self, id: int, verb: str) -> Any:
        try:
            self._stands_in(id, verb)
            with access.limited_to(None), unit_of_work() as session:
                transfer = session.get_one(StockTransfer, id)
                if verb == "send":
                    inventories.send(transfer, by=me())
                elif verb == "drop":
                    inventories.drop_transfer(transfer, by=me())
                else:
                    inventories.arrive(transfer, _arrived(transfer), by=me())
        except Refused as refusal:
            return self._page(id, str(refusal)), 422
        return redirect(url_for("TransferView.transfer", id=id))

    @staticmethod
    def _targets() -> list[Store]:
        """Where units may be sent: any store of the vendors he works for."""
        limit = access.scope()
        with access.limited_to(None):
            rows = select(Store).order_by(Store.name).limit(2000)
            return list(
                db.session.scalars(
                    rows if limit is None else rows.where(Store.vendor_id.in_(limit.vendors))
                )
            )

    def _stands_in(self, id: int, verb: str) -> None:
        """Units are put in and sent where they leave, received where they arrive. Raises
        Refused.
        """
        ends, tied = (
            db.session.execute(
                select(StockTransfer.from_store_id, StockTransfer.to_store_id).where(
                    StockTransfer.id == id
                )
            ).first(),
            access.tied_stores(),
        )
        if ends is None:
            abort(404)
        if tied is not None and ends[verb == "arrive"] not in tied:
            raise Refused(_("This is for the other store to do."))

    @staticmethod
    def _transfer(id: int) -> StockTransfer:
        return row_or_404(StockTransfer, id)
