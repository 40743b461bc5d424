"""Forms from JSON Schemas: what a person fills in becomes the values that the schema describes."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from opcode_core import ErrorCode, OpcodeError

PREFIX = "field."
TEXTS = ("text", "long")
INPUTS = {"number": "number", "integer": "number", "text": "text"}
FORMATS = {
    "date": "date",
    "email": "email",
    "uri": "url",
    "url": "url",
    "time": "time",
    "password": "password",
}


@dataclass(frozen=True, slots=True)
class Field:
    """One property.

    Attributes:
        name: of the form's field.
        label: for people.
        kind: `text`, `long`, `number`, `integer`, `switch`, `choice` or `json`.
        value: as text: what was typed, else its default.
        type: of an `<input>`.
        choices: as text; those of other types than text as JSON.
        limits: further attributes of the input.
    """

    name: str
    label: str
    kind: str
    required: bool
    value: str
    type: str = "text"
    description: str = ""
    choices: tuple[str, ...] = ()
    limits: Mapping[str, Any] | None = None


def fields_of(schema: Mapping[str, Any] | None, typed: Mapping[str, str] | None = None) -> list[Field]:
    """The fields of an object's schema, with its defaults or with what was typed before."""
    properties = (schema or {}).get("properties", {})
    if not isinstance(properties, Mapping):
        return []
    required = (schema or {}).get("required", ())
    return [
        _field(name, part if isinstance(part, Mapping) else {}, name in required, typed)
        for name, part in properties.items()
    ]


def values_of(schema: Mapping[str, Any] | None, form: Mapping[str, str]) -> dict[str, Any]:
    """What was filled in; an empty field that is not needed is left out.

    Raises:
        OpcodeError: VALIDATION_ERROR naming the field whose text does not fit its type.
    """
    found: dict[str, Any] = {}
    properties = (schema or {}).get("properties", {})
    for field in fields_of(schema):
        name = field.name.removeprefix(PREFIX)
        text = form.get(field.name, "").replace("\r\n", "\n")
        text = text if field.kind in TEXTS else text.strip()
        if field.kind == "switch":
            found[name] = text in ("on", "true")
        elif text or (field.required and field.kind in TEXTS):
            found[name] = _value(field, properties[name], text)
    return found


def _field(name: str, schema: Mapping[str, Any], required: bool, typed: Mapping[str, str] | None) -> Field:
    kind = _kind(schema)
    default = schema.get("default")
    value = default if isinstance(default, str) and kind != "json" else _text(default)
    if typed is not None:
        value = typed.get(PREFIX + name, "")
        value = "true" if kind == "switch" and value == "on" else value
    return Field(
        PREFIX + name,
        str(schema.get("title", name)),
        kind,
        required,
        value,
        FORMATS.get(str(schema.get("format")), "text") if kind == "text" else INPUTS.get(kind, "text"),
        str(schema.get("description", "")),
        tuple(_choice(choice) for choice in _enum(schema)),
        _limits(kind, schema),
    )


def _limits(kind: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    if kind in TEXTS:
        names = {"minLength": "minlength", "maxLength": "maxlength"}
        return {ours: schema[name] for name, ours in names.items() if isinstance(schema.get(name), int)}
    if kind not in ("number", "integer"):
        return {}
    step = schema.get("multipleOf", 1 if kind == "integer" else "any")
    bounds = {"minimum": "min", "maximum": "max"}
    found = {
        ours: schema[name] for name, ours in bounds.items() if isinstance(schema.get(name), (int, float))
    }
    return {**found, "step": step if kind == "integer" else "any"}


def _kind(schema: Mapping[str, Any]) -> str:
    if _enum(schema):
        return "choice"
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), None)
    if kind == "string":
        length = schema.get("maxLength")
        is_long = isinstance(length, int) and length > 200
        return "long" if is_long or schema.get("format") == "textarea" else "text"
    return {"number": "number", "integer": "integer", "boolean": "switch"}.get(str(kind), "json")


def _enum(schema: Mapping[str, Any]) -> list[Any]:
    found = schema.get("enum")
    return found if isinstance(found, list) else []


def _choice(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _text(value: Any) -> str:
    return "" if value is None else json.dumps(value, ensure_ascii=False)


def _value(field: Field, schema: Mapping[str, Any], text: str) -> Any:
    if field.kind == "choice":
        return next((choice for choice in _enum(schema) if _choice(choice) == text), text)
    if field.kind in TEXTS:
        return text
    wanted = {"number": "a number", "integer": "a whole number"}.get(field.kind, "JSON")
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    fits = {"number": (int, float), "integer": (int, float)}.get(field.kind)
    if (value is None and text != "null") or (fits and (not isinstance(value, fits) or value is True)):
        name = field.name.removeprefix(PREFIX)
        raise OpcodeError(
            ErrorCode.VALIDATION_ERROR,
            f"{name} is {text[:60]!r}; it must be {wanted}",
            details={"path": name},
        )
    return value
