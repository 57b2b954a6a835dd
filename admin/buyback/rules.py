"""Buying rules, and what a barcode would be paid."""

from typing import Any

from flask import render_template, request
from flask_appbuilder import BaseView, expose
from flask_appbuilder.models.sqla.interface import SQLAInterface
from flask_appbuilder.security.decorators import has_access
from flask_babel import lazy_gettext as _l

from admin.base import ReferenceView
from models import BuyingRule, Site
from services.buyback import pricing
from services.catalogue import products
from services.unit import db


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
    groups = (
        (
            _l("What it is about"),
            (
                "site",
                "platform",
                "category",
                "ean",
                "argus_from_cents",
                "argus_to_cents",
                "stock_from",
                "stock_to",
            ),
        ),
        (
            _l("What it answers"),
            ("effect", "rate_bp", "fixed_cents", "step_cents", "floor_cents", "ceiling_cents"),
        ),
    )
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
    filter_columns = ("effect", "vendor", "site", "platform", "active")
    find_columns = (BuyingRule.name, BuyingRule.ean)
    first_order = "rank"
    links = ((_l("Simulate"), "SimulateView.simulate", "search"),)
    empty_sentence = _l("No rule: nothing is bought. Add one, for instance 40 % of the argus.")

    def check(self, row: BuyingRule) -> None:
        pricing.check_rule(row)


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
        words, wrong, stock = request.args.get("ean", ""), "", 0
        answer, trials = None, list[Any]()
        if words.strip() and here:
            try:
                answer, stock, trials = pricing.simulate(here.id, words)
            except products.BadEan as bad:
                wrong = str(bad)
        return render_template(
            "admin/buyback/simulate.html",
            sites=everywhere,
            here=here,
            words=words,
            answer=answer,
            stock=stock,
            trials=trials,
            wrong=wrong,
        )
