"""Products proposed, validated, merged with nothing lost, described for each site, sold by whom the
brand agrees; prices of 30 days.
"""

import json
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import (
    Brand,
    BrandAgreement,
    Message,
    Movement,
    Product,
    ProductImage,
    ProductState,
    ProductText,
    Site,
    Variant,
    WebhookDelivery,
)
from services import clock, webhooks, workflow
from services.catalogue import products, search
from services.finance import books
from services.stock import listings
from services.unit import db, unit_of_work
from services.workflow import Refused
from tests import factories
from tests.factories import LEA, a_shoe, ean, quantity, stocked


def find(words: str, **filters) -> list[str]:
    db.session.rollback()
    return [p.title for p in search.products(search.find(search.Asked(words, filters)).ids)]


def test_a_proposed_product_is_sold_only_once_it_is_validated(hooks):
    with unit_of_work() as session:
        product = products.propose(
            session.merge(factories.the_vendor()),
            "Sabot Concarneau",
            ean(910),
            by=LEA,
            brand="Concarneau",
        )
        id = product.id
    variant = products.by_ean(ean(910))
    assert find("sabot") == []
    with pytest.raises(Refused, match="validé"), unit_of_work() as session:
        listings.offer(
            session.merge(factories.the_vendor()), "S-1", session.merge(variant), 4900, by=LEA
        )
    with unit_of_work() as session:
        products.validate(session.get_one(Product, id), by=LEA)
    assert find("sabot") == ["Sabot Concarneau"]
    with unit_of_work() as session:
        listings.offer(
            session.merge(factories.the_vendor()), "S-1", session.merge(variant), 4900, by=LEA
        )


def test_merging_two_sheets_loses_no_barcode_stock_sale_text_nor_picture():
    kept, double = a_shoe("Derby Lormont", "41"), a_shoe("DERBY LORMONT noir", "42", brand="")
    stocked(double, 4)
    key, _secret = factories.a_key()
    factories.told(key, 1, "sale", double)
    site = factories.the_site()
    with unit_of_work() as session:
        product = session.get_one(Product, double.product_id)
        products.describe(product, session.merge(site), "Notre derby", "Cousu main.", by=LEA)
        products.add_image(product, "a.jpg", by=LEA), products.add_image(product, "b.jpg", by=LEA)
        product.description = "Cuir pleine fleur."
    with unit_of_work() as session:
        products.merge(
            session.get_one(Product, double.product_id),
            session.get_one(Product, kept.product_id),
            by=LEA,
        )
    db.session.expire_all()
    into = db.session.get(Product, kept.product_id)
    assert {v.ean for v in into.variants} == {kept.ean, double.ean}
    assert quantity(double) == 3
    assert (into.description, into.cover) == ("Cuir pleine fleur.", "a.jpg")
    assert [i.picture for i in into.images] == ["b.jpg"]
    assert products.words_for(into, site.id) == ("Notre derby", "Cousu main.")
    assert products.words_for(into, None)[0] == "Derby Lormont"
    gone = (
        db.session.get(Product, double.product_id)
        if double.product_id != into.id
        else db.session.scalars(db.select(Product).where(Product.id != into.id)).one()
    )
    assert gone.status is ProductState.merged
    assert products.sheet(gone.id).id == into.id
    assert find("derby") == ["Derby Lormont"]
    assert find(double.ean) == ["Derby Lormont"]
    assert (
        db.session.scalar(db.select(db.func.count(Movement.id)).where(Movement.kind == "sale")) == 1
    )
    assert books.check() == []
    with pytest.raises(Refused), unit_of_work() as session:
        products.merge(session.get_one(Product, into.id), session.get_one(Product, gone.id), by=LEA)


def test_a_sheet_is_not_merged_with_itself_nor_goods_with_a_service():
    shoe = a_shoe()
    with unit_of_work():
        service = products.new_service("Pose de plaque", by=LEA).id
    for other in (shoe.product_id, service):
        with pytest.raises(Refused), unit_of_work() as session:
            products.merge(
                session.get_one(Product, shoe.product_id), session.get_one(Product, other), by=LEA
            )


def test_a_service_is_a_product_with_a_barcode_of_our_own():
    with unit_of_work():
        first, second = (
            products.new_service("Ressemelage", by=LEA),
            products.new_service("Pose de plaque", by=LEA),
        )
        eans = [first.variants[0].ean, second.variants[0].ean]
    assert len(set(eans)) == 2
    assert all(e.startswith("29") and products.read_ean(e) == e for e in eans)


def test_a_site_s_own_words_are_dropped_when_they_are_emptied():
    shoe = a_shoe()
    site_id = factories.the_site().id
    for words, count in (("À nous", 1), ("Autrement", 1), ("", 0)):
        with unit_of_work() as session:
            products.describe(
                session.get_one(Product, shoe.product_id),
                session.get_one(Site, site_id),
                words,
                "",
                by=LEA,
            )
        assert db.session.scalar(db.select(db.func.count(ProductText.id))) == count


