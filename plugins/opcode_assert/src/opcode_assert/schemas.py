"""JSON Schema (2020-12) in bounded time: patterns by RE2, uniqueness by hashing, nothing fetched."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from opcode_assert.comparing import hashable
from opcode_assert.patterns import compile_pattern, search
from opcode_core import ErrorCode, OpcodeError, dumps


def first_fault(schema: dict[str, Any], data: Any) -> Any:
    """The most telling of jsonschema's errors, or None when `data` fits.

    Raises:
        OpcodeError: VALIDATION_ERROR when `schema` is not one, or one that cannot be used here.
    """
    from jsonschema.exceptions import best_match
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    try:
        _require_schema(schema)
        return best_match(_validator()(schema, registry=Registry()).iter_errors(data))
    except Unresolvable as fault:
        raise _unusable(f"refers to what is not in it: {fault}") from None
    except RecursionError:
        raise _unusable("refers to itself without end, or is nested too deeply") from None


def _require_schema(schema: dict[str, Any]) -> None:
    from jsonschema import FormatChecker
    from jsonschema.exceptions import SchemaError

    formats = FormatChecker(formats=())
    formats.checks("regex", raises=ValueError)(_is_regex)
    try:
        _validator().check_schema(schema, format_checker=formats)
    except SchemaError as fault:
        where = "" if fault.json_path == "$" else f"at {fault.json_path}: "
        reason = f": {fault.cause}" if fault.cause else ""
        raise _unusable(f"is not a JSON Schema: {where}{fault.message[:300]}{reason}") from None
    # What is unevaluated is found by jsonschema itself, with expressions that may backtrack for ever.
    text = dumps(schema)
    if b'"unevaluatedProperties":' in text and b'"patternProperties":' in text:
        raise _unusable(
            "has both unevaluatedProperties and patternProperties, which cannot be bounded in time"
        )


def _is_regex(value: object) -> bool:
    return not isinstance(value, str) or compile_pattern(value) is not None


@cache
def _validator() -> Any:
    from jsonschema import Draft202012Validator, validators

    return validators.extend(  # type: ignore[no-untyped-call]
        Draft202012Validator,
        {
            "pattern": _pattern,
            "patternProperties": _pattern_properties,
            "additionalProperties": _additional_properties,
            "uniqueItems": _unique_items,
        },
    )


def _pattern(_: Any, pattern: str, instance: Any, __: Any) -> Iterator[Any]:
    from jsonschema import ValidationError

    if isinstance(instance, str) and search(pattern, instance) is None:
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


def _pattern_properties(validator: Any, patterns: Mapping[str, Any], instance: Any, _: Any) -> Iterator[Any]:
    if not isinstance(instance, dict):
        return
    for pattern, subschema in patterns.items():
        for name, value in instance.items():
            if search(pattern, name):
                yield from validator.descend(value, subschema, path=name, schema_path=pattern)


def _additional_properties(
    validator: Any, subschema: Any, instance: Any, schema: Mapping[str, Any]
) -> Iterator[Any]:
    from jsonschema import ValidationError

    if not isinstance(instance, dict):
        return
    known, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    further = [
        name for name in instance if name not in known and not any(search(each, name) for each in patterns)
    ]
    if subschema is False:
        if further:
            names = ", ".join(repr(name) for name in sorted(further))
            yield ValidationError(f"additional properties are not allowed: {names}")
        return
    for name in further:
        yield from validator.descend(instance[name], subschema, path=name)


def _unique_items(_: Any, wanted: bool, instance: Any, __: Any) -> Iterator[Any]:
    from jsonschema import ValidationError

    if not wanted or not isinstance(instance, list):
        return
    first: dict[Any, int] = {}
    for index, item in enumerate(instance):
        earlier = first.setdefault(hashable(item), index)
        if earlier != index:
            yield ValidationError(f"items {earlier} and {index} are equal")
            return


def _unusable(why: str) -> OpcodeError:
    return OpcodeError(ErrorCode.VALIDATION_ERROR, f"'schema' {why}")
