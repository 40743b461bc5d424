"""The functions that take values: one table."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from opcode_expr import arrays, conversions, numbers, texts
from opcode_expr.access import got
from opcode_expr.faults import EvalError
from opcode_expr.meter import Meter
from opcode_expr.values import ARRAY, FLOAT, INT, MAP, NUMBERS, STRING, described, kind_of

Kinds = frozenset[str] | None
"""What an argument may be; None: anything."""

MANY = 1000
"""How many arguments a function takes that takes any number of them."""


@dataclass(frozen=True, slots=True)
class Function:
    """One entry of the table.

    Attributes:
        call: the body: the meter, then the arguments.
        takes: the kinds of each argument; of further ones those of the last.
        least, most: how many arguments there are.
    """

    call: Callable[..., Any]
    takes: tuple[Kinds, ...]
    least: int
    most: int

    def __call__(self, name: str, arguments: Sequence[Any], meter: Meter) -> Any:
        """Check the arguments' kinds and call.

        Raises:
            EvalError: an argument of a wrong kind, or the body's own.
        """
        meter.spend()
        for index, argument in enumerate(arguments):
            kinds = self.takes[min(index, len(self.takes) - 1)]
            if kinds is not None and kind_of(argument) not in kinds:
                *others, last = sorted(kinds)
                wanted = f"{', '.join(others)} or {last}" if others else last
                raise EvalError(f"{name}() takes {wanted}, not {described(argument)}")
        if any(kinds is _WHOLE for kinds in self.takes):
            return self.call(meter, *map(self._whole, arguments, range(len(arguments))))
        return self.call(meter, *arguments)

    def _whole(self, argument: Any, index: int) -> Any:
        """A float for an int stands for the part before its point."""
        if self.takes[min(index, len(self.takes) - 1)] is not _WHOLE or kind_of(argument) != FLOAT:
            return argument
        return conversions.to_int(_NOBODY, argument)


_NOBODY: Any = None


def _function(call: Callable[..., Any], *takes: Kinds, least: int | None = None) -> Function:
    return Function(call, takes, len(takes) if least is None else least, len(takes))


def _of_many(call: Callable[..., Any], takes: Kinds) -> Function:
    return Function(call, (takes,), 1, MANY)


_TEXT, _LIST, _MAP = frozenset({STRING}), frozenset({ARRAY}), frozenset({MAP})
_INTS = frozenset({INT})
# An own object: a float is taken here too, and cut.
_WHOLE = frozenset({INT, FLOAT})
_NUMBER = frozenset(NUMBERS)

FUNCTIONS: dict[str, Function] = {
    # Strings.
    "trim": _function(texts.trim, _TEXT, _TEXT, least=1),
    "trimPrefix": _function(texts.trim_prefix, _TEXT, _TEXT, least=1),
    "trimSuffix": _function(texts.trim_suffix, _TEXT, _TEXT, least=1),
    "upper": _function(texts.upper, _TEXT),
    "lower": _function(texts.lower, _TEXT),
    "split": _function(texts.split, _TEXT, _TEXT, _WHOLE, least=2),
    "splitAfter": _function(texts.split_after, _TEXT, _TEXT, _WHOLE, least=2),
    "replace": _function(texts.replace, _TEXT, _TEXT, _TEXT, _WHOLE, least=3),
    "repeat": _function(texts.repeat, _TEXT, _WHOLE),
    "join": _function(texts.join, _LIST, _TEXT, least=1),
    "indexOf": _function(texts.test(str.find), _TEXT, _TEXT),
    "lastIndexOf": _function(texts.test(str.rfind), _TEXT, _TEXT),
    "hasPrefix": _function(texts.test(str.startswith), _TEXT, _TEXT),
    "hasSuffix": _function(texts.test(str.endswith), _TEXT, _TEXT),
    # Numbers.
    "abs": _function(numbers.absolute, _NUMBER),
    "ceil": _function(numbers.rounding(math.ceil), _NUMBER),
    "floor": _function(numbers.rounding(math.floor), _NUMBER),
    "round": _function(numbers.rounding(numbers.half_away), _NUMBER),
    "max": _of_many(numbers.extreme("max", max), None),
    "min": _of_many(numbers.extreme("min", min), None),
    "mean": _of_many(numbers.mean, None),
    "median": _of_many(numbers.median, None),
    "bitand": _function(numbers.bits(int.__and__), _INTS, _INTS),
    "bitor": _function(numbers.bits(int.__or__), _INTS, _INTS),
    "bitxor": _function(numbers.bits(int.__xor__), _INTS, _INTS),
    "bitnand": _function(numbers.bits(lambda x, y: x & ~y), _INTS, _INTS),
    "bitnot": _function(lambda _, x: ~x, _INTS),
    "bitshl": _function(numbers.shift(int.__lshift__), _INTS, _INTS),
    "bitshr": _function(numbers.shift(int.__rshift__), _INTS, _INTS),
    "bitushr": _function(numbers.shift(lambda x, count: (x & (2**64 - 1)) >> count), _INTS, _INTS),
    # Arrays and maps.
    "first": _function(arrays.first, _LIST),
    "last": _function(arrays.last, _LIST),
    "take": _function(arrays.take, _LIST, _WHOLE),
    "reverse": _function(arrays.reverse, _LIST),
    "concat": _of_many(arrays.concat, _LIST),
    "flatten": _function(arrays.flatten, _LIST),
    "uniq": _function(arrays.uniq, _LIST),
    "sort": _function(arrays.sort, _LIST, _TEXT, least=1),
    "keys": _function(arrays.keys, _MAP),
    "values": _function(arrays.values, _MAP),
    "toPairs": _function(arrays.to_pairs, _MAP),
    "fromPairs": _function(arrays.from_pairs, _LIST),
    "len": _function(arrays.length, frozenset({STRING, ARRAY, MAP})),
    "get": _function(lambda _, value, key: got(value, key), None, None),
    # Kinds.
    "type": _function(lambda _, value: kind_of(value), None),
    "int": _function(conversions.to_int, None),
    "float": _function(conversions.to_float, None),
    "string": _function(conversions.to_string, None),
    "toJSON": _function(conversions.to_json_text, None),
    "fromJSON": _function(conversions.from_json_text, _TEXT),
    "toBase64": _function(conversions.to_base64, _TEXT),
    "fromBase64": _function(conversions.from_base64, _TEXT),
}

REFUSED = {
    "now": "an expression gives the same each time it is asked; workflow.started_at is when the run began",
    "date": "there are no dates here; the engine cel has timestamp()",
    "duration": "there are no durations here; the engine cel has duration()",
    "timezone": "there are no time zones here; the engine cel has timestamp()",
}
"""Functions of the language that are not offered, and why."""
