"""A grid on which text and lines are put; lines know where they meet and where they only cross."""

from collections import defaultdict

from opcode_ascii.picture import Picture
from opcode_ascii.text import char_width

NORTH, EAST, SOUTH, WEST = 1, 2, 4, 8
_ACROSS, _DOWN = EAST | WEST, NORTH | SOUTH
_LINES = {
    NORTH: "│",
    SOUTH: "│",
    _DOWN: "│",
    EAST: "─",
    WEST: "─",
    _ACROSS: "─",
    SOUTH | EAST: "┌",
    SOUTH | WEST: "┐",
    NORTH | EAST: "└",
    NORTH | WEST: "┘",
    _DOWN | EAST: "├",
    _DOWN | WEST: "┤",
    _ACROSS | SOUTH: "┬",
    _ACROSS | NORTH: "┴",
    _ACROSS | _DOWN: "┼",
}
_DASHED = {_DOWN: "╎", NORTH: "╎", SOUTH: "╎", _ACROSS: "╌", EAST: "╌", WEST: "╌"}


class Canvas:
    """Rows and columns from the upper left; it grows as it is drawn on."""

    def __init__(self) -> None:
        self._text: dict[tuple[int, int], str] = {}
        self._lines: dict[tuple[int, int], dict[int, int]] = defaultdict(dict)
        self._dashed: set[int] = set()

    def put(self, piece: Picture, top: int, left: int) -> None:
        """A picture with its upper left corner there."""
        for offset, row in enumerate(piece.rows):
            self.write(row, top + offset, left)

    def write(self, text: str, row: int, column: int) -> None:
        """A line of text; spaces cover nothing."""
        for char in text:
            columns = char_width(char)
            if columns == 0:
                before = (row, column - 1) if self._text.get((row, column - 1)) else (row, column - 2)
                self._text[before] = self._text.get(before, "") + char
                continue
            if char != " ":
                self._text[row, column] = char
                if columns == 2:
                    self._text[row, column + 1] = ""
            column += columns

    def is_free(self, row: int, column: int, columns: int) -> bool:
        """Whether nothing stands in that stretch."""
        stretch = [(row, column + offset) for offset in range(columns)]
        return not any(cell in self._text or cell in self._lines for cell in stretch)

    def dash(self, net: int) -> None:
        """Draw that net's lines dashed."""
        self._dashed.add(net)

    def down(self, column: int, top: int, bottom: int, net: int) -> None:
        """A vertical line from the middle of row `top` to that of row `bottom`."""
        for row in range(top, bottom + 1):
            ends = (NORTH if row > top else 0) | (SOUTH if row < bottom else 0)
            self._join(row, column, ends, net)

    def across(self, row: int, left: int, right: int, net: int) -> None:
        """A horizontal line from the middle of column `left` to that of column `right`."""
        for column in range(left, right + 1):
            ends = (WEST if column > left else 0) | (EAST if column < right else 0)
            self._join(row, column, ends, net)

    def text(self) -> str:
        """All of it, without spaces at the ends of rows."""
        cells = {**{place: self._line(nets) for place, nets in self._lines.items()}, **self._text}
        rows: list[list[str]] = [[] for _ in range(max((row for row, _ in cells), default=-1) + 1)]
        for (row, column), char in sorted(cells.items()):
            line = rows[row]
            line.extend(" " * (column - len(line)))
            line.append(char)
        return "\n".join("".join(line).rstrip() for line in rows)

    def _join(self, row: int, column: int, ends: int, net: int) -> None:
        cell = self._lines[row, column]
        cell[net] = cell.get(net, 0) | ends

    def _line(self, nets: dict[int, int]) -> str:
        masks = set(nets.values())
        if len(nets) > 1 and masks == {_ACROSS, _DOWN}:
            return "│"  # different nets that only cross
        mask = 0
        for ends in masks:
            mask |= ends
        if self._dashed.issuperset(nets) and mask in _DASHED:
            return _DASHED[mask]
        return _LINES.get(mask, " ")
