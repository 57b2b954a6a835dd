"""How a route for machines is stated: once, beside the function that answers it.

    @route.get("/stock", N_("What a store holds, new"), opens=("stock", "till"), says=N_("A page."))
    def stock(key: MachineKey, asked: StorePage) -> Levels: ...

Its arguments say what is read: `key` (the key that came, of a route with `opens`), `asked` (the
parameters of the address), `sent` (the body), and the parts of the path by their names. Its return
type is what it answers. The OpenAPI document (api/openapi.py) is made of the same statements.
"""

import functools
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from flask import Response, request
from flask_babel import gettext as _
from pydantic import BaseModel

from api import bp, problem
from api.door import open_to
from api.fields import N_, Address, Answer, Body, Form, Invalid
from models import MachineKey

View = Callable[..., Any]


@dataclass(frozen=True)
class Route:
    """One statement. `answers`: a model of JSON, or the media type of a file."""

    method: str
    path: str
    name: str
    summary: str
    opens: tuple[str, ...]
    says: str
    status: int
    answers: type[BaseModel] | str | None
    asked: type[Address] | None = None
    sent: type[Body] | type[Form] | None = None
    parts: Mapping[str, Any] = field(default_factory=dict)
    otherwise: Mapping[int, str] = field(default_factory=dict)
    same_answer: Mapping[int, str] = field(default_factory=dict)
    reads: tuple[str, ...] = ()

    def read(self) -> dict[str, Any]:
        """What came with the request, by the names of the view's arguments. Raises Invalid."""
        given: dict[str, Any] = {}
        if self.asked is not None:
            given["asked"] = self.asked.read(request.args)
        if self.sent is not None and issubclass(self.sent, Form):
            given["sent"] = self.sent.read({**request.form, **request.files})
        elif self.sent is not None:
            given["sent"] = self.sent.read(request.get_data(cache=True))
        return given


# All routes that have been stated, in order.
ROUTES: list[Route] = []


def get(path: str, summary: str, **more: Any) -> Callable[[View], View]:
    """State a route that only reads. `opens`: the scopes that open it, for everybody without;
    `says`: the description of its answer; `media`: the type of a file it answers with; `otherwise`:
    the problems it may answer besides, by status; `same_answer`: other statuses of its answer.
    """
    return _state("GET", path, summary, **more)


def post(path: str, summary: str, **more: Any) -> Callable[[View], View]:
    """The same for a route that does something. `status`: of its answer, 200 without; `reads`:
    media types of a body that it reads by itself.
    """
    return _state("POST", path, summary, **more)


def put(path: str, summary: str, **more: Any) -> Callable[[View], View]:
    return _state("PUT", path, summary, **more)


def _state(
    method: str,
    path: str,
    summary: str,
    *,
    opens: tuple[str, ...] = (),
    says: str = "",
    status: int = 200,
    media: str | None = None,
    otherwise: Mapping[int, str] | None = None,
    same_answer: Mapping[int, str] | None = None,
    reads: tuple[str, ...] = (),
) -> Callable[[View], View]:
    def wrap(view: View) -> View:
        hints = typing.get_type_hints(view, include_extras=True)
        returned = hints.pop("return", None)
        hints.pop("key", None)
        route = Route(
            method,
            path,
            view.__name__,
            summary,
            opens,
            says,
            status,
            media or _model_of(returned),
            hints.pop("asked", None),
            hints.pop("sent", None),
            hints,
            otherwise or {},
            same_answer or {},
            reads,
        )
        ROUTES.append(route)
        bp.add_url_rule(path, view.__name__, _answering(route, view), methods=[method])
        return view

    return wrap


def _model_of(returned: Any) -> type[Answer] | None:
    """The model among what a view may return; the rest are problems."""
    for one in (returned, *typing.get_args(returned)):
        if isinstance(one, type) and issubclass(one, Answer):
            return one
    return None


def _answering(route: Route, view: View) -> Callable[..., Response]:
    """The function Flask calls: it lets in, reads, asks the view and writes its answer."""

    @functools.wraps(view)
    def run(**parts: Any) -> Response:
        def work(*key: MachineKey) -> Response:
            return written(view(*key, **parts, **route.read()), route.status)

        try:
            return open_to(route.opens, work) if route.opens else work()
        except Invalid as invalid:
            return problem(
                422,
                "invalid",
                _("What was sent cannot be understood: see « errors »."),
                invalid.errors,
            )

    return run


def written(answer: Answer | Response, status: int) -> Response:
    """An answer as JSON, without the fields that were not set."""
    if isinstance(answer, Response):
        return answer
    return Response(answer.model_dump_json(exclude_unset=True), status, mimetype="application/json")


__all__ = ["N_", "Route", "get", "post", "put"]
