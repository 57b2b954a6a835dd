"""The hand-written staff screens: dashboard, validation, simulation, settings, search."""

from typing import Any

from flask import abort, flash, redirect, render_template, request, url_for
from flask_appbuilder import BaseView, IndexView, expose
from flask_appbuilder.security.decorators import has_access
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import EmailField, SelectField, StringField
from wtforms.validators import InputRequired, Length, Optional

from admin.base import me
from models import Condition, Item, Offer, OfferState, Site, Store, Vendor
from services import access, clock, money, settings, workflow
from services.buyback import offers, parcels, pricing
from services.catalogue import products
from services.finance import dashboards
from services.people import staff
from services.stock import items
from services.unit import db, unit_of_work
from services.words import visible
from services.workflow import Refused


class DashboardView(IndexView):
    route_base = "/gestion"
    base_permissions = ["can_index"]

    @expose("/")
    @has_access
    def index(self) -> Any:
        return render_template("admin/dashboard.html", board=dashboards.buyback(), now=clock.now())


class ValidateView(BaseView):
    """« Achat à valider »: one offer a screen, the oldest first; after a decision, the next one by
    itself.
    """

    route_base = "/gestion/offres/valider"
    default_view = "first"

    @expose("/")
    @has_access
    def first(self) -> Any:
        waiting = offers.waiting()
        if waiting:
            return redirect(url_for("ValidateView.offer", id=waiting[0].id))
        return render_template("admin/nothing_to_check.html")

    @expose("/<int:id>")
    @has_access
    def offer(self, id: int) -> Any:
        return self._page(id)

    def _page(self, id: int, opened: str = "", sentence: str = "") -> str:
        """The screen; after a refusal also what was typed, in the part it was typed in, with the
        reason.
        """
        offer = self._offer(id)
        before, after, place, count = offers.neighbours(offer)
        ids = [line.variant_id for line in offer.lines]
        contract = parcels.contract_of(offer.vendor_id)
        return render_template(
            "admin/validate.html",
            offer=offer,
            before=before,
            after=after,
            place=place,
            count=count,
            stock=items.stock_of(offer.vendor_id, ids),
            sold=items.sold_of(offer.vendor_id, ids),
            flow=offers.OFFER,
            kept=offers.kept(offer),
            taken_out=offers.taken_out(offer),
            history=workflow.history(offer, 20),
            past=dashboards.past_sales(offer.customer_id),
            opened=opened,
            sentence=sentence,
            typed=request.form,
            levels=parcels.levels(contract),
            why_no_label=parcels.why_no_label(contract),
        )

    @expose("/<int:id>/<any(accept,counter,refuse,delete):verb>", methods=["POST"])
    @has_access
    def decide(self, id: int, verb: str) -> Any:
        try:
            with unit_of_work():
                offer = self._offer(id)
                _met(offer)
                _before, after, _place, _count = offers.neighbours(offer)
                after_id = after.id if after else None
                if verb == "counter":
                    offers.counter(offer, _prices(offer), request.form.get("motive", ""), by=me())
                elif verb == "refuse":
                    offers.refuse(offer, request.form.get("motive", ""), by=me())
                elif verb == "accept":
                    offers.accept(offer, _level(request.form.get("insurance", "0")), by=me())
                else:
                    offers.delete(offer, by=me())
                number, state = offer.number, workflow.words_of(offer.status)
        except Refused as refusal:
            return self._page(id, verb, str(refusal)), 422
        flash(_("%(number)s: %(state)s.", number=number, state=state), "success")
        return redirect(
            url_for("ValidateView.offer", id=after_id)
            if after_id
            else url_for("ValidateView.first")
        )

    @expose("/<int:id>/ligne/<int:line_id>/<any(remove,restore):verb>", methods=["POST"])
    @has_access
    def line(self, id: int, line_id: int, verb: str) -> Any:
        with unit_of_work():
            offer = self._offer(id)
            line = next((line for line in offer.lines if line.id == line_id), None)
            if line is None:
                abort(404)
            if verb == "remove":
                offers.remove_line(
                    offer,
                    line,
                    request.form.get("reason", "").strip() or _("does not suit"),
                    by=me(),
                )
            else:
                offers.restore_line(offer, line, by=me())
        return redirect(url_for("ValidateView.offer", id=id) + f"#l{line_id}")

    @expose("/<int:id>/remarque", methods=["POST"])
    @has_access
    def remark(self, id: int) -> Any:
        with unit_of_work():
            offers.remark(self._offer(id), request.form.get("remark", ""), by=me())
        flash(_("Remark kept."), "success")
        return redirect(url_for("ValidateView.offer", id=id))

    @staticmethod
    def _offer(id: int) -> Offer:
        offer = db.session.scalar(
            db.select(Offer).where(
                Offer.id == id, Offer.status.not_in([OfferState.draft, OfferState.deleted])
            )
        )
        if offer is None:
            abort(404)
        return offer


