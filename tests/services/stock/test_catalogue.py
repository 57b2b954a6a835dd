import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.catalogue import products
from tests import factories


@pytest.mark.parametrize(
    ("words", "key"),
    [
        ("5060327534393", "5060327534393"),
        (" 5 060327 534393 ", "5060327534393"),
        ("711719926665", "0711719926665"),
        ("0711719926665", "0711719926665"),
        ("96385074", "96385074"),
        ("05060327534393", "5060327534393"),
        ("5-060327-534393", "5060327534393"),
    ],
)
def test_one_article_has_one_key_however_its_barcode_is_written(words, key):
    assert products.read_ean(words) == key


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("", "Saisissez le code-barres"),
        ("5060327534394", "dernier chiffre"),
        ("123", "celui-ci en a 3"),
        ("04549642DIDR", "que des chiffres"),
        ("5,06E+12", "tableur"),
        ("5.06032753439E+12", "tableur"),
        ("٣٧٦٠١٥١٢٠٠٠٠٣", "que des chiffres"),
        ("9" * 40, "celui-ci en a 40"),
    ],
)
def test_a_wrong_barcode_is_told_in_a_sentence(words, says):
    with pytest.raises(products.BadEan, match=says):
        products.read_ean(words)


@given(st.text(max_size=30))
def test_anything_typed_is_a_key_or_a_sentence(words):
    try:
        key = products.read_ean(words)
    except products.BadEan as bad:
        assert str(bad)
    else:
        assert key.isdigit() and len(key) in (8, 13, 14)


def test_a_cover_is_drawn_for_any_title_and_never_runs_anything(client):
    game = factories.a_game("<script>alert(1)</script> & Cie — " + "é" * 90, "PlayStation 4")
    answer = client.get(f"/jaquette/{game.ean}")
    assert answer.status_code == 200 and answer.mimetype == "image/svg+xml"
    assert b"<script" not in answer.data.lower()
    assert "sandbox" in answer.headers["Content-Security-Policy"]


def test_an_unknown_barcode_still_has_a_picture(client):
    assert client.get("/jaquette/0000000000000").mimetype == "image/svg+xml"


@given(st.text(max_size=200), st.text(max_size=60))
def test_a_drawn_cover_is_well_formed(title, platform):
    import re
    import xml.etree.ElementTree as ET

    # what XML can hold at all
    clean = lambda words: re.sub(r"[^\u0020-\ud7ff\ue000-\ufffd]", "", words)  # noqa: E731
    ET.fromstring(products.drawn_cover(clean(title), clean(platform)))


@given(st.sampled_from([8, 13, 14]), st.integers(0, 10**13 - 1))
def test_the_check_digit_is_that_of_the_reference_library(length, number):
    from stdnum import ean as reference

    digits = str(number).zfill(14)[-length:]
    assert products._check_digit_fits(digits) == reference.is_valid(digits)
