"""Photos and files that people give."""

import io

import pytest
from PIL import Image

from services import files
from services.workflow import Refused

# ── pictures ──


def picture(kind="JPEG", size=(600, 400), **save) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, "white").save(out, kind, **save)
    return out.getvalue()


def bomb() -> bytes:
    import struct
    import zlib

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", 12_000, 10_000, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
        + chunk(b"IEND", b"")
    )


def barcode(code="5060327534393", blur=0.0, angle=0.0) -> bytes:
    from barcode import get
    from barcode.writer import ImageWriter
    from PIL import ImageFilter

    drawn = get("ean13", code[:12], writer=ImageWriter()).render(
        {"module_width": 0.3, "quiet_zone": 8, "write_text": False}
    )
    page = Image.new("L", (1280, 720), 235)
    page.paste(drawn.convert("L").rotate(angle, expand=True, fillcolor=255), (300, 180))
    out = io.BytesIO()
    page.filter(ImageFilter.GaussianBlur(blur)).save(out, "JPEG", quality=75)
    return out.getvalue()


def test_a_photo_is_made_again_without_what_it_knew(app):
    exif = Image.Exif()
    exif[0x8825] = {1: "N", 2: (48.0, 51.0, 30.0)}
    exif[0x010E] = "secret"
    name = files.keep_picture(picture(exif=exif))
    kept = Image.open(files.path(name))
    assert kept.format == "JPEG"
    assert not kept.getexif()
    assert b"secret" not in files.path(name).read_bytes()


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "JPEG"),
        (b"%PDF-1.4 renamed.jpg", "JPEG"),
        (b"", "JPEG"),
        (b"GIF89a", "JPEG"),
        (b"\xff" * 13_000_000, "trop lourd"),
        (bomb(), "trop grande"),
        (picture()[:700], "abîmée"),
        (b"PK\x03\x04zip", "JPEG"),
    ],
)
def test_what_is_no_photo_is_refused_in_a_sentence(app, data, says):
    with pytest.raises(Refused, match=says):
        files.keep_picture(data)


@pytest.mark.parametrize(("blur", "angle"), [(0, 0), (0.8, 4), (1.4, 0), (0, -12)])
def test_a_barcode_is_read_on_a_photo_even_a_little_blurred_or_tilted(app, blur, angle):
    assert files.read_barcode(barcode(blur=blur, angle=angle)) == "5060327534393"


def test_a_photo_without_barcode_gives_none(app):
    assert files.read_barcode(picture()) is None
