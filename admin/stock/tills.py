"""What tills told."""

from flask_appbuilder.models.sqla.interface import SQLAInterface
from flask_babel import lazy_gettext as _l

from admin.base import ScopedView
from models import TillEvent

TOLD = {
    "ok": _l("counted"),
    "already_counted": _l("a later count knew it"),
    "unknown_ean": _l("unknown barcode"),
    "older_than_known": _l("a newer count was known"),
}


class TillEventView(ScopedView):
    datamodel = SQLAInterface(TillEvent)
    route_base = "/gestion/caisses/evenements"
    list_title = _l("What tills told")
    list_columns = [
        "number",
        "key",
        "store",
        "kind",
        "ean",
        "quantity",
        "price_cents",
        "reference",
        "answer_words",
        "at",
        "received_at",
    ]
    show_columns = [*list_columns, "variant.product.title", "item_id", "includes"]
    label_columns = {
        "number": _l("No."),
        "key": _l("Till"),
        "store": _l("Store"),
        "kind": _l("What"),
        "ean": _l("EAN"),
        "quantity": _l("Quantity"),
        "price_cents": _l("Price"),
        "reference": _l("Ticket"),
        "answer_words": _l("Became"),
        "at": _l("Happened"),
        "received_at": _l("Told"),
        "variant.product.title": _l("Title"),
        "item_id": _l("Second-hand unit"),
        "includes": _l("Count includes up to"),
    }
    formatters_columns = {"answer_words": lambda code: TOLD.get(code, code)}
    order_columns = ["number", "received_at"]
    search_columns = ["ean"]
    filter_columns = ("store",)
    find_columns = (TillEvent.ean, TillEvent.reference)
    first_order = "-id"
    empty_sentence = _l("No till told anything yet.")
