"""Passwords people may not choose."""

import secrets

import pytest

from services.people import passwords


@pytest.mark.parametrize(
    "word", ["1q2w3e4r5t6y7u8i9o", "telechargement", "fallen_angel", "Telechargement"]
)
def test_passwords_of_the_lists_that_go_round_are_refused(app, word):
    with pytest.raises(passwords.Weak):
        passwords.check_strength(word)


def test_a_password_has_at_most_128_characters(app):
    word = secrets.token_urlsafe(128)
    passwords.check_strength(word[: passwords.MOST])
    with pytest.raises(passwords.Weak, match="128"):
        passwords.check_strength(word[: passwords.MOST + 1])
