"""A restored backup is believed only once everything in it agrees again; and it sends nothing by
itself.

Between the backup and the disaster labels were ordered, mails left, files went to the bank: the
restored database does not know. So all sendings are held, what must not be repeated is doubted, and
a person looks before they resume.
"""

import tempfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from flask import Flask
from flask_babel import gettext as _
from flask_migrate import upgrade
from sqlalchemy import create_engine

from services import audit, dates, files, numbering, outbox, unit
from services.finance import books
from services.installation import backups, health, keys
from services.installation.backups import Restored
from services.storage import Bucket, Store
from services.unit import db, unit_of_work
from services.workflow import Actor, Refused


def into_here(app: Flask, path: Path, *, by: Actor) -> Restored:
    """Restore into this installation's empty database and files, bring it to this version, hold the
    sendings, check everything.
    """
    machine = app.extensions["comptoir"]
    with tempfile.TemporaryDirectory(prefix=backups.MAKING, dir=machine.data_dir) as folder:
        manifest = _known(backups.open_backup(path, Path(folder)))
        db.session.remove()
        db.engine.dispose()
        backups.load(manifest, Path(folder), machine.database_url, machine.data_dir, files.store())
    return _finish(app, manifest, machine.database_url, path.name, by)


def verify(app: Flask, path: Path) -> Restored:
    """The same into a place of its own that goes away afterwards; this installation is left as it
    is.
    """
    machine = app.extensions["comptoir"]
    with tempfile.TemporaryDirectory(prefix=backups.MAKING, dir=machine.data_dir) as folder:
        manifest = _known(backups.open_backup(path, Path(folder)))
        with backups.scratch_database(machine.database_url, machine.data_dir) as (url, data_dir):
            # What lies in the store is read there; what the backup holds goes into the scratch.
            store = files.store() if manifest.get("elsewhere") else None
            backups.load(manifest, Path(folder), url, data_dir, store)
            with elsewhere(app, url, data_dir, store):
                return _finish(app, manifest, url, path.name, Actor("command", None, "Commande"))


def _known(manifest: dict[str, Any]) -> dict[str, Any]:
    """A backup of a newer program is refused before anything is written. Raises Refused."""
    if manifest["revision"] > health.program_version():
        raise Refused(
            _(
                "This backup is of a newer version (%(version)s): bring Comptoir up to date first.",
                version=manifest["revision"],
            )
        )
    return manifest


def why_doubt(manifest: dict[str, Any]) -> str:
    made = datetime.fromisoformat(manifest["made_at"])
    return _(
        "the backup of %(day)s was restored; what waits may have left since",
        day=dates.moment(made),
    )


def _finish(app: Flask, manifest: dict[str, Any], url: str, name: str, by: Actor) -> Restored:
    upgrade(directory=str(Path(app.root_path) / "migrations"))
    report = Restored(
        datetime.fromisoformat(manifest["made_at"]),
        manifest["engine"],
        manifest["revision"],
        len(backups.stored_names(manifest)),
        sum(manifest["counts"].values()),
    )
    db.session.remove()
    with unit_of_work():  # first of all: nothing may leave, whatever the checks below find
        outbox.hold(why_doubt(manifest), by=by)
        outbox.mark_unrepeatable_as_uncertain()
        numbering.leave_a_gap(
            "CDE", 1_000
        )  # slips and files made since the backup bear the numbers that would come next
        for series in numbering.series("VIR-"):
            numbering.leave_a_gap(series, 100)
    there = backups.stored_names(manifest)
    looks: tuple[Callable[[], list[str]], ...] = (
        lambda: backups.check_database(manifest, url),
        books.check,
        lambda: [
            _("Cannot be opened by any key: %(place)s.", place=place) for place in keys.unreadable()
        ],
        lambda: [
            _("A stored file is missing: %(name)s.", name=missing)
            for missing in sorted(files.named() - there)
        ],
        lambda: _changed_in_the_store(manifest.get("elsewhere", {})),
    )
    for look in looks:
        try:
            report.troubles += look()
        except Exception as error:  # a check that cannot be made is a trouble too
            report.troubles.append(f"{type(error).__name__}: {error}")
        db.session.rollback()
    audit.note_now("restored", by=by, subject=name, troubles=len(report.troubles))
    return report


def _changed_in_the_store(prints: dict[str, list[Any]]) -> list[str]:
    """Files of the store that are gone, or are no longer those whose prints the backup holds."""
    store, troubles = files.store(), list[str]()
    if not isinstance(store, Bucket):
        return troubles
    for name, kept in sorted(prints.items()):
        try:
            if store.read_again(name) != kept:
                troubles.append(_("A stored file was changed: %(name)s.", name=name))
        except FileNotFoundError:
            troubles.append(_("A stored file is missing: %(name)s.", name=name))
    return troubles


class elsewhere:
    """The same program on another database and other files, for a while."""

    def __init__(self, app: Flask, url: str, data_dir: Path, store: Store | None = None) -> None:
        self._app, self._url, self._data_dir, self._new = app, url, data_dir, store

    def __enter__(self) -> None:
        db.session.remove()
        self._engine, self._data, self._store = db.engines[None], files.data_dir(), files.store()
        engine = create_engine(self._url)
        unit.tune(engine)
        db.engines[None] = engine
        files.plug(self._data_dir, self._new)

    def __exit__(self, *_error: object) -> None:
        db.session.remove()
        db.engines[None].dispose()
        db.engines[None] = self._engine
        files.plug(self._data, self._store)
