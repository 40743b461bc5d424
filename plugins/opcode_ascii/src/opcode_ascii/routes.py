"""The lines between two layers: which share a track, and in which row each track lies."""

from collections.abc import Sequence
from dataclasses import dataclass

from opcode_ascii.layers import Item


@dataclass(slots=True)
class Net:
    """Lines that leave one item, or that reach one item, and so may share a horizontal track."""

    uppers: list[Item]
    lowers: list[Item]
    row: int = 0
    dashed: bool = False

    @property
    def left(self) -> int:
        """Its first column."""
        return min(item.centre for item in (*self.uppers, *self.lowers))

    @property
    def right(self) -> int:
        """Its last column."""
        return max(item.centre for item in (*self.uppers, *self.lowers))


def route(upper: Sequence[Item], dashed: set[tuple[int, int]]) -> tuple[list[Net], int]:
    """Nets below a layer, and how many rows their tracks take.

    A line belongs to the net of whichever end has more lines. Nets of upper ends lie above nets of
    lower ends, so that no line seems to run from one source into another's target.
    """
    parting: dict[tuple[int, bool], Net] = {}
    joining: dict[tuple[int, bool], Net] = {}
    for source in upper:
        for target in source.after:
            is_dashed = _is_dashed(source, target, dashed)
            by_source = len(source.after) >= len(target.before)
            nets, key = (parting, id(source)) if by_source else (joining, id(target))
            net = nets.setdefault((key, is_dashed), Net([], [], dashed=is_dashed))
            for items, item in ((net.uppers, source), (net.lowers, target)):
                if item not in items:
                    items.append(item)
    first = _stack(list(parting.values()), 0)
    rows = _stack(list(joining.values()), first)
    return [*parting.values(), *joining.values()], rows


def _is_dashed(source: Item, target: Item, dashed: set[tuple[int, int]]) -> bool:
    if source.node is None:
        return source.dashed
    if target.node is None:
        return target.dashed
    return (source.node, target.node) in dashed


def _stack(nets: list[Net], row: int) -> int:
    """Put nets whose spans overlap into different rows, from `row` on; the row after the last."""
    ends: list[int] = []
    for net in sorted(nets, key=lambda net: (net.left, net.right)):
        if net.left == net.right:
            net.row = row
            continue
        track = next((i for i, end in enumerate(ends) if end < net.left), len(ends))
        ends[track : track + 1] = [net.right]
        net.row = row + track
    return row + len(ends)
