"""Compiling what was stored: it was valid then, and what is missing now is told by the step that needs it."""

from collections.abc import Sequence
from typing import Any

from opcode_core.contracts.action import Action, ActionContext
from opcode_core.contracts.expression import ExpressionEngine
from opcode_core.errors import ErrorCode, OpcodeError
from opcode_core.plugins.registry import Registry
from opcode_core.schemas import Schema

_ANYTHING = Schema({})


class Remembered:
    """A catalogue for stored definitions.

    A tool that is gone, for its server was removed or offers it no more, refuses no definition: runs that are on their
    way must be shown and must have an end, and those that never reach the step need nothing of it. Params of what
    comes and goes are checked at the call, for a schema that changed since must not end a run either. An action
    of a plugin that is not installed does refuse: another process may have it, and go on with the run.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def action(self, name: str) -> Action | None:
        """The installed one, or one that says that it is gone."""
        found = self._registry.action(name)
        return _gone(name) if found is None and self._registry.was_provided(name) else found

    def schema(self, action: Action) -> Schema:
        """The action's own, unless it comes and goes."""
        return _ANYTHING if self._registry.was_provided(action.name) else self._registry.schema(action)

    def engine(self, name: str) -> ExpressionEngine | None:
        """As the registry has it."""
        return self._registry.engine(name)

    def action_names(self) -> Sequence[str]:
        """As the registry has them."""
        return self._registry.action_names()

    def conflict(self, kind: str, name: str) -> str | None:
        """As the registry says."""
        return self._registry.conflict(kind, name)


def _gone(name: str) -> Action:
    server = name.partition(".")[0]

    async def call(_: dict[str, Any], __: ActionContext | None) -> Any:
        raise OpcodeError(
            ErrorCode.ACTION_UNAVAILABLE,
            f"{name} cannot be called: the tool server '{server}' was removed, or offers it no more;"
            " `opcode tools list` shows which there are",
        )

    return Action(name, "It is gone.", "external", {}, {}, call, is_async=True)
