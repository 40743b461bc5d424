"""Steps without steps inside, and the circles where a workflow starts and ends."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from opcode_ascii.canvas import Canvas
from opcode_ascii.glyphs import Weight
from opcode_ascii.shapes import EASY, LEAST, easy_with, odd
from opcode_ascii.tags import state
from opcode_ascii.text import shorten, shorten_name, width
from opcode_core import Node

_WIDEST = 45
UNLIMITED = 10_000  # columns
_CORNERS = {"wait": "╭╮╰╯", "reasoning": "╱╲╲╱", "condition": "◇◇◇◇"}
_DOUBLE = {"loop", "parallel"}


def weight_of(node: Node) -> Weight:
    """What the border of `node` is drawn with."""
    if node.kind in _DOUBLE:
        return Weight.DOUBLE
    return Weight.DASHED if node.status == "skipped" else Weight.LIGHT


def draw_border(canvas: Canvas, node: Node) -> None:
    """A border around the canvas that shows the kind of `node`, and names it where it is not an action."""
    right, bottom = canvas.width - 1, canvas.height - 1
    canvas.frame(0, 0, right, bottom, weight_of(node))
    places = ((0, 0), (right, 0), (0, bottom), (right, bottom))
    for (x, y), corner in zip(places, _CORNERS.get(node.kind, ""), strict=False):
        canvas.mark(x, y, corner)
    if node.kind != "action":
        draw_caption(canvas, node.kind)


def draw_caption(canvas: Canvas, caption: str) -> None:
    """Words in the upper border, when there is room for them."""
    if caption_width(caption) <= canvas.width:
        canvas.clear(2, 0, width(caption) + 2)
        canvas.text(3, 0, caption)


def caption_width(caption: str) -> int:
    """Columns of the narrowest thing that can have this caption."""
    return width(caption) + 6


def draw_list(across: int, caption: str, notes: Sequence[str], inside: int) -> Canvas:
    """A border with a caption, and below the notes `inside` empty rows."""
    canvas = Canvas(across, 2 + len(notes) + inside)
    canvas.frame(0, 0, across - 1, canvas.height - 1)
    draw_caption(canvas, caption)
    for y, note in enumerate(notes, 1):
        canvas.text(2, y, shorten(note, across - 4))
    return canvas


def words(node: Node) -> str:
    """What a step does, and what kind it is where it is not an action."""
    return node.detail if node.kind == "action" else f"{node.kind} {node.detail}".strip()


def widest(texts: Sequence[str]) -> int:
    """Columns of the widest of the texts."""
    return max((width(text) for text in texts), default=0)


@dataclass(frozen=True)
class Box:
    """An action, a wait or a reasoning step. `notes` are further lines of text."""

    node: Node
    notes: tuple[str, ...] = ()

    @cached_property
    def natural(self) -> int:
        """Shows everything."""
        texts = (self.node.label, self.node.detail, state(self.node), *self.notes)
        caption = 0 if self.node.kind == "action" else caption_width(self.node.kind)
        return odd(max(LEAST, caption, min(_WIDEST, 4 + max(width(text) for text in texts))), _WIDEST)

    @property
    def easy(self) -> int:
        """Narrower than this, the picture is better folded."""
        return min(self.natural, easy_with(self.notes, EASY))

    @property
    def least(self) -> int:
        """Cannot be drawn narrower."""
        return LEAST

    def draw(self, limit: int) -> Canvas:
        """The drawing, in `limit` columns."""
        across = min(self.natural, odd(max(limit, LEAST), 0))
        room = across - 4
        lines = [shorten_name(self.node.label, room)]
        lines += [shorten(text, room) for text in (self.node.detail, state(self.node), *self.notes) if text]
        canvas = Canvas(across, len(lines) + 2)
        draw_border(canvas, self.node)
        for y, line in enumerate(lines, 1):
            canvas.text((across - width(line)) // 2, y, line)
        return canvas


@dataclass(frozen=True)
class Circle:
    """Where the workflow starts or ends."""

    node: Node

    @cached_property
    def natural(self) -> int:
        """Shows everything."""
        return odd(min(width(self.node.label) + 2, _WIDEST), _WIDEST)

    @property
    def easy(self) -> int:
        """Narrower than this, the picture is better folded."""
        return self.natural

    @property
    def least(self) -> int:
        """Cannot be drawn narrower."""
        return self.natural

    def draw(self, limit: int) -> Canvas:  # noqa: ARG002
        """The drawing; it has one size."""
        canvas = Canvas(self.natural, 1)
        canvas.text(0, 0, f"({shorten(self.node.label, self.natural - 2)})")
        return canvas
