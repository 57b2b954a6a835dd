"""What the door for machines promises, as OpenAPI 3.1; `make accept` throws thousands of requests
at it and holds the answers against it.
"""

from typing import Any

from flask import jsonify
from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

from api import bp

FILE_KINDS = ["stock", "listings", "offers", "prices", "catalogue"]
_TEXT: dict[str, Any] = {"type": "string"}
_PERHAPS: dict[str, Any] = {"type": ["string", "null"]}
_WHOLE: dict[str, Any] = {"type": "integer"}
_PERHAPS_WHOLE: dict[str, Any] = {"type": ["integer", "null"]}
_YES: dict[str, Any] = {"type": "boolean"}
_MONEY: dict[str, Any] = {
    "type": "string",
    "pattern": r"^\d+\.\d\d$",
    "description": _l("Euros, decimal text: 23.42"),
}
_PERHAPS_MONEY: dict[str, Any] = {"type": ["string", "null"], "pattern": r"^\d+\.\d\d$"}
_MOMENT: dict[str, Any] = {
    "type": "string",
    "format": "date-time",
    "description": _l("ISO 8601 with its offset: 2026-11-25T10:30:00+01:00"),
}


def _object(required: list[str] | None = None, /, **properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties) if required is None else required,
        "additionalProperties": False,
    }


def _list(of: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": of}


def _answers(schema: dict[str, Any], words: Any) -> dict[str, Any]:
    return {"description": words, "content": {"application/json": {"schema": schema}}}


_PROBLEM = _object(
    code=_TEXT,
    message=_TEXT,
    errors=_list(_object(field=_TEXT, code=_TEXT, message=_TEXT)),
    request_id=_TEXT,
)
_WAIT = {"headers": {"Retry-After": {"schema": {"type": "integer"}}}}


def _keyed(**answers: dict[str, Any]) -> dict[str, Any]:
    """The answers of a route for keys: its own, and those every such route may give."""
    return {
        **{code.removeprefix("_"): answer for code, answer in answers.items()},
        "401": _answers(_PROBLEM, _l("No key, a wrong or a revoked one.")),
        "403": _answers(_PROBLEM, _l("The key does not open this.")),
        "429": {**_answers(_PROBLEM, _l("Too many requests in a minute for this key.")), **_WAIT},
    }


_INVALID = _answers(
    _PROBLEM,
    _l(
        "What was sent cannot be understood, or makes no sense: `errors` names the fields,"
        " `message` says why."
    ),
)
_CONFLICT = _answers(
    _PROBLEM, _l("It contradicts what is known, or the same request is still under way.")
)
_NOTHING = _answers(_PROBLEM, _l("There is nothing at this address, or it is not yours to see."))


def _query(
    name: str, schema: dict[str, Any], words: Any = "", required: bool = False, **more: Any
) -> dict[str, Any]:
    return {
        "name": name,
        "in": "query",
        "required": required,
        "schema": schema,
        "description": words,
        **more,
    }


_CURSOR = _query(
    "cursor",
    {**_WHOLE, "minimum": 0, "maximum": 2_147_483_647},
    _l("Where the last page ended; 0 to begin."),
)
_STORE = _query(
    "store",
    {**_TEXT, "maxLength": 20},
    _l("Code of one of your stores; the key's own store without it."),
)


def _limit(most: int) -> dict[str, Any]:
    return _query(
        "limit",
        {**_WHOLE, "minimum": 1, "maximum": most},
        _l("How many, %(most)s at most.", most=most),
    )


_IDEMPOTENT = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {**_TEXT, "maxLength": 120, "pattern": "^[!-~]+$"},
    "description": _l(
        "The same key with the same body within 24 hours gets the first answer; with another body"
        " 422."
    ),
}


def _route(
    summary: Any, scopes: list[str], responses: dict[str, Any], **more: Any
) -> dict[str, Any]:
    return {
        "summary": summary,
        "security": [{"key": []}],
        "x-scopes": scopes,
        "responses": responses,
        **more,
    }


