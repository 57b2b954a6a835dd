"""A colour, however it is written, belongs to the families people look for."""

import pytest

from services.catalogue import colors


@pytest.mark.parametrize("written", ["NOIR/BLANC", "Noir / Blanc", "noir-blanche", "Black/White"])
def test_one_colour_in_four_spellings_has_the_same_families(written):
    assert colors.families(written) == ("noir", "blanc")


def test_a_shade_belongs_to_the_family_people_look_for():
    assert (colors.families("Marine"), colors.families("Camel")) == (("bleu",), ("marron",))


def test_a_word_that_is_no_colour_has_no_family():
    assert colors.families("Cuir grainé") == ()
