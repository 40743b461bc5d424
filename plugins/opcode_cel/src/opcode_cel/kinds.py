"""CEL's types over the values that JSON decodes to: values are never converted on the way in."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from opcode_cel.faults import EvalError

INT, UINT, DOUBLE, BOOL, NULL = "int", "uint", "double", "bool", "null_type"
STRING, BYTES, LIST, MAP = "string", "bytes", "list", "map"
TIMESTAMP, DURATION, TYPE = "timestamp", "duration", "type"

NUMBERS = frozenset({INT, UINT, DOUBLE})


class Uint(int):
    """An unsigned integer: `5u`."""

    __slots__ = ()


class MadeMap(dict[Any, Any]):
    """A map that the expression itself made; its keys may be numbers and booleans."""

    __slots__ = ()


class MadeList(list[Any]):
    """A list that the expression itself made."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class CelType:
    """A type as a value: what `type(x)` gives and what the name `int` stands for."""

    name: str


TYPES = {
    name: CelType(name)
    for name in (
        *(INT, UINT, DOUBLE, BOOL, NULL, STRING, BYTES, LIST, MAP, TYPE),
        *("google.protobuf.Timestamp", "google.protobuf.Duration"),
    )
}


class _Kinds(dict[type, str]):
    """Kinds by Python type; a subclass is looked up once."""

    def __missing__(self, cls: type) -> str:
        kind = next((kind for base, kind in _BASES if issubclass(cls, base)), cls.__name__)
        self[cls] = kind
        return kind


_BASES: tuple[tuple[type, str], ...] = (
    (bool, BOOL),
    (Uint, UINT),
    (int, INT),
    (float, DOUBLE),
    (str, STRING),
    (type(None), NULL),
    (list, LIST),
    (tuple, LIST),
    (Mapping, MAP),
    (bytes, BYTES),
    (datetime, TIMESTAMP),
    (timedelta, DURATION),
    (CelType, TYPE),
)
_KINDS = _Kinds()


def kind_of(value: object) -> str:
    """Its CEL type's name, or that of its Python type when it is none of CEL's."""
    return _KINDS[type(value)]


def type_of(value: object) -> CelType:
    """What `type(value)` gives."""
    kind = kind_of(value)
    name = {TIMESTAMP: "google.protobuf.Timestamp", DURATION: "google.protobuf.Duration"}.get(kind, kind)
    return TYPES.get(name) or CelType(name)


def a(kind: str) -> str:
    """The kind with its article, for a message."""
    if kind == NULL:
        return "null"
    return f"an {kind}" if kind[0] in "aeio" else f"a {kind}"


def described(value: object) -> str:
    """What it is, for a message: the text of a string is left out, as it may be long or secret."""
    kind = kind_of(value)
    if kind == LIST:
        return f"a list of {len(value)}"  # type: ignore[arg-type]
    if kind in NUMBERS or kind == BOOL:
        return f"the {kind} {str(value).lower()}"
    return a(kind)


def truth(value: object) -> bool:
    """The boolean that `value` is; nothing else counts as true or false.

    Raises:
        EvalError: it is not a boolean.
    """
    if value is True or value is False:
        return value
    raise EvalError(f"true or false is needed here, and it is {described(value)}")
