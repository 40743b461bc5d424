"""When cron fires, minute by minute, as the daemon does it: it looks at the wall clock each minute."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Said:
    """An expression, and what its fields mean, written down beside it and not read from it."""

    text: str
    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]  # 0 is Sunday

    @property
    def stars(self):
        return [field.startswith("*") for field in self.text.split()]

    def matches(self, wall):
        if wall.minute not in self.minutes or wall.hour not in self.hours or wall.month not in self.months:
            return False
        by_date, by_weekday = wall.day in self.days, wall.isoweekday() % 7 in self.weekdays
        if self.stars[2] or self.stars[4]:
            return by_date and by_weekday
        return by_date or by_weekday


def minutes_of(zone, first, last):
    """Each minute from `first` to `last`, in seconds since the epoch, with what a wall clock shows."""
    zone, moment = ZoneInfo(zone), first
    while moment <= last:
        yield int(moment.timestamp()), moment.astimezone(zone).replace(tzinfo=None, fold=0)
        moment += MINUTE


def fires(said, minutes):
    """Interval jobs at each minute whose wall time matches. Others when a matching wall time is first reached
    or passed, so one that the clock is set past comes at once, and one that comes back does not come again."""
    interval = said.stars[0] or said.stars[1]
    reached = None
    for moment, wall in minutes:
        if interval:
            if said.matches(wall):
                yield moment
            continue
        if reached is None:
            reached = wall - MINUTE
        passed = []
        while reached < wall:
            reached += MINUTE
            passed.append(reached)
        if any(said.matches(one) for one in passed):
            yield moment


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
