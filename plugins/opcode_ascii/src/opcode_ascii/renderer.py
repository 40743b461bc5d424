"""The renderer `ascii`."""

from collections.abc import Iterable, Iterator

from opcode_ascii.grouping import graph_of
from opcode_ascii.picture import draw
from opcode_ascii.tags import counts, failures
from opcode_ascii.text import shorten
from opcode_core import Diagram, Node

_PAGE = 80


class AsciiRenderer:
    """Draws a workflow as text, at most `width` columns wide unless steps are nested too deep for that."""

    format = "ascii"
    media_type = "text/plain; charset=utf-8"

    def __init__(self, width: int = _PAGE) -> None:
        self.width = width

    def render(self, diagram: Diagram) -> str:
        """The title, what became of the steps if a run is shown, and the drawing. No line ends in a space."""
        heading = [shorten(line, self.width) for line in _heading(diagram)]
        picture = draw(graph_of(diagram, self.width), self.width)
        return "\n".join([*heading, "", str(picture.canvas)] if heading else [str(picture.canvas)])


def _heading(diagram: Diagram) -> Iterator[str]:
    if diagram.title.strip():
        yield diagram.title
    steps = list(_steps(diagram.nodes))
    summary = counts(steps)
    if summary:
        failed = failures(steps)
        yield summary + (f"; failed: {failed}" if failed else "")


def _steps(nodes: Iterable[Node]) -> Iterator[Node]:
    for node in nodes:
        if node.kind not in {"start", "end"}:
            yield node
        for lane in node.lanes:
            yield from _steps(lane.nodes)
