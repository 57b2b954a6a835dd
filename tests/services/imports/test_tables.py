"""Any table becomes rows."""

import zipfile
from pathlib import Path

import openpyxl
import pytest

from services.catalogue import products, sizes
from services.imports import runs, tables
from services.workflow import Refused
from tests import factories

FIELD = Path(__file__).parents[2] / "files" / "field"

# ── what the reading against ASVS found ──


def test_a_spreadsheet_that_unpacks_a_hundred_times_its_size_is_refused_at_once(app, tmp_path):
    path = tmp_path / "liste.xlsx"
    row = b'<row r="1"><c r="A1"><v>1</v></c></row>'
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as parts:
        parts.writestr("[Content_Types].xml", "<Types/>")
        parts.writestr(
            "xl/worksheets/sheet1.xml",
            b"<worksheet><sheetData>" + row * 500_000 + b"</sheetData></worksheet>",
        )
    assert path.stat().st_size < 200_000
    with pytest.raises(Refused, match=r"volumineu|trop"):
        tables.open_table(path)


def test_a_name_chosen_for_one_file_never_hides_the_usual_names_of_another(app):
    aliases: dict[str, tuple[str, ...]] = {
        "ean": ("ean", "gencod"),
        "quantity": ("quantite", "stock"),
    }
    chosen = {"ean": "Code barre", "quantity": "En stock"}
    theirs = tables.columns(["Code barre", "Stock", "En stock"], aliases, (), chosen)
    assert theirs.at == {"ean": 0, "quantity": 2}
    assert theirs.unknown == ["Stock"]
    other = tables.columns(["Gencod", "Stock"], aliases, ("ean", "quantity"), chosen)
    assert other.at == {"ean": 0, "quantity": 1}


# ── files as other software writes them ──


def opened(path: Path, kind: str) -> tuple[dict[str, str], list[tuple[int, list[str]]]]:
    """The names a file has for our columns, and its rows."""
    aliases = runs.KINDS[kind].columns
    table = tables.open_table(path, aliases)
    at = tables.columns(table.header, aliases, ()).at
    return {name: table.header[place] for name, place in at.items()}, list(table.rows)


@pytest.mark.parametrize(
    ("name", "line", "title"),
    [
        ("argus_sep_line.csv", 3, "Mario Kart 8 Deluxe"),
        ("argus_preamble.csv", 5, "Mario Kart 8 Deluxe"),
        ("argus_equals_quotes.csv", 2, "Mario Kart 8 Deluxe"),
        ("argus_cp850.csv", 2, "Pokémon épée ça - hôtel"),
        ("argus_double_encoded.csv", 2, "Pokémon Épée"),
        ("argus_old_mac_lines.csv", 2, "Mario Kart 8 Deluxe"),
        ("argus_excel_zeros_lost.csv", 2, "Mario Kart 8 Deluxe"),
    ],
)
def test_a_price_list_is_read_however_it_was_exported(app, name, line, title):
    names, rows = opened(FIELD / name, "argus")
    assert names == {"ean": "ean", "title": "titre", "platform": "plateforme", "argus": "argus"}
    assert (rows[0][0], rows[0][1][1]) == (line, title)
    assert products.read_ean(rows[0][1][0]) == "0045496420055"


def test_a_spreadsheet_s_header_is_found_below_its_title(app):
    names, rows = opened(FIELD / "argus_title_rows.xlsx", "argus")
    assert names == {"ean": "EAN", "title": "Titre", "argus": "Argus"}
    assert rows == [(4, ["5030930122430", "FIFA 21", "3"])]


def test_a_spreadsheet_s_table_is_found_on_its_second_sheet(app, tmp_path):
    book = openpyxl.Workbook()
    book.active.title = "LISEZ-MOI"
    book.active.append(["Ce classeur", "contient le stock"])
    sheet = book.create_sheet("Stock")
    for row in (["Stock au 28/11"], [], ["Gencod", "Qté"], [5030930122430, 4]):
        sheet.append(row)
    book.save(tmp_path / "stock.xlsx")
    names, rows = opened(tmp_path / "stock.xlsx", "stock")
    assert names == {"ean": "Gencod", "quantity": "Qté"}
    assert rows == [(4, ["5030930122430", "4"])]


