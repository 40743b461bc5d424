"""Nets that would only be a tangle are not drawn: the steps mention each other by name instead."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from opcode_ascii.boxes import Circle
from opcode_ascii.graph import Graph
from opcode_ascii.layers import GAP, TRUNK, layers_of
from opcode_ascii.nets import Net, nets_of
from opcode_ascii.shapes import Shape
from opcode_ascii.text import shorten_name

_ROUNDS = 4
_MOST_TRUNKS = 10
_MOST_TRUNKS_OF_MANY = 6
_MANY = 60  # shapes
_MOST_AT_A_SHAPE = 4
_LONGEST_NAME = 16


@dataclass(frozen=True, slots=True)
class Arrangement:
    """Layers of indexes of shapes, how many nets pass each layer, the shapes with notes, the nets to draw."""

    layers: list[list[int]]
    trunks: list[int]
    shapes: tuple[Shape, ...]
    nets: list[Net]


def arranged(graph: Graph, page: int) -> Arrangement:
    """Layers that fit into `page`, and nets that can be followed with the eye."""
    every = nets = nets_of(graph.links)
    noted, layers = graph, layers_of(graph, nets, page)
    for _ in range(_ROUNDS):
        tangled = _tangled(noted, layers, nets, page)
        if not tangled:
            break
        nets = [net for net in nets if net not in tangled]
        drawn = set(nets)
        noted = replace(graph, shapes=_with_notes(graph, [net for net in every if net not in drawn]))
        layers = layers_of(noted, nets, page)
    return Arrangement(layers, [len(passing) for passing in _passing(layers, nets)], noted.shapes, nets)


def _spans(layers: Sequence[Sequence[int]], nets: Iterable[Net]) -> dict[Net, tuple[int, int]]:
    """For each net the layers of its first source and its last target."""
    layer_of = {i: number for number, layer in enumerate(layers) for i in layer}
    return {
        net: (min(layer_of[i] for i in net.sources), max(layer_of[i] for i in net.targets)) for net in nets
    }


def _passing(layers: Sequence[Sequence[int]], nets: Iterable[Net]) -> list[list[Net]]:
    """For each layer the nets that pass it, the longest first."""
    spans = _spans(layers, nets)
    passing: list[list[Net]] = [[] for _ in layers]
    for net in sorted(spans, key=lambda net: spans[net][0] - spans[net][1]):
        first, last = spans[net]
        for number in range(first + 1, last):
            passing[number].append(net)
    return passing


def _tangled(graph: Graph, layers: Sequence[Sequence[int]], nets: Sequence[Net], page: int) -> set[Net]:
    tangled: set[Net] = set()
    trunks = _MOST_TRUNKS if len(graph.shapes) <= _MANY else _MOST_TRUNKS_OF_MANY
    for layer, passing in zip(layers, _passing(layers, nets), strict=True):
        least = sum(graph.shapes[i].least + GAP for i in layer) - GAP
        most = max(0, min(trunks, (page - least) // TRUNK))
        tangled.update(_surplus(graph, passing, most, tangled))
    spans = _spans(layers, nets)
    sides: dict[tuple[int, bool], list[Net]] = defaultdict(list)
    for net in sorted(nets, key=lambda net: spans[net][0] - spans[net][1]):
        for i in net.sources:
            sides[i, True].append(net)
        for i in net.targets:
            sides[i, False].append(net)
    for side in sides.values():
        tangled.update(_surplus(graph, side, _MOST_AT_A_SHAPE, tangled))
    return tangled


def _surplus(graph: Graph, nets: Sequence[Net], most: int, gone: set[Net]) -> list[Net]:
    """The first of the nets that have to go so that `most` are left; the start's and the end's stay."""
    left = [net for net in nets if net not in gone]
    removable = [net for net in left if not _touches_circle(graph, net)]
    return removable[: max(0, len(left) - most)]


def _touches_circle(graph: Graph, net: Net) -> bool:
    return any(isinstance(graph.shapes[i], Circle) for i in (*net.sources, *net.targets))


def _with_notes(graph: Graph, undrawn: Sequence[Net]) -> tuple[Shape, ...]:
    notes: dict[int, list[str]] = defaultdict(list)
    for net in undrawn:
        label = f" ({net.label})" if net.label else ""
        after, before = _names(graph.lasts, net.sources), _names(graph.firsts, net.targets)
        for i in net.targets:
            notes[i].append(f"after {after}{label}")
        for i in net.sources:
            notes[i].append(f"before {before}{label}")
    return tuple(_noted(shape, sorted(notes[i])) for i, shape in enumerate(graph.shapes))


def _names(names: Sequence[str], indexes: Sequence[int]) -> str:
    more = f" +{len(indexes) - 1}" if len(indexes) > 1 else ""
    return shorten_name(names[indexes[0]], _LONGEST_NAME) + more


def _noted(shape: Shape, notes: Sequence[str]) -> Shape:
    if not notes or isinstance(shape, Circle):
        return shape
    return replace(shape, notes=tuple(notes))  # type: ignore[type-var]
