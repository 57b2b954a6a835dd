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


@pytest.mark.parametrize("break_", ["\n", "\r\n", "\x0b", "\u2028"])
def test_a_line_break_in_a_password_is_a_character_like_another(app, break_):
    passwords.check_strength(f"t|a\x8c1{'1' * 20}{break_}\x00@trois mots")
    with pytest.raises(passwords.Weak):
        passwords.check_strength(f"11111111{break_}")
