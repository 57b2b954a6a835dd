"""Archives people give: one list zipped is that list, pictures are a table of their names."""

import io
import zipfile

import pytest

from models import ImportRun
from services.imports import archives, folders, runs, tables
from services.unit import db
from services.workflow import Refused
from tests import factories
from tests.factories import a_shoe, given, quantity


def zipped(folder, members: dict, name: str = "stock.zip"):
    path = folder / name
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as parts:
        for member, content in members.items():
            parts.writestr(member, content)
    return path


def test_a_zipped_list_is_read_as_the_list(app, tmp_path):
    shoe = a_shoe()
    run = given(zipped(tmp_path, {"export/stock.csv": f"ean;quantite\n{shoe.ean};7\n"}))
    assert (run.state.value, run.file_name) == ("complete", "stock.csv"), run.error
    assert quantity(shoe) == 7


def test_what_systems_add_to_an_archive_is_no_list(app, tmp_path):
    shoe = a_shoe()
    members = {
        "__MACOSX/._stock.csv": b"\x00\x05",
        ".hidden.csv": "x",
        "stock.csv": f"ean;quantite\n{shoe.ean};7\n",
    }
    assert given(zipped(tmp_path, members)).state.value == "complete"


def test_a_zipped_spreadsheet_is_read(app, tmp_path):
    import openpyxl

    shoe, book, out = a_shoe(), openpyxl.Workbook(), io.BytesIO()
    book.active.append(["ean", "quantite"])
    book.active.append([shoe.ean, 4])
    book.save(out)
    assert given(zipped(tmp_path, {"stock.xlsx": out.getvalue()})).state.value == "complete"
    assert quantity(shoe) == 4


def test_several_lists_are_refused_with_their_names(app, tmp_path):
    with pytest.raises(Refused, match=r"a\.csv, b\.csv"):
        archives.picture_names(zipped(tmp_path, {"a.csv": "x;y", "b.csv": "x;y"}))


def test_an_archive_of_nothing_we_read_is_refused(app, tmp_path):
    with pytest.raises(Refused, match="ni une liste"):
        archives.picture_names(zipped(tmp_path, {"notice.pdf": b"%PDF"}))


def test_an_archive_that_swells_is_refused(app, tmp_path):
    bomb = zipped(tmp_path, {"stock.csv": b"0" * 60_000_000})
    with pytest.raises(Refused, match="volumineuse"), archives.unpacked(bomb, "stock.zip"):
        pass


def test_an_archive_cut_short_is_refused(app, tmp_path):
    whole = zipped(tmp_path, {"stock.csv": "ean;quantite\n" * 1000})
    whole.write_bytes(whole.read_bytes()[:-40])
    assert not archives.is_archive(whole)
    with pytest.raises(Refused):
        archives.members(whole)


def test_a_zip_dropped_in_the_watched_folder_is_loaded(app, tmp_path):
    import os

    shoe = a_shoe()
    store = factories.the_store()
    place = tmp_path / "watched" / store.code
    place.mkdir(parents=True)
    path = zipped(place, {"stock.csv": f"ean;quantite\n{shoe.ean};7\n"})
    os.utime(path, (path.stat().st_mtime - 60,) * 2)
    assert folders.take_in(tmp_path / "watched") == 1
    from services import outbox

    outbox.work()
    assert quantity(shoe) == 7


def test_the_page_takes_a_zip_and_knows_what_it_holds(as_staff, tmp_path):
    shoe = a_shoe()
    path = zipped(tmp_path, {"stock.csv": f"ean;quantite\n{shoe.ean};7\n"})
    boss = as_staff("Administrateur")
    data = {
        "kind": "guess",
        "store": factories.the_store().id,
        "file": (io.BytesIO(path.read_bytes()), "stock.zip"),
    }
    assert boss.post("/gestion/imports/fichier/", data=data).status_code == 302
    assert db.session.scalars(db.select(ImportRun.kind)).all() == ["stock"]


def test_the_same_list_zipped_anew_is_the_same_file(app, tmp_path):
    shoe = a_shoe()
    text = f"ean;quantite\n{shoe.ean};7\n"
    one = runs.keep(zipped(tmp_path, {"a.csv": text}, "one.zip"), "one.zip")
    other = runs.keep(zipped(tmp_path, {"b.csv": text, ".x": "y"}, "two.zip"), "two.zip")
    assert one.sha256 == other.sha256


def test_pictures_with_a_note_or_a_list_beside_are_pictures(app, tmp_path):
    for beside in ("LISEZMOI.txt", "liste.csv"):
        path = zipped(tmp_path, {"A-1.jpg": b"x", beside: "a;b\nc;d\n"}, f"{beside}.zip")
        with archives.unpacked(path, path.name) as (inside, _name):
            assert inside == path
        assert archives.picture_names(path) == ["A-1.jpg"]


def test_a_note_beside_a_list_is_no_second_list(app, tmp_path):
    path = zipped(tmp_path, {"argus.csv": "ean;argus\n", "LISEZMOI.txt": "bonjour"})
    with archives.unpacked(path, path.name) as (_inside, name):
        assert name == "argus.csv"


def test_pictures_given_as_another_kind_are_refused_with_the_right_one(app, tmp_path):
    path = zipped(tmp_path, {"A-1.jpg": b"x"})
    with pytest.raises(Refused, match="Photos"):
        tables.open_table(path, runs.KINDS["stock"].columns)
