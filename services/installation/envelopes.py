"""How a backup is sealed: the age format (age-encryption.org/v1), to an X25519 identity derived
from the sealing keys, so that a copy elsewhere needs no other secret and the `age` program opens it
too.

Backups of before 0.4.6 have a format of their own (« COMPTOIR-BACKUP 1 »), which is opened until
2.0: chunks of at most 1 MiB, each a 4-byte length and AES-256-GCM(nonce = the 8 bytes of the first
line + the chunk's number, data = number + « last » mark).
"""

import hashlib
import hmac
import json
from pathlib import Path
from typing import IO, Any

import pyrage
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from flask_babel import gettext as _

from services import sealing
from services.workflow import Refused

AGE = b"age-encryption.org/v1\n"
IDENTITY, SIGNATURE = "backup age v1", "backup manifest v1"
SIGNED = "signed"


class Damaged(Refused):
    """The backup is not the one that was made; the sentence says where it breaks."""


# ── the key ──


def identity(name: str = "") -> str:
    """The age identity of a sealing key (the one in use without a name), « AGE-SECRET-KEY-1… »:
    whoever has it opens the backups made under that key.
    """
    return _bech32("age-secret-key-", sealing.derived(IDENTITY, name)).upper()


_LETTERS = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


def _bech32(prefix: str, data: bytes) -> str:
    """Bytes in the spelling of BIP 173, which age uses for its keys."""
    bits = int.from_bytes(data, "big") << (-len(data) * 8 % 5)
    count = (len(data) * 8 + 4) // 5
    digits = [bits >> 5 * (count - 1 - n) & 31 for n in range(count)]
    spread = [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix]
    check = _polymod([*spread, *digits, 0, 0, 0, 0, 0, 0]) ^ 1
    digits += [check >> 5 * (5 - n) & 31 for n in range(6)]
    return f"{prefix}1" + "".join(_LETTERS[digit] for digit in digits)


def _polymod(values: list[int]) -> int:
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for n, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            if top >> n & 1:
                check ^= generator
    return check


# ── sealing and opening ──


def seal(plain: Path, sealed: Path) -> None:
    """Write a file sealed for the key in use."""
    recipient = pyrage.x25519.Identity.from_str(identity()).to_public()
    pyrage.encrypt_file(str(plain), str(sealed), [recipient])


def unseal(sealed: Path, plain: Path) -> bool:
    """Write what a sealed file holds; whether its manifest must be signed, as it is in the age
    format: the former one was sealed by our key itself. Raises Damaged.
    """
    with sealed.open("rb") as file:
        is_age = file.read(len(AGE)) == AGE
    if not is_age:
        _unseal_former(sealed, plain)
        return False
    identities = [pyrage.x25519.Identity.from_str(identity(name)) for name in sealing.names()]
    try:
        pyrage.decrypt_file(str(sealed), str(plain), identities)
    except pyrage.DecryptError as error:
        if "No matching keys" in str(error):
            raise Damaged(
                _(
                    "This backup was sealed with another key than those we have: put its key into"
                    " COMPTOIR_SEALING_KEYS."
                )
            ) from None
        raise Damaged(_("The backup is damaged or cut off: %(why)s.", why=str(error))) from None
    except OSError as error:
        raise Damaged(_("The backup is damaged or cut off: %(why)s.", why=str(error))) from None
    return True


def sign(manifest: dict[str, Any]) -> dict[str, Any]:
    """A manifest with its signature: whoever only knows for whom backups are sealed cannot make
    one that is restored.
    """
    return {**manifest, SIGNED: _signature(manifest, "")}


def check_signature(manifest: dict[str, Any]) -> None:
    """Raises Damaged when none of our keys signed a manifest."""
    bare = {name: value for name, value in manifest.items() if name != SIGNED}
    said = str(manifest.get(SIGNED, ""))
    if not any(hmac.compare_digest(said, _signature(bare, name)) for name in sealing.names()):
        raise Damaged(_("The list of what this backup holds is not signed by one of our keys."))


def _signature(manifest: dict[str, Any], name: str) -> str:
    words = json.dumps(manifest, sort_keys=True, ensure_ascii=False).encode()
    return hmac.new(sealing.derived(SIGNATURE, name), words, hashlib.sha256).hexdigest()


# ── the format of before ──

FORMER = b"COMPTOIR-BACKUP 1 "
FORMER_PURPOSE = "backup v1"
CHUNK = 1 << 20


def _unseal_former(sealed: Path, plain: Path) -> None:
    with sealed.open("rb") as source, plain.open("wb") as target:
        for block in _chunks(source):
            target.write(block)


def _chunks(source: IO[bytes]) -> Any:
    head = source.readline(200)
    try:
        magic, name, words = head[: len(FORMER)], *head[len(FORMER) :].decode("ascii").split()
        salt = bytes.fromhex(words)
        if magic != FORMER or len(salt) != 8:
            raise ValueError
    except ValueError:
        raise Damaged(_("This file is no backup of Comptoir.")) from None
    try:
        cipher = AESGCM(sealing.derived(FORMER_PURPOSE, name))
    except sealing.CannotOpen:
        raise Damaged(
            _(
                "This backup was sealed with the key « %(name)s »: put that key into"
                " COMPTOIR_SEALING_KEYS.",
                name=name,
            )
        ) from None
    number, is_over = 0, False
    while not is_over:
        data, is_over = _opened(cipher, salt, number, source)
        yield data
        number += 1
    if source.read(1):
        raise Damaged(_("The backup goes on after its end."))


def _opened(cipher: AESGCM, salt: bytes, number: int, source: IO[bytes]) -> tuple[bytes, bool]:
    length = int.from_bytes(source.read(4), "big")
    sealed = source.read(length) if 16 <= length <= CHUNK + 16 else b""
    nonce = salt + number.to_bytes(4, "big")
    for last in (False, True):
        mark = f"{number} {'last' if last else 'more'}".encode()
        try:
            return cipher.decrypt(nonce, sealed, mark), last
        except (InvalidTag, ValueError):
            continue
    raise Damaged(_("The backup is damaged or cut off at its piece %(number)s.", number=number + 1))
