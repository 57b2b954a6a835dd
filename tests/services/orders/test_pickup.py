"""Collecting in a store: the code, until when, and who tells the sale."""

from datetime import UTC, datetime, timedelta

import pytest

from models import Item, Movement, Reservation, StockLevel, Vendor, VendorOrder
from services import access, clock
from services.orders import fulfilment, parts, pickup
from services.people import vendors
from services.stock import levels
from services.unit import db, unit_of_work
from services.workflow import Refused
from tests import factories
from tests.factories import MARC, a_part, a_shoe, a_shop, a_unit_on_sale, letters, told


def the(part: VendorOrder) -> VendorOrder:
    return db.session.get_one(VendorOrder, part.id)


def level() -> StockLevel:
    return db.session.scalars(db.select(StockLevel).order_by(StockLevel.id)).first()


def collect(part: VendorOrder, typed: str) -> str | None:
    with unit_of_work() as session:
        return pickup.collect(session.get_one(VendorOrder, part.id), typed, by=MARC)


def sales() -> list[Movement]:
    return list(db.session.scalars(db.select(Movement).where(Movement.kind == "sale")))


def wrong(part: VendorOrder) -> str:
    right = factories.pickup_code(part)
    return "000000" if right != "000000" else "111111"


def test_ready_says_until_when_it_is_kept():
    part = a_part("shipping")
    with clock.at(clock.now()), unit_of_work() as session:
        pickup.ready(session.get_one(VendorOrder, part.id), by=MARC)
    part = the(part)
    assert part.status is parts.S.to_collect
    (letter,) = letters("order_ready")
    assert part.order.number in letter.subject
    assert part.collect_by > part.ready_at + timedelta(days=1)


def test_the_mail_that_it_is_ready_comes_after_the_one_that_it_was_accepted(mail):
    part = a_part()
    with unit_of_work() as session:
        fulfilment.accept(session.get_one(VendorOrder, part.id), by=MARC, can_be_undone=True)
    with unit_of_work() as session:
        pickup.ready(session.get_one(VendorOrder, part.id), by=MARC)
    factories.a_moment_later(1)
    assert [
        letter.subject for letter in mail.sent_to(part.order.email) if "prête" in letter.subject
    ] == []
    factories.a_moment_later(40)
    told = [letter.subject for letter in mail.sent_to(part.order.email)]
    assert ["préparation" in told[-2], "prête" in told[-1]] == [True, True]


@pytest.mark.parametrize("status", ["shipping", "to_collect"])
def test_the_code_hands_the_goods_over_and_they_leave_the_stock(status):
    part = a_part(status)
    assert collect(part, factories.pickup_code(part)) is None
    part = the(part)
    assert part.status is parts.S.received
    assert part.code_sealed == ""
    assert (level().quantity, level().reserved) == (2, 0)
    (sale,) = sales()
    assert (sale.quantity, sale.price_cents, sale.reference) == (-1, 8900, part.reference)
    assert len(letters("order_collected")) == 1


def test_the_code_may_be_typed_with_spaces_or_scanned():
    part = a_part("to_collect")
    shown = pickup.code_of(the(part)).shown
    assert collect(part, f" {shown} ") is None
    other = a_part("to_collect", *_second())
    code = pickup.code_of(the(other))
    assert collect(other, f"{pickup.QR_START} {other.reference} {code.token}") is None


def _second():
    store = factories.keeps_for_buyers()
    return ((factories.on_sale(a_shoe("Botte"), 12000, 1), store, 1),)


@pytest.mark.parametrize("typed", ["", "12345", "1234567", "abcdef", "12 34"])
def test_a_slip_of_the_keys_costs_no_try(typed):
    part = a_part("to_collect")
    with pytest.raises(Refused):
        collect(part, typed)
    assert the(part).code_tries == 0


def test_five_wrong_codes_lock_the_order_until_a_new_code_is_given():
    part = a_part("to_collect")
    for left in (4, 3, 2, 1):
        assert str(left) in collect(part, wrong(part))
    assert "5" in collect(part, wrong(part)) or pickup.is_locked(the(part))
    with pytest.raises(Refused):
        collect(part, factories.pickup_code(part))
    assert the(part).status is parts.S.to_collect
    with unit_of_work() as session:
        pickup.give_code(session.get_one(VendorOrder, part.id), by=MARC)
    assert len(letters("order_code")) == 1
    assert collect(part, factories.pickup_code(part)) is None


