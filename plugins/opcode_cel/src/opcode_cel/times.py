"""Timestamps and durations: their texts and their bounds. All arithmetic is in whole nanoseconds."""

import re
from datetime import UTC, datetime, timedelta

from opcode_cel.faults import EvalError
from opcode_cel.kinds import Duration, Timestamp

SECOND = 1_000_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_FIRST = -62_135_596_800 * SECOND
_LAST = 253_402_300_800 * SECOND - 1
_LONGEST = 2**63 - 1

_TIMESTAMP = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(?:[Zz]|([+-])(\d\d):([0-5]\d))", re.ASCII
)
_NUMBER = r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h|d)"
_DURATION = re.compile(rf"([+-]?)((?:{_NUMBER})+|0)", re.ASCII)
_PART = re.compile(_NUMBER, re.ASCII)
_UNITS = {
    "ns": 1,
    "us": 1000,
    "µs": 1000,
    "μs": 1000,
    "ms": 1_000_000,
    "s": SECOND,
    "m": 60 * SECOND,
    "h": 3600 * SECOND,
    "d": 86_400 * SECOND,
}


def parse_timestamp(text: str) -> Timestamp:
    """RFC 3339, such as `2026-01-31T12:00:00Z`; where its clock stood is not kept."""
    match = _TIMESTAMP.fullmatch(text) if len(text) <= 64 else None
    if match is None:
        raise EvalError("a timestamp is text such as '2026-01-31T12:00:00Z'")
    date, time, fraction, sign, hours, minutes = match.groups()
    try:
        moment = datetime.fromisoformat(f"{date}T{time}+00:00")
    except ValueError as error:
        raise EvalError(f"not a timestamp: {error}") from None
    offset = (int(hours) * 3600 + int(minutes) * 60) * (-1 if sign == "-" else 1) if sign else 0
    if abs(offset) >= 86_400:
        raise EvalError("not a timestamp: a clock is less than 24 hours from UTC")
    seconds = (moment - EPOCH) // timedelta(seconds=1) - offset
    return timestamp(seconds * SECOND + int(f"{fraction or '0':0<9}"))


def timestamp(nanos: int) -> Timestamp:
    """The moment so many nanoseconds after the epoch, within the years 1 to 9999."""
    if not _FIRST <= nanos <= _LAST:
        raise EvalError("the timestamp lies outside the years 1 to 9999")
    return Timestamp(nanos)


def parse_duration(text: str) -> Duration:
    """Such as `1h30m`, `1.5s` or `-200ms`; parts of a nanosecond are dropped."""
    match = _DURATION.fullmatch(text) if len(text) <= 128 else None
    if match is None:
        raise EvalError("a duration is text such as '1h30m' or '1.5s'")
    total = 0
    for number, unit in _PART.findall(match[2]):
        whole, _, fraction = number.partition(".")
        total += int(whole or "0") * _UNITS[unit] + int(fraction or "0") * _UNITS[unit] // 10 ** len(fraction)
    return duration(-total if match[1] == "-" else total)


def duration(nanos: int) -> Duration:
    """So many nanoseconds, of which an int holds 292 years."""
    if abs(nanos) > _LONGEST:
        raise EvalError("the duration is longer than 292 years")
    return Duration(nanos)


def timestamp_text(moment: Timestamp) -> str:
    """RFC 3339 in UTC with as many digits of the second as it has."""
    seconds, nanos = divmod(moment.nanos, SECOND)
    text = (EPOCH + timedelta(seconds=seconds)).isoformat().removesuffix("+00:00")
    return f"{text}{_fraction(nanos)}Z"


def duration_text(length: Duration) -> str:
    """In seconds: `5400s`, `1.5s`."""
    seconds, nanos = divmod(abs(length.nanos), SECOND)
    return f"{'-' if length.nanos < 0 else ''}{seconds}{_fraction(nanos)}s"


def _fraction(nanos: int) -> str:
    return f".{nanos:09}".rstrip("0") if nanos else ""
