"""« Étiquettes »: every label, whatever it was ordered for, and where its parcel was seen."""

from flask_appbuilder.models.sqla.interface import SQLAInterface
from flask_babel import lazy_gettext as _l

from admin.base import ScopedView
from models import Label


class LabelView(ScopedView):
    datamodel = SQLAInterface(Label)
    route_base = "/gestion/etiquettes"
    list_title = _l("Shipping labels")
    list_columns = ["reference", "status", "carrier_name", "number", "last_words", "made_at"]
    show_columns = [
        "reference",
        "status",
        "carrier_name",
        "number",
        "weight_grams",
        "made_at",
        "last_words",
        "error",
    ]
    label_columns = {
        "reference": _l("Order no."),
        "status": _l("Status"),
        "carrier_name": _l("Carrier"),
        "number": _l("Label no."),
        "weight_grams": _l("Weight (g)"),
        "made_at": _l("Made"),
        "last_words": _l("Carrier says"),
        "error": _l("What went wrong"),
    }
    order_columns = ["made_at", "carrier_name", "weight_grams"]
    search_columns = ["status"]
    filter_columns = ("status", "made_at")
    find_columns = (Label.reference, Label.number)
    find_hint = _l("CDE, label")
    empty_sentence = _l("No label yet: one is ordered for each accepted offer.")
