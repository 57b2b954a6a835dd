"""Vendors, their stores and shipping rates; « Mon enseigne » for a vendor's own people."""

from typing import Any

from flask import (
    abort,
    flash,
    redirect,
    render_template,
    request,
    url_for,
)
from flask_appbuilder import BaseView, expose
from flask_appbuilder.models.sqla.interface import SQLAInterface
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_login import current_user

from admin import forms
from admin.base import ReferenceView, has_access, me
from admin.dossiers import readable
from models import (
    ShippingRate,
    Store,
    Vendor,
)
from services.finance import dossiers
from services.imports import enrolment
from services.people import staff, vendors
from services.unit import db, unit_of_work
from services.workflow import Refused


class VendorView(ReferenceView):
    asks_proof = {"edit"}
    datamodel = SQLAInterface(Vendor)
    route_base = "/gestion/enseignes"
    list_title, noun = _l("Vendors"), _l("New vendor")
    list_columns = ["name", "code", "legal_name", "siren", "email", "phone"]
    _register = ["police_register", "declaration_number", "declaration_on", "declaration_by"]
    show_columns = [
        "name",
        "code",
        "legal_name",
        "siren",
        "vat_number",
        "email",
        "phone",
        "address",
        *_register,
        "created_at",
    ]
    add_columns = edit_columns = [
        "name",
        "code",
        "legal_name",
        "siren",
        "vat_number",
        "email",
        "phone",
        "address",
        *_register,
    ]
    first_partials = ("admin/_dossier.html",)
    groups = (
        (_l("Who to reach"), ("email", "phone", "address")),
        (
            _l("Police register"),
            ("police_register", "declaration_number", "declaration_on", "declaration_by"),
        ),
    )
    label_columns = {
        "name": _l("Vendor"),
        "code": _l("Code"),
        "legal_name": _l("Company name"),
        "siren": _l("SIREN"),
        "vat_number": _l("VAT number"),
        "email": _l("E-mail"),
        "phone": _l("Phone"),
        "address": _l("Address"),
        "created_at": _l("Since"),
        "police_register": _l("Keeps a police register"),
        "declaration_number": _l("Number of the declaration"),
        "declaration_on": _l("Declared on"),
        "declaration_by": _l("Declared to"),
    }
    description_columns = {
        "code": _l("What software of several vendors calls it. Letters, digits, dashes."),
        "police_register": _l(
            "« Livre de police »: identity at a first sale, an entry for each article bought."
        ),
        "declaration_number": _l("The préfecture's récépissé (art. R321-1 c. pén.)."),
    }
    order_columns = ["name"]
    search_columns = ["name"]
    find_columns = (Vendor.name, Vendor.code, Vendor.legal_name, Vendor.siren)
    first_order = "name"

    def show_more(self, row: Vendor) -> dict[str, Any]:
        return {"dossier": readable(dossiers.of_vendor(row))}

    def check(self, row: Vendor) -> None:
        vendors.check(row)


class StoreView(ReferenceView):
    datamodel = SQLAInterface(Store)
    route_base = "/gestion/magasins"
    list_title, noun = _l("Stores"), _l("New store")
    list_columns = ["name", "code", "vendor", "postcode", "city", "phone"]
    show_columns = [
        "name",
        "code",
        "vendor",
        "address",
        "postcode",
        "city",
        "phone",
        "opening_hours",
        "reserve_collect",
        "latitude",
        "longitude",
        "last_feed_at",
    ]
    add_columns = edit_columns = [
        "name",
        "code",
        "vendor",
        "address",
        "postcode",
        "city",
        "phone",
        "opening_hours",
        "reserve_collect",
        "latitude",
        "longitude",
    ]
    description_columns = {
        "code": _l(
            "What its files, its till and its watched folder call it: N1, 0042… Letters, digits,"
            " dashes."
        ),
        "reserve_collect": _l("Buyers reserve on line, pay and collect in this store."),
        "latitude": _l("Degrees (WGS 84), such as 47.2184. Empty: its postcode says where it is."),
    }
    first_partials = ("admin/_dossier.html",)
    groups = (
        (
            _l("Where it is"),
            ("address", "postcode", "city", "phone", "latitude", "longitude"),
        ),
        (_l("When it is open"), ("opening_hours",)),
        (_l("Orders of the shop"), ("reserve_collect",)),
    )
    label_columns = {
        "code": _l("Code"),
        "latitude": _l("Latitude"),
        "longitude": _l("Longitude"),
        "last_feed_at": _l("Last full stock file"),
        "name": _l("Store"),
        "vendor": _l("Vendor"),
        "address": _l("Address"),
        "postcode": _l("Postcode"),
        "city": _l("Town"),
        "phone": _l("Phone"),
        "opening_hours": _l("Opening hours"),
        "reserve_collect": _l("Reserve and collect"),
    }
    order_columns = ["name", "city"]
    search_columns = ["name"]
    filter_columns = ("vendor",)
    links = ((enrolment.KIND.label, "ImportView.upload", "download"),)
    find_columns = (Store.name, Store.code, Store.city, Store.postcode)
    first_order = "name"

    def show_more(self, row: Store) -> dict[str, Any]:
        return {"dossier": readable(dossiers.of_store(row))}

    def check(self, row: Store) -> None:
        vendors.check_store(row)


