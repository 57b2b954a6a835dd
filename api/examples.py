"""An example of each answer of the API, made of its schema: the values a shoe shop of the
demonstration would get, by the names of their fields.
"""

from typing import Any

_MOMENT = "2026-11-25T10:30:00+01:00"
# Fields by their name; what is not here gets a value of its type.
_VALUES: dict[str, Any] = {
    "begins_with": "cpt_8fK2mQ9x",
    "brand": "Lormont",
    "category": "Chaussures",
    "city": "Nantes",
    "code": "N1",
    "color": "Noir",
    "corrected": None,
    "currency": "EUR",
    "dated_at": _MOMENT,
    "ean": "5060327534393",
    "error": None,
    "explanation": None,
    "family": "Ville",
    "has_error_report": False,
    "id": 118,
    "import_id": 118,
    "key": "brand",
    "kind": "stock",
    "km": 4,
    "last_number": 1702,
    "maker": "Manufacture du Pouldu",
    "material": "Cuir",
    "message_id": "msg_4c1f0a6be2d94d53b0a7e1c2",
    "mode": "full",
    "name": "Nantes Decré",
    "next": None,
    "number": 1702,
    "place": "shop",
    "platform": None,
    "postcode": "44000",
    "quantity": 3,
    "reason": None,
    "reason_status": None,
    "reference": "LOR-100",
    "request_id": "d92e77e799231126",
    "season": "Hiver 2026",
    "secret": "cpt_8fK2mQ9x…",
    "shoe_size": "42",
    "sku": "LOR-100-42",
    "state": "1",
    "store": "N1",
    "subfamily": "Derbies",
    "supplier_ref": "LOR-100",
    "title": "Derby Lormont",
    "updated_at": _MOMENT,
    "url": "https://caisse.example/comptoir",
    "value": "Lormont",
    "vat_rate": "20",
    "webhook_id": 7,
    "why_not_shown": None,
}


def of(schema: dict[str, Any], schemas: dict[str, Any], name: str = "") -> Any:
    """An example that is valid against a schema, whose `$ref` are looked up in `schemas`."""
    if "$ref" in schema:
        return of(schemas[schema["$ref"].rpartition("/")[2]], schemas, name)
    if name in _VALUES and _fits(_VALUES[name], schema, schemas):
        return _VALUES[name]
    if "enum" in schema:
        return schema["enum"][0]
    if "anyOf" in schema:
        return of(schema["anyOf"][0], schemas, name)
    return _by_type(schema, schemas)


def _fits(value: Any, schema: dict[str, Any], schemas: dict[str, Any]) -> bool:
    """Whether a value of the table may stand there: two fields of one name are not always alike."""
    if "$ref" in schema:
        return _fits(value, schemas[schema["$ref"].rpartition("/")[2]], schemas)
    if "anyOf" in schema:
        return any(_fits(value, one, schemas) for one in schema["anyOf"])
    if "enum" in schema:
        return value in schema["enum"]
    kinds = {"string": str, "integer": int, "boolean": bool, "null": type(None)}
    kind = kinds.get(schema.get("type", ""))
    return kind is not None and type(value) is kind


def _by_type(schema: dict[str, Any], schemas: dict[str, Any]) -> Any:
    kind = schema.get("type")
    if kind == "object":
        return {name: of(one, schemas, name) for name, one in schema.get("properties", {}).items()}
    if kind == "array":
        return [of(schema["items"], schemas)] if "items" in schema else []
    if kind == "string":
        if schema.get("format") in ("date", "date-time"):
            return _MOMENT if schema["format"] == "date-time" else _MOMENT[:10]
        return "89.00" if "pattern" in schema else "…"
    return {"integer": max(1, schema.get("minimum", 1)), "boolean": True}.get(kind or "")
