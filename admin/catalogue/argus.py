"""Argus values and the platforms they are listed by."""

from typing import Any

from flask_appbuilder.models.sqla.interface import SQLAInterface
from flask_babel import lazy_gettext as _l

from admin.base import ReferenceView, me
from models import Platform, Product, Variant
from services.catalogue import argus, search


class ArgusView(ReferenceView):
    datamodel = SQLAInterface(Variant)
    route_base = "/gestion/argus"
    base_permissions = [
        p for p in ReferenceView.base_permissions if p not in ("can_add", "can_delete")
    ]
    exclude_route_methods = {"add", "delete", "download"}
    has_pictures = True
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
    show_partials = ("admin/catalogue/_argus_history.html",)
    empty_sentence = _l("No reference has a value yet: import an argus.")

    def ean_of(self, row: Variant) -> str:
        return row.ean

    def find_condition(self, words: str) -> Any:
        return search.references(words)

    def show_more(self, row: Variant) -> dict[str, Any]:
        return {"values": argus.history(row)}

    def check(self, row: Variant) -> None:
        """The value goes through the verb that keeps its history, not through the form."""
        new = row.argus_cents
        argus.db.session.refresh(row, ["argus_cents"])
        if new is not None:
            argus.change(row, new, by=me())


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
