"""Moves, guards and the event log: one table of moves per aggregate, and nothing else changes a
status.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import insert, inspect
from sqlalchemy.orm.attributes import flag_modified

from models import Event
from services import clock
from services.unit import db


class Refused(Exception):
    """The business says no; the message is the sentence for the person at the screen, `code` the
    word for a program (api/codes.py).
    """

    def __init__(self, sentence: object = "", *, code: str = "refused") -> None:
        super().__init__(sentence)
        self.code = code


@dataclass(frozen=True)
class Actor:
    """Who does it: a member of staff, a customer, the clock or a command."""

    kind: str
    id: int | None
    name: str


CLOCK = Actor("clock", None, "Comptoir")
STAFF, CUSTOMER, TIME = "staff", "customer", "clock"
# Whoever types commands on the machine, and a shop's till, may do what staff may.
COMMAND, MACHINE = "command", "machine"

# What a verb of the event log is called on screen, by the noun (the table's name) and the verb.
VERBS: dict[tuple[str, str], Any] = {}


def says(noun: str, **words: Any) -> None:
    """Name verbs of the log for one noun, in the past: what is recorded without a move. Two words
    for one verb of one noun are a mistake.
    """
    for verb, label in words.items():
        if VERBS.setdefault((noun, verb), label) != label:
            raise ValueError(f"{noun}.{verb} has two words")


# Of any noun whose sheet is edited.
EDITED = {"create": _l("Creation"), "edit": _l("Changed"), "delete": _l("Deletion")}


def words_of_event(happened: tuple[str, str]) -> str:
    """What an entry of the log says happened, from its noun and its verb (`Event.happened`)."""
    label = VERBS.get(happened) or EDITED.get(happened[1])
    return str(label or happened[1])


Guard = Callable[[Any], str | None]
_flows: dict[str, "Workflow"] = {}


def all_flows() -> list["Workflow"]:
    """Every table of moves, by name."""
    return [_flows[name] for name in sorted(_flows)]


def flow_of(row: Any) -> "Workflow":
    """The table of moves of a row, by its table: so that money may settle an offer without knowing
    how offers are made.
    """
    return _flows[row.__tablename__]


def can(row: Any, verb: str, by_kind: str = STAFF) -> bool:
    """Whether this kind of person can make a move of a row now: pages draw buttons from it."""
    return flow_of(row).allows(row, verb, by_kind)


@dataclass(frozen=True)
class Move:
    """One line of a table of moves. `to` None keeps the state; a guard answers None or the sentence
    that says why not. `label` is the button; `done` is the log's word for it, in the past, where
    the button's own would not do.
    """

    verb: str
    label: Any
    sources: Collection[StrEnum]
    to: StrEnum | None
    only_if: Guard | None = None
    by: tuple[str, ...] = (STAFF,)
    done: Any = None


class Workflow:
    """The life of one kind of row: its moves, and the only code that writes its state. `field` is
    the column of the state.
    """

    def __init__(self, name: str, *moves: Move, field: str = "status") -> None:
        self.name = name
        self.moves = moves
        self.field = field
        _flows[name] = self
        says(name, **{move.verb: move.done or move.label for move in moves})

    def state_of(self, row: Any) -> Any:
        return getattr(row, self.field)

    def move(self, verb: str, state: StrEnum) -> Move | None:
        return next((m for m in self.moves if m.verb == verb and state in m.sources), None)

    def why_not(self, row: Any, verb: str, by_kind: str | None = None) -> str | None:
        """None when the move is open, else the sentence that says why it is not."""
        state = self.state_of(row)
        move = self.move(verb, state)
        kind = STAFF if by_kind in (COMMAND, MACHINE) else by_kind
        if move is None or (kind is not None and kind not in move.by):
            return _(
                "This is no longer possible: it is now « %(state)s ». Reload the page to see it.",
                state=words_of(state),
            )
        return move.only_if(row) if move.only_if else None

    def allows(self, row: Any, verb: str, by_kind: str = STAFF) -> bool:
        return self.why_not(row, verb, by_kind) is None

    def require(self, row: Any, verb: str, *, by: Actor) -> None:
        """Raise Refused with the sentence when the move is not open, before anything is written."""
        if reason := self.why_not(row, verb, by.kind):
            raise Refused(reason)

    def fire_all(self, rows: Iterable[Any], verb: str, *, by: Actor, **facts: Any) -> None:
        """The same move of many rows that are all in the database: refused for one, refused for
        all.
        """
        events = []
        for row in rows:
            self.require(row, verb, by=by)
            before = self.state_of(row)
            setattr(row, self.field, getattr(self.move(verb, before), "to", None) or before)
            events.append(_event(row, verb, by, before, self.state_of(row), facts))
        db.session.add_all(events)

    def fire(
        self,
        row: Any,
        verb: str,
        *,
        by: Actor,
        set: dict[str, Any] | None = None,
        log: bool = True,
        **facts: Any,
    ) -> None:
        """Check, then write the columns of `set` and the new state, then add the event (unless
        `log` is False). Raises Refused with the sentence when the move is not open; then nothing is
        written.
        """
        self._read_again(row)
        self.require(row, verb, by=by)
        before = self.state_of(row)
        move = self.move(verb, before)
        assert move is not None
        for name, value in (set or {}).items():
            setattr(row, name, value)
        setattr(row, self.field, move.to or before)
        if move.to is None and row in db.session:
            # The state stays but version_id must increment, so that concurrent moves conflict.
            flag_modified(row, self.field)
        if log:
            record(row, verb, by=by, before=before, after=self.state_of(row), **facts)

    def _read_again(self, row: Any) -> None:
        """Re-read the state FOR UPDATE on tables without a version column, so that concurrent moves
        conflict.
        """
        state = inspect(row, raiseerr=False)
        if state is not None and state.persistent and state.mapper.version_id_col is None:
            with db.session.no_autoflush:
                db.session.refresh(row, [self.field], with_for_update=True)

    # For statements that move rows without loading them: a claim of the worker, a file of rows.

    def sources(self, *verbs: str) -> tuple[StrEnum, ...]:
        """The states from which these moves are open."""
        found = [state for m in self.moves if m.verb in verbs for state in m.sources]
        return tuple(dict.fromkeys(found))

    def values(self, verb: str) -> dict[str, StrEnum]:
        """What a statement must SET to make a move: {"state": …}. Its WHERE names `sources`."""
        (to,) = {move.to for move in self.moves if move.verb == verb}
        assert to is not None
        return {self.field: to}


def record(
    row: Any,
    verb: str,
    *,
    by: Actor,
    before: StrEnum | None = None,
    after: StrEnum | None = None,
    **facts: Any,
) -> None:
    """Write down that something happened to a row, without moving it."""
    db.session.flush()
    db.session.add(_event(row, verb, by, before, after, facts))


def _event(
    row: Any,
    verb: str,
    by: Actor,
    before: StrEnum | None,
    after: StrEnum | None,
    facts: dict[str, Any],
) -> Event:
    return Event(
        subject=row.__tablename__,
        subject_id=row.id,
        vendor_id=row.id if row.__tablename__ == "vendor" else getattr(row, "vendor_id", None),
        verb=verb,
        from_state=before,
        to_state=after,
        actor_kind=by.kind,
        actor_id=by.id,
        actor_name=by.name,
        facts=facts,
        at=clock.now(),
    )


def record_many(
    subject: str,
    vendor_id: int | None,
    happened: list[tuple[int, str, StrEnum | None, StrEnum | None, dict[str, Any]]],
    *,
    by: Actor,
) -> None:
    """As `record`, for what a file did to many rows of one vendor: (row, verb, state before, state
    after, facts) of each.
    """
    now = clock.now()
    rows = [
        {
            "subject": subject,
            "subject_id": id,
            "vendor_id": vendor_id,
            "verb": verb,
            "from_state": before,
            "to_state": after,
            "actor_kind": by.kind,
            "actor_id": by.id,
            "actor_name": by.name,
            "facts": facts,
            "at": now,
        }
        for id, verb, before, after, facts in happened
    ]
    if rows:
        db.session.execute(insert(Event.__table__), rows)  # type: ignore[arg-type]


def history(row: Any, limit: int = 100) -> list[Event]:
    """What happened to a row, newest first."""
    return list(
        db.session.scalars(
            db.select(Event)
            .where(Event.subject == row.__tablename__, Event.subject_id == row.id)
            .order_by(Event.id.desc())
            .limit(limit)
        )
    )


def words_of(state: Any) -> str:
    return str(WORDS.get(_key(state), (state, ""))[0])


def words_of_code(code: str | None) -> str:
    """The word of a state written as its code in the event log."""
    if code in FORMER:
        return str(FORMER[code])
    return next(
        (str(label) for (_enum, value), (label, _tone) in WORDS.items() if value == code),
        code or "–",
    )


def tone_of(state: Any) -> str:
    return WORDS.get(_key(state), ("", "off"))[1]


def _key(state: Any) -> tuple[str, str]:
    """States of two nouns may share a code (an accepted offer, an accepted article), and StrEnum
    members compare by it.
    """
    return (type(state).__name__, str(state))


# Label and tone of every state on screen; each noun adds its own with `name_states`.
WORDS: dict[tuple[str, str], tuple[Any, str]] = {}
# Codes that no row has any more, but the log remembers.
FORMER: dict[str, Any] = {}


def formerly(**labels: Any) -> None:
    """Name states that rows had in earlier versions, so that their history can still be read."""
    FORMER.update(labels)


def name_states(*rows: tuple[StrEnum, Any, str]) -> None:
    WORDS.update({_key(state): (label, tone) for state, label, tone in rows})


def has_word(state: StrEnum) -> bool:
    return _key(state) in WORDS


def states(enum: Iterable[StrEnum]) -> list[tuple[str, str]]:
    """Choices of a filter: code and word."""
    return [(s.value, words_of(s)) for s in enum]


def diagrams(flows: Iterable[Workflow]) -> str:
    """Every table of moves as a Mermaid diagram, for docs/workflows.md."""
    parts = [
        "# Workflows\n\nMade by `flask --app app workflows` from the tables of moves; a test says"
        " when it is stale.\n"
    ]
    for flow in flows:
        lines = [f"## {flow.name}\n", "```mermaid", "stateDiagram-v2"]
        for move in flow.moves:
            for source in sorted(move.sources):
                lines.append(
                    f"    {source} --> {move.to or source}: {move.verb} ({', '.join(move.by)})"
                )
        parts.append("\n".join([*lines, "```\n"]))
    return "\n".join(parts)
