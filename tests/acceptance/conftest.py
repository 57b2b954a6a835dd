"""What each suite measured goes to a file that the report reads (tests/accept.py); a figure that
misses its goal fails its test.
"""

import json
import os
from collections.abc import Callable

import pytest

from tests.acceptance.sizes import LONG


@pytest.fixture
def figure(request) -> Callable[..., None]:
    """`figure("points swept", 512, at_least=400)`: written down, and asserted when the long form
    runs.
    """

    def record(
        what: str,
        got: float,
        *,
        at_least: float | None = None,
        at_most: float | None = None,
        always: bool = False,
    ) -> None:
        row = {
            "test": request.node.nodeid,
            "what": what,
            "got": got,
            "at_least": at_least,
            "at_most": at_most,
        }
        if path := os.environ.get("COMPTOIR_FIGURES"):
            with open(path, "a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
        if LONG or always:
            assert at_least is None or got >= at_least, row
            assert at_most is None or got <= at_most, row

    return record
