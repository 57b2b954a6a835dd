"""« Achat à valider »: one offer at a time, with the keyboard."""

from dataclasses import dataclass
from typing import Any

from flask import abort, flash, redirect, render_template, request, url_for
from flask import session as browser
from flask_appbuilder import BaseView, expose
from flask_appbuilder.security.decorators import has_access
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import select

from admin import forms
from admin.base import me, row_or_404
from models import Offer
from services import dates, workflow
from services.buyback import offers, parcels
from services.finance import dashboards
from services.shipping import contracts
from services.stock import items
from services.unit import db, unit_of_work
from services.workflow import Refused

# Why an article is not bought, as the seller reads it; another reason can be typed.
REASONS = (
    _l("import game"),
    _l("too many in stock"),
    _l("box missing"),
    _l("manual missing"),
    _l("poor condition"),
)


class DecisionForm(forms.Sent):
    """What is decided of an offer, and the version of the offer that was looked at."""

    version = forms.Typed()
    motive = forms.Typed()
    insurance = forms.Count()


class TakeOutForm(forms.Sent):
    """Why an article is taken out: a reason of the list, or another one that was typed."""

    reason = forms.Text()
    other = forms.Text()


class RemarkForm(forms.Sent):
    remark = forms.Typed()


class ValidateView(BaseView):
    """« Achat à valider »: one offer a screen, the oldest first; after a decision, the next one by
    itself.
    """

    route_base = "/gestion/offres/valider"
    default_view = "first"
    method_permission_name = {"undo": "decide"}

    @expose("/")
    @has_access
    def first(self) -> Any:
        waiting = offers.waiting()
        if waiting:
            return redirect(url_for("ValidateView.offer", id=waiting[0].id))
        return render_template("admin/buyback/nothing_to_check.html")

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
        contract = contracts.contract_of(offer.vendor_id)
        return render_template(
            "admin/buyback/validate.html",
            offer=offer,
            before=before,
            after=after,
            place=place,
            count=count,
            stock=items.stock_of(offer.vendor_id, ids),
            sold=items.sold_of(offer.vendor_id, ids),
            flow=offers.OFFER,
            kept=offers.active_lines(offer),
            taken_out=offers.taken_out(offer),
            history=workflow.history(offer, 20),
            past=dashboards.past_sales(offer.customer_id),
            opened=opened,
            sentence=sentence,
            typed=request.form,
            levels=contracts.shown_covers(contract),
            recommended=contracts.cover_for(contract, offer.total_cents) if contract else 0,
            under_threshold=offers.is_under_threshold(offer),
            lower_today=offers.lower_today(offer) if offers.OFFER.allows(offer, "accept") else {},
            reasons=REASONS,
            why_no_label=parcels.why_no_label(offer),
        )

    @expose("/<int:id>/<any(accept,counter,refuse,delete):verb>", methods=["POST"])
    @has_access
    def decide(self, id: int, verb: str) -> Any:
        try:
            form = DecisionForm.read()
            with unit_of_work():
                offer = self._offer(id)
                _refuse_if_decided_meanwhile(offer, form.version.data)
                _before, after, _place, _count = offers.neighbours(offer)
                after_id = after.id if after else None
                if verb == "counter":
                    offers.counter(offer, _prices(offer), form.motive.data, by=me())
                elif verb == "refuse":
                    offers.refuse(offer, form.motive.data, by=me(), can_be_undone=True)
                elif verb == "accept":
                    offers.accept(offer, form.insurance.data or 0, by=me(), can_be_undone=True)
                else:
                    offers.delete(offer, by=me())
                number, state = offer.number, workflow.words_of(offer.status)
        except Refused as refusal:
            return self._page(id, verb, str(refusal)), 422
        if verb in ("accept", "refuse"):
            browser["decided"] = id  # said at the top of the next page, with « Annuler »
        else:
            flash(_("%(number)s: %(state)s.", number=number, state=state), "success")
        return redirect(
            url_for("ValidateView.offer", id=after_id)
            if after_id
            else url_for("ValidateView.first")
        )

    @expose("/<int:id>/annuler", methods=["POST"])
    @has_access
    def undo(self, id: int) -> Any:
        """« Annuler »: the decision of a moment ago is taken back, nothing has left."""
        with unit_of_work():
            offers.undo(self._offer(id), by=me())
        browser.pop("decided", None)
        flash(_("Undone: nothing was sent. Decide again."), "success")
        return redirect(url_for("ValidateView.offer", id=id))

    @expose("/<int:id>/ligne/<int:line_id>/<any(remove,restore):verb>", methods=["POST"])
    @has_access
    def line(self, id: int, line_id: int, verb: str) -> Any:
        with unit_of_work():
            offer = self._offer(id)
            line = next((line for line in offer.lines if line.id == line_id), None)
            if line is None:
                abort(404)
            if verb == "remove":
                form = TakeOutForm.read()
                reason = form.reason.data or form.other.data or _("does not suit")
                offers.remove_line(offer, line, reason, by=me())
            else:
                offers.restore_line(offer, line, by=me())
        return redirect(url_for("ValidateView.offer", id=id) + f"#l{line_id}")

    @expose("/<int:id>/remarque", methods=["POST"])
    @has_access
    def remark(self, id: int) -> Any:
        with unit_of_work():
            offers.remark(self._offer(id), RemarkForm.read().remark.data, by=me())
        flash(_("Remark kept."), "success")
        return redirect(url_for("ValidateView.offer", id=id))

    @staticmethod
    def _offer(id: int) -> Offer:
        offer = row_or_404(Offer, id)
        if not offers.is_before_us(offer):
            abort(404)
        return offer


@dataclass(frozen=True)
class Decision:
    """What this person decided last, and for how many seconds it can still be undone."""

    offer: Offer
    seconds: int


def last_decision() -> Decision | None:
    """The decision to say at the top of the page; it is said until it can no longer be undone."""
    id = browser.get("decided")
    if id is None:
        return None
    offer = db.session.scalar(select(Offer).where(Offer.id == id))
    seconds = offers.seconds_to_undo(offer) if offer is not None else 0
    if not seconds:
        browser.pop("decided")
    return Decision(offer, seconds) if offer is not None else None


def _refuse_if_decided_meanwhile(offer: Offer, seen: str) -> None:
    """Two staff members decide on one offer: the second is told what the first did, and decides
    again. Raises Refused.
    """
    if seen and seen != str(offer.version):
        last = offers.last_decision(offer)
        raise Refused(
            _(
                "%(who)s was faster: « %(what)s », %(time)s. Look at the offer again before you"
                " decide.",
                who=last.actor_name if last else "—",
                what=workflow.words_of_event(last.happened) if last else "—",
                time=dates.moment_short(last.at) if last else "—",
            )
        )


def _prices(offer: Offer) -> dict[int, int]:
    """The price of each article, in cents: the one that was typed, else the announced one."""
    announced = {line.id: line.price_cents for line in offers.active_lines(offer)}
    typed = forms.of_each("price", announced, forms.Amount)
    return {id: cents if typed[id] is None else typed[id] for id, cents in announced.items()}
