"""« Achats en cours »: every parcel by status, its reminders, its label, where the carrier saw
it.
"""

from collections.abc import Sequence
from typing import Any

from flask import Response, flash, redirect, request, url_for
from flask_appbuilder import BaseView, expose
from flask_appbuilder.actions import action
from flask_appbuilder.models.sqla.interface import SQLAInterface
from flask_appbuilder.security.decorators import has_access
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_babel import ngettext

from admin import forms
from admin.base import ScopedView, as_pdf, me, row_or_404
from admin.listing import whole
from models import Customer, Label, Offer, Parcel, ParcelState
from services import clock, dates, files, settings, workflow
from services.buyback import offers, parcels
from services.people import customers
from services.shipping import contracts, labels, tracking
from services.unit import db, unit_of_work
from services.workflow import Refused

S = ParcelState


def _since(moment: Any) -> str:
    return dates.moment(moment) if moment else ""


def _opened(moment: Any) -> str:
    if moment:
        return _since(moment)
    return _("no") if settings.value("mail_pixel") == "yes" else _("unknown")


def _contact(parts: tuple[str, str]) -> list[str]:
    email, phone = parts
    return [email, customers.shown_phone(phone)]


def _days(moment: Any) -> str:
    days = (clock.today() - clock.paris(moment).date()).days
    return ngettext("%(num)s day", "%(num)s days", days)


