"""When two lines speak of one thing, and when a person must say so."""

import pytest

from services.catalogue import identity


@pytest.mark.parametrize(
    ("title", "other"),
    [
        ("Derby Lormont", "DERBY LORMONT NOIR 42"),
        ("Derby", "Derby Ploumanach"),
        ("ASICS Gel-Kayano 30", "Gel Kayano femme"),
        ("Noir 42", "Noir 43"),
    ],
)
def test_titles_of_one_model_are_like(title, other):
    assert identity.are_like(title, other)
    assert identity.are_like(other, title)


@pytest.mark.parametrize(
    ("title", "other"),
    [
        ("Mule Corail", "Botte Pluie"),
        ("Mocassin Noir femme", "Escarpin Noir femme"),
        ("Desert Boot", "Tong plage Havaianas"),
        ("", "Derby"),
    ],
)
def test_titles_of_two_articles_are_unlike(title, other):
    assert not identity.are_like(title, other)
    assert not identity.are_like(other, title)


def test_one_maker_is_the_same_brand_or_without_a_brand_the_same_maker():
    assert identity.have_one_maker("NIKE", "", "Nike", "Manufacture")
    assert identity.have_one_maker("", "Scholl", "Dr. Scholl's", "SCHOLL")
    assert not identity.have_one_maker("Gabor", "Manufacture", "Lormont", "Manufacture")
    assert not identity.have_one_maker("", "", "", "")
    assert not identity.have_one_maker("Gabor", "", "", "")


def test_codes_20_to_29_are_a_company_s_own():
    assert identity.in_house("2900000000018")
    assert not identity.in_house("3760150009779")
    assert not identity.in_house("20123451")
