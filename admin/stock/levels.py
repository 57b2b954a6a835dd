"""New stock: how many of each reference a store holds, today and at a past moment."""

from collections.abc import Iterator
from datetime import datetime, time, timedelta
from typing import Any

from flask import (
    Response,
    abort,
    flash,
    jsonify,
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
from admin.base import ScopedView, me
from admin.catalogue.products import of_products
from admin.listing import whole
from models import (
    Movement,
    Product,
    StockLevel,
    Store,
    Variant,
)
from services import clock, dates
from services.stock import levels, listing_exports
from services.unit import db, unit_of_work
from services.workflow import Refused


class StockLevelView(ScopedView):
    datamodel = SQLAInterface(StockLevel)
    route_base = "/gestion/stock-neuf"
    base_permissions = [*ScopedView.base_permissions, "can_adjust"]
    list_template = "admin/stock/levels.html"
    inline_columns = ("quantity", "alert_under", "place")
    has_pictures, list_loads = True, ("variant",)
    list_title = _l("New stock")
    list_columns = [
        "variant.product.title",
        "variant.details",
        "variant.ean",
        "store",
        "quantity",
        "reserved",
        "alert_under",
        "place",
    ]
    show_columns = [
        "variant.product.title",
        "variant.details",
        "variant.ean",
        "store",
        "quantity",
        "reserved",
        "available",
        "alert_under",
        "place",
        "counted_at",
        "updated_at",
    ]
    label_columns = {
        "variant.product.title": _l("Title"),
        "variant.details": _l("Details"),
        "variant.ean": _l("EAN"),
        "store": _l("Store"),
        "quantity": _l("Quantity"),
        "reserved": _l("Reserved"),
        "available": _l("Available"),
        "alert_under": _l("Alert under"),
        "place": _l("Place"),
        "counted_at": _l("Last counted"),
        "updated_at": _l("Changed"),
    }
    order_columns = ["id", "quantity"]
    search_columns = ["place"]
    filter_columns = ("store",)
    find_columns = (StockLevel.place,)
    find_hint = _l("Title, EAN, reference")
    first_order = "-id"
    tabs = ((_l("To order again"), "?niveau=bas"),)
    kept_args = ("niveau",)
    links = (
        (_l("Give a file"), "ImportView.upload?kind=stock", "download"),
        (_l("Stock at a date"), "StockAtView.at", "clock"),
        (_l("Inventories"), "StockCountView.list", "check"),
    )
    show_partials = ("admin/stock/_level.html",)
    empty_sentence = _l("No new stock yet: give a stock file, or let a till publish it.")

    def find_condition(self, words: str) -> Any:
        return of_products(StockLevel.variant_id, words)

    def base_conditions(self) -> list[Any]:
        return []

    def list_conditions(self, asked: Any) -> list[Any]:
        return (
            [StockLevel.quantity < StockLevel.alert_under]
            if asked.kept.get("niveau") == "bas"
            else []
        )

    def show_more(self, row: StockLevel) -> dict[str, Any]:
        moved = select(Movement).where(
            Movement.store_id == row.store_id,
            Movement.variant_id == row.variant_id,
            Movement.item_id.is_(None),
        )
        return {
            "moves": (
                db.session.scalars(
                    moved.order_by(Movement.at.desc(), Movement.id.desc()).limit(50)
                ).all()
            )
        }


class LevelForm(forms.Sent):
    """One number of a level, as it is edited in the list, and the one the page showed (`was`)."""

    quantity = forms.Count()
    reason = forms.Typed()
    alert_under = forms.Count()
    place = forms.Typed()
    was = forms.Text()

    def counted(self) -> int:
        """The quantity that was typed. Raises Refused when there is none."""
        if self.quantity.data is None:
            raise Refused(_("« %(words)s » is no quantity.", words=""))
        return int(self.quantity.data)


class AdjustView(BaseView):
    """Stock edited in place: one number, saved as it is left, undone by saving the one before."""

    route_base = "/gestion/stock-neuf/corriger"
    class_permission_name = "StockLevelView"
    method_permission_name = {"adjust": "adjust"}
    base_permissions = ["can_adjust"]

    @expose("/<int:id>", methods=["POST"])
    @has_access
    def adjust(self, id: int) -> Any:
        form = LevelForm.read()
        with unit_of_work() as session:
            level = session.scalar(select(StockLevel).where(StockLevel.id == id)) or abort(404)
            before = {
                "quantity": level.quantity,
                "alert_under": level.alert_under,
                "place": level.place,
            }
            for name, now in before.items():
                if form.holds(name) and form.holds("was"):
                    forms.refuse_if_changed(name, now, form.was.data)
            if form.holds("quantity"):
                levels.adjust(level, form.counted(), by=me(), reason=form.reason.data)
            if form.holds("alert_under"):
                levels.set_alert(level, form.alert_under.data, by=me())
            if form.holds("place"):
                levels.set_place(level, form.place.data, by=me())
            after = {
                "quantity": level.quantity,
                "alert_under": level.alert_under,
                "place": level.place,
                "reserved": level.reserved,
            }
        if request.headers.get("X-Fragment"):
            return jsonify(before=before, after=after)
        flash(_("Saved."), "success")
        return redirect(url_for("StockLevelView.show", pk=id))


class StockAtView(BaseView):
    """« Stock à une date »: what a store held one evening, from what had moved by then."""

    route_base = "/gestion/stock-a-une-date"
    default_view = "at"
    base_permissions = ["can_at"]
    method_permission_name = {"at": "at", "take": "at"}

    @expose("/")
    @has_access
    def at(self) -> Any:
        stores, store, moment, sentence = self._asked()
        rows = []
        if store is not None:
            held = levels.all_at(store.id, moment, whole(request.args.get("apres", ""), 0), 100)
            variants = {
                v.id: v
                for v in db.session.scalars(
                    select(Variant).where(Variant.id.in_([id for id, _new, _used in held]))
                )
            }
            rows = [(variants[id], new, used) for id, new, used in held]
        return render_template(
            "admin/stock/stock_at.html",
            stores=stores,
            store=store,
            moment=moment,
            rows=rows,
            sentence=sentence,
            size=100,
        )

    @expose("/stock.csv")
    @has_access
    def take(self) -> Any:
        _stores, store, moment, _sentence = self._asked()
        if store is None:
            abort(404)

        def rows() -> Iterator[list[Any]]:
            after = 0
            while held := levels.all_at(store.id, moment, after):
                after, counts = held[-1][0], {id: (new, used) for id, new, used in held}
                known = (
                    select(Variant.id, Variant.ean, Product.title)
                    .join(Product, Product.id == Variant.product_id)
                    .where(Variant.id.in_(counts))
                )
                yield from (
                    [ean, title, *counts[id]]
                    for id, ean, title in db.session.execute(known.order_by(Variant.id))
                )

        answer = Response(
            stream_with_context(
                listing_exports.as_table(["ean", "designation", "quantite", "occasion"], rows())
            ),
            mimetype="text/csv",
        )
        answer.headers["Content-Disposition"] = (
            "attachment;"
            f' filename="stock-{store.code or store.id}-{clock.paris(moment):%Y%m%d}.csv"'
        )
        return answer

    @staticmethod
    def _asked() -> tuple[list[Store], Store | None, datetime, str]:
        stores = list(db.session.scalars(select(Store).order_by(Store.name).limit(2000)))
        wanted, sentence = request.args.get("magasin", ""), ""
        store = next((s for s in stores if str(s.id) == wanted), stores[0] if stores else None)
        try:
            day = dates.read_day(request.args.get("le", "") or clock.today().isoformat())
            after = clock.from_paris(datetime.combine(day + timedelta(days=1), time(0)))
        except ValueError:
            sentence, after = _("This is no date."), clock.now()
        return stores, store, after - timedelta(seconds=1), sentence
