"""Examples of answers are made of their schemas."""

from api import examples


def test_a_value_of_the_table_stands_only_where_its_type_fits():
    schema = {
        "type": "object",
        "properties": {
            "quantity": {"type": "integer"},
            "reason": {"anyOf": [{"enum": ["unknown_ean"]}, {"type": "null"}]},
            "state": {"type": "integer"},
            "at": {"type": "string", "format": "date-time"},
            "lines": {"type": "array", "items": {"$ref": "#/components/schemas/Line"}},
        },
    }
    lines = {"Line": {"type": "object", "properties": {"ean": {"type": "string"}}}}
    assert examples.of(schema, lines) == {
        "quantity": 3,
        "reason": None,
        "state": 1,
        "at": "2026-11-25T10:30:00+01:00",
        "lines": [{"ean": "5060327534393"}],
    }
