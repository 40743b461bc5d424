"""A run's state, and the only function that changes it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from opcode_core import events as e
from opcode_core.errors import ErrorCode, OpcodeError
from opcode_core.events import Event

PENDING, SCHEDULED, RUNNING, RETRYING = "pending", "scheduled", "running", "retrying"
ACTIVE, COMPLETED, FAILED, SKIPPED = "active", "completed", "failed", "skipped"
SUSPENDED, CANCELLED = "suspended", "cancelled"

STEP_ENDED = frozenset({COMPLETED, FAILED, SKIPPED})
RUN_ENDED = frozenset({COMPLETED, FAILED, CANCELLED})

# A step is `scheduled` from the moment that all it depends on has ended; that follows from the
# other steps' states, so it has no event of its own and `pending` may go straight to `running`.
STEP_MOVES: Mapping[str, frozenset[str]] = {
    PENDING: frozenset({SCHEDULED, RUNNING, SKIPPED}),
    SCHEDULED: frozenset({RUNNING, SKIPPED}),
    RUNNING: frozenset({COMPLETED, FAILED, SKIPPED, SUSPENDED, RETRYING}),
    SUSPENDED: frozenset({RUNNING, FAILED, SKIPPED}),
    RETRYING: frozenset({RUNNING, FAILED, SKIPPED}),
    COMPLETED: frozenset(),
    FAILED: frozenset(),
    SKIPPED: frozenset(),
}
RUN_MOVES: Mapping[str, frozenset[str]] = {
    PENDING: frozenset({ACTIVE}),
    ACTIVE: frozenset({COMPLETED, FAILED, CANCELLED, SUSPENDED}),
    SUSPENDED: frozenset({ACTIVE, CANCELLED, FAILED}),
    COMPLETED: frozenset(),
    FAILED: frozenset(),
    CANCELLED: frozenset(),
}


@dataclass(slots=True)
class StepState:
    """What is known of one step.

    Attributes:
        attempt: the number of the latest try, from 1.
        retry_at: when the next try is due, while retrying.
        fallback: full id of the step that stands in for this one, which failed.
        reason: why it was skipped.
        results: of a loop, each finished iteration's output by its index.
        block: it holds steps of its own.
        choice: what a condition or a race decided, which is never decided again.
    """

    status: str = PENDING
    output: Any = None
    error: dict[str, Any] | None = None
    attempt: int = 0
    started_at: float | None = None
    ended_at: float | None = None
    retry_at: float | None = None
    fallback: str | None = None
    reason: str | None = None
    results: dict[int, Any] | None = None
    block: bool = False
    choice: Mapping[str, Any] | None = None


@dataclass(slots=True)
class RunState:
    """What is known of one run.

    Attributes:
        steps: those that have begun or ended, by full id.
        handled_error: what the workflow's `on_error` step is told about.
    """

    id: str
    status: str = PENDING
    definition_hash: str = ""
    agent_id: str = ""
    inputs: dict[str, Any] = field(default_factory=dict)
    context: dict[str, Any] = field(default_factory=dict)
    steps: dict[str, StepState] = field(default_factory=dict)
    output: Any = None
    error: dict[str, Any] | None = None
    sequence: int = 0
    started_at: float = 0.0
    updated_at: float = 0.0
    ended_at: float | None = None
    name: str | None = None
    template_name: str | None = None
    template_version: str | None = None
    handled_error: Mapping[str, Any] | None = None
    _workflow: dict[str, Any] | None = field(default=None, compare=False, repr=False)
    parent_id: str | None = None
    parent_step_id: str | None = None
    idempotency_key: str | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing more can happen to it."""
        return self.status in RUN_ENDED

    @property
    def workflow(self) -> dict[str, Any]:
        """What expressions see as `workflow`; made when one first looks."""
        if self._workflow is not None:
            return self._workflow
        self._workflow = {
            "run_id": self.id,
            "name": self.name,
            "template_name": self.template_name,
            "template_version": self.template_version,
            "agent_id": self.agent_id,
            "started_at": datetime.fromtimestamp(self.started_at, UTC).isoformat(),
            "error": self.handled_error,
        }
        return self._workflow

    def output_of(self, step_id: str) -> Any:
        """A step's output, or that of the step that stands in for it."""
        step = self.steps[step_id]
        while step.fallback is not None and step.fallback in self.steps:
            step = self.steps[step.fallback]
        return step.output


