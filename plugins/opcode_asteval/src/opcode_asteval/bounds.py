"""How large a single value may become before it is not made: kinder than running out of memory."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MAX_ITEMS = 1_000_000
"""Characters of a text, items of a list, that one operation may make."""

MAX_BITS = 10_000
"""Bits of an integer."""

MAX_DIGITS = 400
"""Digits that numbers are rounded to, and that texts of numbers have."""


def sized(items: int) -> None:
    """Refuse to make a text or a list of that many items.

    Raises:
        ValueError: too many.
    """
    if items > MAX_ITEMS:
        raise ValueError(f"this would have {items:,} items or characters; the most is {MAX_ITEMS:,}")


def narrow(bits: int) -> None:
    """Refuse to make an integer of that many bits.

    Raises:
        ValueError: too many.
    """
    if bits > MAX_BITS:
        raise ValueError(f"the number is far too large; the most is {MAX_BITS:,} bits")


def added(left: Any, right: Any) -> Any:
    """`left + right`."""
    if isinstance(left, str | list | tuple) and isinstance(right, type(left)):
        sized(len(left) + len(right))
    return left + right


def multiplied(left: Any, right: Any) -> Any:
    """`left * right`."""
    for sequence, times in ((left, right), (right, left)):
        if isinstance(sequence, str | list | tuple) and isinstance(times, int):
            sized(len(sequence) * max(times, 0))
    if isinstance(left, int) and isinstance(right, int):
        narrow(left.bit_length() + right.bit_length())
    return left * right


def raised(left: Any, right: Any) -> Any:
    """`left ** right`."""
    if isinstance(left, int) and isinstance(right, int) and right > 0:
        narrow(left.bit_length() * right)
    return left**right


def shifted(left: Any, right: Any) -> Any:
    """`left << right`."""
    if isinstance(left, int) and isinstance(right, int) and right > 0:
        narrow(left.bit_length() + right)
    return left << right


def remainder(left: Any, right: Any) -> Any:
    """`left % right`, of numbers only."""
    if isinstance(left, str):
        raise TypeError("texts are formatted with f'…', not with %")
    return left % right
