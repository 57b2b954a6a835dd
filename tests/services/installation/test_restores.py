"""A backup given back."""

import shutil

import pytest

from services import numbering, outbox
from services.finance import books
from services.installation import backups, restores
from services.unit import db
from services.workflow import Refused
from tests import factories
from tests.factories import LEA

needs_pg_dump = pytest.mark.skipif(
    shutil.which("pg_dump") is None, reason="pg_dump is not installed"
)


# ── restores ──


@needs_pg_dump
def test_a_restore_that_finds_damage_still_holds_and_leaves_a_gap(app, machine, tmp_path):
    factories.a_batch(1)
    last, file = numbering.last("CDE"), numbering.series("VIR-")[0]
    path = backups.make(machine.database_url, machine.data_dir, tmp_path).path
    manifest = backups.open_backup(path, tmp_path / "opened")
    with backups.scratch_database(machine.database_url, tmp_path) as (url, data_dir):
        backups.load(manifest, tmp_path / "opened", url, data_dir)
        for stored in (data_dir / "files").iterdir():
            stored.write_bytes(b"damaged")
        with restores.elsewhere(app, url, data_dir):
            report = restores._finish(app, manifest, url, path.name, LEA)
            assert report.troubles
            assert outbox.held() is not None
            assert numbering.last("CDE") == last + 1_000
            assert numbering.last(file) == 101
            db.session.rollback()
            new = factories.an_offer().number
            assert new == f"CDE{last + 1_001:09d}"
            assert not [
                sentence for sentence in books.check() if "CDE" in sentence and "manque" in sentence
            ]
            db.session.rollback()
    assert outbox.held() is None
    assert numbering.last("CDE") == last


@needs_pg_dump
def test_a_backup_of_a_newer_program_is_refused(app, machine, tmp_path):
    path = backups.make(machine.database_url, machine.data_dir, tmp_path).path
    manifest = backups.open_backup(path, tmp_path / "opened")
    with pytest.raises(Refused, match="plus récente"):
        restores._known({**manifest, "revision": "9999"})
