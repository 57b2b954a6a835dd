"""What a part of an order is: its amounts, who may know its buyer, how it is called."""

import pytest

from models import VendorOrder
from services import money
from services.orders import parts, todo
from services.unit import db
from tests import factories
from tests.factories import a_part, a_shoe, a_shop, a_unit_on_sale, an_order, on_sale


@pytest.mark.parametrize(
    ("with_tax", "without"),
    [(2868, 2390), (719, 599), (768, 640), (10368, 8640), (4608, 3840), (3830, 3192), (2157, 1798)],
)
def test_the_amount_without_tax_is_rounded_half_up(with_tax, without):
    assert money.without_tax(with_tax, 2000) == without


def test_new_goods_show_their_tax_and_second_hand_ones_none():
    a_shop()
    store = factories.keeps_for_buyers()
    new, used = on_sale(a_shoe("Derby"), 719, 5), a_unit_on_sale(a_shoe("Botte"), 5000)
    amounts = parts.amounts(an_order((new, store, 3), (used, store, 1)).parts[0])
    assert (amounts.net, amounts.vat, amounts.margin) == (1798, 359, 5000)
    assert amounts.total == 7157


@pytest.mark.parametrize(
    ("status", "is_told"),
    [
        ("waiting_acceptance", True),
        ("shipping", True),
        ("to_collect", True),
        ("received", True),
        ("refused", False),
        ("canceled", False),
    ],
)
def test_a_vendor_knows_the_buyer_while_something_is_owed(status, is_told):
    part = db.session.get_one(VendorOrder, a_part(status).id)
    assert (parts.buyer_of(part) is not None) is is_told


def test_the_states_are_counted_where_something_is_to_be_done():
    part = a_part()
    counts = parts.counts()
    assert counts[part.status] == 1
    assert sum(counts.values()) == 1
    assert todo.counts() == todo.Counts(1, 0)


def test_what_happened_is_told_of_this_part_and_not_of_its_sisters():
    a_shop()
    ours = factories.keeps_for_buyers()
    _vendor, _site, rennes = factories.another_vendor()
    rennes = factories.keeps_for_buyers(rennes)
    order = an_order(
        (on_sale(a_shoe("Derby"), 8900, 3, ours), ours, 1),
        (on_sale(a_shoe("Botte"), 12000, 1, rennes), rennes, 1),
    )
    first, second = order.parts
    words = " ".join(str(fact.words) for fact in parts.happened(first))
    assert order.number in words
    assert second.reference not in words
