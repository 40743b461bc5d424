"""The functions that an expression may call, each bounded in what it makes."""

from __future__ import annotations

import math

from opcode_asteval.bounds import MAX_DIGITS, MAX_ITEMS, sized
from opcode_asteval.members import member

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

_MISSING = object()


def _range(*bounds: int) -> range:
    numbers = range(*bounds)
    try:
        sized(len(numbers))
    except OverflowError:
        raise ValueError(f"this range has far too many numbers; the most is {MAX_ITEMS:,}") from None
    return numbers


def _round(number: float, digits: int | None = None) -> float:
    if isinstance(digits, int) and abs(digits) > MAX_DIGITS:
        raise ValueError(f"numbers are rounded to at most {MAX_DIGITS} digits")
    return round(number, digits)


def _key(key: Any) -> Any:
    """What to compare by: a function of this page, or the name of a member."""
    if isinstance(key, str):
        return lambda value: member(value, key, "an item")
    if key is None or any(key is function for function in FUNCTIONS.values()):
        return key
    raise TypeError("key is a function such as len, or the name of a member such as 'price'")


def _sorted(values: Iterable[Any], *, key: Any = None, reverse: bool = False) -> list[Any]:
    return sorted(values, key=_key(key), reverse=reverse)


def _extreme(choose: Callable[..., Any]) -> Callable[..., Any]:
    def extreme(*values: Any, key: Any = None, default: Any = _MISSING) -> Any:
        more = {} if default is _MISSING else {"default": default}
        return choose(*values, key=_key(key), **more)

    return extreme


def _sum(values: Iterable[Any], start: Any = 0) -> Any:
    if isinstance(start, str | list | tuple):
        raise TypeError("sum adds numbers; join texts with ''.join(…), and lists with a comprehension")
    return sum(values, start)


def _str(value: Any = "") -> str:
    return str(value)


def _int(value: Any = 0, base: int | None = None) -> int:
    if isinstance(value, str) and len(value) > MAX_DIGITS:
        raise ValueError(f"a number has at most {MAX_DIGITS} digits")
    return int(value) if base is None else int(value, base)


def _zip(*values: Iterable[Any], strict: bool = False) -> list[tuple[Any, ...]]:
    return list(zip(*values, strict=strict))


def _dict(entries: Any = (), **more: Any) -> dict[Any, Any]:
    return dict(entries, **more)


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "abs": abs,
    "all": all,
    "any": any,
    "bool": bool,
    "ceil": math.ceil,
    "dict": _dict,
    "divmod": divmod,
    "enumerate": lambda values, start=0: list(enumerate(values, start)),
    "float": float,
    "floor": math.floor,
    "int": _int,
    "len": len,
    "list": list,
    "max": _extreme(max),
    "min": _extreme(min),
    "range": _range,
    "reversed": lambda values: list(reversed(values)),
    "round": _round,
    "set": set,
    "sorted": _sorted,
    "str": _str,
    "sum": _sum,
    "tuple": tuple,
    "zip": _zip,
}
"""By name; what they make is never lazy."""
