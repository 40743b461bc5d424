"""Lengths of time as people write them: `"500ms"`, `"1h30m"`, `"2d"`, or plain seconds."""

import math
import re
from typing import Any

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"(\d+(?:\.\d+)?|\.\d+)(ns|us|µs|ms|s|m|h|d)")
_WHOLE = re.compile(rf"(?:{_PART.pattern})+")
_LONGEST = 100 * 365 * 86400.0


def parse_duration(value: Any) -> float:
    """Seconds in `value`.

    Raises:
        ValueError: when it is negative, longer than a hundred years or cannot be read.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f'expected a duration such as "30s" or a number of seconds, got {value!r}')
    seconds = _read(value.strip()) if isinstance(value, str) else value
    if not 0 <= seconds < math.inf:
        raise ValueError(f"a duration cannot be negative or infinite, got {value!r}")
    if seconds > _LONGEST:
        raise ValueError(f"a duration of more than a hundred years, {value!r}, is surely a mistake")
    return float(seconds)


def _read(text: str) -> float:
    if text.startswith("-"):
        raise ValueError(f"a duration cannot be negative or infinite, got {text!r}")
    if _WHOLE.fullmatch(text):
        return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))
    try:
        return float(text)
    except ValueError:
        raise ValueError(
            f'cannot read the duration {text!r}; write it like "500ms", "30s", "1h30m" or "2d"'
        ) from None


def format_duration(seconds: float) -> str:
    """A short form for people: `340ms`, `2.5s`, `1m30s`, `2h5m`, `3d4h`."""
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f}ms"
    if seconds < 59.95:
        return f"{seconds:.1f}".rstrip("0").rstrip(".") + "s"
    whole = round(seconds)
    for size, unit, smaller_size, smaller in (
        (86400, "d", 3600, "h"),
        (3600, "h", 60, "m"),
        (60, "m", 1, "s"),
    ):
        if whole >= size:
            rest = whole % size // smaller_size
            return f"{whole // size}{unit}" + (f"{rest}{smaller}" if rest else "")
    return f"{whole}s"