WHO = ["offer.customer.name", "contact", "offer.number"]
# What each tab shows, and what it offers for the rows that are chosen.
COLUMNS: dict[str, list[str]] = {
    S.not_sent: [
        *WHO,
        *("offer_id", "offer.decided_at", "awaited_since"),
        *("mail_opened_at", "link_clicked_at", "label.not_made"),
    ],
    S.in_transit: [*WHO, "label.number", "dropped_at", "label.last_words"],
    S.at_relay: [*WHO, "label.number", "label.contract.relay_number", "arrived_at"],
    S.delivered: [*WHO, "label.number", "delivered_at", "offer.articles", "offer.total_cents"],
    S.inspecting: [*WHO, "opened_at", "offer.articles", "offer.total_cents"],
    S.to_return: [*WHO, "label.number", "created_at", "label.not_made"],
    S.checked: [*WHO, "checked_at", "offer.articles", "offer.total_cents"],
}
BULK: dict[str, tuple[str, ...]] = {
    S.not_sent: ("remind", "text", "drop", "abandon"),
    S.in_transit: ("follow_now", "arrive", "deliver", "trouble"),
    S.at_relay: ("deliver", "follow_now", "trouble"),
    S.delivered: (),
    S.inspecting: (),
    S.to_return: (),
    S.checked: (),
}


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
    list_columns = [*WHO, "status", "label.not_made", "offer.decided_at", "label.last_words"]
    show_columns = [
        "offer.number",
        "status",
        "offer.customer.name",
        "offer.customer.email",
        "offer.customer.phone",
        "offer_id",
        "offer.decided_at",
        "offer.drop_off_by",
        "label.status",
        "label.carrier_name",
        "label.number",
        "weight_grams",
        "label.error",
        "mail_opened_at",
        "link_clicked_at",
        "reminded_at",
        "texted_at",
        "dropped_at",
        "arrived_at",
        "delivered_at",
        "opened_at",
        "checked_at",
        "label.last_words",
    ]
    label_columns = {
        "offer.customer.name": _l("Name"),
        "offer.customer.email": _l("E-mail"),
        "offer.customer.phone": _l("Phone"),
        "contact": _l("E-mail, phone"),
        "awaited_since": _l("Waits"),
        "offer.articles": _l("Articles"),
        "offer.total_cents": _l("Amount"),
        "label.contract.relay_number": _l("Relay"),
        "offer_id": _l("Cart ID"),
        "offer.number": _l("Order no."),
        "offer.decided_at": _l("Validated"),
        "mail_opened_at": _l("E-mail opened"),
        "link_clicked_at": _l("Link clicked"),
        "label.last_words": _l("Carrier says"),
        "label.status": _l("Label"),
        "label.not_made": _l("Label"),
        "label.carrier_name": _l("Carrier"),
        "status": _l("Status"),
        "offer.drop_off_by": _l("Drop off by"),
        "label.number": _l("Label no."),
        "weight_grams": _l("Weight (g)"),
        "label.error": _l("What went wrong"),
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
    formatters_columns: dict[str, Any] = {
        "offer.customer.phone": customers.shown_phone,
        "mail_opened_at": _opened,
        "link_clicked_at": lambda moment: _since(moment) or _("no"),
        "awaited_since": _days,
        "contact": _contact,
    }
    order_columns = [
        *("created_at", "dropped_at", "arrived_at", "delivered_at", "opened_at", "checked_at"),
        *("mail_opened_at", "link_clicked_at", "status", "offer_id"),
    ]
    order_through = {
        "offer.customer.name": (Parcel.offer, Offer.customer, Customer.last_name),
        "offer.number": (Parcel.offer, Offer.number),
        "offer.decided_at": (Parcel.offer, Offer.decided_at),
        "offer.total_cents": (Parcel.offer, Offer.total_cents),
        "awaited_since": (Parcel.offer, Offer.decided_at),
        "label.number": (Parcel.label, Label.number),
    }
    row_buttons = ("remind", "text", "deliver")
    search_columns = ["status"]
    filter_columns = ("status", "is_return", "created_at")
    find_columns = (Offer.number, Label.number, Customer.email, Customer.last_name)
    find_through = (Parcel.offer, Offer.customer, Parcel.label)
    find_hint = _l("CDE, label, e-mail, name")
    first_order = "-created_at"
    tabs = (
        (_l("Not sent (tab)"), "?status=not_sent"),
        (_l("On their way"), "?status=in_transit"),
        (_l("To collect"), "?status=at_relay"),
        (_l("Delivered"), "?status=delivered"),
        (_l("Being examined"), "?status=inspecting"),
        (_l("To look at"), "?voir=ennuis"),
        (_l("Returns"), "?status=to_return"),
        (_l("Received (tab)"), "?status=checked"),
    )
    kept_args = ("voir",)
    show_partials = ("admin/buyback/_parcel.html",)
    flow = parcels.PARCEL
    links = ((_l("Goods reception"), "BenchView.scan", "scan"),)
    empty_sentence = _l("No parcel yet: they are expected once an offer is accepted.")

    def columns_of(self, asked: Any) -> Sequence[str]:
        return COLUMNS.get(asked.filters.get("status", ""), self.list_columns)

    def bulk_of(self, asked: Any) -> Sequence[Any]:
        names = BULK.get(asked.filters.get("status", ""))
        found = super().bulk_of(asked)
        return found if names is None else [a for name in names for a in found if a.name == name]

    def tab_counts(self) -> dict[str, int]:
        counts = parcels.counts_of_tabs()
        found = {f"?status={state.value}": n for state, n in counts.items()}
        return {"?voir=ennuis": parcels.troubles(), **found}

    def buttons_of(self, row: Parcel) -> Sequence[Any]:
        """« Marquer reçu » is for a parcel on its way: before, the columns need the place."""
        found = super().buttons_of(row)
        return [a for a in found if a.name != "deliver" or row.dropped_at is not None]

    def link_of(self, row: Parcel) -> tuple[str, str] | None:
        may = self.appbuilder.sm.has_access("can_bench", "BenchView")
        if not may or not parcels.is_at_the_shop(row):
            return None
        return _("Receive"), url_for("BenchView.bench", number=row.offer.number)

    def list_conditions(self, asked: Any) -> list[Any]:
        """Unless one asks for a status or looks for somebody: what is still awaited."""
        if asked.kept.get("voir") == "ennuis":
            return [parcels.to_look_at()]
        if asked.q or "status" in asked.filters:
            return []
        return [Parcel.status.not_in(parcels.OVER)]

    def action_open(self, name: str, row: Parcel) -> bool:
        if name == "remind":
            return parcels.why_not_remind(row) is None
        if name == "text":
            return parcels.why_not_text(row) is None
        if name == "follow_now":
            return labels.is_followed(row.label)
        return not row.is_return and parcels.PARCEL.allows(row, name)

    def show_more(self, row: Parcel) -> dict[str, Any]:
        contract = contracts.contract_of(row.vendor_id)
        return {
            "label": row.label,
            "label_is_uncertain": labels.is_uncertain(row.label),
            "is_awaited": parcels.is_awaited(row),
            "tracking": labels.tracking_address(row.label),
            "insurance": contracts.cover_words(
                row.label.contract if row.label else None, row.label.insurance if row.label else 0
            ),
            "levels": contracts.covers(contract),
            "why_no_label": parcels.why_no_label(row.offer),
            "carriers": labels.carriers_by_hand(),
            "can": {
                verb: parcels.PARCEL.allows(row, verb)
                for verb in ("ask_label", "give_label", "do_without")
            },
            "why_remind": parcels.why_not_remind(row),
            "why_text": parcels.why_not_text(row),
            "formats": labels.sizes(row.label) if row.label else (),
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
        if parcel.label is None or not labels.is_followed(parcel.label):
            raise Refused(_("This parcel has no label of the carrier."))
        parcel.label.follow_at = clock.now()

    @action("drop", _l("Handed over"), "", "")
    def drop(self, parcel: Parcel) -> None:
        parcels.say(parcel, "drop", by=me())

    @action("arrive", _l("Arrived at the relay (action)"), "", "")
    def arrive(self, parcel: Parcel) -> None:
        parcels.say(parcel, "arrive", by=me())

    @action("deliver", _l("Collected (action)"), "", "")
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
        _l("Delete (definitive drop-out)"),
        _l("The parcel will not come: the sale ends here."),
        "",
    )
    def abandon(self, parcel: Parcel) -> None:
        offers.abandon(parcel.offer, by=me())

    def _act(self, name: str, pks: Sequence[str]) -> None:
        super()._act(name, pks)
        if name == "follow_now" and pks:
            due = list(
                db.session.scalars(
                    db.select(Label.id).where(
                        Label.parcel_id.in_([id for pk in pks if (id := whole(pk, 0))]),
                        Label.follow_at <= clock.now(),
                    )
                )
            )
            answered = tracking.follow(due[:20])  # more are asked by the worker
            if answered < len(due[:20]):
                flash(
                    _("The carrier does not answer just now: it is asked again by itself."),
                    "warning",
                )


class RelabelForm(forms.Sent):
    """Another label: its insurance level and the weight in grams, empty to keep them."""

    insurance = forms.Count()
    weight = forms.Count()


class FoundForm(forms.Sent):
    number = forms.Typed()


class ByHandForm(forms.Sent):
    carrier = forms.Text(500)
    number = forms.Text(500)
    link = forms.Text(500)


class ParcelActionsView(BaseView):
    """What one does with a label: print, order again, look for it."""

    route_base = "/gestion/colis"
    class_permission_name = "ParcelView"
    method_permission_name = {
        "label": "show",
        "relabel": "relabel",
        "look": "relabel",
        "do_without": "relabel",
        "by_hand": "relabel",
    }
    base_permissions = ["can_show", "can_relabel"]

    @expose("/<int:id>/etiquette-<any(A4,A5,10x15):size>.pdf")
    @has_access
    def label(self, id: int, size: str) -> Response:
        label = self._parcel(id).label
        number = label.number if label else ""
        return as_pdf(labels.pdf(label, size), f"etiquette-{number}-{size}.pdf")

    @expose("/<int:id>/etiquette", methods=["POST"])
    @has_access
    def relabel(self, id: int) -> Any:
        """Another label: another level, a corrected weight, or after the carrier refused."""
        form = RelabelForm.read()
        with unit_of_work():
            parcels.ask_again(
                self._parcel(id), form.insurance.data, form.weight.data or None, by=me()
            )
        flash(_("The label is ordered: it is there in a few seconds."), "success")
        return redirect(url_for("ParcelView.show", pk=id))

    @expose("/<int:id>/retrouver", methods=["POST"])
    @has_access
    def look(self, id: int) -> Any:
        """After a lost answer: the number somebody read on the carrier's site."""
        label = self._parcel(id).label
        if label is None:
            raise Refused(_("This parcel does not look for its label."))
        number, url = labels.look_up(label, FoundForm.read().number.data)
        with unit_of_work():
            parcels.label_found(self._parcel(id), number, url, by=me())
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

    @expose("/<int:id>/envoi-a-la-main", methods=["POST"])
    @has_access
    def by_hand(self, id: int) -> Any:
        """« Envoi suivi à la main »: carrier, number, link, and the PDF when there is one."""
        form, file = ByHandForm.read(), request.files.get("pdf")
        try:
            if file and file.filename:
                files.check_name(file.filename, ".pdf")
            with unit_of_work():
                parcel = self._parcel(id)
                parcels.give_label(
                    parcel,
                    carrier_name=form.carrier.data,
                    number=form.number.data,
                    link=form.link.data,
                    pdf=file.read() if file and file.filename else None,
                    by=me(),
                )
                is_return = parcel.is_return
        except Refused as refusal:  # what was typed comes back with the reason
            flash(str(refusal), "danger")
            return redirect(url_for("ParcelView.show", pk=id, **form.data) + "#ailleurs")
        flash(
            _("The label is linked to this parcel.")
            if is_return
            else _("The label is linked to this parcel; the seller has it."),
            "success",
        )
        return redirect(url_for("ParcelView.show", pk=id))

    @staticmethod
    def _parcel(id: int) -> Parcel:
        return row_or_404(Parcel, id)
