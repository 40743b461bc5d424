"""Everything together: from a graph to the drawing."""

from collections.abc import Sequence
from dataclasses import dataclass

from opcode_ascii.canvas import Canvas
from opcode_ascii.channels import Run, put_in_rows
from opcode_ascii.coordinates import put_in_columns
from opcode_ascii.graph import Graph
from opcode_ascii.layers import GAP, TRUNK
from opcode_ascii.mentions import Arrangement, arranged
from opcode_ascii.nets import Net
from opcode_ascii.ordering import put_in_order
from opcode_ascii.ports import Ports, ports_of
from opcode_ascii.seats import Seating, Wire, seated
from opcode_ascii.shapes import share


@dataclass(frozen=True, slots=True)
class Rectangle:
    """Where a shape was drawn; right and bottom are its last column and row."""

    left: int
    top: int
    right: int
    bottom: int


@dataclass(frozen=True, slots=True)
class Picture:
    """The drawing, where each shape of the graph is in it, and the nets that are drawn as lines."""

    canvas: Canvas
    places: dict[int, Rectangle]
    nets: tuple[Net, ...]


def draw(graph: Graph, page: int) -> Picture:
    """Draw `graph` from top to bottom, at most `page` columns wide if that can be."""
    plan = arranged(graph, page)
    seating = seated(plan.layers, _drawings(plan, page), plan.nets)
    put_in_order(seating)
    put_in_columns(seating, page)
    return _drawn(seating, ports_of(seating), plan.nets, page)


def _drawings(plan: Arrangement, page: int) -> dict[int, Canvas]:
    drawings = {}
    for layer, trunks in zip(plan.layers, plan.trunks, strict=True):
        shapes = [plan.shapes[i] for i in layer]
        room = page - GAP * (len(layer) - 1) - TRUNK * trunks
        widths = share([shape.natural for shape in shapes], [shape.least for shape in shapes], room)
        for i, shape, across in zip(layer, shapes, widths, strict=True):
            drawings[i] = shape.draw(across)
    return drawings


def _drawn(seating: Seating, ports: Ports, nets: Sequence[Net], page: int) -> Picture:
    across = max(page, *(seat.x + seat.width // 2 + 1 for layer in seating.layers for seat in layer))
    channels = [_channel(wires, ports, across) for wires in seating.wires]
    tops, height = [], 0
    for layer, (_, rows) in zip(seating.layers, [*channels, ([], -1)], strict=True):
        tops.append(height)
        height += max((seat.drawing.height for seat in layer if seat.drawing), default=1) + rows + 1
    canvas = Canvas(across + 2, height)
    places = {}
    for layer, top in zip(seating.layers, tops, strict=True):
        for seat in layer:
            if seat.drawing:
                left = seat.x - seat.width // 2
                canvas.paste(seat.drawing, left, top)
                places[seat.index] = Rectangle(
                    left, top, left + seat.width - 1, top + seat.drawing.height - 1
                )
    for (runs, rows), top, below in zip(channels, tops, tops[1:], strict=False):
        _draw_channel(canvas, runs, top, below - 1 - rows, below - 1)
        _write_labels(canvas, [run for run in runs if run.wire.net.label], ports, below - 1, page)
    return Picture(canvas, places, tuple(nets))


def _channel(wires: Sequence[Wire], ports: Ports, across: int) -> tuple[list[Run], int]:
    """The runs and the number of their rows."""
    runs, rows = put_in_rows(
        [
            Run(
                wire, [ports[seat, wire] for seat in wire.uppers], [ports[seat, wire] for seat in wire.lowers]
            )
            for wire in wires
        ],
        across,
    )
    # A dashed line is seen only where there is some of it.
    return runs, max(rows, int(any(wire.net.fallback for wire in wires)))
