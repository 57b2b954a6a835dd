"""What a shop answers to an order, and what ends it from outside."""

from datetime import timedelta

import pytest

from models import (
    CallTask,
    Customer,
    Event,
    Item,
    Message,
    Movement,
    OrderEnd,
    StockConflict,
    StockLevel,
    Store,
    VendorOrder,
)
from services import clock, messages, outbox
from services.installation import agreement
from services.orders import fulfilment, parts, pickup
from services.people import customers
from services.stock import levels
from services.unit import db, unit_of_work
from services.workflow import Refused
from tests import factories
from tests.factories import (
    MARC,
    a_part,
    a_shoe,
    a_shop,
    a_unit_on_sale,
    an_order,
    letters,
    on_sale,
    told,
)

E = OrderEnd


def the(part: VendorOrder) -> VendorOrder:
    return db.session.get_one(VendorOrder, part.id)


def level() -> StockLevel:
    return db.session.scalars(db.select(StockLevel).order_by(StockLevel.id)).first()


def three_pairs() -> VendorOrder:
    """A part of three derbies and one pair of boots, of which the store holds five and one."""
    a_shop()
    store = factories.keeps_for_buyers()
    derby, boots = on_sale(a_shoe("Derby"), 8900, 5), on_sale(a_shoe("Botte"), 12000, 1)
    return an_order((derby, store, 3), (boots, store, 1)).parts[0]


def report(part: VendorOrder, kept: list[int], why: OrderEnd = E.out_of_stock, **how) -> None:
    with unit_of_work() as session:
        row = session.get_one(VendorOrder, part.id)
        ids = [line.id for line in row.lines]
        fulfilment.report(
            row, dict(zip(ids, kept, strict=True)), dict.fromkeys(ids, why), by=MARC, **how
        )


def test_an_accepted_order_gives_its_buyer_a_code(mail):
    part = a_part("shipping")
    (letter,) = letters("order_accepted")
    shown = pickup.code_of(the(part)).shown
    factories.a_moment_later(31)
    assert shown in mail.sent_to(part.order.email)[-1].text
    assert part.store.name in letter.body
    assert letter.recipient == part.order.email


def test_the_code_is_in_the_mail_alone_and_in_nothing_that_is_kept(mail):
    part = a_part("to_collect")
    shown = pickup.code_of(the(part)).shown
    kept = db.session.scalars(db.select(Message).where(Message.order_id == part.order_id)).all()
    assert not any(shown in m.subject + m.body + m.html for m in kept)
    factories.a_moment_later(31)
    told = [letter for letter in mail.sent_to(part.order.email) if shown in letter.text]
    assert len(told) == 2  # accepted, ready
    assert all(shown in letter.html and shown not in letter.subject for letter in told)
    accepted = letters("order_accepted")[0]
    assert messages.MESSAGE.why_not(accepted, "resend")


def test_an_acceptance_can_be_taken_back_until_the_mail_leaves():
    part = a_part()
    with unit_of_work() as session:
        fulfilment.accept(session.get_one(VendorOrder, part.id), by=MARC, can_be_undone=True)
    assert 28 <= parts.seconds_to_undo(the(part)) <= 30
    assert not outbox_due("order_accepted")
    with unit_of_work() as session:
        fulfilment.undo(session.get_one(VendorOrder, part.id), by=MARC)
    assert the(part).status is parts.S.waiting_acceptance
    assert letters("order_accepted") == []
    assert (the(part).code_sealed, the(part).accepted_at) == ("", None)
    assert the(part).due_at == the(part).accept_by
    with unit_of_work() as session:
        fulfilment.accept(session.get_one(VendorOrder, part.id), by=MARC, can_be_undone=True)
    factories.a_moment_later(31)
    with pytest.raises(Refused), unit_of_work() as session:
        fulfilment.undo(session.get_one(VendorOrder, part.id), by=MARC)
    assert the(part).status is parts.S.shipping


def outbox_due(event: str) -> list[Message]:
    """The mails of an event that would leave now."""
    ids = {
        row.payload.get("message")
        for row in db.session.scalars(
            db.select(outbox.Outbox).where(outbox.Outbox.id.in_(outbox.due() or [0]))
        )
    }
    return [letter for letter in letters(event) if letter.id in ids]


def test_a_part_accepted_with_less_says_what_is_missing_and_what_is_left_to_pay():
    part = three_pairs()
    report(part, [2, 1])
    part = the(part)
    assert part.status is parts.S.shipping
    assert (part.units, part.total_cents, part.ordered_cents) == (3, 29800, 38700)
    assert part.modified_at
    (letter,) = letters("order_modified")
    for words in ("1 × Derby", "298,00", "387,00"):
        assert words in letter.body
    assert letters("order_accepted") == []


def test_what_a_shop_has_not_leaves_its_stock_with_the_number_of_the_order():
    part = three_pairs()
    report(part, [2, 1])
    assert (level().quantity, level().reserved) == (4, 2)
    (correction,) = db.session.scalars(
        db.select(Movement).where(Movement.reference == the(part).reference)
    )
    assert correction.quantity == -1


