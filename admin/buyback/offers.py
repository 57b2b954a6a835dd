"""Offers and the sellers who made them."""

from typing import Any

from flask import flash, url_for
from flask_appbuilder.actions import action
from flask_appbuilder.models.sqla.interface import SQLAInterface
from flask_babel import lazy_gettext as _l

from admin.base import ScopedView, action_of, me
from models import Customer, Offer, OfferState
from services.buyback import amounts, dossier, offers, parcels
from services.buyback.dossier import Next
from services.people import customers

MOVE = {move.verb: move for move in offers.OFFER.moves}


NEXT: dict[Next, Any] = {
    Next.validate: _l("To be checked: accept it, refuse it, or offer a second chance."),
    Next.await_answer: _l("The seller has to answer the second chance."),
    Next.mend_label: _l("The label could not be made: look at the parcel."),
    Next.await_parcel: _l("The seller has to drop the parcel off."),
    Next.follow_parcel: _l("The parcel is on its way."),
    Next.ask_carrier: _l("Incident: call the carrier, then tell the seller."),
    Next.receive: _l("The parcel is here: check it."),
    Next.tell: _l("Checked: send the reception e-mail."),
    Next.await_choices: _l("The seller has to answer about some articles."),
    Next.record_identity: _l("The identity document is missing: record it."),
    Next.await_iban: _l("Bought: the seller has to give an IBAN."),
    Next.held: _l("The payment is held."),
    Next.pay: _l("To pay with the next file."),
    Next.await_bank: _l("In a transfer file: the bank has to answer."),
    Next.send_back: _l("Articles have to be sent back."),
    Next.nothing: _l("Nothing is left to do."),
}
# The tab of « Paiement vendeurs » a next step is found in.
PAID_IN = {
    Next.await_iban: "awaiting_iban",
    Next.held: "held",
    Next.pay: "to_pay",
    Next.await_bank: "in_file",
}


class OfferView(ScopedView):
    datamodel = SQLAInterface(Offer)
    route_base = "/gestion/offres"
    base_permissions = [*ScopedView.base_permissions, "delete", "abandon"]
    list_title = _l("Offers")
    list_columns = [
        "number",
        "customer.name",
        "finalised_at",
        "articles",
        "total_cents",
        "site",
        "status",
    ]
    show_columns = [
        "number",
        "status",
        "customer.name",
        "customer.email",
        "site",
        "articles",
        "proposed_cents",
        "total_cents",
        "finalised_at",
        "decided_at",
        "answer_by",
        "drop_off_by",
        "motive",
        "remark",
    ]
    label_columns = {
        "number": _l("Number"),
        "customer.name": _l("Seller"),
        "customer.email": _l("E-mail"),
        "finalised_at": _l("Offered"),
        "articles": _l("Articles"),
        "total_cents": _l("Amount"),
        "proposed_cents": _l("Amount offered"),
        "vendor": _l("Vendor"),
        "site": _l("Site"),
        "status": _l("Status"),
        "decided_at": _l("Decided"),
        "answer_by": _l("Answer by"),
        "drop_off_by": _l("Drop off by"),
        "motive": _l("Reason given"),
        "remark": _l("Internal remark"),
    }
    order_columns = ["number", "finalised_at", "articles", "total_cents"]
    search_columns = ["status"]
    filter_columns = ("status", "vendor", "site", "finalised_at")
    find_columns = (Offer.number, Customer.email, Customer.last_name)
    find_through = (Offer.customer,)
    find_hint = _l("CDE, e-mail, name")
    first_order = "-finalised_at"
    hidden_states = ("draft", "deleted")
    tabs = (
        (_l("To check"), "?status=to_check"),
        (_l("Second chance"), "?status=second_chance"),
        (_l("Accepted"), "?status=accepted"),
        (_l("Over"), "?status=refused%2Cdeclined%2Cabandoned"),
    )
    first_partials = ("admin/buyback/_dossier.html",)
    show_partials = ("admin/buyback/_offer_lines.html",)
    row_links = ((_l("Open the validation screen"), "ValidateView.offer", "tag"),)
    flow = offers.OFFER
    empty_sentence = _l("No offer yet: they arrive from the site.")

    def base_conditions(self) -> list[Any]:
        return [Offer.status.not_in([OfferState.draft, OfferState.deleted])]

    def show_more(self, row: Offer) -> dict[str, Any]:
        step = dossier.next_step(row)
        button, endpoint, arguments = self._way_to(step, row)
        may = bool(endpoint) and self._may(endpoint)
        return {
            "offer": row,
            "next_words": NEXT[step],
            "next_button": button,
            "next_address": url_for(endpoint, **arguments) if may else "",
            "timeline": dossier.happened(row),
        }

    def _way_to(self, step: Next, row: Offer) -> tuple[Any, str, dict[str, Any]]:
        """The button of a next step: its words, the page it opens."""
        parcel = parcels.live_parcel(row)
        of_parcel = ("ParcelView.show", {"pk": parcel.id}) if parcel else ("", {})
        if step is Next.validate:
            return _l("Validate"), "ValidateView.offer", {"id": row.id}
        if step in (Next.mend_label, Next.await_parcel, Next.follow_parcel, Next.ask_carrier):
            return _l("See the parcel"), *of_parcel
        if step is Next.receive:
            return _l("Receive"), "BenchView.bench", {"number": row.number}
        if step in (Next.tell, Next.await_choices, Next.record_identity, Next.send_back):
            return _l("See the reception"), "BenchView.done", {"number": row.number}
        state = PAID_IN.get(step)
        if state is not None:
            asked = {"enseigne": row.vendor_id, "etat": state}
            return _l("See the payments"), "PaymentsView.payments", asked
        return "", "", {}

    def _may(self, endpoint: str) -> bool:
        view, _dot, method = endpoint.partition(".")
        return bool(self.appbuilder.sm.has_access(f"can_{method}", view))

    delete_offer = action_of(
        MOVE["delete"],
        offers.delete,
        _l("They leave every list for good; the seller is not written to."),
    )
    abandon_offer = action_of(
        MOVE["abandon"], offers.abandon, _l("The parcel will not come: the sale ends here.")
    )


