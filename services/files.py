"""Stored files and their names; pictures people give us, kept as we make them again. Where the
files lie is services/storage.py, how a picture is read services/pictures.py.
"""

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from PIL import Image
from sqlalchemy import select

from services import picture_process, pictures
from services.pictures import Trouble
from services.storage import Bucket, Folder, Store
from services.unit import db
from services.workflow import Refused

MOST_FRAME_BYTES = 400_000
PICTURE_NAMES = (".jpg", ".jpeg", ".png", ".webp", ".gif")
_data_dir: Path
_store: Store


def plug(data_dir: Path, store: Store | None = None) -> None:
    """Called once by app.py: where this machine keeps what it needs, and where files lie (a folder
    of this machine when nothing else is given).
    """
    global _data_dir, _store
    _data_dir, _store = data_dir, store or Folder(data_dir)


def data_dir() -> Path:
    return _data_dir


def store() -> Store:
    return _store


def path(name: str) -> Path:
    """Where a stored file can be read on this machine; with a store, a copy of it. Not to be
    written: see `begin`.
    """
    return _store.local(name)


def keep(data: bytes, suffix: str) -> str:
    """Store bytes under a random name, whole or not at all; returns the name."""
    name = secrets.token_hex(16) + suffix
    _store.put(name, data)
    return name


def keep_as(name: str, data: bytes) -> None:
    """Store bytes under a name of ours, whole or not at all."""
    _store.put(name, data)


def begin(suffix: str) -> str:
    """The random name of an empty file; `path` says where to write it, `settle` stores it."""
    name = secrets.token_hex(16) + suffix
    _store.begin(name)
    return name


def settle(name: str) -> None:
    """What `begin` opened is written. Slow with a store: call it outside a unit."""
    if name:
        _store.settle(name)


def send_what_is_left() -> None:
    """With a store: send what a worker that died had written and not sent."""
    if isinstance(_store, Bucket):
        _store.settle_all()


def forget_copies() -> None:
    """With a store: forget the copies of this machine that nobody read lately."""
    if isinstance(_store, Bucket):
        _store.sweep()


def exists(name: str) -> bool:
    return _store.exists(name)


def read(name: str) -> bytes:
    return _store.local(name).read_bytes()


def drop(name: str) -> None:
    """Forget a stored file; one that is gone already is no error."""
    _store.delete(name)


# Every column that names stored files, declared by the noun that owns it: (model, column); a dict
# column names one a value.
NAMED_BY: list[tuple[Any, str]] = []


def named_by(model: Any, *columns: str) -> None:
    NAMED_BY.extend((model, column) for column in columns)


def named() -> set[str]:
    """Every stored file some row names: what a backup must hold, and what is no litter."""
    found: set[str] = set()
    for model, column in NAMED_BY:
        for value in db.session.scalars(
            select(getattr(model, column)).where(getattr(model, column).is_not(None))
        ):
            found.update(value.values() if isinstance(value, dict) else [value])
    return {name for name in found if name}


def litter(days: int = 7) -> list[str]:
    """Stored files no row names, older than so many days: a photo whose form was never sent, a file
    whose writing was cut.
    """
    old, known = time.time() - days * 86400, named()
    return [
        entry.name
        for entry in _store.entries()
        if entry.name not in known and entry.stored_at < old
    ]


def check_name(name: str | None, *suffixes: str) -> None:
    """A file whose name says that it is something else is refused; one without an ending is judged
    by its content alone. Raises Refused.
    """
    suffix = Path(name or "").suffix.lower()
    if suffix and suffix not in (suffixes or PICTURE_NAMES):
        raise Refused(
            _(
                "A file « %(suffix)s » is not expected here: %(wanted)s.",
                suffix=suffix[:12],
                wanted=", ".join(suffixes or PICTURE_NAMES),
            )
        )


# What is said to the person whose picture is not taken.
_WHY = {
    "heavy": _l("This file is too heavy (over 12 MB): send a smaller photo."),
    "large": _l("This picture is too large (over 40 megapixels): send a smaller one."),
    "large_whole": _l("This picture is over 12 megapixels: send it as a JPEG, or a smaller one."),
    "large_here": _l("This picture is too large: send a smaller one."),
    "no_picture": _l("This file is not a photo we can read: send a JPEG, PNG or WebP picture."),
    "damaged": _l("This photo is damaged: take it again."),
    "busy": _l("Many pictures are being read just now: try again in a moment."),
}


@contextmanager
def _in_a_sentence() -> Iterator[None]:
    try:
        yield
    except Trouble as trouble:
        raise Refused(str(_WHY[trouble.code])) from None


def open_picture(data: bytes) -> Image.Image:
    """A picture whose size was checked, not decoded yet. Raises Refused with the sentence for the
    person who sent it.
    """
    with _in_a_sentence():
        return pictures.opened(data)


def make_again(data: bytes, most_side: int = 800, keeps_transparency: bool = False) -> bytes:
    """A picture as we would keep it: re-encoded, without metadata. Raises Refused."""
    open_picture(data)  # what is none costs no process
    how = {"most_side": most_side, "keeps_transparency": keeps_transparency}
    with _in_a_sentence():
        _told, made = picture_process.ask(data, verb="make_again", **how)
    return made


def keep_picture(data: bytes, most_side: int = 800, keeps_transparency: bool = False) -> str:
    """Re-encode a picture (no metadata survives) and store it; returns its name. Raises Refused."""
    made = make_again(data, most_side, keeps_transparency)
    return keep(made, ".png" if keeps_transparency else ".jpg")


def read_barcodes(data: bytes) -> list[str]:
    """The codes a photo shows (`pictures.codes_on`). Raises Refused."""
    open_picture(data)
    how = {"most_pixels": pictures.MOST_PIXELS, "patient": True}
    with _in_a_sentence():
        told, _made = picture_process.ask(data, verb="codes", **how)
    codes: list[str] = told["codes"]
    return codes


def read_frame(data: bytes) -> list[str]:
    """The codes on one picture of the camera, which the page sends several times a second: it is
    small, so it is read here, without the ways of looking that cost most. Raises Refused.
    """
    if len(data) > MOST_FRAME_BYTES:
        raise Refused(_("This file is too heavy (over 400 kB): send a photo by the form instead."))
    with _in_a_sentence(), picture_process.one_at_a_time():
        return pictures.codes_on(data, pictures.ENOUGH_PIXELS, patient=False)