@pytest.mark.parametrize("why", [E.price_error, E.closed, E.other])
def test_another_reason_leaves_the_stock_as_it_is(why):
    report(three_pairs(), [1, 1], why)
    assert (level().quantity, level().reserved) == (5, 1)


def test_a_missing_unit_is_withdrawn_everywhere():
    a_shop()
    store = factories.keeps_for_buyers()
    unit, derby = a_unit_on_sale(a_shoe("Botte"), 3500), on_sale(a_shoe("Derby"), 8900, 5)
    part = an_order((unit, store, 1), (derby, store, 1)).parts[0]
    report(part, [0, 1])
    assert db.session.get_one(Item, unit.item_id).status.value == "withdrawn"
    db.session.refresh(unit)
    assert unit.status.value == "withdrawn"


@pytest.mark.parametrize("kept", [[4, 1], [4, 0], [-1, 1], [3, 2]])
def test_a_number_that_makes_no_sense_is_refused_and_changes_nothing(kept):
    part = three_pairs()
    with pytest.raises(Refused):
        report(part, kept)
    assert the(part).status is parts.S.waiting_acceptance
    assert level().reserved == 3


def test_a_line_of_another_order_is_refused():
    part, other = three_pairs(), a_part()
    with pytest.raises(Refused), unit_of_work() as session:
        fulfilment.report(
            session.get_one(VendorOrder, part.id),
            {other.lines[0].id: 0, part.lines[0].id: 1},
            {},
            by=MARC,
        )
    assert the(part).status is parts.S.waiting_acceptance


def test_a_report_of_nothing_is_no_report():
    part = three_pairs()
    with pytest.raises(Refused):
        report(part, [3, 1])


def test_a_preview_says_the_total_and_changes_nothing():
    part = three_pairs()
    ids = [line.id for line in part.lines]
    assert fulfilment.preview(part, {ids[0]: 1}, {}) == (2, 20900)
    assert the(part).total_cents == 38700


def test_nothing_available_refuses_the_order_and_asks_for_a_call():
    part = three_pairs()
    report(part, [0, 0])
    part = the(part)
    assert part.status is parts.S.refused
    assert part.why is E.out_of_stock
    assert len(letters("order_refused")) == 1
    assert db.session.scalars(db.select(CallTask)).one().vendor_order_id == part.id
    assert (level().quantity, level().reserved) == (2, 0)


def test_a_shop_may_give_up_what_it_accepted():
    part = a_part("to_collect")
    with unit_of_work() as session:
        fulfilment.fail(session.get_one(VendorOrder, part.id), E.closed, words="Dégât", by=MARC)
    part = the(part)
    assert (part.status, part.why, part.remark) == (parts.S.canceled, E.closed, "Dégât")
    assert (level().quantity, level().reserved) == (3, 0)
    assert pickup.code_of(part) is None


@pytest.mark.parametrize("status", ["waiting_acceptance", "shipping", "to_collect"])
def test_a_buyer_cancels_until_the_goods_are_his(status):
    part = a_part(status)
    by = customers.actor(db.session.get_one(Customer, part.order.customer_id))
    with unit_of_work() as session:
        session.merge(factories.the_vendor()).email = "nous@exemple.fr"
        fulfilment.cancel(session.get_one(VendorOrder, part.id), by=by)
    assert the(part).why is E.buyer
    assert level().reserved == 0
    assert len(letters("order_canceled")) == 1
    assert letters("order_withdrawn")[0].recipient == "nous@exemple.fr"


def test_what_was_collected_cannot_be_cancelled():
    part = a_part("received")
    with pytest.raises(Refused), unit_of_work() as session:
        fulfilment.cancel(session.get_one(VendorOrder, part.id), by=MARC)


def test_an_order_nobody_accepts_in_time_is_cancelled_and_everybody_told():
    part = a_part()
    with unit_of_work() as session:
        session.merge(factories.the_vendor()).email = "nous@exemple.fr"
    with clock.at(part.accept_by - timedelta(seconds=1)):
        assert fulfilment.late() == []
        with unit_of_work() as session:
            fulfilment.lapse(session.get_one(VendorOrder, part.id))
        assert the(part).status is parts.S.waiting_acceptance
    with clock.at(part.accept_by + timedelta(seconds=1)):
        assert fulfilment.late() == [part.id]
        for _twice in range(2):
            with unit_of_work() as session:
                fulfilment.lapse(session.get_one(VendorOrder, part.id))
        assert fulfilment.late() == []
    assert the(part).why is E.too_late
    assert level().reserved == 0
    assert len(letters("order_refused")) == len(letters("order_lapsed")) == 1
    assert db.session.scalar(db.select(db.func.count(CallTask.id))) == 1


def test_a_clock_that_comes_after_the_shop_changes_nothing():
    part = a_part("shipping")
    with clock.at(part.accept_by + timedelta(days=1)), unit_of_work() as session:
        fulfilment.lapse(session.get_one(VendorOrder, part.id))
    assert the(part).status is parts.S.shipping


