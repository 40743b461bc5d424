"""Expressions that are not done at once: what they stand in is made anew when they are."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

from opcode_core.errors import OpcodeError

if TYPE_CHECKING:
    from opcode_core.contracts.expression import Program
    from opcode_core.scope import Scope

T = TypeVar("T")


class Unfinished(Exception):  # noqa: N818
    """The value of an expression has to be waited for, which only who called can do.

    Args:
        program: the expression.
        scope: where it stands.
        value: what gives its value.
    """

    def __init__(self, program: "Program", scope: "Scope", value: Awaitable[Any]) -> None:
        super().__init__("takes longer")
        self._program = program
        self._scope = scope
        self._value = value

    async def answered(self) -> "Scope":
        """The same place, where the expression has its value, or its fault, at once."""
        steps = self._scope.names["steps"]
        steps.missed = None
        try:
            answer = await self._value
        except OpcodeError as error:
            answer = error
        return self._scope.with_answer(self._program, answer, steps.missed)

    def drop(self) -> None:
        """It is not waited for."""
        close = getattr(self._value, "close", None)
        if close is not None:
            close()


async def finished(make: "Callable[[Scope], T]", scope: "Scope") -> T:
    """`make(scope)`, whatever time the expressions in it take; each of them is evaluated once."""
    while True:
        try:
            return make(scope)
        except Unfinished as unfinished:
            scope = await unfinished.answered()
