"""What the house keeps of a person, as each noun declares it."""

import pytest

from services import personal
from tests import factories


@pytest.fixture
def rules(monkeypatch):
    """No rules but those of the test."""
    monkeypatch.setattr(personal, "RULES", {})


def test_everything_declared_is_exported_by_noun(rules):
    personal.rule("parcels", export=lambda customer: [{"number": 1}])
    personal.rule("letters", export=lambda customer: [])
    personal.rule("payments", why_keep=lambda customer: None)
    assert personal.exported(None) == {"letters": [], "parcels": [{"number": 1}]}


def test_the_first_reason_to_keep_an_account_is_told(rules):
    personal.rule("credit", why_keep=lambda customer: "credit", first=2)
    personal.rule("sales", why_keep=lambda customer: "sale", first=1)
    personal.rule("letters", why_keep=lambda customer: None, first=0)
    assert personal.why_keep(None) == "sale"


def test_nothing_declared_keeps_nobody_and_leaves_nothing(rules):
    assert personal.why_keep(None) is None
    assert personal.kept_sentence(None) is None
    assert personal.exported(None) == {}


def test_every_noun_erases_its_own(rules):
    erased = []
    personal.rule("parcels", erase=lambda customer: erased.append("parcels"))
    personal.rule("letters", erase=lambda customer: erased.append("letters"))
    personal.rule("sales", stays=lambda customer: "sales stay ten years")
    personal.erase(None)
    assert sorted(erased) == ["letters", "parcels"]
    assert personal.kept_sentence(None) == "sales stay ten years"


def test_the_rules_of_the_house_export_what_a_seller_sold(app):
    offer = factories.a_received_offer()
    exported = personal.exported(offer.customer)
    assert offer.number in repr(exported)
    assert all(isinstance(rows, list) for rows in exported.values())
