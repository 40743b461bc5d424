"""Functions over arrays and maps."""

from typing import Any

from opcode_expr.faults import EvalError
from opcode_expr.meter import ITEM, Meter
from opcode_expr.operators import equal
from opcode_expr.values import (
    ARRAY,
    BOOL,
    MAP,
    NUMBERS,
    STRING,
    MadeList,
    MadeMap,
    a,
    items_of,
    key_of,
    keys_of,
    kind_of,
)

PAIR = 100
"""About what a pair, or a key with its value, takes in bytes."""


def first(_: Meter, items: Any) -> Any:
    """The first item; nil of none."""
    return items[0] if items else None


def last(_: Meter, items: Any) -> Any:
    """The last item; nil of none."""
    return items[-1] if items else None


def take(meter: Meter, items: Any, count: int) -> MadeList:
    """The first `count` items, or all when there are fewer."""
    if count < 0:
        raise EvalError(f"take() takes a number from 0, not {count}")
    meter.make(ITEM * min(count, len(items)))
    return MadeList(items[:count])


def reverse(meter: Meter, items: Any) -> MadeList:
    """From the last to the first."""
    meter.make(ITEM * len(items))
    return MadeList(reversed(items))


def concat(meter: Meter, *arrays: Any) -> MadeList:
    """The items of all of them."""
    meter.make(ITEM * sum(map(len, arrays)))
    return MadeList(item for array in arrays for item in array)


def flatten(meter: Meter, items: Any) -> MadeList:
    """The items, and those of arrays in it, however deep."""
    result = MadeList()
    _flatten(items, result, meter)
    return result


def _flatten(items: Any, result: MadeList, meter: Meter) -> None:
    for item in items:
        if kind_of(item) == ARRAY:
            meter.spend()
            _flatten(item, result, meter)
        else:
            meter.make(ITEM)
            result.append(item)


def uniq(meter: Meter, items: Any) -> MadeList:
    """Each item once, where it is first."""
    result = MadeList()
    seen: set[Any] = set()
    others: list[Any] = []
    for item in items:
        meter.make(2 * ITEM)
        if kind_of(item) in {ARRAY, MAP}:
            if any(equal(item, other, meter) for other in others):
                continue
            others.append(item)
        else:
            key = key_of(item)
            if key in seen:
                continue
            seen.add(key)
        result.append(item)
    return result


def descending(name: str, order: Any) -> bool:
    """Whether an order is `desc`; it may be `asc`.

    Raises:
        EvalError: it is something else; `name` is the function that was given it.
    """
    if order not in {"asc", "desc"}:
        raise EvalError(f"{name}() orders 'asc' or 'desc'")
    return bool(order == "desc")


def comparable(name: str, keys: Any, meter: Meter) -> None:
    """Check that every two of `keys` have an order.

    Raises:
        EvalError: they have none; `name` is the function that needs it.
    """
    meter.spend(4 * len(keys))
    kinds = {kind_of(key) for key in keys}
    if kinds <= NUMBERS or kinds == {STRING} or kinds == {BOOL}:
        return
    shown = " and ".join(a(kind) for kind in sorted(kinds)[:3])
    raise EvalError(f"{name}() orders numbers or strings, not {shown}")


def sort(meter: Meter, items: Any, order: str = "asc") -> MadeList:
    """In ascending order, or the other way."""
    reversed_ = descending("sort", order)
    comparable("sort", items, meter)
    meter.make(ITEM * len(items))
    return MadeList(sorted(items, reverse=reversed_))


def keys(meter: Meter, value: Any) -> MadeList:
    """The keys of a map."""
    meter.make(ITEM * len(value))
    return MadeList(keys_of(value))


def values(meter: Meter, value: Any) -> MadeList:
    """The values of a map."""
    meter.make(ITEM * len(value))
    return MadeList(item for _, item in items_of(value))


def to_pairs(meter: Meter, value: Any) -> MadeList:
    """An array of a key and its value for each key."""
    meter.make(PAIR * len(value))
    return MadeList(MadeList(pair) for pair in items_of(value))


def from_pairs(meter: Meter, pairs: Any) -> MadeMap:
    """The map of an array of pairs; of two values for a key the last."""
    result = MadeMap()
    for index, pair in enumerate(pairs):
        meter.make(PAIR)
        if kind_of(pair) != ARRAY or len(pair) != 2:
            raise EvalError(f"fromPairs() takes an array of pairs, and its [{index}] is none")
        result[key_of(pair[0])] = pair[1]
    return result


def length(_: Meter, value: Any) -> int:
    """Of a string the characters, of an array the items, of a map the keys."""
    return len(value)
