"""The outermost steps: each begins as soon as everything that it waits for has ended."""

from collections import deque
from typing import TYPE_CHECKING

from opcode_core import events as e
from opcode_core.engine import steps
from opcode_core.engine.crew import Crew
from opcode_core.engine.failure import Halted, Parked, StepFailed, all_parked
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
        self.ended: deque[int] = deque()
        self.parked: dict[int, Parked] = {}

    async def drive(self) -> None:
        """Start each outermost step as soon as everything that it waits for has ended.

        Raises:
            Parked: when all that is left waits.
        """
        run, plan, waits = self.run, self.plan, list(self.plan.waits)
        ready = deque(index for index, count in enumerate(waits) if count == 0)
        began = 0
        async with Crew(run) as crew:
            while ready or crew.tasks:
                while ready and run.stop.reason is None:
                    index = ready.popleft()
                    if self._done_already(index):
                        self._release(index, waits, ready)
                        began += 1
                        if not began & 31:
                            await run.breathe()
                    else:
                        crew.begin(self._do(index), f"step {plan.steps[index].id}")
                if run.stop.reason is not None:
                    ready.clear()
                if crew.tasks:
                    if run.log.unstored:
                        await run.commit()
                    await crew.change()
                    while self.ended:
                        self._release(self.ended.popleft(), waits, ready)
                    ready.extend(self._woken())
        if self.parked and run.stop.reason is None:
            raise all_parked(self.parked.values())

    def _woken(self) -> list[int]:
        """The steps whose wait may be over."""
        woken = [index for index, waits in self.parked.items() if waits.wakes != self.run.wakes]
        for index in woken:
            del self.parked[index]
        return woken

    def _done_already(self, index: int) -> bool:
        """Whether a step has ended, by the log, at once, or by not being needed."""
        step = self.plan.steps[index]
        state = self.run.state.steps.get(step.id)
        if state is not None:
            return state.status in STEP_ENDED and (state.status != FAILED or state.fallback is not None)
        if index in self.plan.owners:
            return self._is_spare(index)
        return step.at_once and self._done_at_once(step, self.scope)

    async def _do(self, index: int) -> None:
        """Do a step; its failure stops the run in the same moment."""
        try:
            await self.door.do(self.plan.steps[index], self.scope)
        except StepFailed as failed:
            self.run.fail(failed.error)
        except Halted:
            pass
        except Parked as waits:
            self.parked[index] = waits
            return
        self.ended.append(index)

    def _release(self, index: int, waits: list[int], ready: deque[int]) -> None:
        for child in self.plan.children[index]:
            waits[child] -= 1
            if waits[child] == 0:
                ready.append(child)

    def _is_spare(self, index: int) -> bool:
        """Whether this step only stands in for others, and none of them needs it."""
        step_id = self.plan.steps[index].id
        done = self.run.state.steps
        if any(done[self.plan.steps[owner].id].fallback == step_id for owner in self.plan.owners[index]):
            return False
        self.run.record(e.STEP_SKIPPED, step_id, {"reason": "not needed as a fallback"})
        return True

    def _done_at_once(self, step: StepPlan, scope: Scope) -> bool:
        """Do an outermost step in place; False when it has to be tried again, which takes time."""
        step_id = step.id
        if self.run.begins_nothing:
            return False
        try:
            if not self.door.begin(step, step_id, scope):
                return True
            error = steps.call_at_once(self.run, step, step_id, scope)
            if error is None:
                return True
            if self.door.may_retry(step, step_id, error, scope):
                self.door.retrying(step, step_id, error)
                return False
            self.door.failed(step, step_id, error)
        except StepFailed as failed:
            self.run.fail(failed.error)
        return True
