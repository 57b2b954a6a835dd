"""Any table becomes rows."""

import pytest

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