def test_a_shop_reads_where_to_call_for_a_locked_order():
    assert "(" not in pickup.locked_words()
    with unit_of_work() as session:
        session.get_one(Vendor, vendors.operator_id()).phone = "+33556001122"
    theirs, _site, _store = factories.another_vendor()
    with access.limited_to(access.Scope(frozenset({theirs.id}))):
        assert "Appelez l’opérateur (05 56 00 11 22)" in pickup.locked_words().replace(
            "\u00a0", " "
        )


def test_the_code_of_another_order_opens_nothing():
    part = a_part("to_collect")
    other = a_part("to_collect", *_second())
    code = pickup.code_of(the(other))
    if code.digits != factories.pickup_code(part):
        assert collect(part, code.digits)
    assert collect(part, f"{pickup.QR_START} {other.reference} {code.token}")
    assert collect(part, f"{pickup.QR_START} {part.reference} {code.token}")
    assert the(part).status is parts.S.to_collect


@pytest.mark.parametrize("status", ["waiting_acceptance", "refused", "canceled", "received"])
def test_only_what_the_shop_accepted_is_collected(status):
    part = a_part(status)
    assert pickup.code_of(the(part)) is None
    with pytest.raises(Refused):
        collect(part, "123456")


def test_where_a_till_tells_the_sales_goods_leave_the_stock_once():
    part = a_part("to_collect")
    key, _secret = factories.a_key()
    told(key, 1, "sale", a_shoe("Botte"), 1)  # the till is alive
    used(key)
    collect(part, factories.pickup_code(part))
    assert (level().quantity, level().reserved) == (3, 1)
    told(key, 2, "sale", part.lines[0].variant, 1)
    assert (level().quantity, level().reserved) == (2, 0)
    ours = [sale for sale in sales() if sale.variant_id == part.lines[0].variant_id]
    assert [sale.channel for sale in ours] == ["till"]
    assert levels.untold() == []
    assert fulfilment.beaten() == []


def used(key) -> None:
    with unit_of_work() as session:
        session.merge(key).used_at = clock.now()


def test_a_unit_sold_by_the_till_of_its_own_buyer_is_no_conflict():
    a_shop()
    store = factories.keeps_for_buyers()
    unit = a_unit_on_sale(a_shoe("Botte"), 3500)
    key, _secret = factories.a_key()
    used(key)
    part = a_part("to_collect", (unit, store, 1))
    collect(part, factories.pickup_code(part))
    answer = told(key, 1, "sale", part.lines[0].variant, item=unit.item_id)
    assert answer["conflicts"] == 0
    assert db.session.get_one(Item, unit.item_id).status.value == "sold"


def test_a_sale_no_till_tells_for_a_day_is_told_by_the_order():
    part = a_part("to_collect")
    key, _secret = factories.a_key()
    used(key)
    collect(part, factories.pickup_code(part))
    assert levels.untold() == []
    with clock.at(clock.now() + timedelta(hours=25)):
        (id,) = levels.untold()
        for _twice in range(2):
            with unit_of_work() as session:
                row = session.get_one(Reservation, id)
                if row.status.value == "promised":
                    pickup.tell_untold(row)
        assert levels.untold() == []
    assert (level().quantity, level().reserved) == (2, 0)


def test_what_nobody_collects_goes_back_on_the_shelf():
    part = a_part("to_collect")
    with unit_of_work() as session:
        session.merge(factories.the_vendor()).email = "nous@exemple.fr"
    with clock.at(part.collect_by):
        assert pickup.late() == []
    with clock.at(part.collect_by + timedelta(seconds=1)):
        assert pickup.late() == [part.id]
        for _twice in range(2):
            with unit_of_work() as session:
                pickup.lapse(session.get_one(VendorOrder, part.id))
    assert the(part).why is parts.E.not_collected
    assert (level().quantity, level().reserved) == (3, 0)
    assert len(letters("order_not_collected")) == len(letters("order_back_on_shelf")) == 1


