"""Arguments of a call, checked against the tool's schema before anything is done with them."""

from typing import Any

from opcode_core import ErrorCode, OpcodeError, loads
from opcode_core.hosting import Schema


def checked(schema: Schema, arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments; an object that came as its JSON text, as some agents send it, becomes the object.

    Raises:
        OpcodeError: VALIDATION_ERROR; the message begins with the path, `details["issues"]` lists all faults.
    """
    given = {name: _object(schema, name, value) for name, value in arguments.items()}
    issues = schema.issues(given)
    if not issues:
        return given
    more = f", and {len(issues) - 1} more" if len(issues) > 1 else ""
    raise OpcodeError(
        ErrorCode.VALIDATION_ERROR,
        f"{issues[0]}{more}",
        details={"issues": [issue.to_dict() for issue in issues]},
    )


def _object(schema: Schema, name: str, value: Any) -> Any:
    wanted = schema.schema["properties"].get(name, {}).get("type")
    if wanted != "object" or not isinstance(value, str):
        return value
    try:
        return loads(value)
    except ValueError:
        return value
