"""A runner: where an action's body executes."""

from typing import Any, Protocol

from opcode_core.contracts.action import Action, ActionContext


class Runner(Protocol):
    """Carries a call to wherever it executes. Names, params and output are JSON, so it may be far away."""

    name: str

    async def run(self, action: Action, params: dict[str, Any], context: ActionContext) -> Any:
        """Execute and give the output; being cancelled stops the execution."""
        ...
