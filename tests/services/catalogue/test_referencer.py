"""The référencier comes in and goes out: models grouped, only differences written, wrong lines
alone, the same file a mass edit.
"""

import csv
import io
from datetime import timedelta

import openpyxl
import pytest

from models import Brand, PricePoint, Product, ProductState, Variant
from services import clock
from services.catalogue import products, referencer, search
from services.unit import db, unit_of_work
from tests import factories
from tests.factories import LEA, a_file, ean, given

HEADER = (
    "reference-fournisseur;ean;designation;marque;fabricant;rayon;famille;sous-famille;"
    "couleur;matiere;taille;pointure;prix-achat-ht;prix-conseille-ttc;tva;saison;actif;maj-le\n"
)


def line(
    number: int,
    ref: str = "LOR-100",
    title: str = "Derby Lormont",
    brand: str = "Lormont",
    size: str = "42",
    price: str = "89,00",
    active: str = "oui",
) -> str:
    return (
        f"{ref};{ean(number)};{title};{brand};Manufacture du"
        f" Pouldu;Chaussures;Ville;Derbies;Noir;Cuir;;{size};41,50;{price};20;Hiver"
        f" 2026;{active};\n"
    )


def variant(number: int) -> Variant:
    return db.session.scalars(db.select(Variant).where(Variant.ean == ean(number))).one()


def test_sizes_of_one_model_are_one_product_with_its_nomenclature(tmp_path):
    run = given(
        a_file(
            tmp_path,
            HEADER
            + line(1, size="41")
            + line(2, size="42")
            + line(3, ref="AUT-1", title="Botte Aubrac", brand="Aubrac"),
        ),
        "catalogue",
    )
    assert (run.lines_read, run.created, run.refused, run.error) == (3, 3, 0, "")
    derby = variant(1).product
    assert [v.shoe_size for v in derby.variants] == ["41", "42"]
    assert variant(3).product.id != derby.id
    assert (
        derby.brand.name,
        derby.maker,
        derby.category,
        derby.family,
        derby.subfamily,
        derby.season,
        derby.vat_bp,
    ) == ("Lormont", "Manufacture du Pouldu", "Chaussures", "Ville", "Derbies", "Hiver 2026", 2000)
    assert (
        variant(2).color,
        variant(2).material,
        variant(2).buy_cents,
        variant(2).advised_cents,
    ) == ("Noir", "Cuir", 4150, 8900)
    assert search.find(search.Asked("derbies lormont")).ids == [derby.id]


def test_the_same_file_again_writes_nothing_and_one_changed_line_writes_one(tmp_path):
    rows = [line(n, ref=f"R{n}", title=f"Modèle {n}") for n in range(1, 21)]
    given(a_file(tmp_path, HEADER + "".join(rows)), "catalogue")
    before = {v.id: v.updated_at for v in db.session.scalars(db.select(Variant))}
    run = given(a_file(tmp_path, HEADER + "".join(rows)), "catalogue")
    assert (run.created, run.updated, run.unchanged) == (0, 0, 20)
    assert {v.id: v.updated_at for v in db.session.scalars(db.select(Variant))} == before
    rows[4] = line(5, ref="R5", title="Modèle 5", price="79,00")
    run = given(a_file(tmp_path, HEADER + "".join(rows)), "catalogue")
    assert (run.created, run.updated, run.unchanged) == (0, 1, 19)
    assert variant(5).advised_cents == 7900
    assert [
        p.price_cents
        for p in db.session.scalars(
            db.select(PricePoint)
            .where(PricePoint.variant_id == variant(5).id)
            .order_by(PricePoint.id)
        )
    ] == [8900, 7900]


def test_a_file_cut_to_two_columns_edits_many_and_leaves_the_rest(tmp_path):
    given(a_file(tmp_path, HEADER + line(1, size="41") + line(2, size="42")), "catalogue")
    run = given(
        a_file(tmp_path, f"ean;prix-conseille-ttc\n{ean(1)};95,00\n{ean(9)};12\n"), "catalogue"
    )
    assert (run.updated, run.created, run.refused) == (1, 0, 1)
    assert "donnez" in run.report["refused"][0][2].lower() or "titre" in run.report["refused"][0][2]
    assert (variant(1).advised_cents, variant(1).color, variant(1).product.title) == (
        9500,
        "Noir",
        "Derby Lormont",
    )


