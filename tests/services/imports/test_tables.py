"""Any table becomes rows."""

import pytest

from services.imports import tables
from services.workflow import Refused

# ── what the reading against ASVS found ──


def test_a_spreadsheet_that_unpacks_a_hundred_times_its_size_is_refused_at_once(app, tmp_path):
    import zipfile

    from services.imports import tables

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
