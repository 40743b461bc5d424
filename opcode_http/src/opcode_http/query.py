"""Objects as lists of names and texts: queries and forms."""

from collections.abc import Mapping
from typing import Any

from opcode_http.errors import invalid


def pairs(param: str, values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """A pair for each value, several for a list, none for null.

    Raises:
        OpcodeError: VALIDATION_ERROR for a value that is itself an object.
    """
    return [
        (name, _text(f"{param}.{name}", item))
        for name, value in values.items()
        for item in (value if isinstance(value, list) else [value])
        if item is not None
    ]


def _text(param: str, value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | float):
        return str(value)
    raise invalid(
        param, f"must be a text, a number, a boolean or a list of these, not {type(value).__name__}"
    )
