"""A backup: whole or not at all, sealed, read back, opened by nothing but its key."""

import os
import shutil
import time
from datetime import timedelta

import pytest

from models import Pulse
from services import clock, files, sealing
from services.installation import backups
from services.unit import db
from services.workflow import Refused
from tests import factories
from tests.factories import COMMAND

pytestmark = pytest.mark.skipif(shutil.which("pg_dump") is None, reason="pg_dump is not installed")


@pytest.fixture
def backup(app, machine, tmp_path):
    """A backup of a shop with a transfer file, which is a stored file."""
    factories.a_batch(1)
    db.session.rollback()
    return backups.make(machine.database_url, machine.data_dir, tmp_path / "backups")


def test_a_backup_counts_what_it_holds_and_reads_back(backup, machine):
    names = {entry.name for entry in files.store().entries()}
    assert backup.files == len(names) > 0
    assert backup.rows > 20
    assert backups.read_back(backup.path, names, machine.data_dir) == len(names)


def test_a_stored_file_a_backup_does_not_hold_is_told(backup, machine):
    with pytest.raises(backups.Damaged, match="jamais-vu"):
        backups.read_back(backup.path, {"jamais-vu.pdf"}, machine.data_dir)


def test_nothing_of_it_can_be_read_without_its_key(backup, monkeypatch, tmp_path):
    held = backup.path.read_bytes()
    for plain in (b"SQLite format", b"camille", b"pain.001", b"manifest.json", b"vendor"):
        assert plain not in held
    monkeypatch.setattr(sealing, "_ring", {"autre": b"k" * 32})
    with pytest.raises(backups.Damaged, match="COMPTOIR_SEALING_KEYS"):
        backups.open_backup(backup.path, tmp_path / "opened")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data[:-1],
        lambda data: data[: len(data) // 2],
        lambda data: data + b"x",
        lambda data: data[:200] + bytes([data[200] ^ 1]) + data[201:],
        lambda data: b"x" + data[1:],
        lambda data: b"",
    ],
    ids=["last byte lost", "cut in half", "goes on", "one bit", "another head", "empty"],
)
def test_a_backup_that_was_changed_or_cut_is_found_out(backup, tmp_path, spoil):
    copy = tmp_path / "copy.comptoir"
    copy.write_bytes(spoil(backup.path.read_bytes()))
    with pytest.raises(backups.Damaged):
        backups.open_backup(copy, tmp_path / "opened")


def test_a_backup_that_fails_leaves_nothing(app, machine, tmp_path, monkeypatch):
    def full(*_args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(backups, "_dump", full)
    with pytest.raises(OSError, match="No space"):
        backups.make(machine.database_url, machine.data_dir, tmp_path / "backups")
    assert list((tmp_path / "backups").glob(f"*{backups.SUFFIX}")) == []


def test_what_a_killed_backup_left_is_swept_and_a_running_one_is_left_alone(app, machine, tmp_path):
    folder = tmp_path / "backups"
    folder.mkdir()
    dead, alive = (folder / f"{backups.MAKING}{name}.part" for name in ("dead", "alive"))
    for part in (dead, alive):
        part.write_bytes(b"x")
    os.utime(dead, (time.time() - 7 * 3600,) * 2)
    backups.make(machine.database_url, machine.data_dir, folder)
    assert not dead.exists()
    assert alive.exists()


@pytest.mark.parametrize(("keep", "left"), [(2, ["3", "4"]), (9, ["1", "2", "3", "4"])])
def test_the_newest_stay(app, tmp_path, keep, left):
    for number in "1234":
        (tmp_path / f"comptoir-2026112{number}{backups.SUFFIX}").write_bytes(b"x")
    (tmp_path / "notes.txt").write_bytes(b"x")
    backups.prune(tmp_path, keep)
    assert sorted(p.stem[-1] for p in tmp_path.glob(f"*{backups.SUFFIX}")) == left
    assert (tmp_path / "notes.txt").exists()


def test_keeping_none_is_no_wish_to_lose_all(app, tmp_path):
    (tmp_path / f"comptoir-1{backups.SUFFIX}").write_bytes(b"x")
    assert backups.prune(tmp_path, 0) == []
    assert len(list(tmp_path.iterdir())) == 1


def test_a_backup_is_restored_into_an_empty_place_only(backup, machine, tmp_path):
    manifest = backups.open_backup(backup.path, tmp_path / "opened")
    with pytest.raises(Refused, match="vide"):
        backups.load(manifest, tmp_path / "opened", machine.database_url, tmp_path / "new")


def test_a_backup_of_another_engine_is_refused(backup, tmp_path):
    manifest = backups.open_backup(backup.path, tmp_path / "opened")
    other = {**manifest, "engine": "oracle"}
    with pytest.raises(Refused, match="oracle"):
        backups.load(other, tmp_path / "opened", "sqlite://", tmp_path / "new")


# ── the one way to make a backup ──


@pytest.fixture
def place(app, machine, tmp_path):
    return machine.database_url, machine.data_dir, tmp_path / "backups"


def test_a_backup_that_lacks_a_file_kept_meanwhile_leaves_nothing_and_is_told(place, monkeypatch):
    factories.a_batch(1)
    kept = backups._add

    def forgetful(tar, name, path, names):
        if not name.startswith("files/"):
            kept(tar, name, path, names)

    monkeypatch.setattr(backups, "_add", forgetful)
    with pytest.raises(backups.Damaged):
        backups.back_up(*place, by=COMMAND)
    assert list(place[2].iterdir()) == []
    assert not db.session.get(Pulse, "backup").is_well


def test_a_file_that_was_lost_before_keeps_no_backup_from_being_made_and_is_told(app, place):
    batch = factories.a_batch(1)
    files.drop(batch.file)
    db.session.rollback()
    made = backups.back_up(*place, by=COMMAND)
    pulse = db.session.get(Pulse, "backup")
    assert made.lost == [batch.file]
    assert made.path.exists()
    assert (pulse.is_well, batch.file in pulse.facts["error"]) == (False, True)
    said = app.test_cli_runner().invoke(args=["backup", "--to", str(place[2])])
    assert said.exit_code == 1
    assert batch.file in said.output


def test_older_backups_go_only_once_the_new_one_was_read_back(place, monkeypatch):
    place[2].mkdir()
    old = place[2] / f"comptoir-20260101-000000-aaaa{backups.SUFFIX}"
    old.write_bytes(b"x")

    def damaged(*_args):
        raise backups.Damaged("abîmée")

    monkeypatch.setattr(backups, "read_back", damaged)
    with pytest.raises(backups.Damaged):
        backups.back_up(*place, by=COMMAND, keep=1)
    assert list(place[2].iterdir()) == [old]


def test_older_backups_stay_while_a_stored_file_is_gone(app, machine, tmp_path, monkeypatch):
    """What is gone comes back from one of them."""
    monkeypatch.setattr(files, "named", lambda: {"gone.jpg"})
    place = (machine.database_url, machine.data_dir, tmp_path)
    for day in range(3):
        with clock.at(clock.now() + timedelta(days=day)):
            assert backups.back_up(*place, by=COMMAND, keep=1).lost == ["gone.jpg"]
    assert len(list(tmp_path.glob("comptoir-*"))) == 3
