"""The rules of docs/rules/pricing.md as a table, and what holds for any list of rules."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import RuleEffect, UnknownDemand
from services import visits
from services.buyback import offers, pricing
from services.buyback.pricing import Case, Rule, Status, decide
from services.unit import db, unit_of_work
from tests import factories

P, F, X = RuleEffect.percentage, RuleEffect.fixed, RuleEffect.exclude
ALL = Rule(1, "40 %", P, rate_bp=4000)
CASE = Case(
    site_id=1, ean="3760151200003", argus_cents=2000, platform_id=7, category="jeu", stock=2
)


@pytest.mark.parametrize(
    ("rules", "price"),
    [
        ([ALL], 800),
        ([], None),
        ([Rule(2, "PC", P, platform_id=8, rate_bp=9000), ALL], 800),
        ([Rule(2, "Megadrive", P, platform_id=7, rate_bp=5000), ALL], 1000),
        ([Rule(2, "autre site", P, site_id=9, rate_bp=9000), ALL], 800),
        ([Rule(2, "catégorie", P, category="jeu", rate_bp=2500), ALL], 500),
        ([Rule(2, "bande", P, argus_from_cents=2000, argus_to_cents=2000, rate_bp=1000), ALL], 200),
        ([Rule(2, "bande", P, argus_from_cents=2001, rate_bp=1000), ALL], 800),
        ([Rule(2, "stock", P, stock_from=2, rate_bp=1000), ALL], 200),
        ([Rule(2, "stock", P, stock_from=3, rate_bp=1000), ALL], 800),
        ([Rule(2, "stock", P, stock_to=1, rate_bp=1000), ALL], 800),
        ([Rule(2, "ean", P, ean="3760151200003", rate_bp=10_000)], 2000),
        ([Rule(2, "fixe", F, fixed_cents=350), ALL], 350),
        ([ALL, Rule(2, "exclu", X, platform_id=7)], None),
        ([Rule(2, "nul", P, rate_bp=0), ALL], None),
        ([Rule(2, "plancher", P, rate_bp=100, floor_cents=100)], 100),
        ([Rule(2, "plafond", P, rate_bp=10_000, ceiling_cents=1500)], 1500),
        ([Rule(2, "pas", P, rate_bp=3815, step_cents=50)], 750),
        ([Rule(2, "pas", P, rate_bp=3880, step_cents=50)], 800),
    ],
)
def test_the_first_rule_that_fits_answers_and_exclusions_come_first(rules, price):
    assert decide(rules, CASE).price_cents == price


def test_the_explanation_says_the_arithmetic():
    rule = Rule(2, "Megadrive", P, platform_id=7, platform="Megadrive", rate_bp=4000)
    assert (
        decide([rule], CASE).explanation
        == "argus 20,00\u00a0€ × 40\u00a0% (Megadrive) = 8,00\u00a0€"
    )


def test_each_adjustment_is_said():
    rule = Rule(2, "x", P, rate_bp=3815, step_cents=50, floor_cents=900)
    assert decide([rule], CASE).explanation.endswith("arrondi à 7,50\u00a0€, minimum 9,00\u00a0€")


def test_without_an_argus_only_a_fixed_price_answers():
    nobody_knows = Case(1, "x", None)
    assert decide([ALL], nobody_knows).price_cents is None
    assert decide([ALL, Rule(2, "fixe", F, fixed_cents=100)], nobody_knows).price_cents == 100


RULES = st.lists(
    st.builds(
        Rule,
        id=st.integers(1, 99),
        name=st.just("r"),
        effect=st.sampled_from([P, F, X]),
        platform_id=st.sampled_from([None, 7, 8]),
        argus_from_cents=st.none() | st.integers(0, 5000),
        stock_from=st.none() | st.integers(0, 5),
        rate_bp=st.integers(0, 20_000),
        fixed_cents=st.integers(0, 10_000),
        step_cents=st.none() | st.integers(1, 500),
    ),
    max_size=6,
)


@given(RULES, st.integers(0, 100_000), st.integers(0, 9))
def test_a_price_is_never_negative_and_never_from_a_rule_that_does_not_fit(rules, argus, stock):
    case = Case(1, "x", argus, 7, "", stock)
    decision = decide(rules, case)
    assert decision.price_cents is None or decision.price_cents > 0
    assert decision.rule is None or decision.rule.fits(case)
    if any(rule.effect is X and rule.fits(case) for rule in rules):
        assert decision.price_cents is None


@given(RULES, st.integers(0, 100_000))
def test_a_rule_after_the_one_that_answers_changes_nothing_unless_it_excludes(rules, argus):
    case = Case(1, "x", argus, 7)
    before = decide(rules, case)
    if before.rule is not None:
        assert decide([*rules, Rule(100, "après", P, rate_bp=9999)], case) == before


# ── the four answers (VX-021) ──


def test_a_known_game_is_bought_at_the_default_rule():
    game = factories.a_game("A.O.T. 2", "Nintendo Switch", 2500)
    quote = pricing.quote(factories.the_site().id, game.ean)
    assert (quote.status, quote.title, quote.platform, quote.price_cents) == (
        Status.bought,
        "A.O.T. 2",
        "Nintendo Switch",
        1000,
    )


def test_an_unknown_barcode_is_kept_for_the_catalogue_team():
    quote = pricing.quote(factories.the_site().id, "5060327534393")
    pricing.quote(factories.the_site().id, "5060327534393")
    assert quote.status is Status.unknown
    assert "équipe catalogue" in quote.sentence
    assert quote.price_cents is None
    with unit_of_work():
        visits.count()
    visits.counted()
    assert [(d.ean, d.times) for d in db.session.scalars(db.select(UnknownDemand))] == [
        ("5060327534393", 2)
    ]


def test_a_bad_barcode_is_not_an_unknown_one():
    assert pricing.quote(factories.the_site().id, "5060327534394").status is Status.bad_ean


def test_the_four_answers_have_four_sentences():
    site, game = factories.the_site(), factories.a_game(argus_cents=0)
    said = {pricing.quote(site.id, words).sentence for words in ("123", "5060327534393", game.ean)}
    with unit_of_work():
        factories.the_site().copies_per_cart = 1
    capped = factories.a_game(argus_cents=2000)
    said.add(pricing.quote(site.id, capped.ean, copies_in_cart=1).sentence)
    assert len(said) == 4
    assert all(said)


def test_a_stock_cap_stops_buying_what_the_shop_has():
    game = factories.a_game()
    factories.an_item(game)
    with unit_of_work():
        factories.the_site().stock_cap = 2
    assert pricing.quote(factories.the_site().id, game.ean).status is Status.bought
    factories.an_item(game)
    refused = pricing.quote(factories.the_site().id, game.ean)
    assert refused.status is Status.not_bought
    assert "assez d’exemplaires" in refused.sentence


def test_a_seller_cap_counts_what_he_already_sold_us():
    seller, game = factories.a_customer(), factories.a_game(argus_cents=5000)
    with unit_of_work():
        factories.the_site().copies_per_seller = 2
    factories.an_offer(game, customer=seller)
    site = factories.the_site().id
    assert pricing.quote(site, game.ean, seller_id=seller.id).status is Status.bought
    assert (
        pricing.quote(site, game.ean, seller_id=seller.id, copies_in_cart=1).status
        is Status.not_bought
    )
    assert pricing.quote(site, game.ean, copies_in_cart=1).status is Status.bought


def test_a_changed_rule_counts_at_once_and_never_changes_yesterday():
    game = factories.a_game(argus_cents=10_000)
    offer = factories.an_offer(game)
    factories.a_rule(rate_bp=1000)
    assert pricing.quote(factories.the_site().id, game.ean).price_cents == 1000
    db.session.refresh(offer)
    assert offer.total_cents == 4000
    assert offers.active_lines(offer)[0].explanation.endswith("= 40,00\u00a0€")


def test_each_vendor_prices_by_his_own_rules():
    game = factories.a_game(argus_cents=2000)
    _vendor, site, _store = factories.another_vendor()
    assert pricing.quote(site.id, game.ean).price_cents == 1000
    assert pricing.quote(factories.the_site().id, game.ean).price_cents == 800


def test_simulate_says_which_rule_answers_what():
    game = factories.a_game("Astro Renard", "Megadrive", 2000)
    factories.a_rule(name="Megadrive 50 %", platform_id=game.product.platform_id, rate_bp=5000)
    factories.a_rule(name="Cher", argus_from_cents=9000, rate_bp=1000, rank=5)
    quote, _stock, trials = pricing.simulate(factories.the_site().id, game.ean)
    assert quote.price_cents == 1000
    assert [(t.rule.name, t.fits, t.answers) for t in trials] == [
        ("Cher", False, False),
        ("Megadrive 50 %", True, True),
        ("40 % de l’argus", True, False),
    ]
