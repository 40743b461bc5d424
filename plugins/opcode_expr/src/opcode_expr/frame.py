"""One evaluation, as its closures see it."""

from collections.abc import Callable
from typing import Any

from opcode_expr.environment import Environment
from opcode_expr.meter import Meter


class Frame:
    """What an evaluation has at hand.

    Attributes:
        names: the scope.
        meter: what it may still use.
        slots: the values of variables, items and accumulators, by their numbers.
    """

    __slots__ = ("meter", "names", "slots")

    def __init__(self, names: Environment, meter: Meter, slots: int) -> None:
        self.names = names
        self.meter = meter
        self.slots: list[Any] = [None] * slots


Closure = Callable[[Frame], Any]
