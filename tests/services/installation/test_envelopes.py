"""A backup is sealed so that only our keys open it, and that only our keys can have made it; the
format of before is still opened.
"""

import gzip
import hashlib
import io
import json
import os
import tarfile

import pyrage
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from services import sealing
from services.installation import backups, envelopes
from services.installation.envelopes import Damaged


def packed(manifest: dict) -> bytes:
    out = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=out, mode="wb") as packing,
        tarfile.open(fileobj=packing, mode="w|") as tar,
    ):
        for name, data in (("database", b"rows"), ("manifest.json", json.dumps(manifest).encode())):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def manifest(version: int) -> dict:
    return {"version": version, "names": {"database": [4, hashlib.sha256(b"rows").hexdigest()]}}


def sealed_as_before(data: bytes) -> bytes:
    """A backup as 0.4.6 wrote it."""
    cipher, salt = AESGCM(sealing.derived("backup v1")), os.urandom(8)
    out = b"COMPTOIR-BACKUP 1 " + sealing.current().encode() + b" " + salt.hex().encode() + b"\n"
    pieces = [data[at : at + (1 << 20)] for at in range(0, len(data), 1 << 20)]
    for number, piece in enumerate(pieces):
        last = "last" if number == len(pieces) - 1 else "more"
        box = cipher.encrypt(salt + number.to_bytes(4, "big"), piece, f"{number} {last}".encode())
        out += len(box).to_bytes(4, "big") + box
    return out


def test_the_identity_is_one_of_age_and_each_key_has_its_own(app, monkeypatch):
    ours = envelopes.identity()
    assert str(pyrage.x25519.Identity.from_str(ours)) == ours
    assert envelopes.identity() == ours
    monkeypatch.setattr(sealing, "_ring", {"new": b"n" * 32, "old": b"o" * 32})
    assert len({envelopes.identity("new"), envelopes.identity("old"), ours}) == 3


def test_the_spelling_of_a_key_is_the_one_of_bip_173():
    """The public half, computed by another library from the same 32 bytes, is the one age finds."""
    for secret in (b"\x42" * 32, bytes(range(32))):
        spelled = envelopes._bech32("age-secret-key-", secret).upper()
        public = X25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()
        found = pyrage.x25519.Identity.from_str(spelled).to_public()
        assert str(found) == envelopes._bech32("age", public)


def test_what_is_sealed_opens_with_an_older_key_of_the_ring_and_with_the_age_format(
    app, tmp_path, monkeypatch
):
    plain, sealed, out = (tmp_path / name for name in ("plain", "sealed", "out"))
    plain.write_bytes(b"x" * 3_000_000)
    envelopes.seal(plain, sealed)
    assert sealed.read_bytes().startswith(b"age-encryption.org/v1\n")
    held = pyrage.decrypt(
        sealed.read_bytes(), [pyrage.x25519.Identity.from_str(envelopes.identity())]
    )
    assert held == plain.read_bytes()
    ring = dict(sealing._ring)
    monkeypatch.setattr(sealing, "_ring", {"new": b"n" * 32, **ring})
    assert envelopes.unseal(sealed, out)
    assert out.read_bytes() == plain.read_bytes()


def test_a_backup_of_before_is_opened_without_a_signature(app, tmp_path):
    path = tmp_path / "old.comptoir"
    path.write_bytes(sealed_as_before(packed(manifest(1))))
    assert backups.open_backup(path, tmp_path / "opened")["version"] == 1
    assert (tmp_path / "opened" / "database").read_bytes() == b"rows"
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(Damaged):
        backups.open_backup(path, tmp_path / "again")


@pytest.mark.parametrize("version", [1, 2])
def test_a_backup_somebody_else_sealed_for_us_is_not_restored(app, tmp_path, version):
    plain, path = tmp_path / "plain", tmp_path / "theirs.comptoir"
    for said in (manifest(version), {**manifest(version), "signed": "0" * 64}):
        plain.write_bytes(packed(said))
        envelopes.seal(plain, path)
        with pytest.raises(Damaged, match="signé"):
            backups.open_backup(path, tmp_path / f"opened-{len(said)}")


def test_a_signature_holds_for_the_very_manifest(app):
    signed = envelopes.sign(manifest(2))
    envelopes.check_signature(signed)
    with pytest.raises(Damaged):
        envelopes.check_signature({**signed, "names": {}})


def test_the_key_of_backups_is_printed_for_who_asks_the_machine(app):
    said = app.test_cli_runner().invoke(args=["backup-key"])
    assert said.output.strip() == envelopes.identity()


def test_a_former_backup_that_goes_on_after_its_end_is_damaged(app, tmp_path):
    path = tmp_path / "old.comptoir"
    path.write_bytes(sealed_as_before(packed(manifest(1))) + b"x")
    with pytest.raises(Damaged):
        backups.open_backup(path, tmp_path / "opened")
