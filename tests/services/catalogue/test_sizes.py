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


@pytest.mark.parametrize(
    ("label", "european"),
    [
        ("42", "42"),
        ("UK 8", "42"),
        ("8,5 UK", "42,5"),
        ("uk10.5", "45"),
        ("42 FR", "42"),
        ("8,5 UK / 43 EU", "43"),
        ("EU 42 UK 7,5 US 9", "42"),
        ("42,5 (8 UK)", "42,5"),
        ("US M 9", "42"),
        ("9 US femme", "41"),
        ("US M 9,5", "42,5"),
        ("8.5 US F", "40"),
        ("15", "15"),
        ("EUR 55", "55"),
        ("GB 6", "39,5"),
        ("UK 10K", "28"),
        ("10 UK enfant", "28"),
    ],
)
def test_a_shoe_label_means_one_european_size(label, european):
    assert sizes.european(label) == european


@pytest.mark.parametrize(
    "label",
    [
        "",
        "US 9",
        "36 EU / 37 EU",
        "41-42",
        "8",
        "UK 5 enfant",
        "UK 40",
        "Unique",
        "EU 8",
        "14",
        "56",
        "US M 9 1/3",
    ],
)
def test_a_label_that_could_mean_two_sizes_means_none(label):
    assert sizes.european(label) == ""


def test_a_size_has_the_same_place_whoever_wrote_its_label():
    assert sizes.same("UK 8", of_a_shoe=True) == sizes.same("42.0", of_a_shoe=True) == "42"
    assert sizes.same("2xl", of_a_shoe=False) == "XXL"
    assert sizes.same("10 UK", of_a_shoe=False) == "10 UK", "clothes have other scales"
