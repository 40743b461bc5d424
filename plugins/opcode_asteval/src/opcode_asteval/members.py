"""Selecting: `a.b`, `a['b']`, `a[0]`, and what a step shows of itself."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

_SHOWN = 12


class MissingError(ValueError):
    """What was selected is not there; the message says where and what is."""


class Step:
    """A step: its output, and `output`, `status` and `error` where the output has no such key."""

    __slots__ = ("error", "output", "status")

    def __init__(self, output: Any, status: str, error: Any) -> None:
        self.output = output
        self.status = status
        self.error = error

    def __repr__(self) -> str:
        return repr(self.output)


class Steps(dict[str, Step]):
    """The steps that the expression may use.

    Attributes:
        known: the ids of all steps, for messages.
    """

    __slots__ = ("known",)

    def __init__(self, steps: dict[str, Step], known: Iterable[str] | None) -> None:
        super().__init__(steps)
        self.known = list(steps) if known is None else known


def settled(value: Any) -> Any:
    """What a step is when nothing is selected from it: its output."""
    return value.output if type(value) is Step else value


def member(value: Any, name: str, text: str) -> Any:
    """`text.name`, a key and never an attribute, where `text` is what gave `value`; may be a Step.

    Raises:
        MissingError: it is not there.
    """
    if type(value) is Step:
        output = value.output
        if name in Step.__slots__ and not (isinstance(output, dict) and name in output):
            return getattr(value, name)
        value = output
    if not isinstance(value, dict):
        raise MissingError(f"{text} is {described(value)}, so it has no '{shortened(name)}'")
    if name not in value:
        known = value.known if isinstance(value, Steps) else value
        raise MissingError(f"{text} has no '{shortened(name)}'; {listed(known)}")
    return value[name]


def element(value: Any, key: Any, text: str) -> Any:
    """`text[key]`: a key, an index or a slice; may be a Step.

    Raises:
        MissingError: it is not there, or nothing like that can be.
    """
    inner = settled(value)
    if isinstance(key, str):
        if isinstance(inner, list | tuple | str) and not (type(value) is Step and key in Step.__slots__):
            raise MissingError(f"{text} is {described(inner)}: its index is a number")
        return member(value, key, text)
    if isinstance(inner, dict):
        if key.__hash__ is not None and not isinstance(key, slice) and key in inner:
            return inner[key]
        raise MissingError(f"{text} is an object, and has no {shortened(str(key))}; {listed(inner)}")
    if not isinstance(inner, list | tuple | str | range):
        raise MissingError(f"{text} is {described(inner)}, so it has no [{shortened(str(key))}]")
    try:
        return inner[key]
    except IndexError:
        raise MissingError(f"{text} has {len(inner)} items, so it has no [{key}]") from None
    except TypeError:
        raise MissingError(f"{text} is {described(inner)}: its index is a number") from None


def described(value: Any) -> str:
    """What kind of value it is, in words."""
    if value is None:
        return "null"
    names = {
        bool: "a boolean", int: "a number", float: "a number", str: "a text", list: "a list", dict: "an object",
        Steps: "an object", tuple: "a tuple", set: "a set", range: "a range",
    }  # fmt: skip
    return names.get(type(value), "a function" if callable(value) else f"a {type(value).__name__}")


def listed(keys: Iterable[Any]) -> str:
    """The first few of them."""
    names = sorted(shortened(str(key)) for key in keys)
    if not names:
        return "it is empty"
    return f"it has: {', '.join(names[:_SHOWN])}" + (", …" if len(names) > _SHOWN else "")


def shortened(text: str, most: int = 60) -> str:
    """On one line, and cut."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 1]}…"
