"""The event log as people read it."""

from typing import Any

from flask_babel import gettext as _

from services import money

# What the columns of a table are called on screen, « site.name » → label.
_COLUMNS: dict[str, Any] = {}


def name_columns(table: str, labels: dict[str, Any]) -> None:
    """Give the words of a table's columns, so that the history of an edit can be read."""
    _COLUMNS.update({f"{table}.{column}": label for column, label in labels.items()})


def facts_words(facts: dict[str, Any], most: int = 300) -> str:
    """Amounts in euros, lists with commas, what an edit changed with both its values, the rest as
    it is."""
    parts = []
    for name, fact in (facts or {}).items():
        if name.endswith("_cents") and isinstance(fact, int):
            parts.append(money.text(fact))
        elif name == "changes" and isinstance(fact, dict):
            parts += [_change(column, *both) for column, both in fact.items()]
        elif isinstance(fact, list):
            parts.append(", ".join(map(str, fact)))
        elif isinstance(fact, bool):  # « False » tells nobody what is not so
            parts += [_("yes")] if fact else []
        elif fact not in (None, ""):
            parts.append(str(fact))
    return " · ".join(parts)[:most]


def _change(column: str, before: str, after: str) -> str:
    label = _COLUMNS.get(column, column.partition(".")[2])
    return _(
        "%(column)s: %(before)s → %(after)s",
        column=label,
        before=before or "–",
        after=after or "–",
    )
