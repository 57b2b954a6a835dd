"""Letters about an order name its number, lead to its page, and hold no secret of another."""

import pytest

from services.orders import letters
from tests import factories
from tests.factories import a_part, an_order


def test_the_page_of_an_order_is_on_its_site():
    order = an_order()
    assert letters.page_of(order).endswith(f"/commandes/{order.number}")


@pytest.mark.parametrize(
    ("status", "event"),
    [
        ("waiting_acceptance", "order_reserved"),
        ("shipping", "order_accepted"),
        ("to_collect", "order_ready"),
        ("received", "order_collected"),
        ("refused", "order_refused"),
        ("canceled", "order_canceled"),
    ],
)
def test_each_step_is_told_once_with_its_number_and_a_way_to_the_order(status, event):
    part = a_part(status)
    (letter,) = factories.letters(event)
    assert part.order.number in letter.subject
    assert "http" in letter.body
    assert letter.order_id == part.order_id
    assert letter.recipient == part.order.email


def test_a_vendor_without_an_address_stops_no_order():
    part = a_part("canceled")
    assert part.ended_at
    assert factories.letters("order_withdrawn") == []
