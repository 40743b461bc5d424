"""Where wires leave and enter: each has a column of its own on a shape's border."""

from collections.abc import Sequence

from opcode_ascii.seats import Seat, Seating, Wire

_APART = 4

Ports = dict[tuple[Seat, Wire], int]


def ports_of(seating: Seating) -> Ports:
    """A column for each end of each wire, so that as many wires as possible are straight."""
    ports: Ports = {}
    for layer in seating.layers:
        for seat in layer:
            _spread(seat, sorted(seat.above, key=lambda wire: _mean(wire.uppers)), ports)
            _spread(seat, sorted(seat.below, key=lambda wire: _mean(wire.lowers)), ports)
    for wires in seating.wires:
        for wire in wires:
            if wire.is_single:
                _straighten(wire, ports)
    return ports


def _mean(seats: Sequence[Seat]) -> float:
    return sum(seat.x for seat in seats) / len(seats)


def _spread(seat: Seat, wires: Sequence[Wire], ports: Ports) -> None:
    gaps = len(wires) - 1
    apart = max(1, min(_APART, (seat.width - 3) // gaps)) if gaps > 0 else 0
    first = seat.x - apart * gaps // 2
    for place, wire in enumerate(wires):
        ports[seat, wire] = first + place * apart


def _straighten(wire: Wire, ports: Ports) -> None:
    upper, lower = wire.uppers[0], wire.lowers[0]
    above, below = _range(upper, wire, upper.below, ports), _range(lower, wire, lower.above, ports)
    first, last = max(above[0], below[0]), min(above[1], below[1])
    if first <= last:
        wanted = ports[upper, wire] if upper.passes or not lower.passes else ports[lower, wire]
        ports[upper, wire] = ports[lower, wire] = min(max(wanted, first), last)


def _range(seat: Seat, wire: Wire, side: Sequence[Wire], ports: Ports) -> tuple[int, int]:
    """The columns that the wire may have at this seat without changing the order of its neighbours."""
    here = ports[seat, wire]
    if seat.passes:
        return here, here
    reach = max(seat.width // 2 - 2, 0)
    others = [ports[seat, other] for other in side if other is not wire]
    return (
        max([seat.x - reach, *(other + 2 for other in others if other < here)]),
        min([seat.x + reach, *(other - 2 for other in others if other > here)]),
    )
