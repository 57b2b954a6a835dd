"""The process that decodes pictures may die; nothing else does."""

import os
import signal
from pathlib import Path

import pytest

from services import files, picture_process
from services.workflow import Refused
from tests.services.test_files import barcode, picture


@pytest.fixture
def process(app):
    """The process, after its first picture."""
    assert files.read_barcodes(barcode()) == ["5060327534393"]
    return picture_process._process


def test_one_process_reads_all_pictures(process):
    files.keep_picture(picture())
    files.read_barcodes(picture())
    assert picture_process._process is process


def test_a_picture_that_takes_too_long_ends_its_process_and_the_next_one_is_read(
    process, monkeypatch
):
    os.kill(process.child.pid, signal.SIGSTOP)
    with monkeypatch.context() as hurried:
        hurried.setattr(picture_process, "MOST_SECONDS", 0.2)
        with pytest.raises(Refused, match="abîmée"):
            files.keep_picture(picture())
    assert process.child.returncode == -signal.SIGKILL
    assert files.read_barcodes(barcode()) == ["5060327534393"]


def test_a_picture_that_breaks_a_library_ends_its_process_and_the_next_one_is_read(process):
    os.kill(process.child.pid, signal.SIGSEGV)
    process.child.wait(5)
    assert files.read_barcodes(barcode()) == ["5060327534393"]
    assert picture_process._process is not process


def test_its_memory_is_limited_it_writes_no_file_and_knows_no_secret(process, monkeypatch):
    about = Path(f"/proc/{process.child.pid}")
    limits = (about / "limits").read_text()
    (memory,) = [line for line in limits.splitlines() if line.startswith("Max address space")]
    (size,) = [line for line in limits.splitlines() if line.startswith("Max file size")]
    assert memory.split()[3] == "600000000"
    assert size.split()[3] == "0"
    assert (about / "environ").read_bytes().replace(b"\0", b"") == b"LANG=C.UTF-8"


def test_another_process_of_ours_starts_its_own(process, monkeypatch):
    monkeypatch.setattr(process, "owner", process.owner + 1)  # as after a fork
    files.keep_picture(picture())
    assert picture_process._process is not process
    assert process.child.poll() is None  # it is the other one's
    process.end()


def test_it_ends_with_the_process_that_started_it(process):
    process.child.stdin.close()
    assert process.child.wait(5) == 0
