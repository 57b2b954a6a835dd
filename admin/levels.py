"""Who holds what, new: levels edited in place, movements, stock at a date, inventories, transfers,
sale offers, conflicts with the counter.
"""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
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

from admin.base import ScopedView, action_of, me
from models import (
    Item,
    Listing,
    Movement,
    Product,
    StockConflict,
    StockCount,
    StockLevel,
    StockTransfer,
    Store,
    Variant,
    Vendor,
)
from services import access, clock, money, workflow
from services.catalogue import products, search
from services.stock import inventories, levels, listing_files, listings
from services.unit import db, unit_of_work
from services.workflow import Refused

LIST_MOVE = {move.verb: move for move in listings.LISTING.moves}
COUNT_MOVE = {move.verb: move for move in inventories.COUNT.moves}
TRANSFER_MOVE = {move.verb: move for move in inventories.TRANSFER.moves}
CONFLICT_MOVE = {move.verb: move for move in levels.CONFLICT.moves}


def _of_products(column: Any, words: str) -> Any:
    try:  # a whole barcode means one size, not its model
        if (variant := products.by_ean(products.read_ean(words))) is not None:
            return column == variant.id
    except products.BadEan:
        pass
    return column.in_(select(Variant.id).where(Variant.product_id.in_(search.product_ids(words))))


class StockLevelView(ScopedView):
    datamodel = SQLAInterface(StockLevel)
    route_base = "/gestion/stock-neuf"
    base_permissions = [*ScopedView.base_permissions, "can_adjust"]
    list_template = "admin/levels.html"
    inline_columns = ("quantity", "alert_under", "place")
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
    show_partials = ("admin/_level.html",)
    empty_sentence = _l("No new stock yet: give a stock file, or let a till publish it.")

    def find_condition(self, words: str) -> Any:
        return _of_products(StockLevel.variant_id, words)

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


class AdjustView(BaseView):
    """Stock edited in place: one number, saved as it is left, undone by saving the one before."""

    route_base = "/gestion/stock-neuf/corriger"
    class_permission_name = "StockLevelView"
    method_permission_name = {"adjust": "adjust"}
    base_permissions = ["can_adjust"]

    @expose("/<int:id>", methods=["POST"])
    @has_access
    def adjust(self, id: int) -> Any:
        with unit_of_work() as session:
            level = session.scalar(select(StockLevel).where(StockLevel.id == id)) or abort(404)
            before = {
                "quantity": level.quantity,
                "alert_under": level.alert_under,
                "place": level.place,
            }
            _not_changed_meanwhile(before)
            if "quantity" in request.form:
                levels.adjust(
                    level,
                    _count(request.form["quantity"]),
                    by=me(),
                    reason=request.form.get("reason", ""),
                )
            if "alert_under" in request.form:
                levels.set_alert(
                    level,
                    (
                        _count(request.form["alert_under"])
                        if request.form["alert_under"].strip()
                        else None
                    ),
                    by=me(),
                )
            if "place" in request.form:
                levels.set_place(level, request.form["place"], by=me())
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


def _not_changed_meanwhile(now: dict[str, Any]) -> None:
    """What the page showed (`was`) is still what is there; else somebody else's correction would be
    lost. Raises Refused.
    """
    name = next((name for name in now if name in request.form), "")
    was, shown = request.form.get("was"), "" if now.get(name) is None else str(now.get(name))
    if was is not None and was.strip() != shown:
        raise Refused(
            _(
                "It changed meanwhile: it is now « %(now)s ». Load the page again before you"
                " correct it.",
                now=shown or "–",
            )
        )


