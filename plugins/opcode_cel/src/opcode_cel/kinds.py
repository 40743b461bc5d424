"""CEL's types over the values that JSON decodes to: values are never converted on the way in."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from opcode_cel.faults import EvalError

INT, UINT, DOUBLE, BOOL, NULL = "int", "uint", "double", "bool", "null_type"
STRING, BYTES, LIST, MAP = "string", "bytes", "list", "map"
TIMESTAMP, DURATION, TYPE = "timestamp", "duration", "type"

NUMBERS = frozenset({INT, UINT, DOUBLE})
ORDERED = frozenset({STRING, BYTES, BOOL, TIMESTAMP, DURATION})
"""Kinds that have an order of their own; numbers have one among all of them."""


class Uint(int):
    """An unsigned integer: `5u`."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, order=True)
class Timestamp:
    """A moment.

    Attributes:
        nanos: nanoseconds since the beginning of 1970, in UTC.
    """

    nanos: int


@dataclass(frozen=True, slots=True, order=True)
class Duration:
    """A length of time.

    Attributes:
        nanos: nanoseconds, of either sign.
    """

    nanos: int


class MadeMap(Mapping[Any, Any]):
    """A map that the expression itself made.

    Its keys may be numbers and booleans: 1 and 1.0 are the same key, 1 and true are not.
    """

    __slots__ = ("_entries",)

    def __init__(self) -> None:
        self._entries: dict[tuple[bool, Any], Any] = {}

    def add(self, key: Any, value: Any) -> None:
        """Put in a key that is not there yet."""
        self._entries[key is True or key is False, key] = value

    def __getitem__(self, key: Any) -> Any:
        try:
            return self._entries[key is True or key is False, key]
        except TypeError:
            raise KeyError(key) from None

    def __contains__(self, key: object) -> bool:
        try:
            return (key is True or key is False, key) in self._entries
        except TypeError:
            return False

    def __iter__(self) -> Iterator[Any]:
        return (key for _, key in self._entries)

    def __len__(self) -> int:
        return len(self._entries)


class MadeList(list[Any]):
    """A list that the expression itself made."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class CelType:
    """A type as a value: what `type(x)` gives and what the name `int` stands for."""

    name: str


_TIMESTAMP, _DURATION = CelType("google.protobuf.Timestamp"), CelType("google.protobuf.Duration")
TYPES = {name: CelType(name) for name in (INT, UINT, DOUBLE, BOOL, NULL, STRING, BYTES, LIST, MAP, TYPE)}
NAMES: dict[str, Any] = {
    **TYPES,
    "google": {"protobuf": {"Timestamp": _TIMESTAMP, "Duration": _DURATION}},
}
"""What a name stands for that is neither a variable nor in the scope."""


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
    (Timestamp, TIMESTAMP),
    (Duration, DURATION),
    (CelType, TYPE),
)
_KINDS = _Kinds()


def kind_of(value: object) -> str:
    """Its CEL type's name, or that of its Python type when it is none of CEL's."""
    return _KINDS[type(value)]


def type_of(value: object) -> CelType:
    """What `type(value)` gives."""
    kind = kind_of(value)
    if kind == TIMESTAMP:
        return _TIMESTAMP
    if kind == DURATION:
        return _DURATION
    return TYPES.get(kind) or CelType(kind)


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


def common_order(values: Any, name: str) -> None:
    """Check that every two of `values` have an order.

    Raises:
        EvalError: they have none; `name` is the function that needs it.
    """
    kinds = {kind_of(value) for value in values}
    if kinds <= NUMBERS or (len(kinds) == 1 and kinds <= ORDERED):
        return
    without = sorted(kinds - NUMBERS - ORDERED)
    what = a(without[0]) if without else " and ".join(a(kind) for kind in sorted(kinds)[:2])
    raise EvalError(f"{name}() compares, and {what} {'has' if without else 'have'} no order")
