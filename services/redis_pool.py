"""Connections to Redis that rest: after an answer that did not come in time, this process asks
nothing of that server for a while, so that one which hangs costs a page two seconds once and not
at every call. What needs Redis says for itself what it does without.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import redis
from redis.connection import Connection, SSLConnection, UnixDomainSocketConnection

TIMEOUT_SECONDS, REST_SECONDS = 2.0, 15.0

_lock = threading.Lock()
_rests_until: dict[str, float] = {}


def pool(url: str) -> redis.ConnectionPool:
    """Connections to the server of an address (redis://, rediss://, unix://)."""
    server = urlsplit(url)._replace(query="").geturl()
    kind = {"rediss": SSLConnection, "unix": UnixDomainSocketConnection}.get(
        urlsplit(url).scheme, Connection
    )
    resting: Any = type(f"Resting{kind.__name__}", (_Resting, kind), {"server": server})
    return redis.ConnectionPool.from_url(
        url,
        connection_class=resting,
        socket_timeout=TIMEOUT_SECONDS,
        socket_connect_timeout=TIMEOUT_SECONDS,
        retry=None,
        retry_on_timeout=False,
    )


def forget() -> None:
    """Ask every server again at once (tests)."""
    with _lock:
        _rests_until.clear()


class _Resting:
    """What a connection does besides: it refuses at once while its server rests, and lets it rest
    when it did not answer in time.
    """

    server = ""

    def connect(self) -> None:
        with self._watched():
            super().connect()  # type: ignore[misc]

    def send_packed_command(self, *args: Any, **how: Any) -> None:
        with self._watched():
            super().send_packed_command(*args, **how)  # type: ignore[misc]

    def read_response(self, *args: Any, **how: Any) -> Any:
        with self._watched():
            return super().read_response(*args, **how)  # type: ignore[misc]

    @contextmanager
    def _watched(self) -> Iterator[None]:
        with _lock:
            rests = _rests_until.get(self.server, 0.0) > time.monotonic()
        if rests:
            raise redis.ConnectionError("Redis did not answer in time a moment ago")
        try:
            yield
        except redis.TimeoutError:
            with _lock:
                _rests_until[self.server] = time.monotonic() + REST_SECONDS
            raise
