"""What goes wrong while an expression is evaluated."""

from collections.abc import Callable, Iterable
from itertools import islice

SHOWN_KEYS = 12


class EvalError(Exception):
    """An evaluation error; `&&`, `||`, `has` and `default` may absorb it.

    Attributes:
        missing: a part of a path is not there, so `has` is false and `default` takes over.
        where: the part of the source that it happened in, None as long as that is unknown,
            empty when the message names it already.
    """

    def __init__(
        self, message: str | Callable[[], str], *, missing: bool = False, where: str | None = None
    ) -> None:
        super().__init__()
        self._message = message
        self.missing = missing
        self.where = where

    @property
    def message(self) -> str:
        """What is wrong; worked out when somebody asks, as most faults are absorbed."""
        return self._message if isinstance(self._message, str) else self._message()

    def at(self, where: str) -> "EvalError":
        """The same fault with its place; the innermost place stays."""
        if self.where is None:
            self.where = shortened(where)
        return self

    def __str__(self) -> str:
        return f"{self.where}: {self.message}" if self.where else self.message


class LimitError(Exception):
    """The evaluation used more than its share; nothing absorbs it."""


def shortened(text: str, limit: int = 100) -> str:
    """On one line and not longer than `limit` characters."""
    line = " ".join(text.split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def listed(keys: Iterable[object]) -> str:
    """The first few of them, for a message."""
    first = [shortened(str(key), 60) for key in islice(keys, SHOWN_KEYS + 1)]
    if not first:
        return "it is empty"
    more = ", …" if len(first) > SHOWN_KEYS else ""
    return f"it has: {', '.join(sorted(first[:SHOWN_KEYS]))}{more}"
