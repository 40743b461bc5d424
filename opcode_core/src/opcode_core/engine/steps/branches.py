"""Work side by side that fails together."""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

from opcode_core.engine.deadline import stop_tasks
from opcode_core.engine.failure import Halted, StepFailed
from opcode_core.stop import Stop


async def run_together(works: Sequence[Coroutine[Any, Any, None]], stop: Stop, name: str) -> None:
    """Wait for all. After the first failure nothing new begins, what is in flight ends, and it is raised."""
    failures: list[StepFailed] = []
    halts: list[Halted] = []

    async def watched(work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except StepFailed as failed:
            stop.request("a step beside it failed")
            failures.append(failed)
        except Halted as halted:
            halts.append(halted)

    tasks = [asyncio.create_task(watched(work), name=name) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()
    finally:
        await stop_tasks(tasks)
    for raised in (*failures, *halts):
        raise raised
