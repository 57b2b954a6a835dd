"""What benches share: a scratch installation of any size, a real server, a load, one line of
result.
"""

import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))


def result(what: str, ours: str, baseline: str, ratio: float, goal: str, met: bool) -> None:
    print(
        f"{what:<58} ours {ours:>14}  baseline {baseline:>14}  ratio {ratio:6.2f}  goal {goal:<12}"
        f" {'ok' if met else 'NOT MET'}",
        flush=True,
    )


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="comptoir-bench-"))
    os.environ["COMPTOIR_DATA_DIR"] = str(folder)
    os.environ.pop("COMPTOIR_DATABASE_URL", None)
    os.environ.pop("COMPTOIR_REDIS_URL", None)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def installation():
    """A fresh application on the scratch directory, as `flask init` leaves it."""
    import logging

    from flask_migrate import upgrade

    import commands
    from app import create_app

    logging.disable(logging.INFO)
    app = create_app(bell=None)
    with app.app_context():
        upgrade(directory=str(ROOT / "migrations"))
        commands.bring_to_life()
    return app


def signed_in(app, role: str = "Administrateur"):
    """A client of the application whom the back office takes for a staff member of this role."""
    from services import clock, settings
    from services.people import sessions, staff
    from services.unit import db, unit_of_work
    from services.workflow import Actor

    bench = Actor("command", None, "bench")
    with app.app_context():
        with unit_of_work():
            settings.change("second_factor", "nobody", by=bench)
            user, _password = staff.add(f"{role[:4].lower()}@bench.test", role, by=bench)
            staff.account_of(user).must_change_password = False
            key = sessions.open_for(user, address="127.0.0.1", agent="bench")
            id, stamp = str(user.id), int(clock.now().timestamp())
        db.session.remove()
    client = app.test_client()
    with client.session_transaction() as cookie:
        cookie.update(_user_id=id, _fresh=True, key=key, seen=stamp, proved=stamp)
    return client


def ean(number: int) -> str:
    """A maker's barcode: one that begins with 2 is a shop's own, and asks whose it is."""
    body = f"4{number:011d}"
    return body + str(-sum(int(d) * (3 if i % 2 else 1) for i, d in enumerate(body)) % 10)


def price_list(path: Path, lines: int, shift: int = 0) -> None:
    """A list of so many references on 40 platforms; `shift` changes 1 line in 100."""
    with path.open("w") as file:
        file.write("ean;titre;plateforme;argus;bon_achat;especes\n")
        for n in range(lines):
            value = 100 + n % 9000 + (shift if n % 100 == 0 else 0)
            file.write(
                f"{ean(n)};Jeu numéro {n} de la grande liste;Console"
                f" {n % 40};{value // 100},{value % 100:02d};1,00;0,50\n"
            )


def imported(script: str, path: Path) -> tuple[float, float]:
    """Seconds and peak memory of one import of a file, in a process of its own (`script import
    FILE`, which calls `import_here`).
    """
    out = subprocess.run(
        [sys.executable, script, "import", str(path)], cwd=ROOT, capture_output=True, text=True
    )
    if out.returncode:
        raise SystemExit(out.stderr[-2000:])
    seconds, memory = out.stdout.split()[-2:]
    return float(seconds), float(memory)


def import_here(path: str, kind: str) -> None:
    """Import a file as the command does and print how long it took and the most memory held."""
    from app import create_app
    from services.workflow import Actor

    with create_app(bell=None).app_context():
        from services.imports import runs

        start = time.perf_counter()
        run = runs.import_file(Path(path), kind, by=Actor("command", None, "bench"))
        assert not run.error, run.error
        assert not run.refused, run.error
        print(time.perf_counter() - start, peak_mb())


def import_figures(
    what: str, lines: int, per_line: dict[int, float], memory: float, again: float, baseline: float
) -> None:
    """The lines of result every import is held to (goals 7, 8, 15): `per_line` seconds a line at a
    tenth and at all of the size.
    """
    seconds = per_line[lines] * lines
    share, growth = baseline / seconds, per_line[lines] / per_line[lines // 10]
    result(
        f"{what}, {lines:,} lines (share of plain sqlite3)",
        f"{lines / seconds:,.0f}/s",
        f"{lines / baseline:,.0f}/s",
        share,
        ">= 0.50",
        share >= 0.5,
    )
    result(
        "memory of that import, MB", f"{memory:.0f}", "200", memory / 200, "<= 1.00", memory <= 200
    )
    result(
        "the same file again, 1 % changed (time of the first)",
        f"{again:.1f} s",
        f"{seconds:.1f} s",
        again / seconds,
        "<= 1.10",
        again <= 1.1 * seconds,
    )
    result(
        f"cost a line, {lines:,} against {lines // 10:,}",
        f"{per_line[lines] * 1e6:.1f} us",
        f"{per_line[lines // 10] * 1e6:.1f} us",
        growth,
        "<= 1.30",
        growth <= 1.3,
    )


@contextlib.contextmanager
def served(module: str, cwd: Path = ROOT, **env: str) -> Iterator[str]:
    """gunicorn with 2 sync workers, as both sides of a comparison get it."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "gunicorn",
        "-w",
        "2",
        "-b",
        f"127.0.0.1:{port}",
        "--log-level",
        "error",
        module,
    ]
    server = subprocess.Popen(command, cwd=cwd, env={**os.environ, **env}, start_new_session=True)
    address = f"http://127.0.0.1:{port}"
    try:
        for _n in range(200):
            try:
                urllib.request.urlopen(address + "/api/v1/quote?ean=0", timeout=2)
                break
            except urllib.error.HTTPError:
                break
            except OSError:
                time.sleep(0.1)
        yield address
    finally:
        server.terminate()
        server.wait(10)


def requests_per_second(address: str, paths: list[str], seconds: float = 3.0) -> float:
    """Load from other processes on loopback, bounded in time: wrk when it is there, else Python
    clients.
    """
    if shutil.which("wrk"):
        # wrk opens it by name
        script = tempfile.NamedTemporaryFile("w", suffix=".lua", delete=False)  # noqa: SIM115
        listed = ",".join(f'"{p}"' for p in paths)
        script.write(
            f"local p = {{{listed}}}\nlocal i = 0\nrequest = function() i = i % #p + 1; return"
            " wrk.format('GET', p[i]) end\n"
        )
        script.close()
        out = subprocess.run(
            ["wrk", "-t1", "-c4", f"-d{int(seconds)}s", "-s", script.name, address],
            capture_output=True,
            text=True,
        ).stdout
        os.unlink(script.name)
        if re.search(r"Non-2xx", out):
            raise SystemExit(out)
        return float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1))
    client = """
import http.client, sys, time, json
host, paths, seconds = sys.argv[1], json.loads(sys.argv[2]), float(sys.argv[3])
connection = http.client.HTTPConnection(host)
end, n = time.monotonic() + seconds, 0
while time.monotonic() < end:
    connection.request("GET", paths[n % len(paths)])
    answer = connection.getresponse()
    answer.read()
    assert answer.status == 200
    n += 1
print(n)
"""
    import json

    many = [
        subprocess.Popen(
            [
                sys.executable,
                "-c",
                client,
                address.removeprefix("http://"),
                json.dumps(paths),
                str(seconds),
            ],
            stdout=subprocess.PIPE,
        )
        for _n in range(2)
    ]
    return sum(int(one.communicate()[0]) for one in many) / seconds


def peak_mb() -> float:
    """The most memory this program ever held, in MB. Not ru_maxrss: that one remembers the process
    it was started from.
    """
    return (
        int(re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text()).group(1)) / 1024
    )
