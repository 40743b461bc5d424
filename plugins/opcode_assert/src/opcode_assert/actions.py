"""The actions assert.*: each gives `{pass: true}` or fails with ASSERTION_FAILED."""

from typing import Annotated, Any

from pydantic import Field

from opcode_assert.comparing import equal, first_difference
from opcode_assert.schemas import first_fault
from opcode_assert.showing import failed, shown
from opcode_core import ErrorCode, OpcodeError, action
from opcode_core import pattern as read_pattern

Message = Annotated[str, Field(description="What the failure's message begins with")]


@action("assert.equals", effect="pure", aliases=("assert.equal",))
def equals(expected: Any, actual: Any, message: Message = "") -> dict[str, bool]:
    """Check that two values are equal, deeply; 1 equals 1.0."""
    difference = first_difference(expected, actual)
    if difference is None:
        return {"pass": True}
    raise failed(message, str(difference), path=difference.path, expected=expected, actual=actual)


@action("assert.contains", effect="pure")
def contains(haystack: Any, needle: Any, message: Message = "") -> dict[str, bool]:
    """Check that a text contains a text, a list an item, or an object a key."""
    match haystack:
        case str() if not isinstance(needle, str):
            what = f"a text contains only texts, not {shown(needle)}"
        case str() | dict() if isinstance(needle, str) and needle in haystack:
            return {"pass": True}
        case list() if any(equal(needle, item) for item in haystack):
            return {"pass": True}
        case str() | dict() | list():
            what = f"{shown(haystack)} does not contain {shown(needle)}"
        case _:
            what = f"{shown(haystack)} is no text, list or object, so it contains nothing"
    raise failed(message, what, haystack=haystack, needle=needle)


@action("assert.matches", effect="pure")
def matches(value: str, pattern: str, message: Message = "") -> dict[str, Any]:
    """Check that a text matches a regular expression somewhere (RE2 syntax, linear in time).

    `matches` is the whole match, then each group, null for one that took no part.
    """
    try:
        readable = read_pattern(pattern)
    except ValueError as error:
        raise OpcodeError(
            ErrorCode.VALIDATION_ERROR, f"'pattern' {shown(pattern)} is not a regular expression: {error}"
        ) from None
    try:
        match = readable.search(value)
    except ValueError as error:
        raise OpcodeError(ErrorCode.VALIDATION_ERROR, str(error)) from None
    if match is None:
        what = f"{shown(value)} does not match {shown(pattern)}"
        raise failed(message, what, value=value, pattern=pattern)
    return {"pass": True, "matches": [match.group(0), *match.groups()]}


@action("assert.schema", effect="pure")
def schema(data: Any, schema: dict[str, Any], message: Message = "") -> dict[str, bool]:
    """Check that a value fits a JSON Schema (2020-12). References to other documents are not fetched."""
    fault = first_fault(schema, data)
    if fault is None:
        return {"pass": True}
    text = fault.message if len(fault.message) <= 300 else f"{fault.message[:299]}…"
    raise failed(message, f"at {fault.json_path}: {text}", path=fault.json_path, data=data)


@action("assert.truthy", effect="pure")
def truthy(value: Any, message: Message = "") -> dict[str, bool]:
    """Check that a value is not null, false, zero or empty."""
    if value:
        return {"pass": True}
    raise failed(message, f"{shown(value)} is not truthy", value=value)
