"""Whether a value fits a JSON Schema (2020-12)."""

from typing import Any

from opcode_core import ErrorCode, OpcodeError, Schema


def first_fault(schema: dict[str, Any], data: Any) -> Any:
    """The most telling of jsonschema's errors, or None when `data` fits.

    Raises:
        OpcodeError: VALIDATION_ERROR when `schema` is not one, or one that cannot be used here.
    """
    from jsonschema.exceptions import best_match

    checked = Schema(schema)
    if fault := checked.lacks():
        raise _unusable(f"is not a JSON Schema: {fault}")
    try:
        return best_match(checked.errors(data))
    except ValueError as error:
        raise _unusable(str(error)) from None


def _unusable(why: str) -> OpcodeError:
    return OpcodeError(ErrorCode.VALIDATION_ERROR, f"'schema' {why}")
