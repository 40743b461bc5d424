"""The functions that an expression can call, as `f(x, y)` or `x.f(y)`: one table."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Any

from opcode_cel import clock, conversions, documents, formats, lists, maths, patterns, texts
from opcode_cel.faults import EvalError
from opcode_cel.kinds import (
    BOOL,
    BYTES,
    DOUBLE,
    DURATION,
    INT,
    LIST,
    MAP,
    NUMBERS,
    STRING,
    TIMESTAMP,
    UINT,
    kind_of,
    type_of,
)
from opcode_cel.meter import Meter

Kinds = frozenset[str] | None
"""What an argument may be; None: anything."""

MOST = 64
"""Arguments of a function that takes any number of them."""


@dataclass(frozen=True, slots=True)
class Function:
    """One entry of the table.

    Attributes:
        call: the body: the meter, then the arguments.
        takes: the kinds of each argument, the receiver of `x.f()` being the first; the last kinds
            are also those of what follows.
        least: how many arguments there are at least.
        most: how many at most.
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
        for argument, kinds in zip(arguments, chain(self.takes, repeat(self.takes[-1])), strict=False):
            if kinds is not None and kind_of(argument) not in kinds:
                *others, last = sorted(kinds)
                wanted = f"{', '.join(others)} or {last}" if others else last
                raise EvalError(f"{name}() takes {wanted}, not {kind_of(argument)}")
        return self.call(meter, *arguments)


def _function(
    call: Callable[..., Any], *takes: Kinds, least: int | None = None, most: int | None = None
) -> Function:
    return Function(call, takes, len(takes) if least is None else least, len(takes) if most is None else most)


def _size(_: Meter, value: Any) -> int:
    return len(value)


_TEXT, _WHOLE, _NUMBER = frozenset({STRING}), frozenset({INT, UINT}), NUMBERS
_LIST, _MAP, _ROW = frozenset({LIST}), frozenset({MAP}), frozenset({LIST, STRING})

FUNCTIONS: dict[str, Function] = {
    "size": _function(_size, frozenset({STRING, BYTES, LIST, MAP})),
    "type": _function(lambda _, value: type_of(value), None),
    # Conversions.
    "int": _function(conversions.to_int, frozenset({INT, UINT, DOUBLE, STRING, TIMESTAMP})),
    "uint": _function(conversions.to_uint, frozenset({INT, UINT, DOUBLE, STRING})),
    "double": _function(conversions.to_double, frozenset({INT, UINT, DOUBLE, STRING})),
    "string": _function(
        conversions.to_string, frozenset({INT, UINT, DOUBLE, BOOL, STRING, BYTES, TIMESTAMP, DURATION})
    ),
    "bool": _function(conversions.to_bool, frozenset({BOOL, STRING})),
    "bytes": _function(conversions.to_bytes, frozenset({BYTES, STRING})),
    "timestamp": _function(conversions.to_timestamp, frozenset({TIMESTAMP, STRING, INT})),
    "duration": _function(conversions.to_duration, frozenset({DURATION, STRING})),
    "json": _function(documents.parsed, _TEXT),
    "toJson": _function(documents.written, None),
    # Text.
    "contains": _function(texts.contains, _TEXT, _TEXT),
    "startsWith": _function(lambda _, text, part: text.startswith(part), _TEXT, _TEXT),
    "endsWith": _function(lambda _, text, part: text.endswith(part), _TEXT, _TEXT),
    "matches": _function(patterns.matches, _TEXT, _TEXT),
    "lowerAscii": _function(texts.lower_ascii, _TEXT),
    "upperAscii": _function(texts.upper_ascii, _TEXT),
    "trim": _function(texts.trim, _TEXT),
    "split": _function(texts.split, _TEXT, _TEXT, _WHOLE, least=2),
    "join": _function(texts.join, _LIST, _TEXT, least=1),
    "replace": _function(texts.replace, _TEXT, _TEXT, _TEXT, _WHOLE, least=3),
    "substring": _function(texts.substring, _TEXT, _WHOLE, _WHOLE, least=2),
    "charAt": _function(texts.char_at, _TEXT, _WHOLE),
    "indexOf": _function(texts.index_of, _TEXT, _TEXT, _WHOLE, least=2),
    "lastIndexOf": _function(texts.last_index_of, _TEXT, _TEXT, _WHOLE, least=2),
    "format": _function(formats.formatted, _TEXT, _LIST),
    "strings.quote": _function(texts.quote, _TEXT),
    # Lists and maps.
    "reverse": _function(lists.backwards, _ROW),
    "slice": _function(lists.sliced, _LIST, _WHOLE, _WHOLE, least=2),
    "first": _function(lists.first, _LIST),
    "last": _function(lists.last, _LIST),
    "flatten": _function(lists.flattened, _LIST, _WHOLE, least=1),
    "distinct": _function(lists.distinct, _LIST),
    "sort": _function(lists.in_order, _LIST),
    "sum": _function(lists.summed, _LIST),
    "min": _function(maths.smallest, None, least=1, most=MOST),
    "max": _function(maths.largest, None, least=1, most=MOST),
    "keys": _function(lists.keys, _MAP),
    "values": _function(lists.values, _MAP),
    "lists.range": _function(lists.count_up, _WHOLE),
    "sets.contains": _function(lists.contains_all, _LIST, _LIST),
    "sets.equivalent": _function(lists.equivalent, _LIST, _LIST),
    "sets.intersects": _function(lists.intersects, _LIST, _LIST),
    # Numbers.
    "math.least": _function(maths.least, _NUMBER | {LIST}, _NUMBER, least=1, most=MOST),
    "math.greatest": _function(maths.greatest, _NUMBER | {LIST}, _NUMBER, least=1, most=MOST),
    "math.abs": _function(maths.absolute, _NUMBER),
    "math.sign": _function(maths.sign, _NUMBER),
    "math.sqrt": _function(maths.square_root, _NUMBER),
    "math.round": _function(maths.nearest, _NUMBER),
    "math.floor": _function(maths.floor, _NUMBER),
    "math.ceil": _function(maths.ceiling, _NUMBER),
    "math.trunc": _function(maths.truncated, _NUMBER),
    "math.isNaN": _function(maths.is_nan, _NUMBER),
    "math.isInf": _function(maths.is_infinite, _NUMBER),
    "math.isFinite": _function(maths.is_finite, _NUMBER),
    # Times.
    **{
        name: _function(clock.calendar_part(name), frozenset({TIMESTAMP}), _TEXT, least=1)
        for name in clock.CALENDAR
    },
    **{
        name: _function(clock.clock_part(name), frozenset({TIMESTAMP, DURATION}), _TEXT, least=1)
        for name in clock.CLOCK
    },
}

MACROS = {
    "all": (2, 2),
    "exists": (2, 2),
    "exists_one": (2, 2),
    "existsOne": (2, 2),
    "filter": (2, 2),
    "map": (2, 3),
    "sortBy": (2, 2),
}
"""Least and most arguments; the first is the name of a variable."""

FORMS = {"has": 1, "default": 2, "dyn": 1}
"""What looks like a function, but does not need the values of all its arguments."""
