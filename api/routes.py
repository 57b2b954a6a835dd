"""How a route of the API is stated: once, beside the function that answers it.

    class StorePage(Query):
        limit: Annotated[int, Digits(1, 1000), Field(description=N_("How many in one page."))] = 500

    @routes.get("/stock", N_("What a store holds, new"), scopes=("stock", "till"))
    def stock(key: MachineKey, query: StorePage) -> Levels: ...

The view's arguments say what is read: `key` (the key that came, of a route with scopes), `query`
(the query parameters of the URL), `body`, and the parts of the path by their names. Its return type
is the answer. The OpenAPI document (api/openapi.py) is made of the same statements.
"""

import functools
import re
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from flask import Response, request
from flask_babel import gettext as _
from pydantic import BaseModel

from api import bp, problem
from api.door import open_to
from api.fields import Answer, Body, Form, Invalid, Query
from models import MachineKey

View = Callable[..., Any]


@dataclass(frozen=True)
class Route:
    """One statement. `answer`: the model of a JSON answer, or the media type of a file; `returns`:
    its description; `parts`: the types of the parts of the path.
    """

    method: str
    path: str
    name: str
    summary: str
    scopes: tuple[str, ...]
    returns: str
    status: int
    answer: type[BaseModel] | str | None
    query: type[Query] | None = None
    body: type[Body] | type[Form] | None = None
    parts: Mapping[str, Any] = field(default_factory=dict)
    problems: Mapping[int, str] = field(default_factory=dict)
    other_statuses: Mapping[int, str] = field(default_factory=dict)
    reads: tuple[str, ...] = ()

    def read(self) -> dict[str, Any]:
        """The query and the body of the request, as arguments of the view. Raises Invalid."""
        given: dict[str, Any] = {}
        if self.query is not None:
            given["query"] = self.query.read(request.args)
        if self.body is not None and issubclass(self.body, Form):
            given["body"] = self.body.read({**request.form, **request.files})
        elif self.body is not None:
            given["body"] = self.body.read(request.get_data(cache=True))
        return given


# All routes that have been stated, in order.
ROUTES: list[Route] = []


def get(path: str, summary: str, **more: Any) -> Callable[[View], View]:
    """State a route that only reads. `scopes`: a key needs one of these; without scopes the route
    is public. `returns`: the description of its answer; `media`: the type of a file it answers
    with; `problems`: the description of other errors, by status; `other_statuses`: further statuses
    that carry the same answer.
    """
    return _state("GET", path, summary, **more)


def post(path: str, summary: str, **more: Any) -> Callable[[View], View]:
    """The same for a route that does something. `status`: of its answer, 200 without; `reads`:
    media types of a body that the view reads by itself.
    """
    return _state("POST", path, summary, **more)


def put(path: str, summary: str, **more: Any) -> Callable[[View], View]:
    return _state("PUT", path, summary, **more)


def _state(
    method: str,
    path: str,
    summary: str,
    *,
    scopes: tuple[str, ...] = (),
    returns: str = "",
    status: int = 200,
    media: str | None = None,
    problems: Mapping[int, str] | None = None,
    other_statuses: Mapping[int, str] | None = None,
    reads: tuple[str, ...] = (),
) -> Callable[[View], View]:
    def wrap(view: View) -> View:
        arguments = typing.get_type_hints(view, include_extras=True)
        returned = arguments.pop("return", None)
        key, query, body = (arguments.pop(name, None) for name in ("key", "query", "body"))
        if set(arguments) != _parts_of(path) or (key is not None) != bool(scopes):
            raise TypeError(
                f"{view.__name__}: its arguments are `query`, `body`, the parts of {path}, and"
                " `key` when it has scopes"
            )
        route = Route(
            method=method,
            path=path,
            name=view.__name__,
            summary=summary,
            scopes=scopes,
            returns=returns,
            status=status,
            answer=media or _model_of(returned),
            query=query,
            body=body,
            parts=arguments,
            problems=problems or {},
            other_statuses=other_statuses or {},
            reads=reads,
        )
        ROUTES.append(route)
        bp.add_url_rule(path, view.__name__, _answering(route, view), methods=[method])
        return view

    return wrap


def _parts_of(path: str) -> set[str]:
    """`/imports/<int:id>`: {"id"}."""
    return set(re.findall(r"<(?:\w+:)?(\w+)>", path))


def _model_of(returned: Any) -> type[Answer] | None:
    """The model among what a view may return; the rest are problems."""
    for one in (returned, *typing.get_args(returned)):
        if isinstance(one, type) and issubclass(one, Answer):
            return one
    return None


def _answering(route: Route, view: View) -> Callable[..., Response]:
    """The function Flask calls: it checks the key, reads the query and the body, calls the view and
    returns its answer as JSON.
    """

    @functools.wraps(view)
    def run(**parts: Any) -> Response:
        def work(*key: MachineKey) -> Response:
            return written(view(*key, **parts, **route.read()), route.status)

        try:
            return open_to(route.scopes, work) if route.scopes else work()
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
