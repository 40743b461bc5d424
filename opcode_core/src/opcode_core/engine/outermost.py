"""The outermost steps: each begins as soon as everything that it waits for has ended."""

from collections import deque
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from opcode_core import events as e
from opcode_core.engine import steps
from opcode_core.engine.crew import Crew
from opcode_core.engine.failure import Halted, Parked, StepFailed, all_parked
from opcode_core.plan import StepPlan
from opcode_core.scope import Scope
from opcode_core.state import FAILED, STEP_ENDED
from opcode_core.unfinished import Unfinished

if TYPE_CHECKING:
    from opcode_core.engine.run import Run

Work = Callable[[StepPlan, Scope], Awaitable[None]]
"""How the door does a step."""


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
                    work = self._left_of(index)
                    if work is None:
                        self._release(index, waits, ready)
                        began += 1
                        if not began & 31:
                            await run.breathe()
                    else:
                        crew.begin(self._do(index, work), f"step {plan.steps[index].id}")
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

    def _left_of(self, index: int) -> Work | None:
        """What there is to do for a step; None when it has ended, by the log, at once, or by not being needed."""
        step = self.plan.steps[index]
        state = self.run.state.steps.get(step.id)
        if state is not None:
            ended = state.status in STEP_ENDED and (state.status != FAILED or state.fallback is not None)
            return None if ended else self.door.do
        if index in self.plan.owners:
            return None if self._is_spare(index) else self.door.do
        return self._left_at_once(step) if step.at_once else self.door.do

    async def _do(self, index: int, work: Work) -> None:
        """Do a step; its failure stops the run in the same moment."""
        try:
            await work(self.plan.steps[index], self.scope)
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

    def _left_at_once(self, step: StepPlan) -> Work | None:
        """Do an outermost step in place; what takes time, such as another attempt, is left."""
        step_id, scope, door = step.id, self.scope, self.door
        left = door.do
        if self.run.begins_nothing:
            return left
        try:
            if not door.begin(step, step_id, scope):
                return None
            left = door.go_on
            error = steps.call_at_once(self.run, step, step_id, scope)
            if error is None:
                return None
            if door.may_retry(step, step_id, error, scope):
                door.retrying(step, step_id, error)
                return door.do
            door.failed(step, step_id, error)
        except Unfinished as unfinished:
            unfinished.drop()
            return left
        except StepFailed as failed:
            self.run.fail(failed.error)
        return None
