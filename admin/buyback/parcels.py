"""« Achats en cours »: every parcel by status, its reminders, its label, where the carrier saw
it.
"""

from typing import Any

from flask import Response, abort, flash, redirect, request, url_for
from flask_appbuilder import BaseView, expose
from flask_appbuilder.actions import action
from flask_appbuilder.models.sqla.interface import SQLAInterface
from flask_appbuilder.security.decorators import has_access
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from admin.base import ScopedView, as_pdf, me
from models import Customer, Offer, Parcel, ParcelState
from services import clock, settings, workflow
from services.buyback import offers, parcels
from services.people import customers
from services.unit import db, unit_of_work
from services.workflow import Refused

S = ParcelState


def _since(moment: Any) -> str:
    return clock.paris(moment).strftime("%d/%m/%Y %H:%M") if moment else ""


def _opened(moment: Any) -> str:
    if moment:
        return _since(moment)
    return _("no") if settings.value("mail_pixel") == "yes" else _("unknown")


class ParcelView(ScopedView):
    datamodel = SQLAInterface(Parcel)
    route_base = "/gestion/colis"
    base_permissions = [
        *ScopedView.base_permissions,
        "remind",
        "text",
        "abandon",
        "follow_now",
        "drop",
        "arrive",
        "deliver",
        "trouble",
    ]
    list_title = _l("Purchases under way")
    list_columns = [
        "offer.customer.name",
        "status",
        "offer.customer.email",
        "offer.customer.phone",
        "offer_id",
        "offer.number",
        "offer.decided_at",
        "mail_opened_at",
        "link_clicked_at",
    ]
    show_columns = [
        "offer.number",
        "status",
        "offer.customer.name",
        "offer.customer.email",
        "offer.customer.phone",
        "offer_id",
        "offer.decided_at",
        "offer.drop_off_by",
        "label_number",
        "insurance",
        "weight_grams",
        "label_error",
        "mail_opened_at",
        "link_clicked_at",
        "reminded_at",
        "texted_at",
        "dropped_at",
        "arrived_at",
        "delivered_at",
        "opened_at",
        "checked_at",
        "last_words",
    ]
    label_columns = {
        "offer.customer.name": _l("Name"),
        "offer.customer.email": _l("E-mail"),
        "offer.customer.phone": _l("Phone"),
        "offer_id": _l("Cart ID"),
        "offer.number": _l("Order no."),
        "offer.decided_at": _l("Validated"),
        "mail_opened_at": _l("E-mail opened"),
        "link_clicked_at": _l("Label link clicked"),
        "last_words": _l("Carrier says"),
        "status": _l("Status"),
        "offer.drop_off_by": _l("Drop off before"),
        "label_number": _l("Mondial Relay no."),
        "insurance": _l("Insurance"),
        "weight_grams": _l("Weight (g)"),
        "label_error": _l("What went wrong"),
        "reminded_at": _l("Reminded by e-mail"),
        "texted_at": _l("Reminded by SMS"),
        "dropped_at": _l("Dropped off"),
        "arrived_at": _l("At the relay"),
        "delivered_at": _l("Collected"),
        "opened_at": _l("Opened"),
        "checked_at": _l("Checked"),
        "created_at": _l("Created"),
        "is_return": _l("Return"),
    }
    formatters_columns = {
        "offer.customer.phone": customers.shown_phone,
        "mail_opened_at": _opened,
        "link_clicked_at": lambda moment: _since(moment) or _("no"),
        "insurance": lambda level: (
            f"Ass{level} {parcels.INSURANCE[level] // 100} €" if level else _("standard")
        ),
    }
    order_columns = ["created_at", "weight_grams"]
    search_columns = ["status"]
    filter_columns = ("status", "is_return", "created_at")
    find_columns = (Offer.number, Parcel.label_number, Customer.email, Customer.last_name)
    find_through = (Parcel.offer, Offer.customer)
    find_hint = _l("CDE, label, e-mail, name")
    first_order = "-created_at"
    tabs = (
        (_l("Not sent (tab)"), "?status=not_sent"),
        (_l("On their way"), "?status=in_transit"),
        (_l("To collect"), "?status=at_relay"),
        (_l("Delivered"), "?status=delivered"),
        (_l("Being examined"), "?status=inspecting"),
        (_l("To look at"), "?status=label_unknown%2Clabel_refused%2Clabel_requested%2Cincident"),
        (_l("Returns"), "?status=to_return"),
        (_l("Received (tab)"), "?status=checked"),
    )
    show_partials = ("admin/buyback/_parcel.html",)
    flow = parcels.PARCEL
    links = ((_l("Goods reception"), "BenchView.scan", "scan"),)
    empty_sentence = _l("No parcel yet: they are expected once an offer is accepted.")

    def list_conditions(self, asked: Any) -> list[Any]:
        """Unless one asks for a status or looks for somebody: what is still awaited."""
        over = (S.checked, S.abandoned, S.returned)
        return [] if asked.q or "status" in asked.filters else [Parcel.status.not_in(over)]

    def action_open(self, name: str, row: Parcel) -> bool:
        if name == "remind":
            return parcels.why_not_remind(row) is None
        if name == "text":
            return parcels.why_not_text(row) is None
        if name == "follow_now":
            return bool(row.label_number) and row.status in parcels.COMING
        return not row.is_return and parcels.PARCEL.allows(row, name)

    def show_more(self, row: Parcel) -> dict[str, Any]:
        contract = parcels.contract_of(row.vendor_id)
        return {
            "tracking": parcels.tracking_address(row),
            "levels": parcels.levels(contract),
            "why_no_label": parcels.why_no_label(contract),
            "why_remind": parcels.why_not_remind(row),
            "why_text": parcels.why_not_text(row),
            "formats": parcels.FORMATS,
            "offer_history": workflow.history(row.offer, 20),
        }

    @action("remind", _l("Remind by e-mail"), "", "")
    def remind(self, parcel: Parcel) -> None:
        parcels.remind(parcel, by=me())

    @action("text", _l("Remind by SMS"), "", "")
    def text(self, parcel: Parcel) -> None:
        parcels.text(parcel, by=me())

    @action("follow_now", _l("Ask the carrier now"), "", "")
    def follow_now(self, parcel: Parcel) -> None:
        if not parcel.label_number:
            raise Refused(_("This parcel has no label of the carrier."))
        parcel.follow_at = clock.now()

    @action("drop", _l("It has left"), "", "")
    def drop(self, parcel: Parcel) -> None:
        parcels.say(parcel, "drop", by=me())

    @action("arrive", _l("It is at the relay"), "", "")
    def arrive(self, parcel: Parcel) -> None:
        parcels.say(parcel, "arrive", by=me())

    @action("deliver", _l("We have it"), "", "")
    def deliver(self, parcel: Parcel) -> None:
        parcels.say(parcel, "deliver", by=me())

    @action(
        "trouble",
        _l("Incident"),
        _l("The carrier lost or damaged it: the shop deals with it by hand."),
        "",
    )
    def trouble(self, parcel: Parcel) -> None:
        parcels.say(parcel, "trouble", by=me())

    @action(
        "abandon",
        _l("Delete (dropped out)"),
        _l("The parcel will not come: the sale ends here."),
        "",
    )
    def abandon(self, parcel: Parcel) -> None:
        offers.abandon(parcel.offer, by=me())

    def _act(self, name: str, pks: list[str]) -> None:
        super()._act(name, pks)
        if name == "follow_now" and pks:
            due = list(
                db.session.scalars(
                    db.select(Parcel.id).where(
                        Parcel.id.in_([int(pk) for pk in pks if pk.isdigit()]),
                        Parcel.follow_at <= clock.now(),
                    )
                )
            )
            answered = parcels.follow(due[:20])  # more are asked by the worker
            if answered < len(due[:20]):
                flash(
                    _("The carrier does not answer just now: it is asked again by itself."),
                    "warning",
                )


