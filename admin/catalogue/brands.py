"""Brands, and the vendors that may sell those that need an agreement."""

from typing import Any

from flask_appbuilder.models.sqla.interface import SQLAInterface
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import select
from wtforms import StringField
from wtforms.validators import Length

from admin.base import ReferenceView
from models import Brand, BrandAgreement, Product
from services.unit import db
from services.workflow import Refused


class BrandView(ReferenceView):
    datamodel = SQLAInterface(Brand)
    route_base = "/gestion/marques"
    list_title, noun = _l("Brands"), _l("New brand")
    list_columns = show_columns = add_columns = edit_columns = ["name", "needs_agreement"]
    label_columns = {"name": _l("Brand"), "needs_agreement": _l("Asks for its agreement")}
    description_columns = {"needs_agreement": _l("Ticked: only the vendors it accepted sell it.")}
    order_columns = ["name"]
    search_columns = ["name"]
    filter_columns = ("needs_agreement",)
    find_columns = (Brand.name,)
    first_order = "name"
    empty_sentence = _l("No brand yet: they come with the référencier.")

    def base_conditions(self) -> list[Any]:
        """A brand that only proposals name is nobody's word yet: « +Marque » or « <b>X</b> » of one
        vendor's file.
        """
        of_brand = Product.brand_id == Brand.id
        taken = of_brand & Product.status.not_in(("proposed", "refused"))
        return [select(1).where(taken).exists() | ~select(1).where(of_brand).exists()]

    def check(self, row: Brand) -> None:
        row.name = " ".join((row.name or "").split())


class BrandAgreementView(ReferenceView):
    datamodel = SQLAInterface(BrandAgreement)
    route_base = "/gestion/accords-de-marques"
    list_title, noun = _l("Brand agreements"), _l("New agreement")
    list_columns = show_columns = ["brand", "vendor", "allowed", "note"]
    add_columns = ["brand_name", "vendor", "allowed", "note"]
    edit_columns = ["allowed", "note"]
    label_columns = {
        "brand": _l("Brand"),
        "brand_name": _l("Brand"),
        "vendor": _l("Vendor"),
        "allowed": _l("May sell it"),
        "note": _l("Note"),
    }
    description_columns = {"allowed": _l("Unticked: this vendor is excluded.")}
    add_form_extra_fields = {"brand_name": StringField(_l("Brand"), [Length(min=1, max=100)])}
    order_columns = ["allowed"]
    search_columns = ["note"]
    filter_columns = ("vendor", "allowed")
    find_columns = (Brand.name,)
    find_through = (BrandAgreement.brand,)
    first_order = "-id"
    empty_sentence = _l("No brand said anything of a vendor yet.")

    def kept(self, row: BrandAgreement, form: Any, ready: Any) -> None:
        if "brand_name" in form:
            existing = db.session.scalar(
                db.select(Brand).where(
                    db.func.lower(Brand.name) == form.brand_name.data.strip().lower()
                )
            )
            if existing is None:
                raise Refused(
                    _(
                        "There is no brand « %(name)s » in the catalogue.",
                        name=form.brand_name.data[:60],
                    )
                )
            row.brand = existing

    def check(self, row: BrandAgreement) -> None:
        row.note = (row.note or "").strip()
