"""One live run: who may begin, what began, how it ended."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from opcode_core import events as e
from opcode_core.contracts.expression import Program
from opcode_core.contracts.storage import Commit, RunRecord
from opcode_core.engine import steps
from opcode_core.engine.deadline import stop as stop_tasks
from opcode_core.engine.deadline import within
from opcode_core.engine.failure import Halted, LogFailed, StepFailed, exhausted
from opcode_core.engine.retry import pause_before
from opcode_core.errors import ErrorCode, OpcodeError
from opcode_core.events import Event
from opcode_core.plan import Block, Plan, StepPlan
from opcode_core.scope import Scope
from opcode_core.state import COMPLETED, FAILED, PENDING, STEP_ENDED, RunState, evolve
from opcode_core.stop import Stop

if TYPE_CHECKING:
    from opcode_core.engine.engine import Engine

_log = logging.getLogger("opcode.engine")

NOTHING: dict[str, Any] = {}
BLOCK: dict[str, Any] = {"block": True}
TURN = 0.005
"""Seconds of uninterrupted work after which other runs get their turn."""
BATCH = 512
"""Events after which a run that never waits is committed."""


class Run:
    """A run that is being driven. Its state is only changed by `record`."""

    def __init__(
        self, engine: "Engine", plan: Plan, state: RunState, definition: bytes | None = None
    ) -> None:
        self.engine = engine
        self.plan = plan
        self.state = state
        self.stop = Stop()
        self.scope = Scope(state, self.stop)
        self.failure: OpcodeError | None = None
        self.ended: asyncio.Future[RunState] = asyncio.get_running_loop().create_future()
        self.task: asyncio.Task[None] | None = None
        self._definition = definition
        self._now = engine.clock.now
        self._recorded: list[Event] = []
        self._context_changed = False
        self._writing = asyncio.Lock()
        self._ending: Callable[[], None] | None = None
        self._turn_began = engine.clock.monotonic()

    # ---- the log ------------------------------------------------------------------------------

    def record(self, event_type: str, step_id: str | None = None, payload: dict[str, Any] = NOTHING) -> None:
        """Let something have happened."""
        state = self.state
        event = Event(state.id, state.sequence + 1, event_type, step_id, payload, state.agent_id, self._now())
        evolve(state, event)
        self._recorded.append(event)
        if event_type == e.VARIABLE_SET:
            self._context_changed = True

    async def commit(self) -> None:
        """Return when all that is recorded is stored.

        Raises:
            LogFailed: when the storage refuses; the run cannot go on in this process then.
        """
        async with self._writing:
            if not self._recorded:
                return
            recorded, self._recorded = self._recorded, []
            context = dict(self.state.context) if self._context_changed or self._definition else None
            commit = Commit(record_of(self.state), recorded, self._definition, context)
            self._context_changed = False
            try:
                await self.engine.journal.commit(commit)
            except OpcodeError as error:
                raise LogFailed(error) from error
            self._definition = None

    async def breathe(self) -> None:
        """Give other runs their turn, and keep what is not yet stored small."""
        if len(self._recorded) >= BATCH:
            await self.commit()
        if self.engine.clock.monotonic() - self._turn_began > TURN:
            await asyncio.sleep(0)
            self._turn_began = self.engine.clock.monotonic()

    # ---- the whole run ------------------------------------------------------------------------

    async def drive(self) -> None:
        """From wherever the log stands to the end."""
        try:
            try:
                await self._within_deadline()
                await self._hooks()
            except asyncio.CancelledError:
                if self._ending is None:
                    raise
            (self._ending or self._finish)()
            await self.commit()
        except LogFailed as failed:
            self.ended.set_exception(failed.error)
        except asyncio.CancelledError:
            self.ended.cancel()
            raise
        except Exception as error:
            _log.exception("run %s broke", self.state.id)
            self.ended.set_exception(error)
        else:
            self.ended.set_result(self.state)
        finally:
            self.engine.forget(self)

    def end(self, ending: Callable[[], None]) -> None:
        """Stop all work and let `ending` record how the run ended."""
        if self._ending is None and not self.state.ended and self.task is not None:
            self._ending = ending
            self.stop.request("the run was stopped")
            self.task.cancel()

    async def _within_deadline(self) -> None:
        timeout = self.plan.timeout
        if timeout is None:
            await self._drive_graph()
            return
        left = max(self.state.started_at + timeout - self._now(), 0.0)
        try:
            await within(left, self._drive_graph(), f"run {self.state.id}")
        except TimeoutError:
            self.record(e.WORKFLOW_TIMED_OUT, None, {"timeout": timeout})
            self._ending = self._timed_out

    async def _hooks(self) -> None:
        """The hook step that fits the outcome; how it fares does not change the outcome."""
        error = self.failure
        if self._ending == self._timed_out and self.plan.on_timeout == "fail":
            error = self._timeout_error()
        elif self._ending is not None:
            return
        hook = self.plan.on_complete if error is None else self.plan.on_error
        if hook is None:
            return
        if error is not None:
            self.record(e.ERROR_HANDLER_INVOKED, None, {"handler": hook.id, "error": error.to_dict()})
        scope = Scope(self.state, Stop())
        with suppress(StepFailed, Halted):  # recorded as the hook's own failure
            await self.do(hook, scope)

    def _finish(self) -> None:
        if self.failure is not None:
            self._skip_unfinished("the run failed")
            self.record(e.WORKFLOW_FAILED, None, {"error": self.failure.to_dict()})
            return
        try:
            output = self._output()
        except OpcodeError as error:
            self.record(e.WORKFLOW_FAILED, None, {"error": error.to_dict()})
        else:
            self.record(e.WORKFLOW_COMPLETED, None, {"output": output})

    def _timeout_error(self) -> OpcodeError:
        return OpcodeError(
            ErrorCode.TIMEOUT_ERROR,
            f"the run took longer than its timeout of {self.plan.timeout:g} s",
            details={"timeout": self.plan.timeout},
        )

    def _timed_out(self) -> None:
        if self.plan.on_timeout == "suspend":
            self.record(e.WORKFLOW_SUSPENDED, None, {"reason": "timeout"})
            return
        self._skip_unfinished("the run timed out")
        error = {"error": self._timeout_error().to_dict()}
        self.record(
            e.WORKFLOW_FAILED if self.plan.on_timeout == "fail" else e.WORKFLOW_CANCELLED, None, error
        )

    def cancelled(self, reason: str) -> None:
        """Record that the run was cancelled."""
        self._skip_unfinished("the run was cancelled")
        error = OpcodeError(ErrorCode.CANCELLED, reason)
        self.record(e.WORKFLOW_CANCELLED, None, {"reason": reason, "error": error.to_dict()})

    def _output(self) -> Any:
        if self.plan.output is not None:
            return self.plan.output.render(self.scope)
        done = self.state.steps
        return {
            step_id: done[step_id].output
            for step_id in self.plan.leaves
            if step_id in done and done[step_id].status == COMPLETED
        }

    def _skip_unfinished(self, reason: str) -> None:
        self.abandon("", reason)
        for step in self.plan.steps:
            if step.id not in self.state.steps:
                self.record(e.STEP_SKIPPED, step.id, {"reason": reason})

    def abandon(self, prefix: str, reason: str) -> None:
        """Skip what began below `prefix` and did not end."""
        begun = [
            step_id
            for step_id, step in self.state.steps.items()
            if step.status not in STEP_ENDED and step_id.startswith(prefix)
        ]
        for step_id in reversed(begun):
            self.record(e.STEP_SKIPPED, step_id, {"reason": reason})

    # ---- the graph ----------------------------------------------------------------------------

    async def _drive_graph(self) -> None:
        """Start each outermost step as soon as everything that it waits for has ended."""
        plan, scope = self.plan, self.scope
        waits = list(plan.waits)
        ready = deque(index for index, count in enumerate(waits) if count == 0)
        tasks: dict[asyncio.Task[None], int] = {}
        began = 0
        try:
            while ready or tasks:
                while ready and self.stop.reason is None:
                    index = ready.popleft()
                    step = plan.steps[index]
                    if step.at_once and index not in plan.owners and self._done_at_once(step, scope):
                        self._release(index, waits, ready)
                        began += 1
                        if not began & 31:
                            await self.breathe()
                    elif self._is_spare(index):
                        self._release(index, waits, ready)
                    else:
                        tasks[asyncio.create_task(self.do(step, scope), name=f"step {step.id}")] = index
                if self.stop.reason is not None:
                    ready.clear()
                if tasks:
                    await self._await_any(tasks, waits, ready)
        finally:
            await stop_tasks(tasks)

    async def _await_any(
        self, tasks: dict["asyncio.Task[None]", int], waits: list[int], ready: deque[int]
    ) -> None:
        if self._recorded:
            await self.commit()
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in sorted(done, key=tasks.__getitem__):
            index = tasks.pop(task)
            try:
                task.result()
            except StepFailed as failed:
                self._fail(failed.error)
            except Halted:
                pass
            self._release(index, waits, ready)

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
        done = self.state.steps
        if any(done[self.plan.steps[owner].id].fallback == step_id for owner in owners):
            return False
        if step_id not in done:
            self.record(e.STEP_SKIPPED, step_id, {"reason": "not needed as a fallback"})
        return True

    def _fail(self, error: OpcodeError) -> None:
        if self.failure is None:
            self.failure = error
            self.stop.request("the run failed")

    def _done_at_once(self, step: StepPlan, scope: Scope) -> bool:
        """Do an outermost step in place; False when it has to be tried again, which takes time."""
        step_id = step.id
        state = self.state.steps.get(step_id)
        if state is not None:
            return state.status in STEP_ENDED and state.status != FAILED
        try:
            if not self._begin(step, step_id, scope):
                return True
            error = steps.call_at_once(self, step, step_id, scope)
            if error is None:
                return True
            if self._may_retry(step, error, 1, scope):
                self._retrying(step, step_id, error, 1)
                return False
            self._failed(step, step_id, error, 1)
        except StepFailed as failed:
            self._fail(failed.error)
        return True

    # ---- the door -----------------------------------------------------------------------------

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
            if not self._begin(step, step_id, scope):
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
            if not self._may_retry(step, error, attempt, scope):
                self._failed(step, step_id, error, attempt)
                return
            self._retrying(step, step_id, error, attempt)
            await self._again(step, step_id, scope, attempt)
            attempt += 1

    async def _attempt(self, step: StepPlan, step_id: str, scope: Scope) -> OpcodeError | None:
        """Try once: None when the step ended well."""
        if step.at_once:
            return steps.call_at_once(self, step, step_id, scope)
        try:
            work = steps.BODIES[step.type](self, step, step_id, scope)
            output = await within(step.timeout, work, f"step {step_id}")
        except StepFailed as failed:
            error = failed.error
        except TimeoutError:
            error = OpcodeError(
                ErrorCode.TIMEOUT_ERROR,
                f"step '{step_id}' took longer than its timeout of {step.timeout:g} s",
                details={"timeout": step.timeout},
            )
        except OpcodeError as raised:
            error = raised
        else:
            self.record(e.STEP_COMPLETED, step_id, {"output": output})
            return None
        self.abandon(f"{step_id}.", "the step around it failed")
        return _about(error, step_id)

    def _begin(self, step: StepPlan, step_id: str, scope: Scope) -> bool:
        """Ask the guard and start; False when the step is skipped."""
        try:
            if step.guard is not None and not self._guard(step.guard, step.guard_source, scope):
                self.record(
                    e.STEP_SKIPPED, step_id, {"reason": f"its condition is false: {step.guard_source}"}
                )
                return False
        except OpcodeError as error:
            self.record(e.STEP_STARTED, step_id)
            self._failed(step, step_id, _about(error, step_id), 1)
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

    # ---- failure ------------------------------------------------------------------------------

    def _may_retry(self, step: StepPlan, error: OpcodeError, attempt: int, scope: Scope) -> bool:
        return error.retryable and attempt <= step.retry.max and scope.stop.requested is None

    def _retrying(self, step: StepPlan, step_id: str, error: OpcodeError, attempt: int) -> None:
        pause = pause_before(step.retry, attempt, self.engine.ids.fraction())
        payload = {"attempt": attempt, "delay_ms": round(pause * 1000), "error": error.to_dict()}
        self.record(e.STEP_RETRYING, step_id, payload)

    async def _again(self, step: StepPlan, step_id: str, scope: Scope, attempt: int) -> None:
        """Wait out the pause before the next attempt, and begin it."""
        state = self.state.steps[step_id]
        await self.commit()
        pause = (state.retry_at or 0.0) - self._now()
        if pause > 0:
            await scope.stop.sleep(self.engine.clock, pause)
        if (reason := scope.stop.requested) is not None:
            error = OpcodeError.from_dict(state.error or {})
            self.record(e.STEP_FAILED, step_id, {"error": error.to_dict(), "reason": reason})
            raise StepFailed(error)
        self.record(e.STEP_RETRY_ATTEMPT, step_id, {"attempt": attempt + 1, **(BLOCK if step.flow else {})})

    def _failed(self, step: StepPlan, step_id: str, error: OpcodeError, attempt: int) -> None:
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


def record_of(state: RunState) -> RunRecord:
    """The row that follows from a state."""
    return RunRecord(
        id=state.id,
        status=state.status,
        definition_hash=state.definition_hash,
        template_name=state.workflow.get("template_name"),
        template_version=state.workflow.get("template_version"),
        agent_id=state.agent_id,
        started_at=state.started_at,
        updated_at=state.updated_at,
        sequence=state.sequence,
        completed_at=state.ended_at,
        output=state.output,
        error=state.error,
        parent_id=state.parent_id,
        parent_step_id=state.parent_step_id,
        idempotency_key=state.idempotency_key,
    )


def _about(error: OpcodeError, step_id: str) -> OpcodeError:
    if error.step_id is None:
        error.step_id = step_id
    return error