def test_a_product_has_at_most_eight_pictures_besides_its_cover():
    shoe = a_shoe()
    with unit_of_work() as session:
        product = session.get_one(Product, shoe.product_id)
        for n in range(9):
            products.add_image(product, f"{n}.jpg", by=LEA)
            session.flush()
        with pytest.raises(Refused, match="8"):
            products.add_image(product, "x.jpg", by=LEA)
    assert db.session.scalar(db.select(db.func.count(ProductImage.id))) == 8


def test_a_brand_that_asks_for_its_agreement_or_excludes_a_vendor_is_obeyed():
    shoe = a_shoe()
    vendor = factories.the_vendor().id
    assert products.why_not_sold_by(vendor, shoe.product) is None
    with unit_of_work() as session:
        session.scalars(db.select(Brand)).one().needs_agreement = True
    assert "accord" in products.why_not_sold_by(vendor, db.session.get(Product, shoe.product_id))
    for allowed in (True, False):
        with unit_of_work() as session:
            session.execute(db.delete(BrandAgreement))
            session.add(
                BrandAgreement(
                    brand_id=shoe.product.brand_id, vendor_id=vendor, allowed=allowed, note=""
                )
            )
        reason = products.why_not_sold_by(vendor, db.session.get(Product, shoe.product_id))
        assert (reason is None) is allowed
        assert (
            shoe.product.brand_id in db.session.scalars(products.closed_brands(vendor)).all()
        ) is not allowed


@pytest.mark.parametrize(
    ("story", "lowest"),
    [
        ([], None),
        ([(100, 5000)], None),
        ([(100, 5000), (1, 4000)], 5000),
        ([(100, 5000), (20, 3000), (1, 4000)], 3000),
        ([(100, 3000), (50, 5000), (1, 4000)], 5000),
        ([(10, 5000), (5, 4500), (1, 4000)], 4500),
    ],
)
def test_the_lowest_price_of_the_last_thirty_days_before_a_reduction(story, lowest):
    shoe, now = a_shoe(price_cents=None), clock.now()
    for days, price in story:
        with clock.at(now - timedelta(days=days)), unit_of_work() as session:
            products.set_price(session.get_one(Variant, shoe.id), price, by=LEA)
    assert products.lowest_of_30_days(shoe.id) == lowest


@pytest.mark.parametrize(
    ("words", "key"),
    [
        ("5060327534393", "5060327534393"),
        (" 5 060327 534393 ", "5060327534393"),
        ("711719926665", "0711719926665"),
        ("0711719926665", "0711719926665"),
        ("96385074", "96385074"),
        ("05060327534393", "5060327534393"),
        ("5-060327-534393", "5060327534393"),
    ],
)
def test_one_article_has_one_key_however_its_barcode_is_written(words, key):
    assert products.read_ean(words) == key


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("", "Saisissez le code-barres"),
        ("5060327534394", "dernier chiffre"),
        ("123", "celui-ci en a 3"),
        ("04549642DIDR", "que des chiffres"),
        ("5,06E+12", "tableur"),
        ("5.06032753439E+12", "tableur"),
        ("٣٧٦٠١٥١٢٠٠٠٠٣", "que des chiffres"),
        ("9" * 40, "celui-ci en a 40"),
    ],
)
def test_a_wrong_barcode_is_told_in_a_sentence(words, says):
    with pytest.raises(products.BadEan, match=says):
        products.read_ean(words)


@given(st.text(max_size=30))
def test_anything_typed_is_a_key_or_a_sentence(words):
    try:
        key = products.read_ean(words)
    except products.BadEan as bad:
        assert str(bad)
    else:
        assert key.isdigit()
        assert len(key) in (8, 13, 14)


def test_a_cover_is_drawn_for_any_title_and_never_runs_anything(client):
    game = factories.a_game("<script>alert(1)</script> & Cie — " + "é" * 90, "PlayStation 4")
    answer = client.get(f"/jaquette/{game.ean}")
    assert answer.status_code == 200
    assert answer.mimetype == "image/svg+xml"
    assert b"<script" not in answer.data.lower()
    assert "sandbox" in answer.headers["Content-Security-Policy"]


def test_an_unknown_barcode_still_has_a_picture(client):
    assert client.get("/jaquette/0000000000000").mimetype == "image/svg+xml"


@given(st.text(max_size=200), st.text(max_size=60))
def test_a_drawn_cover_is_well_formed(title, platform):
    import re
    import xml.etree.ElementTree as ET

    # what XML can hold at all
    clean = lambda words: re.sub(r"[^\u0020-\ud7ff\ue000-\ufffd]", "", words)  # noqa: E731
    ET.fromstring(products.drawn_cover(clean(title), clean(platform)))