class ParcelActionsView(BaseView):
    """What one does with a label: print, order again, look for it."""

    route_base = "/gestion/colis"
    class_permission_name = "ParcelView"
    method_permission_name = {
        "label": "show",
        "relabel": "relabel",
        "look": "relabel",
        "do_without": "relabel",
        "retry_return": "relabel",
    }
    base_permissions = ["can_show", "can_relabel"]

    @expose("/<int:id>/etiquette-<any(A4,A5,10x15):size>.pdf")
    @has_access
    def label(self, id: int, size: str) -> Response:
        parcel = self._parcel(id)
        number = parcel.label_number
        return as_pdf(parcels.label_file(parcel, size), f"etiquette-{number}-{size}.pdf")

    @expose("/<int:id>/etiquette", methods=["POST"])
    @has_access
    def relabel(self, id: int) -> Any:
        """Another label: another level, a corrected weight, or after the carrier refused."""
        level, weight = request.form.get("insurance", ""), request.form.get("weight", "")
        with unit_of_work():
            parcels.ask_again(
                self._parcel(id),
                int(level) if level in "012345" and level else None,
                int(weight) if weight.isdigit() and len(weight) < 7 else None,
                by=me(),
            )
        flash(_("The label is ordered: it is there in a few seconds."), "success")
        return redirect(url_for("ParcelView.show", pk=id))

    @expose("/<int:id>/retrouver", methods=["POST"])
    @has_access
    def look(self, id: int) -> Any:
        """After a lost answer: the number somebody read on the carrier's site."""
        number = "".join(request.form.get("number", "").split())
        url = parcels.look_up(self._parcel(id), number)
        with unit_of_work():
            parcel = self._parcel(id)
            parcel.label_url = url
            parcels.label_found(parcel, number, by=me())
        flash(
            _("Label %(number)s is linked to this parcel; the seller has it.", number=number),
            "success",
        )
        return redirect(url_for("ParcelView.show", pk=id))

    @expose("/<int:id>/sans-etiquette", methods=["POST"])
    @has_access
    def do_without(self, id: int) -> Any:
        with unit_of_work():
            parcels.do_without(self._parcel(id), by=me())
        flash(_("The seller is told without a label: send him one yourself."), "success")
        return redirect(url_for("ParcelView.show", pk=id))

    @expose("/<int:id>/etiquette-retour", methods=["POST"])
    @has_access
    def retry_return(self, id: int) -> Any:
        with unit_of_work():
            parcel = self._parcel(id)
            parcels.retry_return_label(parcel, by=me())
            number = parcel.offer.number
        return redirect(url_for("BenchView.done", number=number))

    @staticmethod
    def _parcel(id: int) -> Parcel:
        return db.session.scalar(db.select(Parcel).where(Parcel.id == id)) or abort(404)
