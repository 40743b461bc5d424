"""What a diagram shows, before any renderer draws it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

NodeKind = Literal["start", "end", "action", "condition", "loop", "parallel", "wait", "reasoning", "more"]
"""`more` stands for steps that a condensed diagram leaves out."""


@dataclass(frozen=True, slots=True)
class Lane:
    """Steps inside a node that run one after another: a branch, or a loop's body."""

    label: str
    nodes: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Node:
    """A step, or the start or the end.

    Attributes:
        id: full id, unique in the diagram.
        label: what a person calls it; any text, so renderers escape it.
        kind: gives the shape.
        detail: the action's name, the condition's expression and the like; may be empty.
        status: of the step in the run that is shown, or None without a run.
        duration: seconds, or None.
        lanes: what is inside a condition, a loop or a parallel.
    """

    id: str
    label: str
    kind: NodeKind
    detail: str = ""
    status: str | None = None
    duration: float | None = None
    lanes: tuple[Lane, ...] = ()


@dataclass(frozen=True, slots=True)
class Edge:
    """From one outermost node to another. `kind` is `fallback` for an on_error path."""

    source: str
    target: str
    label: str = ""
    kind: Literal["normal", "fallback"] = "normal"


@dataclass(frozen=True, slots=True)
class Diagram:
    """The outermost nodes in topological order, with `start` first and `end` last, and their edges."""

    title: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]

    def steps(self) -> Iterator[Node]:
        """Every step, those inside a step right after it."""
        return (node for node in walk(self.nodes) if node.kind not in ("start", "end"))


def walk(nodes: Iterable[Node]) -> Iterator[Node]:
    """These nodes and every node inside them, each before what is inside it."""
    for node in nodes:
        yield node
        for lane in node.lanes:
            yield from walk(lane.nodes)
