"""From the diagram to the shapes: what gets a box of its own, and what is listed together."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import groupby

from opcode_ascii.boxes import Box, Circle
from opcode_ascii.frames import Frame, Stack
from opcode_ascii.graph import Graph, Link
from opcode_ascii.grid import Grid
from opcode_ascii.series import Series
from opcode_ascii.shapes import Shape
from opcode_core import Diagram, ErrorCode, Lane, Node, OpcodeError

_MANY = 60  # steps: from here on, steps in a row become lines of a table
_SHORTEST_SERIES = 2
_GAP = 2

Unit = tuple[int, ...]  # indexes of nodes that run one after another
Side = frozenset[tuple[int, str, bool]]


def graph_of(diagram: Diagram, page: int) -> Graph:
    """The shapes and links of `diagram`; steps that would not fit side by side into `page` are grouped.

    Raises:
        OpcodeError: when two nodes have the same id, because the edges are then ambiguous.
    """
    many = _count(diagram.nodes) > _MANY
    place = {node.id: i for i, node in enumerate(diagram.nodes)}
    if len(place) < len(diagram.nodes):
        twice = next(node.id for i, node in enumerate(diagram.nodes) if place[node.id] != i)
        raise OpcodeError(
            ErrorCode.VALIDATION_ERROR, f"the diagram has two nodes '{twice}'; rename the step of that id"
        )
    links = list(
        dict.fromkeys(
            Link(place[edge.source], place[edge.target], edge.label, edge.kind == "fallback")
            for edge in diagram.edges
        )
    )
    units = _series(diagram.nodes, links) if many else [(i,) for i in range(len(diagram.nodes))]
    links = _between(units, links)
    shapes = [_shape([diagram.nodes[i] for i in unit], many=many) for unit in units]
    groups = _twins(diagram.nodes, units, shapes, links, page)
    return Graph(
        shapes=tuple(_group_shape(group, units, shapes, diagram.nodes) for group in groups),
        firsts=tuple(diagram.nodes[units[group[0]][0]].label for group in groups),
        lasts=tuple(diagram.nodes[units[group[-1]][-1]].label for group in groups),
        links=tuple(_between(groups, links)),
    )


def _count(nodes: Iterable[Node]) -> int:
    return sum(1 + sum(_count(lane.nodes) for lane in node.lanes) for node in nodes)


def _is_plain(node: Node) -> bool:
    return not node.lanes and node.kind not in {"start", "end"}


def _series(nodes: Sequence[Node], links: Sequence[Link]) -> list[Unit]:
    """Nodes, where those that can only run one after another are together."""
    after, before = defaultdict(list), defaultdict(list)
    for link in links:
        after[link.source].append(link)
        before[link.target].append(link)
    units: list[list[int]] = []
    unit_of: dict[int, list[int]] = {}
    for i, node in enumerate(nodes):
        ways_in = before[i]
        previous = ways_in[0].source if len(ways_in) == 1 else None
        if (
            previous is not None
            and len(after[previous]) == 1
            and not ways_in[0].fallback
            and _is_plain(node)
            and _is_plain(nodes[previous])
        ):
            unit_of[i] = unit_of[previous]
            unit_of[i].append(i)
        else:
            unit_of[i] = [i]
            units.append(unit_of[i])
    return [tuple(unit) for unit in units]


def _between(groups: Sequence[tuple[int, ...]], links: Iterable[Link]) -> list[Link]:
    """The links between the groups that hold what `links` connect."""
    place = {member: i for i, group in enumerate(groups) for member in group}
    moved = (Link(place[link.source], place[link.target], link.label, link.fallback) for link in links)
    return list(dict.fromkeys(link for link in moved if link.source != link.target))


def _twins(
    nodes: Sequence[Node], units: Sequence[Unit], shapes: Sequence[Shape], links: Iterable[Link], page: int
) -> list[tuple[int, ...]]:
    """Units, where those with the same neighbours are together if they do not fit side by side."""
    before, after = defaultdict(set), defaultdict(set)
    for link in links:
        after[link.source].add((link.target, link.label, link.fallback))
        before[link.target].add((link.source, link.label, link.fallback))
    alike: dict[tuple[Side, Side], list[int]] = defaultdict(list)
    for i, unit in enumerate(units):
        if all(_is_plain(nodes[member]) for member in unit):
            alike[frozenset(before[i]), frozenset(after[i])].append(i)
    group_of = {
        members[0]: tuple(members)
        for members in alike.values()
        if sum(shapes[i].easy + _GAP for i in members) - _GAP > page
    }
    grouped = {i for group in group_of.values() for i in group}
    return [group_of.get(i, (i,)) for i in range(len(units)) if i in group_of or i not in grouped]


def _group_shape(
    group: tuple[int, ...], units: Sequence[Unit], shapes: Sequence[Shape], nodes: Sequence[Node]
) -> Shape:
    if len(group) == 1:
        return shapes[group[0]]
    return Grid(tuple(tuple(nodes[i] for i in units[u]) for u in group), tuple(shapes[u] for u in group))


def _shape(nodes: Sequence[Node], *, many: bool) -> Shape:
    if len(nodes) > 1:
        return Series(tuple(nodes))
    node = nodes[0]
    if node.kind in {"start", "end"}:
        return Circle(node)
    if node.lanes:
        return Frame(node, tuple(_stack(lane, many=many) for lane in node.lanes))
    return Box(node)


def _stack(lane: Lane, *, many: bool) -> Stack:
    shapes: list[Shape] = []
    for plain, run in groupby(lane.nodes, key=_is_plain):
        nodes = list(run)
        if plain and many and len(nodes) >= _SHORTEST_SERIES:
            shapes.append(Series(tuple(nodes)))
        else:
            shapes.extend(_shape([node], many=many) for node in nodes)
    return Stack(lane.label, tuple(shapes))
