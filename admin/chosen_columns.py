"""The columns of a list, as one member of staff wants them: on the screen and in its files."""

from collections.abc import Iterable, Sequence
from typing import Any

from flask import g
from flask_login import current_user
from sqlalchemy import inspect

from admin import forms
from models import ColumnChoice
from services.unit import db


class ColumnsForm(forms.Sent):
    """The columns that are ticked, of those the list of this address could show."""

    column = forms.Several(60)
    reset = forms.Ticked()
    query = forms.Address()


def shown(view: Any, columns: Sequence[str]) -> list[str]:
    """The columns of a list less those its reader took out, with those they added. The first one,
    which opens the row, always stays.
    """
    choice = _choice(view)
    if choice is None:
        return list(columns)
    added = [name for name in choice.added if name in possible(view, columns)]
    kept = [name for name in columns[1:] if name not in choice.hidden]
    return [columns[0], *kept, *(name for name in added if name not in columns)]


def possible(view: Any, columns: Sequence[str]) -> list[str]:
    """What a list could show: its own columns, then those of the page of a row that are read
    together with the list.
    """
    mapper = inspect(view.datamodel.obj)
    more = (
        name
        for name in view.show_columns
        if name not in columns and _is_cheap(mapper, name.partition(".")[0])
    )
    return [*columns, *more]


def _is_cheap(mapper: Any, name: str) -> bool:
    """Whether a list reads it without a statement for each row: a column, or a relation. A cover is
    drawn from the barcodes of its product, and stands beside the title already.
    """
    return name != "cover" and (name in mapper.columns or name in mapper.relationships)


def choose(view: Any, columns: Sequence[str], ticked: Iterable[str]) -> None:
    """Keep what the reader ticked. `columns` are those of the list (or of its tab) by itself; what
    they chose for the columns of other tabs stays.
    """
    wanted, could = set(ticked), possible(view, columns)
    choice = _choice(view) or ColumnChoice(
        user_id=current_user.id, view=view.endpoint, hidden=[], added=[]
    )
    others_hidden = [name for name in choice.hidden if name not in columns]
    others_added = [name for name in choice.added if name not in could]
    choice.hidden = others_hidden + [name for name in columns[1:] if name not in wanted]
    choice.added = others_added + [name for name in could if name in wanted - set(columns)]
    db.session.add(choice)


def reset(view: Any) -> None:
    """The list as it came."""
    choice = _choice(view)
    if choice is not None:
        db.session.delete(choice)


def _choice(view: Any) -> ColumnChoice | None:
    """The reader's choice, read once a request."""
    known: dict[str, ColumnChoice | None] = g.setdefault("column_choices", {})
    if view.endpoint not in known:
        known[view.endpoint] = db.session.scalar(
            db.select(ColumnChoice).where(
                ColumnChoice.user_id == current_user.id, ColumnChoice.view == view.endpoint
            )
        )
    return known[view.endpoint]
