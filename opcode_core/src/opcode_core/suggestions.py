"""Words for people who mistyped."""

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`did you mean 'x'?` for the nearest known word, or nothing."""
    near = get_close_matches(word, [name for name in known if name != word], n=1, cutoff=0.6)
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