def test_what_was_missing_before_nobody_came_keeps_its_own_reason():
    store = factories.keeps_for_buyers()
    goods = (
        factories.on_sale(a_shoe("Mule"), 5000, 1),
        factories.on_sale(a_shoe("Botte"), 9000, 1),
    )
    part = a_part("waiting_acceptance", *((one, store, 1) for one in goods))
    with unit_of_work() as session:
        mine = session.get_one(VendorOrder, part.id)
        missing = mine.lines[0].id
        fulfilment.report(mine, {missing: 0}, {missing: parts.E.price_error}, by=MARC)
        pickup.ready(mine, by=MARC)
    with clock.at(the(part).collect_by + timedelta(seconds=1)), unit_of_work() as session:
        pickup.lapse(session.get_one(VendorOrder, part.id))
    why = [line.problem for line in the(part).lines]
    assert why == [parts.E.price_error, parts.E.not_collected]


def test_the_qr_code_of_the_page_reads_as_what_opens_the_collection():
    import io

    import zxingcpp
    from PIL import Image

    part = a_part("to_collect")
    assert pickup.qr_svg(the(part)).lstrip().startswith("<?xml")
    code = pickup.code_of(the(part))
    words = f"{pickup.QR_START} {part.reference} {code.token}"
    drawn = zxingcpp.create_barcode(words, zxingcpp.BarcodeFormat.QRCode).to_image(scale=8)
    picture = Image.fromarray(drawn)
    picture.save(io.BytesIO(), "PNG")
    assert [seen.text for seen in zxingcpp.read_barcodes(picture)] == [words]
    assert collect(part, words) is None


def test_a_code_holds_enough_to_be_unguessable():
    codes = {pickup.new_code() for _n in range(200)}
    assert len(codes) == 200
    assert all(len(code.digits) == 6 and len(code.token) >= 16 for code in codes)


def two_derbies(store=None):
    """A part of two pairs, ready, in a store whose till is alive; and that till."""
    a_shop()
    store = store or factories.keeps_for_buyers()
    key, _secret = factories.a_key(store=store)
    used(key)
    wanted = (factories.on_sale(a_shoe("Derby"), 8900, 5, store), store, 2)
    return a_part("to_collect", wanted), key


def test_a_sale_told_in_two_pieces_takes_what_was_left_to_the_till():
    part, key = two_derbies()
    collect(part, factories.pickup_code(part))
    for number in (1, 2):
        told(key, number, "sale", part.lines[0].variant, 1)
    assert (level().quantity, level().reserved) == (3, 0)
    with clock.at(clock.now() + timedelta(hours=25)):
        assert levels.untold() == []


def test_a_sale_of_something_else_or_elsewhere_takes_nothing_that_was_left():
    part, key = two_derbies()
    collect(part, factories.pickup_code(part))
    other = factories.a_store("Brest", "B1")
    there = factories.stocked(part.lines[0].variant, 5, other)
    factories.a_reservation(there, 1, "1799-A", promised=True)
    mule = factories.on_sale(a_shoe("Mule"), 5900, 5)
    here = factories.stocked(mule.variant, 5)
    factories.a_reservation(here, 1, "1798-A", promised=True)
    told(factories.a_key(store=other, name="Caisse B")[0], 1, "sale", part.lines[0].variant, 2)
    told(key, 1, "sale", mule.variant, 1)
    assert level().reserved == 2
    kept = db.select(Reservation).where(Reservation.order_line_id.is_not(None))
    assert db.session.scalars(kept).one().status.value == "promised"


def test_two_collections_and_one_unit_sold_leave_one_to_be_told():
    store = factories.keeps_for_buyers()
    a_shop()
    key, _secret = factories.a_key(store=store)
    used(key)
    derby = factories.on_sale(a_shoe("Derby"), 8900, 5, store)
    both = [a_part("to_collect", (derby, store, 1)) for _n in range(2)]
    for part in both:
        collect(part, factories.pickup_code(part))
    told(key, 1, "sale", derby.variant, 1)
    assert (level().quantity, level().reserved) == (4, 1)