def _count(words: str) -> int:
    bare = words.strip()
    if not (bare.isascii() and bare.isdigit() and len(bare) < 8):
        raise Refused(_("« %(words)s » is no quantity.", words=words[:20]))
    return int(bare)


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
    filter_columns = ("store",)
    find_columns = (Movement.reference,)
    find_hint = _l("Title, EAN, reference")
    first_order = "-id"
    empty_sentence = _l("Nothing moved yet.")

    def find_condition(self, words: str) -> Any:
        return _of_products(Movement.variant_id, words)


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
            held = levels.all_at(store.id, moment, _number(request.args.get("apres", "")), 100)
            known = {
                v.id: v
                for v in db.session.scalars(
                    select(Variant).where(Variant.id.in_([id for id, _new, _used in held]))
                )
            }
            rows = [(known[id], new, used) for id, new, used in held]
        return render_template(
            "admin/stock_at.html",
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
                listing_files.as_table(["ean", "designation", "quantite", "occasion"], rows())
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
            day = date.fromisoformat(request.args.get("le", "") or clock.today().isoformat())
            after = clock.from_paris(datetime.combine(day + timedelta(days=1), time(0)))
        except (ValueError, OverflowError):
            sentence, after = _("This is no date."), clock.now()
        return stores, store, after - timedelta(seconds=1), sentence


def _number(words: str) -> int:
    return int(words) if words.isascii() and words.isdigit() and len(words) < 10 else 0


class StockCountView(ScopedView):
    datamodel = SQLAInterface(StockCount)
    route_base = "/gestion/inventaires"
    list_title = _l("Inventories")
    list_columns = show_columns = [
        "name",
        "store",
        "whole",
        "status",
        "by_name",
        "opened_at",
        "ended_at",
    ]
    label_columns = {
        "name": _l("Inventory"),
        "store": _l("Store"),
        "whole": _l("Whole store"),
        "status": _l("Status"),
        "by_name": _l("By"),
        "opened_at": _l("Begun"),
        "ended_at": _l("Ended"),
    }
    order_columns = ["opened_at"]
    search_columns = ["name"]
    filter_columns = ("status", "store")
    find_columns = (StockCount.name,)
    first_order = "-opened_at"
    links = ((_l("Count a store"), "CountView.open", "plus"),)
    empty_sentence = _l("No inventory yet: count a store.")

    def open_url(self, row: StockCount) -> str:  # type: ignore[override]
        return url_for("CountView.count", id=row.id)


class CountView(BaseView):
    """Counting: scan, correct, look at the differences, validate. A USB scanner is enough."""

    route_base = "/gestion/inventaires/compter"
    default_view = "open"
    base_permissions = ["can_count"]
    method_permission_name = {name: "count" for name in ("open", "count", "scan", "decide")}

    @expose("/", methods=["GET", "POST"])
    @has_access
    def open(self) -> Any:
        stores, sentence = (
            list(db.session.scalars(select(Store).order_by(Store.name).limit(2000))),
            "",
        )
        if request.method == "POST":
            try:
                with unit_of_work() as session:
                    store = session.scalar(
                        select(Store).where(Store.id == _number(request.form.get("store", "")))
                    ) or abort(404)
                    count = inventories.open_count(
                        store,
                        request.form.get("name", ""),
                        whole=request.form.get("whole") == "1",
                        by=me(),
                    )
                    session.flush()
                    id = count.id
                return redirect(url_for("CountView.count", id=id))
            except Refused as refusal:
                sentence = str(refusal)
        return render_template("admin/count_open.html", stores=stores, sentence=sentence), (
            422 if sentence else 200
        )

    @expose("/<int:id>")
    @has_access
    def count(self, id: int) -> Any:
        return self._page(id)

    def _page(self, id: int, sentence: str = "", typed: str = "") -> str:
        count = self._count(id)
        gaps = inventories.differences(count) if request.args.get("ecarts") else []
        forecast = inventories.forecast(count) if count.status is inventories.C.counting else None
        return render_template(
            "admin/count.html",
            count=count,
            lines=inventories.counted_lines(count),
            total=inventories.counted_total(count),
            gaps=gaps,
            forecast=forecast,
            flow=inventories.COUNT,
            sentence=sentence,
            typed=typed,
            showing=bool(request.args.get("ecarts")),
            history=workflow.history(count, 20),
        )

    @expose("/<int:id>/scan", methods=["POST"])
    @has_access
    def scan(self, id: int) -> Any:
        words, quantity = request.form.get("ean", ""), request.form.get("quantity", "").strip()
        try:
            with unit_of_work():
                count = self._count(id)
                if quantity:
                    inventories.say(count, words, _count(quantity), by=me())
                else:
                    inventories.scan(count, words, by=me())
        except Refused as refusal:
            return self._page(id, str(refusal), words), 422
        return redirect(url_for("CountView.count", id=id))

    @expose("/<int:id>/<any(validate,drop):verb>", methods=["POST"])
    @has_access
    def decide(self, id: int, verb: str) -> Any:
        with unit_of_work():
            count = self._count(id)
            sure = request.form.get("sure") == "1"
            changed = (
                inventories.validate(count, by=me(), sure=sure)
                if verb == "validate"
                else inventories.drop(count, by=me())
            )
        flash(
            (
                _("Validated: %(count)s references corrected.", count=changed)
                if verb == "validate"
                else _("Abandoned: nothing changed.")
            ),
            "success",
        )
        return redirect(url_for("CountView.count", id=id))

    @staticmethod
    def _count(id: int) -> StockCount:
        return db.session.scalar(select(StockCount).where(StockCount.id == id)) or abort(404)


class StockTransferView(ScopedView):
    datamodel = SQLAInterface(StockTransfer)
    route_base = "/gestion/transferts"
    list_title = _l("Transfers between stores")
    list_columns = show_columns = [
        "from_name",
        "to_name",
        "status",
        "by_name",
        "created_at",
        "sent_at",
        "arrived_at",
    ]
    label_columns = {
        "from_name": _l("From"),
        "to_name": _l("To"),
        "status": _l("Status"),
        "by_name": _l("By"),
        "created_at": _l("Prepared"),
        "sent_at": _l("Sent"),
        "arrived_at": _l("Arrived"),
    }
    order_columns = ["created_at"]
    search_columns = ["status"]
    filter_columns = ("status",)
    first_order = "-created_at"
    tabs = ((_l("Sent, not arrived"), "?status=on_its_way"),)
    links = ((_l("Prepare a transfer"), "TransferView.open", "plus"),)
    empty_sentence = _l("No transfer yet.")

    def open_url(self, row: StockTransfer) -> str:  # type: ignore[override]
        return url_for("TransferView.transfer", id=row.id)


class TransferView(BaseView):
    """One transfer: what travels, sent, arrived."""

    route_base = "/gestion/transferts/preparer"
    default_view = "open"
    base_permissions = ["can_transfer"]
    method_permission_name = {name: "transfer" for name in ("open", "transfer", "put", "decide")}

    @expose("/", methods=["GET", "POST"])
    @has_access
    def open(self) -> Any:
        stores, targets, sentence = (
            list(db.session.scalars(select(Store).order_by(Store.name).limit(2000))),
            self._targets(),
            "",
        )
        if request.method == "POST":
            ends = [
                next((s.id for s in among if str(s.id) == request.form.get(name)), None)
                or abort(404)
                for among, name in ((stores, "here"), (targets, "there"))
            ]
            try:
                with (
                    access.limited_to(None),
                    unit_of_work() as session,
                ):  # from a store of his to any of the same vendors
                    here, there = (session.get_one(Store, one) for one in ends)
                    transfer = inventories.open_transfer(here, there, by=me())
                    session.flush()
                    id = transfer.id
                return redirect(url_for("TransferView.transfer", id=id))
            except Refused as refusal:
                sentence = str(refusal)
        return render_template(
            "admin/transfer_open.html", stores=stores, targets=targets, sentence=sentence
        ), (422 if sentence else 200)

    @expose("/<int:id>")
    @has_access
    def transfer(self, id: int) -> Any:
        return self._page(id)

    def _page(self, id: int, sentence: str = "") -> str:
        transfer = self._transfer(id)
        with access.limited_to(None):  # the other end may be a store he does not work in
            stores = [
                db.session.scalars(select(Store).where(Store.id == id)).one()
                for id in (transfer.from_store_id, transfer.to_store_id)
            ]
        return render_template(
            "admin/transfer.html",
            transfer=transfer,
            from_store=stores[0],
            to_store=stores[1],
            flow=inventories.TRANSFER,
            sentence=sentence,
            typed=request.form,
            history=workflow.history(transfer, 20),
        )

    @expose("/<int:id>/article", methods=["POST"])
    @has_access
    def put(self, id: int) -> Any:
        words = request.form.get("quantity", "").strip()
        try:
            self._stands_in(id, "put")
            with access.limited_to(None), unit_of_work() as session:
                inventories.put_in(
                    session.get_one(StockTransfer, id),
                    request.form.get("ean", ""),
                    _count(words) if words else None,
                    by=me(),
                )
        except Refused as refusal:
            return self._page(id, str(refusal)), 422
        return redirect(url_for("TransferView.transfer", id=id))

    @expose("/<int:id>/<any(send,arrive,drop):verb>", methods=["POST"])
    @has_access
    def decide(self, id: int, verb: str) -> Any:
        try:
            self._stands_in(id, verb)
            with access.limited_to(None), unit_of_work() as session:
                transfer = session.get_one(StockTransfer, id)
                if verb == "send":
                    inventories.send(transfer, by=me())
                elif verb == "drop":
                    inventories.drop_transfer(transfer, by=me())
                else:
                    arrived = {
                        line.id: _count(request.form.get(f"arrived-{line.id}", str(line.quantity)))
                        for line in transfer.lines
                    }
                    inventories.arrive(transfer, arrived, by=me())
        except Refused as refusal:
            return self._page(id, str(refusal)), 422
        return redirect(url_for("TransferView.transfer", id=id))

    @staticmethod
    def _targets() -> list[Store]:
        """Where units may be sent: any store of the vendors he works for."""
        limit = access.scope()
        with access.limited_to(None):
            rows = select(Store).order_by(Store.name).limit(2000)
            return list(
                db.session.scalars(
                    rows if limit is None else rows.where(Store.vendor_id.in_(limit.vendors))
                )
            )

    def _stands_in(self, id: int, verb: str) -> None:
        """Units are put in and sent where they leave, received where they arrive. Raises
        Refused.
        """
        ends, tied = (
            db.session.execute(
                select(StockTransfer.from_store_id, StockTransfer.to_store_id).where(
                    StockTransfer.id == id
                )
            ).first(),
            access.tied_stores(),
        )
        if ends is None:
            abort(404)
        if tied is not None and ends[verb == "arrive"] not in tied:
            raise Refused(_("This is for the other store to do."))

    @staticmethod
    def _transfer(id: int) -> StockTransfer:
        return db.session.scalar(select(StockTransfer).where(StockTransfer.id == id)) or abort(404)


class ListingView(ScopedView):
    datamodel = SQLAInterface(Listing)
    route_base = "/gestion/offres-de-vente"
    base_permissions = [*ScopedView.base_permissions, "withdraw", "offer_again", "can_price"]
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
    show_partials = ("admin/_listing.html",)
    empty_sentence = _l("No sale offer yet: give an offers file, or put a unit on sale.")
    flow = listings.LISTING

    withdraw_listing = action_of(LIST_MOVE["withdraw"], listings.withdraw)
    offer_listing = action_of(LIST_MOVE["offer_again"], listings.offer_again)

    def find_condition(self, words: str) -> Any:
        return _of_products(Listing.variant_id, words) | (Listing.sku == words)

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
            "admin/listing_files.html",
            vendors=db.session.scalars(select(Vendor).order_by(Vendor.name).limit(2000)).all(),
        )

    @expose("/<any(of01,pri01,sto01):kind>.csv")
    @has_access
    def take(self, kind: str) -> Any:
        vendor = db.session.scalar(
            select(Vendor).where(Vendor.id == _number(request.args.get("vendeur", "")))
        ) or abort(404)
        made = {
            "of01": listing_files.as_of01,
            "pri01": listing_files.as_pri01,
            "sto01": listing_files.as_sto01,
        }[kind]
        answer = Response(stream_with_context(made(vendor.id)), mimetype="text/csv")
        answer.headers["Content-Disposition"] = (
            f'attachment; filename="{kind}-{vendor.id}-{clock.today():%Y%m%d}.csv"'
        )
        return answer


