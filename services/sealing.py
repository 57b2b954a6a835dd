"""What must not be read in a stolen database: sealed with AES-256-GCM, tied to its place so that
rows cannot be swapped.

A sealed text is « key id : base64 ». The first key of the ring seals; every key opens, so an old
one stays in the ring as long as something it sealed lives (the police register: ten years).
"""

import base64
import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_ring: dict[str, bytes] = {}


class CannotOpen(Exception):
    """The key is not in the ring, or the text was changed or moved."""


def plug(keys: str) -> None:
    """Called once by app.py with « id:base64,id:base64 », newest first."""
    _ring.clear()
    for part in keys.split(","):
        name, _colon, key = part.strip().partition(":")
        _ring[name] = base64.b64decode(key)


def seal(words: str, place: str) -> str:
    """Seal a text for a place such as « bank_details.iban:12 »."""
    name = next(iter(_ring))
    return f"{name}:{base64.b64encode(_seal(name, words.encode(), place)).decode()}"


def unseal(sealed: str, place: str) -> str:
    """The text again. Raises CannotOpen."""
    name, _colon, body = sealed.partition(":")
    try:
        data = base64.b64decode(body, validate=True)
    except ValueError as error:
        raise CannotOpen(place) from error
    return _open(name, data, place).decode()


def seal_bytes(data: bytes, place: str) -> bytes:
    """The same for a file kept in the database."""
    name = next(iter(_ring))
    return name.encode() + b":" + _seal(name, data, place)


def unseal_bytes(sealed: bytes, place: str) -> bytes:
    name, _colon, body = sealed.partition(b":")
    return _open(name.decode(), body, place)


@dataclass(frozen=True)
class Sealed:
    """A column of sealed texts (or, `is_file`, of the names of sealed files), and the place each is
    tied to.
    """

    model: Any
    column: str
    place: Callable[[Any], str]
    is_file: bool = False
    is_frozen: bool = False


# Every column that holds something sealed, declared by the noun that owns it: what a change of key
# must go through.
SEALED: list[Sealed] = []


def keeps(
    model: Any,
    column: str,
    place: Callable[[Any], str],
    *,
    is_file: bool = False,
    is_frozen: bool = False,
) -> None:
    """Declare a sealed column. `is_frozen`: its rows may never be rewritten, so their key must stay
    in the ring.
    """
    SEALED.append(Sealed(model, column, place, is_file, is_frozen))


def current() -> str:
    """The name of the key that seals."""
    return next(iter(_ring))


def prints() -> dict[str, str]:
    """What tells the keys apart and gives nothing of them away, by their names, newest first."""
    return {
        name: hashlib.sha256(f"comptoir print {name} ".encode() + key).hexdigest()[:12]
        for name, key in _ring.items()
    }


def names() -> list[str]:
    """The keys of the ring, the newest first."""
    return list(_ring)


def derived(purpose: str, name: str = "") -> bytes:
    """A key of its own (32 bytes) for another use, made from a key of the ring (HKDF, RFC 5869).
    Raises CannotOpen.
    """
    if (name or current()) not in _ring:
        raise CannotOpen(purpose)
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose.encode()).derive(
        _ring[name or current()]
    )


def _seal(name: str, data: bytes, place: str) -> bytes:
    nonce = os.urandom(12)
    return nonce + AESGCM(_ring[name]).encrypt(nonce, data, place.encode())


def _open(name: str, body: bytes, place: str) -> bytes:
    try:
        return AESGCM(_ring[name]).decrypt(body[:12], body[12:], place.encode())
    except (KeyError, InvalidTag, ValueError) as error:
        raise CannotOpen(place) from error
