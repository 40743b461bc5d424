"""Conversions between CEL's types."""

import math
import re
from typing import Any

from opcode_cel.faults import EvalError
from opcode_cel.kinds import BYTES, DOUBLE, DURATION, STRING, TIMESTAMP, Uint, kind_of
from opcode_cel.meter import Meter, width
from opcode_cel.times import (
    SECOND,
    duration_text,
    parse_duration,
    parse_timestamp,
    timestamp,
    timestamp_text,
)

_WHOLE = re.compile(r"[+-]?\d{1,30}", re.ASCII)
_DECIMAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_SPECIAL = {"nan": math.nan, "inf": math.inf, "infinity": math.inf, "-inf": -math.inf, "-infinity": -math.inf}
_BOOLEANS = {
    **dict.fromkeys(("true", "True", "TRUE", "t", "T", "1"), True),
    **dict.fromkeys(("false", "False", "FALSE", "f", "F", "0"), False),
}


def to_int(_: Meter, value: Any) -> int:
    """A double is cut at the point; a timestamp gives seconds since the epoch."""
    if kind_of(value) == TIMESTAMP:
        return int(value.nanos // SECOND)
    # The doubles at the edges stand for numbers on both sides of them.
    return _whole(value, -(2**63), 2**63 - 1, -(2.0**63), "an int")


def to_uint(_: Meter, value: Any) -> int:
    """As `int`, but not negative."""
    if kind_of(value) == STRING and value[:1] in {"+", "-"}:
        raise EvalError("the string is not a whole number without a sign")
    return Uint(_whole(value, 0, 2**64 - 1, -5e-324, "a uint"))


def _whole(value: Any, least: int, most: int, above: float, target: str) -> int:
    kind = kind_of(value)
    if kind == STRING and not _WHOLE.fullmatch(value):
        raise EvalError("the string is not a whole number")
    if kind == DOUBLE and not (math.isfinite(value) and value > above):
        raise EvalError(f"{value} does not fit into {target}")
    number = int(value)
    if not least <= number <= most:
        raise EvalError(f"integer overflow: the number does not fit into {target}")
    return number


def to_double(_: Meter, value: Any) -> float:
    """Also from text such as '1.5', '1e3', 'Infinity'."""
    if kind_of(value) != STRING:
        return float(value)
    if len(value) <= 400 and _DECIMAL.fullmatch(value):
        number = float(value)
        if math.isinf(number):
            raise EvalError("the number is too large for a double")
        return number
    special = _SPECIAL.get(value.lower().removeprefix("+")) if len(value) <= 10 else None
    if special is None:
        raise EvalError("the string is not a number")
    return special


def to_string(meter: Meter, value: Any) -> str:
    """A double without a needless point: 2.0 gives '2'."""
    kind = kind_of(value)
    if kind == STRING:
        return str(value)
    if kind == BYTES:
        meter.make(len(value) * (1 if value.isascii() else 4))
        try:
            return str(value, "utf-8")
        except UnicodeDecodeError:
            raise EvalError("the bytes are not UTF-8 text") from None
    if kind == TIMESTAMP:
        return timestamp_text(value)
    if kind == DURATION:
        return duration_text(value)
    if kind == DOUBLE:
        return double_text(value)
    return str(value).lower() if value is True or value is False else str(int(value))


def double_text(value: float) -> str:
    """The shortest text that gives it back."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return repr(float(value)).removesuffix(".0")


def to_bool(_: Meter, value: Any) -> bool:
    """From 'true', 'false' and their short forms."""
    result = value if value is True or value is False else _BOOLEANS.get(value)
    if result is None:
        raise EvalError("the string is neither 'true' nor 'false'")
    return bool(result)


def to_bytes(meter: Meter, value: Any) -> bytes:
    """The UTF-8 of a text."""
    if kind_of(value) == BYTES:
        return bytes(value)
    meter.make(len(value) * width(value))
    try:
        return bytes(value, "utf-8")
    except UnicodeEncodeError:
        raise EvalError("the string holds half a character, which has no UTF-8") from None


def to_timestamp(_: Meter, value: Any) -> Any:
    """From RFC 3339 or seconds since the epoch."""
    kind = kind_of(value)
    if kind == TIMESTAMP:
        return value
    return parse_timestamp(value) if kind == STRING else timestamp(value * SECOND)


def to_duration(_: Meter, value: Any) -> Any:
    """From text such as '1h30m'."""
    return value if kind_of(value) == DURATION else parse_duration(value)
