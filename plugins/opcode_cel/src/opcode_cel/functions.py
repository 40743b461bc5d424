"""The functions that an expression can call, as `f(x, y)` or `x.f(y)`: one table."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from celpy.evaluation import base_functions

from opcode_cel import conversions, texts
from opcode_cel.faults import EvalError
from opcode_cel.kinds import (
    BOOL,
    BYTES,
    DOUBLE,
    DURATION,
    INT,
    LIST,
    MAP,
    STRING,
    TIMESTAMP,
    UINT,
    kind_of,
    type_of,
)
from opcode_cel.meter import Meter

Kinds = frozenset[str] | None
"""What an argument may be; None: anything."""


@dataclass(frozen=True, slots=True)
class Function:
    """One entry of the table.

    Attributes:
        call: the body: the meter, then the arguments.
        takes: the kinds of each argument, the receiver of `x.f()` being the first.
        least: how many arguments there are at least.
    """

    call: Callable[..., Any]
    takes: tuple[Kinds, ...]
    least: int

    def __call__(self, name: str, arguments: Sequence[Any], meter: Meter) -> Any:
        """Check the arguments' kinds and call.

        Raises:
            EvalError: an argument of a wrong kind, or the body's own.
        """
        meter.spend()
        for argument, kinds in zip(arguments, self.takes, strict=False):
            if kinds is not None and kind_of(argument) not in kinds:
                *others, last = sorted(kinds)
                wanted = f"{', '.join(others)} or {last}" if others else last
                raise EvalError(f"{name}() takes {wanted}, not {kind_of(argument)}")
        return self.call(meter, *arguments)


def _function(call: Callable[..., Any], *takes: Kinds, least: int | None = None) -> Function:
    return Function(call, takes, len(takes) if least is None else least)


def _size(_: Meter, value: Any) -> int:
    return len(value)


def _clock_part(name: str) -> Callable[..., int]:
    part = base_functions[name]

    def call(_: Meter, moment: Any, zone: str | None = None) -> int:
        if zone is not None and kind_of(moment) == DURATION:
            raise EvalError("a duration has no time zone")
        if zone is not None and len(zone) > 64:
            raise EvalError("not a time zone")
        try:
            return int(part(moment, zone))  # type: ignore[arg-type]
        except (ValueError, KeyError, OSError, OverflowError):
            raise EvalError(f"{zone!r} is not a time zone, such as 'Europe/Paris' or '+02:00'") from None

    return call


_TEXT, _WHOLE = frozenset({STRING}), frozenset({INT, UINT})
_CLOCK = ("getHours", "getMilliseconds", "getMinutes", "getSeconds")
_CALENDAR = ("getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear", "getFullYear", "getMonth")

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
    # Text.
    "contains": _function(lambda _, text, part: part in text, _TEXT, _TEXT),
    "startsWith": _function(lambda _, text, part: text.startswith(part), _TEXT, _TEXT),
    "endsWith": _function(lambda _, text, part: text.endswith(part), _TEXT, _TEXT),
    "matches": _function(texts.matches, _TEXT, _TEXT),
    "lowerAscii": _function(texts.lower_ascii, _TEXT),
    "upperAscii": _function(texts.upper_ascii, _TEXT),
    "trim": _function(texts.trim, _TEXT),
    "split": _function(texts.split, _TEXT, _TEXT, _WHOLE, least=2),
    "join": _function(texts.join, frozenset({LIST}), _TEXT, least=1),
    "replace": _function(texts.replace, _TEXT, _TEXT, _TEXT, _WHOLE, least=3),
    "substring": _function(texts.substring, _TEXT, _WHOLE, _WHOLE, least=2),
    # Times.
    **{name: _function(_clock_part(name), frozenset({TIMESTAMP}), _TEXT, least=1) for name in _CALENDAR},
    **{
        name: _function(_clock_part(name), frozenset({TIMESTAMP, DURATION}), _TEXT, least=1)
        for name in _CLOCK
    },
}

MACROS = {"all": (2, 2), "exists": (2, 2), "exists_one": (2, 2), "filter": (2, 2), "map": (2, 3)}
"""Least and most arguments; the first is the name of a variable."""

FORMS = {"has": 1, "default": 2, "dyn": 1}
"""What looks like a function, but does not need the values of all its arguments."""
