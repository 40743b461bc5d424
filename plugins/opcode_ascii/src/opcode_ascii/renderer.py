"""The renderer: boxes in layers, lines between them."""

from collections.abc import Sequence

from opcode_ascii.boxes import node_picture
from opcode_ascii.canvas import Canvas
from opcode_ascii.layers import Item, assign_layers, place
from opcode_ascii.picture import Picture
from opcode_ascii.routes import Net, route
from opcode_ascii.text import clean, width
from opcode_core import Diagram

COLUMNS = 80
WIDEST_BOX = 34
NARROW_BOX = 22
MANY = 4


class AsciiRenderer:
    """Draws with box-drawing characters, in 80 columns where that is possible."""

    format = "ascii"
    media_type = "text/plain; charset=utf-8"

    def render(self, diagram: Diagram) -> str:
        """The drawing, under its title."""
        index = {node.id: i for i, node in enumerate(diagram.nodes)}
        edges = {(index[e.source], index[e.target]): e.kind == "fallback" for e in diagram.edges}
        labels = {(index[e.source], index[e.target]): clean(e.label) for e in diagram.edges if e.label}
        pictures = _pictures(diagram, list(edges))
        widths = [piece.width for piece in pictures]
        for (_, target), label in labels.items():  # room for the label beside the arrow
            widths[target] = max(widths[target], 2 * width(label) + 5)
        columns = max(COLUMNS, *widths)
        rows = place(widths, assign_layers(widths, list(edges), columns), edges, columns)
        return f"{clean(diagram.title)}\n\n{_draw(rows, pictures, edges, labels)}\n"


def _pictures(diagram: Diagram, edges: Sequence[tuple[int, int]]) -> list[Picture]:
    """Every node; boxes are narrower where many would stand side by side."""
    earliest = [0] * len(diagram.nodes)
    for source, target in sorted(edges):
        earliest[target] = max(earliest[target], earliest[source] + 1)
    crowd = {layer: earliest.count(layer) for layer in set(earliest)}
    return [
        node_picture(node, COLUMNS - 2 if node.lanes else NARROW_BOX if crowd[layer] >= MANY else WIDEST_BOX)
        for node, layer in zip(diagram.nodes, earliest, strict=True)
    ]


def _draw(
    rows: list[list[Item]],
    pictures: Sequence[Picture],
    edges: dict[tuple[int, int], bool],
    labels: dict[tuple[int, int], str],
) -> str:
    canvas = Canvas()
    dashed = {edge for edge, is_dashed in edges.items() if is_dashed}
    top, number = 0, 0
    written: list[tuple[str, int, int]] = []
    for row in rows:
        height = max((pictures[item.node].height for item in row if item.node is not None), default=1)
        for item in row:
            _put(canvas, item, pictures, top, height)
        nets, tracks = route(row, dashed)
        bottom = top + height - 1
        following = bottom + tracks + 2
        for net in nets:
            number += 1
            if net.dashed:
                canvas.dash(number)
            track = bottom + 1 + net.row
            for upper in net.uppers:
                canvas.down(upper.centre, _foot(upper, pictures, top, bottom), track, number)
            canvas.across(track, net.left, net.right, number)
            for lower in net.lowers:
                canvas.down(lower.centre, track, following, number)
                if lower.node is not None:
                    canvas.write("▼", following - 1, lower.centre)
                    written += [
                        (text, following - 1, lower.centre + 2) for text in _labels(net, lower, labels)
                    ]
        top = following
    for text, line, column in written:
        if canvas.is_free(line, column, width(text)):
            canvas.write(text, line, column)
    return canvas.text()


def _put(canvas: Canvas, item: Item, pictures: Sequence[Picture], top: int, height: int) -> None:
    if item.node is None:
        for row in range(top, top + height):
            canvas.write("╎" if item.dashed else "│", row, item.centre)
        return
    piece = pictures[item.node]
    canvas.put(piece, top, item.centre - piece.width // 2)
    if item.after and piece.height > 1:
        canvas.write({"═": "╤"}.get(piece.rows[-1][1], "┬"), top + piece.height - 1, item.centre)


def _foot(item: Item, pictures: Sequence[Picture], top: int, bottom: int) -> int:
    """The row in which a line leaves an item."""
    return bottom if item.node is None else top + pictures[item.node].height - 1


def _labels(net: Net, lower: Item, labels: dict[tuple[int, int], str]) -> list[str]:
    """What is to stand beside the arrow into `lower`."""
    ends = [(upper.node, lower.node) for upper in net.uppers]
    return [labels[edge] for edge in ends if edge in labels]
