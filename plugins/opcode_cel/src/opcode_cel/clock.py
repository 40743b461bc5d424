"""The parts of a timestamp, in UTC or in another zone, and of a duration."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from opcode_cel.faults import EvalError, shortened
from opcode_cel.kinds import Duration, Timestamp
from opcode_cel.meter import Meter
from opcode_cel.times import EPOCH, SECOND

_OFFSET = re.compile(r"([+-]?)(\d\d):([0-5]\d)", re.ASCII)

MILLISECOND = 1_000_000

CALENDAR: dict[str, Callable[[datetime], int]] = {
    "getFullYear": lambda moment: moment.year,
    "getMonth": lambda moment: moment.month - 1,
    "getDate": lambda moment: moment.day,
    "getDayOfMonth": lambda moment: moment.day - 1,
    "getDayOfWeek": lambda moment: moment.isoweekday() % 7,
    "getDayOfYear": lambda moment: moment.timetuple().tm_yday - 1,
}
"""Parts of a timestamp alone. Months and days count from 0, `getDate` from 1; Sunday is 0."""

CLOCK: dict[str, tuple[Callable[[datetime], int], Callable[[int], int]]] = {
    "getHours": (lambda moment: moment.hour, lambda nanos: nanos // (3600 * SECOND)),
    "getMinutes": (lambda moment: moment.minute, lambda nanos: nanos // (60 * SECOND)),
    "getSeconds": (lambda moment: moment.second, lambda nanos: nanos // SECOND),
    "getMilliseconds": (
        lambda moment: moment.microsecond // 1000,
        lambda nanos: nanos % SECOND // MILLISECOND,
    ),
}
"""Parts of a timestamp, and of a duration: there the whole of it in hours, minutes, seconds."""


def calendar_part(name: str) -> Callable[..., int]:
    """The body of the function `name`."""
    part = CALENDAR[name]
    return lambda _, moment, zone="UTC": part(_local(moment, zone))


def clock_part(name: str) -> Callable[..., int]:
    """The body of the function `name`."""
    of_moment, of_duration = CLOCK[name]

    def call(_: Meter, value: Any, zone: str | None = None) -> int:
        if isinstance(value, Duration):
            if zone is not None:
                raise EvalError("a duration has no time zone")
            whole = of_duration(abs(value.nanos))
            return -whole if value.nanos < 0 else whole
        return of_moment(_local(value, "UTC" if zone is None else zone))

    return call


def _local(moment: Timestamp, zone: str) -> datetime:
    seconds, nanos = divmod(moment.nanos, SECOND)
    utc = EPOCH + timedelta(seconds=seconds, microseconds=nanos // 1000)
    try:
        return utc if zone == "UTC" else utc.astimezone(_zone(zone))
    except OverflowError:
        raise EvalError("the timestamp lies outside the years 1 to 9999 there") from None


@lru_cache(maxsize=64)
def _zone(name: str) -> tzinfo:
    if offset := _OFFSET.fullmatch(name):
        hours, minutes = int(offset[2]), int(offset[3])
        length = timedelta(hours=hours, minutes=minutes) * (-1 if offset[1] == "-" else 1)
        if hours < 24:
            return timezone(length) if length else UTC
    try:
        if len(name) <= 64:
            return ZoneInfo(name)
    except (ValueError, LookupError, OSError):
        pass
    raise EvalError(f"{shortened(repr(name), 70)} is not a time zone, such as 'Europe/Paris' or '+02:00'")
