"""The parallel step: branches side by side, for all of their outputs or for the first."""

import asyncio
from typing import TYPE_CHECKING, Any

from opcode_core import events as e
from opcode_core.engine.deadline import stop_tasks
from opcode_core.engine.failure import Halted, StepFailed
from opcode_core.engine.steps.branches import run_together
from opcode_core.errors import ErrorCode, OpcodeError
from opcode_core.plan import ParallelPlan, StepPlan
from opcode_core.scope import Scope
from opcode_core.stop import Stop

if TYPE_CHECKING:
    from opcode_core.engine.run import Run

LOST = "another branch won the race"


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
        self.places = asyncio.Semaphore(flow.max_concurrency or len(flow.branches))
        self.last: dict[int, str | None] = {}
        self.runners: list[asyncio.Task[None]] = []
        self.winner: int | None = None
        self.failures: dict[int, OpcodeError] = {}
        self.halted: Halted | None = None

    async def all(self) -> dict[str, Any]:
        works = [self.branch(index) for index in range(len(self.scopes))]
        await run_together(works, self.stop, f"branch of {self.step_id}")
        return {"mode": "all", "branches": [self.output(index) for index in range(len(works))]}

    async def race(self) -> dict[str, Any]:
        self.runners = [
            asyncio.create_task(self.runner(index), name=f"branch {scope.prefix}")
            for index, scope in enumerate(self.scopes)
        ]
        pending = set(self.runners)
        try:
            while pending and self.winner is None:
                done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    if not task.cancelled():
                        task.result()
        finally:
            await stop_tasks(self.runners)
        if self.winner is None:
            raise self.lost()
        for index, scope in enumerate(self.scopes):
            if index != self.winner:
                self.run.abandon(scope.prefix, LOST)
        return {"mode": "race", "winner": self.winner, "output": self.output(self.winner)}

    async def runner(self, index: int) -> None:
        """Do a branch; if it is the first to come to a good end, the others stop in the same moment."""
        try:
            await self.branch(index)
        except StepFailed as failed:
            self.failures[index] = failed.error
            return
        except Halted as halted:
            self.halted = halted
            return
        if self.winner is None:
            self.winner = index
            self.stop.request(LOST)
            for other in self.runners[:index] + self.runners[index + 1 :]:
                other.cancel()

    def lost(self) -> Exception:
        """Why nobody won."""
        if self.halted is not None:
            return self.halted
        messages = "; ".join(error.message for error in self.failures.values())
        return OpcodeError(
            ErrorCode.STEP_FAILED,
            f"every branch of the race failed: {messages}",
            details={"branches": {str(i): error.to_dict() for i, error in sorted(self.failures.items())}},
        )

    async def branch(self, index: int) -> None:
        async with self.places:
            self.last[index] = await self.run.door.do_block(self.flow.branches[index], self.scopes[index])

    def output(self, index: int) -> Any:
        last = self.last.get(index)
        return self.run.state.output_of(self.scopes[index].prefix + last) if last else None
