"""Somebody calls the buyer of what will not come, once."""

import pytest

from models import CallTask, VendorOrder
from services.orders import calls, todo
from services.unit import db, unit_of_work
from services.workflow import Refused
from tests.factories import LEA, MARC, a_part, a_shoe, on_sale


def the_task() -> CallTask:
    return db.session.scalars(db.select(CallTask)).one()


def test_a_refusal_asks_for_one_call():
    part = a_part("refused")
    with unit_of_work() as session:
        calls.ask_for(session.get_one(VendorOrder, part.id))
    assert the_task().vendor_order_id == part.id
    assert todo.counts().to_call == 1


def test_a_call_is_made_once_and_says_by_whom():
    a_part("refused")
    id = the_task().id
    with unit_of_work() as session:
        calls.done(session.get_one(CallTask, id), "prendra un 43", by=LEA)
    assert todo.counts().to_call == 0
    with pytest.raises(Refused, match=LEA.name), unit_of_work() as session:
        calls.done(session.get_one(CallTask, id), "autre", by=MARC)
    assert (the_task().done_by, the_task().note) == (LEA.name, "prendra un 43")


def test_what_comes_near_is_proposed():
    part = a_part("refused")
    on_sale(a_shoe("Mule"), 5900)
    assert [card.title for card in calls.instead(part)] == ["Mule"]
