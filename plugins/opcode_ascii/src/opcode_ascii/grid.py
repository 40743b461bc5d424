"""Alike steps side by side, in the room of a few."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from opcode_ascii.boxes import UNLIMITED, caption_width, draw_list, widest, words
from opcode_ascii.canvas import Canvas
from opcode_ascii.shapes import FOLDED, Shape, odd
from opcode_ascii.tags import counts, state, tag, wants_attention
from opcode_ascii.text import shorten, shorten_name, width
from opcode_core import Node

_WIDEST_CELL = 44
_MOST_BOXES = 12
_MOST_ROWS = 40


@dataclass(frozen=True)
class Grid:
    """Steps, or series of steps, that have the same predecessors and the same successors."""

    units: tuple[tuple[Node, ...], ...]
    shapes: tuple[Shape, ...]
    notes: tuple[str, ...] = ()

    @cached_property
    def natural(self) -> int:
        """Shows everything."""
        if self._boxes:
            inside = sum(shape.natural + 1 for shape in self.shapes) - 1
        else:
            inside = len(self.units) * (sum(self._cell) + 3) - 2
        return odd(max(4 + inside, caption_width(self._caption), 4 + widest(self.notes)), UNLIMITED)

    @property
    def easy(self) -> int:
        """Narrower than this, the picture is better folded."""
        return self.natural

    @cached_property
    def least(self) -> int:
        """Cannot be drawn narrower."""
        return 4 + max(shape.least for shape in self.shapes)

    @property
    def _boxes(self) -> bool:
        return len(self.units) <= _MOST_BOXES

    @cached_property
    def _caption(self) -> str:
        details = {words(node) for unit in self.units for node in unit}
        common = details.pop() if len(details) == 1 else ""
        return f"{len(self.units)} side by side" + (f": {shorten(common, 30)}" if common else "")

    @cached_property
    def _cell(self) -> tuple[int, int]:
        """Columns that names and states want."""
        names = max(width(_title(unit)) for unit in self.units)
        states = max(width(_summary(unit)) for unit in self.units)
        return min(names, _WIDEST_CELL - states), states

    def draw(self, limit: int) -> Canvas:
        """The drawing, in `limit` columns."""
        across = min(self.natural, odd(max(limit, self.least), 0))
        return self._draw_boxes(across) if self._boxes else self._draw_cells(across)

    def _draw_boxes(self, across: int) -> Canvas:
        room = across - 4
        full = max(shape.natural for shape in self.shapes)
        easy = max(shape.easy for shape in self.shapes)
        columns = _columns(len(self.shapes), min(full, max(FOLDED, easy)), 1, room)
        cell = odd(min(full, (room + 1) // columns - 1), 0)
        drawn = [shape.draw(cell) for shape in self.shapes]
        cell = max(part.width for part in drawn)
        rows = [drawn[i : i + columns] for i in range(0, len(drawn), columns)]
        heights = [max(part.height for part in row) for row in rows]
        across = odd(max(4 + columns * (cell + 1) - 1, min(across, caption_width(self._caption))), across)
        canvas = draw_list(across, self._caption, self.notes, sum(heights))
        left, y = (across - columns * (cell + 1) + 1) // 2, 1 + len(self.notes)
        for row, height in zip(rows, heights, strict=True):
            for place, part in enumerate(row):
                canvas.paste(part, left + place * (cell + 1) + (cell - part.width) // 2, y)
            y += height
        return canvas

    def _draw_cells(self, across: int) -> Canvas:
        room = across - 4
        names, states = self._cell
        names = min(names, max(room - states - 1, 4))
        cell = names + 1 + states if states else names
        columns = _columns(len(self.units), cell, 2, room)
        shown, hidden = self._chosen(columns * _MOST_ROWS)
        rest = [f"+ {len(hidden)} more" + _of(hidden)] if hidden else []
        rows = -(-len(shown) // columns)
        across = odd(max(4 + columns * (cell + 2) - 2, min(across, caption_width(self._caption))), across)
        canvas = draw_list(across, self._caption, self.notes, rows + len(rest))
        top = 1 + len(self.notes)
        for i, unit in enumerate(shown):
            x, y = 2 + i % columns * (cell + 2), top + i // columns
            canvas.text(x, y, shorten_name(_title(unit), names))
            canvas.text(x + names + 1, y, _summary(unit))
        for line in rest:
            canvas.text(2, top + rows, shorten(line, across - 4))
        return canvas

    def _chosen(self, most: int) -> tuple[list[tuple[Node, ...]], list[tuple[Node, ...]]]:
        """What is shown and what is only counted: what went wrong or is under way is always shown."""
        if len(self.units) <= most:
            return list(self.units), []
        order = sorted(range(len(self.units)), key=lambda i: not any(map(wants_attention, self.units[i])))
        kept = set(order[:most])
        return (
            [unit for i, unit in enumerate(self.units) if i in kept],
            [unit for i, unit in enumerate(self.units) if i not in kept],
        )


def _columns(count: int, cell: int, gap: int, room: int) -> int:
    """As many as there is room for, or fewer when that gives as many rows."""
    most = max(1, (room + gap) // (cell + gap))
    rows = -(-count // most)
    return -(-count // rows)


def _title(unit: tuple[Node, ...]) -> str:
    return " → ".join(node.label for node in unit)


def _summary(unit: tuple[Node, ...]) -> str:
    """The state of a step; for a series, the tag of the step that says most."""
    if len(unit) == 1:
        return state(unit[0])
    for node in unit:
        if wants_attention(node):
            return tag(node)
    return tag(unit[-1])


def _of(units: Sequence[tuple[Node, ...]]) -> str:
    found = counts(node for unit in units for node in unit)
    return f": {found}" if found else ""
