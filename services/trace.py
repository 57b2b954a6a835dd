"""Where a piece of work comes from: the id of its request and the Internet address that asked. Logs
and the audit log carry both.
"""

import re
import secrets
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True)
class Trace:
    """`id` is 16 hexadecimal digits, or what a trusted proxy called the request; `address` is empty
    for the clock and for commands.
    """

    id: str = ""
    address: str = ""


_NOWHERE = Trace()
_trace: ContextVar[Trace] = ContextVar("trace", default=_NOWHERE)
_ID = re.compile(r"[A-Za-z0-9-]{8,32}")


def begin(id: str = "", address: str = "") -> Trace:
    """Name the work that starts here; an id that is not plain is replaced, so that nobody writes
    into our logs.
    """
    trace = Trace(id if _ID.fullmatch(id) else secrets.token_hex(8), address[:45])
    _trace.set(trace)
    return trace


def here() -> Trace:
    return _trace.get()
