"""Functions over lists and maps, as in cel-go's libraries `lists` and `sets`."""

import math
from collections.abc import Callable, Sequence
from typing import Any

from opcode_cel.access import settled
from opcode_cel.faults import EvalError
from opcode_cel.kinds import (
    BOOL,
    BYTES,
    LIST,
    MAP,
    NUMBERS,
    STRING,
    MadeList,
    a,
    common_order,
    kind_of,
)
from opcode_cel.meter import ROOM, Meter, width
from opcode_cel.operators import total

MAX_SORTED = 100_000
"""Items of a list that is sorted."""


def made(meter: Meter, items: Any, count: int, size: int = 8) -> MadeList:
    """A list of `count` items, of which each takes `size` bytes more."""
    meter.make(64 + size * count)
    return MadeList(items)


def count_up(meter: Meter, count: int) -> MadeList:
    """`lists.range(3)`: 0, 1, 2."""
    return made(meter, range(count), max(0, count), 40)


def sliced(meter: Meter, items: Any, start: int, end: int | None = None) -> MadeList:
    """The items from `start` up to, not including, `end`."""
    stop = len(items) if end is None else end
    if not 0 <= start <= stop <= len(items):
        shown = f"{start}" if end is None else f"{start}, {end}"
        raise EvalError(f"slice({shown}) lies outside a list of {len(items)}", missing=True)
    return made(meter, items[start:stop], stop - start)


def first(_: Meter, items: Any) -> Any:
    """The first item."""
    if not items:
        raise EvalError("first() of an empty list", missing=True)
    return items[0]


def last(_: Meter, items: Any) -> Any:
    """The last item."""
    if not items:
        raise EvalError("last() of an empty list", missing=True)
    return items[-1]


def backwards(meter: Meter, value: Any) -> Any:
    """The items of a list or the characters of a text, from the end."""
    if kind_of(value) == STRING:
        meter.make(len(value) * width(value))
        return value[::-1]
    return made(meter, value[::-1], len(value))


def flattened(meter: Meter, items: Any, depth: int = 1) -> MadeList:
    """The items of the lists in it, `depth` levels down, in the place of those lists."""
    if depth < 0:
        raise EvalError(f"flatten() goes down 0 levels or more, not {depth}")
    result = MadeList()
    _flatten(meter, items, depth, result)
    return result


def _flatten(meter: Meter, items: Any, depth: int, result: MadeList) -> None:
    for item in items:
        meter.make(8)
        if depth and kind_of(item) == LIST:
            _flatten(meter, item, depth - 1, result)
        else:
            result.append(item)


def summed(meter: Meter, items: Any) -> Any:
    """The sum of a list of numbers, or of durations; 0 of an empty one."""
    for item in items:
        if kind_of(item) not in NUMBERS | {"duration"}:
            raise EvalError(f"sum() takes numbers or durations, not {a(kind_of(item))}")
    return total(items, meter)


def keys(meter: Meter, entries: Any) -> MadeList:
    """The keys of a map."""
    return made(meter, entries, len(entries))


def values(meter: Meter, entries: Any) -> MadeList:
    """The values of a map, in the order of its keys."""
    return made(meter, (settled(entries[key]) for key in entries), len(entries))


# ---- order ----------------------------------------------------------------------------------------


def in_order(meter: Meter, items: Any) -> MadeList:
    """From the smallest to the largest."""
    return sort_by(meter, items, items, "sort")


def sort_by(meter: Meter, items: Any, by: Sequence[Any], name: str) -> MadeList:
    """The items in the order of their keys `by`; those of equal keys stay as they were."""
    if len(items) > MAX_SORTED:
        raise EvalError(f"{name}() takes at most {MAX_SORTED:,} items, not {len(items):,}")
    if len(items) > 1:
        common_order(by, name)
        if kind_of(by[0]) in {STRING, BYTES} and sum(map(len, by)) > ROOM:
            raise EvalError(f"{name}() compares at most {ROOM >> 20} MiB of text")
    meter.make(64 + 64 * len(items))
    order = sorted(range(len(items)), key=by.__getitem__)
    return MadeList([items[index] for index in order])


# ---- sets -----------------------------------------------------------------------------------------


def hashed(meter: Meter, value: Any) -> Any:
    """Something to hash: the same for two values if and only if they are equal."""
    meter.spend()
    kind = kind_of(value)
    if kind in NUMBERS:
        return _number(value)
    if kind in {STRING, BYTES}:
        meter.spend(len(value) >> 10)
        return kind, value
    if kind == LIST:
        meter.make(8 * len(value))
        return kind, tuple(hashed(meter, settled(item)) for item in value)
    if kind == MAP:
        meter.make(64 * len(value))
        return kind, frozenset(
            (kind_of(key) == BOOL, key, hashed(meter, settled(value[key]))) for key in value
        )
    return kind, value


def _number(value: Any) -> Any:
    if value != value:  # noqa: PLR0124 - it is not a number, and equals nothing
        return object()
    # Large integers can be chosen so that all their hashes are one; their texts cannot.
    return ("large", hex(int(value))) if 2**64 < abs(value) < math.inf else value


def distinct(meter: Meter, items: Any) -> MadeList:
    """Each item once, where it is for the first time."""
    found: dict[Any, Any] = {}
    for item in items:
        meter.make(72)
        found.setdefault(hashed(meter, item), item)
    return MadeList(found.values())


def _compared(compare: Callable[[set[Any], set[Any]], bool]) -> Callable[[Meter, Any, Any], bool]:
    def call(meter: Meter, one: Any, two: Any) -> bool:
        return compare(_set(meter, one), _set(meter, two))

    return call


def _set(meter: Meter, items: Any) -> set[Any]:
    meter.make(72 * len(items))
    return {hashed(meter, item) for item in items}


contains_all = _compared(lambda one, two: two <= one)
equivalent = _compared(lambda one, two: one == two)
intersects = _compared(lambda one, two: not one.isdisjoint(two))
