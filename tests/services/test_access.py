"""Whose a row is: said by its table, obeyed by every statement of a limited session."""

from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import delete, select, update

import models
from models import Customer, Item, Offer, OfferLine, Setting
from services import access, clock
from services.access import Scope
from services.unit import db, unit_of_work
from services.workflow import Refused
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


@pytest.fixture
def shops(app) -> SimpleNamespace:
    """A store of ours, another of ours, one of another vendor, and a reference."""
    _vendor, _site, theirs = factories.another_vendor()
    other, shoe = factories.a_store("Rennes", "R7"), factories.a_shoe()
    return SimpleNamespace(
        vendor=factories.the_vendor().id,
        mine=factories.the_store().id,
        other=other.id,
        theirs=theirs.id,
        their_vendor=theirs.vendor_id,
        shoe=shoe.id,
    )


def a_level(vendor_id: int, store_id: int, variant_id: int) -> models.StockLevel:
    return models.StockLevel(
        vendor_id=vendor_id,
        store_id=store_id,
        variant_id=variant_id,
        quantity=1,
        reserved=0,
        counted=1,
        place="",
        updated_at=clock.now(),
    )


def test_a_row_of_another_vendor_cannot_be_taken_for_oneself(shops):
    with (
        access.limited_to(Scope(frozenset({shops.vendor}))),
        pytest.raises(Refused),
        unit_of_work() as session,
    ):
        with access.limited_to(None):
            row = session.get_one(models.Store, shops.theirs)
        row.vendor_id = shops.vendor
        session.flush()


def test_a_row_changed_in_memory_is_no_proof_of_its_owner(shops):
    with (
        access.limited_to(Scope(frozenset({shops.vendor}))),
        pytest.raises(Refused),
        unit_of_work() as session,
    ):
        with access.limited_to(None):
            row = session.get_one(models.Store, shops.theirs)
        row.vendor_id = shops.vendor
        with session.no_autoflush, access.limited_to(None):
            level = a_level(shops.vendor, shops.theirs, shops.shoe)
            assert set(access._owners(level)) == {shops.vendor, shops.their_vendor}
        session.add(level)
        session.flush()


def test_who_stands_in_one_store_writes_no_row_of_another(shops):
    scope = Scope(frozenset({shops.vendor}), frozenset({shops.mine}))
    with access.limited_to(scope), pytest.raises(Refused), unit_of_work() as session:
        session.add(a_level(shops.vendor, shops.other, shops.shoe))
        session.flush()
    with access.limited_to(scope), unit_of_work() as session:
        session.add(a_level(shops.vendor, shops.mine, shops.shoe))
