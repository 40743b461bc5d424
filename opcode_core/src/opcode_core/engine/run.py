"""One live run: who may begin, what began, how it ended."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from opcode_core import events as e
from opcode_core.contracts.storage import Commit, RunRecord
from opcode_core.engine.deadline import within
from opcode_core.engine.door import NOTHING, Door
from opcode_core.engine.failure import Halted, LogFailed, StepFailed
from opcode_core.engine.outermost import Outermost
from opcode_core.errors import ErrorCode, OpcodeError
from opcode_core.events import Event
from opcode_core.plan import Plan
from opcode_core.scope import Scope
from opcode_core.state import COMPLETED, RUN_ENDED, STEP_ENDED, RunState, evolve
from opcode_core.stop import Stop

if TYPE_CHECKING:
    from opcode_core.engine.engine import Engine

_log = logging.getLogger("opcode.engine")

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
        self.door = Door(self)
        self.failure: OpcodeError | None = None
        self._waiters: list[asyncio.Future[None]] = []
        self._outcome: Exception | None = None
        self.task: asyncio.Task[None] | None = None
        self._definition = definition
        self._now = engine.clock.now
        self.unstored: list[Event] = []
        self._context_changed = False
        self._stored = state.sequence
        self._write: asyncio.Task[None] | None = None
        self._interruptible = False
        self._late = False
        self._output: Any = None
        self._ending: Callable[[], None] | None = None
        self._turn_began = engine.clock.monotonic()

    # ---- the log ------------------------------------------------------------------------------

    def record(
        self, event_type: str, step_id: str | None = None, payload: Mapping[str, Any] = NOTHING
    ) -> None:
        """Let something have happened.

        Raises:
            OpcodeError: INVALID_TRANSITION when it cannot follow what came before.
        """
        state = self.state
        if state.status in RUN_ENDED:
            raise OpcodeError(ErrorCode.INVALID_TRANSITION, f"run {state.id} has ended: {state.status}")
        event = Event(state.id, state.sequence + 1, event_type, step_id, payload, state.agent_id, self._now())
        evolve(state, event)
        self.unstored.append(event)
        if event_type == e.VARIABLE_SET:
            self._context_changed = True

    async def commit(self) -> None:
        """Return when all that is recorded is stored. Who waits may be cancelled without harm to the log.

        Raises:
            LogFailed: when the storage refuses; the run cannot go on in this process then.
        """
        wanted = self.state.sequence
        while self._stored < wanted:
            await asyncio.shield(self.commit_meanwhile())

    def commit_meanwhile(self) -> "asyncio.Task[None]":
        """Begin to store what is recorded, for work that takes time and need not wait for it."""
        if self._write is None:
            self._write = asyncio.create_task(self._store(), name=f"log of run {self.state.id}")
        return self._write

    async def _store(self) -> None:
        """Write what is unstored. A write that fails is the last: a log has no gaps."""
        unstored, self.unstored = self.unstored, []
        context = dict(self.state.context) if self._context_changed or self._definition else None
        commit = Commit(record_of(self.state), unstored, self._definition, context)
        self._context_changed = False
        try:
            await self.engine.journal.commit(commit)
        except OpcodeError as error:
            raise LogFailed(error) from error
        except Exception as raised:
            what = f"the log of run {self.state.id} cannot be written: {raised}"
            raise LogFailed(OpcodeError(ErrorCode.STORE_ERROR, what)) from raised
        self._definition = None
        self._stored = commit.run.sequence
        self._write = None
        if self.unstored:
            self.commit_meanwhile()

    async def _stored_or_failed(self) -> None:
        while (write := self._write) is not None:
            await asyncio.wait({write})
            if write.cancelled() or write.exception() is not None:
                return

    async def breathe(self) -> None:
        """Give other runs their turn, and keep what is not yet stored small."""
        if len(self.unstored) >= BATCH:
            await self.commit()
        if self.engine.clock.monotonic() - self._turn_began > TURN:
            await asyncio.sleep(0)
            self._turn_began = self.engine.clock.monotonic()

    # ---- the whole run ------------------------------------------------------------------------

    async def drive(self) -> None:
        """From wherever the log stands to the end."""
        try:
            try:
                self._interruptible = True
                await self._within_deadline()
                self._make_output()
                await self._hooks()
            except asyncio.CancelledError:
                if self._ending is None:
                    raise
            finally:
                self._interruptible = False
            (self._ending or self._finish)()
            await self.commit()
        except LogFailed as failed:
            _log.error("run %s stops here: %s", self.state.id, failed.error)
            self._outcome = failed.error
        except Exception as error:
            _log.exception("run %s broke", self.state.id)
            self._outcome = error
        finally:
            await self._stored_or_failed()
            self.engine.forget(self)
            for waiter in self._waiters:
                if not waiter.done():
                    waiter.set_result(None)

    async def wait(self) -> RunState:
        """The state when the run has ended, or has to stop here because the engine shuts down.

        Who waits may be cancelled without harm to the run.

        Raises:
            OpcodeError: STORE_ERROR when its log could not be written.
        """
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        await waiter
        if self._outcome is not None:
            raise self._outcome
        return self.state

    def fail(self, error: OpcodeError) -> None:
        """An outermost step failed: nothing new begins, and the first such error is the run's."""
        if self.failure is None:
            self.failure = error
            self.stop.request("the run failed")

    def end(self, ending: Callable[[], None]) -> None:
        """Stop all work and let `ending` record how the run ended."""
        if self._ending is None and not self.state.ended and self.task is not None:
            self._ending = ending
            self.stop.request("the run was stopped")
            if self._interruptible:
                self.task.cancel()

    async def _within_deadline(self) -> None:
        timeout = self.plan.timeout
        if timeout is None:
            await Outermost(self).drive()
            return
        left = max(self.state.started_at + timeout - self._now(), 0.0)
        try:
            await within(left, Outermost(self).drive(), f"run {self.state.id}", self.stop)
        except TimeoutError:
            self.record(e.WORKFLOW_TIMED_OUT, None, {"timeout": timeout})
            self._late = True

    def _make_output(self) -> None:
        """Before the hooks, because an output that cannot be made fails the run."""
        if self.failure is None and self._ending is None and not self._late:
            try:
                self._output = self._rendered_output()
            except OpcodeError as error:
                self.fail(error)

    async def _hooks(self) -> None:
        """The hook step that fits the outcome; how it fares does not change the outcome."""
        if self._ending is not None or (self._late and self.plan.on_timeout != "fail"):
            return
        error = self._timeout_error() if self._late else self.failure
        hook = self.plan.on_complete if error is None else self.plan.on_error
        if hook is None:
            return
        if error is not None:
            self.record(e.ERROR_HANDLER_INVOKED, None, {"handler": hook.id, "error": error.to_dict()})
        scope = Scope(self.state, Stop())
        with suppress(StepFailed, Halted):  # recorded as the hook's own failure
            await self.door.do(hook, scope)

    def _finish(self) -> None:
        if self._late:
            self._timed_out()
        elif self.failure is not None:
            self._skip_unfinished("the run failed")
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

    def _rendered_output(self) -> Any:
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


def record_of(state: RunState) -> RunRecord:
    """The row that follows from a state."""
    return RunRecord(
        id=state.id,
        status=state.status,
        definition_hash=state.definition_hash,
        template_name=state.template_name,
        template_version=state.template_version,
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
