"""One search: words as people type them, barcodes, corrections, facets, pages that neither repeat
nor skip.
"""

import pytest

from models import Brand, Product, ProductState, Variant
from services import clock
from services.catalogue import search
from services.stock import levels
from services.unit import db, unit_of_work
from tests import factories
from tests.factories import LEA, a_shoe, stocked


def find(words: str, **filters) -> list[str]:
    db.session.rollback()
    return [p.title for p in search.products(search.find(search.Asked(words, filters)).ids)]


def test_words_are_found_without_accents_plurals_or_order_and_while_being_typed():
    a_shoe("Chaussures d’été Écru", brand="Pouldu"), a_shoe("Botte Aubrac", brand="Aubrac")
    for words in ("chaussure ete", "ÉTÉ chaussures", "ecru pouldu", "poul", "botte"):
        assert len(find(words)) == 1, words
    assert find("botte été") == []
    assert find("!!!") == []
    assert find('"; DROP') == []


def test_a_barcode_whole_or_begun_and_a_reference_find_in_the_same_box():
    shoe = a_shoe(supplier_ref="LOR-100/B")
    for words in (
        shoe.ean,
        shoe.ean[:8],
        f" {shoe.ean[:3]} {shoe.ean[3:]} ",
        "LOR-100/B",
        "lor100b",
        "lor 100",
    ):
        assert find(words) == ["Derby Lormont"], words


def test_a_mistyped_word_is_corrected_when_nothing_answers():
    a_shoe("Mocassin Pouldu", brand="Pouldu")
    found = search.find(search.Asked("moccasin pouldou"))
    assert found.count == 1
    assert found.corrected == "mocassin pouldu"
    assert search.find(search.Asked("xyzzyx")).count == 0


def test_facets_count_products_and_narrow_by_details_of_one_variant():
    for size, color in (("41", "Noir"), ("42", "Brun")):
        a_shoe(shoe_size=size, color=color)
    a_shoe("Botte Aubrac", "42", "Noir", brand="Aubrac", price_cents=18900)
    facets = search.facets(search.Asked(""))
    assert dict(facets["shoe_size"]) == {"41": 1, "42": 2}
    assert dict(facets["color"]) == {
        "Noir": 2,
        "Marron": 1,
    }
    assert dict(facets["brand"]) == {"Lormont": 1, "Aubrac": 1}
    assert dict(facets["price"]) == {
        "5000-10000": 1,
        "10000-20000": 1,
    }
    assert find("", shoe_size="42", color="Noir") == ["Botte Aubrac"]
    assert find("", brand="Lormont") == ["Derby Lormont"]
    assert find("", price="10000-20000") == ["Botte Aubrac"]
    assert find("", category="Chaussures", shoe_size="50") == []


def test_condition_and_store_narrow_to_what_is_really_there():
    new, used = a_shoe(), a_shoe("Botte Aubrac")
    stocked(new, 1), factories.an_item(used)
    assert find("", condition="new") == ["Derby Lormont"]
    assert find("", condition="used") == ["Botte Aubrac"]
    store = str(factories.the_store().id)
    assert len(find("", store=store)) == 2
    assert find("", store="999") == []
    with unit_of_work() as session:
        levels.adjust(
            session.merge(db.session.scalars(db.select(levels.StockLevel)).one()), 0, by=LEA
        )
    assert find("", condition="new") == []


def test_pages_go_on_without_repeating_and_counts_stop_at_a_thousand():
    with unit_of_work() as session:
        for n in range(1205):
            session.add(Product(title=f"Lacet {n}", created_at=clock.now()))
    found = search.find(search.Asked("lacets", size=100))
    assert found.count_words == "1 000+"
    seen, after = set(found.ids), found.next
    while after:
        found = search.find(search.Asked("lacets", after=after, size=100))
        assert not seen & set(found.ids)
        seen |= set(found.ids)
        after = found.next
    assert len(seen) == 1205


def test_a_renamed_brand_is_found_by_its_new_name_once_the_worker_passed():
    a_shoe()
    with unit_of_work() as session:
        session.scalars(db.select(Brand)).one().name = "Bordelais"
    search.catch_up()
    assert find("bordelais") == ["Derby Lormont"]
    assert find("derby") == ["Derby Lormont"]


@pytest.mark.parametrize(
    "few", [500, 1], ids=["few proposals", "more proposals than are worth leaving out one by one"]
)
def test_only_what_is_validated_is_found_and_counted_unless_asked_otherwise(monkeypatch, few):
    monkeypatch.setattr(search, "MOST_OTHERS", few)
    with unit_of_work() as session:
        for n in range(6):
            status = ProductState.validated if n % 2 else ProductState.proposed
            session.add(Product(title=f"Sabot {n}", status=status, created_at=clock.now()))
    everybody, staff = (
        search.find(search.Asked("sabots")),
        search.find(search.Asked("sabots", states=("validated", "proposed"))),
    )
    assert sorted(find("sabots")) == ["Sabot 1", "Sabot 3", "Sabot 5"]
    assert (
        everybody.count,
        staff.count,
    ) == (3, 6)
    assert dict(search.facets(search.Asked("sabots"))).get("category") is None
    assert len(search.product_ids("sabot")) == 6


