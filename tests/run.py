"""`make test`: the suite on SQLite, and beside it, without its browser part, on PostgreSQL + Redis
when they answer; what was skipped is said.

Under CI a skip is a failure. The last line printed is pytest's own summary.
"""

import os
import shutil
import subprocess
import sys
import tempfile

CI = os.environ.get("CI") == "true"
POSTGRES = os.environ.get(
    "COMPTOIR_TEST_DATABASE_URL", "postgresql:///postgres?host=/var/run/postgresql"
)
REDIS = os.environ.get("COMPTOIR_TEST_REDIS_URL", "redis://127.0.0.1:6379/9")


# What no database can change runs once, on SQLite.
ENGINE_BLIND = (
    "tests/gateways",
    "tests/test_architecture.py",
    "tests/test_config.py",
    "tests/test_html.py",
    "tests/test_sabotage.py",
    "tests/test_translations.py",
    "tests/acceptance/test_s12_static.py",
    "tests/acceptance/test_s17_asvs.py",
    "tests/services/test_dates.py",
    "tests/services/test_money.py",
    "tests/services/test_picture_process.py",
    "tests/services/test_pictures.py",
    "tests/services/test_sealing.py",
    "tests/services/test_startup.py",
    "tests/services/test_storage.py",
    "tests/services/test_words.py",
    "tests/services/catalogue/test_colors.py",
    "tests/services/catalogue/test_identity.py",
    "tests/services/catalogue/test_vocabulary.py",
    "tests/services/imports/test_tables.py",
)


def services_answer() -> list[str]:
    """What is missing for the second engine, in words."""
    missing = []
    try:
        import psycopg

        psycopg.connect(POSTGRES, connect_timeout=3).close()
    except Exception as error:
        missing.append(f"PostgreSQL does not answer ({str(error).splitlines()[0]})")
    try:
        import redis

        redis.Redis.from_url(REDIS, socket_timeout=2).ping()
    except Exception as error:
        missing.append(f"Redis does not answer ({error})")
    return missing


def main() -> int:
    wanted = sys.argv[1:]
    skipped = [] if shutil.which("chromium") else ["Chromium is not installed: browser tests"]
    skipped += [] if shutil.which("pg_dump") else ["pg_dump is not installed: backups"]
    missing = services_answer()
    skipped += [f"{what}: the second run of the suite" for what in missing]
    if CI and skipped:
        print(
            "\n".join(f"SKIPPED, which is a failure under CI: {what}" for what in skipped),
            flush=True,
        )
        return 1
    # Side by side, one processor each; the second engine's words are printed when it ends, so that
    # the last line is pytest's own.
    second, said = None, None
    if not missing:
        said = tempfile.TemporaryFile("w+")  # noqa: SIM115  (read when the process has ended)
        env = {
            **os.environ,
            "COMPTOIR_TEST_DATABASE_URL": POSTGRES,
            "COMPTOIR_TEST_REDIS_URL": REDIS,
        }
        second = subprocess.Popen(
            [
                *(sys.executable, "-m", "pytest", "-m", "not browser and not once"),
                *(f"--ignore={path}" for path in ENGINE_BLIND if path not in wanted),
                *wanted,
            ],
            env=env,
            stdout=said,
            stderr=subprocess.STDOUT,
        )
    print(
        (
            "— SQLite + SQLite queue, and PostgreSQL + Redis beside it —"
            if second
            else "— SQLite + SQLite queue —"
        ),
        flush=True,
    )
    env = {
        k: v
        for k, v in os.environ.items()
        if k not in ("COMPTOIR_TEST_DATABASE_URL", "COMPTOIR_TEST_REDIS_URL")
    }
    with tempfile.TemporaryFile("w+") as first:
        code = subprocess.run(
            [sys.executable, "-m", "pytest", *wanted],
            env=env,
            stdout=first,
            stderr=subprocess.STDOUT,
        ).returncode
        if second is not None and said is not None:
            code = second.wait() or code
            said.seek(0)
            print("— PostgreSQL + Redis —", said.read(), sep="\n", flush=True)
        for what in skipped:
            print(f"SKIPPED: {what}", flush=True)
        first.seek(0)
        print("— SQLite + SQLite queue —", first.read(), sep="\n", flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
