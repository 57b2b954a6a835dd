"""A folder that is watched: what a till drops there is taken in as if somebody had given it
(AN-040).

`FOLDER/CODE/file.csv` is the full stock of the store with that code, `FOLDER/CODE/partiel/file.csv`
a partial one; what was taken is moved to `recus/`, what no store is known for to `inconnus/`.
"""

import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from flask_babel import gettext as _
from sqlalchemy import func, select

from models import Store
from services import clock
from services.imports import runs, tables
from services.unit import db, unit_of_work
from services.workflow import Actor

STILL_SECONDS = 5.0  # a file that was touched later may still be being written
MOST = 200
UNKNOWN = "inconnus"  # files of folders no store has the code of
WATCHER = Actor("machine", None, "Dossier surveillé")


def take_in(folder: Path) -> int:
    """Receive the files that wait, oldest first; returns how many. A file whose moving was cut is
    met again and, being the same, changes nothing.
    """
    if not folder.is_dir():
        return 0
    done = 0
    for path, code, mode in sorted(_waiting(folder), key=lambda found: found[0].stat().st_mtime)[
        :MOST
    ]:
        store = _store(code)
        db.session.rollback()
        if store is None:
            _move(path, folder / UNKNOWN)
            continue
        moment = runs.date_in_name(path.name) or min(
            datetime.fromtimestamp(path.stat().st_mtime, UTC), clock.now()
        )
        stored = runs.keep(path, path.name)
        with unit_of_work() as session:
            runs.receive(
                stored, "stock", by=WATCHER, store=session.merge(store), mode=mode, dated_at=moment
            )
        _move(path, path.parent / "recus")
        done += 1
    return done


def _store(code: str) -> Store | None:
    """The store of a folder, whose letters a shop may write small."""
    rows = select(Store).where(func.lower(Store.code) == code.lower()).order_by(Store.id)
    found = db.session.scalars(rows).all()
    exact = [store for store in found if store.code == code]
    return exact[0] if exact else found[0] if len(found) == 1 else None


@dataclass(frozen=True)
class Stray:
    """A file of the watched folder that nobody takes, and why."""

    name: str
    why: str


def strays(folder: Path) -> list[Stray]:
    """What lies in the watched folder and is taken by nobody: beside the stores' folders, of a kind
    that is no list, or of a store nobody knows. At most a hundred.
    """
    if not folder.is_dir():
        return []
    found: list[Stray] = []
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.name.startswith("."):
            continue
        parts = path.relative_to(folder).parts
        if "recus" in parts[:-1]:
            continue
        name, why = "/".join(parts), ""
        if path.is_symlink():
            why = _("A link is not followed: put the file itself there.")
        elif parts[0] == UNKNOWN:
            why = _("No store has the code of its folder: rename the folder, or give the store it.")
        elif len(parts) == 1:
            why = _("It lies beside the folders of the stores: put it into one.")
        elif path.suffix.lower() not in tables.NAMES:
            why = _("Only CSV, TXT, XLSX and ZIP files are read: save it as one of them.")
        elif len(parts) > 2 and parts[1:-1] != ("partiel",):
            why = _("It lies too deep: only the folder of a store and its « partiel » are read.")
        if why:
            found.append(Stray(name, why))
        if len(found) == 100:
            break
    return found


def _waiting(folder: Path) -> list[tuple[Path, str, str]]:
    found = []
    for place in sorted(p for p in folder.iterdir() if p.is_dir() and p.name != UNKNOWN):
        for inside, mode in ((place, runs.FULL), (place / "partiel", runs.DELTA)):
            if inside.is_dir():
                for path in inside.iterdir():
                    if (
                        path.is_file()
                        and not path.is_symlink()
                        and path.suffix.lower() in tables.NAMES
                        and time.time() - path.stat().st_mtime > STILL_SECONDS
                    ):
                        found.append((path, place.name, mode))
    return found


def _move(path: Path, into: Path) -> None:
    into.mkdir(exist_ok=True)
    target = into / path.name
    if target.exists():
        target = into / f"{path.stem}-{time.time_ns()}{path.suffix}"
    os.replace(path, target)
