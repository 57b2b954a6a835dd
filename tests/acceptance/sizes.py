"""The long suites of design: each in a file, short in `make test`, at its figure in `make accept`
(COMPTOIR_LONG=1).
"""

import os

LONG = bool(os.environ.get("COMPTOIR_LONG"))


def size(short: int, long: int) -> int:
    """How much of something: the short form runs in seconds with every `make test`, the long one
    reaches the figure promised.
    """
    return long if LONG else short
