"""The places in each layer, of shapes and of the nets that pass, and the wires between neighbouring layers."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from opcode_ascii.canvas import Canvas
from opcode_ascii.nets import Net


@dataclass(slots=True, eq=False)
class Seat:
    """A place in a layer. `x` is its middle column; `drawing` is None where a net passes."""

    index: int
    drawing: Canvas | None = None
    x: int = 0
    place: int = 0
    above: list["Wire"] = field(default_factory=list, repr=False)
    below: list["Wire"] = field(default_factory=list, repr=False)

    @property
    def width(self) -> int:
        """In columns, always odd."""
        return self.drawing.width if self.drawing else 1

    @property
    def passes(self) -> bool:
        """Whether a net passes here."""
        return self.drawing is None


@dataclass(slots=True, eq=False)
class Wire:
    """The part of a net between two layers."""

    net: Net
    uppers: list[Seat]
    lowers: list[Seat]

    @property
    def is_single(self) -> bool:
        """Whether it could be one straight line."""
        return len(self.uppers) == 1 and len(self.lowers) == 1


@dataclass(frozen=True, slots=True)
class Seating:
    """Layers from top to bottom; `wires[i]` are those between layer i and the next."""

    layers: list[list[Seat]]
    wires: list[list[Wire]]


def seated(layers: Sequence[Sequence[int]], drawings: dict[int, Canvas], nets: Sequence[Net]) -> Seating:
    """Seats for all shapes, and for each net in every layer between its first source and its last target."""
    layer_of = {i: number for number, layer in enumerate(layers) for i in layer}
    seats = {i: Seat(i, drawings[i]) for i in layer_of}
    rows = [[seats[i] for i in layer] for layer in layers]
    wires: list[list[Wire]] = [[] for _ in range(max(len(layers) - 1, 0))]
    for net in nets:
        first = min(layer_of[i] for i in net.sources)
        last = max(layer_of[i] for i in net.targets)
        passing: Seat | None = None
        for number in range(first, last):
            uppers = [seats[i] for i in net.sources if layer_of[i] == number]
            lowers = [seats[i] for i in net.targets if layer_of[i] == number + 1]
            if passing:
                uppers.append(passing)
            passing = Seat(len(drawings) + net.sources[0]) if number + 1 < last else None
            if passing:
                lowers.append(passing)
                rows[number + 1].append(passing)
            wires[number].append(_wired(Wire(net, uppers, lowers)))
    return Seating(rows, wires)


def _wired(wire: Wire) -> Wire:
    for seat in wire.uppers:
        seat.below.append(wire)
    for seat in wire.lowers:
        seat.above.append(wire)
    return wire