def _json(schema: dict[str, Any], example: Any) -> dict[str, Any]:
    return {
        "required": True,
        "content": {"application/json": {"schema": schema, "example": example}},
    }


_QUOTE = _object(
    ean=_TEXT,
    title=_PERHAPS,
    platform=_PERHAPS,
    status={"enum": ["bought", "unknown", "bad_ean", "not_bought"]},
    price=_PERHAPS_MONEY,
    currency={"const": "EUR"},
    explanation=_PERHAPS,
)
_PRODUCT: dict[str, dict[str, Any]] = {
    "product": _WHOLE,
    "title": _TEXT,
    "brand": _PERHAPS,
    "platform": _PERHAPS,
    "supplier_ref": _TEXT,
    "category": _TEXT,
    "family": _TEXT,
    "subfamily": _TEXT,
    "kind": {"enum": ["goods", "service"]},
    "status": {"enum": ["proposed", "validated", "disabled", "merged"]},
}
_VARIANT: dict[str, dict[str, Any]] = {
    "ean": _TEXT,
    "color": _TEXT,
    "material": _TEXT,
    "size": _TEXT,
    "shoe_size": _TEXT,
    "advised_price": _PERHAPS_MONEY,
}
_FACET = _list(_object(value=_TEXT, count=_WHOLE, count_is_capped=_YES))
_IMPORT = _object(
    import_id=_WHOLE,
    kind=_TEXT,
    status={"enum": ["WAITING", "RUNNING", "TO_CONFIRM", "COMPLETE", "FAILED", "CANCELLED"]},
    mode=_TEXT,
    lines_read=_WHOLE,
    lines_in_success=_WHOLE,
    lines_in_error=_WHOLE,
    lines_in_pending=_WHOLE,
    offer_inserted=_WHOLE,
    offer_updated=_WHOLE,
    offer_deleted=_WHOLE,
    created=_WHOLE,
    updated=_WHOLE,
    unchanged=_WHOLE,
    removed=_WHOLE,
    has_error_report=_YES,
    reason_status=_PERHAPS,
    date_created=_MOMENT,
)

_NUMBER = {
    **_WHOLE,
    "minimum": 1,
    "maximum": 2_147_483_647,
    "description": _l("The till's own number: never used twice for two things."),
}
_EVENT: dict[str, dict[str, Any]] = {
    "number": _NUMBER,
    "ean": {**_TEXT, "minLength": 1, "maxLength": 40, "description": _l("8, 12, 13 or 14 digits.")},
    "at": {**_MOMENT, "description": _l("When it happened, by the till's clock.")},
    "quantity": {**_WHOLE, "minimum": 1, "maximum": 9_999, "description": _l("1 without it.")},
    "price": {
        **_MONEY,
        "description": _l("What was asked for one unit (sale), or given (trade-in)."),
    },
    "reference": {**_TEXT, "minLength": 1, "maxLength": 60, "description": _l("Your ticket.")},
    "item": {
        **_WHOLE,
        "minimum": 1,
        "maximum": 2_147_483_647,
        "description": _l("Our number of a second-hand unit (on its label)."),
    },
    "condition": {
        "enum": ["like_new", "very_good", "good", "acceptable"],
        "description": _l(
            "As it will be sold; without it somebody grades it before it is offered."
        ),
    },
    "used": {**_YES, "description": _l("A second-hand unit of this barcode, the oldest.")},
    "includes": {
        **_WHOLE,
        "minimum": 0,
        "maximum": 2_147_483_647,
        "description": _l(
            "Of a count: the last of this till's events it already knows; the one before"
            " without it."
        ),
    },
}
_SENT_AT = {
    **_MOMENT,
    "description": _l("When this was sent, by the till's clock: we set its moments right by it."),
}
_TOLD = {
    "type": "object",
    "properties": {
        "number": _PERHAPS_WHOLE,
        "again": _YES,
        "quantity": _PERHAPS_WHOLE,
        "conflicts": _WHOLE,
        "item": _WHOLE,
        "items": _list(_WHOLE),
        "message": _TEXT,
        "status": {
            "enum": [
                "ok",
                "already_counted",
                "unknown_ean",
                "older_than_known",
                "refused",
                "invalid",
                "number_reused",
            ]
        },
    },
    "required": ["number", "status", "again"],
    "additionalProperties": False,
}


