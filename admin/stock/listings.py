"""Sale offers of vendors (listings), their files and prices."""

from typing import Any

from flask import (
    Response,
    abort,
    flash,
    redirect,
    render_template,
    request,
    stream_with_context,
    url_for,
)
from flask_appbuilder import BaseView, expose
from flask_appbuilder.models.sqla.interface import SQLAInterface
from flask_appbuilder.security.decorators import has_access
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import select

from admin import forms
from admin.base import ScopedView, action_of, me
from admin.catalogue.products import of_products
from admin.listing import whole
from models import (
    Item,
    Listing,
    Vendor,
)
from services import clock, workflow
from services.catalogue import products
from services.stock import listing_exports, listings
from services.unit import db, unit_of_work

LIST_MOVE = {move.verb: move for move in listings.LISTING.moves}


class ListingView(ScopedView):
    datamodel = SQLAInterface(Listing)
    route_base = "/gestion/offres-de-vente"
    base_permissions = [*ScopedView.base_permissions, "withdraw", "offer_again", "can_price"]
    has_pictures, list_loads = True, ("variant",)
    list_title = _l("Sale offers")
    list_columns = [
        "variant.product.title",
        "sku",
        "variant.ean",
        "vendor",
        "condition_words",
        "price_cents",
        "discount_cents",
        "status",
        "updated_at",
        "delay_days",
    ]
    show_columns = [
        "variant.product.title",
        "sku",
        "variant.ean",
        "vendor",
        "condition_words",
        "price_cents",
        "discount_cents",
        "discount_from",
        "discount_to",
        "available_from",
        "available_to",
        "delay_days",
        "logistic_class",
        "description",
        "status",
        "created_at",
        "updated_at",
    ]
    label_columns = {
        "variant.product.title": _l("Title"),
        "sku": _l("Vendor's reference"),
        "variant.ean": _l("EAN"),
        "vendor": _l("Vendor"),
        "condition_words": _l("Condition"),
        "price_cents": _l("Price"),
        "discount_cents": _l("Reduced price"),
        "discount_from": _l("Reduced from"),
        "discount_to": _l("Reduced until"),
        "available_from": _l("Available from"),
        "available_to": _l("Available until"),
        "delay_days": _l("Leaves within (days)"),
        "logistic_class": _l("Logistic class"),
        "description": _l("Description"),
        "status": _l("Status"),
        "created_at": _l("Since"),
        "updated_at": _l("Changed"),
    }
    formatters_columns = {
        "condition_words": lambda state: workflow.words_of(state) if state else _("New")
    }
    order_columns = ["price_cents", "updated_at"]
    search_columns = ["sku"]
    filter_columns = ("status", "vendor")
    find_columns = (Listing.sku,)
    find_hint = _l("Title, EAN, reference")
    first_order = "-updated_at"
    tabs = ((_l("On sale"), "?status=active"), (_l("Taken off sale"), "?status=withdrawn"))
    links = (
        (_l("Files of offers"), "ListingFileView.files", "download"),
        (_l("Give a file"), "ImportView.upload?kind=offers", "download"),
    )
    show_partials = ("admin/stock/_listing.html",)
    empty_sentence = _l("No sale offer yet: give an offers file, or put a unit on sale.")
    flow = listings.LISTING

    withdraw_listing = action_of(LIST_MOVE["withdraw"], listings.withdraw)
    offer_listing = action_of(LIST_MOVE["offer_again"], listings.offer_again)

    def find_condition(self, words: str) -> Any:
        return of_products(Listing.variant_id, words) | (Listing.sku == words)

    def show_more(self, row: Listing) -> dict[str, Any]:
        return {
            "stock": listings.stock_of(row),
            "why": listings.why_not_shown(row, clock.today()),
            "lowest": products.lowest_of_30_days(row.variant_id, row.id),
            "today": listings.price_on(row, clock.today()),
        }


class ListingFileView(BaseView):
    """The vendor's offers as OF01, PRI01 and STO01; a price changed by hand; a unit put on sale."""

    route_base = "/gestion/offres-de-vente/fichiers"
    default_view = "files"
    base_permissions = ["can_files"]
    method_permission_name = {"files": "files", "take": "files"}

    @expose("/")
    @has_access
    def files(self) -> Any:
        return render_template(
            "admin/stock/listing_files.html",
            vendors=db.session.scalars(select(Vendor).order_by(Vendor.name).limit(2000)).all(),
        )

    @expose("/<any(of01,pri01,sto01):kind>.csv")
    @has_access
    def take(self, kind: str) -> Any:
        vendor = db.session.scalar(
            select(Vendor).where(Vendor.id == whole(request.args.get("vendeur", ""), 0))
        ) or abort(404)
        made = {
            "of01": listing_exports.as_of01,
            "pri01": listing_exports.as_pri01,
            "sto01": listing_exports.as_sto01,
        }[kind]
        answer = Response(stream_with_context(made(vendor.id)), mimetype="text/csv")
        answer.headers["Content-Disposition"] = (
            f'attachment; filename="{kind}-{vendor.id}-{clock.today():%Y%m%d}.csv"'
        )
        return answer


_NO_PRICE = _l("Type a price, such as 12,50.")


class PriceForm(forms.Sent):
    """The price of an offer, its discount with the days it holds, and when it is for sale."""

    price = forms.Amount(needed=_NO_PRICE)
    discount = forms.Amount()
    starts = forms.Day()
    ends = forms.Day()
    available_from = forms.Day()
    available_to = forms.Day()
    delay = forms.Count()


class PutOnSaleForm(forms.Sent):
    price = forms.Amount(needed=_NO_PRICE)


class PriceView(BaseView):
    route_base = "/gestion/offres-de-vente/prix"
    class_permission_name = "ListingView"
    method_permission_name = {"price": "price", "put_on_sale": "price"}
    base_permissions = ["can_price"]

    @expose("/<int:id>", methods=["POST"])
    @has_access
    def price(self, id: int) -> Any:
        form = PriceForm.read()
        with unit_of_work() as session:
            row = session.scalar(select(Listing).where(Listing.id == id)) or abort(404)
            listings.price(
                row,
                form.price.data,
                by=me(),
                discount_cents=form.discount.data,
                starts=form.starts.data,
                ends=form.ends.data,
            )
            if form.holds("delay"):
                listings.set_terms(
                    row,
                    available_from=form.available_from.data,
                    available_to=form.available_to.data,
                    delay_days=form.delay.data,
                    by=me(),
                )
        flash(_("Saved."), "success")
        return redirect(url_for("ListingView.show", pk=id))

    @expose("/article/<int:id>", methods=["POST"])
    @has_access
    def put_on_sale(self, id: int) -> Any:
        form = PutOnSaleForm.read()
        with unit_of_work() as session:
            item = session.scalar(select(Item).where(Item.id == id)) or abort(404)
            listing = listings.put_on_sale(item, form.price.data, by=me())
            session.flush()
            listing_id = listing.id
        return redirect(url_for("ListingView.show", pk=listing_id))