class SellerView(ScopedView):
    asks_proof = {"action", "action_post"}
    datamodel = SQLAInterface(Customer)
    route_base = "/gestion/vendeurs-particuliers"
    list_title = _l("Sellers")
    list_columns = ["name", "email", "phone", "postcode", "city", "created_at"]
    show_columns = [
        "name",
        "email",
        "email_confirmed_at",
        "phone",
        "address",
        "address_more",
        "postcode",
        "city",
        "created_at",
    ]
    label_columns = {
        "name": _l("Name"),
        "email": _l("E-mail"),
        "phone": _l("Phone"),
        "postcode": _l("Postcode"),
        "city": _l("Town"),
        "created_at": _l("Since"),
        "email_confirmed_at": _l("E-mail confirmed"),
        "address": _l("Address"),
        "address_more": _l("Further details"),
        "offers": _l("Offers"),
        "last_name": _l("Last name"),
    }
    formatters_columns = {"phone": customers.shown_phone}
    order_columns = ["email", "city", "created_at"]
    search_columns = ["email"]
    filter_columns = ("created_at",)
    find_columns = (Customer.email, Customer.last_name, Customer.first_name, Customer.city)
    find_hint = _l("Name, e-mail, town")
    first_order = "-created_at"
    empty_sentence = _l("Nobody has opened an account yet.")
    show_partials = ("admin/buyback/_seller_offers.html",)
    base_permissions = [*ScopedView.base_permissions, "erase"]
    row_links = ((_l("All his data"), "SellerDataView.export", "download"),)

    def action_open(self, name: str, row: Customer) -> bool:
        return row.erased_at is None

    @action(
        "erase",
        _l("Erase at his request"),
        _l(
            "For good: his name, his addresses, his IBAN and his identity document. Finished sales"
            " stay without a name."
        ),
        "",
        multiple=False,
    )
    def erase(self, row: Customer) -> None:
        flash(customers.erase(row, by=me()), "success")

    def show_more(self, row: Customer) -> dict[str, Any]:
        sales = offers.of_customer(row)
        return {"sales": sales, "amounts": amounts.of_all(sales)}