class ContactForm(forms.Sent):
    email = forms.Typed()
    phone = forms.Typed()
    address = forms.Typed()


class StoreForm(forms.Sent):
    address = forms.Typed()
    postcode = forms.Typed()
    city = forms.Typed()
    phone = forms.Typed()
    opening_hours = forms.Typed()
    reserve_collect = forms.Ticked()


class MyVendorView(BaseView):
    """« Mon enseigne »: what a vendor keeps up by himself, and each of his stores."""

    route_base = "/gestion/mon-enseigne"
    default_view = "open"
    base_permissions = ["can_open", "can_contact", "can_store"]

    @expose("/")
    @has_access
    def open(self) -> Any:
        if staff.sees_all(current_user):  # who keeps up all of them has their lists
            return redirect(url_for("VendorView.list"))
        return self._page()

    def _page(self, sentence: str = "", at: str = "") -> Any:
        mine = db.session.scalars(db.select(Vendor).order_by(Vendor.name).limit(20)).all()
        stores = db.session.scalars(db.select(Store).order_by(Store.name).limit(2000)).all()
        page = render_template(
            "admin/people/my_vendor.html",
            mine=mine,
            stores=stores,
            sentence=sentence,
            at=at,
            typed=request.form,
        )
        return page, 422 if sentence else 200

    @expose("/<int:id>", methods=["POST"])
    @has_access
    def contact(self, id: int) -> Any:
        return self._keep(
            f"v{id}",
            Vendor,
            id,
            lambda row: vendors.keep_contact(row, **ContactForm.read().data, by=me()),
        )

    @expose("/magasin/<int:id>", methods=["POST"])
    @has_access
    def store(self, id: int) -> Any:
        return self._keep(
            f"s{id}",
            Store,
            id,
            lambda row: vendors.keep_store(row, **StoreForm.read().data, by=me()),
        )

    def _keep(self, at: str, model: Any, id: int, verb: Any) -> Any:
        try:
            with unit_of_work() as session:
                verb(session.scalar(db.select(model).where(model.id == id)) or abort(404))
        except Refused as refusal:
            return self._page(str(refusal), at)
        flash(_("Saved."), "success")
        return redirect(url_for("MyVendorView.open"))


class ShippingRateView(ReferenceView):
    datamodel = SQLAInterface(ShippingRate)
    route_base = "/gestion/frais-de-port"
    list_title, noun = _l("Shipping rates"), _l("New rate")
    list_columns = show_columns = [
        "name",
        "vendor",
        "up_to_grams",
        "price_cents",
        "free_from_cents",
    ]
    add_columns = ["vendor", "name", "up_to_grams", "price_cents", "free_from_cents"]
    edit_columns = ["name", "up_to_grams", "price_cents", "free_from_cents"]
    label_columns = {
        "name": _l("Sending"),
        "vendor": _l("Vendor"),
        "up_to_grams": _l("Up to (g)"),
        "price_cents": _l("Price"),
        "free_from_cents": _l("Free from"),
    }
    description_columns = {
        "name": _l("« Point relais », « Domicile »…"),
        "free_from_cents": _l("Empty: never."),
    }
    order_columns = ["name", "up_to_grams"]
    search_columns = ["name"]
    filter_columns = ("vendor",)
    find_columns = (ShippingRate.name,)
    first_order = "up_to_grams"
    empty_sentence = _l("No rate yet: say what a parcel costs.")

    def check(self, row: ShippingRate) -> None:
        row.name = (row.name or "").strip()
        if not row.name:
            raise Refused(_("Give this way of sending a name."))
        if not row.up_to_grams or row.up_to_grams < 1:
            raise Refused(_("A weight is above zero."))
        if row.free_from_cents is not None and row.free_from_cents <= 0:
            raise Refused(_("Type the amount from which sending is free, or nothing."))
