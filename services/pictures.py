"""Pictures people give us: checked before they are decoded, shrunk, made again without what they
knew; barcodes read from them.

It imports nothing of ours: a process of its own runs it (services/picture_process.py), whose memory
and time are limited, since a picture is decoded by libraries in C and comes from anybody.
"""

import json
import resource
import struct
import sys
import warnings
from collections.abc import Iterator
from io import BytesIO
from typing import IO, Any

import zxingcpp
from PIL import Image, ImageFilter, ImageOps, UnidentifiedImageError

MOST_BYTES = 12_000_000
# A JPEG is shrunk while it is decoded; other formats are decoded whole.
MOST_PIXELS = 40_000_000
MOST_PIXELS_WHOLE = 12_000_000
# Enough to read a barcode; a picture of the camera holds no more.
ENOUGH_PIXELS = 8_000_000
FORMATS = ("JPEG", "PNG", "WEBP", "GIF")
FEW_SIDE = 1600  # pixels of the longer side, for the looks that cost most
# Of the process: all it may map, libraries included. The largest pictures we take need half of it.
MOST_MEMORY = 600_000_000
_SHORT = zxingcpp.BarcodeFormat.UPCE
_BARCODES = zxingcpp.barcode_formats_from_str("EAN13|EAN8|UPCA|UPCE")


class Trouble(Exception):
    """Why a picture is not taken; `files` has the sentence of each code."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def opened(data: bytes) -> Image.Image:
    """A picture whose size was checked before it is decoded. Raises Trouble."""
    if len(data) > MOST_BYTES:
        raise Trouble("heavy")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            picture = Image.open(BytesIO(data), formats=FORMATS)
            pixels = picture.width * picture.height
            if pixels > MOST_PIXELS:
                raise Trouble("large")
            if picture.format != "JPEG" and pixels > MOST_PIXELS_WHOLE:
                raise Trouble("large_whole")
            return picture
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise Trouble("large") from None
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError):
        raise Trouble("no_picture") from None


def made_again(data: bytes, most_side: int, keeps_transparency: bool) -> bytes:
    """The picture as a JPEG (a PNG when it keeps its transparency), its longer side `most_side`
    pixels at most. Raises Trouble.
    """
    picture = opened(data)
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
        raise Trouble("damaged") from None
    return out.getvalue()


def _shrunk(picture: Image.Image, share: float) -> tuple[int, int]:
    return max(1, int(picture.width * share)), max(1, int(picture.height * share))


def _bare(picture: Image.Image) -> Image.Image:
    """Without what the encoder would copy along: comments, colour profiles, resolutions, places."""
    picture.info.clear()
    return picture


def codes_on(data: bytes, most_pixels: int = MOST_PIXELS, *, patient: bool = True) -> list[str]:
    """The EANs or UPCs a photo shows, a shop's own sticker (20 to 29) last; nothing when it shows
    none. As it is, then sharpened (zxing misses what is slightly blurred); when `patient` also with
    light and dark exchanged, and turned by an eighth. Raises Trouble.
    """
    picture = opened(data)
    if picture.width * picture.height > most_pixels:
        raise Trouble("large_here")
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
        raise Trouble("damaged") from None
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


# ── the process: a request is a line of JSON and the picture, an answer a line of JSON and bytes ──


def write(stream: IO[bytes], said: dict[str, Any], data: bytes = b"") -> None:
    head = json.dumps({**said, "size": len(data)}).encode()
    stream.write(struct.pack(">I", len(head)) + head + data)
    stream.flush()


def answer(asked: dict[str, Any], data: bytes) -> tuple[dict[str, Any], bytes]:
    """What becomes of one request."""
    try:
        if asked["verb"] == "make_again":
            return {}, made_again(data, asked["most_side"], asked["keeps_transparency"])
        return {"codes": codes_on(data, asked["most_pixels"], patient=asked["patient"])}, b""
    except Trouble as trouble:
        return {"trouble": trouble.code}, b""
    except MemoryError:
        return {"trouble": "damaged"}, b""


def main() -> None:
    """Answer the requests of the process that started this one, until it closes the pipe."""
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # it writes no file
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    asking, telling = sys.stdin.buffer, sys.stdout.buffer
    while head := asking.read(4):
        asked = json.loads(asking.read(*struct.unpack(">I", head)))
        write(telling, *answer(asked, asking.read(asked["size"])))


if __name__ == "__main__":
    main()
