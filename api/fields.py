"""The shapes of what machines send and get, as pydantic models, and the types of their fields.

A model reads a request, writes an answer and describes both in the OpenAPI document, so that the
three cannot differ. The name of a marker (`Whole`, `Text`, `Moment`) says what a field holds; its
sentence says what to send instead of what was refused.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Annotated, Any, ClassVar, NoReturn, Self

from flask_babel import gettext as _
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainSerializer,
    ValidationError,
)
from pydantic import WithJsonSchema as Schema
from pydantic_core import ErrorDetails, PydanticCustomError, core_schema

from services import clock, money, words
from services.catalogue import products

MOST_ID = 2_147_483_647


def N_(sentence: str) -> str:
    """Mark a sentence of the document for translation; it is translated when somebody reads it."""
    return sentence


class Invalid(Exception):
    """What was sent cannot be understood: the fields at fault, each with its code and sentence."""

    def __init__(self, errors: list[dict[str, str]]) -> None:
        super().__init__()
        self.errors = errors

    @classmethod
    def field(cls, name: str, code: str, message: str) -> Self:
        return cls([{"field": name, "code": code, "message": message}])


# ── models ──


class Answer(BaseModel):
    """What we answer. A field with a default value is left out until it is set."""

    model_config = ConfigDict(extra="forbid")


class Body(BaseModel):
    """A JSON object that was sent; fields we do not know are ignored. `EXAMPLE` is shown in the
    document.
    """

    EXAMPLE: ClassVar[dict[str, Any]] = {}

    @classmethod
    def read(cls, body: bytes) -> Self:
        """Raises Invalid."""
        try:
            return cls.model_validate_json(body or b"null")
        except ValidationError as wrong:
            raise Invalid(list(_problems(wrong))) from None


class Texts(BaseModel):
    """Fields that come as texts; an empty one counts as not given."""

    @classmethod
    def read(cls, sent: Mapping[str, Any]) -> Self:
        """Raises Invalid."""
        try:
            return cls.model_validate(
                {name: value for name, value in sent.items() if value and isinstance(name, str)}
            )
        except ValidationError as wrong:
            raise Invalid(list(_problems(wrong))) from None


class Query(Texts):
    """The query parameters of a URL (`?limit=50`). A number is `Digits`, never `Whole`."""


class Form(Texts):
    """The fields of a form that may hold files (multipart/form-data)."""


def _problems(wrong: ValidationError) -> Iterator[dict[str, str]]:
    for error in wrong.errors(include_url=False, include_context=True, include_input=False):
        code, message = _code_and_sentence(error)
        yield {"field": _path(error["loc"]), "code": code, "message": message}


def problems(wrong: ValidationError) -> str:
    """All that is wrong with one row of a list, as one sentence."""
    return " ; ".join(
        f"{one['field']}: {one['message']}" if one["field"] else one["message"]
        for one in _problems(wrong)
    )


def _path(location: tuple[int | str, ...]) -> str:
    """`("lines", 3, "ean")` as people write it: `lines[3].ean`."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _code_and_sentence(error: ErrorDetails) -> tuple[str, str]:
    """The code and the sentence of an error: the field's own, else ours for what pydantic found."""
    kind, context = error["type"], error.get("ctx", {})
    if "sentence" in context:
        return kind, context["sentence"]
    if kind == "missing":
        return "missing", _("This is missing.")
    if kind == "json_invalid":
        return "json", _("This is no JSON.")
    if kind in ("model_type", "model_attributes_type"):
        return "object", _("Send a JSON object.")
    if kind == "bool_type":
        return "boolean", _("Give true or false.")
    if choices := context.get("expected") or context.get("expected_tags"):
        listed = choices.replace("'", "").replace(" or ", ", ")
        return "choice", _("Give one of: %(choices)s.", choices=listed)
    return "invalid", _("This is not what is expected here.")


def refuse(code: str, sentence: str) -> NoReturn:
    """Refuse a field while it is read, with a code for programs and a sentence for people."""
    raise PydanticCustomError(code, "{sentence}", {"sentence": sentence})


# ── fields that are read ──


