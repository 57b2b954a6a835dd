"""What a form showed when it was opened: what somebody else changed since is never written over,
and the history says what was there before.

A form carries a mark of each value it showed (`seen`). When it comes back, the marks are compared
with the row as it is now, inside the unit that saves it.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import date
from enum import Enum
from typing import Any

from flask_babel import gettext as _
from wtforms import FileField, HiddenField, PasswordField, SubmitField

from admin.fields import AmountField
from services import dates, workflow

MOST_SHOWN = 200


@dataclass(frozen=True)
class Gap:
    """A value that somebody changed while a form was open: what the row has now, what was typed
    (None where the person had left it as it was)."""

    label: str
    now: str
    typed: str | None


class Changed(Exception):
    """The row is no longer what the form showed."""

    def __init__(self, gaps: list[Gap], form: Any) -> None:
        super().__init__("the row changed while its form was open")
        self.gaps, self.form = gaps, form


def words(field: Any) -> str:
    """The value of a field as people read it, typed or from the row alike."""
    value = field.data
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(field, AmountField):
        return str(field.written(value))
    if isinstance(value, Enum):
        return workflow.words_of(value)
    if isinstance(value, date):
        return dates.day(value)
    if isinstance(value, list | tuple | set):
        return ", ".join(map(str, value))
    return "\n".join(str(value).splitlines()).strip()


def shown(form: Any, sealed: tuple[str, ...] = ()) -> dict[str, str]:
    """The values of a form by field, without those that are never shown: pictures, passwords, and
    `sealed`."""
    return {
        field.name: words(field)
        for field in form
        if field.name not in sealed
        and not isinstance(field, FileField | PasswordField | HiddenField | SubmitField)
    }


def marks(values: dict[str, str]) -> str:
    """A short mark of each value, for the hidden field `seen`."""
    return json.dumps({name: _mark(value) for name, value in values.items()})


def _mark(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()[:12]


def holds_secret(form: Any, sealed: tuple[str, ...] = ()) -> bool:
    """Whether something that is never shown was given: a picture, a password, a sealed value."""
    return any(
        bool(field.data)
        for field in form
        if field.name in sealed or isinstance(field, FileField | PasswordField)
    )


def read_marks(sent: str) -> dict[str, str]:
    """The marks a form sent back; none when they cannot be read."""
    try:
        read = json.loads(sent)
    except ValueError:
        return {}
    return read if isinstance(read, dict) else {}


def refuse_if_changed(form: Any, now: Any, seen: dict[str, str], sealed: tuple[str, ...]) -> None:
    """Compare the row as it is (`now`, an unsent form of it) with what `form` showed when it was
    opened. What the person had left as it was takes today's value. Raises Changed, with both
    values of each field.
    """
    today, typed = shown(now, sealed), shown(form, sealed)
    gaps = []
    for name, value in today.items():
        if name not in seen or seen[name] == _mark(value) or value == typed[name]:
            continue
        untouched = seen[name] == _mark(typed[name])
        gaps.append(Gap(str(form[name].label.text), value, None if untouched else typed[name]))
        if untouched:
            form[name].data, form[name].raw_data = now[name].data, None
    if gaps:
        raise Changed(gaps, now)


def changes(
    table: str, before: dict[str, str], after: dict[str, str]
) -> dict[str, tuple[str, str]]:
    """What an edit changed, for the event log: « table.column » → (before, after)."""
    return {
        f"{table}.{name}": _shortened(before.get(name, ""), value)
        for name, value in after.items()
        if before.get(name, "") != value
    }


def _shortened(before: str, after: str) -> tuple[str, str]:
    """Two texts as the history shows them: long ones from where they begin to differ."""
    pairs = enumerate(zip(before, after, strict=False))
    same = next((n for n, (a, b) in pairs if a != b), min(len(before), len(after)))
    start = max(0, same - 20) if max(len(before), len(after)) > MOST_SHOWN else 0
    mark = "…" if start else ""
    return (
        mark + before[start : start + MOST_SHOWN],
        mark + after[start : start + MOST_SHOWN],
    )
