"""The orders of a person, and what is kept of them."""

from models import Customer, Message, Order
from services import personal
from services.orders import buyers
from services.unit import db, unit_of_work
from tests.factories import a_buyer, a_part, a_shoe, an_order, keeps_for_buyers, on_sale


def test_an_order_is_found_by_its_buyer_alone():
    order = an_order()
    assert buyers.find(order.customer, order.number).id == order.id
    assert buyers.find(a_buyer(), order.number) is None
    assert buyers.has_ordered(order.customer)
    assert not buyers.has_ordered(a_buyer())


def test_a_person_takes_his_orders_away():
    order = an_order()
    an_order((on_sale(a_shoe("Mule"), 5900, 1), keeps_for_buyers(), 1))  # another person's
    (row,) = personal.exported(order.customer)["orders"]
    assert row["title"] == "Derby Lormont"
    assert (row["number"], row["unit_cents"]) == (f"{order.number}-A", 8900)


def test_an_open_order_keeps_its_account():
    order = an_order()
    assert order.number in personal.why_keep(order.customer)


def test_an_erased_buyer_leaves_an_order_without_a_name():
    part = a_part("received")
    customer = part.order.customer
    assert personal.why_keep(customer) is None
    with unit_of_work() as session:
        personal.RULES["orders"].erase(session.get_one(Customer, customer.id))
    order = db.session.get_one(Order, part.order_id)
    assert customer.last_name not in order.name
    assert (order.email, order.phone, order.first_name) == ("", "", "")
    kept = db.session.scalars(db.select(Message).where(Message.order_id == order.id)).all()
    assert kept
    assert not any("Camille" in message.body for message in kept)
