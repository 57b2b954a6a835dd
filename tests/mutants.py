"""`make mutants MODULE=services/access.py TESTS=tests/services/test_access.py`: which small changes
of a module no test of its own notices. mutmut runs in a copy of the tree and in an environment of
its own (var/mutants); its survivors are read one by one, by a person.

Each mutant runs in a process of its own: with one that is forked late, what the module remembers
(`lru_cache`) hides mutants that a test would see.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
PLACE = ROOT / "var" / "mutants"
MUTMUT = "mutmut==3.8.1"
BESIDE = (
    *("admin", "api", "gateways", "portal", "demo", "simulators", "static", "templates"),
    *("translations", "migrations", "docs", "stubs", "app.py", "commands.py", "config.py"),
    *("models.py", "tasks.py", "run.py"),
)
SETTINGS = """[mutmut]
source_paths=services
only_mutate=
    {module}
also_copy=
{beside}
process_isolation=forkserver
timeout_constant=15
timeout_multiplier=4
pytest_add_cli_args=
    -p
    no:cacheprovider
pytest_add_cli_args_test_selection=
{tests}
"""


def main(module: str, tests: list[str], names: list[str]) -> int:
    tree = PLACE / "tree"
    shutil.rmtree(tree, ignore_errors=True)
    tree.mkdir(parents=True)
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    for name in listed.stdout.decode().split("\0"):
        if name and (ROOT / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tree / name)
    under = module if module.endswith(".py") else module.rstrip("/") + "/*"
    (tree / "setup.cfg").write_text(
        SETTINGS.format(
            module=under,
            beside="\n".join(f"    {name}" for name in BESIDE),
            tests="\n".join(f"    {name}" for name in tests),
        )
    )
    python = PLACE / "venv" / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(PLACE / "venv")], check=True)
        needed = ["-r", str(ROOT / "requirements-dev.txt"), MUTMUT]
        subprocess.run([str(python), "-m", "pip", "install", "-q", *needed], check=True)
    env = {k: v for k, v in os.environ.items() if not k.startswith("COMPTOIR_TEST_")}
    command = [str(python), "-m", "mutmut", "run", "--max-children", "2", *names]
    with (PLACE / "run.log").open("w") as log:  # its progress, a line for each mutant
        subprocess.run(command, cwd=tree, env=env, stdout=log, stderr=log, check=False)
    return subprocess.run(
        [str(python), "-m", "mutmut", "results"], cwd=tree, check=False
    ).returncode


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1], sys.argv[2].split(), sys.argv[3:]))
