"""A cron expression: read strictly, so that what is wrong is said instead of meaning something else."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from opcode_core.hosting import did_you_mean

LONGEST = 1000
"""Characters of an expression."""
NAMED = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
LONGEST_MONTHS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_PART = re.compile(
    r"(?P<all>\*)(?:/(?P<all_step>[0-9]+))?|(?P<first>\w+)(?:-(?P<last>\w+))?(?:/(?P<step>[0-9]+))?"
)


class BadCron(ValueError):  # noqa: N818
    """An expression that cannot be read, or that never comes true; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Cron:
    """When, on a wall clock.

    Attributes:
        text: the five fields.
        weekdays: 0 is Sunday.
        either_day: a day counts when its date or its weekday fits; else both have to.
        interval: minute or hour begins with `*`, so it goes by what the clock shows, minute by minute.
    """

    text: str
    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either_day: bool
    interval: bool


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    least: int
    most: int
    names: Mapping[str, int]


_FIELDS = (
    _Field("minute", 0, 59, {}),
    _Field("hour", 0, 23, {}),
    _Field("day of month", 1, 31, {}),
    _Field("month", 1, 12, {name: number for number, name in enumerate(MONTHS, 1)}),
    _Field("day of week", 0, 7, {name: number for number, name in enumerate(WEEKDAYS)}),
)


@lru_cache(maxsize=4096)
def read_cron(text: str) -> Cron:
    """Read five fields, or a name as `@daily`.

    Raises:
        BadCron: naming the field and what is wrong in it.
    """
    fields = _five(text)
    minutes, hours, days, months, weekdays = (
        _values(field, part) for field, part in zip(_FIELDS, fields, strict=True)
    )
    by_date, by_weekday = not fields[2].startswith("*"), not fields[4].startswith("*")
    either = by_date and by_weekday
    if not either and not is_ever(days, months):
        raise BadCron(f"it never comes true: no month of '{fields[3]}' has a day '{fields[2]}'")
    return Cron(
        " ".join(fields),
        minutes,
        hours,
        days,
        months,
        frozenset(day % 7 for day in weekdays),
        either,
        interval=fields[0].startswith("*") or fields[1].startswith("*"),
    )


def is_ever(days: frozenset[int], months: frozenset[int]) -> bool:
    """Whether one of the months ever has one of the days."""
    return any(day <= LONGEST_MONTHS[month - 1] for day in days for month in months)


def _five(text: str) -> list[str]:
    if len(text) > LONGEST:
        raise BadCron(f"it has {len(text)} characters; {LONGEST} are the most")
    fields = text.split()
    if len(fields) == 1 and fields[0].startswith("@"):
        return _named(fields[0]).split()
    if len(fields) == 6:
        raise BadCron(
            "it has six fields; cron has no seconds: minute, hour, day of month, month, day of week"
        )
    if len(fields) != 5:
        raise BadCron(
            f"it has {len(fields)} field{'' if len(fields) == 1 else 's'}; it needs five:"
            " minute, hour, day of month, month, day of week"
        )
    return fields


def _named(name: str) -> str:
    found = NAMED.get(name.lower())
    if found is None:
        hint = did_you_mean(name.lower(), NAMED) or f"there are {', '.join(NAMED)}"
        raise BadCron(f"there is no '{name}'; {hint}")
    return found


def _values(field: _Field, text: str) -> frozenset[int]:
    found: set[int] = set()
    for part in text.split(","):
        found.update(_part(field, part))
    return frozenset(found)


def _part(field: _Field, part: str) -> range:
    matched = _PART.fullmatch(part)
    if matched is None:
        raise BadCron(f"{field.name}: '{part}' is not cron; write as 5, 1-5, *, */5, 1-30/5 or 1,15")
    if matched["all"]:
        return range(field.least, field.most + 1, _step(field, part, matched["all_step"]))
    first = _value(field, part, matched["first"])
    if matched["last"] is None:
        if matched["step"]:
            raise BadCron(
                f"{field.name}: '{part}': a step needs a range; write {first}-{field.most}/{matched['step']}"
            )
        return range(first, first + 1)
    last = _value(field, part, matched["last"])
    if field.most == 7 and last == 0 < first:
        last = 7  # sat-sun
    if last < first:
        raise BadCron(
            f"{field.name}: '{part}' goes backwards; write {first}-{field.most},{field.least}-{last}"
        )
    return range(first, last + 1, _step(field, part, matched["step"]))


def _value(field: _Field, part: str, text: str) -> int:
    if text.isascii() and text.isdecimal():
        if len(text) < 6 and field.least <= int(text) <= field.most:
            return int(text)
        raise BadCron(f"{field.name}: {text[:20]} is not {field.least} to {field.most}")
    if text.lower() in field.names:
        return field.names[text.lower()]
    hint = did_you_mean(text.lower(), field.names)
    known = f"or {', '.join(field.names)}" if field.names else ""
    wanted = f"a number from {field.least} to {field.most} {known}".strip()
    raise BadCron(f"{field.name}: '{part[:40]}': '{text[:20]}' is not {wanted}{'; ' + hint if hint else ''}")


def _step(field: _Field, part: str, text: str | None) -> int:
    if text is None:
        return 1
    most = field.most - field.least + 1
    if len(text) < 6 and 1 <= int(text) <= most:
        return int(text)
    raise BadCron(f"{field.name}: '{part[:40]}': a step is 1 to {most}")
