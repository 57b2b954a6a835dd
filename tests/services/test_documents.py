"""What documents write: amounts in words, lines that hold."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services import documents


@pytest.mark.parametrize(
    ("cents", "words"),
    [
        (0, "zéro euro"),
        (100, "un euro"),
        (1320, "treize euros et vingt centimes"),
        (2101, "vingt-et-un euros et un centime"),
        (7100, "soixante-et-onze euros"),
        (8000, "quatre-vingts euros"),
        (8100, "quatre-vingt-un euros"),
        (9199, "quatre-vingt-onze euros et quatre-vingt-dix-neuf centimes"),
        (20_000, "deux-cents euros"),
        (20_300, "deux-cent-trois euros"),
        (100_000, "mille euros"),
        (123_456, "mille-deux-cent-trente-quatre euros et cinquante-six centimes"),
        (8_000_000, "quatre-vingt-mille euros"),
        (20_000_000, "deux-cent-mille euros"),
    ],
)
def test_amounts_are_written_in_words_as_on_a_cheque(cents, words):
    assert documents.amount_in_words(cents) == words


@given(st.text(max_size=300), st.integers(10, 90))
def test_any_words_break_into_lines_that_hold(words, width):
    pdf = documents.Page()
    pdf.set_font("helvetica", "", 7)
    for line in pdf.lines(words, width):
        assert len(line) <= 1 or pdf.get_string_width(line) <= width + 0.01
