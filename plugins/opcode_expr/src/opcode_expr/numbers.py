"""Functions over numbers."""

import math
from collections.abc import Callable, Iterator
from typing import Any

from opcode_expr.faults import EvalError
from opcode_expr.meter import ITEM, NUMBER, Meter
from opcode_expr.operators import added, fitting
from opcode_expr.values import ARRAY, INT, MAX_INT, MIN_INT, NUMBERS, a, kind_of


def absolute(_: Meter, number: Any) -> Any:
    """Without its sign."""
    return fitting(abs(number)) if kind_of(number) == INT else abs(number)


def rounding(how: Callable[[float], float]) -> Callable[[Meter, Any], float]:
    """A function that makes a whole float of a number."""

    def call(_: Meter, number: Any) -> float:
        try:
            value = float(number)
        except OverflowError:
            raise EvalError("a number is far too large") from None
        return value if not math.isfinite(value) else float(how(value))

    return call


def half_away(number: float) -> float:
    """The nearest whole number; of two the one farther from zero."""
    whole = math.floor(abs(number))
    return math.copysign(whole + (abs(number) - whole >= 0.5), number)


def flat_numbers(name: str, values: Any, meter: Meter) -> Iterator[Any]:
    """The numbers among the arguments, and those in arrays among them.

    Raises:
        EvalError: something else is there; `name` is the function that takes them.
    """
    for value in values:
        meter.spend()
        kind = kind_of(value)
        if kind == ARRAY:
            yield from flat_numbers(name, value, meter)
        elif kind in NUMBERS:
            yield value
        else:
            raise EvalError(f"{name}() takes numbers and arrays of numbers, not {a(kind)}")


def extreme(name: str, choose: Callable[..., Any]) -> Callable[..., Any]:
    """max() or min(): of numbers and of arrays of numbers; nil of none."""

    def call(meter: Meter, *values: Any) -> Any:
        return choose(flat_numbers(name, values, meter), default=None)

    return call


def mean(meter: Meter, *values: Any) -> float:
    """The average; 0 of none."""
    total, count = 0.0, 0
    for number in flat_numbers("mean", values, meter):
        total += number
        count += 1
    return total / count if count else 0.0


def median(meter: Meter, *values: Any) -> float:
    """The number in the middle, or the average of the two there; 0 of none."""
    numbers = []
    for number in flat_numbers("median", values, meter):
        meter.make(ITEM + NUMBER)
        numbers.append(float(number))
    if not numbers:
        return 0.0
    numbers.sort()
    middle = len(numbers) // 2
    return numbers[middle] if len(numbers) % 2 else (numbers[middle - 1] + numbers[middle]) / 2


def total(meter: Meter, values: Any) -> Any:
    """The sum of an array; 0 of none."""
    result: Any = 0
    for value in values:
        if kind_of(value) not in NUMBERS:
            raise EvalError(f"sum() adds numbers, not {a(kind_of(value))}")
        result = added(result, value, meter)
    return result


def bits(operation: Callable[[int, int], int]) -> Callable[[Meter, int, int], int]:
    """A function over the bits of two ints."""

    def call(_: Meter, x: int, y: int) -> int:
        for number in (x, y):
            fitting(number)
        return wrapped(operation(x, y))

    return call


def shift(operation: Callable[[int, int], int]) -> Callable[[Meter, int, int], int]:
    """A function that moves the bits of the first by the second."""

    def call(_: Meter, x: int, count: int) -> int:
        if count < 0:
            raise EvalError(f"bits are shifted by a number from 0, not by {count}")
        return wrapped(operation(fitting(x), min(count, 64)))

    return call


def wrapped(number: int) -> int:
    """The lowest 64 bits, as an int with a sign."""
    low = number & (2**64 - 1)
    return low if low <= MAX_INT else low + 2 * MIN_INT
