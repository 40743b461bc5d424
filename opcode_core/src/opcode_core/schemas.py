"""JSON Schema (2020-12): a quick look first, the whole validator only where that is not enough."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from opcode_core import keywords
from opcode_core.codec import dumps
from opcode_core.issues import Issue, format_path, shown
from opcode_core.suggestions import available, did_you_mean

_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "object": (dict,),
    "array": (list,),
    "null": (type(None),),
}
_PLAIN_KEYS = frozenset({"type", "title", "description", "default", "examples"})
_PLAIN_OBJECT_KEYS = _PLAIN_KEYS | {"properties", "required", "additionalProperties"}
_MOST = 1000
"""Errors of one value that are looked for."""


class Schema:
    """A JSON Schema, ready to check many values.

    Args:
        schema: the schema itself; references to other documents are never fetched.
    """

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self.schema = schema

    def accepts(self, value: dict[str, Any]) -> bool:
        """Whether it fits: at a glance where types say enough, else with the whole validator."""
        return self._fits_at_a_glance(value) or not self.issues(value)

    def _fits_at_a_glance(self, value: dict[str, Any]) -> bool:
        types = self._types
        if types is None:
            return False
        for name in self.schema.get("required", ()):
            if name not in value:
                return False
        for name, item in value.items():
            allowed = types.get(name)
            if allowed is None or (allowed and type(item) not in allowed):
                return False
        return True

    def issues(self, value: Any, path: str = "") -> list[Issue]:
        """Everything about `value` that the schema forbids."""
        try:
            return [_issue(error, path) for error in self.errors(value)]
        except ValueError as error:
            return [Issue(path, f"its schema {error}")]

    def errors(self, value: Any) -> list[Any]:
        """The same as jsonschema's errors; of very many the first.

        Raises:
            ValueError: what the schema does, so that nobody can tell.
        """
        if not self.schema:
            return []
        from referencing.exceptions import Unresolvable

        try:
            with keywords.bounded(_size(value)):
                return self._first_errors(value)
        except Unresolvable as error:
            raise ValueError(f"refers to {shown(error.ref)}, which is not there") from None
        except RecursionError:
            raise ValueError("refers to itself without end") from None
        except keywords.TooLong:
            raise ValueError("takes too long to check") from None

    def _first_errors(self, value: Any) -> list[Any]:
        found = []
        for error in self._validator.iter_errors(value):
            found.append(error)
            if len(found) == _MOST or keywords.is_over():
                break
        return found

    def lacks(self) -> str | None:
        """Why this is not a schema at all, or none that can be used here; None when it is one."""
        from jsonschema.exceptions import SchemaError

        schema = dict(self.schema)
        try:
            with keywords.bounded(_size(schema)):
                keywords.validator().check_schema(schema, format_checker=keywords.formats())
        except keywords.TooLong:
            return "it takes too long to check"
        except SchemaError as error:
            reason = f": {error.cause}" if error.cause else ""
            place = format_path(list(error.absolute_path))
            return f"{place}: {error.message[:300]}{reason}".lstrip(": ")
        except RecursionError:
            return "it is nested too deeply"
        # What is unevaluated is found by jsonschema itself, with expressions that may backtrack for ever.
        text = dumps(schema)
        if b'"unevaluatedProperties":' in text and b'"patternProperties":' in text:
            return "unevaluatedProperties beside patternProperties cannot be bounded in time"
        return None

    def with_defaults(self, value: dict[str, Any]) -> dict[str, Any]:
        """A copy in which each missing property has its default, or null when it has none."""
        defaults = {
            name: prop.get("default") if isinstance(prop, dict) else None
            for name, prop in self.schema.get("properties", {}).items()
        }
        return {**defaults, **value}

    @cached_property
    def _types(self) -> dict[str, tuple[type, ...]] | None:
        return _plain_properties(self.schema)

    @cached_property
    def _validator(self) -> Any:
        from referencing import Registry

        return keywords.validator()(dict(self.schema), registry=Registry())


def _size(value: Any) -> int:
    """Bytes of JSON; 0 when it is none."""
    try:
        return len(dumps(value))
    except ValueError:
        return 0


def _plain_properties(schema: Mapping[str, Any]) -> dict[str, tuple[type, ...]] | None:
    """Each property's Python types (empty for any), or None when types alone cannot decide."""
    if schema.get("type") != "object" or not _PLAIN_OBJECT_KEYS.issuperset(schema):
        return None
    plain: dict[str, tuple[type, ...]] = {}
    for name, prop in schema.get("properties", {}).items():
        types = _plain_types(prop)
        if types is not None:
            plain[name] = types
    return plain


def _plain_types(prop: Any) -> tuple[type, ...] | None:
    if not isinstance(prop, Mapping):
        return None
    if "anyOf" in prop and (_PLAIN_KEYS | {"anyOf"}).issuperset(prop):
        members = [_plain_types(member) for member in prop["anyOf"]]
        if any(not member for member in members):
            return None
        return tuple({kind for member in members if member for kind in member})
    if (
        not (_PLAIN_KEYS | {"additionalProperties"}).issuperset(prop)
        or prop.get("additionalProperties", True) is not True
    ):
        return None
    kind = prop.get("type")
    if kind is None:
        return ()
    return _TYPES.get(kind) if isinstance(kind, str) else None


def _issue(error: Any, path: str) -> Issue:
    """One of jsonschema's errors in our words."""
    inner = format_path(list(error.absolute_path))
    where = path + (inner if inner.startswith("[") or not path else f".{inner}" if inner else "")
    value = error.instance
    match error.validator:
        case "additionalProperties" if isinstance(value, dict):
            known = list(error.schema.get("properties", {}))
            unknown = [name for name in value if name not in known]
            hint = did_you_mean(unknown[0], known) if len(unknown) == 1 else ""
            names = ", ".join(f"'{name}'" for name in unknown)
            return Issue(
                where,
                f"unknown {'param' if len(unknown) == 1 else 'params'} {names}",
                hint or available(known),
            )
        case "required" if isinstance(value, dict):
            name = next(
                (
                    name
                    for name in error.validator_value
                    if name not in value and f"'{name}'" in error.message
                ),
                "",
            )
            return Issue(where, f"'{name}' is missing")
        case "type":
            kinds = (
                error.validator_value if isinstance(error.validator_value, list) else [error.validator_value]
            )
            return Issue(where, f"should be {' or '.join(kinds)}, got {shown(value)}")
        case "enum":
            return Issue(where, f"{shown(value)} is not allowed", _one_of(value, error.validator_value))
        case "anyOf" | "oneOf":
            kinds = [str(s.get("type", "…")) for s in error.validator_value if isinstance(s, dict)]
            return Issue(where, f"should be {' or '.join(kinds)}, got {shown(value)}")
    return Issue(where, error.message if len(error.message) < 300 else f"{error.message[:300]}…")


def _one_of(value: Any, allowed: list[Any]) -> str:
    names = [str(name) for name in allowed]
    return did_you_mean(str(value), names) or f"one of {', '.join(names)}"
