"""CEL's operators. Numbers compare and mix across int, uint and double; everything else is strict."""

import math
from collections.abc import Callable
from operator import ge, gt, le, lt
from typing import Any

from opcode_cel.access import settled
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
    ORDERED,
    STRING,
    TIMESTAMP,
    UINT,
    MadeList,
    MadeMap,
    Uint,
    a,
    kind_of,
    truth,
)
from opcode_cel.meter import Meter, width
from opcode_cel.times import duration, timestamp

MIN_INT, MAX_INT, MAX_UINT = -(2**63), 2**63 - 1, 2**64 - 1

_KEYS = frozenset({STRING, INT, UINT, DOUBLE, BOOL})
_JOINED = {STRING: 1, BYTES: 1, LIST: 8}
_LONG = frozenset({STRING, BYTES})


# ---- comparison -----------------------------------------------------------------------------------


def equal(x: Any, y: Any, meter: Meter) -> bool:
    """Whether they are the same; things of different types are not, numbers compare by value."""
    kind, other = kind_of(x), kind_of(y)
    if kind in NUMBERS or other in NUMBERS:
        return kind in NUMBERS and other in NUMBERS and bool(x == y)
    if kind != other:
        return False
    if kind == LIST:
        meter.spend(len(x))
        return len(x) == len(y) and all(
            equal(settled(one), settled(two), meter) for one, two in zip(x, y, strict=True)
        )
    if kind == MAP:
        return _equal_maps(x, y, meter)
    if kind in _LONG:
        meter.spend(len(x) >> 10)
    return bool(x == y)


def _equal_maps(x: Any, y: Any, meter: Meter) -> bool:
    meter.spend(len(x))
    return len(x) == len(y) and all(
        has_key(y, key) and equal(settled(x[key]), settled(y[key]), meter) for key in x
    )


def has_key(container: Any, key: Any) -> bool:
    """Whether a map has that key; only a map of the expression's own has other keys than text."""
    return (type(key) is str or type(container) is MadeMap) and key in container


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any, Meter], bool]:
    """An order of numbers, or of two things of one type that has an order."""

    def operator(x: Any, y: Any, meter: Meter) -> bool:
        kind, other = kind_of(x), kind_of(y)
        if not (kind in NUMBERS and other in NUMBERS) and not (kind == other and kind in ORDERED):
            raise EvalError(f"{a(kind)} and {a(other)} have no order")
        if kind in _LONG:
            meter.spend(len(x) >> 10)
        return bool(compare(x, y))

    return operator


def contained(item: Any, container: Any, meter: Meter) -> bool:
    """`item in container`: an element of a list, or a key of a map."""
    kind = kind_of(container)
    if kind == MAP:
        return kind_of(item) in _KEYS and has_key(container, item)
    if kind == LIST:
        for one in container:
            meter.spend()
            if equal(item, settled(one), meter):
                return True
        return False
    raise EvalError(f"'in' looks into a list or the keys of a map, not into {a(kind)}")


# ---- arithmetic -----------------------------------------------------------------------------------


def plus(x: Any, y: Any, meter: Meter) -> Any:
    """The sum; text, bytes and lists are joined."""
    kind, other = kind_of(x), kind_of(y)
    if kind in NUMBERS and other in NUMBERS:
        return _number("+", x, y, kind, other)
    if kind == other and kind in _JOINED:
        meter.make((len(x) + len(y)) * (width(x, y) if kind == STRING else _JOINED[kind]))
        return MadeList((*x, *y)) if kind == LIST else x + y
    if kind == DURATION and other == DURATION:
        return duration(x.nanos + y.nanos)
    if {kind, other} == {TIMESTAMP, DURATION}:
        return timestamp(x.nanos + y.nanos)
    raise _mismatch("+", kind, other)


def minus(x: Any, y: Any) -> Any:
    """The difference, of numbers or of times."""
    kind, other = kind_of(x), kind_of(y)
    if kind in NUMBERS and other in NUMBERS:
        return _number("-", x, y, kind, other)
    if kind == other and kind in {TIMESTAMP, DURATION}:
        return duration(x.nanos - y.nanos)
    if kind == TIMESTAMP and other == DURATION:
        return timestamp(x.nanos - y.nanos)
    raise _mismatch("-", kind, other)


