"""Which shapes stand side by side: as early as possible, and never more than a page holds."""

from collections import defaultdict
from collections.abc import Sequence

from opcode_ascii.graph import Graph
from opcode_ascii.nets import Net
from opcode_ascii.shapes import FOLDED, Shape, fold

GAP = 2  # columns between shapes
TRUNK = 2  # columns that a passing line takes


def layers_of(graph: Graph, nets: Sequence[Net], page: int) -> list[list[int]]:
    """Layers of indexes of shapes. What does not fit into a layer goes into the next, when its turn comes.

    Steps whose turn came last go first, so that a folded fan-out finishes one branch before it begins the
    next one and few lines have to pass.
    """
    before: dict[int, set[int]] = defaultdict(set)
    after: dict[int, set[int]] = defaultdict(set)
    for link in graph.links:
        before[link.target].add(link.source)
        after[link.source].add(link.target)
    waiting = {i: len(before[i]) for i in range(len(graph.shapes))}
    ready = {i: 0 for i, count in waiting.items() if not count}
    trunks = _Trunks(nets)
    layers: list[list[int]] = []
    while ready:
        layer = sorted(_chosen(ready, graph.shapes, trunks, page))
        layers.append(layer)
        trunks.advance(layer)
        for i in layer:
            del ready[i]
            for target in after[i]:
                waiting[target] -= 1
                if not waiting[target]:
                    ready[target] = len(layers)
    return layers


def _chosen(ready: dict[int, int], shapes: Sequence[Shape], trunks: "_Trunks", page: int) -> Sequence[int]:
    everything = sorted(ready)
    if _across([shapes[i].easy for i in everything]) + TRUNK * trunks.passing(everything) <= page:
        return everything
    order = sorted(ready, key=lambda i: (-ready[i], i))
    widths = [max(shapes[i].easy, min(shapes[i].natural, FOLDED)) for i in order]
    most = len(fold(widths, GAP, page)[0])
    fitting = (
        count
        for count in range(most, 1, -1)
        if _across(widths[:count]) + TRUNK * trunks.passing(order[:count]) <= page
    )
    return order[: next(fitting, 1)]


def _across(widths: Sequence[int]) -> int:
    return sum(widths) + GAP * (len(widths) - 1)


class _Trunks:
    """The nets that have begun and not ended: they pass every layer on their way."""

    def __init__(self, nets: Sequence[Net]) -> None:
        self._left = [len(net.targets) for net in nets]
        self._into: dict[int, list[int]] = defaultdict(list)
        self._from: dict[int, list[int]] = defaultdict(list)
        for number, net in enumerate(nets):
            for target in net.targets:
                self._into[target].append(number)
            for source in net.sources:
                self._from[source].append(number)
        self._begun: set[int] = set()

    def passing(self, layer: Sequence[int]) -> int:
        """How many pass, if this is the next layer."""
        arriving: dict[int, int] = defaultdict(int)
        for i in layer:
            for net in self._into[i]:
                arriving[net] += 1
        return sum(self._left[net] > arriving[net] for net in self._begun)

    def advance(self, layer: Sequence[int]) -> None:
        """Lay the layer."""
        for i in layer:
            for net in self._into[i]:
                self._left[net] -= 1
            self._begun.update(self._from[i])
        self._begun = {net for net in self._begun if self._left[net]}
