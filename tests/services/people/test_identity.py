"""The identity document of a seller: references only, and whether they are of age."""

from datetime import date, timedelta

import pytest

from models import IdentityDocument
from services import clock
from services.people import identity
from services.people.customers import Invalid
from services.unit import db, unit_of_work
from tests import factories
from tests.factories import DOCUMENT, MARC


def recorded(customer, **typed) -> IdentityDocument:
    with unit_of_work() as session:
        identity.record(
            factories.the_vendor(), session.merge(customer), {**DOCUMENT, **typed}, by=MARC
        )
    return identity.of(factories.the_vendor().id, customer.id)


def years_ago(years: int, days: int = 0) -> str:
    today = clock.today()
    return (today.replace(year=today.year - years) + timedelta(days=days)).isoformat()


@pytest.mark.parametrize(
    ("birth", "day", "age"),
    [
        (date(2008, 11, 29), date(2026, 11, 28), 17),
        (date(2008, 11, 29), date(2026, 11, 29), 18),
        (date(2008, 2, 29), date(2026, 2, 28), 17),
        (date(2008, 2, 29), date(2026, 3, 1), 18),
    ],
)
def test_one_is_of_age_on_the_birthday(birth, day, age):
    assert identity.age_on(birth, day) == age


def test_a_minor_sells_with_the_consent_of_a_parent_only(app):
    customer = factories.a_customer()
    assert identity.is_minor(recorded(customer, birth_date=years_ago(18, 1)))
    assert not identity.is_minor(recorded(customer, birth_date=years_ago(18)))
    consented = recorded(customer, birth_date=years_ago(16), consent_by="Anne Aubry")
    assert not identity.is_minor(consented)


def test_the_number_is_sealed_and_opens_for_the_register(app):
    document = recorded(factories.a_customer(), number="12 ab-34567")
    assert identity.number_of(document) == "12AB34567"
    assert document.number_tail == "4567"
    row = db.session.execute(db.text("SELECT * FROM identity_document")).one()
    assert "12AB34567" not in repr(row)


def test_a_correction_without_a_number_keeps_the_one_that_is_known(app):
    customer = factories.a_customer()
    recorded(customer)
    document = recorded(customer, number="", issued_by="Préfecture 35")
    assert identity.number_of(document) == "12AB34567"
    assert document.issued_by == "Préfecture 35"
    assert db.session.query(IdentityDocument).count() == 1


def test_a_document_is_known_to_the_vendor_it_was_shown_to_only(app):
    customer = factories.a_customer()
    recorded(customer)
    other, _site, _store = factories.another_vendor()
    assert identity.of(other.id, customer.id) is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("kind", "library_card"),
        ("number", "12"),
        ("number", "x" * 21),
        ("issued_by", " "),
        ("first_names", ""),
        ("profession", ""),
        ("issued_on", "hier"),
        ("issued_on", "1949-12-31"),
        ("issued_on", "2999-01-01"),
        ("birth_date", "1800-01-01"),
        ("birth_date", "2025-01-01"),
        ("birth_date", "2020-06-01"),
    ],
)
def test_what_cannot_be_is_refused_beside_its_field_and_nothing_is_kept(app, field, value):
    customer = factories.a_customer()
    with pytest.raises(Invalid) as refused:
        recorded(customer, **{field: value})
    assert refused.value.field == field
    db.session.rollback()
    assert db.session.query(IdentityDocument).count() == 0
