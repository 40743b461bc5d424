"""The values of the language: JSON, and maps whose keys are not text."""

from collections.abc import Iterator, Mapping
from typing import Any

from opcode_core import StepView
from opcode_expr.faults import EvalError

NIL, BOOL, INT, FLOAT, STRING, ARRAY, MAP = "nil", "bool", "int", "float", "string", "array", "map"
NUMBERS = frozenset({INT, FLOAT})

MIN_INT, MAX_INT = -(2**63), 2**63 - 1


class MadeList(list[Any]):
    """An array that the expression itself made."""

    __slots__ = ()


class MadeMap(dict[Any, Any]):
    """A map that the expression itself made; its keys may be numbers, booleans and nil too.

    A boolean is kept as a key of its own kind, since `True` and `1` are one key to a dict.
    """

    __slots__ = ()


_TRUE, _FALSE = ("bool", True), ("bool", False)


def key_of(value: Any) -> Any:
    """The form that a key of a MadeMap is kept in.

    Raises:
        EvalError: an array or a map cannot be a key.
    """
    if value is True:
        return _TRUE
    if value is False:
        return _FALSE
    kind = kind_of(value)
    if kind in {ARRAY, MAP}:
        raise EvalError(f"{a(kind)} cannot be a key of a map")
    return value


def bare(key: Any) -> Any:
    """The key itself, from the form that it is kept in."""
    return key[1] if type(key) is tuple else key


class _Kinds(dict[type, str]):
    """Kinds by Python type; a subclass is looked up once."""

    def __missing__(self, cls: type) -> str:
        kind = next((kind for base, kind in _BASES if issubclass(cls, base)), cls.__name__)
        self[cls] = kind
        return kind


_BASES: tuple[tuple[type, str], ...] = (
    (bool, BOOL),
    (int, INT),
    (float, FLOAT),
    (str, STRING),
    (type(None), NIL),
    (list, ARRAY),
    (tuple, ARRAY),
    (Mapping, MAP),
)
_KINDS = _Kinds()


def kind_of(value: object) -> str:
    """What `type(value)` gives."""
    return _KINDS[type(value)]


def a(kind: str) -> str:
    """The kind with its article, for a message."""
    if kind == NIL:
        return NIL
    return f"an {kind}" if kind[0] in "aeio" else f"a {kind}"


def described(value: object) -> str:
    """What it is, for a message: the text of a string is left out, as it may be long or secret."""
    kind = kind_of(value)
    if kind == ARRAY:
        return f"an array of {len(value)}"  # type: ignore[arg-type]
    if kind == BOOL:
        return str(value).lower()
    if kind in NUMBERS:
        number = str(value) if not isinstance(value, int) or abs(value) <= MAX_INT else "too large"
        return f"the {kind} {number}"
    return a(kind)


def settled(value: Any) -> Any:
    """The value that a step stands for when it is not selected from: its output."""
    return value.output if type(value) is StepView else value


def truth(value: object) -> bool:
    """The boolean that `value` is; nothing else counts as true or false.

    Raises:
        EvalError: it is not a boolean.
    """
    if value is True or value is False:
        return value
    raise EvalError(f"true or false is needed here, and it is {described(value)}")


def keys_of(value: Mapping[Any, Any]) -> Iterator[Any]:
    """The keys of a map."""
    return map(bare, value) if type(value) is MadeMap else iter(value)


def items_of(value: Mapping[Any, Any]) -> Iterator[tuple[Any, Any]]:
    """Keys and values of a map; a step is its output."""
    if type(value) is MadeMap:
        return ((bare(key), item) for key, item in value.items())
    return ((key, settled(item)) for key, item in value.items())
