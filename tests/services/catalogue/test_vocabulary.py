"""Words of a text, as they are indexed and looked for."""

from services.catalogue.vocabulary import words_of


def test_words_have_no_accent_no_capital_and_no_plural():
    assert words_of("Chaussures d’Été à l’œuf") == ["chaussure", "d", "ete", "a", "l", "oeuf"]


def test_a_reference_with_dashes_is_its_parts_and_the_whole():
    assert words_of("AB-1234") == ["ab", "1234", "ab1234"]
