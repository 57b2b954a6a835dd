"""Archives people give: one list zipped is that list, pictures are a table of their names."""

import io
import os
import time
import zipfile
from datetime import timedelta

import pytest

from models import ImportRun
from services import clock, outbox
from services.imports import archives, folders, runs, tables
from services.unit import db
from services.workflow import Refused
from tests import factories
from tests.factories import a_shoe, given, quantity, stocked


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
    shoe = a_shoe()
    store = factories.the_store()
    place = tmp_path / "watched" / store.code
    place.mkdir(parents=True)
    path = zipped(place, {"stock.csv": f"ean;quantite\n{shoe.ean};7\n"})
    os.utime(path, (path.stat().st_mtime - 60,) * 2)
    assert folders.take_in(tmp_path / "watched") == 1
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


def a_bad_zip(path):
    """An archive whose name of a member says that it is UTF-8 and is not."""
    zipped(path.parent, {"stocké.csv": "ean;quantite\n"}, path.name)
    path.write_bytes(path.read_bytes().replace("é".encode(), b"\xdd\xdd"))


def test_one_bad_archive_in_the_watched_folder_stops_no_other_file(app, tmp_path):
    shoe, store, other = a_shoe(), factories.the_store(), factories.a_store("Rennes", "R9")
    root = tmp_path / "watched"
    for one in (store, other):
        (root / one.code).mkdir(parents=True)
    bad, good = root / store.code / "a.zip", root / other.code / "b.csv"
    a_bad_zip(bad)
    good.write_text(f"ean;quantite\n{shoe.ean};7\n")
    for path, seconds in ((bad, 90), (good, 60)):
        os.utime(path, (time.time() - seconds,) * 2)
    assert folders.take_in(root) == 2


def test_an_archive_packed_otherwise_and_damaged_is_a_sentence(app, tmp_path):
    path = tmp_path / "l.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as parts:
        parts.writestr("stock.csv", os.urandom(3000))
    data = bytearray(path.read_bytes())
    data[60:400] = bytes(byte ^ 0x5A for byte in data[60:400])
    path.write_bytes(data)
    with pytest.raises(Refused), archives.unpacked(path, "l.zip"):
        pass


def test_a_bad_archive_on_the_page_is_a_sentence(as_staff, tmp_path):
    a_bad_zip(tmp_path / "x.zip")
    data = {"kind": "guess", "file": (io.BytesIO((tmp_path / "x.zip").read_bytes()), "x.zip")}
    answer = as_staff("Administrateur").post("/gestion/imports/fichier/", data=data)
    assert answer.status_code == 422


def test_an_archive_locked_by_a_password_is_a_sentence(app, tmp_path):
    path = zipped(tmp_path, {"stock.csv": "ean;quantite\n"})
    data = bytearray(path.read_bytes())
    data[6] |= 1
    data[data.rfind(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(Refused, match="mot de passe"), archives.unpacked(path, "s.zip"):
        pass


def test_an_archive_of_too_many_files_is_refused_before_it_is_read(app, tmp_path, monkeypatch):
    path = zipped(tmp_path, {f"{n}.jpg": b"" for n in range(12)})
    monkeypatch.setattr(archives, "MOST_MEMBERS", 10)
    with pytest.raises(Refused, match="plus de 10"):
        archives.members(path)
    monkeypatch.setattr(archives, "MOST_DIRECTORY", 100)
    with pytest.raises(Refused, match="plus de 10"):
        archives.is_archive(path)


def test_a_picture_of_an_archive_is_read_up_to_its_limit(app, tmp_path):
    path = zipped(tmp_path, {"a.jpg": b"x" * 11})
    with pytest.raises(Refused, match="lourd"):
        archives.read(path, "a.jpg", most=10)
    assert archives.read(path, "a.jpg", most=11) == b"x" * 11


def test_the_date_in_the_name_of_an_archive_is_that_of_its_list(app, tmp_path):
    shoe = a_shoe()
    key, _secret = factories.a_key()
    start = clock.now() - timedelta(hours=30)
    with clock.at(start):
        stocked(shoe, 5)
    counted = clock.paris(start + timedelta(hours=2))
    factories.told(key, 1, "sale", shoe, at=start + timedelta(hours=10))
    name = f"stock-{counted:%Y-%m-%d-%H%M}.zip"
    given(zipped(tmp_path, {"stock.csv": f"ean;quantite\n{shoe.ean};5\n"}, name), mode="delta")
    assert quantity(shoe) == 4
