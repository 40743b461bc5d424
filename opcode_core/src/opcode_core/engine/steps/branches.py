"""Work side by side that fails together."""

import asyncio
from collections.abc import Sequence

from opcode_core.engine.deadline import stop as stop_tasks
from opcode_core.engine.failure import Halted, StepFailed
from opcode_core.stop import Stop


async def run_together(tasks: Sequence["asyncio.Task[None]"], stop: Stop) -> None:
    """Wait for all. After the first failure nothing new begins, what is in flight ends, and it is raised."""
    failure: StepFailed | None = None
    halted: Halted | None = None
    pending = set(tasks)
    try:
        while pending:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            for task in sorted(done, key=tasks.index):
                try:
                    task.result()
                except StepFailed as failed:
                    failure = failure or failed
                    stop.request("a step beside it failed")
                except Halted as raised:
                    halted = halted or raised
    finally:
        await stop_tasks(tasks)
    if failure is not None or halted is not None:
        raise failure or halted  # type: ignore[misc]
