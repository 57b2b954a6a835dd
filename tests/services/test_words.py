"""What people type is kept as they typed it."""

from services import words


def test_what_nobody_sees_is_taken_out_and_the_rest_left_as_typed():
    assert words.visible("Zoë d’Œuvre\u202e-\u200bLe Gall") == "Zoë d’Œuvre-Le Gall"
    assert words.visible("L'Haÿ") == "L'Haÿ"
    assert words.visible("ゼルダの伝説 🎮 é") == "ゼルダの伝説 🎮 é"
    assert words.xml_safe("a\x01\uffffb") == "ab"
