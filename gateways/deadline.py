"""A deadline for a whole call. The time-outs of a socket count each read anew: a partner that sends
one byte every few seconds would hold a worker for ever. Here the connection is cut at the end of
its time, whatever it is doing; the caller sees a connection that was closed.

A call may try three addresses, or ask three things one after the other: three deadlines are still
shorter than the lease of a row of the outbox.
"""

import contextlib
import smtplib
import socket
import threading
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection

# Seconds; three of them are under `outbox.LEASE`.
WHOLE_CALL = 25.0


def _cut(alarm: "_Alarm") -> None:
    """Close both ways of the connection that is watched: who waits for an answer wakes up."""
    connection = alarm.connection or getattr(alarm.owner, "sock", None)
    if connection is not None:
        with contextlib.suppress(OSError):  # it ended meanwhile
            # Not the method of a TLS socket, which forgets its keys under the reader's hands.
            socket.socket.shutdown(connection, socket.SHUT_RDWR)


class _Alarm:
    """Cuts the connection of its owner when the time of a call is over. `connection` is the one an
    answer is read from, which its owner may have let go of.
    """

    def __init__(self, owner: Any) -> None:
        self.owner = owner
        self.connection: socket.socket | None = None
        self.timer: threading.Timer | None = None

    def set(self) -> None:
        self.stop()
        self.connection = None
        seconds = getattr(self.owner, "seconds", None) or WHOLE_CALL
        self.timer = threading.Timer(seconds, _cut, (self,))
        self.timer.daemon = True
        self.timer.start()

    def stop(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


class _Watched:
    """A connection of urllib3 whose every request has its deadline, perhaps one of its own."""

    def __init__(self, *args: Any, seconds: float | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.seconds = seconds
        self.alarm = _Alarm(self)
        self._is_answering = False

    def connect(self) -> None:
        super().connect()  # type: ignore[misc]
        self.alarm.set()

    def request(self, *args: Any, **kwargs: Any) -> None:
        self.alarm.set()
        super().request(*args, **kwargs)  # type: ignore[misc]

    def getresponse(self) -> Any:
        self.alarm.connection = self.sock  # type: ignore[attr-defined]
        self._is_answering = True
        try:
            return super().getresponse()  # type: ignore[misc]
        finally:
            self._is_answering = False

    def close(self) -> None:
        if not self._is_answering:  # else only the owner lets go: the answer is still to be read
            self.alarm.stop()
        super().close()  # type: ignore[misc]


class _Plain(_Watched, HTTPConnection):
    pass


class _Secure(_Watched, HTTPSConnection):
    pass


class PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain


class SecurePool(HTTPSConnectionPool):
    ConnectionCls = _Secure


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        manager: PoolManager = self.poolmanager
        manager.pool_classes_by_scheme = {"http": PlainPool, "https": SecurePool}


def session() -> requests.Session:
    """A session of requests whose every request has its deadline."""
    made = requests.Session()
    for scheme in ("http://", "https://"):
        made.mount(scheme, _Adapter())
    return made


class _Ends:
    """A conversation with a mail server, from its connection to its end within one deadline."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.alarm = _Alarm(self)
        self.alarm.set()
        super().__init__(*args, **kwargs)

    def close(self) -> None:
        self.alarm.stop()
        super().close()  # type: ignore[misc]


class Smtp(_Ends, smtplib.SMTP):
    pass


class SmtpOverTls(_Ends, smtplib.SMTP_SSL):
    pass
