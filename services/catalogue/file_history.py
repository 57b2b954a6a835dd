"""What a référencier made or changed, in the history of each product and reference: the file, and
both values. Written in the transaction that loads it.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any

from flask_babel import lazy_gettext as _l
from sqlalchemy import Connection, text

from services import clock, money, workflow
from services.unit import insert_many, raw
from services.workflow import COMMAND

workflow.says(
    "product", create_by_file=_l("Created by a file"), edit_by_file=_l("Changed by a file")
)
workflow.says("variant", edit_by_file=_l("Changed by a file"))
MOST_LETTERS = 80
_EVENT = (
    *("subject", "subject_id", "verb", "actor_kind", "actor_name"),
    *("facts", "at"),
)
_SHOWN: dict[str, Callable[[Any], str]] = {
    "vat_bp": money.percent,
    "buy_cents": money.plain,
    "advised_cents": money.plain,
    "active": lambda yes: "oui" if yes else "non",
}
# A column that names another row is told by that row's name.
_NAMES = {"brand_id": "brand", "platform_id": "platform"}


class FileHistory:
    """The history a file leaves: by whom (as its run began), and which file."""

    def __init__(self, connection: Connection, *, run: int, by_name: str, file: str) -> None:
        self._connection, self._by_name, self._file = connection, by_name, {"file": file[:200]}
        kind = connection.execute(
            text(
                "SELECT actor_kind FROM event WHERE subject = 'import_run' AND subject_id = :run"
                " ORDER BY id LIMIT 1"
            ),
            {"run": run},
        ).scalar()
        self._by_kind = kind or COMMAND

    def tell_created(self) -> None:
        """The products of `sheet` that are new."""
        ids = self._connection.execute(
            text("SELECT product_id FROM sheet WHERE is_new ORDER BY product_id")
        ).scalars()
        self._write(("product", id, "create_by_file", self._file) for id in ids)

    def tell_changed(
        self, table: str, staged: str, key: str, columns: dict[str, str], optional: tuple[str, ...]
    ) -> None:
        """What a staged table will change of products or of references (staged column -> theirs),
        read before it does. `optional` columns of a file say nothing where they are empty.
        """
        if not columns:
            return
        pairs = ", ".join(f"{_old(column)}, s.{_new(name)}" for name, column in columns.items())
        rows = self._connection.execute(
            text(
                f"SELECT t.id, {pairs} FROM {staged} s JOIN {table} t ON t.id = s.{key} ORDER BY 1"
            )
        )
        self._write(self._changes(table, list(columns.items()), optional, rows))

    def _changes(
        self, table: str, columns: list[tuple[str, str]], optional: tuple[str, ...], rows: Any
    ) -> Iterator[tuple[str, int, str, dict[str, Any]]]:
        for id, *values in rows:
            changes = {}
            for (name, column), old, new in zip(columns, values[::2], values[1::2], strict=True):
                if new is None and name in optional:
                    continue
                both = [_shown(column, old), _shown(column, new)]
                if both[0] != both[1]:
                    changes[f"{table}.{_NAMES.get(column, column)}"] = both
            if changes:
                yield table, id, "edit_by_file", {"changes": changes, **self._file}

    def _write(self, events: Iterator[tuple[str, int, str, dict[str, Any]]]) -> None:
        now = raw(clock.now())
        insert_many(
            self._connection,
            "event",
            _EVENT,
            (
                (subject, id, verb, self._by_kind, self._by_name, json.dumps(facts), now)
                for subject, id, verb, facts in events
            ),
        )


def _old(column: str) -> str:
    if column in _NAMES:
        table = _NAMES[column]
        return f"(SELECT name FROM {table} n WHERE n.id = t.{column})"
    return f"t.{column}"


def _new(name: str) -> str:
    return _NAMES.get(name, name)


def _shown(column: str, value: Any) -> str:
    if value is None:
        return ""
    shown = _SHOWN.get(column, str)(value)
    return shown if len(shown) <= MOST_LETTERS else shown[: MOST_LETTERS - 1] + "…"
