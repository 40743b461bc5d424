"""Forms from JSON Schemas: what a person fills in becomes the values that the schema describes."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from opcode_core import ErrorCode, OpcodeError

PREFIX = "field."


@dataclass(frozen=True, slots=True)
class Field:
    """One property.

    Attributes:
        name: of the form's field.
        label: for people.
        kind: `text`, `long`, `number`, `integer`, `switch`, `choice` or `json`.
        value: as text, its default.
    """

    name: str
    label: str
    kind: str
    required: bool
    value: str
    description: str = ""
    choices: tuple[str, ...] = ()
    minimum: Any = None
    maximum: Any = None


def fields_of(schema: Mapping[str, Any] | None, values: Mapping[str, Any] | None = None) -> list[Field]:
    """The fields of an object's schema, with its defaults or the given values."""
    properties = (schema or {}).get("properties", {})
    if not isinstance(properties, Mapping):
        return []
    required = (schema or {}).get("required", ())
    return [
        _field(name, part if isinstance(part, Mapping) else {}, name in required, values or {})
        for name, part in properties.items()
    ]


def values_of(schema: Mapping[str, Any] | None, form: Mapping[str, str]) -> dict[str, Any]:
    """What was filled in; an empty field that is not needed is left out.

    Raises:
        OpcodeError: VALIDATION_ERROR naming the field whose text does not fit its type.
    """
    found: dict[str, Any] = {}
    for field in fields_of(schema):
        text = form.get(field.name, "").strip()
        name = field.name.removeprefix(PREFIX)
        if field.kind == "switch":
            found[name] = text in ("on", "true")
        elif text or (field.required and field.kind in ("text", "long", "choice")):
            found[name] = _value(field, name, text)
    return found


def _field(name: str, schema: Mapping[str, Any], required: bool, values: Mapping[str, Any]) -> Field:
    value = values.get(name, schema.get("default"))
    choices = tuple(str(choice) for choice in schema.get("enum", ()))
    return Field(
        PREFIX + name,
        str(schema.get("title", name)),
        _kind(schema),
        required,
        value if isinstance(value, str) else "" if value is None else json.dumps(value, ensure_ascii=False),
        str(schema.get("description", "")),
        choices,
        schema.get("minimum"),
        schema.get("maximum"),
    )


def _kind(schema: Mapping[str, Any]) -> str:
    kind = schema.get("type")
    if "enum" in schema and all(isinstance(choice, str) for choice in schema["enum"]):
        return "choice"
    if kind == "string":
        return "long" if schema.get("maxLength", 0) > 200 or schema.get("format") == "textarea" else "text"
    return {"number": "number", "integer": "integer", "boolean": "switch"}.get(str(kind), "json")


def _value(field: Field, name: str, text: str) -> Any:
    if field.kind in ("text", "long", "choice"):
        return text
    try:
        return json.loads(text)
    except ValueError:
        wanted = {"number": "a number", "integer": "a whole number"}.get(field.kind, "JSON")
        raise OpcodeError(
            ErrorCode.VALIDATION_ERROR, f"{name} is {text[:60]!r}; it must be {wanted}"
        ) from None
