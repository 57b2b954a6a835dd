"""Whose a row is: said by its table, obeyed by every statement of a limited session."""

from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import delete, select, update

import models
from models import Customer, Item, Offer, OfferLine, Setting
from services import access
from services.access import Scope
from services.unit import db, unit_of_work
from tests import factories


@pytest.fixture
def two(app) -> SimpleNamespace:
    """An offer of our vendor, and one of another."""
    ours = factories.an_offer()
    _vendor, site, _store = factories.another_vendor()
    theirs = factories.an_offer(site=site)
    return SimpleNamespace(ours=ours.id, theirs=theirs.id, scope=Scope(frozenset({ours.vendor_id})))


def test_a_table_that_does_not_say_whose_its_rows_are_stops_the_program(monkeypatch):
    monkeypatch.delattr(Item, "__owner__")
    with pytest.raises(TypeError, match="Item"):
        models._refuse_tables_without_an_owner()


def test_an_update_of_many_changes_no_row_of_another_vendor(two):
    with access.limited_to(two.scope), unit_of_work() as session:
        changed: Any = session.execute(update(Offer).values(remark="lu"))
        assert changed.rowcount == 1
    assert db.session.get(Offer, two.theirs).remark != "lu"


def test_an_update_of_a_bare_table_is_narrowed_too(two):
    with access.limited_to(two.scope), unit_of_work() as session:
        session.execute(update(Offer.__table__).values(remark="lu"))
    assert db.session.get(Offer, two.theirs).remark != "lu"


def test_a_delete_of_many_takes_no_row_of_another_vendor(two):
    before = db.session.scalars(select(OfferLine.offer_id)).all()
    with access.limited_to(two.scope), unit_of_work() as session:
        session.execute(delete(OfferLine))
    left = db.session.scalars(select(OfferLine.offer_id)).all()
    assert set(before) == {two.ours, two.theirs}
    assert set(left) == {two.theirs}


@pytest.mark.parametrize(
    "rows",
    [
        select(Offer.id),
        select(OfferLine.offer_id),
        select(Offer.id).join(Customer, Customer.id == Offer.customer_id),
        select(Offer.id).where(Offer.id.in_(select(OfferLine.offer_id))),
        select(Customer.id).where(Customer.id.in_(select(Offer.customer_id))),
    ],
    ids=["table", "through", "join", "subquery", "sellers"],
)
def test_a_select_sees_only_its_own_rows_however_it_names_the_table(two, rows):
    everything = db.session.scalars(rows).all()
    with access.limited_to(two.scope):
        seen = db.session.scalars(rows).all()
    assert 0 < len(set(seen)) < len(set(everything))


def test_a_person_of_no_vendor_sees_nothing_and_changes_nothing(two):
    with access.limited_to(access.NOTHING), unit_of_work() as session:
        assert session.scalars(select(Offer.id)).all() == []
        changed: Any = session.execute(update(Offer).values(remark="lu"))
        assert changed.rowcount == 0


def test_a_statement_gets_the_conditions_of_its_own_tables_only(two):
    assert access._models_of(select(Setting.value)) == {Setting}
    assert access._models_of(select(Offer).join(Customer)) == {Offer, Customer}
