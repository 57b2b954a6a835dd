"""What we pay for a reference: exclusions first, then the first rule of an ordered list that fits.

Deciding is pure (`decide`): plain values in, a price and its reason out, so that the shop can be
shown which rule answers what, and the seller why.
"""

import time
from dataclasses import dataclass
from enum import StrEnum, auto
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import bindparam, func, select

from models import (
    ON_HAND,
    BuyingRule,
    Item,
    Offer,
    OfferLine,
    OfferState,
    Platform,
    Product,
    RuleEffect,
    Site,
    Variant,
)
from services import money, visits, workflow
from services.catalogue import products
from services.people import sites
from services.unit import db
from services.workflow import Refused

workflow.name_states(
    (RuleEffect.percentage, _l("Percentage"), "ok"),
    (RuleEffect.fixed, _l("Fixed price"), "info"),
    (RuleEffect.exclude, _l("Not bought"), "bad"),
)


# ── deciding: pure ──


@dataclass(frozen=True)
class Rule:
    """A buying rule as plain values (models.BuyingRule)."""

    id: int
    name: str
    effect: RuleEffect
    site_id: int | None = None
    platform_id: int | None = None
    platform: str = ""
    category: str = ""
    ean: str = ""
    argus_from_cents: int | None = None
    argus_to_cents: int | None = None
    stock_from: int | None = None
    stock_to: int | None = None
    rate_bp: int | None = None
    fixed_cents: int | None = None
    floor_cents: int | None = None
    ceiling_cents: int | None = None
    step_cents: int | None = None

    @property
    def reads_stock(self) -> bool:
        return self.stock_from is not None or self.stock_to is not None

    def fits(self, case: "Case") -> bool:
        """Whether every column that is filled agrees; bounds are included."""
        return (
            self.site_id in (None, case.site_id)
            and self.platform_id in (None, case.platform_id)
            and (not self.category or self.category == case.category)
            and (not self.ean or self.ean == case.ean)
            and _within(case.argus_cents, self.argus_from_cents, self.argus_to_cents)
            and _within(case.stock, self.stock_from, self.stock_to)
        )


@dataclass(frozen=True)
class Case:
    """What a rule may look at. `argus_cents` None: nobody knows what it is worth."""

    site_id: int
    ean: str
    argus_cents: int | None
    platform_id: int | None = None
    category: str = ""
    stock: int = 0


@dataclass(frozen=True)
class Decision:
    """What the rules answer: a price in cents, or None; the rule that answered, if any; the
    arithmetic, in words.
    """

    price_cents: int | None
    rule: Rule | None
    explanation: str


def decide(rules: list[Rule], case: Case) -> Decision:
    """Exclusions whatever their rank, then the first rule that fits (domain.md 2.12)."""
    fitting = [rule for rule in rules if rule.fits(case)]
    for rule in fitting:
        if rule.effect is RuleEffect.exclude:
            return Decision(None, rule, "")
    for rule in fitting:
        if rule.effect is RuleEffect.percentage and case.argus_cents is None:
            continue
        price, explanation = _apply(rule, case.argus_cents or 0)
        return Decision(price if price > 0 else None, rule, explanation)
    return Decision(None, None, "")


def _within(value: int | None, low: int | None, high: int | None) -> bool:
    if low is None and high is None:
        return True
    return value is not None and (low is None or value >= low) and (high is None or value <= high)


def _apply(rule: Rule, argus_cents: int) -> tuple[int, str]:
    """Price, then floor, ceiling and step; each that changes something is said."""
    about = rule.platform or rule.category
    where = f" ({about})" if about else ""
    if rule.effect is RuleEffect.fixed:
        price = rule.fixed_cents or 0
        words = _("fixed price%(where)s = %(price)s", where=where, price=money.text(price))
    else:
        rate = rule.rate_bp or 0
        price = money.share(argus_cents, rate)
        words = _(
            "argus %(argus)s × %(rate)s%(where)s = %(price)s",
            argus=money.text(argus_cents),
            rate=money.percent(rate),
            where=where,
            price=money.text(price),
        )
    if price <= 0:
        return 0, words
    if rule.step_cents and (stepped := money.to_step(price, rule.step_cents)) != price:
        price = stepped
        words += _(", rounded to %(price)s", price=money.text(price))
    if rule.floor_cents is not None and price < rule.floor_cents:
        price = rule.floor_cents
        words += _(", at least %(price)s", price=money.text(price))
    if rule.ceiling_cents is not None and price > rule.ceiling_cents:
        price = rule.ceiling_cents
        words += _(", at most %(price)s", price=money.text(price))
    return price, words


# ── reading what the rules look at ──


