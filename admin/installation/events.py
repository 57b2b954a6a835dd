"""The log of events."""

from flask import url_for
from flask_appbuilder.models.sqla.interface import SQLAInterface
from flask_babel import lazy_gettext as _l

from admin.base import ScopedView
from admin.words import facts_words
from models import Event
from services import workflow

SUBJECTS = {
    "offer": _l("Offer"),
    "customer": _l("Customer"),
    "item": _l("Item"),
    "variant": _l("Argus"),
    "product": _l("Product"),
    "site": _l("Site"),
    "vendor": _l("Vendor"),
    "store": _l("Store"),
    "buying_rule": _l("Buying rule"),
    "message": _l("Message"),
    "import_run": _l("Import"),
    "ab_user": _l("Staff"),
    "parcel": _l("Parcel"),
    "offer_line": _l("Article"),
    "seller_payment": _l("Payment"),
    "transfer_batch": _l("Transfer file"),
    "transfer_line": _l("Transfer"),
    "carrier_contract": _l("Carrier contract"),
    "paying_account": _l("Account that pays"),
    "membership": _l("Right"),
    "platform": _l("Platform"),
    "brand_agreement": _l("Brand agreement"),
    "feed_source": _l("Files to fetch"),
    "label": _l("Label"),
    "listing": _l("Sale offer"),
    "machine_key": _l("Key"),
    "outbox": _l("Task"),
    "picture_address": _l("Picture to fetch"),
    "reservation": _l("Promised unit"),
    "stock_conflict": _l("Sold twice"),
    "stock_count": _l("Inventory"),
    "stock_level": _l("Stock"),
    "stock_transfer": _l("Transfer between stores"),
    "unmatched_reference": _l("Unknown reference"),
    "customer_order": _l("Order of a buyer"),
    "vendor_order": _l("Order of a shop"),
    "call_task": _l("Buyer to call"),
    "webhook": _l("Address told"),
    "webhook_delivery": _l("What was told"),
}


ACTORS = {
    "staff": _l("Staff"),
    "customer": _l("Customer"),
    "clock": _l("The clock"),
    "command": _l("Command line"),
}


class EventView(ScopedView):
    datamodel = SQLAInterface(Event)
    route_base = "/gestion/journal"
    list_title = _l("Events")
    list_columns = ["happened", "subject", "subject_id", "actor_name", "at"]
    show_columns = [
        "happened",
        "subject",
        "subject_id",
        "from_state",
        "to_state",
        "actor_kind",
        "actor_name",
        "facts",
        "at",
    ]
    label_columns = {
        "happened": _l("What"),
        "verb": _l("What"),
        "subject": _l("About"),
        "subject_id": _l("ID"),
        "actor_name": _l("By"),
        "at": _l("When"),
        "from_state": _l("From"),
        "to_state": _l("To"),
        "actor_kind": _l("Who"),
        "facts": _l("Facts"),
    }
    formatters_columns = {
        "happened": workflow.words_of_event,
        "subject": lambda subject: str(SUBJECTS.get(subject, subject)),
        "from_state": workflow.words_of_code,
        "to_state": workflow.words_of_code,
        "actor_kind": lambda kind: str(ACTORS.get(kind, kind)),
        "facts": lambda facts: facts_words(facts) or "–",
    }
    order_columns = ["at"]
    search_columns = ["subject"]
    filter_columns = ("subject", "verb", "at")
    find_columns = (Event.actor_name, Event.verb)
    first_order = "-at"
    has_row_links = True

    def link_of(self, row: Event) -> tuple[str, str] | None:
        """To the page of what the event is about, when this person may open one."""
        for view in self.appbuilder.baseviews:
            if (
                isinstance(view, ScopedView)
                and view.datamodel.obj.__tablename__ == row.subject
                and view.allowed("can_show")
            ):
                return str(_l("Open")), url_for(f"{view.endpoint}.show", pk=row.subject_id)
        return None

    def title_of(self, row: Event) -> str:
        subject = SUBJECTS.get(row.subject, row.subject)
        return f"{subject} {row.subject_id} · {workflow.words_of_event(row.happened)}"
