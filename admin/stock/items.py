"""Second-hand units: one by one, sold at the counter, moved to another store."""

from typing import Any

from flask import abort, flash, redirect, url_for
from flask_appbuilder import BaseView, expose
from flask_appbuilder.models.sqla.interface import SQLAInterface
from flask_appbuilder.security.decorators import has_access
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import select

from admin import forms
from admin.base import ScopedView, action_of, me, row_or_404
from models import (
    Condition,
    Item,
    Product,
    Store,
    Variant,
)
from services import access
from services.catalogue import search
from services.stock import items
from services.unit import db, unit_of_work

MOVE = {move.verb: move for move in items.ITEM.moves}


class ItemView(ScopedView):
    datamodel = SQLAInterface(Item)
    route_base = "/gestion/stock"
    base_permissions = [*ScopedView.base_permissions, "withdraw", "lose", "give_back", "can_sell"]
    has_pictures, list_loads = True, ("variant",)
    list_title = _l("Second-hand stock")
    list_columns = [
        "variant.product.title",
        "variant.product.platform",
        "condition",
        "status",
        "store",
        "place",
        "cost_cents",
        "entered_at",
        "variant.ean",
    ]
    show_columns = [
        "variant.product.title",
        "variant.ean",
        "store",
        "place",
        "cost_cents",
        "vat_regime",
        "condition",
        "grade_article",
        "grade_box",
        "grade_manual",
        "register_number",
        "entered_at",
        "status",
        "comment",
    ]
    label_columns = {
        "variant.product.title": _l("Title"),
        "variant.product.platform": _l("Platform"),
        "variant.ean": _l("EAN"),
        "store": _l("Store"),
        "cost_cents": _l("Purchase price"),
        "entered_at": _l("Entered"),
        "status": _l("Status"),
        "place": _l("Place"),
        "comment": _l("Comment"),
        "id": _l("ID"),
        "vat_regime": _l("VAT"),
        "condition": _l("Sold as"),
        "grade_article": _l("Article"),
        "grade_box": _l("Box"),
        "grade_manual": _l("Manual"),
        "register_number": _l("Register no."),
    }
    order_columns = ["cost_cents", "entered_at"]
    search_columns = ["status"]
    filter_columns = ("status", "condition", "store", "entered_at")
    find_columns = (Variant.ean, Product.title)
    find_through = (Item.variant, Variant.product)
    find_hint = _l("Title, EAN")
    first_order = "-entered_at"
    tabs = (
        (_l("In stock"), "?status=in_stock"),
        (_l("On sale"), "?status=listed"),
        (_l("Sold"), "?status=sold"),
    )
    flow = items.ITEM
    show_partials = ("admin/stock/_item_photos.html", "admin/stock/_sell_item.html")
    empty_sentence = _l("No second-hand unit in stock.")

    def find_condition(self, words: str) -> Any:
        return Item.variant_id.in_(select(Variant.id).where(search.references(words)))

    def show_more(self, row: Item) -> dict[str, Any]:
        with access.limited_to(None):
            others = db.session.scalars(
                select(Store)
                .where(Store.vendor_id == row.vendor_id, Store.id != row.store_id)
                .order_by(Store.name)
                .limit(2000)
            )
            return {
                "conditions": list(Condition),
                "others": others.all(),
                "on_hand": items.is_on_hand(row),
                "can_send": items.can_be_sent(row),
            }

    withdraw_item = action_of(MOVE["withdraw"], items.withdraw)
    lose_item = action_of(MOVE["lose"], items.lose)
    give_back_item = action_of(MOVE["give_back"], items.give_back)


class SendForm(forms.Sent):
    store = forms.Chosen()


class ShelveForm(forms.Sent):
    condition = forms.OneOf(Condition, wrong=_l("Choose a condition of the list."))
    place = forms.Typed()


class SellForm(forms.Sent):
    price = forms.Amount(needed=_l("Type the price it was sold for."))
    channel = forms.Text(60, default="boutique")


class SellItemView(BaseView):
    """« Vendu »: one unit, one price."""

    route_base = "/gestion/stock/vendre"
    class_permission_name = "ItemView"
    method_permission_name = {"sell": "sell", "shelve": "sell", "send_to": "sell"}
    base_permissions = ["can_sell"]

    @expose("/<int:id>/magasin", methods=["POST"])
    @has_access
    def send_to(self, id: int) -> Any:
        """It goes to another store of the same vendor, which need not be one this person works
        in.
        """
        number = SendForm.read().store.data
        with unit_of_work() as session:
            item = session.scalar(db.select(Item).where(Item.id == id)) or abort(404)
            with access.limited_to(None):
                store = session.scalar(
                    db.select(Store).where(Store.id == number, Store.vendor_id == item.vendor_id)
                ) or abort(404)
                items.send_to(item, store, by=me())
        flash(_("Sent to %(store)s.", store=store.name), "success")
        return redirect(url_for("ItemView.list"))

    @expose("/<int:id>/rayon", methods=["POST"])
    @has_access
    def shelve(self, id: int) -> Any:
        """In which condition it is sold, and where it lies."""
        form = ShelveForm.read()
        with unit_of_work():
            items.shelve(
                row_or_404(Item, id), condition=form.condition.data, place=form.place.data, by=me()
            )
        flash(_("Saved."), "success")
        return redirect(url_for("ItemView.show", pk=id))

    @expose("/<int:id>", methods=["POST"])
    @has_access
    def sell(self, id: int) -> Any:
        form = SellForm.read()
        with unit_of_work():
            items.sell(row_or_404(Item, id), form.price.data, channel=form.channel.data, by=me())
        flash(_("Sold."), "success")
        return redirect(url_for("ItemView.show", pk=id))
