"""« Bons d'achat »: the card scanned at the till, what is left on it, and what was used."""

from typing import Any

from flask import abort, flash, redirect, render_template, request, url_for
from flask_appbuilder import BaseView, expose
from flask_appbuilder.security.decorators import has_access
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from admin import forms
from admin.base import me, row_or_404
from models import Customer, LedgerTransaction, Vendor
from services import access
from services.payments import store_credit
from services.unit import db, unit_of_work
from services.workflow import Refused


class UseForm(forms.Sent):
    """What a purchase at the till took from a card."""

    vendor = forms.Chosen()
    amount = forms.Amount(needed=_l("Type how much of the credit was used."))
    ticket = forms.Typed()


class StoreCreditView(BaseView):
    """A card of store credit: whoever stands at the till scans it on any page."""

    route_base = "/gestion/bons"
    default_view = "find"

    @expose("/")
    @has_access
    def find(self) -> Any:
        """Ask for a card: its number is typed, or its barcode scanned."""
        card = request.args.get("carte", "").strip()[:20].replace("\0", "")
        if not card:
            return render_template("admin/payments/credit_find.html", card="", trouble="")
        if self._holder(card) is None:
            trouble = _("No card has this number: scan the barcode of « My account ».")
            return render_template(
                "admin/payments/credit_find.html", card=card, trouble=trouble
            ), 422
        return redirect(url_for("StoreCreditView.card", card=card.upper()))

    @expose("/<card>")
    @has_access
    def card(self, card: str) -> Any:
        return self._page(card)

    def _page(self, card: str, trouble: str = "") -> str:
        holder = self._holder(card) or abort(404)
        return render_template(
            "admin/payments/credit.html",
            holder=holder,
            purses=store_credit.purses(holder),
            trouble=trouble,
            typed=request.form,
        )

    @expose("/<card>/utiliser", methods=["POST"])
    @has_access
    def use(self, card: str) -> Any:
        """Book what a purchase at the till took, with the number of its ticket."""
        try:
            form = UseForm.read()
            with unit_of_work():
                holder = self._holder(card) or abort(404)
                store_credit.use_at_till(
                    row_or_404(Vendor, form.vendor.data).id,
                    holder,
                    form.amount.data,
                    form.ticket.data,
                    by=me(),
                )
        except Refused as refusal:
            db.session.rollback()
            return self._page(card, str(refusal)), 422
        flash(_("Booked; the customer is told by e-mail."), "success")
        return redirect(url_for("StoreCreditView.card", card=card))

    @expose("/<card>/rendre/<int:id>", methods=["POST"])
    @has_access
    def take_back(self, card: str, id: int) -> Any:
        """A purchase was booked by mistake: its credit is there again."""
        with unit_of_work():
            store_credit.take_back(row_or_404(LedgerTransaction, id), by=me())
        flash(_("The credit is there again."), "success")
        return redirect(url_for("StoreCreditView.card", card=card))

    def _holder(self, card: str) -> Customer | None:
        """Whose card it is, whoever they sold to: only the purses this person may see are shown."""
        with access.limited_to(None):
            return store_credit.of_card(card)