def evolve(state: RunState, event: Event) -> RunState:
    """Fold one event into `state`, in place, and give it back.

    It reads no clock and does nothing else, so the same log gives the same state: live runs,
    recovery, status and the panel all go through here.

    Raises:
        OpcodeError: INVALID_TRANSITION when the event cannot follow what came before.
    """
    if event.sequence != state.sequence + 1:
        raise OpcodeError(
            ErrorCode.INVALID_TRANSITION,
            f"event {event.sequence} of run {state.id} cannot follow event {state.sequence}",
        )
    handler = _HANDLERS.get(event.event_type)
    if handler is not None:
        handler(state, event)
    state.sequence = event.sequence
    state.updated_at = event.timestamp
    return state


def fold(run_id: str, log: list[Event]) -> RunState:
    """The state after `log`."""
    state = RunState(run_id)
    for event in log:
        evolve(state, event)
    return state


def _workflow_started(state: RunState, event: Event) -> None:
    _move_run(state, ACTIVE)
    payload = event.payload
    state.started_at = event.timestamp
    state.agent_id = event.agent_id
    state.definition_hash = payload["definition"]
    state.inputs = payload["inputs"]
    state.context = dict(payload["context"])
    state.parent_id = payload.get("parent_id")
    state.parent_step_id = payload.get("parent_step_id")
    state.idempotency_key = payload.get("idempotency_key")
    state.name = payload.get("name")
    state.template_name = payload.get("template_name")
    state.template_version = payload.get("template_version")


def _workflow_completed(state: RunState, event: Event) -> None:
    _move_run(state, COMPLETED)
    state.output = event.payload["output"]
    state.ended_at = event.timestamp


def _workflow_failed(state: RunState, event: Event) -> None:
    _move_run(state, FAILED)
    state.error = event.payload["error"]
    state.ended_at = event.timestamp


def _workflow_cancelled(state: RunState, event: Event) -> None:
    _move_run(state, CANCELLED)
    state.error = event.payload.get("error")
    state.ended_at = event.timestamp


def _workflow_suspended(state: RunState, _: Event) -> None:
    _move_run(state, SUSPENDED)


def _workflow_resumed(state: RunState, _: Event) -> None:
    if state.status == SUSPENDED:
        _move_run(state, ACTIVE)


def _error_handler_invoked(state: RunState, event: Event) -> None:
    if event.step_id is None:
        state.handled_error = event.payload["error"]
        state._workflow = None


def _variable_set(state: RunState, event: Event) -> None:
    state.context.update(event.payload["data"])


def _step_started(state: RunState, event: Event) -> None:
    step = _step(state, event)
    _move(state, event, step, RUNNING)
    step.attempt += 1
    step.block = "block" in event.payload
    if step.started_at is None:
        step.started_at = event.timestamp


def _step_completed(state: RunState, event: Event) -> None:
    step = _step(state, event)
    _move(state, event, step, COMPLETED)
    step.output = event.payload["output"]
    step.error = None
    step.results = None
    step.ended_at = event.timestamp


def _step_failed(state: RunState, event: Event) -> None:
    step = _step(state, event)
    _move(state, event, step, FAILED)
    step.error = event.payload["error"]
    step.ended_at = event.timestamp


def _step_skipped(state: RunState, event: Event) -> None:
    step = _step(state, event)
    _move(state, event, step, SKIPPED)
    step.reason = event.payload.get("reason")
    step.ended_at = event.timestamp


