"""Everything together: from a graph to the drawing."""

from collections.abc import Sequence
from dataclasses import dataclass

from opcode_ascii.canvas import Canvas
from opcode_ascii.channels import Run, put_in_rows
from opcode_ascii.coordinates import put_in_columns
from opcode_ascii.graph import Graph
from opcode_ascii.layers import GAP, TRUNK
from opcode_ascii.lines import draw_arrows, draw_channel
from opcode_ascii.mentions import Arrangement, arranged
from opcode_ascii.nets import Net
from opcode_ascii.ordering import put_in_order
from opcode_ascii.ports import Ports, ports_of
from opcode_ascii.seats import Seat, Seating, Wire, seated
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
    channels = [_channel(wires, ports, page) for wires in seating.wires]
    tops, height = [], 0
    for layer, (_, rows) in zip(seating.layers, [*channels, ([], -1)], strict=True):
        tops.append(height)
        height += max((seat.drawing.height for seat in layer if seat.drawing), default=1) + rows + 1
    places = {
        seat.index: _place(seat, seat.drawing, top)
        for layer, top in zip(seating.layers, tops, strict=True)
        for seat in layer
        if seat.drawing
    }
    rightmost = max(
        [page, *(at.right for at in places.values()), *(r.right for runs, _ in channels for r in runs)]
    )
    canvas = Canvas(rightmost + 1, height)
    for layer in seating.layers:
        for seat in layer:
            if seat.drawing:
                canvas.paste(seat.drawing, places[seat.index].left, places[seat.index].top)
    for (runs, rows), layer, top, below in zip(channels, seating.layers, tops, tops[1:], strict=False):
        starts = {
            ports[seat, wire]: top if seat.passes else places[seat.index].bottom
            for seat in layer
            for wire in seat.below
        }
        draw_channel(canvas, runs, starts, below - 1 - rows, below - 1)
    for wires, below in zip(seating.wires, tops[1:], strict=True):
        draw_arrows(canvas, wires, ports, below - 1, page)
    return Picture(canvas, places, tuple(nets))


def _place(seat: Seat, drawing: Canvas, top: int) -> Rectangle:
    left = seat.x - drawing.width // 2
    return Rectangle(left, top, left + drawing.width - 1, top + drawing.height - 1)


def _channel(wires: Sequence[Wire], ports: Ports, page: int) -> tuple[list[Run], int]:
    """The runs and the number of their rows."""
    runs, rows = put_in_rows(
        [
            Run(
                wire, [ports[seat, wire] for seat in wire.uppers], [ports[seat, wire] for seat in wire.lowers]
            )
            for wire in wires
        ],
        page,
    )
    # A dashed line is seen only where there is some of it.
    return runs, max(rows, int(any(wire.net.fallback for wire in wires)))
