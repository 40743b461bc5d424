"""Selecting: `a.b`, `a[0]`, `a[1:3]`, and what a step shows of itself."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from opcode_core import StepView
from opcode_expr.environment import Steps
from opcode_expr.faults import EvalError, listed, meant, shortened
from opcode_expr.meter import ITEM, Meter
from opcode_expr.values import (
    ARRAY,
    BOOL,
    INT,
    MAP,
    NIL,
    NUMBERS,
    STRING,
    MadeList,
    MadeMap,
    a,
    bare,
    described,
    key_of,
    kind_of,
    settled,
)

VIEW_KEYS = frozenset({"output", "status", "error"})

Text = Callable[[], str]
"""Gives the piece of source that a value came from; asked only for a message."""


def field(value: Any, name: str, text: Text) -> Any:
    """`text.name`, where `text` is what gave `value`; nil when a map has no such key. May give a StepView.

    Raises:
        EvalError: it is no map; missing when it is the map of steps, or of all names, and has no such one.
    """
    if type(value) is dict:
        return value.get(name)
    if type(value) is StepView:
        if name in VIEW_KEYS and not (isinstance(value.output, Mapping) and name in value.output):
            return getattr(value, name)
        return field(value.output, name, text)
    if kind_of(value) != MAP:
        raise EvalError(
            f"{shortened(text())} is {described(value)}, so it has no '{shortened(name)}'", where=""
        )
    try:
        return value[name]
    except KeyError:
        if type(value) is not Steps:
            return None
        raise absent(shortened(text()), name, value) from None


def absent(holder: str, name: str, keys: Iterable[Any]) -> EvalError:
    """The fault for a step or a name that is not there."""
    known = [str(key) for key in keys]
    hyphened = next((key for key in known if key.startswith(f"{name}-")), None)
    if hyphened:
        hint = f"; a name with '-' goes in brackets: {holder}['{shortened(hyphened)}']"
    else:
        hint = meant(name, known) or f"; {listed(known)}"
    return EvalError(f"{holder} has no '{shortened(name)}'{hint}", missing=True, where="")


def explain_nil(fault: EvalError, holder: Any, name: str, text: str) -> None:
    """Add to a fault that `text.name` is nil because `text` has no such key."""
    if kind_of(holder) == MAP and name not in holder:
        known = [str(bare(key)) for key in holder]
        hint = meant(name, known) or f"; {listed(known)}"
        fault.message += f": {shortened(text)} has no '{shortened(name)}'{hint}"


def element(value: Any, key: Any, text: Text) -> Any:
    """`text[key]`: a key of a map, an index of an array or of a string. May give a StepView.

    Raises:
        EvalError: the index is out of range, or no key of that type can be.
    """
    if type(value) is StepView and not (isinstance(key, str) and key in VIEW_KEYS):
        value = value.output
    kind = kind_of(value)
    if kind == MAP or type(value) is StepView:
        if isinstance(key, str):
            return field(value, key, text)
        return value.get(key_of(key)) if type(value) is MadeMap else None
    if kind not in {ARRAY, STRING}:
        shown = f"'{shortened(key)}'" if isinstance(key, str) else f"[{shortened(str(key))}]"
        raise EvalError(f"{shortened(text())} is {described(value)}, so it has no {shown}", where="")
    index = whole(key, f"{shortened(text())} is {a(kind)}: its index is")
    if not -len(value) <= index < len(value):
        raise EvalError(f"{shortened(text())} has {len(value)} items, so it has no [{index}]", where="")
    return value[index]


def whole(number: Any, what: str) -> int:
    """A whole number; of another one the part before the point.

    Raises:
        EvalError: it is no number; `what` begins the message.
    """
    kind = kind_of(number)
    if kind not in NUMBERS:
        raise EvalError(f"{what} a number, not {described(number)}")
    if kind == INT:
        return int(number)
    try:
        return int(number)
    except (OverflowError, ValueError):
        raise EvalError(f"{what} a finite number, not {number}") from None


def part(value: Any, start: Any, stop: Any, text: Text, meter: Meter) -> Any:
    """`text[start:stop]` of an array or a string; bounds beyond the ends are the ends.

    Raises:
        EvalError: it is neither, or a bound is no number.
    """
    value = settled(value)
    kind = kind_of(value)
    if kind not in {ARRAY, STRING}:
        raise EvalError(
            f"{shortened(text())} is {described(value)}, and [:] cuts arrays and strings", where=""
        )
    what = f"{shortened(text())} is {a(kind)}: its bounds are"
    begin = 0 if start is None else whole(start, what)
    end = len(value) if stop is None else whole(stop, what)
    made = value[slice(*_within(begin, end, len(value)))]
    if kind == STRING:
        meter.text(made)
        return made
    meter.make(ITEM * len(made))
    return MadeList(made)


def _within(begin: int, end: int, length: int) -> tuple[int, int]:
    begin = max(0, begin + length if begin < 0 else begin)
    end = min(length, max(0, end + length if end < 0 else end))
    return min(begin, end), end


def got(value: Any, key: Any) -> Any:
    """`get(value, key)`: what is there, or nil.

    Raises:
        EvalError: nothing can be got from a number or a boolean.
    """
    kind = kind_of(value)
    if kind in NUMBERS or kind == BOOL:
        raise EvalError(f"get() takes an array, a map or a string, not {described(value)}")
    if kind == NIL:
        return None
    try:
        return settled(element(value, key, str))
    except EvalError:
        return None


def has(container: Any, key: Any) -> bool:
    """Whether a map has that key."""
    if type(container) is MadeMap:
        return key_of(key) in container
    return isinstance(key, str) and key in container
