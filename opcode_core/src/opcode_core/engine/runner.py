"""The runner in this process: async actions on the loop, blocking ones in threads."""

from functools import partial
from typing import Any

from anyio import CapacityLimiter
from anyio.to_thread import run_sync

from opcode_core.contracts.action import Action, ActionContext


class InProcessRunner:
    """Calls the action's body here. The engine's pool bounds how many at once."""

    name = "in_process"

    async def run(self, action: Action, params: dict[str, Any], context: ActionContext) -> Any:
        """Call, and await or move to a thread where needed; a cancelled thread is left to itself."""
        if action.is_async:
            return await action.call(params, context)
        if not action.blocking:
            return action.call(params, context)
        # The pool is the bound; a thread that was given up must not take a place from the others.
        call = partial(action.call, params, context)
        return await run_sync(call, abandon_on_cancel=True, limiter=CapacityLimiter(1))