def settle_all(minutes: int = 16) -> None:
    """The clock comes by, once an accepted order's own buyer had his time at the till."""
    with clock.at(clock.now() + timedelta(minutes=minutes)):
        for id in fulfilment.beaten():
            with unit_of_work() as session:
                fulfilment.settle(session.get_one(StockConflict, id))


def test_a_till_that_sells_what_was_promised_refuses_the_order():
    part = a_part()
    key, _secret = factories.a_key()
    told(key, 1, "sale", part.lines[0].variant, 3)
    settle_all()
    part = the(part)
    assert part.status is parts.S.refused
    assert part.why is E.out_of_stock
    assert (level().quantity, level().reserved) == (0, 0)
    assert fulfilment.beaten() == []
    assert len(letters("order_refused")) == 1


def test_a_till_that_sells_a_part_of_it_shortens_an_accepted_order():
    part = three_pairs()
    with unit_of_work() as session:
        fulfilment.accept(session.get_one(VendorOrder, part.id), by=MARC)
    key, _secret = factories.a_key()
    told(key, 1, "sale", part.lines[1].variant, 1)
    settle_all()
    part = the(part)
    assert part.status is parts.S.shipping
    assert (part.units, part.total_cents) == (3, 26700)
    assert len(letters("order_shortened")) == 1


def test_each_move_is_one_line_of_the_history():
    part = a_part("received")
    rows = db.select(Event.verb).where(Event.subject == "vendor_order", Event.subject_id == part.id)
    assert list(db.session.scalars(rows.order_by(Event.id))) == [
        "create",
        "accept",
        "ready",
        "collect",
    ]


def test_an_article_that_is_missing_is_called_by_its_name_in_the_refusal():
    report(three_pairs(), [0, 0])
    (letter,) = letters("order_refused")
    assert "3 × Derby" in letter.body
    assert "1 × Botte" in letter.body


def test_a_till_that_sells_one_of_two_promised_leaves_the_other():
    a_shop()
    store = factories.keeps_for_buyers()
    part = an_order((on_sale(a_shoe("Derby"), 8900, 2), store, 2)).parts[0]
    with unit_of_work() as session:
        fulfilment.accept(session.get_one(VendorOrder, part.id), by=MARC)
    key, _secret = factories.a_key()
    told(key, 1, "sale", part.lines[0].variant, 1)
    settle_all()
    part = the(part)
    assert part.status is parts.S.shipping
    assert (part.units, part.total_cents) == (1, 8900)
    assert (level().quantity, level().reserved) == (1, 1)
    assert agreement.check() == []


def test_a_conflict_given_up_by_hand_still_reaches_the_order():
    part = a_part("shipping")
    key, _secret = factories.a_key()
    told(key, 1, "sale", part.lines[0].variant, 3)
    with unit_of_work() as session:
        levels.give_up(session.scalars(db.select(StockConflict)).one(), by=MARC)
    settle_all()
    assert the(part).status is parts.S.canceled
    settle_all()
    assert len(letters("order_refused")) == 1


def test_a_conflict_of_an_order_takes_no_twin_elsewhere():
    part = a_part("shipping")
    other = factories.a_store()
    factories.stocked(part.lines[0].variant, 5, other)
    key, _secret = factories.a_key()
    told(key, 1, "sale", part.lines[0].variant, 3)
    with pytest.raises(Refused), unit_of_work() as session:
        conflict = session.scalars(db.select(StockConflict)).one()
        levels.replace(conflict, session.get_one(Store, other.id), None, by=MARC)


def test_a_conflict_of_a_finished_order_changes_nothing_of_it():
    part = a_part("shipping")
    key, _secret = factories.a_key()
    told(key, 1, "sale", part.lines[0].variant, 3)
    with unit_of_work() as session:
        fulfilment.cancel(session.get_one(VendorOrder, part.id), by=MARC)
    settle_all()
    assert the(part).why is E.operator
    assert letters("order_refused") == []


def test_what_was_cancelled_at_once_is_never_told_as_accepted(mail):
    part = a_part()
    with unit_of_work() as session:
        fulfilment.accept(session.get_one(VendorOrder, part.id), by=MARC, can_be_undone=True)
    with unit_of_work() as session:
        pickup.ready(session.get_one(VendorOrder, part.id), by=MARC)
    with unit_of_work() as session:
        fulfilment.cancel(session.get_one(VendorOrder, part.id), by=MARC)
    factories.a_moment_later(60)
    told_words = [letter.subject for letter in mail.sent_to(part.order.email)]
    assert len(told_words) == 2  # reserved, cancelled
    assert "annulée" in told_words[-1]


def test_a_wrong_price_of_everything_leaves_the_stock():
    report(three_pairs(), [0, 0], E.price_error)
    assert (level().quantity, level().reserved) == (5, 0)


def test_a_report_that_comes_after_a_till_frees_nothing_twice():
    part = three_pairs()
    key, _secret = factories.a_key()
    told(key, 1, "sale", part.lines[0].variant, 4)
    report(part, [1, 1])
    assert level().reserved >= 0
    assert level().quantity == 1 if level().reserved else level().quantity <= 1
    settle_all()
    assert agreement.check() == []
