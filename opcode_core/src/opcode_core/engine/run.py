"""One live run: who may begin, what began, how it ended."""

import asyncio
import logging
import math
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from opcode_core import events as e
from opcode_core.engine.crew import Crew
from opcode_core.engine.deadline import within
from opcode_core.engine.door import Door
from opcode_core.engine.failure import Halted, LogFailed, Parked, StepFailed
from opcode_core.engine.log import Log
from opcode_core.engine.outermost import Outermost
from opcode_core.errors import ErrorCode, OpcodeError
from opcode_core.plan import Plan
from opcode_core.scope import Scope
from opcode_core.state import ACTIVE, CANCELLED, COMPLETED, RUNNING, STEP_ENDED, SUSPENDED, RunState
from opcode_core.stop import Stop
from opcode_core.unfinished import finished

if TYPE_CHECKING:
    from opcode_core.engine.engine import Engine

_log = logging.getLogger("opcode.engine")

TURN = 0.005
"""Seconds of uninterrupted work after which other runs get their turn."""
AGAIN = 1.0
"""Seconds after which a wait that should be over is looked at again."""
BATCH = 512
"""Events after which a run that never waits is committed."""


class _Holding(Stop):
    """Keeps the steps of a run from beginning, without an end to any of them."""

    def __init__(self, run: "Run") -> None:
        super().__init__()
        self._run = run

    def request(self, reason: str) -> None:
        """From now on; for good."""
        del reason
        self._run.holding = True


