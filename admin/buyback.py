"""Buying back: offers, sellers, rules."""

from typing import Any

from flask import flash
from flask_appbuilder.actions import action
from flask_appbuilder.models.sqla.interface import SQLAInterface
from flask_babel import lazy_gettext as _l

from admin.base import ReferenceView, ScopedView, action_of, me
from models import BuyingRule, Customer, Offer, OfferState
from services.buyback import offers, pricing
from services.people import customers

MOVE = {move.verb: move for move in offers.OFFER.moves}


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
        "site": _l("Site"),
        "status": _l("Status"),
        "decided_at": _l("Decided"),
        "answer_by": _l("Answer before"),
        "drop_off_by": _l("Drop off before"),
        "motive": _l("Reason given"),
        "remark": _l("Internal remark"),
    }
    order_columns = ["number", "finalised_at", "articles", "total_cents"]
    search_columns = ["status"]
    filter_columns = ("status", "site", "finalised_at")
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
    show_partials = ("admin/_offer_lines.html",)
    row_links = ((_l("Open the validation screen"), "ValidateView.offer", "tag"),)
    flow = offers.OFFER
    empty_sentence = _l("No offer yet: they arrive from the site.")

    def base_conditions(self) -> list[Any]:
        return [Offer.status.not_in([OfferState.draft, OfferState.deleted])]

    def show_more(self, row: Offer) -> dict[str, Any]:
        return {"offer": row}

    delete_offer = action_of(
        MOVE["delete"],
        offers.delete,
        _l("They leave every list for good; the seller is not written to."),
    )
    abandon_offer = action_of(
        MOVE["abandon"], offers.abandon, _l("The parcel will not come: the sale ends here.")
    )


class RuleView(ReferenceView):
    datamodel = SQLAInterface(BuyingRule)
    route_base = "/gestion/regles"
    list_title, noun = _l("Buying rules"), _l("New buying rule")
    list_columns = [
        "name",
        "vendor",
        "rank",
        "platform",
        "argus_to_cents",
        "stock_from",
        "effect",
        "rate_bp",
        "active",
    ]
    show_columns = [
        "name",
        "rank",
        "active",
        "vendor",
        "site",
        "platform",
        "category",
        "ean",
        "argus_from_cents",
        "argus_to_cents",
        "stock_from",
        "stock_to",
        "effect",
        "rate_bp",
        "fixed_cents",
        "step_cents",
        "floor_cents",
        "ceiling_cents",
    ]
    add_columns = edit_columns = [
        "name",
        "vendor",
        "rank",
        "active",
        "site",
        "platform",
        "category",
        "ean",
        "argus_from_cents",
        "argus_to_cents",
        "stock_from",
        "stock_to",
        "effect",
        "rate_bp",
        "fixed_cents",
        "step_cents",
        "floor_cents",
        "ceiling_cents",
    ]
    label_columns = {
        "name": _l("Rule"),
        "rank": _l("Order"),
        "active": _l("In force"),
        "vendor": _l("Vendor"),
        "site": _l("Site"),
        "platform": _l("Platform"),
        "category": _l("Category"),
        "ean": _l("EAN"),
        "argus_from_cents": _l("Argus from"),
        "argus_to_cents": _l("Argus up to"),
        "stock_from": _l("Stock from"),
        "stock_to": _l("Stock up to"),
        "effect": _l("Answers"),
        "rate_bp": _l("% of the argus"),
        "fixed_cents": _l("Fixed price"),
        "step_cents": _l("Rounded to"),
        "floor_cents": _l("At least"),
        "ceiling_cents": _l("At most"),
    }
    description_columns = {
        "rank": _l("The smallest is tried first; exclusions come before all others."),
        "site": _l("Empty: all sites of the vendor."),
        "platform": _l("Empty: all platforms."),
        "ean": _l("To name one reference."),
        "effect": _l("« Not bought » excludes what fits."),
        "stock_from": _l("Copies already in stock: to buy less of what we have."),
    }
    order_columns = ["name", "rank", "rate_bp"]
    search_columns = ["name"]
    filter_columns = ("effect", "site", "platform", "active")
    find_columns = (BuyingRule.name, BuyingRule.ean)
    first_order = "rank"
    links = ((_l("Simulate"), "SimulateView.simulate", "search"),)
    empty_sentence = _l("No rule: nothing is bought. Add one, for instance 40 % of the argus.")

    def check(self, row: BuyingRule) -> None:
        pricing.check_rule(row)


class SellerView(ScopedView):
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
    show_partials = ("admin/_seller_offers.html",)
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
        return {"sales": offers.of_customer(row)}
