"""How a picture is made again and read, without any process or store."""

import io

import pytest
from PIL import Image

from services import pictures


def drawn(kind: str = "JPEG", size: tuple[int, int] = (60, 40), mode: str = "RGB", **how) -> bytes:
    out = io.BytesIO()
    Image.new(mode, size, how.pop("color", "white")).save(out, kind, **how)
    return out.getvalue()


def test_a_photo_taken_on_its_side_is_kept_upright():
    exif = Image.Exif()
    exif[0x0112] = 6
    made = Image.open(io.BytesIO(pictures.made_again(drawn(exif=exif), 800, False)))
    assert made.size == (40, 60)


def test_a_logo_keeps_its_transparency_and_a_photo_none():
    data = drawn("PNG", mode="RGBA", color=(0, 0, 0, 0))
    logo = Image.open(io.BytesIO(pictures.made_again(data, 800, True)))
    assert (logo.format, logo.getpixel((0, 0))) == ("PNG", (0, 0, 0, 0))
    assert Image.open(io.BytesIO(pictures.made_again(data, 800, False))).format == "JPEG"


def test_a_picture_is_never_made_larger_than_it_was_nor_than_was_asked():
    for size, expected in (((60, 40), (60, 40)), ((4000, 2000), (800, 400))):
        made = Image.open(io.BytesIO(pictures.made_again(drawn(size=size), 800, False)))
        assert made.size == expected


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\xff" * 13_000_000, "heavy"),
        (b"<svg/>", "no_picture"),
        (drawn("PNG", (5_000, 3_000)), "large_whole"),
        (drawn("JPEG", (8_000, 5_100)), "large"),
    ],
)
def test_each_trouble_has_its_code_before_anything_is_decoded(data, code):
    asked = {"verb": "make_again", "most_side": 800, "keeps_transparency": False}
    assert pictures.answer(asked, data) == ({"trouble": code}, b"")
