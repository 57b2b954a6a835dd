"""What happened to several rows, on one line of time: for the dossiers of a sale, a product, a
store, a vendor.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import and_, or_

from models import Event
from services import workflow
from services.unit import db

MOST = 200


@dataclass(frozen=True)
class Fact:
    """One thing that happened: when (UTC), what kind of thing it happened to (a table, « message »,
    « carrier »), what, who did it and of which kind they are, and the details the log keeps.
    """

    at: datetime
    kind: str
    words: str
    who: str
    facts: dict[str, Any] = field(default_factory=dict)
    message_id: int = 0
    by_kind: str = ""


def events(subjects: Sequence[tuple[str, Sequence[int]]], most: int = MOST) -> list[Fact]:
    """The log of these rows, given as tables and ids; newest first."""
    wanted = [
        and_(Event.subject == name, Event.subject_id.in_(ids)) for name, ids in subjects if ids
    ]
    if not wanted:
        return []
    rows = db.select(Event).where(or_(*wanted)).order_by(Event.id.desc()).limit(most)
    return [
        Fact(
            e.at,
            e.subject,
            workflow.words_of_event(e.happened),
            e.actor_name,
            e.facts,
            by_kind=e.actor_kind,
        )
        for e in db.session.scalars(rows)
    ]


def newest_first(facts: Iterable[Fact], most: int = MOST) -> list[Fact]:
    """Facts of several sources as one line, newest first."""
    return sorted(facts, key=lambda fact: fact.at, reverse=True)[:most]
