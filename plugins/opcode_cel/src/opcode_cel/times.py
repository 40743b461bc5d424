"""Timestamps and durations: their texts and their bounds."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from celpy.celtypes import DurationType, TimestampType

from opcode_cel.faults import EvalError

MAX_SECONDS = 315_576_000_000

_TIMESTAMP = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)
_DURATION = re.compile(r"([+-]?)((?:\d+(?:\.\d*)?(?:ns|us|µs|ms|s|m|h|d))+|0)", re.ASCII)
_PART = re.compile(r"(\d+(?:\.\d*)?)(ns|us|µs|ms|s|m|h|d)", re.ASCII)
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def parse_timestamp(text: str) -> Any:
    """RFC 3339, such as `2026-01-31T12:00:00Z`; parts of a microsecond are dropped."""
    match = _TIMESTAMP.fullmatch(text) if len(text) <= 64 else None
    if match is None:
        raise EvalError("a timestamp is text such as '2026-01-31T12:00:00Z'")
    date, time, fraction, zone = match.groups()
    try:
        moment = datetime.fromisoformat(
            f"{date}T{time}.{(fraction or '0'):0<6.6}{zone.upper().replace('Z', '+00:00')}"
        )
    except ValueError as error:
        raise EvalError(f"not a timestamp: {error}") from None
    return TimestampType(moment)


def timestamp_of(seconds: int) -> Any:
    """The moment so many seconds after the epoch."""
    return checked_timestamp(lambda: TimestampType(1970, 1, 1) + timedelta(seconds=seconds))


def parse_duration(text: str) -> Any:
    """Such as `1h30m`, `1.5s` or `-200ms`."""
    match = _DURATION.fullmatch(text) if len(text) <= 128 else None
    if match is None:
        raise EvalError("a duration is text such as '1h30m' or '1.5s'")
    total = sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(match[2]))
    return checked_duration(lambda: timedelta(seconds=-total if match[1] == "-" else total))


def checked_timestamp(make: Callable[[], Any]) -> Any:
    """What `make` gives, within the years 1 to 9999."""
    try:
        return TimestampType(make())
    except (OverflowError, ValueError):
        raise EvalError("the timestamp lies outside the years 1 to 9999") from None


def checked_duration(make: Callable[[], Any]) -> Any:
    """What `make` gives, within ten thousand years."""
    try:
        duration = make()
    except OverflowError:
        duration = None
    if duration is None or abs(duration.total_seconds()) > MAX_SECONDS:
        raise EvalError("the duration is longer than ten thousand years")
    return DurationType(duration)


def timestamp_text(moment: datetime) -> str:
    """RFC 3339 with as many digits of the second as it has."""
    text = moment.isoformat()
    if "." in text:
        text = re.sub(r"0+(?=[+-]|$)", "", text, count=1)
    return text.removesuffix("+00:00") + "Z" if text.endswith("+00:00") else text


def duration_text(duration: timedelta) -> str:
    """In seconds: `5400s`, `1.5s`."""
    micros = duration // timedelta(microseconds=1)
    whole, rest = divmod(abs(micros), 1_000_000)
    fraction = f".{rest:06}".rstrip("0") if rest else ""
    return f"{'-' if micros < 0 else ''}{whole}{fraction}s"