def _event(
    summary: Any, needed: list[str], *without: str, **more: dict[str, Any]
) -> dict[str, Any]:
    """A route that takes one event."""
    properties = {
        **{name: schema for name, schema in _EVENT.items() if name not in without},
        "sent_at": _SENT_AT,
        **more,
    }
    example = {
        "number": 1042,
        "ean": "5060327534393",
        "at": "2026-11-25T10:29:58+01:00",
        "sent_at": "2026-11-25T10:30:00+01:00",
    }
    example |= (
        {"price": "23.42"}
        if "price" in needed
        else {"quantity": 3, "includes": 1041}
        if "quantity" in needed
        else {}
    )
    return {
        "post": _route(
            summary,
            ["till"],
            _keyed(
                _200=_answers(
                    _TOLD, _l("What became of it; `again` when it had been told before.")
                ),
                _409=_CONFLICT,
                _422=_INVALID,
            ),
            parameters=[_IDEMPOTENT],
            requestBody=_json(_object(needed, **properties), example),
        )
    }


DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {
        "title": "Comptoir",
        "version": "1",
        "description": _l(
            "For machines: tills, vendors' software, monitoring. JSON, UTF-8; money as decimal text"
            " in euros, moments in ISO 8601 with their offset. A key of « Clés » opens it:"
            " Authorization: Bearer cpt_…; each key opens one vendor, perhaps one store, and what"
            " its scopes name. Problems have one form: code, message, errors, request_id. Lists go"
            " on with the cursor of the last page. Till events are numbered by the till: told"
            " twice, they count once; told late, they count when they happened"
            " (docs/rules/stock.md). Webhooks are signed as Standard Webhooks say: webhook-id,"
            " webhook-timestamp, webhook-signature."
        ),
    },
    "components": {"securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}},
    "paths": {
        "/api/v1/products/{ean}": {
            "get": _route(
                _l(
                    "One reference by its barcode: title, cover, argus, what we pay, what to ask,"
                    " what is in stock"
                ),
                ["catalogue", "till"],
                _keyed(
                    _200=_answers(
                        _object(
                            **_PRODUCT,
                            **_VARIANT,
                            cover=_TEXT,
                            argus=_PERHAPS_MONEY,
                            buy_price=_PERHAPS_MONEY,
                            buy_status={
                                "enum": ["bought", "unknown", "bad_ean", "not_bought", None]
                            },
                            lowest_price_30_days=_PERHAPS_MONEY,
                            stock=_object(new=_WHOLE, used=_WHOLE),
                            currency={"const": "EUR"},
                        ),
                        _l("Known."),
                    ),
                    _404=_answers(
                        _PROBLEM, _l("No barcode (`bad_ean`), or none we know (`unknown_ean`).")
                    ),
                ),
                parameters=[
                    {
                        "name": "ean",
                        "in": "path",
                        "required": True,
                        "schema": {
                            **_TEXT,
                            "minLength": 1,
                            "maxLength": 60,
                            "pattern": "^[0-9A-Za-z ]+$",
                        },
                        "example": "5060327534393",
                    }
                ],
            )
        },
        "/api/v1/products": {
            "get": _route(
                _l(
                    "Search: words (accents and plurals do not matter), a barcode or a reference,"
                    " narrowed by facets"
                ),
                ["catalogue"],
                _keyed(
                    _200=_answers(
                        _object(
                            ["results", "next", "count", "count_is_capped", "corrected"],
                            results=_list(_object(**_PRODUCT, variants=_list(_object(**_VARIANT)))),
                            next=_PERHAPS_WHOLE,
                            count=_WHOLE,
                            count_is_capped=_YES,
                            corrected={
                                **_PERHAPS,
                                "description": _l(
                                    "The words used instead of words nothing answered."
                                ),
                            },
                            facets={"type": "object", "additionalProperties": _FACET},
                        ),
                        _l("A page."),
                    ),
                    _422=_INVALID,
                ),
                parameters=[
                    _query("q", {**_TEXT, "maxLength": 200}, _l("Words, barcode or reference.")),
                    _CURSOR,
                    _limit(100),
                    _query("facets", {"enum": ["1"]}, _l("Count the values of each facet.")),
                    *(
                        _query(name, {**_TEXT, "maxLength": 100}, words)
                        for name, words in (
                            ("category", _l("Department.")),
                            ("family", _l("Family.")),
                            ("brand", _l("Its name.")),
                            ("platform", _l("Its name.")),
                            ("size", _l("Size.")),
                            ("shoe_size", _l("Shoe size.")),
                            ("color", _l("Colour.")),
                            ("material", _l("Material.")),
                            ("price", _l("Cents: 2000-5000, or 5000-.")),
                            ("condition", _l("new or used: in stock so.")),
                            ("store", _l("Code of one of your stores: in stock there.")),
                        )
                    ),
                ],
            )
        },
        "/api/v1/suggestions": {
            "get": _route(
                _l("Titles that go on as the words begin"),
                ["catalogue"],
                _keyed(
                    _200=_answers(
                        _object(results=_list(_object(id=_WHOLE, title=_TEXT))),
                        _l("Eight at most."),
                    ),
                    _422=_INVALID,
                ),
                parameters=[_query("q", {**_TEXT, "maxLength": 200})],
            )
        },
        "/api/v1/catalogue": {
            "get": _route(
                _l("The référencier in pages; with `since`, what changed since"),
                ["catalogue"],
                _keyed(
                    _200=_answers(
                        _object(
                            results=_list(
                                _object(
                                    ean=_TEXT,
                                    product=_WHOLE,
                                    title=_TEXT,
                                    brand=_PERHAPS,
                                    maker=_TEXT,
                                    supplier_ref=_TEXT,
                                    category=_TEXT,
                                    family=_TEXT,
                                    subfamily=_TEXT,
                                    color=_TEXT,
                                    material=_TEXT,
                                    size=_TEXT,
                                    shoe_size=_TEXT,
                                    platform=_PERHAPS,
                                    season=_TEXT,
                                    advised_price=_PERHAPS_MONEY,
                                    argus=_PERHAPS_MONEY,
                                    vat_rate=_TEXT,
                                    active=_YES,
                                    updated_at=_MOMENT,
                                )
                            ),
                            next=_PERHAPS_WHOLE,
                        ),
                        _l("A page."),
                    ),
                    _422=_INVALID,
                ),
                parameters=[_query("since", _MOMENT), _CURSOR, _limit(1000)],
            )
        },
        "/api/v1/catalogue.csv": {
            "get": _route(
                _l("The référencier as a file"),
                ["catalogue"],
                _keyed(
                    _200={
                        "description": _l("CSV, « ; », UTF-8."),
                        "content": {"text/csv": {"schema": _TEXT}},
                    },
                    _422=_INVALID,
                ),
                parameters=[_query("since", _MOMENT)],
            )
        },
        "/api/v1/catalogue.xlsx": {
            "get": _route(
                _l("The référencier as a spreadsheet"),
                ["catalogue"],
                _keyed(
                    _200={
                        "description": "XLSX",
                        "content": {
                            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": {
                                "schema": {"type": "string", "format": "binary"}
                            }
                        },
                    },
                    _422=_INVALID,
                ),
                parameters=[_query("since", _MOMENT)],
            )
        },
        "/api/v1/stores/nearest": {
            "get": _route(
                _l("Your stores from a French postal code on"),
                ["catalogue", "stock"],
                _keyed(
                    _200=_answers(
                        _object(
                            results=_list(
                                _object(
                                    store=_TEXT, name=_TEXT, postcode=_TEXT, city=_TEXT, km=_WHOLE
                                )
                            )
                        ),
                        _l("The nearest first."),
                    ),
                    _422=_INVALID,
                ),
                parameters=[
                    _query(
                        "postcode",
                        {**_TEXT, "minLength": 1, "maxLength": 10},
                        required=True,
                        example="44000",
                    )
                ],
            )
        },
        "/api/v1/stock": {
            "get": _route(
                _l("What a store holds, new"),
                ["stock", "till"],
                _keyed(
                    _200=_answers(
                        _object(
                            store=_TEXT,
                            results=_list(
                                _object(
                                    ean=_TEXT,
                                    quantity=_WHOLE,
                                    reserved=_WHOLE,
                                    available=_WHOLE,
                                    place=_TEXT,
                                    updated_at=_MOMENT,
                                )
                            ),
                            next=_PERHAPS_WHOLE,
                        ),
                        _l("A page."),
                    ),
                    _422=_INVALID,
                ),
                parameters=[_STORE, _CURSOR, _limit(1000)],
            ),
            "put": _route(
                _l("Publish absolute quantities of a store"),
                ["stock"],
                _keyed(
                    _200=_answers(
                        _object(
                            changed=_WHOLE,
                            unchanged=_WHOLE,
                            ignored=_list(
                                _object(
                                    ean=_TEXT,
                                    reason={
                                        "enum": [
                                            "unknown_ean",
                                            "fanciful_quantity",
                                            "older_than_known",
                                        ]
                                    },
                                )
                            ),
                        ),
                        _l("What became of them."),
                    ),
                    _409=_CONFLICT,
                    _422=_INVALID,
                ),
                parameters=[_IDEMPOTENT],
                requestBody=_json(
                    _object(
                        ["lines"],
                        store={**_TEXT, "minLength": 1, "maxLength": 20},
                        dated_at=_MOMENT,
                        lines={
                            **_list(
                                _object(
                                    ean={**_TEXT, "minLength": 1, "maxLength": 40},
                                    quantity={**_WHOLE, "minimum": 0, "maximum": 1_000_000},
                                )
                            ),
                            "minItems": 1,
                            "maxItems": 1000,
                        },
                    ),
                    {"store": "N1", "lines": [{"ean": "5060327534393", "quantity": 3}]},
                ),
            ),
        },
        "/api/v1/stock/changes": {
            "get": _route(
                _l("What moved in a store after a cursor"),
                ["stock", "till"],
                _keyed(
                    _200=_answers(
                        _object(
                            store=_TEXT,
                            results=_list(
                                _object(
                                    id=_WHOLE,
                                    ean=_TEXT,
                                    kind=_TEXT,
                                    quantity=_WHOLE,
                                    item=_PERHAPS_WHOLE,
                                    reference=_TEXT,
                                    at=_MOMENT,
                                    now=_WHOLE,
                                )
                            ),
                            cursor=_WHOLE,
                            more=_YES,
                        ),
                        _l("Oldest first; give `cursor` next time."),
                    ),
                    _422=_INVALID,
                ),
                parameters=[_STORE, _CURSOR, _limit(1000)],
            )
        },
        "/api/v1/till": {
            "get": _route(
                _l("Where this till stands with us"),
                ["till"],
                _keyed(
                    _200=_answers(
                        _object(name=_TEXT, last_number=_WHOLE, missing=_list(_WHOLE), counts=_YES),
                        _l("Its last number, and the ones that never came."),
                    )
                ),
            )
        },
        "/api/v1/till/sales": _event(
            _l("A till tells a sale over the counter"),
            ["number", "at", "price"],
            "includes",
            "condition",
        ),
        "/api/v1/till/returns": _event(
            _l("A till tells an article brought back"), ["number", "at"], "includes", "condition"
        ),
        "/api/v1/till/trade-ins": _event(
            _l("A till tells second-hand units taken in"),
            ["number", "at", "ean", "price"],
            "includes",
            "item",
            "used",
        ),
        "/api/v1/till/counts": _event(
            _l("A till tells a count of one barcode (absolute)"),
            ["number", "at", "ean", "quantity"],
            "item",
            "used",
            "price",
            "condition",
            quantity={**_WHOLE, "minimum": 0, "maximum": 1_000_000},
        ),
        "/api/v1/till/events": {
            "post": _route(
                _l("The queue of a till that was off line, in any order"),
                ["till"],
                _keyed(
                    _200=_answers(
                        _object(results=_list(_TOLD)),
                        _l(
                            "An answer for each, in the order given; one that is refused stops no"
                            " other."
                        ),
                    ),
                    _409=_CONFLICT,
                    _422=_INVALID,
                ),
                parameters=[_IDEMPOTENT],
                requestBody=_json(
                    _object(
                        ["events"],
                        sent_at=_SENT_AT,
                        events={
                            "type": "array",
                            "minItems": 1,
                            "maxItems": 500,
                            "items": _object(
                                ["number", "kind", "at"],
                                kind={"enum": ["sale", "return", "trade_in", "count"]},
                                **{
                                    **_EVENT,
                                    "quantity": {**_WHOLE, "minimum": 0, "maximum": 9_999},
                                },
                            ),
                        },
                    ),
                    {
                        "sent_at": "2026-11-25T10:30:00+01:00",
                        "events": [
                            {
                                "number": 1042,
                                "kind": "sale",
                                "ean": "5060327534393",
                                "quantity": 1,
                                "price": "23.42",
                                "at": "2026-11-25T09:12:00+01:00",
                            }
                        ],
                    },
                ),
            )
        },
        "/api/v1/imports": {
            "post": _route(
                _l("Give a file"),
                ["imports"],
                _keyed(
                    _202=_answers(_IMPORT, _l("Taken: ask again for what became of it.")),
                    _409=_CONFLICT,
                    _413=_answers(_PROBLEM, _l("Over 50 MB.")),
                    _422=_INVALID,
                ),
                parameters=[_IDEMPOTENT],
                requestBody={
                    "required": True,
                    "content": {
                        "multipart/form-data": {
                            "schema": _object(
                                ["file", "kind"],
                                file={"type": "string", "format": "binary"},
                                kind={
                                    "enum": ["stock", "listings", "offers", "prices", "catalogue"]
                                },
                                store={**_TEXT, "maxLength": 20},
                                mode={"enum": ["full", "delta", "normal", "replace"]},
                                import_mode={"enum": ["NORMAL", "REPLACE"]},
                                dated_at=_MOMENT,
                            )
                        }
                    },
                },
            )
        },
        "/api/v1/imports/{id}": {
            "get": _route(
                _l("What became of a file"),
                ["imports"],
                _keyed(_200=_answers(_IMPORT, _l("Its counters.")), _404=_NOTHING),
                parameters=[
                    {
                        "name": "id",
                        "in": "path",
                        "required": True,
                        "schema": {**_WHOLE, "minimum": 1, "maximum": 2_147_483_647},
                    }
                ],
            )
        },
        "/api/v1/imports/{id}/error_report": {
            "get": _route(
                _l("Its refused and ignored lines, to correct and give again"),
                ["imports"],
                _keyed(
                    _200={
                        "description": _l("CSV with « error-line » and « error-message »."),
                        "content": {"text/csv": {"schema": _TEXT}},
                    },
                    _404=_NOTHING,
                ),
                parameters=[
                    {
                        "name": "id",
                        "in": "path",
                        "required": True,
                        "schema": {**_WHOLE, "minimum": 1, "maximum": 2_147_483_647},
                    }
                ],
            )
        },
        "/api/v1/listings": {
            "get": _route(
                _l("Your sale offers, and what keeps one from being shown"),
                ["listings"],
                _keyed(
                    _200=_answers(
                        _object(
                            results=_list(
                                _object(
                                    id=_WHOLE,
                                    sku=_TEXT,
                                    ean=_TEXT,
                                    state=_TEXT,
                                    price=_MONEY,
                                    price_today=_MONEY,
                                    quantity=_WHOLE,
                                    leadtime_to_ship=_PERHAPS_WHOLE,
                                    why_not_shown=_PERHAPS,
                                    updated_at=_MOMENT,
                                )
                            ),
                            next=_PERHAPS_WHOLE,
                        ),
                        _l("A page."),
                    ),
                    _422=_INVALID,
                ),
                parameters=[_CURSOR, _limit(100)],
            )
        },
        "/api/v1/listings.csv": {
            "get": _route(
                _l("Your offers as OF01, PRI01 or STO01"),
                ["listings"],
                _keyed(
                    _200={
                        "description": _l("CSV, « ; », UTF-8."),
                        "content": {"text/csv": {"schema": _TEXT}},
                    },
                    _422=_INVALID,
                ),
                parameters=[_query("file", {"enum": ["of01", "pri01", "sto01"]})],
            )
        },
        "/api/v1/quote": {
            "get": {
                "summary": _l("What we pay for a barcode today (public)"),
                "parameters": [
                    {
                        "name": "ean",
                        "in": "query",
                        "required": True,
                        "schema": {**_TEXT, "minLength": 1, "maxLength": 200},
                        "example": "5060327534393",
                    }
                ],
                "responses": {
                    "200": _answers(
                        _QUOTE,
                        _l(
                            "Known or not, bought or not: `status` says which; price and title are"
                            " null when there is none."
                        ),
                    ),
                    "400": _answers(_PROBLEM, _l("No barcode was given.")),
                    "429": {
                        **_answers(_PROBLEM, _l("Too many in a minute from one address.")),
                        **_WAIT,
                    },
                },
            }
        },
        "/api/v1/health": {
            "get": {
                "summary": _l("Whether this process can write to its database"),
                "responses": {
                    "200": _answers(_object(status={"const": "ok"}), _l("It can.")),
                    "503": _answers(_object(status={"const": "down"}), _l("It cannot.")),
                },
            }
        },
        "/api/v1/csp": {
            "post": {
                "summary": _l(
                    "What a browser refused on one of our pages (Content-Security-Policy reports)"
                ),
                "requestBody": {
                    "content": {
                        "application/csp-report": {"schema": {}},
                        "application/reports+json": {"schema": {}},
                        "application/json": {"schema": {}},
                    }
                },
                "responses": {
                    "204": {"description": _l("Always, whatever was sent.")},
                    "413": _answers(_PROBLEM, _l("Over 13 MB.")),
                },
            }
        },
    },
}
for _path, _methods in DOCUMENT["paths"].items():
    for _method, _operation in _methods.items():
        _operation["operationId"] = _method + _path.removeprefix("/api/v1").replace(
            "/", "_"
        ).replace("{", "").replace("}", "").replace(".", "_").replace("-", "_")


def document() -> dict[str, Any]:
    """The same with its sentences in the language of who reads it."""
    said: dict[str, Any] = _said(DOCUMENT)
    return said


def _said(part: Any) -> Any:
    if isinstance(part, dict):
        return {name: _said(value) for name, value in part.items()}
    if isinstance(part, list):
        return [_said(value) for value in part]
    return str(part) if isinstance(part, LazyString) else part


@bp.get("/openapi.json")
def openapi() -> Any:
    return jsonify(document())
