"""What the compiler asks of those who know what is installed."""

from collections.abc import Sequence
from typing import Protocol

from opcode_core.contracts.action import Action
from opcode_core.contracts.expression import ExpressionEngine
from opcode_core.schemas import Schema


class Catalogue(Protocol):
    """What is installed; the registry is one."""

    def action(self, name: str) -> Action | None:
        """The action of that name."""
        ...

    def schema(self, action: Action) -> Schema:
        """The action's params schema, ready to check."""
        ...

    def engine(self, name: str) -> ExpressionEngine | None:
        """The expression engine of that name."""
        ...

    def action_names(self) -> Sequence[str]:
        """All names, for suggestions."""
        ...

    def conflict(self, kind: str, name: str) -> str | None:
        """Why the name means two things, or None."""
        ...
