"""`format`: values put into a text, as in cel-go's library `strings`."""

import math
import re
from collections.abc import Iterator
from typing import Any

from opcode_cel.access import settled
from opcode_cel.conversions import double_text, to_string
from opcode_cel.faults import EvalError
from opcode_cel.kinds import BOOL, BYTES, DOUBLE, INT, LIST, MAP, NULL, STRING, TYPE, UINT, a, kind_of
from opcode_cel.meter import Meter, width

MAX_PRECISION = 100
"""Digits behind the point."""

_CLAUSE = re.compile(r"%(?:\.(\d{1,9}))?([a-zA-Z%]?)")


def formatted(meter: Meter, text: str, arguments: Any) -> str:
    """`text` with `%s`, `%d`, `%f`, `%e`, `%x`, `%X`, `%o`, `%b` standing for the arguments, `%%` for a %."""
    rest = iter(arguments)
    parts, end = [], 0
    for match in _CLAUSE.finditer(text):
        part = "%" if match[2] == "%" and not match[1] else _clause(meter, match, rest)
        parts += [text[end : match.start()], part]
        end = match.end()
        meter.make(128 + len(part) * width(part))
    meter.make(len(text) * width(text, *parts) * 2)
    return "".join([*parts, text[end:]])


def _clause(meter: Meter, match: re.Match[str], rest: Iterator[Any]) -> str:
    precision, letter = match.groups()
    if letter not in _LETTERS or (precision and letter not in "fe"):
        raise EvalError(f"format() has no {match[0]}; it has %s %d %f %.2f %e %x %X %o %b and %%")
    try:
        value = settled(next(rest))
    except StopIteration:
        raise EvalError(f"format() has too few arguments: none is left for {match[0]}") from None
    if letter == "s":
        return "".join(_shown(meter, value))
    if letter in "fe":
        return _decimal(match, value, int(precision) if precision else 6)
    if letter in "xX" and kind_of(value) in {STRING, BYTES}:
        return _hexadecimal(meter, letter, value)
    return _integer(letter, value)


_LETTERS = frozenset("sdfexXob")


def _shown(meter: Meter, value: Any) -> Iterator[str]:
    """The text of anything; parts of it, so that a long one is stopped on its way."""
    kind = kind_of(value)
    if kind == LIST:
        yield "["
        for index, item in enumerate(value):
            yield from (", ",) if index else ()
            yield from _shown(meter, settled(item))
        yield "]"
    elif kind == MAP:
        yield "{"
        named = sorted(((_name(meter, key), key) for key in value), key=lambda pair: pair[0])
        for index, (name, key) in enumerate(named):
            yield f"{', ' if index else ''}{name}: "
            yield from _shown(meter, settled(value[key]))
        yield "}"
    else:
        yield _name(meter, value)


def _name(meter: Meter, value: Any) -> str:
    kind = kind_of(value)
    if kind == NULL:
        text = "null"
    elif kind == TYPE:
        text = value.name
    else:
        text = to_string(meter, value)
    meter.make(64 + len(text) * width(text))
    return text


def _decimal(match: re.Match[str], value: Any, precision: int) -> str:
    kind = kind_of(value)
    if kind not in {INT, UINT, DOUBLE}:
        raise EvalError(f"{match[0]} in format() takes a number, not {a(kind)}")
    if precision > MAX_PRECISION:
        raise EvalError(f"format() writes at most {MAX_PRECISION} digits behind the point")
    number = float(value)
    return f"{number:.{precision}{match[2]}}" if math.isfinite(number) else double_text(number)


def _hexadecimal(meter: Meter, letter: str, value: Any) -> str:
    meter.make(2 * len(value) * (width(value) if isinstance(value, str) else 1))
    digits = value.encode("utf-8", "replace").hex() if isinstance(value, str) else value.hex()
    return str(digits.upper() if letter == "X" else digits)


def _integer(letter: str, value: Any) -> str:
    kind = kind_of(value)
    if letter == "b" and kind == BOOL:
        return "1" if value else "0"
    if kind == DOUBLE and not math.isfinite(value) and letter == "d":
        return double_text(value)
    # JSON has one kind of number: 6.0 is as whole as 6.
    if kind in {INT, UINT} or (kind == DOUBLE and float(value).is_integer()):
        return format(int(value), letter)
    raise EvalError(f"%{letter} in format() takes a whole number, not {a(kind)}")
