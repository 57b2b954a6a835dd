"""What a web process holds of its own at rest, after its first pages: the application is loaded
once and shared by the processes (`gunicorn --preload`). Beside it, the same without sharing; and
the peak of one, and of the child that decodes for it, while strangers send what should hurt.
"""

import contextlib
import os
import re
import subprocess
import sys
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from _common import ROOT, installation, result, scratch

PORT = 8397
LIMIT_MB = 95  # half of the 190 MB a process held when it shared nothing


def private_mb(preload: bool, folder: Path) -> float:
    """The mean of two web processes, in MB nobody shares with them."""
    command = [sys.executable, "-m", "gunicorn", "-w", "2", "--threads", "4"]
    command += ["--preload"] if preload else []
    command += ["-b", f"127.0.0.1:{PORT}", "--log-level", "error", "app:create_app()"]
    env = {**os.environ, "COMPTOIR_DATA_DIR": str(folder)}
    server = subprocess.Popen(command, cwd=ROOT, env=env, start_new_session=True)
    try:
        pages(60)
        children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
        found = [own_mb(int(child)) for child in children]
        return sum(found) / len(found)
    finally:
        server.terminate()
        server.wait(10)


def peak_under_hostile_uploads(folder: Path) -> dict[str, float]:
    """The most memory, in MB, of one web worker, of the child that decodes for it, and of both at
    one moment, without what they share with others; while eight strangers send every hostile and
    every large honest picture of our corpus as photo and as frame.
    """
    sys.path.insert(0, str(ROOT))
    from tests.acceptance import hostile_files

    sent = [data for _name, data in (*hostile_files.pictures(), *hostile_files.good_pictures())]
    command = [sys.executable, "-m", "gunicorn", "-w", "1", "--threads", "8", "--preload"]
    command += ["-b", f"127.0.0.1:{PORT}", "--log-level", "error", "app:create_app()"]
    env = {**os.environ, "COMPTOIR_DATA_DIR": str(folder)}
    server = subprocess.Popen(command, cwd=ROOT, env=env, start_new_session=True)
    try:
        pages(1)
        (worker,) = children_of(server.pid)
        peaks, over = {"worker": 0.0, "child": 0.0, "both": 0.0}, threading.Event()

        def watch() -> None:
            while not over.wait(0.02):
                own = own_mb(worker)
                children = [own_mb(child) for child in children_of(worker)]
                peaks["worker"] = max(peaks["worker"], own)
                peaks["child"] = max(peaks["child"], *children, 0.0)
                peaks["both"] = max(peaks["both"], own + sum(children))

        watching = threading.Thread(target=watch)
        watching.start()
        with ThreadPoolExecutor(8) as strangers:
            list(strangers.map(send, sent * 2))
        over.set()
        watching.join()
        return peaks
    finally:
        server.terminate()
        server.wait(10)


def send(data: bytes) -> None:
    import requests

    address, visitor = f"http://127.0.0.1:{PORT}", requests.Session()
    page = visitor.get(address + "/", timeout=30).text
    token = re.search(r'name="csrf" content="([^"]+)"', page)[1]  # type: ignore[index]
    headers = {"X-CSRFToken": token, "Content-Type": "image/jpeg"}
    answers = [
        visitor.post(address + "/scanner", data=data, headers=headers, timeout=120),
        visitor.post(
            address + "/photo",
            files={"photo": ("p.jpg", data)},
            headers={"X-CSRFToken": token},
            timeout=120,
        ),
    ]
    assert all(answer.status_code < 500 or answer.status_code == 503 for answer in answers)


def children_of(pid: int) -> list[int]:
    """Its children, whichever of its threads started them."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += [int(number) for number in task.read_text().split()]
    return found


def own_mb(pid: int) -> float:
    """What a process holds and shares with no other."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0.0
    return sum(int(kb) for kb in re.findall(r"Private_\w+: +(\d+)", text)) / 1024


def pages(count: int) -> None:
    address, asked = f"http://127.0.0.1:{PORT}", 0
    for _n in range(600):
        try:
            for page in ("/gestion/login/", "/api/"):
                urllib.request.urlopen(address + page, timeout=5).read()
            asked += 1
            if asked == count:
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("the web server does not answer")


def main() -> None:
    with scratch() as folder:
        installation()
        shared, alone = private_mb(True, folder), private_mb(False, folder)
    result(
        "memory of a web process at rest, its own (share of the limit)",
        f"{shared:.0f} MB",
        f"{LIMIT_MB} MB (alone {alone:.0f} MB)",
        shared / LIMIT_MB,
        "≤ 1",
        shared <= LIMIT_MB,
    )
    with scratch() as folder:
        app = installation()
        with app.app_context():
            from services import settings
            from services.unit import unit_of_work
            from services.workflow import Actor

            with unit_of_work():
                settings.change("photos_per_minute", "10000", by=Actor("command", None, "bench"))
        peaks = peak_under_hostile_uploads(folder)
    result(
        "peak of a web worker and its decoding child, hostile uploads (share of 400 MB)",
        f"{peaks['both']:.0f} MB",
        f"400 MB (worker {peaks['worker']:.0f}, child {peaks['child']:.0f} of 300)",
        peaks["both"] / 400,
        "≤ 1",
        peaks["both"] <= 400 and peaks["child"] <= 300,
    )


if __name__ == "__main__":
    main()
