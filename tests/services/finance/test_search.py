"""One search over everything: what is printed, named or sold."""

import pytest

from models import Customer, Parcel
from services.buyback import parcels
from services.finance import search
from services.people import customers
from services.unit import unit_of_work
from tests import factories
from tests.factories import MARC


def found(words: str) -> dict[str, list]:
    return {view: rows for view, rows in search.search(words).rows.items() if rows}


@pytest.mark.parametrize(
    "typed",
    [
        "{n}",
        "cde{n}",
        "CDE{n:09d}-C",
        "CDE{n:09d}-C-2",
        "cde{n}-2",
        "CDE {n}",
        "CDE{n:09d}",
        "{n:09d}",
    ],
)
def test_a_sale_is_found_by_its_number_without_its_zeros(app, typed):
    offer = factories.an_offer()
    words = typed.format(n=int(offer.number.removeprefix("CDE")))
    assert found(words) == {"OfferView": [offer]}


def test_an_article_is_found_by_its_number_without_its_zeros(app):
    item = factories.an_item(factories.a_game())
    assert found(f"art{item.id}") == {"ItemView": [item]}


def test_a_whole_iban_finds_its_holder_and_nobody_who_has_the_same_end(app):
    holder, other = factories.a_customer(), factories.a_customer()
    factories.an_iban(holder, "FR1420041010050500013M02606")
    factories.an_iban(other, "FR7630003000600000000792606")
    assert found("FR14 2004 1010 0505 0001 3M02 606") == {"SellerView": [holder]}
    assert set(found("2606")["SellerView"]) == {holder, other}


def test_a_label_whose_number_looks_like_an_iban_is_still_found(app, carrier):
    parcel = factories.a_parcel()
    with unit_of_work() as session:
        parcels.give_label(
            session.get_one(Parcel, parcel.id),
            carrier_name="DPD",
            number="JD014600003889263491",
            link="",
            pdf=None,
            by=MARC,
        )
    assert found("JD01 4600 0038 8926 3491") == {"ParcelView": [parcel]}


def test_nobody_is_found_by_the_iban_of_an_erased_account(app):
    holder = factories.a_customer()
    factories.an_iban(holder, "FR1420041010050500013M02606")
    with unit_of_work() as session:
        customers.erase(session.get_one(Customer, holder.id))
    assert found("FR1420041010050500013M02606") == {}


def test_an_order_is_found_by_its_number_that_of_a_part_and_the_code_of_its_buyer(app):
    from services.orders import pickup

    part = factories.a_part("to_collect")
    code = pickup.code_of(part)
    for typed in (
        part.reference,
        part.reference.lower(),
        part.order.number,
        f"{pickup.QR_START} {part.reference} {code.token}",
    ):
        assert [row.id for row in found(typed)["SaleView"]] == [part.id], typed
    assert "SaleView" not in found("99999-A")