def test_a_new_size_joins_the_model_already_there(tmp_path):
    given(a_file(tmp_path, HEADER + line(1)), "catalogue")
    given(a_file(tmp_path, HEADER + line(2, size="43")), "catalogue")
    assert variant(2).product_id == variant(1).product_id
    assert db.session.scalar(db.select(db.func.count(Product.id))) == 1


def test_a_brand_spelled_otherwise_is_one_brand(tmp_path):
    given(
        a_file(tmp_path, HEADER + line(1, brand="Lormont") + line(2, ref="X", brand="LORMONT")),
        "catalogue",
    )
    assert [b.name for b in db.session.scalars(db.select(Brand))] == ["Lormont"]


def test_lines_that_repeat_count_once_and_lines_that_contradict_are_both_refused_with_their_numbers(
    tmp_path,
):
    text = (
        HEADER
        + line(1)
        + line(1)
        + line(2, price="10,00")
        + line(2, price="11,00")
        + line(3, size="44")
    )
    run = given(a_file(tmp_path, text), "catalogue")
    assert (run.created, run.repeated, run.refused) == (2, 1, 2)
    assert db.session.scalar(db.select(db.func.count(Variant.id)).where(Variant.ean == ean(2))) == 0
    sentences = {row[0]: row[2] for row in run.report["refused"]}
    assert set(sentences) == {4, 5}
    assert "4, 5" in sentences[4]


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ("3,7E+12", "tableur"),
        ("3760150000015", "dernier chiffre"),
        ("", "code-barres"),
    ],
)
def test_a_wrong_barcode_fails_alone(tmp_path, wrong, why):
    run = given(a_file(tmp_path, HEADER + line(1) + line(2).replace(ean(2), wrong)), "catalogue")
    assert (run.created, run.refused) == (1, 1)
    assert why in run.report["refused"][0][2]


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("89,00", "gratuit", "montant"),
        (";20;", ";vingt;", "TVA"),
        (";oui;", ";peut-être;", "oui"),
        ("Derby Lormont", " ", "titre"),
    ],
)
def test_a_wrong_cell_fails_alone_with_its_sentence(tmp_path, old, new, why):
    run = given(
        a_file(tmp_path, HEADER + line(1).replace(old, new) + line(2, size="43")), "catalogue"
    )
    assert (run.created, run.refused) == (1, 1)
    assert why in run.report["refused"][0][2]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize("separator", [";", ",", "\t"])
def test_any_encoding_and_separator_give_the_same_catalogue(tmp_path, encoding, separator):
    text = (
        f"ean{separator}designation{separator}marque{separator}couleur\n{ean(1)}{separator}Soulier"
        f" d’été{separator}Éclair{separator}Bleu pâle\n"
    )
    (tmp_path / "x.csv").write_text(text, encoding=encoding)
    run = given(tmp_path / "x.csv", "catalogue")
    assert run.created == 1
    assert variant(1).product.title == "Soulier d’été"
    assert variant(1).product.brand.name == "Éclair"


def test_a_spreadsheet_is_a_file_like_another(tmp_path):
    book = openpyxl.Workbook()
    book.active.append(["designation", "colonne inconnue", "ean", "prix-conseille-ttc"])
    book.active.append(["Derby", "x", int(ean(1)), 89.5])
    book.save(tmp_path / "ref.xlsx")
    run = given(tmp_path / "ref.xlsx", "catalogue")
    assert run.created == 1
    assert variant(1).advised_cents == 8950
    assert run.report["unknown_columns"] == ["colonne inconnue"]


def test_the_export_is_the_import_and_says_nothing_a_spreadsheet_would_run(tmp_path):
    given(
        a_file(tmp_path, HEADER + line(1) + line(2, ref="X-1", title="=2+5", size="43")),
        "catalogue",
    )
    text = "".join(referencer.as_csv())
    rows = list(csv.reader(io.StringIO(text.removeprefix("\ufeff")), delimiter=";"))
    assert ";".join(rows[0]) + "\n" == HEADER
    assert len(rows) == 3
    assert rows[1][:-1] == line(1).strip().split(";")[:-1]
    assert rows[2][2] == "'=2+5"
    run = given(a_file(tmp_path, text, "export.csv"), "catalogue")
    assert run.created == 0
    assert run.unchanged >= 1
    book = openpyxl.load_workbook(io.BytesIO(referencer.as_xlsx()))
    assert [c.value for c in book.active[1]] == HEADER.strip().split(";")
    assert book.active.max_row == 3


