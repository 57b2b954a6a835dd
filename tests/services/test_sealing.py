"""Sealing: a text opens at its own place, with a key of the ring, unchanged; else not at all."""

import base64

import pytest

from services import sealing

KEYS = {name: base64.b64encode(bytes([n]) * 32).decode() for n, name in enumerate(("old", "new"))}


@pytest.fixture(autouse=True)
def ring(app):
    kept = dict(sealing._ring)
    sealing.plug(f"old:{KEYS['old']}")
    yield
    sealing._ring.clear()
    sealing._ring.update(kept)


def test_what_is_sealed_opens_at_its_place_only():
    sealed = sealing.seal("FR76 3000", "bank_details.iban:1")
    assert "FR76" not in sealed
    assert sealing.unseal(sealed, "bank_details.iban:1") == "FR76 3000"
    with pytest.raises(sealing.CannotOpen):
        sealing.unseal(sealed, "bank_details.iban:2")


def test_a_changed_text_does_not_open():
    sealed = sealing.seal_bytes(b"contents", "file:1")
    assert sealing.unseal_bytes(sealed, "file:1") == b"contents"
    with pytest.raises(sealing.CannotOpen):
        sealing.unseal_bytes(sealed[:-1] + bytes([sealed[-1] ^ 1]), "file:1")


def test_a_new_key_seals_and_the_old_one_still_opens_until_it_goes():
    sealed = sealing.seal("secret", "place")
    sealing.plug(f"new:{KEYS['new']},old:{KEYS['old']}")
    assert sealing.unseal(sealed, "place") == "secret"
    assert sealing.seal("secret", "place").startswith("new:")
    assert (sealing.current(), sealing.names()) == ("new", ["new", "old"])
    sealing.plug(f"new:{KEYS['new']}")
    with pytest.raises(sealing.CannotOpen):
        sealing.unseal(sealed, "place")


def test_two_keys_have_two_prints_and_a_print_gives_nothing_of_its_key_away():
    sealing.plug(f"new:{KEYS['new']},old:{KEYS['old']}")
    first, second = sealing.prints().values()
    assert first != second
    assert KEYS["new"][:8] not in first
