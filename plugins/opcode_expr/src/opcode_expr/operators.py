"""The operators. Numbers mix: a float as soon as one side is; everything else is strict."""

import math
from collections.abc import Callable
from operator import ge, gt, le, lt
from typing import Any

from opcode_expr.access import has, whole
from opcode_expr.faults import EvalError
from opcode_expr.meter import ITEM, NUMBER, Meter
from opcode_expr.patterns import matches
from opcode_expr.values import (
    ARRAY,
    INT,
    MAP,
    MAX_INT,
    MIN_INT,
    NIL,
    NUMBERS,
    STRING,
    MadeList,
    MadeMap,
    a,
    described,
    key_of,
    kind_of,
    settled,
)

Operator = Callable[[Any, Any, Meter], Any]

# ---- comparison -----------------------------------------------------------------------------------


def equal(x: Any, y: Any, meter: Meter) -> bool:
    """Whether they are the same; numbers compare by value, things of different kinds are not equal."""
    kind, other = kind_of(x), kind_of(y)
    if kind in NUMBERS and other in NUMBERS:
        return bool(x == y)
    if kind != other:
        return False
    if kind == STRING:
        meter.spend(1 + (len(x) // 64 if len(x) == len(y) else 0))
        return bool(x == y)
    if kind == ARRAY:
        meter.spend(1 + len(x))
        return len(x) == len(y) and all(equal(one, two, meter) for one, two in zip(x, y, strict=True))
    if kind == MAP:
        return _equal_maps(x, y, meter)
    return bool(x == y)


def _equal_maps(x: Any, y: Any, meter: Meter) -> bool:
    meter.spend(1 + len(x))
    return len(x) == len(y) and all(key in y and equal(settled(x[key]), settled(y[key]), meter) for key in x)


def same(x: Any, y: Any, meter: Meter) -> bool:
    """`x == y`."""
    meter.spend()
    return equal(x, y, meter)


def different(x: Any, y: Any, meter: Meter) -> bool:
    """`x != y`."""
    meter.spend()
    return not equal(x, y, meter)


def ordered(compare: Callable[[Any, Any], bool]) -> Operator:
    """An order of two numbers, or of two strings."""

    def operator(x: Any, y: Any, meter: Meter) -> bool:
        kind, other = kind_of(x), kind_of(y)
        if kind == STRING and other == STRING:
            meter.spend(1 + min(len(x), len(y)) // 64)
        elif kind in NUMBERS and other in NUMBERS:
            meter.spend()
        else:
            raise EvalError(f"{a(kind)} and {a(other)} have no order")
        return bool(compare(x, y))

    return operator


def contained(item: Any, container: Any, meter: Meter) -> bool:
    """`item in container`: an item of an array, or a key of a map; nothing is in nil."""
    kind = kind_of(container)
    meter.spend()
    if kind == ARRAY:
        return any(_found(item, one, meter) for one in container)
    if kind == MAP:
        return kind_of(item) not in {ARRAY, MAP} and has(container, item)
    if kind == NIL:
        return False
    hint = "; for a part of a string write: text contains part" if kind == STRING else ""
    raise EvalError(f"'in' looks into an array or the keys of a map, not into {a(kind)}{hint}")


def _found(item: Any, one: Any, meter: Meter) -> bool:
    meter.spend()
    return equal(one, item, meter)


def within(number: Any, first: Any, last: Any, meter: Meter) -> bool:
    """`number in first..last`, without making the array."""
    meter.spend()
    least, most = _bound(first), _bound(last)
    return kind_of(number) in NUMBERS and least <= number <= most and number == math.floor(number)


# ---- arithmetic -----------------------------------------------------------------------------------


def _numbers(x: Any, y: Any, sign: str) -> bool:
    """Whether both are ints.

    Raises:
        EvalError: one is no number.
    """
    kind, other = kind_of(x), kind_of(y)
    if kind == INT and other == INT:
        return True
    if kind in NUMBERS and other in NUMBERS:
        return False
    raise EvalError(f"'{sign}' takes numbers, not {a(kind)} and {a(other)}")


def fitting(number: int) -> int:
    """An int of 64 bits.

    Raises:
        EvalError: it does not fit.
    """
    if MIN_INT <= number <= MAX_INT:
        return number
    raise EvalError("overflow: an int has at most 64 bits")


def added(x: Any, y: Any, meter: Meter) -> Any:
    """`x + y`: numbers, or two strings."""
    if type(x) is str and type(y) is str:
        meter.text(x, y)
        return x + y
    meter.spend()
    kind, other = kind_of(x), kind_of(y)
    if STRING in {kind, other}:
        raise EvalError(f"'+' joins two strings, not {a(kind)} and {a(other)}; string(x) makes a string of x")
    if ARRAY in {kind, other}:
        raise EvalError(
            f"'+' takes numbers or strings, not {a(kind)} and {a(other)}; concat(a, b) joins arrays"
        )
    return fitting(x + y) if _numbers(x, y, "+") else _float(x) + _float(y)


def subtracted(x: Any, y: Any, meter: Meter) -> Any:
    """`x - y`."""
    meter.spend()
    return fitting(x - y) if _numbers(x, y, "-") else _float(x) - _float(y)


def multiplied(x: Any, y: Any, meter: Meter) -> Any:
    """`x * y`."""
    meter.spend()
    return fitting(x * y) if _numbers(x, y, "*") else _float(x) * _float(y)


def divided(x: Any, y: Any, meter: Meter) -> float:
    """`x / y`, always a float."""
    meter.spend()
    _numbers(x, y, "/")
    if y == 0:
        raise EvalError("division by zero")
    return _float(x) / _float(y)


def remainder(x: Any, y: Any, meter: Meter) -> int:
    """`x % y` of whole numbers, with the sign of `x`."""
    meter.spend()
    _numbers(x, y, "%")
    for number in (x, y):
        if isinstance(number, float) and not number.is_integer():
            raise EvalError(f"'%' takes whole numbers, not {described(number)}")
    if y == 0:
        raise EvalError("division by zero")
    rest = abs(int(x)) % abs(int(y))
    return -rest if x < 0 else rest


def raised(x: Any, y: Any, meter: Meter) -> float:
    """`x ** y`, always a float."""
    meter.spend()
    _numbers(x, y, "**")
    try:
        return math.pow(x, y)
    except (ValueError, OverflowError):
        raise EvalError("the result is no finite number") from None


def _float(number: Any) -> float:
    try:
        return float(number)
    except OverflowError:
        raise EvalError("a number is far too large") from None


def spanned(first: Any, last: Any, meter: Meter) -> MadeList:
    """`first..last`, both included; empty when `last` is less."""
    begin, end = _bound(first), _bound(last)
    meter.make((ITEM + NUMBER) * max(0, end - begin + 1))
    return MadeList(range(begin, end + 1))


def _bound(number: Any) -> int:
    return whole(number, "the bounds of a range are")


def negated(x: Any) -> Any:
    """`-x`."""
    kind = kind_of(x)
    if kind not in NUMBERS:
        raise EvalError(f"'-' takes a number, not {a(kind)}")
    return fitting(-x) if kind == INT else -x


def plus(x: Any) -> Any:
    """`+x`."""
    if kind_of(x) not in NUMBERS:
        raise EvalError(f"'+' takes a number, not {a(kind_of(x))}")
    return x


# ---- strings --------------------------------------------------------------------------------------


def _strings(word: str, test: Callable[[str, str], bool]) -> Operator:
    def operator(x: Any, y: Any, meter: Meter) -> bool:
        if kind_of(x) == NIL or kind_of(y) == NIL:
            return False
        if kind_of(x) != STRING or kind_of(y) != STRING:
            hint = "; for an item of an array write: item in array" if kind_of(x) == ARRAY else ""
            raise EvalError(f"'{word}' takes two strings, not {a(kind_of(x))} and {a(kind_of(y))}{hint}")
        meter.spend(1 + len(x) // 64)
        return test(x, y)

    return operator


def matched(x: Any, y: Any, meter: Meter) -> bool:
    """`x matches y`."""
    if kind_of(x) == NIL or kind_of(y) == NIL:
        return False
    if kind_of(x) != STRING or kind_of(y) != STRING:
        raise EvalError(f"'matches' takes two strings, not {a(kind_of(x))} and {a(kind_of(y))}")
    return matches(x, y, meter)


BINARY: dict[str, Operator] = {
    "==": same,
    "!=": different,
    "<": ordered(lt),
    "<=": ordered(le),
    ">": ordered(gt),
    ">=": ordered(ge),
    "in": contained,
    "+": added,
    "-": subtracted,
    "*": multiplied,
    "/": divided,
    "%": remainder,
    "**": raised,
    "..": spanned,
    "contains": _strings("contains", lambda x, y: y in x),
    "startsWith": _strings("startsWith", str.startswith),
    "endsWith": _strings("endsWith", str.endswith),
    "matches": matched,
}


def grouped(pairs: list[tuple[Any, Any]], meter: Meter) -> MadeMap:
    """A map of keys to the arrays of what goes with them, in the order of their first."""
    groups = MadeMap()
    for key, item in pairs:
        meter.spend()
        kept = key_of(key)
        group = groups.get(kept)
        if group is None:
            meter.make(128)
            group = groups[kept] = MadeList()
        meter.make(ITEM)
        group.append(item)
    return groups