@given(st.sampled_from([8, 13, 14]), st.integers(0, 10**13 - 1))
def test_the_check_digit_is_that_of_the_reference_library(length, number):
    from stdnum import ean as reference

    digits = str(number).zfill(14)[-length:]
    assert products._check_digit_fits(digits) == reference.is_valid(digits)


# ── one barcode leaves its sheet ──


def test_a_barcode_that_is_another_article_gets_a_sheet_of_its_own_with_its_stock():
    mule, boot = a_shoe("Mule Corail"), a_shoe("Mule Corail", shoe_size="39")
    stocked(boot, 3)
    with unit_of_work() as session:
        own = products.detach(session.get_one(Variant, boot.id), by=LEA)
        own_id = own.id
    db.session.expire_all()
    assert [v.id for v in mule.product.variants] == [mule.id]
    assert db.session.get_one(Variant, boot.id).product_id == own_id != mule.product_id
    assert (own.title, own.brand, own.status) == (
        "Mule Corail",
        mule.product.brand,
        mule.product.status,
    )
    assert quantity(boot) == 3
    assert [event.verb for event in workflow.history(own)][:1] == ["begin_apart"]
    assert workflow.history(mule.product)[0].facts["ean"] == boot.ean


def test_merging_again_undoes_a_detached_barcode():
    mule, boot = a_shoe("Mule Corail"), a_shoe("Mule Corail", shoe_size="39")
    with unit_of_work() as session:
        own = products.detach(session.get_one(Variant, boot.id), by=LEA)
        products.merge(own, session.merge(mule).product, by=LEA)
    db.session.expire_all()
    assert [v.id for v in mule.product.variants] == [mule.id, boot.id]


def test_the_only_barcode_of_a_sheet_stays():
    mule = a_shoe("Mule Corail")
    with pytest.raises(Refused, match="seul code-barres"), unit_of_work() as session:
        products.detach(session.get_one(Variant, mule.id), by=LEA)


# ── barcodes as other software and scanners give them ──


@pytest.mark.parametrize(
    ("written", "ean"),
    [
        ("45496420055", "0045496420055"),  # a UPC whose first zero a spreadsheet dropped
        ("9782070360024 01", "9782070360024"),  # the price of a magazine beside it
        ("978207036002400005", "9782070360024"),
        ("2070360024", "9782070360024"),  # ISBN of ten characters
        ("04252614", "0042100005264"),  # UPC-E
        ("]E05030930122430", "5030930122430"),
        ("\u200e5030930122430\ufeff", "5030930122430"),
        ("'0045496424671", "0045496424671"),
    ],
)
def test_a_barcode_is_read_however_it_was_written(app, written, ean):
    assert products.read_ean(written) == ean


@pytest.mark.parametrize("written", ["45496420054", "20703600", "04252615", "2070360025", "12345"])
def test_digits_whose_check_digit_does_not_fit_are_no_barcode(app, written):
    with pytest.raises(products.BadEan):
        products.read_ean(written)


@pytest.fixture
def proposal(app):
    """A product the vendor proposed, of a brand nobody else named; its number."""
    with unit_of_work() as session:
        vendor = session.merge(factories.the_vendor())
        vendor.email = "boutique@exemple.fr"
        product = products.propose(vendor, "Derby Lormont", ean(1), by=LEA, brand="+Lormont")
        return product.id


def test_who_proposed_what_is_refused_is_told_why(proposal):
    with unit_of_work() as session:
        products.refuse(session.get_one(Product, proposal), "C'est un doublon", by=LEA)
    db.session.rollback()
    assert db.session.get_one(Product, proposal).status is ProductState.refused
    rows = db.select(Message).where(Message.event == "proposal_refused")
    (letter,) = db.session.scalars(rows)
    assert letter.recipient == "boutique@exemple.fr"
    assert "C'est un doublon" in letter.body
    assert find("lormont") == []
    with unit_of_work() as session:
        products.validate(session.get_one(Product, proposal), by=LEA)
    assert find("lormont") == ["Derby Lormont"]


def test_a_refusal_needs_its_reason(proposal):
    with pytest.raises(Refused, match="Dites pourquoi"), unit_of_work() as session:
        products.refuse(session.get_one(Product, proposal), "  ", by=LEA)
    db.session.rollback()
    assert db.session.get_one(Product, proposal).status is ProductState.proposed


def test_the_vendors_software_is_told_of_a_refusal(proposal):
    with unit_of_work() as session:
        vendor = session.merge(factories.the_vendor())
        webhooks.open_for(vendor, "https://erp.exemple/ici", ["product.refused"], by=LEA)
    with unit_of_work() as session:
        products.refuse(session.get_one(Product, proposal), "Doublon", by=LEA)
    (told,) = db.session.scalars(db.select(WebhookDelivery))
    assert json.loads(told.body)["data"] == {
        "product": proposal,
        "eans": [ean(1)],
        "reason": "Doublon",
    }
