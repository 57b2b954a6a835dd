"""S9: everything that reads strangers' bytes answers, or refuses in the way it promises, whatever
the bytes.
"""

import random
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance import fuzz
from tests.acceptance.sizes import LONG, size

ROOT = Path(__file__).parents[2]
# Slower ones by nature: decoding a picture, an envelope of SOAP. The figure is the promise for pure
# Python.
RUNS = {
    "carrier_answer": 60_000,
    "feed_line": 300_000,
    "password": 200_000,  # a guess of zxcvbn takes over a millisecond
    "picture": 300_000,
}


@pytest.mark.parametrize("name", fuzz.TARGETS)
def test_a_parser_given_anything_answers_or_refuses(app, name, figure):
    target, seeds = fuzz.TARGETS[name]
    dice = random.Random(f"comptoir {name}")
    for seed in seeds:
        target(seed)
    for _n in range(size(300, 3_000)):
        target(fuzz.random_bytes(dice, seeds))
    if not LONG:
        return
    runs = RUNS.get(name, 500_000)
    done = subprocess.run(
        [sys.executable, "-m", "tests.acceptance.fuzz_one", name, f"-runs={runs}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=1_500,
    )
    assert done.returncode == 0, done.stderr[-3_000:]
    executed = re.search(r"Done (\d+) (?:runs|in)", done.stderr) or re.search(
        r"Done (\d+)", done.stderr
    )
    figure(f"executions: {name}", int(executed[1]) if executed else 0, at_least=runs)