class PriceView(BaseView):
    route_base = "/gestion/offres-de-vente/prix"
    class_permission_name = "ListingView"
    method_permission_name = {"price": "price", "put_on_sale": "price"}
    base_permissions = ["can_price"]

    @expose("/<int:id>", methods=["POST"])
    @has_access
    def price(self, id: int) -> Any:
        with unit_of_work() as session:
            row = session.scalar(select(Listing).where(Listing.id == id)) or abort(404)
            reduced = request.form.get("discount", "").strip()
            listings.price(
                row,
                _cents(request.form.get("price", "")),
                by=me(),
                discount_cents=_cents(reduced) if reduced else None,
                starts=listing_files.read_day(request.form.get("starts", "")),
                ends=listing_files.read_day(request.form.get("ends", "")),
            )
            if "delay" in request.form:
                first, last = (
                    listing_files.read_day(request.form.get(name, ""))
                    for name in ("available_from", "available_to")
                )
                delay = request.form["delay"].strip()
                listings.set_terms(
                    row,
                    available_from=first,
                    available_to=last,
                    delay_days=_count(delay) if delay else None,
                    by=me(),
                )
        flash(_("Saved."), "success")
        return redirect(url_for("ListingView.show", pk=id))

    @expose("/article/<int:id>", methods=["POST"])
    @has_access
    def put_on_sale(self, id: int) -> Any:
        with unit_of_work() as session:
            item = session.scalar(select(Item).where(Item.id == id)) or abort(404)
            listing = listings.put_on_sale(item, _cents(request.form.get("price", "")), by=me())
            session.flush()
            listing_id = listing.id
        return redirect(url_for("ListingView.show", pk=listing_id))


