"""A diagram small enough to be drawn as boxes and arrows, and to be read."""

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from opcode_core.diagram import Diagram, Edge, Lane, Node, walk
from opcode_core.state import FAILED, RETRYING, RUNNING, SUSPENDED

_MORE: Final = "more"
_LOUD: Final = (FAILED, RETRYING, SUSPENDED, RUNNING)
"""What a person who looks at a run wants to see, most urgent first."""


@dataclass(frozen=True, slots=True)
class _Most:
    """How many there may be: nodes side by side, layers, nodes in a lane, lanes in a node, nodes in each other."""

    wide: int
    long: int
    lane: int
    lanes: int
    deep: int


_TRIES = (
    _Most(wide=16, long=40, lane=16, lanes=12, deep=32),
    _Most(wide=12, long=24, lane=12, lanes=8, deep=6),
    _Most(wide=8, long=16, lane=8, lanes=6, deep=3),
    _Most(wide=6, long=12, lane=6, lanes=4, deep=2),
    _Most(wide=4, long=6, lane=4, lanes=3, deep=1),
    _Most(wide=4, long=6, lane=4, lanes=3, deep=0),
)


def condensed(diagram: Diagram, nodes: int = 100, edges: int = 250) -> Diagram:
    """The diagram, in which nodes of the kind `more` stand for what would make it unreadable.

    What lies side by side, in a row or deep inside in large numbers is left out first; what failed or is not
    over stays, as far as there is room. A diagram that keeps within `nodes` and `edges` stays as it is. With 50
    nodes and 500 edges or more so does the result; with less it is as small as it can be.
    """
    small = diagram
    tries = iter(_TRIES)
    while sum(1 for _ in walk(small.nodes)) > nodes or len(small.edges) > edges:
        most = next(tries, None)
        if most is None:
            break
        small = _Folding(most).diagram(diagram)
    return small


@dataclass(slots=True)
class _Folding:
    most: _Most
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def diagram(self, diagram: Diagram) -> Diagram:
        groups = self._groups(_layers(diagram))
        home = {node.id: number for number, group in enumerate(groups) for node in group}
        nodes = [self._one(group, 0) for group in groups]
        ends = ((edge, nodes[home[edge.source]], nodes[home[edge.target]]) for edge in diagram.edges)
        edges = (
            Edge(source.id, target.id, "" if _MORE in (source.kind, target.kind) else edge.label, edge.kind)
            for edge, source, target in ends
            if source is not target
        )
        return Diagram(diagram.title, tuple(nodes), tuple(dict.fromkeys(edges)))

    def _groups(self, layers: Sequence[Sequence[Node]]) -> list[list[Node]]:
        """In topological order; a group holds nodes of one layer, or all nodes of neighbouring layers."""
        groups: list[list[Node]] = []
        for run in _folded([any(map(_is_loud, layer)) for layer in layers], self.most.long):
            if len(run) > 1:
                groups.append([node for number in run for node in layers[number]])
                continue
            (layer,) = (layers[number] for number in run)
            first, rest = _split([_is_loud(node) for node in layer], self.most.wide)
            groups.extend([layer[place]] for place in first)
            groups.extend([[layer[place] for place in rest]] if rest else [])
        return groups

    def _one(self, group: Sequence[Node], depth: int) -> Node:
        return self._inside(group[0], depth) if len(group) == 1 else self._more(group)

    def _inside(self, node: Node, depth: int) -> Node:
        if not any(lane.nodes for lane in node.lanes):
            return node
        if depth >= self.most.deep:
            return replace(node, lanes=(self._heap(node.lanes, ""),))
        first, rest = _split([any(map(_is_loud, lane.nodes)) for lane in node.lanes], self.most.lanes)
        lanes = [self._lane(node.lanes[place], depth + 1) for place in first]
        if rest:
            lanes.append(self._heap([node.lanes[place] for place in rest], f"… {len(rest)} more"))
        return replace(node, lanes=tuple(lanes))

    def _lane(self, lane: Lane, depth: int) -> Lane:
        runs = _folded(list(map(_is_loud, lane.nodes)), self.most.lane)
        return Lane(lane.label, tuple(self._one([lane.nodes[place] for place in run], depth) for run in runs))

    def _heap(self, lanes: Sequence[Lane], label: str) -> Lane:
        inside = [node for lane in lanes for node in lane.nodes]
        return Lane(label, (self._more(inside),) if inside else ())

    def _more(self, group: Sequence[Node]) -> Node:
        inside = list(walk(group))
        counts = Counter(node.status for node in inside if node.status is not None)
        tally = ", ".join(f"{count} {status}" for status, count in counts.most_common())
        named = f"{group[0].label} … {group[-1].label}" if len(group) > 1 else group[0].label
        return Node(
            id=f"(more {next(self.numbers)})",
            label=f"… {len(inside)} more",
            kind=_MORE,
            detail=tally or named,
            status=_common(counts),
        )


def _layers(diagram: Diagram) -> list[list[Node]]:
    """Nodes by the longest way that leads to them; no edge stays within a layer or goes back."""
    before = defaultdict(list)
    for edge in diagram.edges:
        before[edge.target].append(edge.source)
    depth: dict[str, int] = {}
    layers: defaultdict[int, list[Node]] = defaultdict(list)
    for node in diagram.nodes:
        depth[node.id] = max((depth[source] + 1 for source in before[node.id]), default=0)
        layers[depth[node.id]].append(node)
    return [layers[number] for number in sorted(layers)]


def _folded(loud: Sequence[bool], most: int) -> list[range]:
    """At most `most` runs of places, each a place that stays or neighbours that do not.

    The first and the last stay, and as many of the loud ones as there is room for.
    """
    if len(loud) <= most:
        return [range(place, place + 1) for place in range(len(loud))]
    noted = [place for place, is_loud in enumerate(loud) if is_loud][: most // 4]
    ends = most - 1 - 2 * len(noted)  # each of the loud ones may have a fold of its own before it
    stays = {*noted, *range((ends + 1) // 2), *range(len(loud) - ends // 2, len(loud))}
    runs: list[range] = []
    for place in range(len(loud)):
        if place not in stays and runs and runs[-1][-1] not in stays:
            runs[-1] = range(runs[-1][0], place + 1)
        else:
            runs.append(range(place, place + 1))
    return runs


def _split(loud: Sequence[bool], most: int) -> tuple[list[int], list[int]]:
    """The places that stay, in their order, and the others: none, or at least two."""
    if len(loud) <= most:
        return list(range(len(loud))), []
    stays = set(sorted(range(len(loud)), key=lambda place: not loud[place])[: most - 1])
    return sorted(stays), [place for place in range(len(loud)) if place not in stays]


def _is_loud(node: Node) -> bool:
    return any(inner.status in _LOUD for inner in walk((node,)))


def _common(counts: Counter[str]) -> str | None:
    """What has to be seen, or the status that all have."""
    for status in _LOUD:
        if status in counts:
            return status
    return next(iter(counts)) if len(counts) == 1 else None