@dataclass(frozen=True)
class Whole:
    """A whole number of JSON, both ends included."""

    low: int
    high: int

    def read(self, value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            return self._refuse()
        return value if self.low <= value <= self.high else self._refuse()

    def _refuse(self) -> NoReturn:
        refuse(
            "whole_number",
            _("Give a whole number from %(low)s to %(high)s.", low=self.low, high=self.high),
        )

    def __get_pydantic_core_schema__(self, _type: Any, _next: Any) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(self.read)

    def __get_pydantic_json_schema__(self, _schema: Any, _next: Any) -> dict[str, Any]:
        return {"type": "integer", "minimum": self.low, "maximum": self.high}


class Digits(Whole):
    """The same in a query, where everything is text."""

    def read(self, value: Any) -> int:
        is_number = (
            isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 11
        )
        return super().read(int(value)) if is_number else self._refuse()


@dataclass(frozen=True)
class Text:
    """A text of at most so many characters, read without invisible marks. `blank`: may be empty."""

    most: int = 200
    blank: bool = True

    def read(self, value: Any) -> str:
        if value is None and self.blank:
            return ""
        if isinstance(value, str) and len(value) <= self.most and "\0" not in value:
            text = words.visible(value).strip()
            if text or self.blank:
                return text
        refuse("text", _("Give a text of 1 to %(most)s characters.", most=self.most))

    def __get_pydantic_core_schema__(self, _type: Any, _next: Any) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(self.read)

    def __get_pydantic_json_schema__(self, _schema: Any, _next: Any) -> dict[str, Any]:
        least = {} if self.blank else {"minLength": 1}
        return {"type": "string", **least, "maxLength": self.most}


@dataclass(frozen=True)
class UpTo:
    """A list of 1 to `most` members."""

    most: int

    def read(self, value: Any) -> Any:
        if not isinstance(value, list) or not 0 < len(value) <= self.most:
            refuse("list", _("Give a list of 1 to %(most)s.", most=self.most))
        return value

    def __get_pydantic_core_schema__(
        self, of: Any, following: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.no_info_before_validator_function(self.read, following(of))

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, following: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {**following(schema), "minItems": 1, "maxItems": self.most}


def _read_ean(value: Any) -> str:
    text = Text(40, blank=False).read(value)
    try:
        return products.read_ean(text)
    except products.BadEan as bad:
        refuse("bad_ean", str(bad))


def _read_price(value: Any) -> int:
    try:
        cents = money.parse(value) if isinstance(value, str) else -1
    except ValueError:
        cents = -1
    if cents < 0:
        refuse("amount", _('Give an amount as a text: "23.42".'))
    return cents


def _read_day(value: Any) -> date:
    try:
        found = date.fromisoformat(value) if isinstance(value, str) and len(value) == 10 else None
    except ValueError:
        found = None
    if found is None or not 2000 <= found.year <= 2100:
        refuse("day", _("Give a day: 2026-11-25."))
    return found


def _read_moment(value: Any) -> datetime:
    found = read_moment(value) if isinstance(value, str) else None
    if found is None:
        refuse("moment", _("Give a moment with its offset: 2026-11-25T10:30:00+01:00."))
    return found


def read_moment(text: str) -> datetime | None:
    """ISO 8601 with an offset, in years one can store, as UTC; None when it is not."""
    try:
        # In a query string an unescaped « + » of the offset arrives as a space: put it back.
        found = datetime.fromisoformat(
            text.replace(" ", "+", 1) if text.count(" ") == 1 and "T" in text else text
        )
        is_storable = found.tzinfo is not None and 2000 <= found.year <= 2100
        return found.astimezone(UTC) if is_storable else None
    except (ValueError, OverflowError):
        return None


_AMOUNT = {
    "type": "string",
    "pattern": r"^\d+\.\d\d$",
    "description": N_("Euros, decimal text: 23.42"),
}
_MOMENT = {
    "type": "string",
    "format": "date-time",
    "description": N_("ISO 8601 with its offset: 2026-11-25T10:30:00+01:00"),
}

# A barcode that was sent, as the 13 digits we know it by.
Ean = Annotated[
    str,
    BeforeValidator(_read_ean),
    Schema(
        {
            "type": "string",
            "minLength": 1,
            "maxLength": 40,
            "description": N_("8, 12, 13 or 14 digits."),
        }
    ),
]
# An amount that was sent as a decimal text, in cents.
Price = Annotated[int, BeforeValidator(_read_price), Schema(_AMOUNT)]
# A day that was sent.
Day = Annotated[date, BeforeValidator(_read_day), Schema({"type": "string", "format": "date"})]
# A moment that was sent, in UTC.
Moment = Annotated[datetime, BeforeValidator(_read_moment), Schema(_MOMENT)]
# A file of a form.
File = Annotated[Any, Schema({"type": "string", "format": "binary"})]

# ── fields that are answered ──

# Cents, answered as a decimal text of euros.
Euros = Annotated[int, PlainSerializer(money.dotted), Schema(_AMOUNT)]
# A moment in UTC, answered in the time of Paris.
At = Annotated[
    datetime,
    PlainSerializer(lambda moment: clock.paris(moment).isoformat(timespec="seconds")),
    Schema(_MOMENT),
]


# ── shapes of several chapters ──


class Page(Query):
    """Pagination: the cursor at which the next page starts."""

    cursor: Annotated[
        int, Digits(0, MOST_ID), Field(description=N_("Where the last page ended; 0 to begin."))
    ] = 0


class FieldProblem(Answer):
    field: str
    code: str
    message: str


class Problem(Answer):
    """The one form of everything that goes wrong."""

    code: str
    message: str
    errors: list[FieldProblem]
    request_id: str
