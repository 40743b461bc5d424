"""Words for people who mistyped."""

from collections.abc import Iterable
from difflib import get_close_matches
from itertools import islice

MOST_COMPARED = 1000
"""So that thousands of mistypes in a workflow of thousands of steps do not take minutes to tell."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`did you mean 'x'?` for the nearest known word, or nothing."""
    others = (name for name in known if name != word)
    near = get_close_matches(word, islice(others, MOST_COMPARED), n=1, cutoff=0.6)
    return f"did you mean '{near[0]}'?" if near else ""


def available(known: Iterable[str], most: int = 12) -> str:
    """`it has: a, b, c`, cut when there are many."""
    names = list(known)
    shown = ", ".join(names[:most])
    return (
        f"it has: {shown}" + (f" and {len(names) - most} more" if len(names) > most else "")
        if names
        else "it has none"
    )
