"""The columns: every seat as near as can be to the middle of what it is connected to."""

from collections.abc import Sequence
from itertools import pairwise

from opcode_ascii.layers import GAP
from opcode_ascii.seats import Seat, Seating, Wire

_SWEEPS = 24
_TRUNK_STAYS_STRAIGHT = 20.0
_LINE_STAYS_STRAIGHT = 3.0
_TRUNK_PULLS = 0.2
_INERTIA = 0.05
_NEARLY = 3  # columns that a seat is moved to make a line straight

Wish = tuple[float, float]  # a column and how much it is wanted


def put_in_columns(seating: Seating, page: int) -> None:
    """Set the `x` of every seat. The picture begins at column 0 and is at most `page` wide if that can be."""
    columns: dict[Seat, float] = {}
    for layer in seating.layers:
        _settle(layer, [(page / 2, 1.0)] * len(layer), columns, page)
    for sweep in range(_SWEEPS):
        for layer in seating.layers if sweep % 2 == 0 else reversed(seating.layers):
            _settle(layer, [_wish(seat, columns) for seat in layer], columns, page)
    for layer in seating.layers:
        _settle(layer, [_straight(seat, columns) for seat in layer], columns, page)
        for seat in layer:
            columns[seat] = seat.x = round(columns[seat])
    left = min((seat.x - seat.width // 2 for layer in seating.layers for seat in layer), default=0)
    for layer in seating.layers:
        for seat in layer:
            seat.x -= left


def _wish(seat: Seat, columns: dict[Seat, float]) -> Wish:
    wishes = [_towards(seat, wire, wire.uppers, columns) for wire in seat.above]
    wishes += [_towards(seat, wire, wire.lowers, columns) for wire in seat.below]
    return _together([*wishes, (columns[seat], _INERTIA)])


def _together(wishes: Sequence[Wish]) -> Wish:
    weight = sum(wanted for _, wanted in wishes)
    return sum(column * wanted for column, wanted in wishes) / weight, weight


def _towards(seat: Seat, wire: Wire, others: Sequence[Seat], columns: dict[Seat, float]) -> Wish:
    trunk = [columns[other] for other in others if other.passes]
    if trunk and seat.passes:
        return trunk[0], _TRUNK_STAYS_STRAIGHT
    real = [columns[other] for other in others if not other.passes]
    ends = real or trunk
    middle = (min(ends) + max(ends)) / 2
    if wire.is_single:
        return middle, _LINE_STAYS_STRAIGHT
    return middle, 1.0 if real and not seat.passes else _TRUNK_PULLS


def _straight(seat: Seat, columns: dict[Seat, float]) -> Wish:
    """Exactly below what is nearly above; else where it is."""
    here = columns[seat]
    uppers = [upper for wire in seat.above for upper in wire.uppers]
    alike = [upper for upper in uppers if upper.passes == seat.passes]
    above = [columns[upper] for upper in alike or uppers]
    nearest = min(above, key=lambda column: abs(column - here), default=here)
    if above and abs(nearest - here) <= _NEARLY:
        return nearest, _TRUNK_STAYS_STRAIGHT if seat.passes else _LINE_STAYS_STRAIGHT
    return here, 1.0


def _settle(layer: Sequence[Seat], wishes: Sequence[Wish], columns: dict[Seat, float], page: int) -> None:
    """The columns nearest to the wishes (least squares) that keep the order and the distances.

    Less the distances, the columns have only to increase: pool adjacent violators.
    """
    offsets = _offsets(layer)
    lowest = layer[0].width // 2
    highest = max(lowest, page - 1 - layer[-1].width // 2 - offsets[-1])
    pools: list[tuple[float, float, int]] = []
    for (column, wanted), offset in zip(wishes, offsets, strict=True):
        at, weight, size = column - offset, wanted, 1
        while pools and pools[-1][0] >= at:
            other, other_weight, other_size = pools.pop()
            at = (at * weight + other * other_weight) / (weight + other_weight)
            weight, size = weight + other_weight, size + other_size
        pools.append((at, weight, size))
    settled = [min(max(at, lowest), highest) for at, _, size in pools for _ in range(size)]
    for seat, at, offset in zip(layer, settled, offsets, strict=True):
        columns[seat] = at + offset


def _offsets(layer: Sequence[Seat]) -> list[int]:
    """How far the middle of each seat is from the first one's, at least."""
    offsets = [0]
    for left, right in pairwise(layer):
        gap = 1 if left.passes or right.passes else GAP
        offsets.append(offsets[-1] + left.width // 2 + right.width // 2 + 1 + gap)
    return offsets
