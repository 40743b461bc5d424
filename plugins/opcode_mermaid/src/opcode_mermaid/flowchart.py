"""A diagram as a Mermaid flowchart."""

import itertools
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from opcode_core import Diagram, Lane, Node, status_paint
from opcode_mermaid.text import edge_text, front_matter, node_text

_SHAPES: Final = {
    "start": '(("{}"))',
    "end": '(("{}"))',
    "action": '["{}"]',
    "condition": '{{"{}"}}',
    "reasoning": '{{{{"{}"}}}}',
    "wait": '(["{}"])',
    "loop": '[["{}"]]',
    "parallel": '[["{}"]]',
    "more": '["{}"]',
}


@dataclass(slots=True)
class Flowchart:
    """Lines of a flowchart as they come; a step with others inside it is a frame with the step on top."""

    lines: list[str] = field(default_factory=list)
    classes: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def draw(self, diagram: Diagram) -> str:
        """All of it; ids are only numbers."""
        names = {node.id: self._node(node, "  ") for node in diagram.nodes}
        for edge in diagram.edges:
            arrow = "-.->" if edge.kind == "fallback" else "-->"
            self._arrow("  ", names[edge.source], names[edge.target], edge.label, arrow)
        body = "\n".join([*self.lines, *self._colours()])
        return f"{front_matter(diagram.title)}flowchart TD\n{body}\n"

    def _node(self, node: Node, indent: str) -> str:
        """What edges from and to it are drawn to."""
        return self._frame(node, indent) if node.lanes else self._box(node, indent)

    def _box(self, node: Node, indent: str) -> str:
        name = f"n{next(self.numbers)}"
        self.lines.append(f"{indent}{name}{_SHAPES[node.kind].format(node_text(node))}")
        look = _look(node)
        if look:
            self.classes[look].append(name)
        return name

    def _frame(self, node: Node, indent: str) -> str:
        frame = f"g{next(self.numbers)}"
        self.lines.append(f'{indent}subgraph {frame}[" "]')
        self.classes["frame"].append(frame)
        head = self._box(node, indent + "  ")
        for lane in node.lanes:
            self._lane(lane, head, indent + "  ")
        self.lines.append(f"{indent}end")
        return frame

    def _lane(self, lane: Lane, head: str, indent: str) -> None:
        label = "" if lane.label == "body" else lane.label  # what a loop repeats needs no name
        if not lane.nodes:
            nothing = f"n{next(self.numbers)}"
            self.lines.append(f'{indent}{nothing}((" "))')
            self.classes["nothing"].append(nothing)
            self._arrow(indent, head, nothing, label)
        here = head
        for node in lane.nodes:
            name = self._node(node, indent)
            self._arrow(indent, here, name, label)
            here, label = name, ""

    def _arrow(self, indent: str, source: str, target: str, label: str = "", arrow: str = "-->") -> None:
        text = edge_text(label)
        said = f'|"{text}"|' if text else ""
        self.lines.append(f"{indent}{source} {arrow}{said} {target}")

    def _colours(self) -> Iterator[str]:
        for look, names in self.classes.items():
            yield f"  classDef {look} {_STYLES[look]}"
            yield f"  class {','.join(names)} {look}"


def _look(node: Node) -> str:
    """The name of its colours; empty for a step of no run, which has those of the page."""
    if node.kind in ("start", "end"):
        return "ends"
    if node.status is None:
        return "more" if node.kind == "more" else ""
    return node.status if node.status in _STYLES else "pending"


def _style(status: str) -> str:
    paint = status_paint(status)
    dashes = ",stroke-dasharray:4 3" if paint.dashed else ""
    return f"fill:{paint.fill},stroke:{paint.border},color:{paint.ink}{dashes}"


_STATUSES: Final = "completed failed running retrying suspended scheduled pending skipped"
_STYLES: Final = {
    "ends": "fill:#4a5566,stroke:#4a5566,color:#ffffff",
    "frame": "fill:#8090a014,stroke:#8090a0",
    "more": "stroke-dasharray:4 3",
    "nothing": "stroke-dasharray:4 3",
    **{status: _style(status) for status in _STATUSES.split()},
}
