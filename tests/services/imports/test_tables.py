"""Any table becomes rows."""

import zipfile
from pathlib import Path

import openpyxl
import pytest

from services.catalogue import products
from services.imports import runs, tables
from services.workflow import Refused

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


@pytest.mark.parametrize("words", ["1.234", "1,234", "1.23.45", "1,23,456.5", "12 francs", "-3,00"])
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
