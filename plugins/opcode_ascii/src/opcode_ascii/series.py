"""Steps in a row as the lines of a table."""

from dataclasses import dataclass
from functools import cached_property

from opcode_ascii.boxes import UNLIMITED, caption_width, draw_list, widest, words
from opcode_ascii.canvas import Canvas
from opcode_ascii.shapes import LEAST, easy_with, odd, share
from opcode_ascii.tags import state
from opcode_ascii.text import shorten, shorten_name, width
from opcode_core import Node

_WIDEST_NAME = 32


@dataclass(frozen=True)
class Series:
    """Steps that run one after another, a line each."""

    nodes: tuple[Node, ...]
    notes: tuple[str, ...] = ()

    @cached_property
    def _columns(self) -> tuple[int, int, int]:
        names = max(width(node.label) for node in self.nodes)
        details = max(width(words(node)) for node in self.nodes)
        return min(names, _WIDEST_NAME), min(details, _WIDEST_NAME), max(width(state(n)) for n in self.nodes)

    @cached_property
    def natural(self) -> int:
        """Shows everything."""
        columns = [column for column in self._columns if column]
        inside = 2 + sum(columns) + 2 * (len(columns) - 1)
        return odd(max(4 + inside, caption_width(self._caption), 4 + widest(self.notes)), UNLIMITED)

    @cached_property
    def easy(self) -> int:
        """Narrower than this, the picture is better folded."""
        names, _, states = self._columns
        table = odd(6 + min(names, 14) + (2 + states if states else 0), UNLIMITED)
        return min(self.natural, easy_with(self.notes, table))

    @property
    def least(self) -> int:
        """Cannot be drawn narrower."""
        return LEAST

    @property
    def _caption(self) -> str:
        return f"{len(self.nodes)} in a row"

    def draw(self, limit: int) -> Canvas:
        """The drawing, in `limit` columns."""
        across = min(self.natural, odd(max(limit, LEAST), 0))
        names, details, states = self._fitted(across - 6)
        canvas = draw_list(across, self._caption, self.notes, len(self.nodes))
        for y, node in enumerate(self.nodes, 1 + len(self.notes)):
            canvas.text(2, y, "↓" if node is not self.nodes[0] else "")
            canvas.text(4, y, shorten_name(node.label, names))
            canvas.text(4 + names + 2, y, shorten(words(node), details))
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