def _level(words: str) -> int:
    if words not in ("", "0", "1", "2", "3", "4", "5"):
        raise Refused(_("This insurance level is not in the contract."))
    return int(words or 0)


def _met(offer: Offer) -> None:
    """Two people on one offer: the second is told what the first did, and decides again with open
    eyes.
    """
    if request.form.get("version", str(offer.version)) != str(offer.version):
        last = offers.last_decision(offer)
        raise Refused(
            _(
                "%(who)s was faster: « %(what)s » at %(time)s. Look at the offer again before you"
                " decide.",
                who=last.actor_name if last else "—",
                what=str(workflow.VERBS.get(last.verb, last.verb)) if last else "—",
                time=clock.paris(last.at).strftime("%H:%M") if last else "—",
            )
        )


def _prices(offer: Offer) -> dict[int, int]:
    prices = {}
    for line in offers.kept(offer):
        words = request.form.get(f"price-{line.id}", "")
        try:
            prices[line.id] = money.parse(words) if words.strip() else line.price_cents
        except ValueError:
            raise Refused(_("« %(words)s » is no amount: write 12,50.", words=words[:20])) from None
    return prices


class SimulateView(BaseView):
    """« Simuler »: an EAN, and which rule answers what."""

    route_base = "/gestion/regles/simuler"
    default_view = "simulate"

    @expose("/")
    @has_access
    def simulate(self) -> Any:
        everywhere = list(db.session.scalars(db.select(Site).order_by(Site.name)))
        asked = request.args.get("site", "")
        here = next(
            (s for s in everywhere if str(s.id) == asked), everywhere[0] if everywhere else None
        )
        words, answer, stock, trials, wrong = request.args.get("ean", ""), None, 0, [], ""
        if words.strip() and here:
            try:
                answer, stock, trials = pricing.simulate(here.id, words)
            except products.BadEan as bad:
                wrong = str(bad)
        return render_template(
            "admin/simulate.html",
            sites=everywhere,
            here=here,
            words=words,
            answer=answer,
            stock=stock,
            trials=trials,
            wrong=wrong,
        )


class SettingsView(BaseView):
    """« Paramétrages divers »."""

    route_base = "/gestion/parametrages"
    default_view = "settings"

    @expose("/", methods=["GET", "POST"])
    @has_access
    def settings(self) -> Any:
        wrong: dict[str, str] = {}
        if request.method == "POST":
            changed = []
            try:
                with unit_of_work():
                    for key, option in settings.OPTIONS.items():
                        if key not in request.form:
                            continue
                        try:
                            if settings.change(key, request.form[key], by=me()):
                                changed.append(str(option.label))
                        except Refused as refusal:
                            wrong[key] = str(refusal)
                    if wrong:
                        raise Refused("")
            except Refused:
                settings.forget()
            else:
                flash(
                    (
                        _("Saved: %(what)s.", what=", ".join(changed))
                        if changed
                        else _("Nothing had changed.")
                    ),
                    "success",
                )
                return redirect(url_for("SettingsView.settings"))
        chapters: dict[str, list[Any]] = {}
        for option in settings.OPTIONS.values():
            typed = request.form.get(option.key) if wrong else None
            shown = getattr(option.read, "shown", str)(settings.value(option.key))
            chapters.setdefault(str(option.chapter), []).append(
                (option, typed or shown, settings.history(option.key))
            )
        return render_template("admin/settings.html", chapters=chapters, wrong=wrong), (
            422 if wrong else 200
        )


class SearchView(BaseView):
    """One search: CDE, EAN, e-mail, name. One exact hit opens itself."""

    route_base = "/gestion/recherche"
    default_view = "search"

    @expose("/")
    @has_access
    def search(self) -> Any:
        words = request.args.get("q", "").strip()[:100].replace("\0", "")
        found = dashboards.search(words) if words else dashboards.Found({})
        hits = [
            (view, row)
            for view, rows in found.rows.items()
            if self.appbuilder.sm.has_access("can_show", view)
            for row in rows
        ]
        if len(hits) == 1 and not found.corrected:
            endpoint, row = hits[0]
            return redirect(url_for(f"{endpoint}.show", pk=row.id))
        return render_template(
            "admin/search.html", words=words, hits=hits, corrected=found.corrected
        )


