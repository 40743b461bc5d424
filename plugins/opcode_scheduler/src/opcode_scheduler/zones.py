"""Time zones: what a clock on the wall shows at a moment, and when it is set.

A moment is in whole seconds since the epoch. A wall time is the same count for what a clock there shows, as if
that were UTC, so that wall times can be compared and added to.
"""

from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from opcode_core.hosting import did_you_mean


class BadZone(ValueError):  # noqa: N818
    """There is no such time zone."""


@lru_cache(maxsize=1024)
def zone_of(name: str) -> ZoneInfo:
    """The IANA zone of that name.

    Raises:
        BadZone: with the nearest name.
    """
    try:
        if not name.isascii() or not name.isprintable() or name in ("localtime", "posixrules"):
            raise ValueError(name)
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        known = {known.lower(): known for known in _known()}
        near = known.get(name.lower())
        hint = f"did you mean '{near}'?" if near else did_you_mean(name, sorted(known.values()))
        raise BadZone(f"there is no time zone '{name:.60}'; {hint or 'write as Europe/Paris'}") from None


@lru_cache(maxsize=1)
def _known() -> frozenset[str]:
    return frozenset(available_timezones())


def offset(zone: ZoneInfo, moment: int) -> int:
    """Seconds that a clock there is ahead of UTC."""
    ahead = datetime.fromtimestamp(moment, zone).utcoffset()
    assert ahead is not None
    return int(ahead.total_seconds())


def moment_of(zone: ZoneInfo, wall: int) -> int:
    """When a clock there first shows a wall time; if it is set past it, when it is set."""
    first, second = _readings(zone, wall)
    if first + offset(zone, first) == wall:
        return first
    change = turn(zone, second, first)
    return first if change is None else change


def turn(zone: ZoneInfo, after: int, until: int) -> int | None:
    """The moment in (after, until] from which a clock there is set otherwise; None when it is not set."""
    before = offset(zone, after)
    if offset(zone, until) == before:
        return None
    while until - after > 1:
        middle = (after + until) // 2
        if offset(zone, middle) == before:
            after = middle
        else:
            until = middle
    return until


def _readings(zone: ZoneInfo, wall: int) -> tuple[int, int]:
    """The moments that a wall time may mean, by the clock before it is set and by the one after."""
    shown = datetime.fromtimestamp(wall, UTC).replace(tzinfo=zone)
    first, second = shown.utcoffset(), shown.replace(fold=1).utcoffset()
    assert first is not None
    assert second is not None
    return wall - int(first.total_seconds()), wall - int(second.total_seconds())
