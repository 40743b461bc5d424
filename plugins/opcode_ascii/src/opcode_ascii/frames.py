"""Conditions, loops and parallels: frames that hold their lanes."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from opcode_ascii.boxes import caption_width, draw_border
from opcode_ascii.canvas import Canvas
from opcode_ascii.shapes import FOLDED, LEAST, Shape, fold, odd, share
from opcode_ascii.tags import state
from opcode_ascii.text import shorten, shorten_name, width
from opcode_core import Node

_HALF_A_PAGE = 37
_LONGEST_HEADING = 60
_BORDERS = 2


@dataclass(frozen=True)
class Stack:
    """One lane: shapes one below the other."""

    label: str
    shapes: tuple[Shape, ...]

    @cached_property
    def natural(self) -> int:
        """Shows everything."""
        return max([LEAST, min(width(self.label), 20) + 4, *(shape.natural for shape in self.shapes)])

    @cached_property
    def easy(self) -> int:
        """Narrower than this, the picture is better folded."""
        return max([LEAST, *(shape.easy for shape in self.shapes)])

    @cached_property
    def least(self) -> int:
        """Cannot be drawn narrower."""
        return max([LEAST, *(shape.least for shape in self.shapes)])

    def draw(self, limit: int) -> Canvas:
        """The drawing, in `limit` columns."""
        parts = [shape.draw(limit) for shape in self.shapes]
        across = max([limit, *(part.width for part in parts)])
        canvas = Canvas(across, sum(part.height + 1 for part in parts) - 1 if parts else 1)
        middle, y = across // 2, 0
        for part in parts:
            if y:
                canvas.vertical(middle, y - 2, y - 1)
                canvas.mark(middle, y - 1, "▼")
            canvas.paste(part, middle - part.width // 2, y)
            y += part.height + 1
        if not parts:
            canvas.mark(middle, 0, "·")
        return canvas


@dataclass(frozen=True)
class Frame:
    """A step that has steps inside."""

    node: Node
    lanes: tuple[Stack, ...]
    notes: tuple[str, ...] = ()

    @cached_property
    def natural(self) -> int:
        """Shows everything."""
        inside = sum(lane.natural + 3 for lane in self.lanes) - 1
        across = max(self._outside, inside + _BORDERS)
        return odd(across, across + 1)

    @cached_property
    def easy(self) -> int:
        """Narrower than this, the picture is better folded."""
        return min(self.natural, max(_HALF_A_PAGE, _BORDERS + max(lane.easy for lane in self.lanes)))

    @cached_property
    def least(self) -> int:
        """Cannot be drawn narrower."""
        return _BORDERS + max(lane.least for lane in self.lanes)

    @cached_property
    def _outside(self) -> int:
        """What the caption and the heading want."""
        title = f"{self.node.label}  {state(self.node)}"
        heading = max(width(text) for text in (title, self.node.detail, *self.notes))
        return max(min(heading, _LONGEST_HEADING) + 4, caption_width(self.node.kind))

    def draw(self, limit: int) -> Canvas:
        """The drawing, in `limit` columns."""
        most = min(self.natural, odd(max(limit, self.least), 0))
        rows = self._rows(most - _BORDERS)
        inside = max(len(row) - 1 + sum(row.values()) for row in rows) if rows else 0
        across = odd(max(inside + _BORDERS, min(self._outside, most)), most)
        heading = self._heading(across - 4)
        drawn = [self._drawn(row, across - _BORDERS) for row in rows]
        canvas = Canvas(across, 2 + len(heading) + sum(1 + _height(row) for row in drawn))
        draw_border(canvas, self.node)
        y = 1
        for left, right in heading:
            canvas.text(2, y, left)
            canvas.text(across - 2 - width(right), y, right)
            y += 1
        for row in drawn:
            _draw_row(canvas, y, row)
            y += 1 + _height(row)
        return canvas

    def _rows(self, room: int) -> list[dict[int, int]]:
        """For each row the widths of its lanes, by their index."""
        natural = [lane.natural + 2 for lane in self.lanes]
        easy = [lane.easy + 2 for lane in self.lanes]
        least = [lane.least for lane in self.lanes]
        if sum(easy) + len(easy) - 1 <= room:
            rows = [range(len(easy))]
        else:
            rows = fold([min(full, FOLDED + 2) for full in map(max, natural, easy)], 1, room)
        return [
            dict(zip(row, share(_of(natural, row), _of(least, row), room - len(row) + 1), strict=True))
            for row in rows
            if row
        ]

    def _drawn(self, row: dict[int, int], inside: int) -> list[tuple[str, Canvas, int]]:
        """Labels, drawings and widths of the lanes of a row, widened until they fill the frame."""
        spare, wider = divmod(inside - (len(row) - 1) - sum(row.values()), len(row))
        drawn = []
        for place, (i, across) in enumerate(row.items()):
            lane, cell = self.lanes[i], across + spare + (place < wider)
            padded = lane.least + 2 <= cell
            drawn.append((lane.label, lane.draw(cell - 2 if padded else cell), cell))
        return drawn

    def _heading(self, room: int) -> list[tuple[str, str]]:
        """Lines, each with a left and a right part."""
        label, status = self.node.label, state(self.node)
        if width(label) + 2 + width(status) <= room:
            lines = [(label, status)]
        else:
            lines = [(shorten_name(label, room), ""), (shorten(status, room), "")]
        lines += [(shorten(text, room), "") for text in (self.node.detail, *self.notes)]
        return [line for line in lines if any(line)]


def _of(values: Sequence[int], indexes: range) -> list[int]:
    return [values[i] for i in indexes]


def _height(row: list[tuple[str, Canvas, int]]) -> int:
    return max(drawing.height for _, drawing, _ in row)


def _draw_row(canvas: Canvas, y: int, row: list[tuple[str, Canvas, int]]) -> None:
    """A rule with the lanes' labels, and below it the lanes with lines between them."""
    bottom = y + 1 + _height(row)
    canvas.horizontal(0, canvas.width - 1, y)
    x = 1
    for place, (label, drawing, across) in enumerate(row):
        if place:
            canvas.vertical(x - 1, y, bottom)
        shown = shorten(label, across - 4)
        left = x + (across - width(shown) - 2) // 2
        canvas.clear(left, y, width(shown) + 2)
        canvas.text(left + 1, y, shown)
        canvas.paste(drawing, x + (across - drawing.width) // 2, y + 1)
        x += across + 1
