"""JSON Schema in bounded time: patterns by RE2, uniqueness by hashing, and the whole by a deadline.

A pattern that RE2 cannot read is checked by nobody here: `Schema.lacks` refuses it where somebody writes a schema,
and whoever brings an action with such a one checks it himself.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from time import thread_time
from typing import Any

from opcode_core.patterns import pattern

SECONDS = 1.0
"""Processor time of one validation."""
PACE = 400_000
"""Bytes of a value for each of which so much more time is given."""

_BRANCHING = ("$ref", "$dynamicRef", "allOf", "anyOf", "oneOf", "not", "if", "items")
"""Without one of these each part of a value is looked at once."""
_LONG = ("enum", "properties", "required")
"""What is gone through as a whole at each part of a value."""
LONG = 100
"""Entries of one of those from which on the clock is looked at."""

_deadline: ContextVar[float] = ContextVar("deadline", default=float("inf"))


class TooLong(Exception):  # noqa: N818
    """A validation took as long as it may."""


@contextmanager
def bounded(size: int) -> Iterator[None]:
    """Validations in the block, of a value of `size` bytes, end with TooLong when their time is over."""
    token = _deadline.set(thread_time() + SECONDS * (1 + size / PACE))
    try:
        yield
    finally:
        _deadline.reset(token)


@cache
def validator() -> Any:
    """The class of jsonschema's validators."""
    from jsonschema import Draft202012Validator, validators

    return validators.extend(  # type: ignore[no-untyped-call]
        Draft202012Validator,
        {
            **{name: _timed(Draft202012Validator.VALIDATORS[name]) for name in _BRANCHING},
            **{name: _timed(Draft202012Validator.VALIDATORS[name], LONG) for name in _LONG},
            "pattern": _pattern,
            "patternProperties": _pattern_properties,
            "additionalProperties": _additional_properties,
            "uniqueItems": _unique_items,
        },
    )


@cache
def formats() -> Any:
    """What a schema's own texts have to be."""
    from jsonschema import FormatChecker

    checker = FormatChecker(formats=())
    checker.checks("regex", raises=ValueError)(_is_pattern)
    return checker


def is_over() -> bool:
    """Whether there is no time left."""
    return thread_time() > _deadline.get()


def _look() -> None:
    if is_over():
        raise TooLong


def _timed(keyword: Callable[..., Any], least: int = 0) -> Callable[..., Any]:
    """The keyword with a look at the clock where its value has at least that many entries."""

    def check(validator: Any, value: Any, instance: Any, schema: Any) -> Any:
        if not least or len(value) >= least:
            _look()
        return keyword(validator, value, instance, schema)

    return check


def _is_pattern(value: object) -> bool:
    return not isinstance(value, str) or pattern(value) is not None


def _found(source: str, text: str, untold: bool = True) -> bool:
    """Whether the pattern is in the text; `untold` where that cannot be told.

    Raises:
        ValueError: it would take too long.
        TooLong: the whole does.
    """
    _look()
    try:
        readable = pattern(source)
    except ValueError:
        return untold
    return readable.search(text) is not None


def _pattern(_: Any, source: str, instance: Any, __: Any) -> Iterator[Any]:
    from jsonschema import ValidationError

    try:
        if isinstance(instance, str) and not _found(source, instance):
            yield ValidationError(f"{instance!r} does not match {source!r}")
    except ValueError as error:
        yield ValidationError(f"cannot be matched with {source!r}: {error}")


def _pattern_properties(validator: Any, patterns: Mapping[str, Any], instance: Any, _: Any) -> Iterator[Any]:
    from jsonschema import ValidationError

    if not isinstance(instance, dict):
        return
    for source, subschema in patterns.items():
        for name, value in instance.items():
            try:
                matches = _found(source, name, untold=False)
            except ValueError as error:
                yield ValidationError(f"a name cannot be matched with {source!r}: {error}")
                return
            if matches:
                yield from validator.descend(value, subschema, path=name, schema_path=source)


def _additional_properties(
    validator: Any, subschema: Any, instance: Any, schema: Mapping[str, Any]
) -> Iterator[Any]:
    from jsonschema import ValidationError

    if not isinstance(instance, dict):
        return
    known, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    try:
        further = [
            name
            for name in instance
            if name not in known and not any(_found(source, name) for source in patterns)
        ]
    except ValueError:
        return  # patternProperties says so
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
        earlier = first.setdefault(_hashable(item), index)
        if earlier != index:
            yield ValidationError(f"items {earlier} and {index} are equal")
            return


def _hashable(value: Any) -> Any:
    """A stand-in that is equal to another's exactly when the values are equal, and can be in a set."""
    if isinstance(value, dict):
        return "object", frozenset((key, _hashable(item)) for key, item in value.items())
    if isinstance(value, list):
        return "array", tuple(_hashable(item) for item in value)
    return ("boolean", value) if isinstance(value, bool) else value
