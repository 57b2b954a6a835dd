"""Photos and files that people give."""

import io

import pytest
from PIL import Image, ImageOps

from services import files, picture_process
from services.catalogue import products
from services.workflow import Refused
from tests import factories

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
    assert files.read_barcodes(barcode(blur=blur, angle=angle)) == ["5060327534393"]


def test_a_photo_without_barcode_gives_none(app):
    assert files.read_barcodes(picture()) == []


def flat(kind: str, width: int, height: int) -> bytes:
    """A picture of one colour: a few kilobytes, however large."""
    out = io.BytesIO()
    Image.new("RGB", (width, height), "#884422").save(out, kind)
    return out.getvalue()


@pytest.mark.parametrize("kind", ["WEBP", "PNG", "GIF"])
def test_a_small_file_that_holds_a_huge_picture_is_refused_before_it_is_decoded(app, kind):
    data = flat(kind, 6_320, 6_320)
    for read in (files.read_barcodes, files.keep_picture):
        with pytest.raises(Refused, match="12 mégapixels"):
            read(data)


def test_a_large_jpeg_is_shrunk_while_it_is_decoded_and_kept(app):
    name = files.keep_picture(flat("JPEG", 7_000, 5_000), most_side=1600)
    assert max(Image.open(files.path(name)).size) == 1600


@pytest.mark.parametrize("size", [(20_000, 1), (1, 20_000)])
def test_a_thread_of_a_picture_is_a_picture(app, size):
    assert files.read_barcodes(flat("JPEG", *size)) == []
    assert files.keep_picture(flat("JPEG", *size))


def test_a_barcode_on_a_photo_of_a_good_telephone_is_read(app):
    small = Image.open(io.BytesIO(barcode("5060327534393"))).convert("RGB")
    large = Image.new("RGB", (8_000, 4_500), "white")
    large.paste(small.resize((small.width * 5, small.height * 5)), (1_500, 1_000))
    out = io.BytesIO()
    large.save(out, "JPEG", quality=85)
    assert files.read_barcodes(out.getvalue()) == ["5060327534393"]


def test_a_picture_of_the_camera_is_small(client):
    heavy = client.post("/scanner", data=b"\xff\xd8" * 250_000, content_type="image/jpeg")
    assert heavy.status_code == 422
    assert "400 ko" in heavy.json["error"]
    wide = client.post("/scanner", data=flat("JPEG", 4_000, 3_000), content_type="image/jpeg")
    assert "trop grande" in wide.json["error"]
    assert client.post(
        "/scanner", data=barcode("5060327534393"), content_type="image/jpeg"
    ).json == {"ean": "5060327534393"}


def test_pictures_are_decoded_one_after_the_other(app, monkeypatch):
    monkeypatch.setattr(picture_process, "PATIENCE_SECONDS", 0.05)
    with picture_process.one_at_a_time():
        with pytest.raises(Refused, match="un instant"):
            files.keep_picture(picture())
    assert files.keep_picture(picture())


def test_light_bars_on_a_dark_box_and_a_box_held_aslant_are_read(app):
    straight = Image.open(io.BytesIO(barcode()))
    for changed in (
        ImageOps.invert(straight.convert("L")),
        straight.rotate(45, expand=True, fillcolor=235),
    ):
        out = io.BytesIO()
        changed.save(out, "JPEG", quality=85)
        assert files.read_barcodes(out.getvalue())[0] == "5060327534393"


def test_of_two_codes_the_shop_s_sticker_comes_last_and_a_known_one_first(app):
    page = Image.new("L", (1400, 1200), 235)
    sticker, other, own = "2912345678901"[:12], "376015000001", "506032753439"
    for place, body in enumerate((sticker, other, own)):
        drawn = Image.open(io.BytesIO(barcode(body + "0"))).crop((250, 150, 1000, 500))
        page.paste(drawn, (100, 30 + 380 * place))
    out = io.BytesIO()
    page.save(out, "JPEG", quality=85)
    codes = files.read_barcodes(out.getvalue())
    assert len(codes) == 3
    assert codes[-1].startswith("29")
    game = factories.a_game("Opéra", "PS5", 4500, code="5060327534393")
    assert products.known_first(codes) == game.ean
    assert products.known_first(["3760150000011"]) == "3760150000011"
    assert products.known_first([]) is None
