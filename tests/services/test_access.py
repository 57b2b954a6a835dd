"""Whose a row is: said by its table, obeyed by every statement of a limited session."""

from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import delete, select, update
from sqlalchemy.orm import aliased

import models
from models import Customer, Item, Offer, OfferLine, Setting
from services import access, clock
from services.access import Scope
from services.people import staff
from services.stock import listings
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
        select(aliased(Offer).id),
    ],
    ids=["table", "through", "join", "subquery", "sellers", "alias"],
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


# ── where a member of staff works ──


def a_clerk(*memberships: tuple[models.Vendor, models.Store | None]) -> int:
    """A member of staff who works for these vendors, in these stores; returns his number."""
    with unit_of_work() as session:
        user, _password = staff.add("clerc@staff.test", "Opérateur reprise", by=factories.COMMAND)
        for vendor, store in memberships:
            staff.belongs_to(user, session.merge(vendor), session.merge(store) if store else None)
        id: int = user.id
    return id


def test_who_is_tied_to_one_store_works_in_that_one_only(shops):
    other = db.session.get_one(models.Store, shops.other)
    clerk = a_clerk((factories.the_vendor(), other))
    assert access.scope_of(clerk) == Scope(frozenset({shops.vendor}), frozenset({shops.other}))


def test_who_works_for_whole_vendors_is_tied_to_no_store(shops):
    theirs = db.session.get_one(models.Vendor, shops.their_vendor)
    clerk = a_clerk((factories.the_vendor(), None), (theirs, None))
    assert access.scope_of(clerk) == Scope(frozenset({shops.vendor, shops.their_vendor}), None)


def test_a_membership_without_a_store_opens_all_stores_of_its_vendor_and_of_no_other(shops):
    theirs = db.session.get_one(models.Store, shops.theirs)
    factories.a_store("Rennes 2", "R8", vendor=theirs.vendor)
    clerk = a_clerk((factories.the_vendor(), None), (theirs.vendor, theirs))
    assert access.scope_of(clerk) == Scope(
        frozenset({shops.vendor, shops.their_vendor}),
        frozenset({shops.mine, shops.other, shops.theirs}),
    )


def test_who_works_nowhere_is_limited_to_nothing(app):
    assert access.scope_of(a_clerk()) == access.NOTHING


def test_the_stores_one_is_tied_to_are_those_of_the_scope_at_work(shops):
    stores = frozenset({shops.mine})
    assert access.tied_stores() is None
    with access.limited_to(Scope(frozenset({shops.vendor}))):
        assert access.tied_stores() is None
    with access.limited_to(Scope(frozenset({shops.vendor}), stores)):
        assert access.tied_stores() == stores


def test_a_row_of_no_store_is_seen_by_who_stands_in_one_and_a_row_of_another_store_is_not(shops):
    everywhere, _secret = factories.a_key("stock", name="Logiciel")
    here, _secret = factories.a_key("till", name="Caisse d’ici")
    elsewhere = db.session.get_one(models.Store, shops.other)
    there, _secret = factories.a_key("till", store=elsewhere, name="Caisse de Rennes")
    assert (everywhere.store_id, there.store_id) == (None, shops.other)
    with access.limited_to(Scope(frozenset({shops.vendor}), frozenset({shops.mine}))):
        seen = set(db.session.scalars(select(models.MachineKey.id)))
    assert seen == {everywhere.id, here.id}


def test_an_account_of_the_generator_is_nobodys_and_may_be_written_by_who_is_limited(shops):
    clerk = a_clerk((factories.the_vendor(), None))
    with access.limited_to(access.scope_of(clerk)), unit_of_work() as session:
        session.get_one(models.User, clerk).first_name = "Inès"
    assert db.session.get_one(models.User, clerk).first_name == "Inès"


def test_the_owner_of_a_row_that_was_read_already_is_not_asked_again(shops, counted_statements):
    store = db.session.get_one(models.Store, shops.theirs)
    with counted_statements() as statements:
        assert access._owner_of_row(models.Store, store.id) == shops.their_vendor
    assert statements == []


