"""The process that decodes pictures: one beside each process of ours that needs it, started at its
first picture, ended with it.

A picture that takes too long, too much memory, or breaks a library ends that process and nothing
else; the next picture starts another.
"""

import contextlib
import json
import os
import select
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from services import pictures
from services.pictures import Trouble

# Pictures are decoded one after the other, so that many at once cost the memory of one.
_decoding = threading.Semaphore(1)
PATIENCE_SECONDS = 8  # to wait for the picture before
MOST_SECONDS = 15  # for one picture
_PROGRAM = Path(pictures.__file__)


class _Process:
    """The one beside this process. After a fork it is the other one's, and left alone."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        # Nothing of ours is in its environment: no key, no password.
        self.child = subprocess.Popen(
            [sys.executable, "-P", "-B", str(_PROGRAM)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"LANG": "C.UTF-8"},
            cwd="/",
        )

    def is_ours(self) -> bool:
        return self.owner == os.getpid() and self.child.poll() is None

    def end(self) -> None:
        self.child.kill()
        for pipe in (self.child.stdin, self.child.stdout):
            with contextlib.suppress(OSError):
                pipe.close()  # type: ignore[union-attr]
        self.child.wait()

    def ask(self, said: dict[str, Any], data: bytes) -> tuple[dict[str, Any], bytes]:
        """Raises OSError or EOFError when it died or takes too long."""
        until = time.monotonic() + MOST_SECONDS
        pictures.write(self.child.stdin, said, data)  # type: ignore[arg-type]
        (size,) = struct.unpack(">I", self._read(4, until))
        told = json.loads(self._read(size, until))
        return told, self._read(told["size"], until)

    def _read(self, size: int, until: float) -> bytes:
        pipe = self.child.stdout.fileno()  # type: ignore[union-attr]
        found = bytearray()
        while len(found) < size:
            ready, _write, _error = select.select([pipe], [], [], max(0, until - time.monotonic()))
            block = os.read(pipe, min(size - len(found), 1 << 20)) if ready else b""
            if not block:
                raise EOFError
            found += block
        return bytes(found)


_process: _Process | None = None


@contextlib.contextmanager
def one_at_a_time() -> Iterator[None]:
    """Wait for the picture that is being decoded. Raises Trouble when that takes too long."""
    if not _decoding.acquire(timeout=PATIENCE_SECONDS):
        raise Trouble("busy")
    try:
        yield
    finally:
        _decoding.release()


def ask(data: bytes, **said: Any) -> tuple[dict[str, Any], bytes]:
    """What the process answers to one request (`pictures.answer`). Raises Trouble."""
    global _process
    with one_at_a_time():
        if _process is None or not _process.is_ours():
            _process = _Process()
        try:
            told, made = _process.ask(said, data)
        except (OSError, EOFError, ValueError):
            _process.end()
            _process = None
            raise Trouble("damaged") from None
    if "trouble" in told:
        raise Trouble(told["trouble"])
    return told, made
