"""Passwords people may not choose."""

import pytest

from services.people import passwords


@pytest.mark.parametrize(
    "word", ["1q2w3e4r5t6y7u8i9o", "telechargement", "fallen_angel", "Telechargement"]
)
def test_passwords_of_the_lists_that_go_round_are_refused(app, word):
    with pytest.raises(passwords.Weak):
        passwords.check_strength(word)