def _cents(words: str) -> int:
    try:
        return money.parse(words)
    except ValueError:
        raise Refused(_("« %(words)s » is no amount: write 12,50.", words=words[:20])) from None


class ConflictView(ScopedView):
    datamodel = SQLAInterface(StockConflict)
    route_base = "/gestion/conflits"
    base_permissions = [*ScopedView.base_permissions, "give_up", "can_replace"]
    list_title = _l("Sold twice: by the shop and on line")
    list_columns = [
        "reservation.holder",
        "variant.product.title",
        "variant.ean",
        "quantity",
        "store",
        "cause",
        "status",
        "created_at",
    ]
    show_columns = [*list_columns, "ended_at"]
    label_columns = {
        "reservation.holder": _l("Customer order"),
        "variant.product.title": _l("Title"),
        "variant.ean": _l("EAN"),
        "quantity": _l("Units missing"),
        "store": _l("Store"),
        "cause": _l("What happened"),
        "status": _l("Status"),
        "created_at": _l("When"),
        "ended_at": _l("Settled"),
    }
    order_columns = ["created_at"]
    search_columns = ["status"]
    filter_columns = ("status", "store")
    find_columns = (StockConflict.cause,)
    first_order = "-created_at"
    tabs = ((_l("To settle"), "?status=open"),)
    empty_sentence = _l("No shop sold what an order had been promised.")
    flow = levels.CONFLICT
    show_partials = ("admin/_twins.html",)

    give_up_conflict = action_of(
        CONFLICT_MOVE["give_up"],
        levels.give_up,
        _l("The order will have to be refunded or changed. Is there really none?"),
    )

    def show_more(self, row: StockConflict) -> dict[str, Any]:
        if row.status.value != "open":
            return {"twins": []}
        with access.limited_to(
            None
        ):  # a twin may be another vendor's: its store is named, nothing else
            return {"twins": levels.twins(row)}


