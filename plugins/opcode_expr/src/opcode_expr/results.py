"""From a value of an expression to JSON."""

import math
from typing import Any

from opcode_expr.conversions import key_text
from opcode_expr.environment import Environment, Steps
from opcode_expr.faults import EvalError
from opcode_expr.meter import ITEM, MAP, Meter
from opcode_expr.values import MadeList, MadeMap, items_of, settled

MOST_WHOLE = 2.0**53
"""Up to here every whole number is a float of its own."""


def to_json(value: Any, meter: Meter) -> Any:
    """Plain JSON; a float that is whole becomes an int, as it is written without a point.

    An array or a map that was in the scope already is given as it is, not copied.

    Raises:
        EvalError: for what JSON cannot hold: NaN, infinity.
    """
    value = settled(value)
    cls = type(value)
    if cls is MadeList:
        meter.make(ITEM * len(value))
        return [to_json(item, meter) for item in value]
    if cls is MadeMap or cls is Environment or cls is Steps:
        meter.make(MAP + 2 * MAP * len(value))
        return {key_text(key): to_json(item, meter) for key, item in items_of(value)}
    if cls is float:
        return _number(value)
    return value


def _number(number: float) -> int | float:
    if not math.isfinite(number):
        raise EvalError(f"the result is {number}, which JSON cannot hold")
    return int(number) if number.is_integer() and abs(number) <= MOST_WHOLE else number
