"""Every fault of the saboteur still finds the code it breaks."""

import ast

import pytest

from tests.acceptance.sabotage import FAULTS, ROOT, Fault, broken_by


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_still_applies_and_breaks_no_syntax(fault: Fault):
    broken = broken_by(fault, (ROOT / fault.file).read_text())
    assert broken is not None
    if fault.file.endswith(".py"):
        ast.parse(broken)
    for place in fault.tests.split():
        assert (ROOT / place.partition("::")[0]).exists()
