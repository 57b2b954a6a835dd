"""What a web process holds of its own at rest, after its first pages: the application is loaded
once and shared by the processes (`gunicorn --preload`). Beside it, the same without sharing.
"""

import os
import re
import subprocess
import sys
import time
import urllib.request
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
        found = [
            sum(
                int(kb)
                for kb in re.findall(
                    r"Private_\w+: +(\d+)", Path(f"/proc/{child}/smaps_rollup").read_text()
                )
            )
            / 1024
            for child in children
        ]
        return sum(found) / len(found)
    finally:
        server.terminate()
        server.wait(10)


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


if __name__ == "__main__":
    main()
