"""Form fields in the shop's units: euros with a comma for cents, percent for basis points, words
for codes.
"""

from collections.abc import Iterable
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import Boolean, Date, Enum, Integer, Text
from wtforms import BooleanField, Field, IntegerField, SelectField, StringField, TextAreaField
from wtforms.validators import InputRequired, NumberRange, Optional
from wtforms.widgets import TextInput

from services import dates, money, workflow


class AmountField(Field):
    """A number typed with a comma and kept as a whole number of hundredths."""

    widget = TextInput()

    def written(self, hundredths: int) -> str:
        """The number as people write it."""
        raise NotImplementedError

    def _value(self) -> str:
        if self.raw_data:
            return str(self.raw_data[0])
        return self.written(self.data) if self.data is not None else ""

    def process_formdata(self, values: list[str]) -> None:
        words = (values or [""])[0].replace("%", "").strip()
        try:
            self.data = money.parse(words) if words else None
        except ValueError:
            raise ValueError(self.wrong(words[:20])) from None
        if self.data is not None:
            self.check(self.data)


class MoneyField(AmountField):
    """Typed « 12,50 », kept as 1250 cents."""

    def written(self, cents: int) -> str:
        return money.plain(cents)

    def wrong(self, words: str) -> str:
        return _("« %(words)s » is no amount: write 12,50.", words=words)

    def check(self, cents: int) -> None:
        if cents < 0:
            raise ValueError(_("An amount cannot be negative."))


class PercentField(AmountField):
    """Typed « 37,5 », kept as 3750 basis points."""

    def written(self, basis_points: int) -> str:
        return money.percent(basis_points).removesuffix("%").strip()

    def wrong(self, words: str) -> str:
        return _("« %(words)s » is no percentage: write 40 or 37,5.", words=words)

    def check(self, basis_points: int) -> None:
        if not 0 <= basis_points <= 20_000:
            raise ValueError(_("A percentage goes from 0 to 200."))


class DayField(Field):
    """A day, chosen in the browser's calendar or typed « 25/11/2026 »."""

    widget = TextInput(input_type="date")

    def _value(self) -> str:
        if self.raw_data:
            return str(self.raw_data[0])
        return self.data.isoformat() if self.data else ""

    def process_formdata(self, values: list[str]) -> None:
        words = (values or [""])[0].strip()
        self.data = dates.read_day(words) if words else None


class LinesField(TextAreaField):
    """Words on several lines, an address or opening hours; kept with one sign between two lines,
    whatever the browser sends."""

    def process_formdata(self, values: list[str]) -> None:
        self.data = "\n".join((values or [""])[0].splitlines()).strip()


class ColorField(StringField):
    """A colour chosen on screen, or typed as #6a2c5b."""

    widget = TextInput(input_type="color")


def fields_for(
    model: Any, columns: Iterable[str], labels: dict[str, Any], helps: dict[str, Any]
) -> dict[str, Field]:
    """The fields the generator would get wrong: amounts, percentages, yes/no, codes, whole
    numbers.
    """
    found: dict[str, Any] = {}
    for name in columns:
        column = model.__table__.columns.get(name)
        if column is None:
            continue
        label, help_text = labels.get(name, name), helps.get(name, "")
        needed = (
            [InputRequired(_l("This is needed."))]
            if not column.nullable and column.default is None
            else [Optional()]
        )
        kwargs: dict[str, Any] = {
            "description": help_text,
            "default": getattr(column.default, "arg", None),
        }
        if callable(kwargs["default"]):
            kwargs["default"] = None
        if name.endswith("_cents"):
            found[name] = MoneyField(label, needed, **kwargs)
        elif name.endswith("_bp"):
            found[name] = PercentField(label, needed, **kwargs)
        elif name.startswith("color_"):
            found[name] = ColorField(label, needed, **kwargs)
        elif isinstance(column.type, Boolean):
            found[name] = BooleanField(label, **kwargs)
        elif isinstance(column.type, Enum):
            choices = column.type.enum_class
            found[name] = SelectField(
                label,
                needed,
                choices=lambda c=choices: [(s.value, workflow.words_of(s)) for s in c],
                coerce=lambda v, c=choices: v if isinstance(v, c) else c(v) if v else None,
                **kwargs,
            )
        elif isinstance(column.type, Integer):
            found[name] = IntegerField(
                label, [*needed, NumberRange(min=0, max=1_000_000)], **kwargs
            )
        elif isinstance(column.type, Date):
            found[name] = DayField(label, needed, **kwargs)
        elif isinstance(column.type, Text):
            found[name] = LinesField(label, needed, render_kw={"rows": 4}, **kwargs)
        elif not column.nullable and column.default is not None:
            found[name] = StringField(label, [Optional()], **kwargs)
    return found
