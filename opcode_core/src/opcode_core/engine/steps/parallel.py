"""The parallel step: branches side by side, for all of their outputs or for the first."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from opcode_core import events as e
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
    if not run.state.steps[step_id].begun:
        run.record(e.PARALLEL_STARTED, step_id, {"mode": flow.mode, "branches": len(flow.branches)})
    branches = _Branches(run, flow, step_id, scope)
    return await (branches.race() if flow.mode == "race" else branches.all())


class _Won(Exception):  # noqa: N818
    """A branch came to a good end before the others."""


class _Branches:
    def __init__(self, run: "Run", flow: ParallelPlan, step_id: str, scope: Scope) -> None:
        self.run = run
        self.flow = flow
        self.step_id = step_id
        self.stop = Stop(scope.stop)
        self.scopes = [scope.within(f"{step_id}.{branch.name}.", stop=self.stop) for branch in flow.branches]
        self.places = asyncio.Semaphore(flow.max_concurrency or len(flow.branches))
        self.last: dict[int, str | None] = {}
        self.failures: dict[int, OpcodeError] = {}
        self.halted: Halted | None = None

    async def all(self) -> dict[str, Any]:
        await self.together(self.branch)
        self.run.record(e.PARALLEL_COMPLETED, self.step_id, {"mode": "all"})
        return {"mode": "all", "branches": [self.output(index) for index in range(len(self.scopes))]}

    async def race(self) -> dict[str, Any]:
        if self.winner is None:
            with suppress(_Won):
                await self.together(self.runner)
        if self.winner is None:
            raise self.lost()
        for index, scope in enumerate(self.scopes):
            if index != self.winner:
                self.run.abandon(scope.prefix, LOST)
        await self.branch(self.winner)  # by the log it is done, and says which step was its last
        return {"mode": "race", "winner": self.winner, "output": self.output(self.winner)}

    @property
    def winner(self) -> int | None:
        """As the log has it, so that a race is never run twice."""
        choice = self.run.state.steps[self.step_id].choice
        return None if choice is None else choice["winner"]

    async def together(self, work: Callable[[int], Coroutine[Any, Any, None]]) -> None:
        works = [partial(work, index) for index in range(len(self.scopes))]
        await run_together(self.run, works, self.stop, f"branch of {self.step_id}")

    async def runner(self, index: int) -> None:
        """Do a branch; if it is the first to come to a good end, the others stop in the same moment."""
        try:
            await self.branch(index)
        except StepFailed as failed:
            self.failures[index] = failed.error
        except Halted as halted:
            self.halted = halted
        else:
            if self.winner is None:
                self.run.record(e.PARALLEL_COMPLETED, self.step_id, {"mode": "race", "winner": index})
                self.stop.request(LOST)
                raise _Won

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