def test_an_export_since_a_moment_holds_what_changed_since(tmp_path):
    with clock.at(clock.now() - timedelta(days=3)):
        given(a_file(tmp_path, HEADER + line(1) + line(2, ref="Y", title="Autre")), "catalogue")
    given(a_file(tmp_path, f"ean;prix-conseille-ttc\n{ean(2)};70\n", "prix.csv"), "catalogue")
    eans = [row[1] for row in referencer.lines(clock.now() - timedelta(days=1))]
    assert eans == [ean(2)]


def test_a_vendor_s_own_file_proposes_what_is_new_and_changes_nothing_else(tmp_path):
    given(a_file(tmp_path, HEADER + line(1)), "catalogue")
    run = given(
        a_file(
            tmp_path,
            HEADER + line(1, title="Mon titre", price="1,00") + line(2, ref="N-1", title="Nouveau"),
        ),
        "catalogue",
        vendor=factories.the_vendor(),
    )
    assert (run.created, run.updated) == (1, 0)
    assert variant(1).product.title == "Derby Lormont"
    assert variant(1).advised_cents == 8900
    assert (variant(2).product.status, variant(2).product.proposed_by_id) == (
        ProductState.proposed,
        factories.the_vendor().id,
    )


@pytest.mark.parametrize(
    ("words", "points"),
    [("20", 2000), ("5,5", 550), ("5.5 %", 550), ("0.2", 2000), ("0", 0), ("2,10", 210)],
)
def test_rates_of_vat_are_read_as_people_write_them(words, points):
    assert referencer.read_vat(words) == points


def test_a_vendor_s_new_barcode_never_joins_a_sheet_others_already_see(tmp_path):
    given(a_file(tmp_path, HEADER + line(1)), "catalogue")
    given(a_file(tmp_path, HEADER + line(1) + line(2)), "catalogue", vendor=factories.the_vendor())
    assert variant(2).product_id != variant(1).product_id
    assert variant(2).product.status is ProductState.proposed
    given(a_file(tmp_path, HEADER + line(2) + line(3)), "catalogue", vendor=factories.the_vendor())
    assert variant(3).product_id == variant(2).product_id


# ── one model or two (domain 2.46) ──

SHORT = "reference-fournisseur;ean;designation;fabricant;pointure\n"


def doubts(run) -> str:
    return " | ".join(sentence for _line, sentence in run.report["doubts"])


def test_two_makers_with_one_reference_are_two_products(tmp_path):
    run = given(
        a_file(
            tmp_path,
            SHORT + f"1001;{ean(1)};Mule Corail;Scholl;38\n1001;{ean(2)};Botte Pluie;Aigle;39\n",
        ),
        "catalogue",
    )
    assert run.created == 2
    assert variant(1).product_id != variant(2).product_id
    assert (variant(2).product.title, variant(2).product.maker) == ("Botte Pluie", "Aigle")


def test_unlike_titles_under_one_reference_and_brand_are_two_products_and_told(tmp_path):
    run = given(
        a_file(
            tmp_path,
            HEADER
            + line(1, ref="QQ1", title="Mocassin Noir femme", brand="Gabor")
            + line(2, ref="QQ1", title="Escarpin Rouge femme", brand="Gabor")
            + line(3, ref="QQ1", title="MOCASSIN femme 41", brand="GABOR"),
        ),
        "catalogue",
    )
    assert variant(1).product_id != variant(2).product_id
    assert variant(3).product_id == variant(1).product_id
    assert "Escarpin Rouge femme" in doubts(run)


@pytest.mark.parametrize(
    "words",
    [
        f"reference-fournisseur;ean;designation\nCLK-DB;{ean(5)};Tong plage Havaianas\n",
        f"reference-fournisseur;ean;designation\nCLK-DB;{ean(5)};Desert Boot\n",
        SHORT + f"CLK-DB;{ean(5)};Desert Boot;Havaianas;41\n",
    ],
    ids=["another title", "no maker", "another maker"],
)
def test_a_stranger_with_the_reference_of_a_product_is_a_sheet_of_its_own_and_told(tmp_path, words):
    given(
        a_file(tmp_path, HEADER + line(1, ref="CLK-DB", title="Desert Boot", brand="Clarks")),
        "catalogue",
    )
    run = given(a_file(tmp_path, words, "b.csv"), "catalogue")
    assert variant(5).product_id != variant(1).product_id
    assert "Desert Boot" in doubts(run)