def _step_ignored(state: RunState, event: Event) -> None:
    step = _step(state, event)
    _move(state, event, step, SKIPPED)
    step.error = event.payload["error"]
    step.reason = "its failure is ignored"
    step.ended_at = event.timestamp


def _step_retrying(state: RunState, event: Event) -> None:
    step = _step(state, event)
    _move(state, event, step, RETRYING)
    step.error = event.payload["error"]
    step.retry_at = event.timestamp + event.payload["delay_ms"] / 1000
    step.results = step.choice = None
    # A block that is tried again begins again: what its steps did in the last try is over.
    if step.block:
        _forget_inside(state, f"{event.step_id}.")


def _step_suspended(state: RunState, event: Event) -> None:
    _move(state, event, _step(state, event), SUSPENDED)


def _step_fallback(state: RunState, event: Event) -> None:
    _step(state, event).fallback = event.payload["fallback_step"]


def _loop_iter_completed(state: RunState, event: Event) -> None:
    loop = _step(state, event)
    index, last = event.payload["index"], event.payload["last"]
    if loop.results is None:
        loop.results = {}
    loop.results[index] = state.output_of(f"{event.step_id}.iter_{index}.{last}") if last else None
    folded = event.payload.get("folded")
    if folded is not None:
        prefix = f"{event.step_id}.iter_{folded['index']}."
        for step_id in folded["steps"]:
            step = state.steps.pop(prefix + step_id, None)
            if step is not None and step.block:
                _forget_inside(state, f"{prefix}{step_id}.")


def _chosen(state: RunState, event: Event) -> None:
    _step(state, event).choice = event.payload


_HANDLERS: Mapping[str, Callable[[RunState, Event], None]] = {
    e.WORKFLOW_STARTED: _workflow_started,
    e.WORKFLOW_COMPLETED: _workflow_completed,
    e.WORKFLOW_FAILED: _workflow_failed,
    e.WORKFLOW_CANCELLED: _workflow_cancelled,
    e.WORKFLOW_SUSPENDED: _workflow_suspended,
    e.WORKFLOW_RESUMED: _workflow_resumed,
    e.ERROR_HANDLER_INVOKED: _error_handler_invoked,
    e.VARIABLE_SET: _variable_set,
    e.STEP_STARTED: _step_started,
    e.STEP_RETRY_ATTEMPT: _step_started,
    e.STEP_COMPLETED: _step_completed,
    e.STEP_FAILED: _step_failed,
    e.STEP_SKIPPED: _step_skipped,
    e.STEP_IGNORED: _step_ignored,
    e.STEP_RETRYING: _step_retrying,
    e.STEP_SUSPENDED: _step_suspended,
    e.STEP_FALLBACK: _step_fallback,
    e.CONDITION_EVALUATED: _chosen,
    e.LOOP_ITER_COMPLETED: _loop_iter_completed,
}


def _step(state: RunState, event: Event) -> StepState:
    step_id = event.step_id or ""
    step = state.steps.get(step_id)
    if step is None:
        step = state.steps[step_id] = StepState()
    return step


def _forget_inside(state: RunState, prefix: str) -> None:
    for step_id in [key for key in state.steps if key.startswith(prefix)]:
        del state.steps[step_id]


def _move(state: RunState, event: Event, step: StepState, to: str) -> None:
    if to not in STEP_MOVES[step.status]:
        raise OpcodeError(
            ErrorCode.INVALID_TRANSITION,
            f"step {event.step_id} of run {state.id} cannot go from {step.status} to {to}",
            step_id=event.step_id,
        )
    step.status = to


def _move_run(state: RunState, to: str) -> None:
    if to not in RUN_MOVES[state.status]:
        raise OpcodeError(
            ErrorCode.INVALID_TRANSITION, f"run {state.id} cannot go from {state.status} to {to}"
        )
    state.status = to
