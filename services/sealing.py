"""What must not be read in a stolen database: sealed with AES-256-GCM, tied to its place so that rows cannot be swapped.

A sealed text is « key id : base64 ». The first key of the ring seals; every key opens, so an old one stays in the ring
as long as something it sealed lives (the police register: ten years).
"""

import base64
import hashlib
import hmac
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

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


def digest(words: str) -> str:
    """A keyed fingerprint, to compare two sealed texts without opening them."""
    return hmac.new(next(iter(_ring.values())), words.encode(), hashlib.sha256).hexdigest()


def _seal(name: str, data: bytes, place: str) -> bytes:
    nonce = os.urandom(12)
    return nonce + AESGCM(_ring[name]).encrypt(nonce, data, place.encode())


def _open(name: str, body: bytes, place: str) -> bytes:
    try:
        return AESGCM(_ring[name]).decrypt(body[:12], body[12:], place.encode())
    except (KeyError, InvalidTag, ValueError) as error:
        raise CannotOpen(place) from error
