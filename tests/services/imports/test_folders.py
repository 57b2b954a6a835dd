"""A folder that is watched: what a till drops there is taken in as if somebody had given it."""

import os
import time

import pytest

from models import ImportRun
from services.imports import folders
from services.unit import db, unit_of_work
from tests import factories


@pytest.fixture
def watched(app, tmp_path):
    factories.a_store("Nantes", "N2")
    (tmp_path / "N2" / "partiel").mkdir(parents=True)
    return tmp_path


def dropped(folder, name: str, seconds_ago: int = 60, text: str = "ean;quantite\n"):
    path = folder / name
    path.write_text(text + f"{factories.ean(7)};1\n")
    os.utime(path, (time.time() - seconds_ago,) * 2)
    return path


def runs() -> list[ImportRun]:
    db.session.rollback()
    return list(db.session.scalars(db.select(ImportRun).order_by(ImportRun.id)))


def test_a_file_of_a_store_is_received_and_set_aside(watched):
    path = dropped(watched / "N2", "stock.csv")
    assert folders.take_in(watched) == 1
    (run,) = runs()
    assert (run.store.code, run.mode, run.by_name) == ("N2", "full", "Dossier surveillé")
    assert not path.exists()
    assert (watched / "N2/recus/stock.csv").exists()
    assert folders.take_in(watched) == 0


def test_a_file_dropped_under_partiel_is_a_partial_one(watched):
    dropped(watched / "N2/partiel", "stock.csv")
    folders.take_in(watched)
    assert [run.mode for run in runs()] == ["delta"]


def test_a_file_that_may_still_be_written_waits(watched):
    dropped(watched / "N2", "stock.csv", seconds_ago=2)
    assert folders.take_in(watched) == 0
    assert runs() == []


def test_a_file_of_a_store_nobody_knows_is_put_where_one_sees_it(watched):
    (watched / "ZZ").mkdir()
    dropped(watched / "ZZ", "stock.csv")
    assert folders.take_in(watched) == 0
    assert (watched / "inconnus/stock.csv").exists()
    assert runs() == []


def test_what_is_no_file_of_ours_is_left_alone(watched):
    dropped(watched / "N2", "notes.docx")
    (watched / "N2/link.csv").symlink_to("/etc/passwd")
    assert folders.take_in(watched) == 0
    assert (watched / "N2/notes.docx").exists()


def test_files_are_taken_in_the_order_they_were_dropped(watched):
    dropped(watched / "N2", "b.csv", seconds_ago=300)
    dropped(watched / "N2", "a.csv", seconds_ago=100, text="ean;quantite\n\n")
    folders.take_in(watched)
    assert [run.file_name for run in runs()] == ["b.csv", "a.csv"]


def test_two_files_of_one_name_are_both_kept(watched):
    for text in ("ean;quantite\n", "ean;quantite\n\n"):
        dropped(watched / "N2", "stock.csv", text=text)
        folders.take_in(watched)
    assert len(list((watched / "N2/recus").iterdir())) == 2


def test_a_folder_that_is_not_there_takes_in_nothing(app, tmp_path):
    assert folders.take_in(tmp_path / "nowhere") == 0


def test_what_nobody_takes_from_the_folder_is_named_with_its_reason(app, tmp_path):
    for name in ("perdu.csv", "N1/stock.ods", "N1/vieux/stock.csv", "inconnus/a.csv"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("ean;quantite\n")
    for name in ("N1/stock.csv", "N1/partiel/stock.csv", "N1/recus/hier.csv", ".DS_Store"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("ean;quantite\n")
    found = {stray.name: stray.why for stray in folders.strays(tmp_path)}
    assert found.keys() == {"perdu.csv", "N1/stock.ods", "N1/vieux/stock.csv", "inconnus/a.csv"}
    assert len(set(found.values())) == 4


def test_a_folder_in_small_letters_is_the_store_s(app, tmp_path):
    with unit_of_work():
        db.session.merge(factories.the_store()).code = "SP2"
    (tmp_path / "sp2").mkdir()
    path = tmp_path / "sp2" / "stock.csv"
    path.write_text(f"ean;quantite\n{factories.a_shoe().ean};3\n")
    os.utime(path, (time.time() - 60, time.time() - 60))
    assert folders.take_in(tmp_path) == 1


def test_a_file_of_no_store_stays_where_it_was_put_aside(app, tmp_path):
    (tmp_path / "ZZ").mkdir()
    dropped(tmp_path / "ZZ", "stock.csv")
    for _n in range(3):
        folders.take_in(tmp_path)
    assert [path.name for path in (tmp_path / "inconnus").iterdir()] == ["stock.csv"]
