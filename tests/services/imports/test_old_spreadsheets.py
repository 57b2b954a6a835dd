"""Files of tills in the format of Excel before 2007, and what is only named like them."""

import random
import shutil
from pathlib import Path

import openpyxl
import pytest

from models import ImportState
from services.imports import old_spreadsheets, runs, tables
from services.workflow import Refused
from tests import factories

FIELD = Path(__file__).parents[2] / "files" / "field"
OLD = FIELD / "stock_old_excel.xls"


def read(path: Path) -> tuple[list[str], list[list[str]]]:
    tables.check_name(path, path.name)
    table = tables.open_table(path, runs.KINDS["stock"].columns)
    return table.header, [cells for _line, cells in table.rows]


def test_the_stock_of_an_old_excel_file_is_found_on_its_sheet_below_its_title(app):
    header, rows = read(OLD)
    assert header[:3] == ["Code barre", "Désignation", "Quantité"]
    assert rows[0][:4] == ["3307216012948", "Mario Kart 8", "4", "39,9"]
    assert rows[1][0] == "0045496420055"
    assert rows[0][4].startswith("2026-10-20")
    assert tables.sheets(OLD) == ["Lisez-moi", "Stock"]
    chosen = tables.open_table(OLD, {}, tables.Reading("", "", "Stock", 3))
    assert [line for line, _cells in chosen.rows] == [5, 6, 7]


def test_an_old_excel_file_puts_its_quantities_in_stock(app, tmp_path):
    shoe = factories.a_shoe()
    path = tmp_path / "stock.xls"
    data = OLD.read_bytes().replace(b"0045496420055", shoe.ean.encode())
    path.write_bytes(data)
    run = factories.given(path)
    assert (run.state, run.error) == (ImportState.complete, "")
    assert (run.created, run.ignored, run.lines_read) == (1, 2, 3)


def test_a_new_spreadsheet_or_a_text_named_xls_is_read_for_what_it_is(app, tmp_path):
    book = openpyxl.Workbook()
    book.active.append(["ean", "quantite"])
    book.active.append(["5030930122430", 4])
    book.save(tmp_path / "neuf.xlsx")
    shutil.move(tmp_path / "neuf.xlsx", tmp_path / "neuf.xls")
    (tmp_path / "texte.xls").write_text("ean\tquantite\n5030930122430\t4\n")
    for name in ("neuf.xls", "texte.xls"):
        assert read(tmp_path / name) == (["ean", "quantite"], [["5030930122430", "4"]])


def test_a_web_page_named_xls_is_refused_with_what_to_do(app, tmp_path):
    page = tmp_path / "page.xls"
    page.write_text("<html><table><tr><td>ean</td></tr></table></html>")
    with pytest.raises(Refused, match="page web"):
        read(page)


def test_an_old_file_under_another_name_or_too_large_is_refused(app, tmp_path, monkeypatch):
    other = tmp_path / "stock.csv"
    shutil.copy(OLD, other)
    with pytest.raises(Refused, match="illisible"):
        read(other)
    monkeypatch.setattr(old_spreadsheets, "MOST_BYTES", 1000)
    with pytest.raises(Refused, match="trop"):
        read(OLD)


def test_a_damaged_old_file_is_refused_with_a_sentence_and_nothing_else(app, tmp_path):
    good, path, refused = OLD.read_bytes(), tmp_path / "abime.xls", 0
    for seed in range(40):
        dice, damaged = random.Random(seed), bytearray(good)
        for _n in range(dice.randint(1, 30)):
            damaged[dice.randrange(8, len(damaged))] = dice.choice([0, 127, 255])
        path.write_bytes(damaged[: dice.choice([len(damaged), dice.randrange(8, len(damaged))])])
        try:
            read(path)
        except Refused:
            refused += 1
    assert refused > 15


def test_a_file_made_to_be_read_for_ever_is_refused_in_its_time(app, monkeypatch):
    monkeypatch.setattr(old_spreadsheets, "SECONDS", 1)
    with pytest.raises(Refused, match="trop"):
        old_spreadsheets.read(FIELD / "endless_old_excel.xls")
    monkeypatch.setattr(old_spreadsheets, "SECONDS_ON_A_PAGE", 1)
    assert tables.sheets(FIELD / "endless_old_excel.xls") == []
    with pytest.raises(Refused, match="trop"):
        old_spreadsheets.read(FIELD / "endless_old_excel.xls", on_a_page=True)


def test_a_page_reads_smaller_files_than_the_worker(app, monkeypatch):
    monkeypatch.setattr(old_spreadsheets, "MOST_BYTES_ON_A_PAGE", 1000)
    with pytest.raises(Refused, match="trop"):
        old_spreadsheets.read(OLD, on_a_page=True)
    assert len(old_spreadsheets.read(OLD)) == 2
