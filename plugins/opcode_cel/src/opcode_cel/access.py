"""Selecting: `a.b`, `a['b']`, `a[0]`, and what a step shows of itself."""

from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any, TypeAlias

from opcode_cel.faults import EvalError, listed, shortened
from opcode_cel.kinds import BOOL, DOUBLE, LIST, MAP, NUMBERS, STRING, MadeMap, a, described, kind_of
from opcode_core import StepView

VIEW_KEYS = frozenset({"output", "status", "error"})


def settled(value: Any) -> Any:
    """The value that a step stands for when it is not selected from: its output."""
    return value.output if type(value) is StepView else value


def holds_steps(value: Mapping[Any, Any]) -> bool:
    """Whether it is the map of steps itself."""
    return any(type(first) is StepView for first in islice(value.values(), 1))


Text: TypeAlias = Callable[[], str]
"""Gives the piece of source that a value came from; asked only for a message."""


def field(value: Any, name: str, text: Text) -> Any:
    """`text.name`, where `text` is what gave `value`; may give a StepView.

    Raises:
        EvalError: missing, saying what is there.
    """
    if type(value) is StepView:
        if name in VIEW_KEYS and not (isinstance(value.output, Mapping) and name in value.output):
            return getattr(value, name)
        value = value.output
    if kind_of(value) != MAP:
        raise _missing(lambda: f"{shortened(text())} is {described(value)}, so it has no {shown(name)}")
    try:
        return value[name]
    except KeyError:
        raise _missing(
            lambda: f"{shortened(text())} has no {shown(name)}; {listed(value)}{_bracket_hint(value, name)}"
        ) from None


def element(value: Any, key: Any, text: Text) -> Any:
    """`text[key]`: a key of a map or an index of a list; may give a StepView.

    Raises:
        EvalError: missing, saying what is there; or no key of that type can be.
    """
    kind = kind_of(key)
    if kind == STRING:
        if kind_of(settled(value)) == LIST and key not in VIEW_KEYS:
            raise EvalError(f"{shortened(text())} is {described(settled(value))}: its index is a number")
        return field(value, key, text)
    value = settled(value)
    container = kind_of(value)
    if container == LIST:
        return _item(value, key, kind, text)
    if container == MAP:
        return _entry(value, key, kind, text)
    raise _missing(lambda: f"{shortened(text())} is {described(value)}, so it has no [{shown(key)}]")


def _item(items: Any, index: Any, kind: str, text: Text) -> Any:
    if kind not in NUMBERS or (kind == DOUBLE and not float(index).is_integer()):
        raise EvalError(f"{shortened(text())} is a list: its index is a whole number, not {described(index)}")
    if not 0 <= index < len(items):
        raise _missing(lambda: f"{shortened(text())} has {len(items)} items, so it has no [{int(index)}]")
    return items[int(index)]


def _entry(entries: Any, key: Any, kind: str, text: Text) -> Any:
    if kind not in NUMBERS and kind != BOOL:
        raise EvalError(f"{shortened(text())} is a map: {a(kind)} cannot be a key of it")
    # Only a map of the expression's own has other keys than text.
    if type(entries) is MadeMap and key in entries:
        return entries[key]
    raise _missing(lambda: f"{shortened(text())} has no [{shown(key)}]; {listed(entries)}")


def shown(key: Any) -> str:
    """A key as the author of an expression writes it."""
    if kind_of(key) == STRING:
        return repr(key if len(key) <= 60 else f"{key[:59]}…")
    return str(key).lower() if key is True or key is False else shortened(str(key))


def _missing(message: Callable[[], str]) -> EvalError:
    return EvalError(message, missing=True, where="")


def _bracket_hint(value: Mapping[Any, Any], name: str) -> str:
    """`a.b-c` reads as a subtraction: say so when there is a key that was probably meant."""
    for key in islice(value, 1000):
        if isinstance(key, str) and key.startswith(f"{name}-"):
            return f"; a name with '-' goes in brackets: [{shown(key)}]"
    return ""
