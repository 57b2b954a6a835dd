"""The garbage collector rests while the program loads, and works afterwards."""

import subprocess
import sys

import pytest

from services import startup


def test_a_started_program_collects_its_garbage():
    code = "import gc, app; app.startup.loaded(); print(gc.isenabled(), gc.get_freeze_count() > 0)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["True", "True"]


def test_a_store_of_files_and_a_server_that_forks_later_do_not_start_together():
    startup.refuse_preload("", ["gunicorn", "--preload"])
    startup.refuse_preload("s3://bucket", ["gunicorn"])
    with pytest.raises(SystemExit, match="--preload"):
        startup.refuse_preload("s3://bucket", ["gunicorn", "--preload"])
