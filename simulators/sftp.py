"""A server that holds files, spoken to over SFTP, as a shop's host runs one: read only, one person
with a password or a key.
"""

import contextlib
import os
import socket
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import paramiko
from paramiko.common import AUTH_FAILED, AUTH_SUCCESSFUL, OPEN_SUCCEEDED
from paramiko.sftp import SFTP_PERMISSION_DENIED
from paramiko.sftp_attr import SFTPAttributes
from paramiko.sftp_handle import SFTPHandle


@dataclass
class Host:
    """What it holds, whom it knows, and what was tried. `key` may be changed between two calls."""

    folder: Path
    login: str = "nantes"
    password: str = "chaussures"
    person_key: paramiko.PKey | None = None
    key: paramiko.PKey = field(default_factory=lambda: paramiko.ECDSAKey.generate())
    port: int = 0
    tried: list[tuple[str, str]] = field(default_factory=list)
    opened: list[str] = field(default_factory=list)
    is_writing: bool = False  # each file grows while it is read

    def close(self) -> None:
        self._server.close()

    def serve(self) -> "Host":
        self._server = socket.create_server(("127.0.0.1", self.port))
        self.port = self._server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def _accept(self) -> None:
        while True:
            try:
                connection, _address = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._speak, args=(connection,), daemon=True).start()

    def _speak(self, connection: socket.socket) -> None:
        transport = paramiko.Transport(connection)
        transport.add_server_key(self.key)
        transport.set_subsystem_handler("sftp", paramiko.SFTPServer, _Files, self)
        # Who calls leaves when the key is not the one they know.
        with contextlib.suppress(paramiko.SSHException, EOFError, OSError):
            transport.start_server(server=_Door(self))
            transport.join()
        transport.close()


class _Door(paramiko.ServerInterface):
    def __init__(self, host: Host) -> None:
        self.host = host

    def get_allowed_auths(self, username: str) -> str:
        return "password,publickey"

    def check_auth_password(self, username: str, password: str) -> int:
        self.host.tried.append((username, password))
        is_right = (username, password) == (self.host.login, self.host.password)
        return AUTH_SUCCESSFUL if is_right else AUTH_FAILED

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        self.host.tried.append((username, "key"))
        is_right = username == self.host.login and key == self.host.person_key
        return AUTH_SUCCESSFUL if is_right else AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return OPEN_SUCCEEDED


class _Files(paramiko.SFTPServerInterface):
    def __init__(self, server: Any, host: Host) -> None:
        super().__init__(server)
        self.host = host

    def _real(self, path: str) -> str:
        """A path below the folder, whatever « .. » it holds."""
        return str(self.host.folder) + os.path.normpath("/" + path)

    def list_folder(self, path: str) -> Any:
        try:
            return [
                SFTPAttributes.from_stat(entry.stat(), entry.name)
                for entry in os.scandir(self._real(path))
            ]
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno or 0)

    def stat(self, path: str) -> Any:
        try:
            return SFTPAttributes.from_stat(os.stat(self._real(path)))
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno or 0)

    lstat = stat

    def open(self, path: str, flags: int, attr: Any) -> Any:
        if flags & (os.O_WRONLY | os.O_RDWR):
            return SFTP_PERMISSION_DENIED
        self.host.opened.append(path)
        real = self._real(path)
        try:
            handle = SFTPHandle(flags)
            handle.readfile = open(real, "rb")  # type: ignore[attr-defined]  # noqa: SIM115
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno or 0)
        if self.host.is_writing:
            with open(real, "ab") as growing:
                growing.write(b"more\n")
        return handle