class TwinView(BaseView):
    """« Prendre celui-ci »: the twin is promised to the order at once."""

    route_base = "/gestion/conflits/jumeau"
    class_permission_name = "ConflictView"
    method_permission_name = {"replace": "replace"}
    base_permissions = ["can_replace"]

    @expose("/<int:id>", methods=["POST"])
    @has_access
    def replace(self, id: int) -> Any:
        if db.session.scalar(select(StockConflict.id).where(StockConflict.id == id)) is None:
            abort(404)
        with (
            access.limited_to(None),
            unit_of_work() as session,
        ):  # the conflict is his (seen just now); where the twin stands need not be
            conflict = session.get_one(StockConflict, id)
            wanted = (_number(request.form.get("store", "")), _number(request.form.get("item", "")))
            twin = next(
                (
                    t
                    for t in levels.twins(conflict, 50)
                    if (t.store.id, t.item.id if t.item else 0) == wanted
                ),
                None,
            )
            if twin is None:
                raise Refused(_("It went meanwhile: choose another one."))
            levels.replace(conflict, twin.store, twin.item, by=me())
            name = twin.store.name
        flash(_("The order now comes from %(store)s.", store=name), "success")
        return redirect(url_for("ConflictView.list"))


VIEWS = (
    StockLevelView,
    AdjustView,
    MovementView,
    StockAtView,
    StockCountView,
    CountView,
    StockTransferView,
    TransferView,
    ListingView,
    ListingFileView,
    PriceView,
    ConflictView,
    TwinView,
)
