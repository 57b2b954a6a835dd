"""Logs as lines of JSON: when, how bad, where, the id of the request, the words; never who it was
about.

Mail addresses, IBANs, telephone numbers, signed links and passwords in addresses are replaced
before a line is written: what a library or a bug puts into a message cannot leak either.
"""

import json
import logging
import re
import sys
from datetime import UTC, datetime
from logging.handlers import WatchedFileHandler
from pathlib import Path
from typing import Any

from services import trace

_PERSONAL = (
    (re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+"), "[e-mail]"),
    (re.compile(r"\b[A-Z]{2}\d{2}[ ]?(?:[A-Z0-9]{4}[ ]?){2,7}[A-Z0-9]{1,4}\b"), "[iban]"),
    (
        re.compile(r"(?<![\w-])(?:\+33|0033|\+262|\+5\d\d|0)[ .]?[1-9](?:[ .-]?\d{2}){4}(?!\w)"),
        "[phone]",
    ),
    (re.compile(r"(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"), "[secret]"),
    (
        re.compile(
            r"(?<=/)[A-Za-z0-9_-]{3,}\.[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]{16,}|(?<=/)[A-Za-z0-9_-]{30,}"
        ),
        "[link]",
    ),
    (re.compile(r"(?i)(password|mot_de_passe|secret|token|csrf_token|iban)=[^&\s]+"), r"\1=[…]"),
)
_OURS = ("method", "route", "status", "ms", "bytes", "face", "job")


def scrub(words: str) -> str:
    """The same words without what is personal or secret."""
    for pattern, instead in _PERSONAL:
        words = pattern.sub(instead, words)
    return words


class JsonLines(logging.Formatter):
    """One object a line; a traceback is one of its values."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "request": trace.here().id,
            "message": scrub(record.getMessage()),
        }
        line.update({name: getattr(record, name) for name in _OURS if hasattr(record, name)})
        if record.exc_info:
            line["trace"] = scrub(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False, default=str)


def plug(file: str, *, always: bool) -> None:
    """Called once by app.py: everything that is logged becomes such a line, in `file` or on the
    error output.

    Without a file, and unless `always` (production), what the surrounding program set up is left as
    it is.
    """
    if not file and not always:
        return
    root = logging.getLogger()
    if any(isinstance(handler.formatter, JsonLines) for handler in root.handlers):
        return
    if file:
        Path(file).parent.mkdir(parents=True, exist_ok=True)
    handler = (
        WatchedFileHandler(file, encoding="utf-8") if file else logging.StreamHandler(sys.stderr)
    )
    handler.setFormatter(JsonLines())
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    for name in ("huey", "alembic", "werkzeug", "fontTools", "zeep", "urllib3"):
        logging.getLogger(name).setLevel(logging.WARNING)
