"""Backups that can be trusted: one encrypted file holding the database, every stored file, and a
manifest to verify both.

The database is copied in one consistent view (SQLite's backup API, pg_dump), then the files: what a
row names was stored before the row, so nothing it names can be missing. A restore goes into an
empty place, checks everything again and holds all sendings: what the backup believes to be waiting
may have left since.

A « .comptoir » file is sealed in the age format (services/installation/envelopes.py). Inside: a
gzipped tar, its signed « manifest.json » last.
"""

import gzip
import hashlib
import io
import json
import os
import shutil
import sqlite3
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from flask_babel import gettext as _
from sqlalchemy import Connection, create_engine, inspect, text
from sqlalchemy.engine import URL, make_url

from services import audit, clock, days, files
from services.installation import envelopes
from services.installation.envelopes import Damaged
from services.storage import Bucket, Folder, Store
from services.unit import db, unit_of_work
from services.workflow import Actor, Refused

CHUNK = 1 << 20
SUFFIX = ".comptoir"
MANIFEST = "manifest.json"
MAKING = ".making-"


@dataclass
class Made:
    """A backup that was written: where, how large (bytes), how many files and rows it holds, and
    which stored files were already gone when it was made.
    """

    path: Path
    size: int
    files: int
    rows: int
    lost: list[str] = field(default_factory=list)


@dataclass
class Restored:
    """What came out of a backup, and what does not agree (nothing when all is well)."""

    made_at: datetime
    engine: str
    revision: str
    files: int
    rows: int
    troubles: list[str] = field(default_factory=list)


# ── making ──

KEEP = 14
KEEP_WHILE_LOST = 60


def back_up(
    database_url: str, data_dir: Path, folder: Path, *, by: Actor, keep: int = KEEP
) -> Made:
    """Make a backup the one way there is: written, read back piece by piece, older ones pruned
    only then, and its end told in the pulse that « Santé » shows. One that fails leaves nothing.

    A stored file that was gone before keeps no backup from being made: it is told, and « Santé »
    stays red until somebody mends it. Raises Refused, Damaged or whatever went wrong.
    """
    try:
        made = _make_and_read_back(database_url, data_dir, folder)
        # What is gone comes back from an older one: those stay until somebody looked.
        prune(folder, max(keep, KEEP_WHILE_LOST) if made.lost and keep else keep)
    except Exception as failure:  # whatever it is, somebody must read it tomorrow
        db.session.rollback()
        with unit_of_work():
            days.beat("backup", is_well=False, error=f"{type(failure).__name__}: {failure}"[:200])
        raise
    lost = {"error": what_is_lost(made)} if made.lost else {}
    with unit_of_work():
        days.beat(
            "backup",
            is_well=not made.lost,
            file=made.path.name,
            bytes=made.size,
            files=made.files,
            **lost,
        )
        audit.note("backup_made", by=by, subject=made.path.name)
    return made


def _make_and_read_back(database_url: str, data_dir: Path, folder: Path) -> Made:
    before = files.named()
    db.session.rollback()
    lost = {name for name in before if not files.exists(name)}
    made = make(database_url, data_dir, folder)
    try:
        # What was named before and after was named meanwhile: it must be in there.
        read_back(made.path, (before & files.named()) - lost, data_dir)
    except BaseException:
        made.path.unlink(missing_ok=True)
        store = files.store()
        if isinstance(store, Bucket):
            store.delete_backup(made.path.name)
        raise
    finally:
        db.session.rollback()
    made.lost = sorted(lost)
    return made


def what_is_lost(made: Made) -> str:
    """A sentence about stored files that were gone before the backup was made."""
    return _(
        "The backup is whole, but %(count)s stored files are gone, such as %(name)s: bring them"
        " back from an older backup.",
        count=len(made.lost),
        name=made.lost[0],
    )