@pytest.mark.parametrize(
    "filters", [{}, {"category": "Mercerie"}], ids=["words alone", "words and a department"]
)
@pytest.mark.parametrize("words", ["lacets", ""])
def test_every_page_is_reached_also_beyond_those_that_are_counted(monkeypatch, filters, words):
    monkeypatch.setattr(search, "COUNT_CAP", 5), monkeypatch.setattr(search, "FEW", 2)
    with unit_of_work() as session:
        for n in range(17):
            session.add(Product(title=f"Lacet {n}", category="Mercerie", created_at=clock.now()))
    seen, after = [], 0
    while after is not None:
        found = search.find(search.Asked(words, filters, after=after, size=2))
        assert found.count == 6
        seen += found.ids
        after = found.next
    assert seen == sorted(seen, reverse=True)
    assert len(seen) == 17


# ── sizes and colours, the heart of shoes ──


def test_words_find_a_size_and_a_colour():
    for size in ("36", "42,5", "44"):
        a_shoe("Escarpin Pouldu", size, "Noir")
    a_shoe("Basket Aubrac", "42", "Bleu marine")
    assert find("escarpin noir 36") == ["Escarpin Pouldu"]
    for words in ("escarpin 42,5", "escarpin 42.5", "escarpin 42 1/2", "pointure 44", "taille 36"):
        assert find(words) == ["Escarpin Pouldu"], words
    assert find("basket 42,5") == []
    assert find("escarpin 42") == ["Escarpin Pouldu"], "a size that begins so"
    assert find("basket bleue") == find("basket marine") == ["Basket Aubrac"]


def test_every_size_is_a_value_of_its_facet_in_the_order_of_the_shelf():
    for size in [*map(str, range(24, 49)), "43,5", "45,5", "46,5"]:
        a_shoe(f"Sabot {size}", size)
    shown = [value for value, _count in search.facets(search.Asked(""))["shoe_size"]]
    assert len(shown) == 28
    assert shown[:2] == ["24", "25"]
    assert shown[shown.index("43") + 1] == "43,5"


@pytest.mark.parametrize("asked", ["Noir", "noir", "NOIR/BLANC", "black / white"])
def test_a_colour_is_found_however_it_is_spelled(asked):
    a_shoe("Botte Aubrac", color="Noir / Blanc")
    assert find("", color=asked) == ["Botte Aubrac"]
    assert find("", color="Rouge") == []


def test_a_filter_knows_a_half_size_and_a_brand_in_any_spelling():
    a_shoe("Botte Aubrac", "42,5", brand="Aubrac")
    assert find("", shoe_size="42.5", brand="AUBRAC") == ["Botte Aubrac"]


@pytest.fixture
def pair_of_each_label():
    for label in ("42", "UK 8", "8 UK / 42 EU"):
        a_shoe(f"Tong {label.replace('/', '')}", label, brand="")
    a_shoe("Tong 43", "43", brand="")


def test_a_filter_finds_a_size_in_whatever_scale_its_label_names(pair_of_each_label):
    assert len(find("", shoe_size="42")) == 3
    assert len(find("", shoe_size="UK 8")) == 3
    assert find("", shoe_size="43") == ["Tong 43"]


def test_a_facet_counts_the_labels_of_one_size_together(pair_of_each_label):
    assert dict(search.facets(search.Asked(""))["shoe_size"]) == {"42": 3, "43": 1}


@pytest.mark.parametrize("words", ["tong uk 8", "8 UK tong", "tong 42 eu", "tong 42"])
def test_words_find_a_size_in_whatever_scale_its_label_names(pair_of_each_label, words):
    assert len(find(words)) == 3


def test_a_scale_typed_is_still_a_word(pair_of_each_label):
    a_shoe("Halo 3 UK", "", brand="")
    assert find("halo 3 uk") == ["Halo 3 UK"]
    assert find("halo uk") == ["Halo 3 UK"]


def labels(words):
    rows = db.session.scalars(
        db.select(Variant).where(search.references(words)).order_by(Variant.shoe_size, Variant.id)
    )
    return [row.shoe_size for row in rows]


@pytest.fixture
def shelf(app):
    for size in ("41", "42", "UK 8", "42,5"):
        a_shoe("Derby Lormont", size)
    a_shoe("Air 90", "44", brand="")


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("derby", ["41", "42", "42,5", "UK 8"]),
        ("derby 42", ["42", "UK 8"]),
        ("derby uk 8", ["42", "UK 8"]),
        ("derby 42 1/2", ["42,5"]),
        ("42.5", ["42,5"]),
    ],
)
def test_a_size_among_the_words_leaves_the_references_of_that_size(shelf, words, found):
    assert labels(words) == found


def test_a_number_of_a_title_that_is_a_size_of_others_narrows_nothing(shelf):
    a_shoe("Botte Aubrac", "90", brand="Aubrac")
    assert labels("air 90") == ["44"]
