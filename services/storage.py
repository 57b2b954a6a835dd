"""Where stored files lie: in a folder of this machine, or in an S3-compatible store that several
machines share.

A name is ours, random or made of what is inside, so what stands under a name never changes. With a
store this machine keeps copies of what it read and what it still has to send; they may be lost.
"""

import hashlib
import json
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qs, urlsplit

import obstore
from flask_babel import gettext as _
from obstore.exceptions import BaseError
from obstore.store import S3Store

from services.workflow import Refused

# Copies of this machine are swept when nobody read them for so long.
COPIES_KEPT_SECONDS = 3 * 86400


class StoreAway(Refused):
    """The store does not answer; the sentence is for whoever waits for the file."""


@dataclass(frozen=True)
class Entry:
    """One stored file: name, bytes, and when it was stored (seconds since 1970)."""

    name: str
    size: int
    stored_at: float


class Store(Protocol):
    """What the product asks of the place where files lie. `is_shared`: other machines see it."""

    is_shared: bool

    def put(self, name: str, data: bytes) -> None:
        """Store bytes, whole or not at all."""

    def local(self, name: str) -> Path:
        """A path of this machine where the file can be read. Raises FileNotFoundError."""

    def exists(self, name: str) -> bool: ...
    def delete(self, name: str) -> None:
        """Forget a file; one that is gone already is no error."""

    def entries(self) -> Iterator[Entry]:
        """Every stored file, in no order."""

    def begin(self, name: str) -> Path:
        """An empty file of this machine to write into; `settle` stores it."""

    def settle(self, name: str) -> None:
        """What was written since `begin` is complete; for one that is stored already, nothing."""

    def fingerprint(self, name: str) -> list[Any]:
        """[bytes, SHA-256 in hex] of a stored file, read whole the first time."""


def _check(name: str) -> str:
    """Names are ours: anything with a slash is a bug or an attack."""
    if not name or "/" in name or "\\" in name or name.startswith("."):
        raise ValueError(name)
    return name


def _write_whole(path: Path, data: bytes) -> None:
    part = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    with part.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.rename(path)


def _sha256(path: Path) -> list[Any]:
    with path.open("rb") as file:
        return [path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest()]


class Folder:
    """Files in one folder of this machine."""

    is_shared = False

    def __init__(self, data_dir: Path) -> None:
        self.folder = data_dir / "files"
        self.folder.mkdir(parents=True, exist_ok=True)

    def put(self, name: str, data: bytes) -> None:
        _write_whole(self.folder / _check(name), data)

    def local(self, name: str) -> Path:
        return self.folder / _check(name)

    def exists(self, name: str) -> bool:
        return self.local(name).exists()

    def delete(self, name: str) -> None:
        self.local(name).unlink(missing_ok=True)

    def entries(self) -> Iterator[Entry]:
        for entry in os.scandir(self.folder):
            if entry.is_file() and not entry.name.endswith(".part"):
                with suppress(FileNotFoundError):  # forgotten since it was listed
                    found = entry.stat()
                    yield Entry(entry.name, found.st_size, found.st_mtime)

    def begin(self, name: str) -> Path:
        self.put(name, b"")
        return self.local(name)

    def settle(self, name: str) -> None:
        """It lies where it was written; before a row names it, it is on the disk."""
        with suppress(FileNotFoundError), self.local(name).open("rb") as file:
            os.fsync(file.fileno())

    def fingerprint(self, name: str) -> list[Any]:
        return _sha256(self.local(name))


