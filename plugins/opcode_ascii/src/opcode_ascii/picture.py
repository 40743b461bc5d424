"""Pieces of drawing that can be put together."""

from collections.abc import Sequence
from dataclasses import dataclass

from opcode_ascii.text import pad, width


@dataclass(frozen=True, slots=True)
class Border:
    """The characters of a box: corners from the upper left clockwise, then the sides."""

    corners: tuple[str, str, str, str]
    horizontal: str
    vertical: str


PLAIN = Border(("┌", "┐", "┘", "└"), "─", "│")
ROUND = Border(("╭", "╮", "╯", "╰"), "─", "│")
DOUBLE = Border(("╔", "╗", "╝", "╚"), "═", "║")


@dataclass(frozen=True, slots=True)
class Picture:
    """Rows of equal width."""

    rows: tuple[str, ...]
    width: int

    @property
    def height(self) -> int:
        """Rows."""
        return len(self.rows)


def picture(rows: Sequence[str]) -> Picture:
    """Rows, filled up to the widest."""
    widest = max((width(row) for row in rows), default=0)
    return Picture(tuple(pad(row, widest) for row in rows), widest)


def boxed(inside: Picture, border: Border) -> Picture:
    """With a border around it."""
    upper_left, upper_right, lower_right, lower_left = border.corners
    line = border.horizontal * (inside.width + 2)
    middle = [f"{border.vertical} {row} {border.vertical}" for row in inside.rows]
    return picture([upper_left + line + upper_right, *middle, lower_left + line + lower_right])


def centred(piece: Picture, columns: int) -> Picture:
    """In the middle of so many columns."""
    left = (columns - piece.width) // 2
    return Picture(tuple(pad(" " * left + row, columns) for row in piece.rows), columns)


def above(pieces: Sequence[Picture]) -> Picture:
    """One below the other, centred."""
    columns = max((piece.width for piece in pieces), default=0)
    return Picture(tuple(row for piece in pieces for row in centred(piece, columns).rows), columns)


def beside(pieces: Sequence[Picture], gap: int = 2) -> Picture:
    """Side by side, tops aligned."""
    height = max((piece.height for piece in pieces), default=0)
    filled = [[*piece.rows, *[" " * piece.width] * (height - piece.height)] for piece in pieces]
    return picture([(" " * gap).join(parts) for parts in zip(*filled, strict=True)])


def left_aligned(pieces: Sequence[Picture]) -> Picture:
    """One below the other, left edges aligned."""
    return picture([row for piece in pieces for row in piece.rows])