@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("clictill.csv", {"ean": "Code barre", "quantity": "Stock", "sku": "Référence"}),
        ("fastmag.txt", {"ean": "Gencod", "quantity": "Stock"}),
        ("Visualisation_des_stocks_du_20260719.csv", {"quantity": "En stock", "sku": "Référence"}),
    ],
)
def test_a_till_s_stock_file_names_its_columns_as_it_does(app, name, names):
    found, _rows = opened(FIELD / name, "stock")
    assert names.items() <= found.items()


def test_of_two_columns_that_mean_the_same_the_more_usual_one_counts(app):
    found = tables.columns(
        ["On hand", "Available", "Variant Barcode"], runs.KINDS["stock"].columns, ()
    )
    assert found.at == {"quantity": 1, "ean": 2}
    assert found.unknown == ["On hand"]


@pytest.mark.parametrize(
    ("words", "cents"),
    [
        ("1.234,56", 123456),
        ("1,234.50", 123450),
        ("1'234.50", 123450),
        ("1'234,5678", 123457),
        ("12.345.678,00", None),
        ("16.666667", 1667),
        ("12.989999999999998", 1299),
        ("12,50 EUR", 1250),
        ("12,50 €", 1250),
        ("1 234,5", 123450),
        ("40,00", 4000),
        ("", None),
    ],
)
def test_an_amount_is_read_where_there_is_no_doubt(app, words, cents):
    if words == "12.345.678,00":  # beyond what anything costs
        with pytest.raises(Refused):
            tables.amount(words)
    else:
        assert tables.amount(words) == cents


@pytest.mark.parametrize(
    "words", ["1.234", "1,234", "1.23.45", "1,23,456.5", "12 francs", "-3,00", "4'4,0026", "12'3"]
)
def test_an_amount_that_may_be_two_is_refused(app, words):
    with pytest.raises(Refused):
        tables.amount(words)


def test_a_header_of_a_million_columns_is_refused_at_once(app, tmp_path):
    path = tmp_path / "large.csv"
    path.write_text("ean" + ";" * 1_000_000 + "\n")
    with pytest.raises(Refused, match="colonnes"):
        tables.open_table(path)


def test_a_spreadsheet_of_too_many_words_is_refused_at_once(app, tmp_path, monkeypatch):
    book = openpyxl.Workbook()
    book.active.append(["ean", "titre"])
    book.save(tmp_path / "mots.xlsx")
    with zipfile.ZipFile(tmp_path / "mots.xlsx", "a", zipfile.ZIP_DEFLATED) as parts:
        words = b"<si><t>mot</t></si>" * 300
        parts.writestr("xl/sharedStrings.xml", b"<sst>" + words + b"</sst>")
    assert tables.open_table(tmp_path / "mots.xlsx").header == ["ean", "titre"]
    monkeypatch.setattr(tables, "MOST_SHARED", 299)
    with pytest.raises(Refused, match="trop gros"):
        tables.open_table(tmp_path / "mots.xlsx")


# ── read as a person says ──


