"""What references are worth and which second-hand units we hold: argus, items, platforms, unknown
barcodes.
"""

from typing import Any

from flask_appbuilder.models.sqla.interface import SQLAInterface
from flask_babel import lazy_gettext as _l
from sqlalchemy import select

from admin.base import ReferenceView, ScopedView, action_of, me
from models import Condition, Item, Platform, Product, Store, UnknownDemand, Variant
from services import access
from services.catalogue import argus, search
from services.stock import items
from services.unit import db

MOVE = {move.verb: move for move in items.ITEM.moves}


class ArgusView(ReferenceView):
    datamodel = SQLAInterface(Variant)
    route_base = "/gestion/argus"
    base_permissions = [
        p for p in ReferenceView.base_permissions if p not in ("can_add", "can_delete")
    ]
    exclude_route_methods = {"add", "delete", "download"}
    list_title, noun = _l("Argus"), _l("Argus")
    list_columns = [
        "product.title",
        "product.platform.name",
        "ean",
        "argus_cents",
        "argus_on",
        "voucher_cents",
        "cash_cents",
    ]
    show_columns = [
        "product.title",
        "product.platform.name",
        "ean",
        "argus_cents",
        "argus_on",
        "voucher_cents",
        "cash_cents",
    ]
    edit_columns = ["argus_cents"]
    label_columns = {
        "product.title": _l("Title"),
        "product.platform.name": _l("Platform"),
        "ean": _l("EAN"),
        "argus_cents": _l("Argus"),
        "argus_on": _l("Since"),
        "voucher_cents": _l("Voucher price"),
        "cash_cents": _l("Cash price"),
        "product.cover": _l("Cover"),
    }
    order_columns = ["ean", "argus_cents"]
    search_columns = ["ean"]
    filter_columns = ()
    find_columns = (Variant.ean, Product.title)
    find_through = (Variant.product,)
    find_hint = _l("Title, EAN")
    first_order = "-argus_cents"
    links = (
        (_l("Import an argus"), "ImportView.upload?kind=argus", "download"),
        (_l("Simulate"), "SimulateView.simulate", "search"),
    )
    show_partials = ("admin/_argus_history.html",)
    empty_sentence = _l("No reference has a value yet: import an argus.")

    def find_condition(self, words: str) -> Any:
        return Variant.product_id.in_(search.product_ids(words))

    def show_more(self, row: Variant) -> dict[str, Any]:
        return {"values": argus.history(row)}

    def check(self, row: Variant) -> None:
        """The value goes through the verb that keeps its history, not through the form."""
        new = row.argus_cents
        argus.db.session.refresh(row, ["argus_cents"])
        if new is not None:
            argus.change(row, new, by=me())


class ItemView(ScopedView):
    datamodel = SQLAInterface(Item)
    route_base = "/gestion/stock"
    base_permissions = [*ScopedView.base_permissions, "withdraw", "lose", "give_back", "can_sell"]
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
    show_partials = ("admin/_item_photos.html", "admin/_sell_item.html")
    empty_sentence = _l("No second-hand unit in stock.")

    def find_condition(self, words: str) -> Any:
        return Item.variant_id.in_(
            select(Variant.id).where(Variant.product_id.in_(search.product_ids(words)))
        )

    def show_more(self, row: Item) -> dict[str, Any]:
        with access.limited_to(None):
            others = db.session.scalars(
                select(Store)
                .where(Store.vendor_id == row.vendor_id, Store.id != row.store_id)
                .order_by(Store.name)
                .limit(2000)
            )
            return {"conditions": list(Condition), "others": others.all()}

    withdraw_item = action_of(MOVE["withdraw"], items.withdraw)
    lose_item = action_of(MOVE["lose"], items.lose)
    give_back_item = action_of(MOVE["give_back"], items.give_back)


class PlatformView(ReferenceView):
    datamodel = SQLAInterface(Platform)
    route_base = "/gestion/plateformes"
    list_title, noun = _l("Platforms"), _l("New platform")
    list_columns = show_columns = add_columns = edit_columns = ["name", "weight_grams"]
    label_columns = {"name": _l("Platform"), "weight_grams": _l("Weight of a box (g)")}
    order_columns = ["name", "weight_grams"]
    search_columns = ["name"]
    find_columns = (Platform.name,)
    first_order = "name"


class UnknownDemandView(ScopedView):
    datamodel = SQLAInterface(UnknownDemand)
    route_base = "/gestion/demandes-inconnues"
    list_title = _l("Unknown barcodes asked for")
    list_columns = show_columns = ["ean", "times", "first_at", "last_at"]
    label_columns = {
        "ean": _l("EAN"),
        "times": _l("Times"),
        "first_at": _l("First asked"),
        "last_at": _l("Last asked"),
    }
    order_columns = ["times", "last_at"]
    search_columns = ["ean"]
    find_columns = (UnknownDemand.ean,)
    first_order = "-times"
    empty_sentence = _l("Every barcode asked for is in the catalogue.")
    show_partials = ("admin/_unknown.html",)
