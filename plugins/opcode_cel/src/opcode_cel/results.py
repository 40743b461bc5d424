"""From a value of an expression to JSON."""

import math
from base64 import b64encode
from typing import Any

from opcode_cel.access import holds_steps
from opcode_cel.faults import EvalError
from opcode_cel.kinds import (
    BOOL,
    BYTES,
    DOUBLE,
    DURATION,
    INT,
    LIST,
    MAP,
    NULL,
    STRING,
    TIMESTAMP,
    TYPE,
    UINT,
    a,
    kind_of,
)
from opcode_cel.meter import Meter
from opcode_cel.times import duration_text, timestamp_text
from opcode_core import StepView


def to_json(value: Any, meter: Meter) -> Any:
    """Plain JSON: times become text, bytes base64 text, keys of maps text.

    A dict or list that was in the scope already is given as it is, not copied.

    Raises:
        EvalError: for what JSON cannot hold: NaN, infinity.
    """
    cls = type(value)
    if value is None or cls in {bool, int, str, list} or (cls is dict and not holds_steps(value)):
        return value
    meter.make(8)
    if type(value) is StepView:
        return to_json(value.output, meter)
    kind = kind_of(value)
    if kind == LIST:
        return [to_json(item, meter) for item in value]
    if kind == MAP:
        return {_key(key): to_json(item, meter) for key, item in value.items()}
    convert = _CONVERT.get(kind)
    if convert is None:
        raise EvalError(f"the result is {a(kind)}, which JSON cannot hold")
    return convert(value)


def _key(key: Any) -> str:
    if kind_of(key) == BOOL:
        return "true" if key else "false"
    return str(key)


def _finite(number: float) -> float:
    if not math.isfinite(number):
        raise EvalError(f"the result is {number}, which JSON cannot hold")
    return float(number)


_CONVERT: dict[str, Any] = {
    NULL: lambda _: None,
    BOOL: bool,
    INT: int,
    UINT: int,
    DOUBLE: _finite,
    STRING: str,
    BYTES: lambda value: b64encode(value).decode("ascii"),
    TIMESTAMP: timestamp_text,
    DURATION: duration_text,
    TYPE: lambda value: value.name,
}