def test_a_new_size_named_by_its_maker_alone_joins_the_model(tmp_path):
    given(a_file(tmp_path, HEADER + line(1)), "catalogue")
    given(
        a_file(tmp_path, SHORT + f"LOR-100;{ean(2)};Derby Lormont;manufacture du pouldu;43\n"),
        "catalogue",
    )
    assert variant(2).product_id == variant(1).product_id


def test_one_barcode_of_a_sheet_does_not_rename_the_others(tmp_path):
    given(a_file(tmp_path, HEADER + line(1, size="41") + line(2, size="42")), "catalogue")
    run = given(
        a_file(
            tmp_path, f"ean;designation;marque;pointure\n{ean(2)};Botte Pluie;Aigle;39\n", "b.csv"
        ),
        "catalogue",
    )
    assert (variant(1).product.title, variant(1).product.brand.name) == ("Derby Lormont", "Lormont")
    assert variant(2).shoe_size == "39"
    assert "Botte Pluie" in doubts(run)
    assert run.updated == 1


def test_all_barcodes_of_a_sheet_together_rename_it(tmp_path):
    given(a_file(tmp_path, HEADER + line(1, size="41") + line(2, size="42")), "catalogue")
    run = given(
        a_file(tmp_path, f"ean;designation\n{ean(1)};Botte Pluie\n{ean(2)};Botte Pluie\n", "b.csv"),
        "catalogue",
    )
    assert (variant(1).product.title, doubts(run)) == ("Botte Pluie", "")


def test_a_column_the_lines_of_one_product_contradict_is_left_and_told(tmp_path):
    given(a_file(tmp_path, HEADER + line(1, size="41") + line(2, size="42")), "catalogue")
    run = given(
        a_file(tmp_path, f"ean;saison;famille\n{ean(1)};P27;Sport\n{ean(2)};H27;Sport\n", "b.csv"),
        "catalogue",
    )
    assert (variant(1).product.season, variant(1).product.family) == ("Hiver 2026", "Sport")
    assert "P27" in doubts(run)
    again = given(
        a_file(tmp_path, f"ean;saison;famille\n{ean(1)};P27;Sport\n{ean(2)};H27;Sport\n", "c.csv"),
        "catalogue",
    )
    assert (again.updated, again.unchanged) == (0, 2)


def test_two_articles_on_one_sheet_are_told_until_somebody_detaches_one(tmp_path):
    given(a_file(tmp_path, HEADER + line(1, size="41") + line(2, size="42")), "catalogue")
    words = f"ean;designation\n{ean(1)};Mule Corail\n{ean(2)};Botte Pluie\n"
    run = given(a_file(tmp_path, words, "b.csv"), "catalogue")
    assert variant(1).product.title == "Derby Lormont"
    assert "Botte Pluie" in doubts(run)
    with unit_of_work() as session:
        products.detach(session.get_one(Variant, variant(2).id), by=LEA)
    run = given(a_file(tmp_path, words, "c.csv"), "catalogue")
    assert (variant(1).product.title, variant(2).product.title, doubts(run)) == (
        "Mule Corail",
        "Botte Pluie",
        "",
    )


def test_a_size_has_one_spelling_and_nothing_is_cut_without_a_word(tmp_path):
    run = given(
        a_file(
            tmp_path,
            HEADER
            + line(1, size="42.5")
            + line(2, size="8 1/2 UK / 42,5 EU")
            + line(3, size="4" * 41),
        ),
        "catalogue",
    )
    assert (run.created, run.refused) == (2, 1)
    assert (variant(1).shoe_size, variant(2).shoe_size) == ("42,5", "8,5 UK / 42,5 EU")
    assert "40" in run.report["refused"][0][2]


def test_a_new_product_whose_lines_contradict_each_other_says_so(tmp_path):
    run = given(
        a_file(
            tmp_path,
            HEADER + line(1) + line(2, size="43").replace("Hiver 2026", "Printemps 2027"),
        ),
        "catalogue",
    )
    assert variant(1).product.season == "Hiver 2026"
    assert "Printemps 2027" in doubts(run)
