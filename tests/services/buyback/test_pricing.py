"""The rules of docs/rules/pricing.md as a table, and what holds for any list of rules."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import BuyingRule, RuleEffect, UnknownDemand
from services import visits
from services.buyback import offers, pricing
from services.buyback.pricing import Case, Rule, Status, decide
from services.unit import db, unit_of_work
from services.workflow import Refused
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


@pytest.mark.parametrize(
    ("rule", "argus", "price"),
    [
        (Rule(2, "fixe", F, fixed_cents=1), 2000, 1),
        (Rule(2, "fixe à rien", F, fixed_cents=0), 2000, None),
        (Rule(2, "taux nul", P, rate_bp=0), 10_000_000, None),
        (Rule(2, "argus nul", P, rate_bp=20_000), 0, None),
        (Rule(2, "rien, malgré un plancher", P, rate_bp=0, floor_cents=100), 2000, None),
    ],
    ids=lambda value: value.name if isinstance(value, Rule) else "",
)
def test_one_cent_is_a_price_and_nothing_is_none_whatever_the_floor(rule, argus, price):
    assert decide([rule], Case(1, "x", argus)).price_cents == price


def test_the_explanation_says_the_arithmetic():
    rule = Rule(2, "Megadrive", P, platform_id=7, platform="Megadrive", rate_bp=4000)
    assert (
        decide([rule], CASE).explanation
        == "argus 20,00\u00a0€ × 40\u00a0% (Megadrive) = 8,00\u00a0€"
    )


def test_each_adjustment_is_said():
    rule = Rule(2, "x", P, rate_bp=3815, step_cents=50, floor_cents=900)
    assert decide([rule], CASE).explanation.endswith("arrondi à 7,50\u00a0€, minimum 9,00\u00a0€")


def test_adjustments_are_said_behind_the_arithmetic_in_the_order_they_were_made():
    rule = Rule(2, "x", P, rate_bp=3815, step_cents=50, floor_cents=900, ceiling_cents=800)
    assert decide([rule], CASE).explanation == (
        "argus 20,00\u00a0€ × 38,15\u00a0% = 7,63\u00a0€, arrondi à 7,50\u00a0€,"
        " minimum 9,00\u00a0€, maximum 8,00\u00a0€"
    )


def test_an_adjustment_that_changes_nothing_is_not_said():
    rule = Rule(2, "x", P, rate_bp=4000, step_cents=50, floor_cents=800, ceiling_cents=800)
    assert decide([rule], CASE).explanation.endswith("= 8,00\u00a0€")


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


# ── what a quote reads ──


def test_a_quote_looks_at_the_category_and_the_stock_of_its_reference():
    shelf, spare = factories.a_game(argus_cents=2000), factories.a_game(argus_cents=2000)
    with unit_of_work() as session:
        session.merge(shelf).product.category = "Accessoires"
    factories.an_item(spare)
    factories.a_rule(category="Accessoires", rate_bp=1000)
    factories.a_rule(stock_from=1, stock_to=1, rate_bp=2000, rank=20)
    site = factories.the_site().id
    assert pricing.quote(site, shelf.ean).price_cents == 200
    assert pricing.quote(site, spare.ean).price_cents == 400
    assert [t.fits for t in pricing.simulate(site, shelf.ean)[2]] == [True, False, True]
    assert [t.fits for t in pricing.simulate(site, spare.ean)[2]] == [False, True, True]


def test_a_quote_names_the_platform_of_its_rule_in_the_arithmetic():
    game = factories.a_game("Astro Renard", "Megadrive", 2000)
    factories.a_game("A.O.T. 2", "Nintendo Switch")
    factories.a_rule(platform_id=game.product.platform_id, rate_bp=5000)
    site = factories.the_site().id
    quote = pricing.quote(site, game.ean)
    assert quote.explanation == "argus 20,00\u00a0€ × 50\u00a0% (Megadrive) = 10,00\u00a0€"
    assert len(pricing.simulate(site, game.ean)[2]) == 2


def test_a_second_quote_reads_its_reference_and_nothing_else(counted_statements):
    game, site = factories.a_game(), factories.the_site().id
    pricing.quote(site, game.ean)
    with counted_statements() as statements:
        pricing.quote(site, game.ean)
    assert len(statements) == 1


def test_a_reference_we_do_not_buy_keeps_its_argus():
    game = factories.a_game(argus_cents=2000)
    factories.a_rule(effect=X)
    quote = pricing.quote(factories.the_site().id, game.ean)
    assert (quote.status, quote.argus_cents) == (Status.not_bought, 2000)


def test_a_seller_cap_counts_neither_what_others_sold_us_nor_his_other_games():
    game, other = factories.a_game(argus_cents=5000), factories.a_game(argus_cents=5000)
    seller = factories.a_customer()
    with unit_of_work():
        factories.the_site().copies_per_seller = 1
    factories.an_offer(game)
    factories.an_offer(other, customer=seller)
    site = factories.the_site().id
    assert pricing.copies_offered(seller.id, game.id) == 0
    assert pricing.quote(site, game.ean, seller_id=seller.id).status is Status.bought
    assert pricing.quote(site, other.ean, seller_id=seller.id).status is Status.not_bought


# ── « simuler » ──


def test_simulate_says_what_each_rule_would_pay_and_nothing_for_those_that_would_not():
    unknown_worth = factories.a_game(argus_cents=None)
    worth = factories.a_game(argus_cents=2000)
    factories.a_rule(name="exclu", effect=X, argus_from_cents=1, rank=1)
    factories.a_rule(name="fixe", effect=F, fixed_cents=350, rank=2)
    factories.a_rule(name="ailleurs", rate_bp=9000, ean=factories.ean(999), rank=3)
    site = factories.the_site().id

    def said(ean: str) -> list[tuple[str, int | None]]:
        return [(t.rule.name, t.price_cents) for t in pricing.simulate(site, ean)[2]]

    assert said(worth.ean) == [
        ("exclu", None),
        ("fixe", 350),
        ("ailleurs", None),
        ("40 % de l’argus", 800),
    ]
    assert said(unknown_worth.ean) == [
        ("exclu", None),
        ("fixe", 350),
        ("ailleurs", None),
        ("40 % de l’argus", None),
    ]


def test_simulate_pays_nothing_for_what_is_worth_nothing():
    worthless = factories.a_game(argus_cents=0)
    factories.a_rule(rate_bp=20_000)
    site = factories.the_site().id
    assert [t.price_cents for t in pricing.simulate(site, worthless.ean)[2]] == [0, 0]


def test_a_bad_barcode_is_answered_with_the_beginning_of_what_was_typed():
    quote = pricing.quote(factories.the_site().id, f" {'9' * 60} ")
    assert (quote.status, quote.ean) == (Status.bad_ean, "9" * 40)


def test_simulate_of_a_barcode_nobody_knows_tries_no_rule():
    quote, stock, trials = pricing.simulate(factories.the_site().id, "5060327534393")
    assert (quote.status, stock, trials) == (Status.unknown, 0, [])


# ── rules that contradict themselves ──


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"effect": P}, "pourcentage"),
        ({"effect": F}, "prix fixe"),
        ({"effect": F, "fixed_cents": 0}, "prix fixe"),
        ({"argus_from_cents": 2, "argus_to_cents": 1}, "argus"),
        ({"stock_from": 2, "stock_to": 1}, "stock"),
        ({"floor_cents": 2, "ceiling_cents": 1}, "prix"),
    ],
)
def test_a_rule_that_contradicts_itself_is_refused_in_a_sentence(columns, says):
    with pytest.raises(Refused, match=says):
        pricing.check_rule(BuyingRule(**{"effect": X, **columns}))


@pytest.mark.parametrize(
    "columns",
    [
        {"effect": P, "rate_bp": 0},
        {"effect": F, "fixed_cents": 1},
        {"argus_from_cents": 2},
        {"argus_to_cents": 2},
        {"argus_from_cents": 2, "argus_to_cents": 2},
    ],
)
def test_a_rule_with_one_bound_or_two_equal_ones_contradicts_nothing(columns):
    pricing.check_rule(BuyingRule(**{"effect": X, **columns}))


def test_a_rule_stays_with_the_sites_of_its_own_shop():
    vendor, theirs = factories.the_vendor(), factories.another_vendor()[1]
    ours = factories.the_site()
    with db.session.no_autoflush:
        pricing.check_rule(BuyingRule(effect=X, vendor=vendor, site=ours))
        with pytest.raises(Refused, match="autre enseigne"):
            pricing.check_rule(BuyingRule(effect=X, vendor=vendor, site=theirs))
    db.session.rollback()


def test_a_new_vendor_buys_at_forty_percent_of_the_argus_to_the_cent(app):
    with unit_of_work():
        rule = pricing.first_rule(factories.the_vendor().id)
        db.session.flush()
        kept = pricing.plain(rule, "")
    assert kept == Rule(kept.id, "40 % de l’argus", P, rate_bp=4000)
    assert (rule.rank, rule.active) == (100, True)
