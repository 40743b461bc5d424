"""Where in an expression something stands, and what closures do with each other's values."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from opcode_core import StepView
from opcode_expr.faults import EvalError
from opcode_expr.frame import Closure, Frame
from opcode_expr.predicates import Loop
from opcode_expr.values import truth

Step = Callable[[Any, Frame], Any]
"""Takes the value of what stands left of it."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where in an expression something stands.

    Attributes:
        variables: the slots of the variables that are known here.
        loop: the predicate that this is in, if it is in one.
        depth: how many levels it is inside of others.
    """

    variables: Mapping[str, int] = field(default_factory=dict)
    loop: Loop | None = None
    depth: int = 0


def settling(raw: Closure) -> Closure:
    """Of a step its output."""

    def settle(frame: Frame) -> Any:
        value = raw(frame)
        return value.output if type(value) is StepView else value

    return settle


def forgiving(value: Closure) -> Closure:
    """Nil for a name or a step that is not there."""

    def forgive(frame: Frame) -> Any:
        try:
            return value(frame)
        except EvalError as fault:
            if fault.missing:
                return None
            raise

    return forgive


def true(value: Any, where: str) -> bool:
    """Whether a value is true.

    Raises:
        EvalError: it is no boolean; `where` is the source of it.
    """
    if value is True or value is False:
        return value
    try:
        return truth(value)
    except EvalError as fault:
        raise fault.at(where) from None
