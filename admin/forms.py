"""The forms of the back office that are written by hand: what a page sends, and in which unit.

A view reads its form first: `form = PriceForm.read()`. What cannot be understood is refused with
the sentence of the field, before anything is written. The token of a form is not a field: app.py
checks it for every request.
"""

from collections.abc import Iterable
from datetime import date
from enum import StrEnum
from typing import Any, Self

from flask import request
from flask_babel import gettext as _
from wtforms import BooleanField, Field, Form, SelectMultipleField, StringField
from wtforms.validators import InputRequired, Optional
from wtforms.widgets import TextInput

from admin.fields import MoneyField
from services import dates
from services.words import visible
from services.workflow import Refused


class Sent(Form):
    """A form that was sent. Its fields are attributes; `form.price.data` is 1250 cents."""

    @classmethod
    def read(cls) -> Self:
        """The form of this request. Raises Refused with the sentence of the first field at
        fault.
        """
        form = cls(request.form)
        if not form.validate():
            raise Refused(str(next(iter(form.errors.values()))[0]))
        return form

    def holds(self, name: str) -> bool:
        """Whether the page sent this field: a page that edits one number sends one."""
        return bool(self[name].raw_data)


def of_each(name: str, ids: Iterable[int], field: type[Field]) -> dict[int, Any]:
    """One field a row, named « price-12 »: what was typed for each id, None where nothing was.
    Raises Refused.
    """
    ids = list(ids)
    made: type[Sent] = type(
        "Each", (Sent,), {f"{name}_{id}": field(name=f"{name}-{id}") for id in ids}
    )
    form = made.read()
    return {id: form[f"{name}_{id}"].data for id in ids}


def beginning_with(prefix: str) -> dict[str, str]:
    """What was typed in the fields whose names begin with a prefix, by the rest of the name: the
    columns of a file are not known before it is read.
    """
    return {
        name.removeprefix(prefix): typed
        for name, typed in request.form.items()
        if name.startswith(prefix)
    }


# ── fields ──


class Text(StringField):
    """Words as they were typed, without the spaces around them; never longer than `most`."""

    def __init__(self, most: int = 10_000, **kwargs: Any) -> None:
        super().__init__(filters=[lambda typed: (typed or "").strip()[:most]], **kwargs)


class Typed(StringField):
    """Words exactly as they were typed: what a scanner sent, what must be compared."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(filters=[lambda typed: typed or ""], **kwargs)


class Address(StringField):
    """The end of an address to go back to, « ?q=renard »: no line break comes in."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(filters=[_printable], **kwargs)


def _printable(typed: str | None) -> str:
    return "".join(c for c in (typed or "")[:1000] if c.isprintable())


class _Parsed(Field):
    """A value read from words; None when nothing was typed. `needed` is the sentence for a field
    that cannot be left empty.
    """

    data: Any
    widget = TextInput()

    def __init__(self, needed: Any = None, **kwargs: Any) -> None:
        super().__init__(validators=[InputRequired(needed) if needed else Optional()], **kwargs)

    def process_formdata(self, valuelist: list[str]) -> None:
        words = (valuelist or [""])[0].strip()
        self.data = self.parse(words) if words else None

    def parse(self, words: str) -> Any:
        raise NotImplementedError


class Count(_Parsed):
    """A whole number of units, 0 to 9,999,999."""

    def parse(self, words: str) -> int:
        if not (words.isascii() and words.isdigit() and len(words) < 8):
            raise ValueError(_("« %(words)s » is no quantity.", words=words[:20]))
        return int(words)


class Day(_Parsed):
    """A day, typed as 2026-11-25 or 25/11/2026."""

    def parse(self, words: str) -> date:
        return dates.read_day(words)


class Chosen(_Parsed):
    """The id of a row chosen in a list; None when none is, or when it cannot be an id."""

    def parse(self, words: str) -> int | None:
        return int(words) if words.isascii() and words.isdigit() and len(words) < 10 else None


class Cents(Count):
    """A whole number of cents the page itself sends back: a total it showed."""

    def parse(self, words: str) -> int:
        if not (words.isascii() and words.isdigit() and len(words) < 13):
            raise ValueError(_("« %(words)s » is no quantity.", words=words[:20]))
        return int(words)


class OneOf(_Parsed):
    """A value of an enumeration; `wrong` is the sentence for any other."""

    def __init__(self, among: type[StrEnum], wrong: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.among, self.wrong = among, wrong

    def parse(self, words: str) -> StrEnum:
        try:
            return self.among(words)
        except ValueError:
            raise ValueError(str(self.wrong)) from None


class Amount(MoneyField):
    """An amount in cents, typed « 12,50 »; None when nothing was typed."""

    data: Any

    def __init__(self, needed: Any = None, **kwargs: Any) -> None:
        super().__init__(validators=[InputRequired(needed) if needed else Optional()], **kwargs)


class Ticked(BooleanField):
    """A box, ticked or not."""


class Several(SelectMultipleField):
    """Values ticked in a list; the service says which ones it knows."""

    def __init__(self, most: int = 500, **kwargs: Any) -> None:
        super().__init__(choices=[], validate_choice=False, **kwargs)
        self.filters = [lambda values: (values or [])[:most]]


# ── questions several forms ask ──


def tidy(typed: str | None) -> str:
    """A name without invisible characters and doubled spaces."""
    return " ".join(visible(typed or "").split())


def refuse_if_changed(name: str, now: Any, was: str) -> None:
    """Compare the value the page showed (`was`) with the value of today, so that a colleague's
    correction is not overwritten. Raises Refused.
    """
    shown = "" if now is None else str(now)
    if was != shown:
        raise Refused(
            _(
                "It changed meanwhile: it is now « %(now)s ». Load the page again before you"
                " correct it.",
                now=shown or "–",
            )
        )


class EanForm(Sent):
    ean = Typed()


class TokenForm(Sent):
    """The token of a form that counts once (`services/once.py`)."""

    form_token = Typed()
