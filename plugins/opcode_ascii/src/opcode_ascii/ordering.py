"""The order from left to right in each layer: as defined, changed where that saves crossings."""

from bisect import bisect_right, insort
from collections.abc import Iterable, Sequence
from statistics import fmean

from opcode_ascii.seats import Seat, Seating, Wire

_SWEEPS = 6


def put_in_order(seating: Seating) -> None:
    """Sort every layer of `seating`, by the barycentres of the neighbours."""
    layers = seating.layers
    for layer in layers:
        _sort(layer, upwards=True, settled=not any(seat.passes for seat in layer))
    best, fewest = [list(layer) for layer in layers], _crossings(seating)
    for sweep in range(_SWEEPS):
        if not fewest:
            break
        downwards = sweep % 2 == 0
        for layer in layers if downwards else reversed(layers):
            _sort(layer, upwards=downwards, settled=False)
        count = _crossings(seating)
        if count < fewest:
            best, fewest = [list(layer) for layer in layers], count
    for layer, order in zip(layers, best, strict=True):
        layer[:] = order
        _number(layer)


def _sort(layer: list[Seat], *, upwards: bool, settled: bool) -> None:
    """By the barycentres of the neighbours above (or below); a settled layer only gets its numbers."""
    if not settled:
        keys = {}
        for place, seat in enumerate(layer):
            near = _neighbours(seat, upwards=upwards)
            keys[seat] = (fmean(other.place for other in near) if near else float(place), seat.index)
        layer.sort(key=keys.__getitem__)
    _number(layer)


def _number(layer: Iterable[Seat]) -> None:
    for place, seat in enumerate(layer):
        seat.place = place


def _neighbours(seat: Seat, *, upwards: bool) -> list[Seat]:
    if upwards:
        return [other for wire in seat.above for other in wire.uppers]
    return [other for wire in seat.below for other in wire.lowers]


def _crossings(seating: Seating) -> int:
    return sum(_crossings_of(wires) for wires in seating.wires)


def _crossings_of(wires: Sequence[Wire]) -> int:
    """How often the straight lines between the ends of different wires would cross."""
    every = _inversions((up.place, low.place) for wire in wires for up in wire.uppers for low in wire.lowers)
    own = sum(
        _inversions((up.place, low.place) for up in wire.uppers for low in wire.lowers)
        for wire in wires
        if not wire.is_single
    )
    return every - own


def _inversions(pairs: Iterable[tuple[int, int]]) -> int:
    seen: list[int] = []
    count = 0
    for _, low in sorted(pairs):
        count += len(seen) - bisect_right(seen, low)
        insort(seen, low)
    return count
