"""The garbage collector rests while the program loads, and works afterwards."""

import subprocess
import sys


def test_a_started_program_collects_its_garbage():
    code = "import gc, app; app.startup.loaded(); print(gc.isenabled(), gc.get_freeze_count() > 0)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["True", "True"]