def test_a_file_is_read_as_a_person_says_where_it_cannot_be_found_by_itself(app, tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes("ligne une\nCode|Nom, prénom|Reste\n12|Été, hiver|4\n".encode("cp850"))
    found = tables.open_table(path, {}, tables.Reading("cp850", "|", "", 2))
    assert (found.encoding, found.separator) == ("cp850", "|")
    assert found.header == ["Code", "Nom, prénom", "Reste"]
    assert list(found.rows) == [(3, ["12", "Été, hiver", "4"])]


def test_the_sheet_and_the_line_of_a_spreadsheet_can_be_said(app, tmp_path):
    book = openpyxl.Workbook()
    book.active.append(["ean", "quantite"])
    book.active.append(["1", "1"])
    other = book.create_sheet("Magasin")
    for row in (["Stock du jour"], ["Code", "Reste"], ["3760150000011", 4]):
        other.append(row)
    book.save(tmp_path / "deux.xlsx")
    assert tables.sheets(tmp_path / "deux.xlsx") == ["Sheet", "Magasin"]
    found = tables.open_table(tmp_path / "deux.xlsx", {}, tables.Reading("", "", "Magasin", 2))
    assert found.header == ["Code", "Reste"]
    assert list(found.rows) == [(3, ["3760150000011", "4"])]


@pytest.mark.parametrize(
    "said",
    [
        {"encoding": "klingon", "separator": ";;", "line": "-1"},
        {"separator": "x", "line": "0"},
        {"line": "1e9"},
        {"line": "9" * 30},
        {},
    ],
)
def test_what_makes_no_sense_of_how_to_read_a_file_counts_as_not_said(said):
    assert tables.Reading.of(said) == tables.BY_ITSELF


def test_a_formula_without_its_value_is_kept_as_one_and_its_line_is_refused(app, tmp_path):
    shoe, other = factories.a_shoe(), factories.a_shoe()
    book = openpyxl.Workbook()
    for row in (["ean", "quantite", "prix"], [shoe.ean, "=2+2", 3], [other.ean, 5, "=1+1"]):
        book.active.append(row)
    book.save(tmp_path / "calcul.xlsx")
    (_first, cells), (_second, other_cells) = tables.open_table(tmp_path / "calcul.xlsx").rows
    assert isinstance(cells[1], tables.Uncomputed)
    assert cells[1] == "=2+2"
    assert not isinstance(other_cells[1], tables.Uncomputed)
    run = factories.given(tmp_path / "calcul.xlsx", mode="delta")
    assert run.refused == 1
    assert "=2+2" in run.report["refused"][0][2]
    assert factories.quantity(other) == 5  # the formula of a column that is not ours stops nothing
    assert factories.quantity(shoe) == 0


@pytest.mark.parametrize("size", ["03-avr", "avr-03", "2026-04-03 00:00:00", "3/4/2026", "6-Jun"])
def test_a_size_that_a_spreadsheet_turned_into_a_date_is_asked_about(app, tmp_path, size):
    run = factories.given(
        factories.a_file(tmp_path, f"ean;titre;taille\n{factories.ean(4711)};Body bébé;{size}\n"),
        kind="catalogue",
    )
    assert (run.created, run.refused) == (0, 1)
    assert "est une date" in run.report["refused"][0][2]


@pytest.mark.parametrize("size", ["3-4", "38-39", "42,5", "3/4", "12 mois", "XL", "2 ans", "36/38"])
def test_no_real_size_is_taken_for_a_date(size):
    assert not sizes.is_a_date(size)


def test_a_page_opens_smaller_spreadsheets_than_the_worker_and_one_at_a_time(tmp_path, monkeypatch):
    book = openpyxl.Workbook()
    for n in range(200):
        book.active.append([f"{n:013d}", f"Titre {n}"])
    book.save(tmp_path / "liste.xlsx")
    monkeypatch.setattr(tables, "PAGE_UNPACKED", 10_000)
    assert tables.open_table(tmp_path / "liste.xlsx").header[1] == "Titre 0"
    with tables.on_a_page():
        with pytest.raises(Refused, match="CSV"):
            tables.open_table(tmp_path / "liste.xlsx")
        assert tables.sheets(tmp_path / "liste.xlsx") == []
        monkeypatch.setattr(tables, "PATIENCE_SECONDS", 0)
        with pytest.raises(Refused, match="minute"), tables.on_a_page():
            pass
    assert tables.open_table(tmp_path / "liste.xlsx").header[1] == "Titre 0"


def test_parts_of_words_count_as_words_do(tmp_path):
    book = openpyxl.Workbook()
    book.active.append(["ean", "titre"])
    book.save(tmp_path / "morceaux.xlsx")
    runs_of_one_word = (
        b"<sst><si>" + b"<r><t>x</t></r>" * (tables.MOST_SHARED + 1_000) + b"</si></sst>"
    )
    with zipfile.ZipFile(tmp_path / "morceaux.xlsx", "a", zipfile.ZIP_STORED) as parts:
        parts.writestr("xl/more/sharedStrings.xml", runs_of_one_word)
    with pytest.raises(Refused, match="CSV"):
        tables.open_table(tmp_path / "morceaux.xlsx")
