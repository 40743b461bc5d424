"""The wires on the canvas: lines, crossings, arrows and labels."""

from collections.abc import Mapping, Sequence

from opcode_ascii.canvas import Canvas
from opcode_ascii.channels import Run
from opcode_ascii.glyphs import Weight
from opcode_ascii.ports import Ports
from opcode_ascii.seats import Wire
from opcode_ascii.text import shorten, width

_SHORTEST_LABEL = 6


def draw_channel(
    canvas: Canvas, runs: Sequence[Run], starts: Mapping[int, int], top: int, arrows: int
) -> None:
    """Draw the runs of one channel.

    `starts` has the row where the line from above begins, for each column that has one; `top` is the first
    row of the channel, and `arrows` its last one.
    """
    lines = []
    for run in runs:
        weight = _weight(run.wire)
        row = top + run.row
        if not run.is_straight:
            canvas.horizontal(run.left, run.right, row, weight)
        for column in run.uppers:
            if column in starts:
                end = arrows if run.is_straight else row
                canvas.vertical(column, starts[column], end, weight)
                lines.append((run, column, starts[column], end))
        for column in () if run.is_straight else run.lowers:
            end = _end(run, column, runs, top, arrows)
            canvas.vertical(column, row, end, weight)
            lines.append((run, column, row, end))
    for run, column, first, last in lines:
        for other in runs:
            row = top + other.row
            if other.wire is not run.wire and first < row < last and other.crosses(column):
                canvas.mark(column, row, "╎" if run.wire.net.fallback else "│")


def _weight(wire: Wire) -> Weight:
    return Weight.DASHED if wire.net.fallback else Weight.LIGHT


def _end(run: Run, column: int, runs: Sequence[Run], top: int, arrows: int) -> int:
    """Where the line down from `run` ends: at the other half of a bent wire, or at the end of the channel."""
    for other in runs:
        if other.wire is run.wire and other is not run and run.lowers == other.uppers == [column]:
            return top + other.row
    return arrows


def draw_arrows(canvas: Canvas, wires: Sequence[Wire], ports: Ports, y: int, page: int) -> None:
    """Arrows into the shapes below the row `y`, and beside them the labels."""
    for wire in wires:
        for seat in wire.lowers:
            if not seat.passes:
                canvas.mark(ports[seat, wire], y, "▽" if wire.net.fallback else "▼")
    for wire in wires:
        if wire.net.label:
            _write_label(
                canvas, wire.net.label, [ports[s, wire] for s in wire.lowers if not s.passes], y, page
            )


def _write_label(canvas: Canvas, label: str, columns: Sequence[int], y: int, page: int) -> None:
    """Beside every arrow where there is room for all of it; if there is none, once in what room there is."""
    wanted, written = width(label), False
    for x in columns:
        for step in (1, -1):
            if _room(canvas, x, y, step, page) >= wanted:
                canvas.text(_begin(x, step, wanted), y, label)
                written = True
                break
    if columns and not written:
        room, x, step = max((_room(canvas, x, y, step, page), x, step) for x in columns for step in (-1, 1))
        if room >= _SHORTEST_LABEL:
            shown = shorten(label, room)
            canvas.text(_begin(x, step, width(shown)), y, shown)


def _begin(x: int, step: int, length: int) -> int:
    return x + 2 if step > 0 else x - 1 - length


def _room(canvas: Canvas, x: int, y: int, step: int, page: int) -> int:
    """Empty cells beside a column, less one on each side."""
    empty, at = 0, x + step
    while 0 <= at < min(page, canvas.width) and canvas.is_blank(at, y, 1):
        empty += 1
        at += step
    # At the edge of the page nothing follows that the label could touch.
    return empty - 1 if not 0 <= at < page else empty - 2
