"""Programs of the product as a shop starts them: `flask`, `gunicorn`, `huey_consumer`, a module.

To load the program takes some three seconds. In the short suites each process is therefore forked
from one that has loaded it and done nothing else; the long suites (`make accept`) start each one by
its command, as a shop does.
"""

import contextlib
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.acceptance.sizes import LONG

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
# What every one of them imports. Not `tasks`: it reads the environment while it is imported.
LOADED = [
    "app",
    "flask.cli",
    "gunicorn.app.wsgiapp",
    "gunicorn.workers.gthread",
    "huey.bin.huey_consumer",
    "tests.acceptance.machine_life",
]
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(LOADED)


def start(command: Sequence[str], env: dict[str, str]) -> "subprocess.Popen[str] | Forked":
    """Start a program in a session of its own; its output is one text."""
    if LONG:
        name, *words = command
        program = sys.executable if name == "python" else str(BIN / name)
        return subprocess.Popen(
            [program, *words],
            cwd=ROOT,
            env=env,
            stdout=subprocess.PIPE if name in ("python", "flask") else subprocess.DEVNULL,
            stderr=subprocess.STDOUT if name in ("python", "flask") else subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
    return Forked(command, env)


def run(command: Sequence[str], env: dict[str, str], timeout: float = 120) -> str:
    """Run a program to its end; its output. It fails the test when the program failed."""
    process = start(command, env)
    said, _nothing = process.communicate(timeout=timeout)
    assert process.returncode == 0, said
    return said or ""


class Forked:
    """What the tests use of `subprocess.Popen`, of a forked process."""

    def __init__(self, command: Sequence[str], env: dict[str, str]) -> None:
        with tempfile.NamedTemporaryFile(delete=False) as out:
            self._out = Path(out.name)
        self._process = _context.Process(target=_become, args=(list(command), env, str(self._out)))
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid
        with contextlib.suppress(ProcessLookupError):  # it has ended already
            while os.getpgid(self.pid) != self.pid:
                time.sleep(0.001)  # until it leads its own session, no signal reaches its group

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired("forked", timeout or 0)
        return self._process.exitcode

    def communicate(self, timeout: float | None = None) -> tuple[str, None]:
        self.wait(timeout)
        said = self._out.read_text("utf-8", "replace")
        self._out.unlink(missing_ok=True)
        return said, None

    def send_signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)


def _become(command: list[str], env: dict[str, str], out: str) -> None:
    """In the child: be this program and nothing of the tests."""
    os.setsid()
    os.environ.clear()
    os.environ.update(env)
    os.chdir(ROOT)
    into = os.open(out, os.O_WRONLY | os.O_APPEND)
    os.dup2(into, 1)
    os.dup2(into, 2)
    name, *words = command
    sys.argv = [name, *words]
    if name == "gunicorn":
        from gunicorn.app.wsgiapp import run as program
    elif name == "huey_consumer":
        from huey.bin.huey_consumer import consumer_main as program
    elif name == "flask":
        from flask.cli import main as program
    else:
        sys.argv = words[1:]
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
        return
    sys.exit(program())
