"""The door through which every step goes: the log is asked first, then guard, attempts, retries, `on_error`."""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from opcode_core import events as e
from opcode_core.contracts.expression import Program
from opcode_core.engine import steps
from opcode_core.engine.deadline import within
from opcode_core.engine.failure import Halted, LogFailed, StepFailed, as_error, exhausted
from opcode_core.engine.retry import pause_before
from opcode_core.errors import ErrorCode, OpcodeError
from opcode_core.plan import Block, StepPlan
from opcode_core.scope import Scope
from opcode_core.state import COMPLETED, FAILED, PENDING, STEP_ENDED
from opcode_core.stop import Stop

if TYPE_CHECKING:
    from opcode_core.engine.run import Run

NOTHING: Mapping[str, Any] = {}
BLOCK: Mapping[str, Any] = {"block": True}


class Door:
    """Does the steps of one run, each known by its full id."""

    __slots__ = ("record", "run", "state")

    def __init__(self, run: "Run") -> None:
        self.run = run
        self.state = run.state
        self.record = run.record

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
        """
        step_id = scope.prefix + step.id
        state = self.state.steps.get(step_id)
        if state is not None and state.status in STEP_ENDED:
            if state.status == FAILED and state.fallback is None:
                raise StepFailed(OpcodeError.from_dict(state.error or {}))
            return
        if (reason := scope.stop.requested) is not None:
            raise Halted(reason)
        attempt = 1
        if state is None or state.status == PENDING:
            if not self.begin(step, step_id, scope):
                return
        else:
            attempt = state.attempt
            await self._again(step, step_id, scope, attempt)
            attempt += 1
        try:
            await self._attempts(step, step_id, scope, attempt)
        except Halted as halted:
            if self.state.steps[step_id].status not in STEP_ENDED:
                self.record(e.STEP_SKIPPED, step_id, {"reason": halted.reason})
            raise

    async def _attempts(self, step: StepPlan, step_id: str, scope: Scope, attempt: int) -> None:
        while True:
            error = await self._attempt(step, step_id, scope)
            if error is None:
                return
            if not self.may_retry(step, error, attempt, scope):
                self.failed(step, step_id, error, attempt)
                return
            self.retrying(step, step_id, error, attempt)
            await self._again(step, step_id, scope, attempt)
            attempt += 1

    async def _attempt(self, step: StepPlan, step_id: str, scope: Scope) -> OpcodeError | None:
        """Try once: None when the step ended well."""
        if step.at_once:
            return steps.call_at_once(self.run, step, step_id, scope)
        mine = self.state.steps[step_id]
        if step.timeout is not None:
            scope = scope.with_stop(Stop(scope.stop))
        output, error = None, None
        try:
            work = steps.BODIES[step.type](self.run, step, step_id, scope)
            output = await within(step.timeout, work, f"step {step_id}", scope.stop)
        except StepFailed as failed:
            error = failed.error
        except TimeoutError:
            error = self._timed_out(step, step_id)
        except (Halted, LogFailed):
            raise
        except Exception as raised:
            error = as_error(raised, f"step '{step_id}'")
        if mine.status in STEP_ENDED or self.state.steps.get(step_id) is not mine:
            raise asyncio.CancelledError  # it was given up and ignored that: what it says comes too late
        if error is None:
            self.record(e.STEP_COMPLETED, step_id, {"output": output})
            return None
        if step.flow is not None:
            self.run.abandon(f"{step_id}.", "the step around it failed")
        return _about(error, step_id)

    def _timed_out(self, step: StepPlan, step_id: str) -> OpcodeError:
        error = OpcodeError(
            ErrorCode.TIMEOUT_ERROR,
            f"step '{step_id}' took longer than its timeout of {step.timeout:g} s",
            details={"timeout": step.timeout},
        )
        if step.action is not None:
            steps.count_failure(self.run, step_id, step.action, error)
        return error

    def begin(self, step: StepPlan, step_id: str, scope: Scope) -> bool:
        """Ask the guard and start; False when the step is skipped."""
        try:
            if step.guard is not None and not self._guard(step.guard, step.guard_source, scope):
                self.record(
                    e.STEP_SKIPPED, step_id, {"reason": f"its condition is false: {step.guard_source}"}
                )
                return False
        except OpcodeError as error:
            self.record(e.STEP_STARTED, step_id)
            self.failed(step, step_id, _about(error, step_id), 1)
            return False
        self.record(e.STEP_STARTED, step_id, NOTHING if step.flow is None else BLOCK)
        return True

    def _guard(self, guard: Program, source: str, scope: Scope) -> bool:
        names = scope.names
        names["steps"].missed = None
        try:
            value = guard.evaluate(names)
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

    def may_retry(self, step: StepPlan, error: OpcodeError, attempt: int, scope: Scope) -> bool:
        """Whether a failed attempt is not the last."""
        return error.retryable and attempt <= step.retry.max and scope.stop.requested is None

    def retrying(self, step: StepPlan, step_id: str, error: OpcodeError, attempt: int) -> None:
        """Record that there will be another attempt, and when."""
        pause = pause_before(step.retry, attempt, self.run.engine.ids.fraction())
        payload = {"attempt": attempt, "delay_ms": round(pause * 1000), "error": error.to_dict()}
        self.record(e.STEP_RETRYING, step_id, payload)

    async def _again(self, step: StepPlan, step_id: str, scope: Scope, attempt: int) -> None:
        """Wait out the pause before the next attempt, and begin it."""
        state = self.state.steps[step_id]
        await self.run.commit()
        pause = (state.retry_at or 0.0) - self.run.engine.clock.now()
        if pause > 0:
            await scope.stop.sleep(self.run.engine.clock, pause)
        if (reason := scope.stop.requested) is not None:
            error = OpcodeError.from_dict(state.error or {})
            self.record(e.STEP_FAILED, step_id, {"error": error.to_dict(), "reason": reason})
            raise StepFailed(error)
        self.record(e.STEP_RETRY_ATTEMPT, step_id, {"attempt": attempt + 1, **(BLOCK if step.flow else {})})

    def failed(self, step: StepPlan, step_id: str, error: OpcodeError, attempt: int) -> None:
        """The last attempt failed: do what `on_error` says.

        Raises:
            StepFailed: when it says nothing that helps.
        """
        if 0 < step.retry.max < attempt and error.retryable:
            error = exhausted(error, step.retry.max)
        what = {"error": error.to_dict()}
        if step.strategy == "ignore":
            self.record(e.ERROR_HANDLER_INVOKED, step_id, {"strategy": "ignore", **what})
            self.record(e.STEP_IGNORED, step_id, what)
            return
        self.record(e.STEP_FAILED, step_id, what)
        if step.strategy is not None:
            self.record(e.ERROR_HANDLER_INVOKED, step_id, {"strategy": step.strategy, **what})
        if step.strategy != "fallback_step":
            raise StepFailed(error)
        prefix = step_id.removesuffix(step.id)
        self.record(e.STEP_FALLBACK, step_id, {"fallback_step": f"{prefix}{step.fallback}"})


def _about(error: OpcodeError, step_id: str) -> OpcodeError:
    if error.step_id is None:
        error.step_id = step_id
    return error