def test_a_table_that_knows_no_store_is_seen_whole_by_who_stands_in_one(two):
    vendors = two.scope.vendors
    with access.limited_to(Scope(vendors, frozenset({factories.the_store().id}))):
        assert db.session.scalars(select(Offer.id)).all() == [two.ours]


def test_the_price_of_the_catalogue_is_everybody_s_and_that_of_a_listing_its_vendor_s(shops):
    theirs = db.session.get_one(models.Store, shops.theirs)
    shoe = db.session.get_one(models.Variant, shops.shoe)
    item = factories.an_item(shoe, store=theirs)
    with unit_of_work() as session:
        listings.put_on_sale(session.get_one(Item, item.id), 4500, by=factories.MARC)
    asked = select(models.PricePoint.price_cents).order_by(models.PricePoint.id)
    with access.limited_to(Scope(frozenset({shops.vendor}))):
        assert db.session.scalars(asked).all() == [8900]
    with access.limited_to(Scope(frozenset({shops.their_vendor}))):
        assert db.session.scalars(asked).all() == [8900, 4500]


def test_who_is_limited_changes_many_rows_of_tables_that_are_nobody_s(shops):
    clerk = a_clerk((factories.the_vendor(), None))
    with access.limited_to(access.scope_of(clerk)), unit_of_work() as session:
        ours: Any = session.execute(update(models.Product).values(family="Ville"))
        theirs: Any = session.execute(update(models.User.__table__).values(first_name="Inès"))
        assert (ours.rowcount > 0, theirs.rowcount > 0) == (True, True)


def test_a_row_of_another_vendor_is_deleted_by_no_hand(shops):
    with (
        access.limited_to(Scope(frozenset({shops.vendor}))),
        pytest.raises(Refused),
        unit_of_work() as session,
    ):
        with access.limited_to(None):
            row = session.get_one(models.Store, shops.theirs)
        session.delete(row)
        session.flush()
    assert db.session.get(models.Store, shops.theirs) is not None


def test_who_stands_in_one_store_writes_rows_of_no_store_and_his_store_s_own(shops):
    key, _secret = factories.a_key("stock", name="Logiciel")
    scope = Scope(frozenset({shops.vendor}), frozenset({shops.mine}))
    with access.limited_to(scope), unit_of_work() as session:
        session.get_one(models.MachineKey, key.id).name = "Caisse"
        session.get_one(models.Store, shops.mine).name = "Nantes"
    assert db.session.get_one(models.MachineKey, key.id).name == "Caisse"
    assert db.session.get_one(models.Store, shops.mine).name == "Nantes"


def test_who_is_limited_lets_somebody_work_for_his_own_vendor_and_for_no_other(shops):
    clerk = a_clerk()
    with access.limited_to(Scope(frozenset({shops.vendor}))):
        with unit_of_work() as session:
            session.add(models.Membership(user_id=clerk, vendor_id=shops.vendor))
        with pytest.raises(Refused), unit_of_work() as session:
            session.add(models.Membership(user_id=clerk, vendor_id=shops.their_vendor))
            session.flush()
    assert access.scope_of(clerk).vendors == {shops.vendor}


def test_a_row_of_a_vendor_cannot_be_made_everybody_s(shops):
    key, _secret = factories.a_key()
    with (
        access.limited_to(Scope(frozenset({shops.vendor}))),
        pytest.raises(Refused),
        unit_of_work() as session,
    ):
        session.get_one(models.MachineKey, key.id).vendor_id = None
        session.flush()


def test_who_stands_in_one_store_moves_units_only_from_or_to_it(shops):
    third = factories.a_store("Nantes", "N4").id
    scope = Scope(frozenset({shops.vendor}), frozenset({shops.mine}))

    def a_transfer(start: int, end: int) -> models.StockTransfer:
        return models.StockTransfer(
            vendor_id=shops.vendor,
            from_store_id=start,
            to_store_id=end,
            by_name="Tom",
            created_at=clock.now(),
        )

    with access.limited_to(scope), pytest.raises(Refused), unit_of_work() as session:
        session.add(a_transfer(shops.other, third))
        session.flush()
    with access.limited_to(scope), unit_of_work() as session:
        session.add_all([a_transfer(shops.mine, third), a_transfer(third, shops.mine)])
