"""The log of one live run: what is recorded changes its state at once, and is stored before anybody relies on it."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from opcode_core import events as e
from opcode_core.contracts.storage import Commit, Message, RunRecord
from opcode_core.decisions import CANCELLED, Decision, resolved
from opcode_core.engine.failure import LogFailed
from opcode_core.errors import ErrorCode, OpcodeError
from opcode_core.events import Event
from opcode_core.folding import evolve
from opcode_core.snapshot import freeze
from opcode_core.state import ACTIVE, RunState, StepState

if TYPE_CHECKING:
    from opcode_core.engine.engine import Engine

NOTHING: Mapping[str, Any] = {}
LONG, VERY_LONG = 1_000, 10_000
"""Events after which a run's state is stored beside its log: when it comes to rest, and while it goes on."""
SOONEST = 0.1
"""Seconds after which a run that comes to rest is looked at again at the earliest."""
_GIVING_UP = frozenset({e.STEP_SKIPPED, e.STEP_FAILED, e.STEP_IGNORED, e.STEP_RETRYING})


class Log:
    """The only writer of a run's state.

    Args:
        state: as folded from what is stored.
        fence: which claim of the run this is; a later one makes the storage refuse this log.
        definition: to be stored with the first commit of a new run.
        snapshot_at: sequence of the latest snapshot.

    Attributes:
        unstored: events that are not given to the storage yet.
        taken: messages whose effect is recorded; they are deleted with the next commit.
        closed: nothing more is recorded here: the run has ended, or rests.
    """

    def __init__(
        self, engine: "Engine", state: RunState, fence: int, definition: bytes | None, snapshot_at: int
    ) -> None:
        self.engine = engine
        self.state = state
        self.fence = fence
        self.unstored: list[Event] = []
        self.taken: list[str] = []
        self.closed = False
        self.stored = state.sequence
        self._now = engine.clock.now
        self._definition = definition
        self._snapshot_at = snapshot_at
        self._context_changed = False
        self._decisions: dict[str, Decision] = {}
        self._messages: list[Message] = []
        self._write: asyncio.Task[None] | None = None
        self._released = False

    # ---- recording ----------------------------------------------------------------------------

    def record(
        self,
        event_type: str,
        step_id: str | None = None,
        payload: Mapping[str, Any] = NOTHING,
        agent_id: str | None = None,
    ) -> None:
        """Let something have happened; `agent_id` caused it, if it was not the run's own agent.

        Raises:
            OpcodeError: INVALID_TRANSITION when it cannot follow what came before.
        """
        state = self.state
        if self.closed:
            raise OpcodeError(ErrorCode.INVALID_TRANSITION, f"run {state.id} has ended: {state.status}")
        if state.parked and step_id in state.parked and event_type in _GIVING_UP:
            self._let_go(step_id)
        who = agent_id or state.agent_id
        event = Event(state.id, state.sequence + 1, event_type, step_id, payload, who, self._now())
        asked = state.decisions.get(payload["decision_id"]) if event_type == e.DECISION_RESOLVED else None
        evolve(state, event)
        self.unstored.append(event)
        if event_type == e.VARIABLE_SET:
            self._context_changed = True
        elif event_type == e.DECISION_REQUESTED:
            self._decisions[payload["decision_id"]] = state.decisions[payload["decision_id"]]
        elif asked is not None:
            self._decisions[asked.id] = resolved(asked, payload, event.timestamp)

    def end_wait(self, step_id: str, why: str) -> None:
        """Let a suspended step run again, because what it waits for is given up."""
        step = self.state.steps[step_id]
        waiting = step.waiting or {}
        if waiting.get("decision_id") in self.state.decisions:
            cancelled = {"decision_id": waiting["decision_id"], "status": CANCELLED, "reasoning": why}
            self.record(e.DECISION_RESOLVED, step_id, cancelled)
        else:
            self._cancel_child(step)
            self.record(e.WAIT_COMPLETED, step_id, {"given_up": why})

    def _let_go(self, step_id: str) -> None:
        """Whatever a step waits for is told that nobody waits any more."""
        step = self.state.steps[step_id]
        if (step.waiting or {}).get("decision_id") in self.state.decisions:
            self.end_wait(step_id, "the step was given up")
        else:
            self._cancel_child(step)

    def _cancel_child(self, step: StepState) -> None:
        """The run that a step waits for, if it does."""
        if step.child is not None and step.waiting:
            reason = f"its parent run {self.state.id} no longer waits for it"
            self.tell(step.child, "cancel", {"reason": reason})

    def tell(self, run_id: str, kind: str, payload: Mapping[str, Any]) -> None:
        """Send a message to another run with the next commit."""
        message_id = f"{self.state.id}:{self.state.sequence}:{len(self._messages)}"
        who, now = self.state.agent_id, self._now()
        self._messages.append(Message(message_id, run_id, kind, None, payload, who, now))

    # ---- storing ------------------------------------------------------------------------------

    async def commit(self) -> None:
        """Return when all that is recorded is stored. Who waits may be cancelled without harm to the log.

        Raises:
            LogFailed: when the storage refuses; the run cannot go on in this process then.
        """
        wanted = self.state.sequence
        while self.stored < wanted or self.taken:
            await asyncio.shield(self.commit_meanwhile())

    def commit_meanwhile(self) -> "asyncio.Task[None]":
        """Begin to store what is recorded, for work that takes time and need not wait for it."""
        if self._write is None:
            self._write = asyncio.create_task(self._store(), name=f"log of run {self.state.id}")
            self._write.add_done_callback(_looked_at)
        return self._write

    @property
    def is_stored(self) -> bool:
        """Whether the storage has all that is recorded."""
        return self.stored == self.state.sequence

    async def close(self) -> None:
        """Store what is left and let the run go; from then on anybody may take it up.

        Raises:
            LogFailed: when the storage refuses.
        """
        self.closed = True
        while not self._released:
            await asyncio.shield(self.commit_meanwhile())

    async def stored_or_failed(self) -> None:
        """Return when no write is under way any more."""
        while (write := self._write) is not None:
            await asyncio.wait({write})
            if write.cancelled() or write.exception() is not None:
                return

    async def _store(self) -> None:
        """Write what is unstored. A write that fails is the last: a log has no gaps."""
        commit = self._due()
        try:
            await self.engine.journal.commit(commit)
        except OpcodeError as error:
            raise LogFailed(error) from error
        except Exception as raised:
            what = f"the log of run {self.state.id} cannot be written: {raised}"
            raise LogFailed(OpcodeError(ErrorCode.STORE_ERROR, what)) from raised
        self._definition = None
        self.stored = commit.run.sequence
        self._released = commit.run.owner is None
        self._write = None
        if commit.messages:
            self.engine.runs.tell_soon(commit.messages)
        if self.unstored:
            self.commit_meanwhile()

    def _due(self) -> Commit:
        """All that is not yet stored."""
        unstored, self.unstored = self.unstored, []
        context = dict(self.state.context) if self._context_changed or self._definition else None
        self._context_changed = False
        if self.closed:
            record = record_of(self.state, None, self.fence, self._wakes_at())
        else:
            record = record_of(self.state, self.engine.owner, self.fence)
        commit = Commit(record, unstored, self._definition, context)
        if self._is_long():
            commit = replace(commit, snapshot=freeze(self.state))
            self._snapshot_at = self.state.sequence
        if self._decisions or self._messages or self.taken:
            commit = replace(
                commit,
                decisions=tuple(self._decisions.values()),
                messages=tuple(self._messages),
                taken=tuple(self.taken),
            )
            self._decisions, self._messages, self.taken = {}, [], []
        return commit

    def _is_long(self) -> bool:
        """Whether the log has grown so much since the last snapshot that another one is due."""
        grown = self.state.sequence - self._snapshot_at
        enough = LONG if self.closed else max(VERY_LONG, self._snapshot_at // 4)
        return grown >= enough and not self.state.ended

    def _wakes_at(self) -> float | None:
        if self.engine.closing and self.state.status == ACTIVE:
            return self._now()  # it may have been kept from going on
        due = self.state.wakes_at
        return None if due is None else max(due, self._now() + SOONEST)


def _looked_at(write: "asyncio.Task[None]") -> None:
    """A write that fails is told by the next commit, unless the process ends before."""
    if not write.cancelled():
        write.exception()


def record_of(
    state: RunState, owner: str | None = None, fence: int = 1, wakes_at: float | None = None
) -> RunRecord:
    """The row that follows from a state, and who drives the run."""
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
        name=state.name,
        wakes_at=wakes_at,
        owner=owner,
        fence=fence,
    )