@dataclass(frozen=True)
class Terms:
    """The buying terms of a site as plain values, remembered a few seconds so that a quote is one
    read.
    """

    site_id: int
    vendor_id: int
    copies_per_cart: int | None
    copies_per_seller: int | None
    stock_cap: int | None
    rules: tuple[Rule, ...]

    @property
    def read_stock(self) -> bool:
        return self.stock_cap is not None or any(rule.reads_stock for rule in self.rules)


_FRESH_SECONDS = 5.0
_terms: dict[int, tuple[float, Terms]] = {}
sites.FORGET_TOO.append(_terms.clear)


def terms_of(site_id: int) -> Terms:
    known = _terms.get(site_id)
    if known and time.monotonic() - known[0] < _FRESH_SECONDS:
        return known[1]
    site = db.session.get_one(Site, site_id)
    rows = db.session.execute(
        select(BuyingRule, Platform.name)
        .outerjoin(Platform, Platform.id == BuyingRule.platform_id)
        .where(BuyingRule.vendor_id == site.vendor_id, BuyingRule.active)
        .order_by(BuyingRule.rank, BuyingRule.id)
    ).all()
    rules = tuple(plain(row, platform or "") for row, platform in rows)
    terms = Terms(
        site.id, site.vendor_id, site.copies_per_cart, site.copies_per_seller, site.stock_cap, rules
    )
    _terms[site_id] = (time.monotonic(), terms)
    return terms


def plain(row: BuyingRule, platform: str) -> Rule:
    columns = (
        "site_id",
        "platform_id",
        "category",
        "ean",
        "argus_from_cents",
        "argus_to_cents",
        "stock_from",
        "stock_to",
        "rate_bp",
        "fixed_cents",
        "floor_cents",
        "ceiling_cents",
        "step_cents",
    )
    return Rule(
        id=row.id,
        name=row.name,
        effect=row.effect,
        platform=platform,
        **{name: getattr(row, name) for name in columns},
    )


class Status(StrEnum):
    """What the public quote answers (domain.md 2.27)."""

    bought = auto()
    unknown = auto()
    bad_ean = auto()
    not_bought = auto()


@dataclass(frozen=True)
class Quote:
    """The answer to one barcode: a price and why, or a sentence that says what to do."""

    status: Status
    ean: str
    sentence: str = ""
    variant_id: int | None = None
    title: str | None = None
    platform: str | None = None
    argus_cents: int | None = None
    price_cents: int | None = None
    explanation: str = ""
    rule: Rule | None = None


_variant, _product, _platform = (model.__table__ for model in (Variant, Product, Platform))
# Written once, on tables: a quote is the most asked page, and building the statement would cost as
# much as running it.
_LOOK_UP = (
    select(
        _variant.c.id,
        _variant.c.argus_cents,
        _product.c.title,
        _product.c.category,
        _product.c.platform_id,
        _platform.c.name,
    )
    .join(_product, _product.c.id == _variant.c.product_id)
    .outerjoin(_platform, _platform.c.id == _product.c.platform_id)
    .where(_variant.c.ean == bindparam("ean"))
)


def _look_up(ean: str) -> Any:
    return db.session.connection().execute(_LOOK_UP, {"ean": ean}).first()


def quote(
    site_id: int, words: str, *, copies_in_cart: int = 0, seller_id: int | None = None
) -> Quote:
    """The price of a barcode on a site, or which of the four answers it gets. Reads only; never
    raises for what was typed.
    """
    try:
        ean = products.read_ean(words)
    except products.BadEan as bad:
        return Quote(Status.bad_ean, words.strip()[:40], str(bad))
    found = _look_up(ean)
    if found is None:
        visits.asked_in_vain(ean)
        sentence = _(
            "We do not know this barcode yet. It goes to our catalogue team: go on with your other"
            " games."
        )
        return Quote(Status.unknown, ean, sentence)
    variant_id, argus_cents, title, category, platform_id, platform = found
    terms = terms_of(site_id)
    stock = stock_in(terms.vendor_id, variant_id) if terms.read_stock else 0
    decision = decide(
        list(terms.rules), Case(site_id, ean, argus_cents, platform_id, category, stock)
    )

    def not_bought(sentence: str) -> Quote:
        return Quote(
            Status.not_bought,
            ean,
            sentence,
            variant_id,
            title,
            platform,
            argus_cents,
            rule=decision.rule,
        )

    if decision.price_cents is None:
        return not_bought(
            _(
                "We do not buy « %(title)s » at the moment. Your other games are welcome.",
                title=title,
            )
        )
    if terms.stock_cap is not None and stock >= terms.stock_cap:
        return not_bought(
            _(
                "We have enough copies of « %(title)s » for now: try again in a few weeks.",
                title=title,
            )
        )
    if terms.copies_per_cart is not None and copies_in_cart >= terms.copies_per_cart:
        return not_bought(
            _(
                "We take %(most)s copies of « %(title)s » at most in one sale, and your cart has"
                " them.",
                most=terms.copies_per_cart,
                title=title,
            )
        )
    if terms.copies_per_seller is not None and seller_id is not None:
        sold_us = copies_in_cart + copies_offered(seller_id, variant_id)
        if sold_us >= terms.copies_per_seller:
            return not_bought(
                _(
                    "We take %(most)s copies of « %(title)s » at most from one person, and you have"
                    " sold us that many.",
                    most=terms.copies_per_seller,
                    title=title,
                )
            )
    return Quote(
        Status.bought,
        ean,
        "",
        variant_id,
        title,
        platform,
        argus_cents,
        decision.price_cents,
        decision.explanation,
        decision.rule,
    )


