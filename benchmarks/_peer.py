"""The peer our figures are measured beside: django-oscar with 100,000 products, in a virtual
environment and databases of its own under var/peers. `make peers` (this module as a program)
installs and fills it; a bench serves it in the same run, so that no figure of another machine is a
baseline.
"""

import contextlib
import os
import shutil
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
import venv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent / "peer"
DATA = Path(os.environ.get("COMPTOIR_PEERS", HERE.parent.parent / "var" / "peers"))
PRODUCTS = 100_000
SQLITE, POSTGRES = "SQLite", "PostgreSQL"
DATABASE = "postgresql:///postgres?host=/var/run/postgresql"


def environment(engine: str) -> dict[str, str]:
    return {
        **os.environ,
        "PEER_DATA": str(DATA),
        "PEER_ENGINE": engine,
        "DJANGO_SETTINGS_MODULE": "settings",
    }


def cookie(engine: str) -> Path:
    """Written when an engine is filled: the session of the peer's administrator."""
    return DATA / f"cookie-{engine}"


@dataclass
class Peer:
    """The peer, served by two processes of gunicorn on loopback."""

    address: str
    session: str

    def open(self, path: str) -> bytes:
        asked = urllib.request.Request(
            self.address + path, headers={"Cookie": f"sessionid={self.session}"}
        )
        with urllib.request.urlopen(asked, timeout=120) as answer:
            return bytes(answer.read())

    def median_ms(self, *paths: str, times: int = 5) -> float:
        """The median milliseconds of these pages, each asked so many times after a first one that
        is not counted.
        """
        for path in paths:
            self.open(path)
        took = []
        for _n in range(times):
            for path in paths:
                start = time.perf_counter()
                self.open(path)
                took.append(1000 * (time.perf_counter() - start))
        return statistics.median(took)


@contextlib.contextmanager
def served(engine: str = SQLITE) -> Iterator[Peer | None]:
    """The peer on one engine, or None where `make peers` has not installed it."""
    if not cookie(engine).exists():
        print(f"django-oscar on {engine} is not here: make peers", file=sys.stderr)
        yield None
        return
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [
            str(DATA / "venv/bin/gunicorn"),
            *("-w", "2", "-b", f"127.0.0.1:{port}", "--timeout", "120"),
            "django.core.wsgi:get_wsgi_application()",
        ],
        cwd=HERE,
        env=environment(engine),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(port)
        yield Peer(f"http://127.0.0.1:{port}", cookie(engine).read_text())
    finally:
        server.terminate()
        server.wait(30)


def _wait_for(port: int) -> None:
    for _try in range(150):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.2)
    raise SystemExit("django-oscar did not start")


# ── make peers ──


def install() -> None:
    """The virtual environment, then each engine that answers. What is there stays."""
    python = DATA / "venv/bin/python"
    if not python.exists():
        DATA.mkdir(parents=True, exist_ok=True)
        venv.create(DATA / "venv", with_pip=True)
    _run(str(python), "-m", "pip", "install", "-q", "-r", "requirements.txt")
    for engine in (SQLITE, POSTGRES):
        if engine == POSTGRES and not _made_database():
            print("PostgreSQL does not answer: the peer is installed on SQLite only")
            continue
        if not cookie(engine).exists():
            print(f"filling django-oscar on {engine} with {PRODUCTS:,} products: two minutes")
            _run(str(python), "fill.py", str(PRODUCTS), engine=engine)
    print(f"django-oscar is in {DATA}: make bench measures beside it")


def _run(*command: str, engine: str = SQLITE) -> None:
    subprocess.run(command, cwd=HERE, env=environment(engine), check=True)


def _made_database() -> bool:
    psql = shutil.which("psql")
    if psql is None:
        return False
    asked = (psql, "-qtA", DATABASE, "-c")
    found = subprocess.run(
        [*asked, "SELECT 1 FROM pg_database WHERE datname = 'comptoir_peer'"],
        capture_output=True,
        text=True,
    )
    if found.returncode:
        return False
    if found.stdout.strip():
        return True
    made = subprocess.run([*asked, "CREATE DATABASE comptoir_peer"], capture_output=True)
    return made.returncode == 0


if __name__ == "__main__":
    install()
