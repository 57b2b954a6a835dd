"""Every movement of stock, with its cause."""

from typing import Any

from flask_appbuilder.models.sqla.interface import SQLAInterface
from flask_babel import lazy_gettext as _l

from admin.base import ScopedView
from admin.catalogue.products import of_products
from models import (
    Movement,
)
from services import workflow

CHANNELS = {"till": _l("till"), "web": _l("on line")}


class MovementView(ScopedView):
    datamodel = SQLAInterface(Movement)
    route_base = "/gestion/mouvements"
    list_title = _l("Movements")
    list_columns = [
        "variant.product.title",
        "variant.ean",
        "store",
        "kind",
        "quantity",
        "price_cents",
        "channel",
        "reference",
        "by_name",
        "at",
    ]
    show_columns = [*list_columns, "recorded_at", "item_id"]
    label_columns = {
        "variant.product.title": _l("Title"),
        "variant.ean": _l("EAN"),
        "store": _l("Store"),
        "kind": _l("Cause"),
        "quantity": _l("Quantity"),
        "price_cents": _l("Price"),
        "channel": _l("Channel"),
        "reference": _l("Reference"),
        "by_name": _l("By"),
        "at": _l("When"),
        "recorded_at": _l("Learnt"),
        "item_id": _l("Second-hand unit"),
    }
    formatters_columns = {"channel": lambda channel: str(CHANNELS.get(channel, channel)) or "–"}
    order_columns = ["id"]
    search_columns = ["reference"]
    filter_columns = ("store", "kind")
    find_columns = (Movement.reference,)
    find_hint = _l("Title, EAN, reference")
    first_order = "-id"
    empty_sentence = _l("Nothing moved yet.")

    def title_of(self, row: Movement) -> str:
        return f"{workflow.words_of(row.kind)} {row.quantity:+d} · {row.variant.product.title}"

    def find_condition(self, words: str) -> Any:
        return of_products(Movement.variant_id, words)
