"""Files that an SFTP server holds. Nothing is said to a server that does not show the key a person
accepted.
"""

import base64
import contextlib
import fnmatch
import functools
import hashlib
import io
import logging
import posixpath
import socket
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

import paramiko
from flask_babel import gettext as _

from gateways import FetchedFile, GatewayError, Place, UnknownHost, silence
from gateways.fetching import MOST_BYTES, WHOLE_FETCH, refused_sign_in, too_large, write
from gateways.outside import Outside

MOST_FILES, MOST_LISTED = 20, 5_000
# What goes wrong is told by what we raise; the library writes it, with its traceback, once more.
logging.getLogger("paramiko").setLevel(logging.CRITICAL)
# The key types of a handshake, where a key's own name is no longer one.
_KEY_TYPES = {"ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256")}


def fetch(outside: Outside, place: Place, into: Path) -> list[FetchedFile]:
    """The new files of a place. Raises UnknownHost, GatewayError, OSError."""
    parts = urlsplit(place.url)
    try:
        with _session(outside, parts, place) as sftp:
            return _taken(sftp, unquote(parts.path), place, into)
    except paramiko.ssh_exception.IncompatiblePeer:
        if not place.host_key:
            raise GatewayError(_("This server speaks no SSH we know.")) from None
        return fetch(outside, replace(place, host_key=""), into)  # the accepted key is gone: ask
    except (paramiko.SSHException, EOFError) as error:
        raise GatewayError(silence(error)) from error


def _taken(sftp: paramiko.SFTPClient, path: str, place: Place, into: Path) -> list[FetchedFile]:
    found = _files(sftp, *posixpath.split(path))
    if place.newest_only:
        found = found[-1:]
    new = [
        (path, facts)
        for path, facts in found
        if place.seen.get(posixpath.basename(path)) != _mark(facts)
    ]
    taken = []
    for number, (path, before) in enumerate(new[:MOST_FILES]):
        target = into / str(number)
        with sftp.open(path, "rb") as remote:
            if (before.st_size or 0) > MOST_BYTES:
                raise GatewayError(too_large())
            remote.prefetch(before.st_size, max_concurrent_requests=64)
            write(target, iter(functools.partial(remote.read, 1 << 16), b""))
        if _mark(sftp.stat(path)) != _mark(before):
            continue  # it is still being written: the next time
        taken.append(
            FetchedFile(
                name=posixpath.basename(path),
                path=target,
                modified=datetime.fromtimestamp(before.st_mtime or 0, UTC),
                mark=_mark(before),
            )
        )
    return taken


@contextmanager
def _session(outside: Outside, parts: SplitResult, place: Place) -> Iterator[paramiko.SFTPClient]:
    connection = _connected(outside, parts)
    alarm = threading.Timer(WHOLE_FETCH, _cut, (connection,))
    alarm.daemon = True
    alarm.start()
    transport = paramiko.Transport(connection)
    try:
        kind, _space, _print = place.host_key.partition(" ")
        if kind:  # of the keys a server has, it shows the one that was accepted
            options = transport.get_security_options()
            options.key_types = _KEY_TYPES.get(kind, (kind,))
        transport.start_client(timeout=15)
        shown = key_print(transport.get_remote_server_key())
        if shown != place.host_key:
            raise UnknownHost(shown)
        _sign_in(transport, place)
        client = paramiko.SFTPClient.from_transport(transport)
        if client is None:
            raise GatewayError(_("This server opens no SFTP."))
        yield client
    finally:
        alarm.cancel()
        transport.close()
        connection.close()


def _connected(outside: Outside, parts: SplitResult) -> socket.socket:
    port = parts.port or 22
    failed: OSError | None = None
    for address in outside.addresses(parts.hostname or "", port):
        try:
            return socket.create_connection((address, port), timeout=5)
        except OSError as error:
            failed = error
    raise GatewayError(
        silence(failed) if failed else _("This name leads nowhere: check the address.")
    )


def key_print(key: paramiko.PKey) -> str:
    """What people compare of a server's key: « ssh-ed25519 SHA256:… », as OpenSSH shows it."""
    digest = base64.b64encode(hashlib.sha256(key.asbytes()).digest()).decode().rstrip("=")
    return f"{key.get_name()} SHA256:{digest}"


def read_key(text: str) -> paramiko.PKey:
    """A private key as OpenSSH writes it, without a passphrase. Raises GatewayError."""
    for kind in (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey):
        with contextlib.suppress(paramiko.SSHException, ValueError):
            return kind.from_private_key(io.StringIO(text))
    raise GatewayError(
        _("This private key cannot be read: paste it whole, as OpenSSH made it, not encrypted."),
        permanent=True,
    )


def _sign_in(transport: paramiko.Transport, place: Place) -> None:
    try:
        if "PRIVATE KEY" in place.secret:
            transport.auth_publickey(place.login, read_key(place.secret))
        else:
            transport.auth_password(place.login, place.secret)
    except paramiko.AuthenticationException as error:
        raise GatewayError(refused_sign_in()) from error


def _files(
    sftp: paramiko.SFTPClient, folder: str, pattern: str
) -> list[tuple[str, paramiko.SFTPAttributes]]:
    """Paths and facts of the files of a folder, of those a pattern fits, or of one, oldest
    first.
    """
    path = posixpath.join(folder, pattern)
    if pattern and not set("*?[") & set(pattern):
        facts = sftp.stat(path)
        if not stat.S_ISDIR(facts.st_mode or 0):
            return [(path, facts)]
        folder, pattern = path, "*"
    listed = []
    for facts in sftp.listdir_iter(folder):
        listed.append(facts)
        if len(listed) > MOST_LISTED:
            raise GatewayError(
                _("This folder holds more than %(most)s files: name them.", most=MOST_LISTED)
            )
    return [
        (posixpath.join(folder, facts.filename), facts)
        for facts in sorted(listed, key=lambda facts: (facts.st_mtime or 0, facts.filename))
        if stat.S_ISREG(facts.st_mode or 0)
        and not facts.filename.startswith(".")
        and fnmatch.fnmatchcase(facts.filename, pattern or "*")
    ]


def _mark(facts: paramiko.SFTPAttributes) -> str:
    return f"{facts.st_size}-{facts.st_mtime}"


def _cut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
