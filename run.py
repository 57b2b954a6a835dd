"""`make run`: database, demonstration on first start, web server, worker, simulators; Ctrl-C stops
all of it and loses nothing.
"""

import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

BIN = Path(sys.executable).parent
PORT = os.environ.get("PORT", "8000")


def main() -> int:
    env = {"FLASK_APP": "app", **os.environ}
    env.setdefault("COMPTOIR_SMTP_URL", "smtp://127.0.0.1:8025")
    env.setdefault("COMPTOIR_SMS_URL", "http://127.0.0.1:8026/sms")
    env.setdefault("COMPTOIR_MONDIAL_RELAY_URL", "http://127.0.0.1:8027")
    for command in ("init", "demo"):
        subprocess.run(
            [BIN / "flask", command],
            env=env,
            check=True,
            stderr=subprocess.DEVNULL if command == "init" else None,
        )
    # Each in its own session, so that Ctrl-C reaches them through us, in order: web first, then
    # worker, then simulators.
    parts = [
        subprocess.Popen([BIN / "python", "-m", "simulators"], env=env, start_new_session=True),
        subprocess.Popen(
            [
                BIN / "huey_consumer",
                "tasks.huey",
                "-w",
                "2",
                "-k",
                "thread",
                "-t",
                "60",
                "-f",
                "-q",
            ],
            env=env,
            start_new_session=True,
        ),
        subprocess.Popen(
            [
                BIN / "gunicorn",
                "--preload",
                "-w",
                "2",
                "--threads",
                "4",
                "-b",
                f"127.0.0.1:{PORT}",
                "--log-level",
                "warning",
                "app:create_app()",
            ],
            env=env,
            start_new_session=True,
        ),
    ]
    try:
        _wait_until_it_answers(parts)
        from demo import cast

        print(
            f"\n  Vendre ses jeux     http://127.0.0.1:{PORT}/\n  Back-office        "
            f" http://127.0.0.1:{PORT}/gestion/\n  Deuxième site      "
            f" http://pixelcave.localhost:{PORT}/\n  Boîte de réception  http://127.0.0.1:8026/\n "
            " Mondial Relay       http://127.0.0.1:8027/ (essai : avancer le temps, créer un"
            f" incident)\n\n{cast.accounts()}\n\n  Ctrl-C arrête tout.\n",
            flush=True,
        )
        while all(part.poll() is None for part in parts):
            time.sleep(0.5)
        print("One of the processes ended: stopping the others.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0
    finally:
        for part in reversed(parts):
            if part.poll() is None:
                part.send_signal(
                    signal.SIGINT
                )  # the worker finishes its task on SIGINT, and would lose it on SIGTERM
            try:
                part.wait(15)
            except subprocess.TimeoutExpired:
                part.kill()


def _wait_until_it_answers(parts: list["subprocess.Popen[bytes]"]) -> None:
    for _n in range(120):
        if any(part.poll() is not None for part in parts):
            raise SystemExit(
                f"The server did not start: is port {PORT}, 8025 or 8026 taken (or 8027)? PORT=8080"
                " make run chooses another."
            )
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{PORT}/api/v1/quote?ean=0", timeout=2)
            return
        except OSError:
            time.sleep(0.25)


if __name__ == "__main__":
    for name in (
        signal.SIGINT,
        signal.SIGTERM,
    ):  # a shell that starts us in the background ignores SIGINT for us
        signal.signal(name, signal.default_int_handler)
    sys.exit(main())