def make(database_url: str, data_dir: Path, folder: Path) -> Made:
    """Write a backup into a folder, whole or not at all. Raises Refused with what is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    _sweep(data_dir, folder)
    now = clock.now()
    url = make_url(database_url)
    # The plain copy stays beside the data, for our eyes only; nothing unsealed ever reaches the
    # folder of backups.
    with tempfile.TemporaryDirectory(dir=data_dir, prefix=MAKING) as scratch:
        dump = Path(scratch) / "database"
        counts = {} if url.get_backend_name() == "sqlite" else _counts(url, dump)
        _dump(url, dump)
        counts = counts or _counts(url, dump)
        names: dict[str, list[Any]] = {}
        elsewhere: dict[str, list[Any]] = {}
        part = folder / f"{MAKING}{os.urandom(4).hex()}.part"
        plain = Path(scratch) / "plain"
        with (
            gzip.GzipFile(plain, mode="wb", compresslevel=3) as packed,
            tarfile.open(fileobj=packed, mode="w|") as tar,
        ):
            _add(tar, "database", dump, names)
            store = files.store()
            if not isinstance(store, Bucket):
                store = Folder(data_dir)
            for entry in sorted(store.entries(), key=lambda e: e.name):
                try:
                    if isinstance(store, Bucket):  # they stay there: only their prints are kept
                        elsewhere[entry.name] = store.fingerprint(entry.name)
                    else:
                        _add(tar, f"files/{entry.name}", store.local(entry.name), names)
                # forgotten by the night's job between the listing and the reading: no row names it
                except FileNotFoundError:
                    continue
            manifest = {
                "version": 2,
                "made_at": now.isoformat(),
                "engine": url.get_backend_name(),
                "revision": revision(database_url),
                "counts": counts,
                "names": names,
                "elsewhere": elsewhere,
            }
            signed = envelopes.sign(manifest)
            data = json.dumps(signed, ensure_ascii=False, indent=1).encode()
            info = tarfile.TarInfo(MANIFEST)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
        envelopes.seal(plain, part)
        path = folder / f"comptoir-{clock.paris(now):%Y%m%d-%H%M%S}-{os.urandom(2).hex()}{SUFFIX}"
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.rename(path)
    if isinstance(store, Bucket):
        store.put_backup(path)
    stored = len(names) - 1 + len(elsewhere)
    return Made(path, path.stat().st_size, stored, sum(counts.values()))


def _sweep(data_dir: Path, folder: Path) -> None:
    """What a backup that was killed left behind."""
    old = time.time() - 6 * 3600
    for path in (*data_dir.glob(f"{MAKING}*"), *folder.glob(f"{MAKING}*.part")):
        if path.stat().st_mtime < old:
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def read_back(path: Path, wanted: set[str], data_dir: Path) -> int:
    """Open every piece of a backup again and compare it with its manifest; `wanted` are stored
    files it must hold. Returns how many it holds. Raises Damaged.
    """
    with tempfile.TemporaryDirectory(dir=data_dir, prefix=MAKING) as folder:
        manifest = open_backup(path, Path(folder))
    there = stored_names(manifest)
    if missing := sorted(wanted - there):
        raise Damaged(_("A stored file is missing: %(name)s.", name=missing[0]))
    return len(there)


def stored_names(manifest: dict[str, Any]) -> set[str]:
    """The stored files a backup answers for: those it holds, and those that lie in the store."""
    held = {Path(name).name for name in manifest["names"] if name.startswith("files/")}
    return held | set(manifest.get("elsewhere", {}))


def prune(folder: Path, keep: int) -> list[Path]:
    """Delete all but the newest so many backups of a folder, and of the store of files; returns
    those of the folder that went.
    """
    old = sorted(folder.glob(f"comptoir-*{SUFFIX}"))[: -keep or None] if keep else []
    for path in old:
        path.unlink()
    store = files.store()
    if keep and isinstance(store, Bucket):
        for name in store.backups()[:-keep]:
            store.delete_backup(name)
    return old


def fetch(name: str, into: Path) -> Path:
    """A backup that lies in the store of files, brought here. Raises Refused when there is none."""
    store = files.store()
    try:
        if not isinstance(store, Bucket):
            raise FileNotFoundError(name)
        store.get_backup(name, into / name)
    except FileNotFoundError:
        raise Refused(_("There is no backup « %(name)s ».", name=name)) from None
    return into / name


# ── restoring ──


def open_backup(path: Path, into: Path) -> dict[str, Any]:
    """Take a backup apart into an empty folder and check each piece against the manifest; returns
    it. Raises Damaged.
    """
    into.mkdir(parents=True, exist_ok=True)
    seen: dict[str, list[Any]] = {}
    manifest: dict[str, Any] | None = None
    plain = into / "plain"
    try:
        is_signed = envelopes.unseal(path, plain)
        with tarfile.open(plain, mode="r|gz") as tar:
            for member in tar:
                source = tar.extractfile(member)
                if source is None or not _is_ours(member.name):
                    raise Damaged(
                        _(
                            "The backup holds something that is not ours: « %(name)s ».",
                            name=member.name[:80],
                        )
                    )
                if member.name == MANIFEST:
                    manifest = json.loads(source.read())
                    continue
                target = into / member.name
                target.parent.mkdir(exist_ok=True)
                seen[member.name] = _copy(source, target)
    except (tarfile.TarError, EOFError, OSError, gzip.BadGzipFile, ValueError, KeyError) as error:
        raise Damaged(_("The backup is damaged: %(why)s.", why=str(error)[:200])) from error
    finally:
        plain.unlink(missing_ok=True)
    if manifest is None:
        raise Damaged(_("The backup is cut off: its end is missing."))
    if is_signed:
        envelopes.check_signature(manifest)
    if seen != manifest["names"]:
        strange = [
            name
            for name in sorted({*seen, *manifest["names"]})
            if seen.get(name) != manifest["names"].get(name)
        ][:3]
        raise Damaged(
            _(
                "A piece of the backup is not the one that was kept: %(names)s.",
                names=", ".join(strange),
            )
        )
    return manifest


def load(
    manifest: dict[str, Any],
    folder: Path,
    database_url: str,
    data_dir: Path,
    store: Store | None = None,
) -> None:
    """Put an opened backup into an empty database and data directory, its files into a store when
    one is given. Raises Refused when either holds something, or the engine differs.
    """
    url, store = make_url(database_url), store or Folder(data_dir)
    if manifest["engine"] != url.get_backend_name():
        raise Refused(
            _(
                "This backup is of %(engine)s: restore it into a database of the same kind.",
                engine=manifest["engine"],
            )
        )
    if is_in_use(database_url):
        raise Refused(
            _(
                "This database is not empty: a backup is restored into a new one. Nothing was"
                " changed."
            )
        )
    if manifest.get("elsewhere") and not isinstance(store, Bucket):
        raise Refused(
            _(
                "The files of this backup lie in a store: give its address (COMPTOIR_FILES_URL)"
                " before you restore. Nothing was changed."
            )
        )
    if not isinstance(store, Bucket) and any(store.entries()):
        raise Refused(
            _(
                "%(place)s is not empty: a backup is restored into a new place. Nothing was"
                " changed.",
                place=str(data_dir / "files"),
            )
        )
    _undump(url, folder / "database")
    held = sorted((folder / "files").iterdir()) if (folder / "files").exists() else []
    for source in held:
        store.put(source.name, source.read_bytes())


def is_in_use(database_url: str) -> bool:
    """Whether a database already holds our tables with something in them."""
    url = make_url(database_url)
    if url.get_backend_name() == "sqlite" and not (url.database and Path(url.database).exists()):
        return False
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            return (
                inspect(connection).has_table("vendor")
                and connection.execute(text("SELECT 1 FROM vendor LIMIT 1")).first() is not None
            )
    finally:
        engine.dispose()


def check_database(manifest: dict[str, Any], database_url: str) -> list[str]:
    """The database itself: whole, its keys right, its tables as large as when it was copied. In
    words, nothing when all is well.
    """
    found = []
    engine = create_engine(make_url(database_url))
    try:
        with engine.connect() as connection:
            if engine.dialect.name == "sqlite":
                if (
                    verdict := connection.exec_driver_sql("PRAGMA integrity_check").scalar()
                ) != "ok":
                    found.append(_("The database is damaged: %(why)s.", why=str(verdict)[:200]))
                if broken := connection.exec_driver_sql("PRAGMA foreign_key_check").first():
                    found.append(_("A row of %(table)s points at nothing.", table=broken[0]))
            for table, count in manifest["counts"].items():
                there = connection.execute(text(f'SELECT count(*) FROM "{table}"')).scalar() or 0
                if there < count:
                    found.append(
                        _(
                            "%(table)s has %(there)s rows, it had %(count)s.",
                            table=table,
                            there=there,
                            count=count,
                        )
                    )
    finally:
        engine.dispose()
    return found


def revision(database_url: str) -> str:
    engine = create_engine(make_url(database_url))
    try:
        with engine.connect() as connection:
            return str(
                connection.execute(text("SELECT version_num FROM alembic_version")).scalar() or ""
            )
    finally:
        engine.dispose()


@contextmanager
def scratch_database(database_url: str, beside: Path) -> Iterator[tuple[str, Path]]:
    """An empty database of the same engine, and an empty data directory, that go away afterwards:
    where a backup is verified.
    """
    url = make_url(database_url)
    with tempfile.TemporaryDirectory(dir=beside, prefix=MAKING) as folder:
        data_dir = Path(folder)
        if url.get_backend_name() == "sqlite":
            yield f"sqlite:///{data_dir / 'comptoir.db'}", data_dir
            return
        name = f"{VERIFYING}{int(time.time())}_{os.urandom(4).hex()}"
        server = create_engine(url, isolation_level="AUTOCOMMIT")
        try:
            with server.connect() as connection:
                _drop_left_copies(connection)
                connection.exec_driver_sql(f'CREATE DATABASE "{name}"')
            try:
                yield url.set(database=name).render_as_string(hide_password=False), data_dir
            finally:
                with server.connect() as connection:
                    connection.exec_driver_sql(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        finally:
            server.dispose()


VERIFYING = "comptoir_verify_"


def _drop_left_copies(connection: Connection) -> None:
    """What a verification that was killed left on the server six hours ago or more: a whole copy
    of the database.
    """
    old = time.time() - 6 * 3600
    rows = connection.execute(
        text("SELECT datname FROM pg_database WHERE datname LIKE :like"),
        {"like": f"{VERIFYING}%"},
    )
    for name in rows.scalars().all():
        born = name.removeprefix(VERIFYING).partition("_")[0]
        # Before 0.4.6 a name told no time: such a copy is older than any running verification.
        if not born.isdigit() or len(born) > 10 or int(born) < old:
            connection.exec_driver_sql(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


# ── private: the database ──


def _dump(url: URL, target: Path) -> None:
    if url.get_backend_name() == "sqlite":
        with (
            closing(sqlite3.connect(str(url.database), timeout=30)) as source,
            closing(sqlite3.connect(target)) as copy,
        ):
            source.backup(copy, pages=-1)  # one view, in one go: writers wait for none of it (WAL)
        return
    _run(
        url,
        "pg_dump",
        "--format=custom",
        "--no-owner",
        "--no-privileges",
        f"--file={target}",
        _libpq(url),
    )


def _undump(url: URL, source: Path) -> None:
    if url.get_backend_name() == "sqlite":
        Path(str(url.database)).parent.mkdir(parents=True, exist_ok=True)
        with (
            closing(sqlite3.connect(source)) as copy,
            closing(sqlite3.connect(str(url.database))) as target,
        ):
            copy.backup(target)
        return
    _run(
        url,
        "pg_restore",
        "--no-owner",
        "--no-privileges",
        "--exit-on-error",
        "--single-transaction",
        f"--dbname={_libpq(url)}",
        str(source),
    )


def _run(url: URL, program: str, *arguments: str) -> None:
    if shutil.which(program) is None:
        raise Refused(
            _(
                "%(program)s is not installed: it comes with PostgreSQL's client programs"
                " (postgresql-client).",
                program=program,
            )
        )
    env = {
        **os.environ,
        **({"PGPASSWORD": str(url.password)} if url.password else {}),
    }  # not among the arguments, which everybody can list
    done = subprocess.run(
        [program, *arguments], env=env, capture_output=True, text=True, timeout=7200
    )
    if done.returncode:
        raise Refused(
            _("%(program)s failed: %(why)s.", program=program, why=done.stderr.strip()[-300:])
        )


def _libpq(url: URL) -> str:
    """The address as PostgreSQL's own programs read it."""
    return url.set(drivername="postgresql", password=None).render_as_string(hide_password=False)


