"""From one kind to another: text, numbers, JSON, base64."""

import binascii
import json
import math
import re
from base64 import b64decode, b64encode
from decimal import Decimal
from typing import Any

from opcode_expr.faults import EvalError, shortened
from opcode_expr.meter import TEXT, Meter
from opcode_expr.operators import fitting
from opcode_expr.values import (
    ARRAY,
    BOOL,
    FLOAT,
    INT,
    MAP,
    MAX_INT,
    MIN_INT,
    NIL,
    NUMBERS,
    STRING,
    bare,
    described,
    items_of,
    kind_of,
)

_INT = re.compile(r"[+-]?[0-9]{1,40}")
_FLOAT = re.compile(r"[+-]?(?:[0-9]{1,400}(?:\.[0-9]{0,400})?|\.[0-9]{1,400})(?:[eE][+-]?[0-9]{1,5})?")


def to_int(_: Meter, value: Any) -> int:
    """The whole number in a number or a string; of a float the part before the point."""
    kind = kind_of(value)
    if kind == INT:
        return int(value)
    if kind == FLOAT and math.isfinite(value):
        return fitting(int(value))
    if kind == STRING and _INT.fullmatch(value):
        return fitting(int(value))
    raise EvalError(f"int() cannot make a whole number of {_shown(value)}")


def to_float(_: Meter, value: Any) -> float:
    """The number in a number or a string."""
    kind = kind_of(value)
    if kind in NUMBERS:
        try:
            return float(value)
        except OverflowError:
            raise EvalError("a number is far too large") from None
    if kind == STRING and _FLOAT.fullmatch(value):
        number = float(value)
        if math.isfinite(number):
            return number
    raise EvalError(f"float() cannot make a number of {_shown(value)}")


def _shown(value: Any) -> str:
    # A string of more than a number's length may be a secret.
    return f"'{shortened(value, 30)}'" if kind_of(value) == STRING and len(value) <= 30 else described(value)


def float_text(number: float, *, json_style: bool = False) -> str:
    """A float as Go writes it: `5`, `5.5`, `1e+21`.

    In JSON a whole number too large for a float to be exact keeps its exponent, unlike in Go: read
    again as digits, it would be another number.
    """
    if not math.isfinite(number):
        return "NaN" if math.isnan(number) else ("+Inf" if number > 0 else "-Inf")
    if number == 0:
        return "-0" if math.copysign(1, number) < 0 else "0"
    sign, digits, exponent = Decimal(repr(number)).as_tuple()
    text = "".join(map(str, digits)).rstrip("0")
    power = len(digits) + int(exponent) - 1
    minus = "-" if sign else ""
    if power >= (16 if json_style else 21) or power < (-6 if json_style else -4):
        mantissa = text[0] + (f".{text[1:]}" if len(text) > 1 else "")
        return (
            f"{minus}{mantissa}e{power:+03d}"
            if not (json_style and power < 0)
            else f"{minus}{mantissa}e{power}"
        )
    return minus + format(Decimal(repr(abs(number))).normalize(), "f")


def to_string(meter: Meter, value: Any) -> str:
    """As text: what Go prints for it."""
    kind = kind_of(value)
    if kind == STRING:
        return str(value)
    meter.make(TEXT)
    if kind == NIL:
        return "<nil>"
    if kind == BOOL:
        return "true" if value else "false"
    if kind == INT:
        return _digits(value)
    if kind == FLOAT:
        return float_text(value)
    if kind == ARRAY:
        return f"[{_joined([to_string(meter, item) for item in value], meter)}]"
    # Go prints maps in the order of their keys.
    pairs = sorted((to_string(meter, key), item) for key, item in items_of(value))
    return f"map[{_joined([f'{key}:{to_string(meter, item)}' for key, item in pairs], meter)}]"


def _digits(number: int) -> str:
    try:
        return str(int(number))
    except ValueError:  # thousands of digits
        raise EvalError("a number is far too large") from None


def _joined(parts: list[str], meter: Meter) -> str:
    meter.make(sum(map(len, parts)) + len(parts))
    return " ".join(parts)


# ---- JSON -----------------------------------------------------------------------------------------

_ESCAPED = str.maketrans(
    {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
)


def to_json_text(meter: Meter, value: Any) -> str:
    """As JSON with an indent of two; the keys of maps in order."""
    parts: list[str] = []
    _write(value, "\n", parts, meter)
    meter.make(sum(map(len, parts)))
    return "".join(parts)


def _write(value: Any, line: str, parts: list[str], meter: Meter) -> None:
    kind = kind_of(value)
    if kind == ARRAY:
        _write_all([("", item) for item in value], "[]", line, parts, meter)
    elif kind == MAP:
        named = sorted(((key_text(key), item) for key, item in items_of(value)), key=lambda pair: pair[0])
        _write_all([(f"{_quoted(key, meter)}: ", item) for key, item in named], "{}", line, parts, meter)
    elif kind == STRING:
        parts.append(_quoted(value, meter))
    elif kind == FLOAT:
        if not math.isfinite(value):
            raise EvalError(f"toJSON() cannot write {value}")
        parts.append(float_text(value, json_style=True))
    else:
        meter.make(TEXT)
        parts.append("null" if value is None else _digits(value) if kind == INT else str(value).lower())


def _write_all(
    items: list[tuple[str, Any]], brackets: str, line: str, parts: list[str], meter: Meter
) -> None:
    inner = f"{line}  "
    for index, (name, item) in enumerate(items):
        meter.make(TEXT + len(inner) + len(name))
        parts.append(f"{',' if index else brackets[0]}{inner}{name}")
        _write(item, inner, parts, meter)
    parts.append(f"{line}{brackets[1]}" if items else brackets)


def _quoted(text: str, meter: Meter) -> str:
    meter.text(text)
    return json.dumps(text, ensure_ascii=False).translate(_ESCAPED)


def key_text(key: Any) -> str:
    """A key of a map as JSON has it."""
    key = bare(key)
    if key is None:
        return "nil"
    if key is True or key is False:
        return str(key).lower()
    return float_text(key) if isinstance(key, float) else str(key)


def from_json_text(meter: Meter, text: str) -> Any:
    """What a text in JSON says."""
    meter.make(len(text) + 2 * TEXT * sum(text.count(mark) for mark in ",:[{"))
    try:
        return json.loads(text, parse_constant=_refused, parse_int=_parsed_int, parse_float=_parsed_float)
    except ValueError as error:
        raise EvalError(f"fromJSON() cannot read this: {shortened(str(error))}") from None


def _refused(word: str) -> Any:
    raise ValueError(f"JSON has no {word}")


def _parsed_int(digits: str) -> int | float:
    number = int(digits) if len(digits) < 25 else math.inf
    return int(number) if MIN_INT <= number <= MAX_INT else _parsed_float(digits)


def _parsed_float(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError("it holds a number that is too large for a float")
    return number


# ---- base64 ---------------------------------------------------------------------------------------


def to_base64(meter: Meter, text: str) -> str:
    """The UTF-8 of a text in base64."""
    meter.make(TEXT + 6 * len(text))
    return b64encode(text.encode("utf-8", "surrogatepass")).decode("ascii")


def from_base64(meter: Meter, text: str) -> str:
    """The text whose UTF-8 this is in base64."""
    meter.make(TEXT + 2 * len(text))
    try:
        return b64decode(text.replace("\n", "").replace("\r", ""), validate=True).decode("utf-8")
    except (binascii.Error, ValueError) as error:
        what = "what it holds is no text" if isinstance(error, UnicodeDecodeError) else "this is no base64"
        raise EvalError(f"fromBase64(): {what}") from None
