"""Where nodes go: layers from top to bottom, an order in each, and columns that keep lines short."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import fmean

GAP = 2
SWEEPS = 6


@dataclass(slots=True)
class Item:
    """Something that stands in a layer: a node, or a place where a long line passes."""

    width: int
    layer: int
    node: int | None = None
    centre: int = 0
    before: list["Item"] = field(default_factory=list)
    after: list["Item"] = field(default_factory=list)
    dashed: bool = False


def assign_layers(widths: Sequence[int], edges: Sequence[tuple[int, int]], columns: int) -> list[int]:
    """Each node's layer: below all before it, and in one that still has room. Nodes come in order."""
    earliest = [0] * len(widths)
    used: dict[int, int] = {}
    layers = [0] * len(widths)
    after: dict[int, list[int]] = {}
    for source, target in edges:
        after.setdefault(source, []).append(target)
    for node, node_width in enumerate(widths):
        layer = earliest[node]
        while used.get(layer, 0) and used[layer] + GAP + node_width > columns - 2 * GAP:
            layer += 1
        used[layer] = used.get(layer, 0) + (GAP if layer in used else 0) + node_width
        layers[node] = layer
        for target in after.get(node, ()):
            earliest[target] = max(earliest[target], layer + 1)
    return layers


def place(
    widths: Sequence[int],
    layers: Sequence[int],
    edges: Mapping[tuple[int, int], bool],
    columns: int,
) -> list[list[Item]]:
    """Items by layer, in order and with their columns. `edges` says of each whether it is dashed."""
    nodes = [Item(width, layer, node) for node, (width, layer) in enumerate(zip(widths, layers, strict=True))]
    rows: list[list[Item]] = [[] for _ in range(max(layers) + 1)]
    for item in nodes:
        rows[item.layer].append(item)
    _link(nodes, rows, edges)
    _order(rows)
    _align(rows, columns)
    return rows


def _link(nodes: list[Item], rows: list[list[Item]], edges: Mapping[tuple[int, int], bool]) -> None:
    """Connect items, through one shared passage a layer for long lines that leave or reach the same node."""
    out_degree: dict[int, int] = {}
    in_degree: dict[int, int] = {}
    for source, target in edges:
        out_degree[source] = out_degree.get(source, 0) + 1
        in_degree[target] = in_degree.get(target, 0) + 1
    passages: dict[tuple[str, int, int, bool], Item] = {}
    linked: set[tuple[int, int]] = set()
    for (source, target), dashed in edges.items():
        by_source = out_degree[source] >= in_degree[target]
        trunk = ("from", source) if by_source else ("to", target)
        previous = nodes[source]
        for layer in range(nodes[source].layer + 1, nodes[target].layer):
            key = (*trunk, layer, dashed)
            passage = passages.get(key)
            if passage is None:
                passage = passages[key] = Item(1, layer, dashed=dashed)
                rows[layer].append(passage)
            _connect(previous, passage, linked)
            previous = passage
        _connect(previous, nodes[target], linked)


def _connect(upper: Item, lower: Item, linked: set[tuple[int, int]]) -> None:
    if (id(upper), id(lower)) not in linked:
        linked.add((id(upper), id(lower)))
        upper.after.append(lower)
        lower.before.append(upper)


def _order(rows: list[list[Item]]) -> None:
    """Sort each layer by the mean place of its neighbours, down and up again (the barycentre method)."""
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        for row in rows if down else reversed(rows):
            rank = {id(item): i for other in rows for i, item in enumerate(other)}

            def mean(item: Item, rank: dict[int, int] = rank, down: bool = down) -> float:
                beside = item.before if down else item.after
                return fmean(rank[id(other)] for other in beside) if beside else rank[id(item)]

            row.sort(key=mean)


def _align(rows: list[list[Item]], columns: int) -> None:
    """Give each item a centre near those of its neighbours, without overlaps and within `columns`."""
    for row in rows:
        _spread(row, [0.0] * len(row), columns)
    for sweep in range(SWEEPS + 1):
        down = sweep % 2 == 0
        for row in rows if down else reversed(rows):
            wanted = []
            for item in row:
                beside = item.before if down else item.after
                wanted.append(fmean(other.centre for other in beside) if beside else float(item.centre))
            _spread(row, wanted, columns)
    left = min(item.centre - item.width // 2 for row in rows for item in row)
    for row in rows:
        for item in row:
            item.centre -= left


def _spread(row: list[Item], wanted: list[float], columns: int) -> None:
    """The places nearest to `wanted` that keep order and distance (isotonic regression, pooling violators)."""
    offsets = [0]
    for left, right in pairwise(row):
        offsets.append(offsets[-1] + left.width - left.width // 2 + GAP + right.width // 2)
    pools: list[tuple[float, int]] = []
    for value in (want - offset for want, offset in zip(wanted, offsets, strict=True)):
        mean, count = value, 1
        while pools and pools[-1][0] > mean:
            earlier, many = pools.pop()
            mean = (mean * count + earlier * many) / (count + many)
            count += many
        pools.append((mean, count))
    lowest = row[0].width // 2
    highest = max(columns - offsets[-1] - (row[-1].width - row[-1].width // 2), lowest)
    flat = [min(max(mean, lowest), highest) for mean, count in pools for _ in range(count)]
    for item, value, offset in zip(row, flat, offsets, strict=True):
        item.centre = round(value) + offset
