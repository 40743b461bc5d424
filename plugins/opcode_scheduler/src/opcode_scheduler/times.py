"""The times of a schedule: a cron expression on the wall clock of a zone, as moments.

The rule where a clock is set is that of Vixie's cron, see docs/schedules.md. APScheduler's trigger finds the
matching wall times; it is asked on a clock that is never set, because over a change it repeats and moves times.
"""

import math
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache

from apscheduler.triggers.cron import CronTrigger  # type: ignore[import-untyped]

from opcode_scheduler.cron import WEEKDAYS, Cron, is_ever, read_cron
from opcode_scheduler.zones import moment_of, offset, turn, zone_of

DAY = 86_400
FIRST_REACH = 3_600


class Times:
    """All times of one expression in one zone, in seconds since the epoch; each moment at most once."""

    def __init__(self, cron: Cron, timezone: str) -> None:
        self.cron = cron
        self.zone = zone_of(timezone)
        self._triggers = _triggers(cron)

    def after(self, moment: float) -> int | None:
        """The first one after that moment; None when none is left in the calendar."""
        return self._from(math.floor(moment) + 1)

    def following(self, moment: float, count: int) -> list[int]:
        """The first so many after that moment."""
        return [time for _, time in zip(range(count), self._all_after(moment), strict=False)]

    def last(self, since: float, until: float) -> int | None:
        """The last one in [since, until], or None; without a walk over all in between."""
        low, high = math.ceil(since), math.floor(until)
        found = self._some(low, high)
        while found is not None and found < high:
            middle = (found + high + 1) // 2
            later = self._from(middle)
            if later is not None and later <= high:
                found = later
            else:
                high = middle - 1
        return found

    def first_of_newest(self, since: float, until: float, most: int) -> int | None:
        """The first of the last so many in [since, until], or None when there are none."""
        found = self.after(math.ceil(since) - 1)
        times = zip(range(most + 1), self._all_after(math.ceil(since) - 1), strict=False)
        if found is None or found > until or sum(time <= until for _, time in times) <= most:
            return None if found is None or found > until else found
        for _ in range(most):
            last = self.last(since, until)
            if last is None:
                break
            found, until = last, last - 1
        return found

    def _all_after(self, moment: float) -> Iterator[int]:
        time = self.after(moment)
        while time is not None:
            yield time
            time = self.after(time)

    def _some(self, low: int, high: int) -> int | None:
        """One of [low, high] that is not far from the last."""
        reach = FIRST_REACH
        while low <= high:
            start = max(low, high - reach)
            found = self._from(start)
            if found is not None and found <= high:
                return found
            if start == low:
                break
            reach *= 2
        return None

    def _from(self, moment: int) -> int | None:
        try:
            return self._interval_from(moment) if self.cron.interval else self._fixed_from(moment)
        except (OverflowError, ValueError):  # the calendar ends with the year 9999
            return None

    def _fixed_from(self, moment: int) -> int | None:
        """Each wall time once: when it is first shown, or when the clock is set past it."""
        wall = moment - 1 + offset(self.zone, moment - 1) + 1
        while (matching := self._wall_from(wall)) is not None:
            found = moment_of(self.zone, matching)
            if found >= moment:
                return found
            wall = matching + 1
        return None

    def _interval_from(self, moment: int) -> int | None:
        """Each minute at which the clock shows a matching wall time, in stretches in which it is not set."""
        while True:
            ahead = offset(self.zone, moment)
            wall = self._wall_from(moment + ahead)
            if wall is None:
                return None
            found = wall - ahead
            change = turn(self.zone, moment, min(found, moment + DAY))
            if change is not None:
                moment = change
            elif found <= moment + DAY:
                return found
            else:
                moment = max(moment + DAY, found - DAY)

    def _wall_from(self, wall: int) -> int | None:
        """The first matching wall time that is not before this one."""
        start = datetime.fromtimestamp(wall, UTC)
        found = [trigger.get_next_fire_time(None, start) for trigger in self._triggers]
        return min((int(time.timestamp()) for time in found if time is not None), default=None)


@lru_cache(maxsize=4096)
def times_of(expression: str, timezone: str) -> Times:
    """The times of an expression, made once.

    Raises:
        BadCron: for the expression.
        BadZone: for the zone.
    """
    return Times(read_cron(expression), timezone)


def _triggers(cron: Cron) -> list[CronTrigger]:
    """One, or one for the date and one for the weekday; weekdays by name, for their numbers mean other days here."""
    every_day = len(cron.weekdays) == 7
    weekdays = "*" if every_day else ",".join(WEEKDAYS[day] for day in sorted(cron.weekdays))
    days = _listed(cron.days, 1, 31)
    if not cron.either_day:
        return [_trigger(cron, days, weekdays)]
    by_date = [_trigger(cron, days, "*")] if is_ever(cron.days, cron.months) else []
    return [*by_date, _trigger(cron, "*", weekdays)]


def _trigger(cron: Cron, days: str, weekdays: str) -> CronTrigger:
    return CronTrigger(
        month=_listed(cron.months, 1, 12),
        day=days,
        day_of_week=weekdays,
        hour=_listed(cron.hours, 0, 23),
        minute=_listed(cron.minutes, 0, 59),
        second="0",
        timezone=UTC,
    )


def _listed(values: frozenset[int], least: int, most: int) -> str:
    """`*`, or values and ranges with commas."""
    if len(values) == most - least + 1:
        return "*"
    ranges: list[list[int]] = []
    for value in sorted(values):
        if ranges and ranges[-1][1] == value - 1:
            ranges[-1][1] = value
        else:
            ranges.append([value, value])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in ranges)