class SellItemView(BaseView):
    """« Vendu »: one unit, one price."""

    route_base = "/gestion/stock/vendre"
    class_permission_name = "ItemView"
    method_permission_name = {"sell": "sell", "shelve": "sell", "send_to": "sell"}
    base_permissions = ["can_sell"]

    @expose("/<int:id>/magasin", methods=["POST"])
    @has_access
    def send_to(self, id: int) -> Any:
        """It goes to another store of the same vendor, which need not be one this person works
        in.
        """
        words = request.form.get("store", "")
        number = int(words) if words.isascii() and words.isdigit() and len(words) < 10 else 0
        with unit_of_work() as session:
            item = session.scalar(db.select(Item).where(Item.id == id)) or abort(404)
            with access.limited_to(None):
                store = session.scalar(
                    db.select(Store).where(Store.id == number, Store.vendor_id == item.vendor_id)
                ) or abort(404)
                items.send_to(item, store, by=me())
        flash(_("Sent to %(store)s.", store=store.name), "success")
        return redirect(url_for("ItemView.list"))

    @expose("/<int:id>/rayon", methods=["POST"])
    @has_access
    def shelve(self, id: int) -> Any:
        """In which condition it is sold, and where it lies."""
        said = request.form.get("condition", "")
        if said not in {"", *(one.value for one in Condition)}:
            raise Refused(_("Choose a condition of the list."))
        with unit_of_work():
            item = db.session.scalar(db.select(Item).where(Item.id == id)) or abort(404)
            items.shelve(
                item,
                condition=Condition(said) if said else None,
                place=request.form.get("place", ""),
                by=me(),
            )
        flash(_("Saved."), "success")
        return redirect(url_for("ItemView.show", pk=id))

    @expose("/<int:id>", methods=["POST"])
    @has_access
    def sell(self, id: int) -> Any:
        with unit_of_work():
            item = db.session.scalar(db.select(Item).where(Item.id == id)) or abort(404)
            try:
                price = money.parse(request.form.get("price", ""))
            except ValueError:
                raise Refused(_("Type the price it was sold for.")) from None
            items.sell(item, price, channel=request.form.get("channel", "boutique")[:60], by=me())
        flash(_("Sold."), "success")
        return redirect(url_for("ItemView.show", pk=id))


def _tidy(name: str | None) -> str:
    return " ".join(visible(name or "").split())


class AddStaffForm(FlaskForm):
    email = EmailField(_l("E-mail"), [InputRequired(_l("This is needed."))])
    first_name = StringField(_l("First name"), [Length(max=60)], filters=[_tidy])
    last_name = StringField(_l("Last name"), [Length(max=60)], filters=[_tidy])
    role = SelectField(_l("Role"), choices=[(role, role) for role in staff.ROLES])
    vendor = SelectField(_l("Vendor"), [Optional()], coerce=lambda v: int(v) if v else None)


class AddStaffView(BaseView):
    route_base = "/gestion/utilisateurs/ajouter"
    default_view = "add"
    class_permission_name = "StaffView"
    method_permission_name = {"add": "add"}
    base_permissions = ["can_add"]

    @expose("/", methods=["GET", "POST"])
    @has_access
    def add(self) -> Any:
        form = AddStaffForm()
        vendors = list(db.session.scalars(db.select(Vendor).order_by(Vendor.name)))
        form.vendor.choices = [("", "—"), *((str(v.id), v.name) for v in vendors)]
        if form.validate_on_submit():
            try:
                with unit_of_work():
                    user, password = staff.add(
                        form.email.data,
                        form.role.data,
                        by=me(),
                        first_name=form.first_name.data,
                        last_name=form.last_name.data,
                    )
                    if form.vendor.data:
                        staff.belongs_to(user, db.session.get_one(Vendor, form.vendor.data))
                    id, name = user.id, user.username
                flash(
                    _(
                        "One-time password of %(user)s: %(password)s. It is shown once.",
                        user=name,
                        password=password,
                    ),
                    "success",
                )
                return redirect(url_for("StaffView.show", pk=id))
            except Refused as refusal:
                form.form_errors.append(str(refusal))
        return render_template("admin/add_staff.html", form=form), 422 if form.errors else 200


PAGES = (ValidateView, SimulateView, SettingsView, SearchView, SellItemView, AddStaffView)
