"""What the layout knows of the things that it places, and how they share the room."""

import math
from collections.abc import Sequence
from typing import Protocol

from opcode_ascii.canvas import Canvas
from opcode_ascii.text import width

LEAST = 9  # columns: a narrower box says nothing
EASY = 13  # a box this narrow is still a pleasure to read
FOLDED = 17  # where a layer is folded anyway, its boxes are at least this wide
_WIDEST_NOTE = 33


class Shape(Protocol):
    """A box, a frame or a list. All measures are in columns."""

    @property
    def natural(self) -> int:
        """Shows everything."""
        ...

    @property
    def easy(self) -> int:
        """Narrower than this, the picture is better folded."""
        ...

    @property
    def least(self) -> int:
        """Cannot be drawn narrower."""
        ...

    def draw(self, limit: int) -> Canvas:
        """The drawing, at most `limit` wide (and at least `least`), its width odd so that it has a middle."""
        ...


def easy_with(notes: Sequence[str], easy: int) -> int:
    """`easy`, or what the notes need: they are short, and worth nothing when they are cut."""
    return max([easy, *(odd(width(note) + 4, _WIDEST_NOTE) for note in notes)])


def share(natural: Sequence[int], least: Sequence[int], room: int) -> list[int]:
    """Widths that take at most `room` together: the widest give way first, none goes below its `least`."""
    low, high = 0, max(natural, default=0)
    while low < high:
        cap = (low + high + 1) // 2
        if sum(_capped(natural, least, cap)) <= room:
            low = cap
        else:
            high = cap - 1
    return _capped(natural, least, low)


def _capped(natural: Sequence[int], least: Sequence[int], cap: int) -> list[int]:
    return [max(small, min(full, cap)) for full, small in zip(natural, least, strict=True)]


def fold(widths: Sequence[int], gap: int, room: int) -> list[range]:
    """Rows of about the same length, as ranges of indexes, none longer than `room` unless a thing alone is."""
    total = sum(widths) + gap * (len(widths) - 1)
    goal = total / max(1, math.ceil(total / room))
    rows, first, used = [], 0, 0
    for i, across in enumerate(widths):
        if i > first and (used + gap + across > room or used >= goal):
            rows.append(range(first, i))
            first, used = i, -gap
        used += gap + across
    return [*rows, range(first, len(widths))]


def odd(width: int, limit: int) -> int:
    """`width` made odd: one more where `limit` allows it, else one less."""
    if width % 2 == 1:
        return width
    return width + 1 if width < limit else max(width - 1, 1)
