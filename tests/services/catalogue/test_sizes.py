"""One spelling for each size, and the order in which they lie on a shelf."""

import pytest

from services.catalogue import sizes


@pytest.mark.parametrize("written", ["42,5", "42.5", "42 1/2", "42½", " 42,50 ", "42\u00a01/2"])
def test_a_half_size_has_one_spelling(written):
    assert sizes.normal(written) == "42,5"


@pytest.mark.parametrize(
    ("written", "size"),
    [
        ("42,0", "42"),
        ("xl", "XL"),
        ("45⅓", "45 1/3"),
        ("8 1/2 UK / 42.5 EU", "8,5 UK / 42,5 EU"),
        ("Taille unique", "Taille unique"),
        ("12-14 ans", "12-14 ans"),
        ("", ""),
    ],
)
def test_a_size_is_kept_as_it_is_meant(written, size):
    assert sizes.normal(written) == size
    assert sizes.normal(size) == size


def test_sizes_lie_in_their_order():
    jumbled = ["43,5", "S", "9", "45 1/3", "XXL", "36", "Unique", "XS", "45", "L", "2XL"]
    assert sorted(jumbled, key=sizes.order) == [
        "XS",
        "S",
        "L",
        "XXL",
        "2XL",
        "9",
        "36",
        "43,5",
        "45",
        "45 1/3",
        "Unique",
    ]
