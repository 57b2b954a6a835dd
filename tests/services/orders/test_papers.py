"""What a shop prints of an order: to prepare it, and to have it signed."""

from models import StockLevel, VendorOrder
from services.orders import papers, parts
from services.stock import levels
from services.unit import db, unit_of_work
from tests import factories
from tests.factories import a_part, a_shoe, a_shop, a_unit_on_sale, an_order, on_sale
from tests.paper import read, scan


def test_the_preparation_slip_names_what_to_take_and_its_number_can_be_scanned():
    part = a_part("shipping")
    pdf = papers.preparation([db.session.get_one(VendorOrder, part.id)])
    text = read(pdf)
    for words in ("Bon de préparation", "Derby Lormont", part.order.name, "89,00", "[ ]", "06"):
        assert words in text, words
    assert part.order.email not in text
    assert part.reference in scan(pdf)


def test_each_line_says_where_it_lies_and_a_unit_which_one_it_is():
    a_shop()
    store = factories.keeps_for_buyers()
    new, used = on_sale(a_shoe("Derby"), 719, 5), a_unit_on_sale(a_shoe("Botte"), 5000)
    with unit_of_work() as session:
        level = session.scalars(db.select(StockLevel)).first()
        levels.set_place(level, "Mur 4", by=factories.MARC)
        session.merge(used.item).place = "R3"
    part = an_order((new, store, 3), (used, store, 1)).parts[0]
    text = read(papers.preparation([part]))
    for words in ("Mur 4", "R3", f"ART{used.item_id:07d}"):
        assert words in text, words


def test_what_is_missing_is_on_no_slip():
    a_shop()
    store = factories.keeps_for_buyers()
    lines = (
        (on_sale(a_shoe("Derby"), 8900, 3), store, 1),
        (on_sale(a_shoe("Botte"), 9900, 1), store, 1),
    )
    part = an_order(*lines).parts[0]
    part.lines[0].kept = 0
    assert "Derby" not in read(papers.preparation([part]))
    assert "Botte" in read(papers.preparation([part]))
    db.session.rollback()


def test_the_slip_to_sign_tells_new_goods_from_second_hand_ones():
    a_shop()
    store = factories.keeps_for_buyers()
    new, used = on_sale(a_shoe("Derby"), 719, 5), a_unit_on_sale(a_shoe("Botte"), 5000)
    part = an_order((new, store, 3), (used, store, 1)).parts[0]
    text = read(papers.collection(part))
    for words in ("Bon de retrait", "17,98", "3,59", "TVA sur la marge", "50,00", "71,57"):
        assert words in text, words
    assert "n’est pas une facture" in text or "n'est pas une facture" in text


def test_all_that_is_to_prepare_is_printed_the_most_urgent_first():
    first = a_part("shipping")
    store = factories.keeps_for_buyers()
    a_part("waiting_acceptance", (on_sale(a_shoe("Botte"), 9000, 1), store, 1))
    third = a_part("shipping", (on_sale(a_shoe("Mule"), 9000, 1), store, 1))
    assert [part.id for part in parts.to_prepare()] == [first.id, third.id]
