"""What goes wrong while an expression is evaluated."""

from collections.abc import Iterable
from difflib import get_close_matches
from itertools import islice

SHOWN_KEYS = 12


class EvalError(Exception):
    """An evaluation error.

    Attributes:
        message: what is wrong.
        missing: a name or a step is not there, so `??` and `?.` take over.
        where: the part of the source that it happened in; None as long as that is unknown, empty
            when the message names it already.
    """

    def __init__(self, message: str, *, missing: bool = False, where: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.missing = missing
        self.where = where

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
    line = " ".join(text[: limit * 4].split())
    cut = len(text) > limit * 4
    return f"{line[: limit - 1]}…" if cut or len(line) > limit else line


def listed(keys: Iterable[object]) -> str:
    """The first few of them, for a message."""
    first = [shortened(str(key), 60) for key in islice(keys, SHOWN_KEYS + 1)]
    if not first:
        return "it is empty"
    more = ", …" if len(first) > SHOWN_KEYS else ""
    return f"it has: {', '.join(sorted(first[:SHOWN_KEYS]))}{more}"


def meant(word: str, known: Iterable[str]) -> str:
    """`, did you mean 'x'?` for the nearest known word, or nothing."""
    near = get_close_matches(word[:100], islice(known, 1000), n=1)
    return f", did you mean '{near[0]}'?" if near else ""