def test_who_pays_before_showing_the_code_is_sold_once():
    part, key = two_derbies()
    told(key, 1, "sale", part.lines[0].variant, 2)
    with unit_of_work() as session:
        row = session.get_one(VendorOrder, part.id)
        assert pickup.collect(row, pickup.code_of(row).digits, by=MARC, is_paid=True) is None
    with clock.at(clock.now() + timedelta(hours=25)):
        assert levels.untold() == []
    assert (level().quantity, level().reserved) == (3, 0)


def test_who_pays_the_last_one_before_showing_the_code_keeps_his_order():
    part = a_part("to_collect")
    key, _secret = factories.a_key()
    used(key)
    told(key, 1, "sale", part.lines[0].variant, 3)  # the last ones, the promised one among them
    assert fulfilment.beaten() == []
    assert collect(part, factories.pickup_code(part)) is None
    with clock.at(clock.now() + timedelta(hours=25)):
        assert fulfilment.beaten() == []
        assert levels.untold() == []
    assert the(part).status is parts.S.received
    assert (level().quantity, level().reserved) == (0, 0)
    assert letters("order_refused") == []


def test_a_count_of_the_till_knows_what_was_taken_away():
    part, key = two_derbies()
    collect(part, factories.pickup_code(part))
    told(key, 1, "count", part.lines[0].variant, 3)
    assert (level().quantity, level().reserved) == (3, 0)
    with clock.at(clock.now() + timedelta(hours=25)):
        assert levels.untold() == []


def test_a_unit_no_till_tells_is_sold_by_its_order():
    a_shop()
    store = factories.keeps_for_buyers()
    unit = a_unit_on_sale(a_shoe("Botte"), 3500)
    key, _secret = factories.a_key()
    used(key)
    part = a_part("to_collect", (unit, store, 1))
    collect(part, factories.pickup_code(part))
    with clock.at(clock.now() + timedelta(hours=25)), unit_of_work() as session:
        (id,) = levels.untold()
        pickup.tell_untold(session.get_one(Reservation, id))
    assert db.session.get_one(Item, unit.item_id).status.value == "sold"


def test_a_till_that_sells_by_barcode_takes_the_unit_that_left_first():
    a_shop()
    store = factories.keeps_for_buyers()
    boot = a_shoe("Botte")
    unit, twin = a_unit_on_sale(boot, 3500), a_unit_on_sale(boot, 3500)
    key, _secret = factories.a_key()
    used(key)
    part = a_part("to_collect", (twin, store, 1))
    collect(part, factories.pickup_code(part))
    told(key, 1, "sale", boot, used=True)
    states = {row.id: row.status.value for row in db.session.scalars(db.select(Item))}
    assert states == {unit.item_id: "listed", twin.item_id: "sold"}


def test_a_lapse_and_a_telling_that_come_early_change_nothing():
    part = a_part("to_collect")
    with unit_of_work() as session:
        pickup.lapse(session.get_one(VendorOrder, part.id))
    assert the(part).status is parts.S.to_collect
    other, _key = two_derbies()
    collect(other, factories.pickup_code(other))
    with unit_of_work() as session:
        rows = db.select(Reservation).where(Reservation.until.is_not(None))
        pickup.tell_untold(session.scalars(rows).one())
    assert len(sales()) == 0


def test_the_days_of_a_store_are_those_of_its_place():
    with unit_of_work() as session:
        session.merge(factories.the_store()).postcode = "67000"
    part = a_part("shipping")
    with clock.at(datetime(2026, 12, 24, 9, tzinfo=UTC)), unit_of_work() as session:
        pickup.ready(session.get_one(VendorOrder, part.id), by=MARC)
    assert clock.paris(the(part).collect_by).day == 29  # the 26th is a holiday there
    with clock.at(datetime(2025, 12, 24, 9, tzinfo=UTC)):
        alsace = factories.an_order(
            (factories.on_sale(a_shoe("Mule"), 5900, 5), factories.keeps_for_buyers(), 1)
        ).parts[0]
    assert clock.paris(alsace.accept_by).day == 30


def test_a_new_code_waits_for_the_mail_of_the_first():
    part = a_part()
    with unit_of_work() as session:
        fulfilment.accept(session.get_one(VendorOrder, part.id), by=MARC, can_be_undone=True)
    with pytest.raises(Refused), unit_of_work() as session:
        pickup.give_code(session.get_one(VendorOrder, part.id), by=MARC)
