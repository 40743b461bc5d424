"""`json` and `toJson`: JSON as text."""

import json
import math
from io import StringIO
from typing import Any

from opcode_cel.faults import EvalError
from opcode_cel.meter import Meter, width
from opcode_cel.results import to_json


def parsed(meter: Meter, text: str) -> Any:
    """The value that a JSON text stands for."""
    # What the values take, which is many times the text.
    inside = 208 * text.count("{") + 72 * text.count("[") + 40 * text.count(",")
    meter.make(len(text) * width(text) + inside)
    try:
        value = json.loads(text, parse_int=_whole, parse_float=_finite, parse_constant=_refuse)
        _check_characters(text, value)
    except RecursionError:
        raise EvalError("not JSON: it is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise EvalError(f"not JSON: {error.msg} at character {error.pos:,}") from None
    except _UnfitError as error:
        raise EvalError(f"not JSON: it holds {error}") from None
    except ValueError:
        raise EvalError("not JSON: it holds a number of thousands of digits") from None
    return value


class _UnfitError(ValueError):
    """What Python's reader lets through, or needs told."""


def _whole(text: str) -> int | float:
    """A double beyond 64 bits, as every other JSON here is read."""
    number = int(text)
    return number if -(2**63) <= number < 2**64 else _finite(text)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise _UnfitError("a number that is too large for a double")
    return number


def _refuse(constant: str) -> float:
    raise _UnfitError(constant)


def _check_characters(text: str, value: Any) -> None:
    if "\\ud" in text or "\\uD" in text:
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise _UnfitError("half a character") from None


def written(meter: Meter, value: Any) -> str:
    """The JSON text of a value, without needless spaces."""
    encoder = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    text = StringIO()
    try:
        for part in encoder.iterencode(to_json(value, meter)):
            meter.make(len(part) * width(part))
            text.write(part)
    except TypeError:
        raise EvalError("toJson() of a value that JSON cannot hold") from None
    except ValueError:
        raise EvalError("toJson() of a value that JSON cannot hold: it holds NaN or an infinity") from None
    return text.getvalue()
