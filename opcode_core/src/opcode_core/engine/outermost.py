"""The outermost steps: each begins as soon as everything that it waits for has ended."""

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from opcode_core import events as e
from opcode_core.engine import steps
from opcode_core.engine.deadline import stop_tasks
from opcode_core.engine.failure import Halted, StepFailed
from opcode_core.plan import StepPlan
from opcode_core.scope import Scope
from opcode_core.state import FAILED, STEP_ENDED

if TYPE_CHECKING:
    from opcode_core.engine.run import Run


class Outermost:
    """Drives a run's graph by counting, for each step, what it still waits for."""

    def __init__(self, run: "Run") -> None:
        self.run = run
        self.door = run.door
        self.plan = run.plan
        self.scope = run.scope
        self.ended: asyncio.Queue[asyncio.Task[None]] = asyncio.Queue()

    async def drive(self) -> None:
        """Start each outermost step as soon as everything that it waits for has ended."""
        plan, scope = self.plan, self.scope
        waits = list(plan.waits)
        ready = deque(index for index, count in enumerate(waits) if count == 0)
        tasks: dict[asyncio.Task[None], int] = {}
        began = 0
        try:
            while ready or tasks:
                while ready and self.run.stop.reason is None:
                    index = ready.popleft()
                    step = plan.steps[index]
                    if step.at_once and index not in plan.owners and self._done_at_once(step, scope):
                        self._release(index, waits, ready)
                        began += 1
                        if not began & 31:
                            await self.run.breathe()
                    elif self._is_spare(index):
                        self._release(index, waits, ready)
                    else:
                        task = asyncio.create_task(self._do(step, scope), name=f"step {step.id}")
                        task.add_done_callback(self.ended.put_nowait)
                        tasks[task] = index
                if self.run.stop.reason is not None:
                    ready.clear()
                if tasks:
                    for task in await self._ended():
                        task.result()
                        self._release(tasks.pop(task), waits, ready)
        finally:
            await stop_tasks(tasks)

    async def _do(self, step: StepPlan, scope: Scope) -> None:
        """Do a step; its failure stops the run in the same moment."""
        try:
            await self.door.do(step, scope)
        except StepFailed as failed:
            self.run.fail(failed.error)
        except Halted:
            pass

    async def _ended(self) -> list["asyncio.Task[None]"]:
        """The tasks that ended since the last time, in the order in which they did; one at least."""
        if self.run.unstored:
            await self.run.commit()
        ended = [await self.ended.get()]
        while not self.ended.empty():
            ended.append(self.ended.get_nowait())
        return ended

    def _release(self, index: int, waits: list[int], ready: deque[int]) -> None:
        for child in self.plan.children[index]:
            waits[child] -= 1
            if waits[child] == 0:
                ready.append(child)

    def _is_spare(self, index: int) -> bool:
        """Whether this step only stands in for others, and none of them needs it."""
        owners = self.plan.owners.get(index)
        if owners is None:
            return False
        step_id = self.plan.steps[index].id
        done = self.run.state.steps
        if any(done[self.plan.steps[owner].id].fallback == step_id for owner in owners):
            return False
        if step_id not in done:
            self.run.record(e.STEP_SKIPPED, step_id, {"reason": "not needed as a fallback"})
        return True

    def _done_at_once(self, step: StepPlan, scope: Scope) -> bool:
        """Do an outermost step in place; False when it has to be tried again, which takes time."""
        step_id = step.id
        state = self.run.state.steps.get(step_id)
        if state is not None:
            return state.status in STEP_ENDED and state.status != FAILED
        try:
            if not self.door.begin(step, step_id, scope):
                return True
            error = steps.call_at_once(self.run, step, step_id, scope)
            if error is None:
                return True
            if self.door.may_retry(step, error, 1, scope):
                self.door.retrying(step, step_id, error, 1)
                return False
            self.door.failed(step, step_id, error, 1)
        except StepFailed as failed:
            self.run.fail(failed.error)
        return True