def _counts(url: URL, dump: Path) -> dict[str, int]:
    """How many rows each table of the copy holds: of the SQLite copy itself; of PostgreSQL's
    archive, what the live tables that only ever grow held before it was made.
    """
    if url.get_backend_name() == "sqlite":
        with closing(sqlite3.connect(dump)) as copy:
            tables = [
                name
                for (name,) in copy.execute(
                    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE"
                    " 'sqlite_%'"
                )
            ]
            return {
                name: copy.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0]
                for name in tables
            }
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            return {
                name: connection.execute(text(f'SELECT count(*) FROM "{name}"')).scalar() or 0
                for name in GROWING
            }
    finally:
        engine.dispose()


# Tables no row ever leaves before years: counted before PostgreSQL's archive is made, they cannot
# be smaller in it.
GROWING = ("event", "ledger_transaction", "entry", "transfer_line", "seller_payment", "movement")


# ── private: the pieces ──


def _add(tar: tarfile.TarFile, name: str, path: Path, names: dict[str, list[Any]]) -> None:
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        info = tarfile.TarInfo(name)
        info.size = size
        hashing = _Hashing(file, size)
        tar.addfile(info, hashing)  # type: ignore[arg-type]
        names[name] = [size, hashing.hexdigest()]


def _copy(source: IO[bytes], target: Path) -> list[Any]:
    digest, size = hashlib.sha256(), 0
    with target.open("wb") as out:
        while block := source.read(CHUNK):
            digest.update(block)
            out.write(block)
            size += len(block)
    return [size, digest.hexdigest()]


def _is_ours(name: str) -> bool:
    parts = name.split("/")
    return name in ("database", MANIFEST) or (
        len(parts) == 2 and parts[0] == "files" and parts[1] not in ("", ".", "..")
    )


class _Hashing:
    """A file read through its fingerprint."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file, self._left, self._digest = file, size, hashlib.sha256()

    def read(self, size: int) -> bytes:
        block = self._file.read(min(size, self._left))
        self._left -= len(block)
        self._digest.update(block)
        return block

    def hexdigest(self) -> str:
        return self._digest.hexdigest()
