"""`make test`: the suite on SQLite, then without its browser part on PostgreSQL + Redis when they answer; what was skipped is said.

Under CI a skip is a failure. The last line printed is pytest's own summary.
"""

import os
import shutil
import subprocess
import sys

CI = os.environ.get("CI") == "true"
POSTGRES = os.environ.get("COMPTOIR_TEST_DATABASE_URL", "postgresql:///postgres?host=/var/run/postgresql")
REDIS = os.environ.get("COMPTOIR_TEST_REDIS_URL", "redis://127.0.0.1:6379/9")


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
    missing = services_answer()
    if not missing:
        print("— PostgreSQL + Redis —", flush=True)
        env = {**os.environ, "COMPTOIR_TEST_DATABASE_URL": POSTGRES, "COMPTOIR_TEST_REDIS_URL": REDIS}
        second = subprocess.run([sys.executable, "-m", "pytest", "-m", "not browser", *wanted], env=env)
        if second.returncode:
            return second.returncode
    skipped += [f"{what}: the second run of the suite" for what in missing]
    if CI and skipped:
        print("\n".join(f"SKIPPED, which is a failure under CI: {what}" for what in skipped), flush=True)
        return 1
    print("— SQLite + SQLite queue —", flush=True)
    env = {k: v for k, v in os.environ.items() if k not in ("COMPTOIR_TEST_DATABASE_URL", "COMPTOIR_TEST_REDIS_URL")}
    code = subprocess.run([sys.executable, "-m", "pytest", *wanted], env=env).returncode
    for what in skipped:
        print(f"SKIPPED: {what}", flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
