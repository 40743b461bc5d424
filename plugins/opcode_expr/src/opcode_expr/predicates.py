"""The functions that go through an array with a predicate."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from opcode_expr.arrays import comparable, descending
from opcode_expr.faults import EvalError
from opcode_expr.frame import Closure, Frame
from opcode_expr.meter import ITEM
from opcode_expr.operators import added, grouped
from opcode_expr.values import ARRAY, MadeList, MadeMap, described, key_of, kind_of, truth


@dataclass(frozen=True, slots=True)
class Loop:
    """Where a predicate finds what it is about.

    Attributes:
        item, index, accumulator: slots of the frame.
        reduces: whether there is an accumulator.
    """

    item: int
    index: int
    accumulator: int
    reduces: bool


@dataclass(frozen=True, slots=True)
class Rounds:
    """An array being gone through.

    Attributes:
        frame: the evaluation.
        items: the array.
        body: the predicate; without one an item stands for itself.
        loop: the slots that the predicate reads.
        where: the predicate's source.
    """

    frame: Frame
    items: Any
    body: Closure | None
    loop: Loop
    where: str

    def value(self, index: int) -> Any:
        """The predicate's value for one item."""
        frame = self.frame
        frame.meter.spend()
        item = self.items[index]
        if self.body is None:
            return item
        frame.slots[self.loop.item] = item
        frame.slots[self.loop.index] = index
        return self.body(frame)

    def true(self, index: int) -> bool:
        """Whether the predicate is true of one item.

        Raises:
            EvalError: it is no boolean.
        """
        value = self.value(index)
        if value is True or value is False:
            return value
        try:
            return truth(value)
        except EvalError as fault:
            raise fault.at(self.where) from None

    def all_indexes(self) -> range:
        """From the first item to the last."""
        return range(len(self.items))


def _all(rounds: Rounds) -> bool:
    return all(rounds.true(index) for index in rounds.all_indexes())


def _any(rounds: Rounds) -> bool:
    return any(rounds.true(index) for index in rounds.all_indexes())


def _none(rounds: Rounds) -> bool:
    return not _any(rounds)


def _one(rounds: Rounds) -> bool:
    return _count(rounds) == 1


def _count(rounds: Rounds) -> int:
    return sum(rounds.true(index) for index in rounds.all_indexes())


def _filter(rounds: Rounds) -> MadeList:
    result = MadeList()
    for index in rounds.all_indexes():
        if rounds.true(index):
            rounds.frame.meter.make(ITEM)
            result.append(rounds.items[index])
    return result


def _map(rounds: Rounds) -> MadeList:
    result = MadeList()
    for index in rounds.all_indexes():
        rounds.frame.meter.make(ITEM)
        result.append(rounds.value(index))
    return result


def _found(rounds: Rounds, indexes: range) -> int | None:
    return next((index for index in indexes if rounds.true(index)), None)


def _find_index(rounds: Rounds) -> int | None:
    return _found(rounds, rounds.all_indexes())


def _find_last_index(rounds: Rounds) -> int | None:
    return _found(rounds, rounds.all_indexes()[::-1])


def _find(rounds: Rounds) -> Any:
    index = _find_index(rounds)
    return None if index is None else rounds.items[index]


def _find_last(rounds: Rounds) -> Any:
    index = _find_last_index(rounds)
    return None if index is None else rounds.items[index]


def _sum(rounds: Rounds) -> Any:
    total: Any = 0
    for index in rounds.all_indexes():
        value = rounds.value(index)
        if type(value) is str:
            raise EvalError("sum() adds numbers, not a string")
        total = added(total, value, rounds.frame.meter)
    return total


def _group_by(rounds: Rounds) -> MadeMap:
    meter = rounds.frame.meter
    meter.make(3 * ITEM * len(rounds.items))
    return grouped([(rounds.value(index), rounds.items[index]) for index in rounds.all_indexes()], meter)


def _count_by(rounds: Rounds) -> MadeMap:
    counts = MadeMap()
    for index in rounds.all_indexes():
        key = key_of(rounds.value(index))
        rounds.frame.meter.make(ITEM)
        counts[key] = counts.get(key, 0) + 1
    return counts


def _sort_by(rounds: Rounds, order: Any = "asc") -> MadeList:
    reversed_ = descending("sortBy", order)
    meter = rounds.frame.meter
    meter.make(3 * ITEM * len(rounds.items))
    keys = [rounds.value(index) for index in rounds.all_indexes()]
    comparable("sortBy", keys, meter)
    indexes = sorted(rounds.all_indexes(), key=keys.__getitem__, reverse=reversed_)
    return MadeList(rounds.items[index] for index in indexes)


_UNSET: Any = object()


def _reduce(rounds: Rounds, initial: Any = _UNSET) -> Any:
    slot = rounds.loop.accumulator
    indexes = rounds.all_indexes()
    if initial is _UNSET:
        if not indexes:
            raise EvalError(
                "reduce() of an empty array needs an initial value: reduce(array, predicate, initial)"
            )
        initial, indexes = rounds.items[0], indexes[1:]
    slots = rounds.frame.slots
    slots[slot] = initial
    for index in indexes:
        # A reduce() inside of the predicate has a slot of its own.
        slots[slot] = rounds.value(index)
    return slots[slot]


@dataclass(frozen=True, slots=True)
class Looping:
    """One of these functions.

    Attributes:
        call: the body: the rounds, then a further argument if there is one.
        optional: whether it does without a predicate.
        further: whether it takes an argument after the predicate.
    """

    call: Callable[..., Any]
    optional: bool = False
    further: bool = False


LOOPING: dict[str, Looping] = {
    "all": Looping(_all),
    "any": Looping(_any),
    "one": Looping(_one),
    "none": Looping(_none),
    "map": Looping(_map),
    "filter": Looping(_filter),
    "find": Looping(_find),
    "findIndex": Looping(_find_index),
    "findLast": Looping(_find_last),
    "findLastIndex": Looping(_find_last_index),
    "count": Looping(_count, optional=True),
    "sum": Looping(_sum, optional=True),
    "groupBy": Looping(_group_by),
    "countBy": Looping(_count_by, optional=True),
    "sortBy": Looping(_sort_by, further=True),
    "reduce": Looping(_reduce, further=True),
}


def array(name: str, value: Any) -> Any:
    """The array that such a function goes through.

    Raises:
        EvalError: it is none.
    """
    kind = kind_of(value)
    if kind == ARRAY:
        return value
    hint = "; values(x) and toPairs(x) make arrays of a map" if kind == "map" else ""
    raise EvalError(f"{name}() goes through an array, not {described(value)}{hint}")
