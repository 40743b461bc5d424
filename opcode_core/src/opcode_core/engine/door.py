"""The door through which every step goes: the log is asked first, then guard, attempts, retries, `on_error`."""

import asyncio
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

from opcode_core import events as e
from opcode_core.contracts.expression import Program
from opcode_core.engine import steps
from opcode_core.engine.deadline import within
from opcode_core.engine.failure import Halted, LogFailed, Parked, StepFailed, as_error, exhausted
from opcode_core.engine.log import NOTHING
from opcode_core.engine.reopening import around
from opcode_core.engine.retry import pause_before
from opcode_core.errors import ErrorCode, OpcodeError
from opcode_core.plan import Block, StepPlan
from opcode_core.scope import Scope
from opcode_core.state import COMPLETED, FAILED, PENDING, RETRYING, STEP_ENDED, SUSPENDED, StepState
from opcode_core.stop import Stop
from opcode_core.unfinished import Unfinished

if TYPE_CHECKING:
    from opcode_core.engine.run import Run

HELD = 3.0
"""Seconds of waiting that are held in memory; what takes longer is left to a row."""


class Door:
    """Does the steps of one run, each known by its full id."""

    __slots__ = ("doing", "record", "run", "skipped", "state")

    def __init__(self, run: "Run") -> None:
        self.run = run
        self.state = run.state
        self.record = run.record
        self.doing: dict[str, asyncio.Task[Any] | None] = {}
        self.skipped: set[str] = set()

    async def do_block(self, block: Block, scope: Scope) -> str | None:
        """Do a block's steps one after another; the id of the last that completed, whose output is the block's."""
        last = None
        for step in block.steps:
            if step.id in block.fallbacks:
                continue
            while True:
                await self.do(step, scope)
                state = self.state.steps[scope.prefix + step.id]
                if state.status == COMPLETED:
                    last = step.id
                if state.fallback is None:
                    break
                step = next(s for s in block.steps if scope.prefix + s.id == state.fallback)  # noqa: PLW2901
        return last

    async def do(self, step: StepPlan, scope: Scope) -> None:
        """Do a step, known by its full id, unless the log says that it is done.

        Raises:
            StepFailed: when it failed and nothing on it says what to do about that.
            Halted: when it could not begin, or not go on, because its surroundings stop.
            Parked: when it waits; the same call goes on with it.
        """
        step_id = scope.prefix + step.id
        state = self.state.steps.get(step_id)
        if state is not None and state.status in STEP_ENDED:
            if state.status == FAILED and state.fallback is None:
                raise StepFailed(OpcodeError.from_dict(state.error or {}))
            return
        await self._left(step_id, self._passed(step, step_id, scope, state))

    async def go_on(self, step: StepPlan, scope: Scope) -> None:
        """Do a step that began in this moment; raises what `do` does."""
        step_id = scope.prefix + step.id
        await self._left(step_id, self._attempts(step, step_id, scope))

    async def _passed(self, step: StepPlan, step_id: str, scope: Scope, state: StepState | None) -> None:
        if await self._enter(step, step_id, scope, state):
            await self._attempts(step, step_id, scope)

    async def _left(self, step_id: str, work: Awaitable[None]) -> None:
        """Do the work, and leave the step in order when it waits or is halted."""
        try:
            await work
        except Parked:
            self.run.set_alarm()
            raise
        except Halted as halted:
            state = self.state.steps.get(step_id)
            if state is not None and state.status not in STEP_ENDED:
                self.run.abandon(f"{step_id}.", halted.reason)
                self.record(e.STEP_SKIPPED, step_id, {"reason": halted.reason, "halted": True})
            raise

    async def _enter(self, step: StepPlan, step_id: str, scope: Scope, state: StepState | None) -> bool:
        """Begin a step, or take it up where it was left; False when it has ended by that."""
        if (reason := scope.stop.requested) is not None:
            raise Halted(reason)
        if self.skipped and not self.skipped.isdisjoint(around(step_id)):
            raise Halted("the step around it was skipped")
        if self.run.begins_nothing:
            raise self.run.parked()
        if state is None or state.status == PENDING:
            try:
                return self.begin(step, step_id, scope)
            except Unfinished as unfinished:
                scope = await unfinished.answered()
            state = self.state.steps.get(step_id)
            return (state is None or state.status not in STEP_ENDED) and await self._enter(
                step, step_id, scope, state
            )
        return await self._take_up(step, step_id, scope, state)

    async def _take_up(self, step: StepPlan, step_id: str, scope: Scope, state: StepState) -> bool:
        """Make a step that began earlier ready for its body; False when it has ended."""
        if state.status == RETRYING:
            return await self._again(step, step_id, scope)
        if state.status == SUSPENDED:
            if state.waiting is None:  # somebody said that it is to be tried again
                self.run.resumed()
                self.record(e.STEP_RETRY_ATTEMPT, step_id, _start(step, state.attempt + 1))
            elif state.waiting["for"] == "operator":
                raise self.run.parked(outside=True)
        elif not state.block and state.child is None:
            return self._in_doubt(step, step_id, state)
        return True

    def _in_doubt(self, step: StepPlan, step_id: str, state: StepState) -> bool:
        """A process died while this action was going on, and nobody knows how far it came."""
        error = OpcodeError(
            ErrorCode.EXECUTION_ERROR,
            f"the process ended while step '{step_id}' was going on",
            details={"interrupted": True},
            step_id=step_id,
        )
        external = step.action is not None and step.action.effect == "external"
        if external and step.on_crash == "fail":
            self.failed(step, step_id, error)
            return False
        if external and step.on_crash == "suspend":
            waiting = {"for": "operator", "reason": "interrupted", "until": None}
            self.record(e.STEP_SUSPENDED, step_id, {"waiting": waiting})
            raise self.run.parked(outside=True)
        attempt = {"attempt": state.attempt, "delay_ms": 0, "interrupted": True, "error": error.to_dict()}
        self.record(e.STEP_RETRYING, step_id, attempt)
        self.record(e.STEP_RETRY_ATTEMPT, step_id, _start(step, state.attempt + 1))
        return True

    async def _attempts(self, step: StepPlan, step_id: str, scope: Scope) -> None:
        while True:
            error = await self._attempt(step, step_id, scope)
            if error is None:
                return
            if not self.may_retry(step, step_id, error, scope):
                self.failed(step, step_id, error)
                return
            self.retrying(step, step_id, error)
            if not await self._again(step, step_id, scope):
                return

    async def _attempt(self, step: StepPlan, step_id: str, scope: Scope) -> OpcodeError | None:
        """Try once: None when the step ended, or somebody ended it meanwhile."""
        if step.at_once:
            try:
                return steps.call_at_once(self.run, step, step_id, scope)
            except Unfinished as unfinished:
                unfinished.drop()
        mine = self.state.steps[step_id]
        output, error = None, None
        try:
            output = await self._body(step, step_id, scope, mine)
        except OpcodeError as raised:
            error = raised
        except (Halted, asyncio.CancelledError) as stopped:
            if not self._was_skipped(step_id, stopped):
                raise
        if mine.status in STEP_ENDED or self.state.steps.get(step_id) is not mine:
            if step_id in self.skipped:
                return None
            raise asyncio.CancelledError  # it was given up and ignored that: what it says comes too late
        if error is None:
            self.record(e.STEP_COMPLETED, step_id, {"output": output})
            return None
        return self._left_by(error, step, step_id)

    def _left_by(self, error: OpcodeError, step: StepPlan, step_id: str) -> OpcodeError:
        """Nothing of the attempt waits or goes on any more."""
        if self.state.steps[step_id].status == SUSPENDED:
            self.run.log.end_wait(step_id, "its time is over")
        if step.flow is not None:
            self.run.abandon(f"{step_id}.", "the step around it failed")
        return _about(error, step_id)

    async def _body(self, step: StepPlan, step_id: str, scope: Scope, mine: StepState) -> Any:
        """What the step is there for, within its time.

        Raises:
            OpcodeError: what went wrong, whatever was raised.
        """
        left = None
        if mine.deadline is not None:
            left = max(mine.deadline - self.run.engine.clock.now(), 0.0)
            scope = scope.with_stop(Stop(scope.stop))
        self.doing[step_id] = asyncio.current_task()
        try:
            work = steps.BODIES[step.type](self.run, step, step_id, scope)
            return await within(left, work, f"step {step_id}", scope.stop)
        except StepFailed as failed:
            raise failed.error from None
        except TimeoutError:
            raise self._timed_out(step, step_id) from None
        except (Halted, Parked, LogFailed):
            raise
        except Exception as raised:
            raise as_error(raised, f"step '{step_id}'") from None
        finally:
            self.doing.pop(step_id, None)

    def skip(self, step_id: str, reason: str) -> None:
        """End a step that has begun, from outside; what it does is cancelled."""
        self.skipped.add(step_id)
        self.run.abandon(f"{step_id}.", "the step around it was skipped")
        self.record(e.STEP_SKIPPED, step_id, {"reason": reason})
        task = self.doing.get(step_id)
        if task is not None:
            task.cancel()

    def _was_skipped(self, step_id: str, stopped: BaseException) -> bool:
        """Whether what stopped it was meant for this step alone."""
        if step_id not in self.skipped:
            return False
        task = asyncio.current_task()
        return isinstance(stopped, Halted) or (task is not None and task.uncancel() == 0)

    def _timed_out(self, step: StepPlan, step_id: str) -> OpcodeError:
        self.run.resumed()
        error = OpcodeError(
            ErrorCode.TIMEOUT_ERROR,
            f"step '{step_id}' took longer than its timeout of {step.timeout:g} s",
            details={"timeout": step.timeout},
        )
        if step.action is not None:
            steps.count_failure(self.run, step_id, step.action, error)
        return error

    def begin(self, step: StepPlan, step_id: str, scope: Scope) -> bool:
        """Ask the guard and start; False when the step is skipped.

        Raises:
            StepFailed: as `failed` does.
            Unfinished: the guard takes its time; nothing was done yet.
        """
        try:
            if step.guard is not None and not self._guard(step.guard, step.guard_source, scope):
                self.record(
                    e.STEP_SKIPPED, step_id, {"reason": f"its condition is false: {step.guard_source}"}
                )
                return False
        except OpcodeError as error:
            self.record(e.STEP_STARTED, step_id)
            self.failed(step, step_id, _about(error, step_id))
            return False
        plain = step.flow is None and step.timeout is None and not step.is_hook
        self.record(e.STEP_STARTED, step_id, NOTHING if plain else _start(step))
        return True

    def _guard(self, guard: Program, source: str, scope: Scope) -> bool:
        names = scope.names
        names["steps"].missed = None
        try:
            value = scope.evaluate(guard)
        except OpcodeError as error:
            if names["steps"].missed is not None:
                return False
            raise OpcodeError(
                error.code, f"its condition {source!r} failed: {error.message}", details=error.details
            ) from None
        if not isinstance(value, bool):
            raise OpcodeError(
                ErrorCode.EXECUTION_ERROR,
                f"its condition {source!r} gave {value!r}; a condition is true or false",
            )
        return value

    def may_retry(self, step: StepPlan, step_id: str, error: OpcodeError, scope: Scope) -> bool:
        """Whether a failed attempt is not the last."""
        if not error.retryable or not step.retry.max:
            return False
        return self.state.steps[step_id].failures < step.retry.max and scope.stop.requested is None

    def retrying(self, step: StepPlan, step_id: str, error: OpcodeError) -> None:
        """Record that there will be another attempt, and when."""
        mine = self.state.steps[step_id]
        pause = pause_before(step.retry, mine.failures + 1, self.run.engine.ids.fraction())
        payload = {"attempt": mine.attempt, "delay_ms": round(pause * 1000), "error": error.to_dict()}
        self.record(e.STEP_RETRYING, step_id, payload)

    async def _again(self, step: StepPlan, step_id: str, scope: Scope) -> bool:
        """Wait out the pause before the next attempt, and begin it; False when somebody ended it meanwhile."""
        state = self.state.steps[step_id]
        await self.run.commit()
        pause = (state.retry_at or 0.0) - self.run.engine.clock.now()
        if state.status in STEP_ENDED:
            return False
        if pause > HELD:
            raise self.run.parked()
        if pause > 0:
            await scope.stop.sleep(self.run.engine.clock, pause)
        if state.status in STEP_ENDED:
            return False
        if (reason := scope.stop.requested) is not None:
            raise Halted(reason)
        if self.run.begins_nothing:
            raise self.run.parked()
        self.record(e.STEP_RETRY_ATTEMPT, step_id, _start(step, state.attempt + 1))
        return True

    def failed(self, step: StepPlan, step_id: str, error: OpcodeError) -> None:
        """The last attempt failed: do what `on_error` says.

        Raises:
            StepFailed: when it says nothing that helps.
        """
        if 0 < step.retry.max <= self.state.steps[step_id].failures and error.retryable:
            error = exhausted(error, step.retry.max)
        what = {"error": error.to_dict()}
        if step.strategy == "ignore":
            self.record(e.ERROR_HANDLER_INVOKED, step_id, {"strategy": "ignore", **what})
            self.record(e.STEP_IGNORED, step_id, what)
            return
        stands_in = None
        if step.strategy == "fallback_step":
            stands_in = {"fallback_step": f"{step_id.removesuffix(step.id)}{step.fallback}"}
        self.record(e.STEP_FAILED, step_id, {**what, **(stands_in or {})})
        if step.strategy is not None:
            self.record(e.ERROR_HANDLER_INVOKED, step_id, {"strategy": step.strategy, **what})
        if stands_in is None:
            raise StepFailed(error)
        self.record(e.STEP_FALLBACK, step_id, stands_in)


def _start(step: StepPlan, attempt: int | None = None) -> dict[str, Any]:
    """What the beginning of an attempt says about itself."""
    payload: dict[str, Any] = {} if attempt is None else {"attempt": attempt}
    if step.flow is not None:
        payload["block"] = True
    if step.timeout is not None:
        payload["timeout"] = step.timeout
    if step.is_hook:
        payload["hook"] = True
    return payload


def _about(error: OpcodeError, step_id: str) -> OpcodeError:
    if error.step_id is None:
        error.step_id = step_id
    return error