_item = Item.__table__
_STOCK = select(func.count()).where(
    _item.c.vendor_id == bindparam("vendor"),
    _item.c.variant_id == bindparam("variant"),
    _item.c.status.in_(ON_HAND),
)


def stock_in(vendor_id: int, variant_id: int) -> int:
    return (
        db.session.connection()
        .execute(_STOCK, {"vendor": vendor_id, "variant": variant_id})
        .scalar_one()
    )


ENDED = (
    OfferState.draft,
    OfferState.declined,
    OfferState.refused,
    OfferState.deleted,
    OfferState.abandoned,
)


def copies_offered(seller_id: int, variant_id: int) -> int:
    """How many copies of a reference a person has sold us or is selling us."""
    return (
        db.session.scalar(
            select(func.count())
            .select_from(OfferLine)
            .join(Offer)
            .where(
                Offer.customer_id == seller_id,
                Offer.status.not_in(ENDED),
                OfferLine.variant_id == variant_id,
                OfferLine.removed_at.is_(None),
            )
        )
        or 0
    )


# ── « simuler » ──


@dataclass(frozen=True)
class Trial:
    """One rule held against one reference: does it fit, and what would it say."""

    rule: Rule
    fits: bool
    answers: bool
    price_cents: int | None
    explanation: str


def simulate(site_id: int, words: str) -> tuple[Quote, int, list[Trial]]:
    """A barcode against every rule of a site: the quote, the stock seen, and what each rule says.
    Raises BadEan.
    """
    products.read_ean(words)
    answer = quote(site_id, words)
    terms = terms_of(site_id)
    if answer.variant_id is None:
        return answer, 0, []
    _id, argus_cents, _title, category, platform_id, _platform = _look_up(answer.ean)
    stock = stock_in(terms.vendor_id, answer.variant_id)
    case = Case(site_id, answer.ean, argus_cents, platform_id, category, stock)
    trials = []
    for rule in terms.rules:
        fits = rule.fits(case)
        price, explanation = (None, "")
        if (
            fits
            and rule.effect is not RuleEffect.exclude
            and not (rule.effect is RuleEffect.percentage and argus_cents is None)
        ):
            price, explanation = _apply(rule, argus_cents or 0)
        trials.append(
            Trial(
                rule,
                fits,
                answer.rule is not None and answer.rule.id == rule.id,
                price,
                explanation,
            )
        )
    return answer, stock, trials


# ── rules kept in order ──


def check_rule(rule: BuyingRule) -> None:
    """Raises Refused when a rule contradicts itself."""
    if rule.effect is RuleEffect.percentage and rule.rate_bp is None:
        raise Refused(_("A percentage rule needs its percentage: 40 for 40 % of the argus."))
    if rule.effect is RuleEffect.fixed and not rule.fixed_cents:
        raise Refused(_("A fixed price rule needs its price."))
    for low, high, what in (
        (rule.argus_from_cents, rule.argus_to_cents, _("argus")),
        (rule.stock_from, rule.stock_to, _("stock")),
        (rule.floor_cents, rule.ceiling_cents, _("price")),
    ):
        if low is not None and high is not None and low > high:
            raise Refused(_("The lowest %(what)s is above the highest: exchange them.", what=what))
    if rule.site is not None and rule.vendor is not None and rule.site.vendor_id != rule.vendor.id:
        raise Refused(_("This site belongs to another shop than the rule."))
    if rule.ean:
        rule.ean = products.read_ean(rule.ean)


def first_rule(vendor_id: int) -> BuyingRule:
    """The rule a new vendor starts with: 40 % of the argus, no floor, no cap, cent exact (domain.md
    2.26).
    """
    rule = BuyingRule(
        vendor_id=vendor_id,
        rank=100,
        name=_("40 % of the argus"),
        effect=RuleEffect.percentage,
        rate_bp=4000,
        active=True,
        category="",
        ean="",
    )
    db.session.add(rule)
    return rule
