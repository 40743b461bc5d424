"""A grid of terminal cells to draw on."""

from opcode_ascii.glyphs import Arms, Weight, glyph, joined
from opcode_ascii.text import clusters


class Canvas:
    """A cell holds a visible character or the arms of lines; the cell after a wide character holds ""."""

    __slots__ = ("_rows", "height", "width")

    def __init__(self, width: int, height: int) -> None:
        self.width = width
        self.height = height
        self._rows: list[list[str | Arms]] = [[" "] * width for _ in range(height)]

    def __str__(self) -> str:
        return "\n".join("".join(map(_shown, row)).rstrip() for row in self._rows)

    def is_blank(self, x: int, y: int, length: int) -> bool:
        """Whether the `length` cells from here on are inside and empty."""
        return x >= 0 and x + length <= self.width and self._rows[y][x : x + length] == [" "] * length

    def text(self, x: int, y: int, text: str) -> None:
        """Write over what is there."""
        row = self._rows[y]
        for cluster, columns in clusters(text):
            if x < 0 or x + columns > self.width:
                return
            row[x] = cluster
            row[x + 1 : x + columns] = [""] * (columns - 1)
            x += columns

    def clear(self, x: int, y: int, length: int) -> None:
        """Make cells empty again."""
        self._rows[y][x : x + length] = [" "] * length

    def mark(self, x: int, y: int, char: str) -> None:
        """Put one narrow character over what is there."""
        self._rows[y][x] = char

    def horizontal(self, left: int, right: int, y: int, weight: Weight = Weight.LIGHT) -> None:
        """A line from column `left` to column `right`, joined to the lines that it meets."""
        for x in range(left, right + 1):
            self._join(x, y, (0, 0, weight if x > left else 0, weight if x < right else 0))

    def vertical(self, x: int, top: int, bottom: int, weight: Weight = Weight.LIGHT) -> None:
        """A line from row `top` to row `bottom`, joined to the lines that it meets."""
        for y in range(top, bottom + 1):
            self._join(x, y, (weight if y > top else 0, weight if y < bottom else 0, 0, 0))

    def frame(self, left: int, top: int, right: int, bottom: int, weight: Weight = Weight.LIGHT) -> None:
        """A rectangle; the corners given are part of it."""
        self.horizontal(left, right, top, weight)
        self.horizontal(left, right, bottom, weight)
        self.vertical(left, top, bottom, weight)
        self.vertical(right, top, bottom, weight)

    def paste(self, other: "Canvas", x: int, y: int) -> None:
        """Put the whole of `other` here, its upper left corner at (x, y)."""
        for offset, row in enumerate(other._rows):
            self._rows[y + offset][x : x + other.width] = row

    def _join(self, x: int, y: int, arms: Arms) -> None:
        there = self._rows[y][x]
        if not isinstance(there, str):
            self._rows[y][x] = joined(there, arms)
        elif there == " ":
            self._rows[y][x] = arms


def _shown(cell: str | Arms) -> str:
    return cell if isinstance(cell, str) else glyph(cell)