class Run:
    """A run that is being driven. Its state is only changed by its log.

    Attributes:
        wakes: how often something happened that may end a wait.
        crews: the places in it where tasks go on side by side.
        failure: the first error of an outermost step that nothing helped against.
        outcome: why the run cannot go on in this process, or None.
        secrets: what its steps were given so far, to be hidden wherever it turns up.
        knows_secrets: whether these are all; not so when the run was given some before it came here.
    """

    def __init__(
        self,
        engine: "Engine",
        plan: Plan,
        state: RunState,
        definition: bytes | None = None,
        fence: int = 1,
        snapshot_at: int = 0,
    ) -> None:
        self.engine = engine
        self.plan = plan
        self.state = state
        self.log = Log(engine, state, fence, definition, snapshot_at)
        self.record = self.log.record
        self.commit = self.log.commit
        self.commit_meanwhile = self.log.commit_meanwhile
        self.stop = Stop()
        self.scope = Scope(state, self.stop)
        self.wakes = 0
        self.crews: set[Crew] = set()
        self.door = Door(self)
        self.failure: OpcodeError | None = None
        self.outcome: Exception | None = None
        self.secrets: set[str] = set()
        self.knows_secrets = False
        self.task: asyncio.Task[None] | None = None
        self._now = engine.clock.now
        self.holding = False
        self._idle = False
        self._interruptible = False
        self._output: Any = None
        self._ending: Callable[[], None] | None = None
        self._turn_began = engine.clock.monotonic()
        self._alarm: asyncio.Task[None] | None = None
        self._alarm_at = math.inf
        self._rang_at = -math.inf

    # ---- beside others ------------------------------------------------------------------------

    async def breathe(self) -> None:
        """Give other runs their turn, and keep what is not yet stored small."""
        if len(self.log.unstored) >= BATCH:
            await self.commit()
        if self.engine.clock.monotonic() - self._turn_began > TURN:
            await asyncio.sleep(0)
            self._turn_began = self.engine.clock.monotonic()

    # ---- waiting ------------------------------------------------------------------------------

    def wake(self) -> None:
        """Something has happened that may end a wait."""
        self.wakes += 1
        self._idle = False
        for crew in self.crews:
            crew.notice()

    def parked(self, *, outside: bool = False) -> Parked:
        """To be raised by what waits now."""
        return Parked(outside, self.wakes)

    def resumed(self) -> None:
        """It no longer waits for others."""
        if self.state.status == SUSPENDED and self.state.held is None:
            self.record(e.WORKFLOW_RESUMED, None, {"reason": "a wait is over"})

    def set_alarm(self) -> None:
        """Be woken when the earliest wait is over, as long as the run is in memory."""
        due = self.state.wakes_at
        if due is not None and due < self._alarm_at and not self.engine.closing:
            self._end_alarm()
            self._alarm_at = due
            again = due <= self._rang_at  # it was looked at, and still waits
            ring = self._ring(self._now() + AGAIN if again else due)
            self._alarm = asyncio.create_task(ring, name=f"alarm of run {self.state.id}")

    async def _ring(self, due: float) -> None:
        await self.engine.clock.sleep_until(due)
        self._rang_at = due
        self._alarm, self._alarm_at = None, math.inf
        self.wake()

    def _end_alarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm, self._alarm_at = None, math.inf

    # ---- the whole run ------------------------------------------------------------------------

    async def drive(self) -> None:
        """From wherever the log stands to the end, or until all that is left waits."""
        try:
            if self.state.cancelling is not None:
                self.cancel()
            if (
                self.log.stored
            ):  # what is new, above all that it was interrupted: this may end the process again
                await self.commit()
            while (parked := await self._go_on()) is not None:
                if await self._rest(parked):
                    return
            if not self.state.ended:
                self._end()
                if self.state.status == CANCELLED:
                    await self._cancel_children()
                self.tell_parent()
            await self.log.close()
        except LogFailed as failed:
            _log.error("run %s stops here: %s", self.state.id, failed.error)
            self.outcome = failed.error
        except Exception as error:
            _log.exception("run %s broke", self.state.id)
            self.outcome = error
        finally:
            self._end_alarm()
            await self.log.stored_or_failed()
            self.engine.runs.leaves(self)

    async def _go_on(self) -> Parked | None:
        """As far as it goes: None when nothing is left to do."""
        wakes = self.wakes
        if self._ending is not None or self.state.ended:
            return None
        if self.state.held is not None:
            return Parked(True, wakes)
        try:
            self._interruptible = True
            await self._within_deadline()
            await self._make_output()
            await self._hooks()
        except Parked as parked:
            return None if self._is_ending() else parked
        except asyncio.CancelledError:
            if self._ending is None:
                raise
        finally:
            self._interruptible = False
        return None

    def _end(self) -> None:
        """Whatever else is about to end the run, a cancellation that is stored comes first."""
        if self.state.cancelling is not None:
            self._cancelled()
        else:
            (self._ending or self._finish)()

    def _is_ending(self) -> bool:
        return self._ending is not None

    async def _rest(self, parked: Parked) -> bool:
        """Stay a moment for what may come, then leave memory; False when it came."""
        if parked.outside and self.state.status == ACTIVE:
            self.record(e.WORKFLOW_SUSPENDED, None, {"waiting": list(self.state.parked)})
            self.tell_parent()
        if parked.wakes != self.wakes:
            return False
        await self.commit()
        self._idle = parked.wakes == self.wakes
        self.engine.runs.paused(self)
        async with Crew(self) as crew:
            if parked.wakes == self.wakes and not self.engine.closing and self.engine.linger:
                with suppress(TimeoutError):
                    async with asyncio.timeout(self.engine.linger):
                        await crew.change()
        if parked.wakes != self.wakes and not self.engine.closing:
            return False
        await self.log.close()
        return True

    @property
    def settled(self) -> bool:
        """Whether nothing happens until somebody decides or signals something."""
        return self._idle and self.state.status == SUSPENDED and not self._is_ending()

    @property
    def was_taken_over(self) -> bool:
        """Whether the storage refused the log because another process drives the run."""
        error = self.outcome
        return isinstance(error, OpcodeError) and "fence" in (error.details or {})

    def set_aside(self, error: OpcodeError) -> None:
        """Record that the run failed without doing anything more."""
        self._skip_everything("the run was set aside")
        self.record(e.WORKFLOW_FAILED, None, {"error": error.to_dict()})

    async def _cancel_children(self) -> None:
        """Those that began; one that is just beginning looks for its parent itself."""
        try:
            children = await self.engine.runs.going_children(self.state.id)
        except OpcodeError as error:
            raise LogFailed(error) from error
        for child_id in children:
            reason = f"its parent run {self.state.id} was cancelled"
            self.log.tell(child_id, "cancel", {"reason": reason})

    def tell_parent(self) -> None:
        """Let a run that waits for this one look at it."""
        if self.state.parent_id is not None:
            self.log.tell(self.state.parent_id, "child", {"workflow_id": self.state.id})

    @property
    def begins_nothing(self) -> bool:
        """Whether what would begin now has to wait until the run is taken up again."""
        return self.holding or self.engine.closing

    def fail(self, error: OpcodeError) -> None:
        """An outermost step failed: nothing new begins, and the first such error is the run's."""
        if self.failure is None:
            self.failure = error
            self.stop.request("the run failed")

    def end(self, ending: Callable[[], None]) -> None:
        """Stop all work and let `ending` record how the run ended."""
        if self._ending is None and not self.state.ended:
            self._ending = ending
            self.stop.request("the run was stopped")
            if self._interruptible and self.task is not None:
                self.task.cancel()
            self.wake()

    async def _within_deadline(self) -> None:
        """Do the steps, unless their time is over."""
        deadline = self.state.deadline
        if deadline is None:
            if not self.state.timed_out:
                await Outermost(self).drive()
            return
        left = max(deadline - self._now(), 0.0)
        # What is to be held is not skipped: nothing new begins, and nothing is told to end.
        stop = _Holding(self) if self.plan.on_timeout == "suspend" else self.stop
        try:
            await within(left, Outermost(self).drive(), f"run {self.state.id}", stop)
        except TimeoutError:
            self.resumed()
            self.record(e.WORKFLOW_TIMED_OUT, None, {"timeout": self.plan.timeout})

    async def _make_output(self) -> None:
        """Before the hooks, because an output that cannot be made fails the run."""
        if self.failure is None and self._ending is None and not self.state.timed_out:
            try:
                self._output = await self._rendered_output()
            except OpcodeError as error:
                self.fail(error)

    async def _hooks(self) -> None:
        """The hook step that fits the outcome; how it fares does not change the outcome."""
        if self._ending is not None or (self.state.timed_out and self.plan.on_timeout != "fail"):
            return
        error = self._timeout_error() if self.state.timed_out else self.failure
        hook = self.plan.on_complete if error is None else self.plan.on_error
        if hook is None:
            return
        if error is not None:
            self._skip_unfinished("the run timed out" if self.state.timed_out else "the run failed")
        if error is not None and self.state.handled_error is None:
            self.record(e.ERROR_HANDLER_INVOKED, None, {"handler": hook.id, "error": error.to_dict()})
        scope = Scope(self.state, Stop())
        with suppress(StepFailed, Halted):  # recorded as the hook's own failure
            await self.door.do(hook, scope)

    def _finish(self) -> None:
        self.resumed()
        if self.state.timed_out:
            self._timed_out()
        elif self.failure is not None:
            self._skip_everything("the run failed")
            self.record(e.WORKFLOW_FAILED, None, {"error": self.failure.to_dict()})
        else:
            self.record(e.WORKFLOW_COMPLETED, None, {"output": self._output})

    def _timeout_error(self) -> OpcodeError:
        return OpcodeError(
            ErrorCode.TIMEOUT_ERROR,
            f"the run took longer than its timeout of {self.plan.timeout:g} s",
            details={"timeout": self.plan.timeout},
        )

    def _timed_out(self) -> None:
        if self.plan.on_timeout == "suspend":
            self._hold()
            return
        self._skip_everything("the run timed out")
        error = {"error": self._timeout_error().to_dict()}
        self.record(
            e.WORKFLOW_FAILED if self.plan.on_timeout == "fail" else e.WORKFLOW_CANCELLED, None, error
        )

    def _hold(self) -> None:
        """Stay as it is until somebody says that it may go on."""
        waiting = {"for": "operator", "reason": "timeout", "until": None}
        for step_id, step in self.state.steps.items():
            if step.status == RUNNING and not step.block and step.child is None:
                self.record(e.STEP_SUSPENDED, step_id, {"waiting": waiting})
        self.record(e.WORKFLOW_SUSPENDED, None, {"reason": "timeout", "held": "timeout"})

    def cancel(self) -> None:
        """Stop all work and end as cancelled, for the reason that the log has."""
        self.end(self._cancelled)

    def _cancelled(self) -> None:
        reason = self.state.cancelling
        self._skip_everything("the run was cancelled")
        error = OpcodeError(ErrorCode.CANCELLED, reason or "cancelled")
        self.record(e.WORKFLOW_CANCELLED, None, {"reason": reason, "error": error.to_dict()})

    async def _rendered_output(self) -> Any:
        if self.plan.output is not None:
            return await finished(self.plan.output.render, self.scope)
        done = self.state.steps
        return {
            step_id: done[step_id].output
            for step_id in self.plan.leaves
            if step_id in done and done[step_id].status == COMPLETED
        }

    def _skip_unfinished(self, reason: str) -> None:
        """The steps, but not the hooks."""
        for step in self.plan.steps:
            self.abandon(f"{step.id}.", reason)
            state = self.state.steps.get(step.id)
            if state is None or state.status not in STEP_ENDED:
                self.record(e.STEP_SKIPPED, step.id, {"reason": reason, "halted": True})

    def _skip_everything(self, reason: str) -> None:
        self._skip_unfinished(reason)
        self.abandon("", reason)

    def abandon(self, prefix: str, reason: str) -> None:
        """Skip what began below `prefix` and did not end."""
        begun = [
            step_id
            for step_id, step in self.state.steps.items()
            if step.status not in STEP_ENDED and step_id.startswith(prefix)
        ]
        for step_id in reversed(begun):
            self.record(e.STEP_SKIPPED, step_id, {"reason": reason, "halted": True})
