"""A diagram in DOT, Graphviz's language."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import pydot

from opcode_core import Diagram, Lane, Node, condensed, describe_diagram, status_paint
from opcode_graphviz.labels import edge_label, label, node_lines, title_label, width

INK: Final = "#1b2430"
LINE: Final = "#5a6675"
FRAME: Final = "#f5f7fa"
FAULT: Final = "#d0453d"
END: Final = "#4a5566"
FONT: Final = "Arial"

_ROUND: Final[dict[str, Any]] = {"shape": "circle", "margin": "0.02", "fixedsize": "true", "width": "0.55"}
_SHAPES: Final[dict[str, dict[str, Any]]] = {
    "action": {},
    "condition": {"shape": "diamond", "margin": "0.04,0.04"},
    "reasoning": {"shape": "diamond", "margin": "0.04,0.04"},
    "wait": {"style": "filled,rounded"},
    "loop": {"peripheries": "2"},
    "parallel": {"peripheries": "2"},
    "more": {"shape": "note"},
    "start": _ROUND,
    "end": _ROUND,
}


def dot(diagram: Diagram) -> str:
    """DOT text, in which a step's frame holds the steps inside it, and whose ids are only numbers.

    A large diagram is condensed.
    """
    return _Drawing().draw(condensed(diagram), describe_diagram(diagram))


@dataclass(slots=True)
class _Ends:
    """Where lines into a node arrive, and where those out of it begin."""

    top: str
    bottom: str


@dataclass(slots=True)
class _Drawing:
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def draw(self, diagram: Diagram, description: str) -> str:
        graph = pydot.Dot(
            "workflow",
            graph_type="digraph",
            charset="UTF-8",
            bgcolor="#ffffff",
            fontname=FONT,
            fontcolor=INK,
            nodesep="0.35",
            ranksep="0.4",
            pad="0.25",
            **_titled(diagram.title, description),
        )
        common: dict[str, Any] = {"fontname": FONT, "fontcolor": INK, "color": LINE}
        box: dict[str, Any] = {"shape": "box", "style": "filled", "fillcolor": "#ffffff"}
        graph.add_node(pydot.Node("node", margin="0.18,0.09", **box, **common))
        graph.add_node(pydot.Node("edge", arrowsize="0.7", **common))
        ends = {node.id: self._node(graph, node) for node in diagram.nodes}
        for edge in diagram.edges:
            look: dict[str, Any] = {"style": "dashed", "color": FAULT} if edge.kind == "fallback" else {}
            if edge.label:
                look["label"] = edge_label(edge.label)
            graph.add_edge(pydot.Edge(ends[edge.source].bottom, ends[edge.target].top, **look))
        return str(graph.to_string())

    def _node(self, graph: pydot.Graph, node: Node) -> _Ends:
        if node.lanes:
            return self._frame(graph, node)
        return self._box(graph, node)

    def _box(self, graph: pydot.Graph, node: Node) -> _Ends:
        name = self._name("n")
        look = {**_SHAPES[node.kind], **_painted(node)}
        if "peripheries" in look:
            look["color"] = LINE
        lines = node_lines(node)
        across = width(lines)
        if across and node.kind not in ("start", "end"):
            look["width"] = f"{2 * across if look.get('shape') == 'diamond' else across:.2f}"
        graph.add_node(pydot.Node(name, label=label(lines), **look))
        return _Ends(name, name)

    def _frame(self, graph: pydot.Graph, node: Node) -> _Ends:
        """A frame with the node itself on top, its lanes below it side by side, and where they meet."""
        frame = self._cluster(graph, margin="14")
        if node.kind in ("loop", "parallel"):  # a double edge: one frame close inside the other
            frame.set("margin", "4")
            frame.set("fillcolor", "#ffffff")
            frame = self._cluster(frame, margin="12")
        head = self._box(frame, node).top
        meeting = self._name("n")
        frame.add_node(pydot.Node(meeting, shape="point", width="0.07", fillcolor=LINE, label=""))
        for lane in node.lanes:
            self._lane(frame, lane, _Ends(head, meeting))
        return _Ends(head, meeting)

    def _cluster(self, around: pydot.Graph, margin: str) -> pydot.Cluster:
        look: dict[str, Any] = {"label": '""', "color": LINE, "fillcolor": FRAME, "style": "filled,rounded"}
        cluster = pydot.Cluster(self._name("g"), margin=margin, **look)
        around.add_subgraph(cluster)  # type: ignore[arg-type]  # pydot says it takes no clusters
        return cluster

    def _lane(self, frame: pydot.Graph, lane: Lane, between: _Ends) -> None:
        said: dict[str, Any] = {}
        if lane.label not in ("", "body"):  # what a loop repeats needs no name
            said["label"] = edge_label(lane.label)
        here = between.top
        for node in lane.nodes:
            ends = self._node(frame, node)
            frame.add_edge(pydot.Edge(here, ends.top, **said))
            here, said = ends.bottom, {}
        frame.add_edge(pydot.Edge(here, between.bottom, arrowhead="none", **said))

    def _name(self, kind: str) -> str:
        return f"{kind}{next(self.numbers)}"


def _titled(title: str, description: str) -> dict[str, Any]:
    if not title.strip():
        return {}
    return {"label": title_label(title, description), "labelloc": "t"}


def _painted(node: Node) -> dict[str, Any]:
    if node.kind in ("start", "end"):
        return {"fillcolor": END, "fontcolor": "#ffffff", "color": END}
    if node.status is None:
        return {}
    colours = status_paint(node.status)
    styled: dict[str, Any] = {"fillcolor": colours.fill, "color": colours.border, "fontcolor": colours.ink}
    if node.kind == "wait":
        styled["style"] = "filled,rounded,dashed" if colours.dashed else "filled,rounded"
    elif colours.dashed:
        styled["style"] = "filled,dashed"
    return styled
