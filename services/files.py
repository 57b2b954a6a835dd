"""Stored files and their names; pictures people give us, sniffed, capped and re-encoded; barcodes
read from them. Where the files lie is services/storage.py.
"""

import secrets
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import zxingcpp
from flask_babel import gettext as _
from PIL import Image, ImageFilter, ImageOps, UnidentifiedImageError
from sqlalchemy import select

from services.storage import Bucket, Folder, Store
from services.unit import db
from services.workflow import Refused

MOST_BYTES = 12_000_000
# A JPEG is shrunk while it is decoded; other formats are decoded whole.
MOST_PIXELS = 40_000_000
MOST_PIXELS_WHOLE = 12_000_000
# Enough to read a barcode; a picture of the camera holds no more.
ENOUGH_PIXELS = 8_000_000
MOST_FRAME_BYTES = 400_000
# Pictures are decoded one after the other, so that many at once cost the memory of one.
_decoding = threading.Semaphore(1)
PATIENCE_SECONDS = 8
PICTURE_NAMES = (".jpg", ".jpeg", ".png", ".webp", ".gif")
FORMATS = ("JPEG", "PNG", "WEBP", "GIF")
FEW_SIDE = 1600  # pixels of the longer side, for the looks that cost most
_SHORT = zxingcpp.BarcodeFormat.UPCE
_BARCODES = zxingcpp.barcode_formats_from_str("EAN13|EAN8|UPCA|UPCE")
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


def open_picture(data: bytes) -> Image.Image:
    """A picture whose size was checked before it is decoded. Raises Refused with the sentence for
    the person who sent it.
    """
    if len(data) > MOST_BYTES:
        raise Refused(_("This file is too heavy (over 12 MB): send a smaller photo."))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            picture = Image.open(BytesIO(data), formats=FORMATS)
            pixels = picture.width * picture.height
            if pixels > MOST_PIXELS:
                raise Refused(
                    _("This picture is too large (over 40 megapixels): send a smaller one.")
                )
            if picture.format != "JPEG" and pixels > MOST_PIXELS_WHOLE:
                raise Refused(
                    _("This picture is over 12 megapixels: send it as a JPEG, or a smaller one.")
                )
            return picture
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise Refused(
            _("This picture is too large (over 40 megapixels): send a smaller one.")
        ) from None
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError):
        raise Refused(
            _("This file is not a photo we can read: send a JPEG, PNG or WebP picture.")
        ) from None


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Wait for the picture that is being decoded. Raises Refused when it takes too long."""
    if not _decoding.acquire(timeout=PATIENCE_SECONDS):
        raise Refused(_("Many pictures are being read just now: try again in a moment."))
    try:
        yield
    finally:
        _decoding.release()


def keep_picture(data: bytes, most_side: int = 800, keeps_transparency: bool = False) -> str:
    """Re-encode a picture (no metadata survives) and store it; returns its name."""
    picture = open_picture(data)
    with _one_at_a_time():
        encoded = _encoded(picture, most_side, keeps_transparency)
    return keep(encoded, ".png" if keeps_transparency else ".jpg")


def _encoded(picture: Image.Image, most_side: int, keeps_transparency: bool) -> bytes:
    try:
        picture.draft("RGB", _shrunk(picture, most_side / max(picture.size)))
        picture.thumbnail((most_side, most_side))  # small first: each copy costs its size
        upright = ImageOps.exif_transpose(picture)
        out = BytesIO()
        if keeps_transparency:
            _bare(upright.convert("RGBA")).save(out, "PNG", optimize=True)
        else:
            _bare(upright.convert("RGB")).save(out, "JPEG", quality=85)
    except (OSError, ValueError, SyntaxError):
        raise Refused(_("This photo is damaged: take it again.")) from None
    return out.getvalue()


def _shrunk(picture: Image.Image, share: float) -> tuple[int, int]:
    return max(1, int(picture.width * share)), max(1, int(picture.height * share))


def _bare(picture: Image.Image) -> Image.Image:
    """Without what the encoder would copy along: comments, colour profiles, resolutions, places."""
    picture.info.clear()
    return picture


def read_frame(data: bytes) -> list[str]:
    """The codes on one picture of the camera, which the page sends several times a second: the ways
    of looking that cost most are left out.
    """
    if len(data) > MOST_FRAME_BYTES:
        raise Refused(_("This file is too heavy (over 400 kB): send a photo by the form instead."))
    return read_barcodes(data, ENOUGH_PIXELS, patient=False)


def read_barcodes(
    data: bytes, most_pixels: int = MOST_PIXELS, *, patient: bool = True
) -> list[str]:
    """The EANs or UPCs a photo shows, a shop's own sticker (20 to 29) last; nothing when it shows
    none. As it is, then sharpened (zxing misses what is slightly blurred); when `patient` also with
    light and dark exchanged, and turned by an eighth.
    """
    picture = open_picture(data)
    if picture.width * picture.height > most_pixels:
        raise Refused(_("This picture is too large: send a smaller one."))
    with _one_at_a_time():
        return _seen_on(picture, patient)


def _seen_on(picture: Image.Image, patient: bool) -> list[str]:
    try:
        scale = min(1.0, (ENOUGH_PIXELS / (picture.width * picture.height)) ** 0.5)
        picture.draft("L", _shrunk(picture, scale))
        picture.load()
        grey = picture if picture.mode == "L" else picture.convert("L")
        for seen in _looks(grey, patient):
            found = zxingcpp.read_barcodes(seen, formats=_BARCODES, try_invert=False)
            if found:
                # A short code found beside a long one is mostly a part of it, or of the shadow.
                long = [one for one in found if len(one.text) >= 12 and one.format != _SHORT]
                codes = dict.fromkeys(one.text for one in long or found)
                return sorted(codes, key=lambda code: len(code) == 13 and code[0] == "2")
    except (OSError, ValueError, SyntaxError):
        raise Refused(_("This photo is damaged: take it again.")) from None
    return []


def _looks(grey: Image.Image, patient: bool) -> Iterator[Image.Image]:
    """The same picture as it is looked at, the cheapest way first."""
    yield grey
    yield grey.filter(ImageFilter.UnsharpMask(3, 200, 0))
    if patient:
        small = grey.copy()
        small.thumbnail((FEW_SIDE, FEW_SIDE))  # a turned picture takes twice the memory
        yield ImageOps.invert(small)
        turned = small.rotate(45, expand=True, fillcolor=255)
        yield turned
        yield ImageOps.invert(turned)
