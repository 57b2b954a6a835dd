"""« Vendu deux fois »: units sold twice, and the nearest twin."""

from typing import Any

from flask import (
    abort,
    flash,
    redirect,
    url_for,
)
from flask_appbuilder import BaseView, expose
from flask_appbuilder.models.sqla.interface import SQLAInterface
from flask_appbuilder.security.decorators import has_access
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import select

from admin import forms
from admin.base import ScopedView, action_of, me
from models import (
    StockConflict,
)
from services import access
from services.stock import levels
from services.unit import db, unit_of_work
from services.workflow import Refused

CONFLICT_MOVE = {move.verb: move for move in levels.CONFLICT.moves}


class ConflictView(ScopedView):
    datamodel = SQLAInterface(StockConflict)
    route_base = "/gestion/conflits"
    base_permissions = [*ScopedView.base_permissions, "give_up", "can_replace"]
    list_title = _l("Sold twice: by the shop and on line")
    list_columns = [
        "reservation.holder",
        "variant.product.title",
        "variant.ean",
        "quantity",
        "store",
        "cause",
        "status",
        "created_at",
    ]
    show_columns = [*list_columns, "ended_at"]
    label_columns = {
        "reservation.holder": _l("Customer order"),
        "variant.product.title": _l("Title"),
        "variant.ean": _l("EAN"),
        "quantity": _l("Units missing"),
        "store": _l("Store"),
        "cause": _l("What happened"),
        "status": _l("Status"),
        "created_at": _l("When"),
        "ended_at": _l("Settled"),
    }
    order_columns = ["created_at"]
    search_columns = ["status"]
    filter_columns = ("status", "store")
    find_columns = (StockConflict.cause,)
    first_order = "-created_at"
    tabs = ((_l("To settle"), "?status=open"),)
    empty_sentence = _l("No shop sold what an order had been promised.")
    flow = levels.CONFLICT
    show_partials = ("admin/stock/_twins.html",)

    give_up_conflict = action_of(
        CONFLICT_MOVE["give_up"],
        levels.give_up,
        _l("The order will have to be refunded or changed. Is there really none?"),
    )

    def show_more(self, row: StockConflict) -> dict[str, Any]:
        if row.status.value != "open":
            return {"twins": []}
        with access.limited_to(
            None
        ):  # a twin may be another vendor's: its store is named, nothing else
            return {"twins": levels.twins(row)}


class TwinForm(forms.Sent):
    """Where the twin stands; `item` for a second-hand unit."""

    store = forms.Chosen()
    item = forms.Chosen()


class TwinView(BaseView):
    """« Prendre celui-ci »: the twin is promised to the order at once."""

    route_base = "/gestion/conflits/jumeau"
    class_permission_name = "ConflictView"
    method_permission_name = {"replace": "replace"}
    base_permissions = ["can_replace"]

    @expose("/<int:id>", methods=["POST"])
    @has_access
    def replace(self, id: int) -> Any:
        form = TwinForm.read()
        if db.session.scalar(select(StockConflict.id).where(StockConflict.id == id)) is None:
            abort(404)
        with (
            access.limited_to(None),
            unit_of_work() as session,
        ):  # the conflict is theirs (seen just now); where the twin stands need not be
            conflict = session.get_one(StockConflict, id)
            wanted = (form.store.data or 0, form.item.data or 0)
            twin = next(
                (
                    t
                    for t in levels.twins(conflict, 50)
                    if (t.store.id, t.item.id if t.item else 0) == wanted
                ),
                None,
            )
            if twin is None:
                raise Refused(_("It went meanwhile: choose another one."))
            levels.replace(conflict, twin.store, twin.item, by=me())
            name = twin.store.name
        flash(_("The order now comes from %(store)s.", store=name), "success")
        return redirect(url_for("ConflictView.list"))