def _numeric(symbol: str) -> Callable[[Any, Any], Any]:
    def operator(x: Any, y: Any) -> Any:
        kind, other = kind_of(x), kind_of(y)
        if kind in NUMBERS and other in NUMBERS:
            return _number(symbol, x, y, kind, other)
        raise _mismatch(symbol, kind, other)

    return operator


times, over, modulo = _numeric("*"), _numeric("/"), _numeric("%")


def _number(symbol: str, x: Any, y: Any, kind: str, other: str) -> Any:
    """A double as soon as one side is; else an integer of 64 bits."""
    if DOUBLE in {kind, other}:
        return _DOUBLES[symbol](float(x), float(y))
    if symbol in "/%" and y == 0:
        raise EvalError("division by zero")
    result = _INTEGERS[symbol](int(x), int(y))
    if kind == other == INT:
        fits = MIN_INT <= result <= MAX_INT
    elif kind == other:
        fits = 0 <= result <= MAX_UINT
    else:
        fits = MIN_INT <= result <= MAX_UINT
    if not fits:
        raise EvalError("integer overflow: the result has more than 64 bits")
    return Uint(result) if kind == other == UINT or result > MAX_INT else result


def _quotient(x: int, y: int) -> int:
    """Rounded towards zero, unlike Python's."""
    whole = abs(x) // abs(y)
    return whole if (x < 0) == (y < 0) else -whole


def _ratio(x: float, y: float) -> float:
    if y:
        return x / y
    return math.nan if x == 0 or math.isnan(x) else math.copysign(math.inf, x) * math.copysign(1.0, y)


def _remainder(x: float, y: float) -> float:
    return math.nan if not y or math.isinf(x) else math.fmod(x, y)


_DOUBLES: dict[str, Callable[[float, float], float]] = {
    "+": lambda x, y: x + y,
    "-": lambda x, y: x - y,
    "*": lambda x, y: x * y,
    "/": _ratio,
    "%": _remainder,
}
_INTEGERS: dict[str, Callable[[int, int], int]] = {
    "+": lambda x, y: x + y,
    "-": lambda x, y: x - y,
    "*": lambda x, y: x * y,
    "/": _quotient,
    "%": lambda x, y: x - y * _quotient(x, y),
}


def total(values: Any, meter: Meter) -> Any:
    """The sum of numbers or of durations; 0 of none."""
    result = values[0] if values else 0
    for value in values[1:]:
        meter.spend()
        result = plus(result, value, meter)
    return result


def negative(x: Any) -> Any:
    """`-x` of an int or a double."""
    kind = kind_of(x)
    if kind == DOUBLE:
        return -x
    if kind == INT:
        return _number("-", 0, x, INT, INT)
    raise EvalError(f"'-' does not take {a(kind)}")


def _mismatch(symbol: str, kind: str, other: str) -> EvalError:
    return EvalError(f"'{symbol}' does not take {a(kind)} and {a(other)}")


# ---- the table ------------------------------------------------------------------------------------

UNARY: dict[str, Callable[[Any], Any]] = {"unary_not": lambda x: not truth(x), "unary_neg": negative}

BINARY: dict[str, Callable[[Any, Any, Meter], Any]] = {
    "relation_eq": equal,
    "relation_ne": lambda x, y, meter: not equal(x, y, meter),
    "relation_lt": _ordered(lt),
    "relation_le": _ordered(le),
    "relation_gt": _ordered(gt),
    "relation_ge": _ordered(ge),
    "relation_in": contained,
    "addition_add": plus,
    "addition_sub": lambda x, y, _: minus(x, y),
    "multiplication_mul": lambda x, y, _: times(x, y),
    "multiplication_div": lambda x, y, _: over(x, y),
    "multiplication_mod": lambda x, y, _: modulo(x, y),
}
"""By the names that celpy's parse tree gives them."""
