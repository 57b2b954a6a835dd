"""docs/rules/money.md, line by line, and what must hold for any amount."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services import money

CENTS = st.integers(0, money.MOST_CENTS)


@pytest.mark.parametrize(
    ("amount", "rate", "expected"),
    [
        (2000, 4000, 800),
        (2500, 4000, 1000),
        (925, 4000, 370),
        (1, 4000, 0),
        (2, 4000, 1),
        (125, 1000, 13),
        (124, 1000, 12),
        (0, 4000, 0),
    ],
)
def test_a_share_is_rounded_half_up_to_the_cent(amount, rate, expected):
    assert money.share(amount, rate) == expected


@pytest.mark.parametrize(
    ("amount", "step", "expected"),
    [(763, 50, 750), (775, 50, 800), (774, 50, 750), (1001, 100, 1000), (5, 10, 10)],
)
def test_a_step_is_rounded_half_up(amount, step, expected):
    assert money.to_step(amount, step) == expected


@pytest.mark.parametrize(
    ("words", "cents"),
    [
        ("12,5", 1250),
        ("1 234,56 €", 123456),
        ("8.00", 800),
        ("1\u202f234,50\u00a0€", 123450),
        ("0", 0),
        ("-3,20", -320),
        ("10,000", 1000),
        ("7", 700),
    ],
)
def test_amounts_are_read_as_people_write_them(words, cents):
    assert money.parse(words) == cents


@pytest.mark.parametrize(
    "words",
    ["", "abc", "1,2,3", "12,345", "1e3", "٣", "NaN", "1234567890", "2000000", "--1", "1,-"],
)
def test_what_is_no_amount_is_refused(words):
    with pytest.raises(ValueError):
        money.parse(words)


def test_amounts_are_written_the_french_way():
    assert money.text(123450) == "1\u202f234,50\u00a0€"
    assert money.text(-5) == "-0,05\u00a0€"
    assert money.dotted(1000) == "10.00"
    assert money.percent(3750) == "37,5\u00a0%"
    assert money.percent(4000) == "40\u00a0%"


@given(CENTS)
def test_what_is_written_is_read_back(cents):
    assert money.parse(money.text(cents)) == cents
    assert money.parse(money.plain(cents)) == cents
    assert money.parse(money.dotted(cents)) == cents


@given(CENTS, st.integers(0, 10_000))
def test_a_share_is_never_more_than_the_whole_and_never_off_by_a_cent(amount, rate):
    share = money.share(amount, rate)
    assert 0 <= share <= amount
    assert abs(share * 10_000 - amount * rate) <= 5_000
