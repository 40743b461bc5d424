"""Arguments of a call, checked against the tool's schema before anything is done with them."""

from collections.abc import Mapping
from typing import Any

from opcode_core import ErrorCode, OpcodeError, loads
from opcode_core.hosting import Schema


def checked(schema: Schema, arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments; an object that came as its JSON text, as some agents send it, becomes the object.

    Raises:
        OpcodeError: VALIDATION_ERROR; the message begins with the path, `details["issues"]` lists all faults.
    """
    given = {
        name: _fitted(schema.schema["properties"].get(name, {}), value) for name, value in arguments.items()
    }
    issues = schema.issues(given)
    if not issues:
        return given
    more = f", and {len(issues) - 1} more" if len(issues) > 1 else ""
    raise OpcodeError(
        ErrorCode.VALIDATION_ERROR,
        f"{issues[0]}{more}",
        details={"issues": [issue.to_dict() for issue in issues]},
    )


def _fitted(schema: Mapping[str, Any], value: Any) -> Any:
    """What JSON Schema takes for an object or an integer, as Python has it."""
    kinds = schema.get("type", ())
    if kinds == "object" and isinstance(value, str):
        try:
            return loads(value)
        except ValueError:
            return value
    if kinds == "object" and isinstance(value, dict) and "properties" in schema:
        return {name: _fitted(schema["properties"].get(name, {}), item) for name, item in value.items()}
    if "integer" in kinds and isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value
