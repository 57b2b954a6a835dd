"""Buying rules."""

import pytest
from sqlalchemy import select

from models import BuyingRule
from services.unit import db
from tests import factories


@pytest.fixture
def boss(as_staff):
    return as_staff("Administrateur")


def test_a_rule_is_added_checked_and_counts(boss):
    vendor = factories.the_vendor().id
    data = {
        "name": "Megadrive",
        "vendor": vendor,
        "rank": "5",
        "effect": "percentage",
        "rate_bp": "37,5",
        "step_cents": "0,10",
        "active": "y",
        "site": "__None",
        "platform": "__None",
    }
    assert boss.post("/gestion/regles/add", data=data).status_code == 302
    db.session.rollback()
    rule = db.session.scalars(select(BuyingRule).where(BuyingRule.name == "Megadrive")).one()
    assert (rule.rate_bp, rule.step_cents, rule.active) == (3750, 10, True)
    page = boss.post(
        "/gestion/regles/add",
        data={**data, "name": "Fausse", "rate_bp": "", "argus_from_cents": "12,50"},
    )
    assert page.status_code == 422
    assert "pourcentage" in page.text
    assert 'value="12,50"' in page.text
    for wrong in (
        {"rate_bp": "900"},
        {"rate_bp": "abc"},
        {"step_cents": "-1"},
        {"argus_from_cents": "10", "argus_to_cents": "5"},
        {"ean": "123"},
    ):
        assert boss.post("/gestion/regles/add", data={**data, **wrong}).status_code == 422, wrong
    edited = boss.get(f"/gestion/regles/edit/{rule.id}").text
    assert 'value="37,5"' in edited
    assert "checked" in edited
    boss.post(
        f"/gestion/regles/edit/{rule.id}", data={k: v for k, v in data.items() if k != "active"}
    )
    db.session.rollback()
    assert db.session.get(BuyingRule, rule.id).active is False
