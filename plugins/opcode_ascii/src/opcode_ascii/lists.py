"""Many steps in little room: steps in a row as the lines of a table, alike steps side by side as a grid."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from opcode_ascii.boxes import caption_width, draw_caption
from opcode_ascii.canvas import Canvas
from opcode_ascii.shapes import FOLDED, LEAST, Shape, odd, share
from opcode_ascii.tags import counts, state, tag, wants_attention
from opcode_ascii.text import shorten, shorten_name, width
from opcode_core import Node

_WIDEST_NAME = 32
_WIDEST_CELL = 44
_MOST_BOXES = 12
_MOST_ROWS = 40
_HUGE = 10_000


@dataclass(frozen=True)
class Series:
    """Steps that run one after another, a line each."""

    nodes: tuple[Node, ...]
    notes: tuple[str, ...] = ()

    @cached_property
    def _columns(self) -> tuple[int, int, int]:
        names = max(width(node.label) for node in self.nodes)
        details = max(width(_words(node)) for node in self.nodes)
        return min(names, _WIDEST_NAME), min(details, _WIDEST_NAME), max(width(state(n)) for n in self.nodes)

    @cached_property
    def natural(self) -> int:
        columns = [column for column in self._columns if column]
        inside = 2 + sum(columns) + 2 * (len(columns) - 1)
        return odd(max(4 + inside, caption_width(self._caption), 4 + _longest(self.notes)), _HUGE)

    @cached_property
    def easy(self) -> int:
        names, _, states = self._columns
        return min(self.natural, odd(6 + min(names, 14) + (2 + states if states else 0), _HUGE))

    @property
    def least(self) -> int:
        return LEAST

    @property
    def _caption(self) -> str:
        return f"{len(self.nodes)} in a row"

    def draw(self, limit: int) -> Canvas:
        across = min(self.natural, odd(max(limit, LEAST), 0))
        names, details, states = self._fitted(across - 6)
        canvas = _bordered(across, self._caption, self.notes, len(self.nodes))
        for y, node in enumerate(self.nodes, 1 + len(self.notes)):
            canvas.text(2, y, "↓" if node is not self.nodes[0] else "")
            canvas.text(4, y, shorten_name(node.label, names))
            canvas.text(4 + names + 2, y, shorten(_words(node), details))
            canvas.text(across - 2 - states, y, shorten(state(node), states))
        return canvas

    def _fitted(self, room: int) -> tuple[int, int, int]:
        """Columns for the names, the details and the states; details go first when there is little room."""
        names, details, states = self._columns
        states = states if states and states + 8 <= room else 0
        room -= states + 2 if states else 0
        if details and min(names, 10) + 2 + min(details, 8) <= room:
            names, details = share([names, details], [min(names, 10), min(details, 8)], room - 2)
            return names, details, states
        return min(names, room), 0, states


@dataclass(frozen=True)
class Grid:
    """Steps, or series of steps, that have the same predecessors and the same successors."""

    units: tuple[tuple[Node, ...], ...]
    shapes: tuple[Shape, ...]
    notes: tuple[str, ...] = ()

    @cached_property
    def natural(self) -> int:
        if self._boxes:
            inside = sum(shape.natural + 1 for shape in self.shapes) - 1
        else:
            inside = len(self.units) * (sum(self._cell) + 3) - 2
        return odd(max(4 + inside, caption_width(self._caption), 4 + _longest(self.notes)), _HUGE)

    @property
    def easy(self) -> int:
        return self.natural

    @cached_property
    def least(self) -> int:
        return 4 + max(shape.least for shape in self.shapes)

    @property
    def _boxes(self) -> bool:
        return len(self.units) <= _MOST_BOXES

    @cached_property
    def _caption(self) -> str:
        details = {_words(node) for unit in self.units for node in unit}
        common = details.pop() if len(details) == 1 else ""
        return f"{len(self.units)} side by side" + (f": {shorten(common, 30)}" if common else "")

    @cached_property
    def _cell(self) -> tuple[int, int]:
        """Columns that names and states want."""
        names = max(width(_title(unit)) for unit in self.units)
        states = max(width(_summary(unit)) for unit in self.units)
        return min(names, _WIDEST_CELL - states), states

    def draw(self, limit: int) -> Canvas:
        across = min(self.natural, odd(max(limit, self.least), 0))
        return self._draw_boxes(across) if self._boxes else self._draw_cells(across)

    def _draw_boxes(self, across: int) -> Canvas:
        room = across - 4
        widest = max(shape.natural for shape in self.shapes)
        least = max(shape.easy for shape in self.shapes)
        columns = _columns(len(self.shapes), min(widest, max(FOLDED, least)), 1, room)
        cell = odd(min(widest, (room + 1) // columns - 1), 0)
        drawn = [shape.draw(cell) for shape in self.shapes]
        cell = max(part.width for part in drawn)
        rows = [drawn[i : i + columns] for i in range(0, len(drawn), columns)]
        heights = [max(part.height for part in row) for row in rows]
        across = odd(max(4 + columns * (cell + 1) - 1, min(across, caption_width(self._caption))), across)
        canvas = _bordered(across, self._caption, self.notes, sum(heights))
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
        canvas = _bordered(across, self._caption, self.notes, rows + len(rest))
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


def _bordered(across: int, caption: str, notes: Sequence[str], inside: int) -> Canvas:
    canvas = Canvas(across, 2 + len(notes) + inside)
    canvas.frame(0, 0, across - 1, canvas.height - 1)
    draw_caption(canvas, caption)
    for y, note in enumerate(notes, 1):
        canvas.text(2, y, shorten(note, across - 4))
    return canvas


def _columns(count: int, cell: int, gap: int, room: int) -> int:
    """As many as there is room for, or fewer when that gives as many rows."""
    most = max(1, (room + gap) // (cell + gap))
    rows = -(-count // most)
    return -(-count // rows)


def _words(node: Node) -> str:
    return node.detail if node.kind == "action" else f"{node.kind} {node.detail}".strip()


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


def _longest(texts: Sequence[str]) -> int:
    return max((width(text) for text in texts), default=0)
