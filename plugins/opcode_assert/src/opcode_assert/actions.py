"""The actions assert.*: each gives `{pass: true}` or fails with ASSERTION_FAILED."""

from collections.abc import Mapping
from typing import Any

from opcode_assert.comparing import first_difference
from opcode_core import ErrorCode, OpcodeError, action

PASS = {"pass": True}


@action("assert.equals", effect="pure", aliases=("assert.equal",), output=dict[str, bool])
def equals(expected: Any, actual: Any, message: str = "") -> Mapping[str, bool]:
    """Check that two values are equal, deeply; 1 equals 1.0."""
    difference = first_difference(expected, actual)
    if difference is None:
        return PASS
    path, left, right = difference
    where = "" if path == "$" else f" at {path}"
    raise _failed(
        message, f"expected {_shown(left)}, got {_shown(right)}{where}", expected=expected, actual=actual
    )


@action("assert.contains", effect="pure", output=dict[str, bool])
def contains(haystack: Any, needle: Any, message: str = "") -> Mapping[str, bool]:
    """Check that a text contains a text, a list an item, or an object a key."""
    if isinstance(haystack, str):
        if not isinstance(needle, str):
            raise _failed(
                message, f"a text contains only texts, not {_shown(needle)}", haystack=haystack, needle=needle
            )
        found = needle in haystack
    elif isinstance(haystack, dict):
        found = isinstance(needle, str) and needle in haystack
    elif isinstance(haystack, list):
        found = any(first_difference(needle, item) is None for item in haystack)
    else:
        raise _failed(message, f"{_shown(haystack)} contains nothing", haystack=haystack, needle=needle)
    if found:
        return PASS
    raise _failed(
        message, f"{_shown(haystack)} does not contain {_shown(needle)}", haystack=haystack, needle=needle
    )


@action("assert.matches", effect="pure", output=dict[str, Any])
def matches(value: str, pattern: str, message: str = "") -> dict[str, Any]:
    """Check that a text matches a regular expression somewhere (RE2 syntax, linear in time)."""
    import re2  # type: ignore[import-untyped]

    options = re2.Options()
    options.log_errors = False
    try:
        compiled = re2.compile(pattern, options=options)
    except re2.error as error:
        raise OpcodeError(
            ErrorCode.VALIDATION_ERROR, f"'pattern' {pattern!r} is not a regular expression: {_reason(error)}"
        ) from None
    match = compiled.search(value)
    if match is None:
        raise _failed(message, f"{_shown(value)} does not match {pattern!r}", value=value, pattern=pattern)
    return {"pass": True, "matches": [match.group(0), *match.groups()]}


@action("assert.schema", effect="pure", output=dict[str, bool])
def schema(data: Any, schema: dict[str, Any], message: str = "") -> Mapping[str, bool]:
    """Check that a value fits a JSON Schema (2020-12). References to other documents are not fetched."""
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError, best_match
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    try:
        Draft202012Validator.check_schema(schema)
        error = best_match(Draft202012Validator(schema, registry=Registry()).iter_errors(data))
    except SchemaError as fault:
        raise OpcodeError(
            ErrorCode.VALIDATION_ERROR, f"'schema' is not a JSON Schema: {fault.message}"
        ) from None
    except Unresolvable as fault:
        raise OpcodeError(
            ErrorCode.VALIDATION_ERROR, f"'schema' refers to what is not in it: {fault}"
        ) from None
    if error is None:
        return PASS
    raise _failed(message, f"at {error.json_path}: {error.message[:300]}", path=error.json_path, data=data)


@action("assert.truthy", effect="pure", output=dict[str, bool])
def truthy(value: Any, message: str = "") -> Mapping[str, bool]:
    """Check that a value is not null, false, zero or empty."""
    if value:
        return PASS
    raise _failed(message, f"{_shown(value)} is not truthy", value=value)


def _failed(message: str, what: str, **details: Any) -> OpcodeError:
    return OpcodeError(ErrorCode.ASSERTION_FAILED, f"{message}: {what}" if message else what, details=details)


def _shown(value: Any, most: int = 80) -> str:
    text = repr(value)
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _reason(error: Exception) -> str:
    reason = error.args[0] if error.args else error
    return reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
