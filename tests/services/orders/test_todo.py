"""The menu counts what waits in orders with one statement, within what somebody may see."""

from services import access
from services.orders import todo
from tests import factories
from tests.factories import a_part, a_shoe, on_sale


def test_orders_to_answer_and_buyers_to_call_are_counted_at_once(counted_statements):
    a_part()
    store = factories.keeps_for_buyers()
    a_part("refused", (on_sale(a_shoe("Botte"), 9000, 1), store, 1))
    with counted_statements() as asked:
        assert todo.counts() == todo.Counts(to_answer=1, to_call=1)
    assert len([one for one in asked if "vendor_order" in one]) == 1


def test_a_vendor_counts_their_own_orders():
    a_part()
    vendor, _site, _store = factories.another_vendor()
    with access.limited_to(access.Scope(frozenset({vendor.id}))):
        assert todo.counts().to_answer == 0
