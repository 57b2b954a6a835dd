"""Archives (ZIP) people give us: one list, zipped, is read as that list; a set of pictures is a
table of their names, each a line.

What an archive says of itself is not believed: what is taken out of it is counted while it is
unpacked.
"""

import lzma
import re
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from flask_babel import gettext as _

from services.workflow import Refused

LISTS, NOTES = (".csv", ".tsv", ".xlsx", ".xls"), (".txt",)
PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".heic", ".heif", ".bmp", ".tif", ".tiff")
MOST_MEMBERS = 5_000
MOST_UNPACKED, MOST_RATIO, SMALL = 400_000_000, 200, 2_000_000
# What the library raises of files made by chance or by malice (8,000 mutations were tried).
DAMAGES = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, OSError),
    *(NotImplementedError, RuntimeError, ValueError, LookupError),
)
MOST_DIRECTORY = 2_000_000  # bytes: it is read whole before its members can be counted


def is_archive(path: Path) -> bool:
    """Whether a file is a ZIP that is no spreadsheet: one says what its parts are, a ZIP does not.
    Raises Refused when it has too many members to be looked at.
    """
    with path.open("rb") as file:
        if file.read(4) != b"PK\x03\x04":
            return False
    _refuse_many(path)
    try:
        with zipfile.ZipFile(path) as parts:
            return "[Content_Types].xml" not in parts.namelist()
    except DAMAGES:
        return False


def _refuse_many(path: Path) -> None:
    """Raises Refused by the size of the directory, which stands at the end of the file."""
    with path.open("rb") as file:
        file.seek(0, 2)
        file.seek(max(0, file.tell() - 66_000))
        end = file.read()
    place = end.rfind(b"PK\x05\x06")
    is_whole = place >= 0 and len(end) >= place + 16
    if is_whole and struct.unpack_from("<L", end, place + 12)[0] > MOST_DIRECTORY:
        raise _too_many()


def _too_many() -> Refused:
    return Refused(
        _("This archive holds over %(most)s files: give it in parts.", most=MOST_MEMBERS)
    )


def members(path: Path) -> list[zipfile.ZipInfo]:
    """The files of an archive in its order, without what systems add. Raises Refused."""
    try:
        with zipfile.ZipFile(path) as parts:
            every = parts.infolist()
    except DAMAGES:
        raise _damaged() from None
    if len(every) > MOST_MEMBERS:
        raise _too_many()
    return [part for part in every if not part.is_dir() and not _is_of_the_system(part.filename)]


def picture_names(path: Path) -> list[str]:
    """The names of the pictures of an archive, in its order. Raises Refused when it holds none."""
    names = [part.filename for part in members(path)]
    if found := [name for name in names if _suffix(name) in PICTURES]:
        return found
    lists = _lists(names)
    if len(lists) > 1:
        raise Refused(
            _(
                "This archive holds several lists (%(names)s): give them one by one.",
                names=", ".join(lists[:3]) + (" …" if lists[3:] else ""),
            )
        )
    raise Refused(_("This archive holds neither one list (CSV, XLSX) nor pictures."))


@contextmanager
def unpacked(path: Path, name: str) -> Iterator[tuple[Path, str]]:
    """The one list an archive without pictures holds, and its name; any other file as it is.
    Raises Refused.
    """
    parts_of_it = {part.filename: part for part in members(path)} if is_archive(path) else {}
    lists = _lists(list(parts_of_it))
    if len(lists) != 1 or any(_suffix(name) in PICTURES for name in parts_of_it):
        yield path, name
        return
    with tempfile.NamedTemporaryFile() as target:
        done, part = 0, parts_of_it[lists[0]]
        try:
            with zipfile.ZipFile(path) as parts, parts.open(part) as source:
                while block := source.read(1 << 20):
                    done += len(block)
                    if done > MOST_UNPACKED or done > max(SMALL, MOST_RATIO * part.compress_size):
                        raise Refused(
                            _("This archive is too large once unpacked: export the list as CSV.")
                        )
                    target.write(block)
        except DAMAGES:
            raise _damaged() from None
        target.flush()
        yield Path(target.name), _named_after(name, PurePosixPath(part.filename).name)


def read(path: Path, name: str, most: int) -> bytes:
    """A member of an archive, of at most so many bytes. Raises Refused."""
    try:
        with zipfile.ZipFile(path) as parts, parts.open(name) as source:
            data = source.read(most + 1)
    except (KeyError, *DAMAGES):
        raise Refused(_("This picture is damaged in the archive: zip it again.")) from None
    if len(data) > most:
        raise Refused(_("This file is too heavy (over 12 MB): send a smaller photo."))
    return data


def _lists(names: list[str]) -> list[str]:
    """The names that are lists; a text is one where there is no other, else a note beside it."""
    found = [name for name in names if _suffix(name) in LISTS]
    return found or [name for name in names if _suffix(name) in NOTES]


def _named_after(archive: str, its_list: str) -> str:
    """The name of a list, with that of its archive where this alone holds the date."""
    stem = PurePosixPath(archive).stem
    dated = re.compile(r"\d{4}|\d{2}\D\d{2}")
    return f"{stem}_{its_list}" if dated.search(stem) and not dated.search(its_list) else its_list


def _suffix(name: str) -> str:
    return PurePosixPath(name).suffix.lower()


def _is_of_the_system(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return "__MACOSX" in parts or not parts or parts[-1].startswith((".", "Thumbs.db"))


def _damaged() -> Refused:
    return Refused(_("This archive is damaged or locked by a password: zip it again."))