class Bucket:
    """Files in an S3-compatible store: `s3://bucket/prefix?endpoint=https://…&region=…`. Under the
    data directory lie `copies/` (of what was read) and `outgoing/` (what is still to be sent).
    """

    is_shared = True

    def __init__(self, url: str, key: str, secret: str, data_dir: Path) -> None:
        parts = urlsplit(url)
        asked = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        endpoint = asked.get("endpoint", "")
        self._prefix = parts.path.strip("/")
        options: Any = {"endpoint": endpoint} if endpoint else {}
        self._store = S3Store(
            parts.netloc,
            access_key_id=key,
            secret_access_key=secret,
            region=asked.get("region", "us-east-1"),
            client_options={"allow_http": endpoint.startswith("http://"), "timeout": "60s"},
            retry_config={"max_retries": 2},
            **options,
        )
        self._copies, self._outgoing = data_dir / "copies", data_dir / "outgoing"
        self._prints = data_dir / "prints.jsonl"
        for folder in (self._copies, self._outgoing):
            folder.mkdir(parents=True, exist_ok=True)

    def _key(self, name: str) -> str:
        return "/".join(filter(None, (self._prefix, "files", _check(name))))

    def put(self, name: str, data: bytes) -> None:
        with _sentences():
            obstore.put(self._store, self._key(name), data)

    def local(self, name: str) -> Path:
        waiting, copy = self._outgoing / _check(name), self._copies / name
        if waiting.exists():
            return waiting
        if not copy.exists():
            with _sentences():
                _write_whole(copy, bytes(obstore.get(self._store, self._key(name)).bytes()))
        else:
            os.utime(copy)  # read lately: not swept
        return copy

    def exists(self, name: str) -> bool:
        if (self._outgoing / _check(name)).exists():
            return True
        try:
            with _sentences():
                obstore.head(self._store, self._key(name))
        except FileNotFoundError:
            return False
        return True

    def delete(self, name: str) -> None:
        (self._copies / _check(name)).unlink(missing_ok=True)
        waiting = self._outgoing / name
        if waiting.exists():  # never sent
            waiting.unlink(missing_ok=True)
            return
        with suppress(FileNotFoundError), _sentences():
            obstore.delete(self._store, self._key(name))

    def entries(self) -> Iterator[Entry]:
        prefix = "/".join(filter(None, (self._prefix, "files"))) + "/"
        with _sentences():
            for some in obstore.list(self._store, prefix):
                for found in some:
                    name = found["path"].removeprefix(prefix)
                    stored_at: datetime = found["last_modified"]
                    yield Entry(name, found["size"], stored_at.timestamp())

    def begin(self, name: str) -> Path:
        path = self._outgoing / _check(name)
        path.touch()
        return path

    def settle(self, name: str) -> None:
        path = self._outgoing / _check(name)
        if path.exists():
            with _sentences(), path.open("rb") as file:
                obstore.put(self._store, self._key(name), file)
            path.rename(self._copies / name)

    def settle_all(self, older_than_seconds: int = 3600) -> int:
        """Send what a worker that died had written and not sent. Returns how many files."""
        old = time.time() - older_than_seconds
        left = [p.name for p in self._outgoing.iterdir() if p.stat().st_mtime < old]
        for name in left:
            self.settle(name)
        return len(left)

    def sweep(self) -> int:
        """Forget the copies nobody read lately. Returns how many."""
        old, gone = time.time() - COPIES_KEPT_SECONDS, 0
        for path in self._copies.iterdir():
            if path.stat().st_mtime < old:
                path.unlink(missing_ok=True)
                gone += 1
        return gone

    def fingerprint(self, name: str) -> list[Any]:
        if name not in self._known_prints():
            size, sha256 = _sha256(self.local(name))
            with self._prints.open("a") as file:
                file.write(json.dumps([name, size, sha256]) + "\n")
            return [size, sha256]
        return self._known_prints()[name]

    def read_again(self, name: str) -> list[Any]:
        """[bytes, SHA-256] of what the store gives now, whatever this machine remembers."""
        with _sentences():
            data = bytes(obstore.get(self._store, self._key(name)).bytes())
        return [len(data), hashlib.sha256(data).hexdigest()]

    def _known_prints(self) -> dict[str, list[Any]]:
        """What this machine computed before: a name never changes what it holds."""
        if not self._prints.exists():
            return {}
        size = self._prints.stat().st_size
        if getattr(self, "_prints_size", -1) != size:
            rows = (json.loads(line) for line in self._prints.read_text().splitlines())
            self._remembered = {name: [size, sha256] for name, size, sha256 in rows}
            self._prints_size = size
        return self._remembered

    # Backups lie beside the files, under a prefix of their own.

    def put_backup(self, path: Path) -> None:
        with _sentences(), path.open("rb") as file:
            obstore.put(self._store, self._backup_key(path.name), file)

    def get_backup(self, name: str, target: Path) -> None:
        """Write a kept backup to a path. Raises FileNotFoundError."""
        with _sentences(), target.open("wb") as file:
            for piece in obstore.get(self._store, self._backup_key(name)).stream():
                file.write(piece)

    def backups(self) -> list[str]:
        """The names of kept backups, oldest first."""
        prefix = self._backup_key("x")[:-1]
        with _sentences():
            found = [one["path"] for some in obstore.list(self._store, prefix) for one in some]
        return sorted(path.removeprefix(prefix) for path in found)

    def delete_backup(self, name: str) -> None:
        with suppress(FileNotFoundError), _sentences():
            obstore.delete(self._store, self._backup_key(name))

    def _backup_key(self, name: str) -> str:
        return "/".join(filter(None, (self._prefix, "backups", _check(name))))


class _sentences:
    """An error of the store becomes a sentence; a missing file stays FileNotFoundError."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if isinstance(error, FileNotFoundError):
            return
        if isinstance(error, BaseError):
            raise StoreAway(
                _(
                    "The store of files does not answer just now: try again in a minute. Nothing"
                    " was lost."
                )
            ) from error


@dataclass
class Moved:
    """What a move did: files copied now, files that were there already."""

    copied: int = 0
    there: int = 0


def move(source: Store, target: Store) -> Moved:
    """Copy every file from one place to another and compare each as the target gives it back.
    Raises Refused with the first one that differs. The source keeps everything.
    """
    if type(source) is type(target) is Folder:
        raise Refused(_("The files lie in this folder already."))
    moved = Moved()
    there = {entry.name: entry.size for entry in target.entries()}
    for entry in source.entries():
        wanted = source.fingerprint(entry.name)
        if there.get(entry.name) == entry.size and _given_back(target, entry.name) == wanted:
            moved.there += 1
            continue
        target.put(entry.name, source.local(entry.name).read_bytes())
        if _given_back(target, entry.name) != wanted:
            raise Refused(
                _("%(name)s is not the same after it was copied: try again.", name=entry.name)
            )
        moved.copied += 1
    return moved


def _given_back(store: Store, name: str) -> list[Any]:
    return store.read_again(name) if isinstance(store, Bucket) else store.fingerprint(name)


def open_store(url: str, key: str, secret: str, data_dir: Path) -> Store:
    """The store of an address, else the folder under the data directory."""
    return Bucket(url, key, secret, data_dir) if url else Folder(data_dir)
