"""Functions over numbers, as in cel-go's library `math`."""

import math
from collections.abc import Callable
from typing import Any

from opcode_cel.faults import EvalError
from opcode_cel.kinds import DOUBLE, INT, LIST, NUMBERS, Uint, a, common_order, kind_of
from opcode_cel.meter import Meter
from opcode_cel.operators import MAX_INT, negative


def least(meter: Meter, *values: Any) -> Any:
    """The smallest of some numbers or of one list of numbers."""
    return min(_numbers(meter, "math.least", values))


def greatest(meter: Meter, *values: Any) -> Any:
    """The largest of some numbers or of one list of numbers."""
    return max(_numbers(meter, "math.greatest", values))


def _numbers(meter: Meter, name: str, values: Any) -> Any:
    items = values[0] if len(values) == 1 and kind_of(values[0]) == LIST else values
    meter.spend(len(items))
    for item in items:
        if kind_of(item) not in NUMBERS:
            raise EvalError(f"{name}() takes numbers, not {a(kind_of(item))}")
    return _some(name, items)


def smallest(meter: Meter, *values: Any) -> Any:
    """The smallest of some values that have an order, or of one list of them."""
    return min(_comparable(meter, "min", values))


def largest(meter: Meter, *values: Any) -> Any:
    """The largest of some values that have an order, or of one list of them."""
    return max(_comparable(meter, "max", values))


def _comparable(meter: Meter, name: str, values: Any) -> Any:
    items = values[0] if len(values) == 1 else values
    if kind_of(items) not in {LIST, "tuple"}:
        raise EvalError(f"{name}() takes a list or more than one value, not {a(kind_of(items))}")
    meter.spend(len(items))
    if items:
        common_order(items, name)
    return _some(name, items)


def _some(name: str, items: Any) -> Any:
    if not items:
        raise EvalError(f"{name}() of an empty list", missing=True)
    return items


def absolute(_: Meter, value: Any) -> Any:
    """Without its sign."""
    return negative(value) if kind_of(value) in {INT, DOUBLE} and value < 0 else value


def sign(_: Meter, value: Any) -> Any:
    """-1, 0 or 1, of the same type."""
    if kind_of(value) == DOUBLE:
        return value if math.isnan(value) else float((value > 0) - (value < 0))
    result = int(value > 0) - int(value < 0)
    return Uint(result) if isinstance(value, Uint) else result


def square_root(_: Meter, value: Any) -> float:
    """A double; of a negative number it is not a number."""
    return math.sqrt(value) if value >= 0 else math.nan


def _whole(round_: Callable[[float], int]) -> Callable[[Meter, Any], Any]:
    """A double stays one, and an int is whole already."""
    return lambda _, value: (
        float(round_(value)) if kind_of(value) == DOUBLE and math.isfinite(value) else value
    )


def _nearest(value: float) -> int:
    """Halves go away from zero."""
    floor = math.floor(abs(value))
    nearest = floor + (abs(value) - floor >= 0.5)
    return nearest if value >= 0 else -nearest


nearest, floor, ceiling, truncated = (
    _whole(round_) for round_ in (_nearest, math.floor, math.ceil, math.trunc)
)


def is_nan(_: Meter, value: Any) -> bool:
    """Whether it is not a number."""
    return math.isnan(value)


def is_infinite(_: Meter, value: Any) -> bool:
    """Whether it is an infinity."""
    return math.isinf(value)


def is_finite(_: Meter, value: Any) -> bool:
    """Whether it is a number and no infinity."""
    return abs(value) <= MAX_INT or math.isfinite(value)
