"""References of vendors that the catalogue does not know yet."""

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

from admin import forms
from admin.base import ScopedView, action_of, me
from models import (
    UnknownDemand,
    UnmatchedReference,
)
from services.catalogue import matching, products
from services.unit import db, unit_of_work
from services.workflow import Refused

ASK = {move.verb: move for move in matching.UNMATCHED.moves}


class UnmatchedView(ScopedView):
    datamodel = SQLAInterface(UnmatchedReference)
    route_base = "/gestion/references-inconnues"
    base_permissions = [
        *ScopedView.base_permissions,
        "accept_proposal",
        "propose_product",
        "put_aside",
        "can_attach",
    ]
    list_title = _l("Unknown references")
    list_columns = [
        "title",
        "proposal.product.title",
        "proposal.details",
        "score",
        "status",
        "times",
        "sku",
        "ean",
        "brand",
        "vendor",
        "last_at",
    ]
    show_columns = [
        "title",
        "sku",
        "ean",
        "brand",
        "supplier_ref",
        "vendor",
        "store",
        "times",
        "last_at",
        "proposal.product.title",
        "proposal.details",
        "proposal.ean",
        "score",
        "status",
    ]
    label_columns = {
        "title": _l("Title in the file"),
        "sku": _l("Vendor's reference"),
        "ean": _l("EAN"),
        "brand": _l("Brand"),
        "vendor": _l("Vendor"),
        "supplier_ref": _l("Supplier reference"),
        "store": _l("Store"),
        "times": _l("Times"),
        "proposal.product.title": _l("Closest in the catalogue"),
        "proposal.details": _l("Size, colour"),
        "proposal.ean": _l("Its barcode"),
        "score": _l("Likeness (%)"),
        "status": _l("Status"),
        "last_at": _l("Last seen"),
    }
    order_columns = ["times", "score", "last_at"]
    search_columns = ["sku"]
    filter_columns = ("status", "vendor")
    find_columns = (UnmatchedReference.title, UnmatchedReference.sku, UnmatchedReference.ean)
    find_hint = _l("Title, EAN, reference")
    first_order = "-times"
    tabs = ((_l("Unknown"), "?status=unmatched"), (_l("Set aside"), "?status=set_aside"))
    empty_sentence = _l("Every reference of every file is known.")
    flow = matching.UNMATCHED
    show_partials = ("admin/catalogue/_attach.html",)

    accept = action_of(ASK["accept_proposal"], matching.accept_proposal)
    propose = action_of(ASK["propose_product"], matching.propose_product)
    aside = action_of(ASK["put_aside"], matching.put_aside)

    def list_conditions(self, asked: Any) -> list[Any]:
        return [] if asked.filters.get("status") else [UnmatchedReference.status == "unmatched"]


class AttachView(BaseView):
    """« C'est celle-ci »: the sheet somebody found by hand."""

    route_base = "/gestion/references-inconnues/rattacher"
    class_permission_name = "UnmatchedView"
    method_permission_name = {"attach": "attach"}
    base_permissions = ["can_attach"]

    @expose("/<int:id>", methods=["POST"])
    @has_access
    def attach(self, id: int) -> Any:
        with unit_of_work() as session:
            row = session.scalar(
                db.select(UnmatchedReference).where(UnmatchedReference.id == id)
            ) or abort(404)
            ean = products.read_ean(forms.EanForm.read().ean.data)
            variant = products.by_ean(ean)
            if variant is None:
                raise Refused(_("The catalogue does not know %(ean)s.", ean=ean))
            matching.attach(row, variant, by=me())
        flash(_("Matched: the next file will be understood."), "success")
        return redirect(url_for("UnmatchedView.list"))


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
    show_partials = ("admin/catalogue/_unknown.html",)
