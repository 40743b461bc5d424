"""The parallel step: branches side by side, for all of their outputs or for the first."""

import asyncio
from typing import TYPE_CHECKING, Any

from opcode_core import events as e
from opcode_core.engine.deadline import stop as stop_tasks
from opcode_core.engine.failure import StepFailed
from opcode_core.engine.steps.branches import run_together
from opcode_core.errors import ErrorCode, OpcodeError
from opcode_core.plan import ParallelPlan, StepPlan
from opcode_core.scope import Scope
from opcode_core.stop import Stop

if TYPE_CHECKING:
    from opcode_core.engine.run import Run


async def run_parallel(run: "Run", step: StepPlan, step_id: str, scope: Scope) -> dict[str, Any]:
    """Run the branches, at most `max_concurrency` at once."""
    flow = step.flow
    assert isinstance(flow, ParallelPlan)
    branches = _Branches(run, flow, step_id, scope)
    run.record(e.PARALLEL_STARTED, step_id, {"mode": flow.mode, "branches": len(flow.branches)})
    output = await (branches.race() if flow.mode == "race" else branches.all())
    done = {"mode": flow.mode, **({"winner": output["winner"]} if flow.mode == "race" else {})}
    run.record(e.PARALLEL_COMPLETED, step_id, done)
    return output


class _Branches:
    def __init__(self, run: "Run", flow: ParallelPlan, step_id: str, scope: Scope) -> None:
        self.run = run
        self.flow = flow
        self.step_id = step_id
        self.stop = Stop(scope.stop)
        self.scopes = [scope.within(f"{step_id}.{branch.name}.", stop=self.stop) for branch in flow.branches]
        self.last: dict[int, str | None] = {}

    async def all(self) -> dict[str, Any]:
        works = [self.branch(index) for index in range(len(self.scopes))]
        await run_together(works, self.stop, f"branch of {self.step_id}")
        return {"mode": "all", "branches": [self.output(index) for index in range(len(works))]}

    async def race(self) -> dict[str, Any]:
        runners = [
            asyncio.create_task(self.runner(index), name=f"branch {scope.prefix}")
            for index, scope in enumerate(self.scopes)
        ]
        self.won = asyncio.get_running_loop().create_future()
        ...

    async def branch(self, index: int) -> None:
        async with self.places:
            self.last[index] = await self.run.door.do_block(self.flow.branches[index], self.scopes[index])

    def output(self, index: int) -> Any:
        last = self.last.get(index)
        return self.run.state.output_of(self.scopes[index].prefix + last) if last else None
