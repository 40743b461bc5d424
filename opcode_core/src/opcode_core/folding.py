"""How events change a run's state: the only function that does."""

from collections.abc import Callable, Mapping

from opcode_core import decisions
from opcode_core import events as e
from opcode_core.errors import ErrorCode, OpcodeError
from opcode_core.events import Event
from opcode_core.state import (
    ACTIVE,
    CANCELLED,
    COMPLETED,
    FAILED,
    PARKED,
    RETRYING,
    RUN_MOVES,
    RUNNING,
    SKIPPED,
    STEP_MOVES,
    SUSPENDED,
    KeptSignal,
    RunState,
    StepState,
)


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
    if state.status == FAILED:  # what has failed is resumed, not started
        raise _no_such_move(state, ACTIVE)
    _move_run(state, ACTIVE)
    payload = event.payload
    state.started_at = event.timestamp
    state.agent_id = event.agent_id
    state.definition_hash = payload["definition"]
    state.inputs = payload["inputs"]
    state.context = dict(payload["context"])
    state.parent_id = payload.get("parent_id")
    state.parent_step_id = payload.get("parent_step_id")
    state.depth = payload.get("depth", 0 if state.parent_id is None else 1)
    state.idempotency_key = payload.get("idempotency_key")
    state.name = payload.get("name")
    state.template_name = payload.get("template_name")
    state.template_version = payload.get("template_version")
    state.forked_from = payload.get("forked_from")
    if "timeout" in payload:
        state.deadline = event.timestamp + payload["timeout"]


def _workflow_completed(state: RunState, event: Event) -> None:
    _move_run(state, COMPLETED)
    state.output = event.payload["output"]
    state.ended_at = event.timestamp


def _workflow_failed(state: RunState, event: Event) -> None:
    _move_run(state, FAILED)
    state.error = event.payload["error"]
    state.ended_at = event.timestamp
    state.timed_out = False


def _workflow_cancelled(state: RunState, event: Event) -> None:
    _move_run(state, CANCELLED)
    state.error = event.payload.get("error")
    state.ended_at = event.timestamp
    state.timed_out = False


def _workflow_suspended(state: RunState, event: Event) -> None:
    _move_run(state, SUSPENDED)
    state.held = event.payload.get("held")
    if state.held == "timeout":
        state.timed_out = False


def _workflow_resumed(state: RunState, event: Event) -> None:
    """`again`: steps to be done anew; `reopened`: the blocks around them, which go on."""
    if state.status != ACTIVE:
        _move_run(state, ACTIVE)
    state.held = state.error = state.ended_at = None
    if event.payload.get("reason") == "retry":  # somebody knows what they do
        state.interruptions = 0
    if "again" not in event.payload:
        return
    state.generation += 1
    state.interruptions = 0
    state.handled_error = state._workflow = None
    for step_id in event.payload["again"]:
        _forget(state, step_id)
        _forget_inside(state, f"{step_id}.")
    for step_id in event.payload["reopened"]:
        step = state.steps[step_id]
        step.status, step.failures, step.fallback = RUNNING, 0, None
        step.error = step.ended_at = step.reason = None
        step.halted = False


def _workflow_interrupted(state: RunState, _: Event) -> None:
    state.interruptions += 1


def _workflow_timed_out(state: RunState, _: Event) -> None:
    state.timed_out = True
    state.deadline = None


def _error_handler_invoked(state: RunState, event: Event) -> None:
    if event.step_id is None:
        state.handled_error = event.payload["error"]
        state._workflow = None


def _variable_set(state: RunState, event: Event) -> None:
    state.context.update(event.payload["data"])


def _signal_received(state: RunState, event: Event) -> None:
    payload = event.payload
    if payload["signal_type"] == "data":
        name = payload.get("signal")
        if name is not None or event.step_id is not None:
            state.signals.append(KeptSignal(event.sequence, name, event.step_id, payload["payload"]))
    elif payload["signal_type"] == "retry" and event.step_id is not None:
        step = _step(state, event)
        if step.status == RETRYING:
            step.retry_at = state.parked[event.step_id] = event.timestamp
        elif step.status == SUSPENDED:
            step.waiting = None
    elif payload["signal_type"] == "cancel":
        state.cancelling = state.cancelling or payload["reason"]


def _step_started(state: RunState, event: Event) -> None:
    step = _step(state, event)
    _move(state, event, step, RUNNING)
    if step.attempt == 0:
        step.started_at = event.timestamp
        step.group = state.generation
    else:
        step.waiting = step.choice = None
    step.attempt += 1
    if event.payload:
        step.block = "block" in event.payload
        if "timeout" in event.payload:
            step.deadline = event.timestamp + event.payload["timeout"]
            state.deadlines[event.step_id or ""] = step.deadline
        if "hook" in event.payload:  # the workflow's own work is done, in time
            state.deadline = None


def _step_completed(state: RunState, event: Event) -> None:
    step = _step(state, event)
    _end(state, event, step, COMPLETED)
    step.output = event.payload["output"]
    step.error = None
    step.results = step.items = None


def _step_failed(state: RunState, event: Event) -> None:
    step = _step(state, event)
    _end(state, event, step, FAILED)
    step.error = event.payload["error"]
    step.fallback = event.payload.get("fallback_step")


def _step_skipped(state: RunState, event: Event) -> None:
    step = _step(state, event)
    _end(state, event, step, SKIPPED)
    step.reason = event.payload.get("reason")
    step.halted = "halted" in event.payload


def _step_ignored(state: RunState, event: Event) -> None:
    step = _step(state, event)
    _end(state, event, step, SKIPPED)
    step.error = event.payload["error"]
    step.reason = "its failure is ignored"


def _step_retrying(state: RunState, event: Event) -> None:
    step_id, step = event.step_id or "", _step(state, event)
    _move(state, event, step, RETRYING)
    step.error = event.payload["error"]
    step.retry_at = state.parked[step_id] = event.timestamp + event.payload["delay_ms"] / 1000
    state.deadlines.pop(step_id, None)
    if "interrupted" in event.payload:
        return
    step.failures += 1
    step.results = step.items = step.choice = step.waiting = step.deadline = None
    step.begun = 0
    if step.child is not None:  # its run has failed; the next try is for another one
        state.generation += 1
        step.group, step.child = state.generation, None
    # A block that is tried again begins again: what its steps did in the last try is over.
    if step.block:
        state.generation += 1
        _forget_inside(state, f"{step_id}.")


def _step_suspended(state: RunState, event: Event) -> None:
    step = _step(state, event)
    _move(state, event, step, SUSPENDED)
    if "waiting" in event.payload:  # for somebody, however long that takes
        step.waiting, step.deadline = event.payload["waiting"], None
        state.deadlines.pop(event.step_id or "", None)
    state.parked[event.step_id or ""] = (step.waiting or {}).get("until")


def _step_fallback(state: RunState, event: Event) -> None:
    _step(state, event).fallback = event.payload["fallback_step"]


def _wait_started(state: RunState, event: Event) -> None:
    step = _step(state, event)
    step.waiting = event.payload
    step.child = event.payload.get("run_id")


def _wait_completed(state: RunState, event: Event) -> None:
    step = _step(state, event)
    if step.status == SUSPENDED:
        _move(state, event, step, RUNNING)
    step.waiting, step.choice = None, event.payload
    taken = event.payload.get("taken")
    if taken is not None:
        state.signals = [kept for kept in state.signals if kept.sequence != taken]
    state.interruptions = 0


def _decision_requested(state: RunState, event: Event) -> None:
    payload = event.payload
    decision = decisions.requested(state.id, event.step_id or "", payload, event.timestamp)
    state.decisions[decision.id] = decision
    waiting = {"for": "decision", "decision_id": decision.id, "until": decision.timeout_at}
    _step(state, event).waiting = waiting


def _decision_resolved(state: RunState, event: Event) -> None:
    step = _step(state, event)
    del state.decisions[event.payload["decision_id"]]
    if step.status == SUSPENDED:
        _move(state, event, step, RUNNING)
    step.waiting, step.choice = None, event.payload
    state.interruptions = 0


def _loop_iter_started(state: RunState, event: Event) -> None:
    loop = _step(state, event)
    loop.begun = event.payload["index"] + 1
    if "items" in event.payload:
        loop.items = event.payload["items"]


def _loop_iter_completed(state: RunState, event: Event) -> None:
    loop = _step(state, event)
    index, last = event.payload["index"], event.payload["last"]
    if loop.results is None:
        loop.results = {}
    if "result" in event.payload:  # taken over from another run
        loop.results[index] = event.payload["result"]
    else:
        loop.results[index] = state.output_of(f"{event.step_id}.iter_{index}.{last}") if last else None
    folded = event.payload.get("folded")
    if folded is not None:
        prefix = f"{event.step_id}.iter_{folded['index']}."
        for step_id in folded["steps"]:
            step = state.steps.pop(prefix + step_id, None)
            if step is not None and step.block:
                _forget_inside(state, f"{prefix}{step_id}.")


def _parallel_started(state: RunState, event: Event) -> None:
    _step(state, event).begun = 1


def _chosen(state: RunState, event: Event) -> None:
    _step(state, event).choice = event.payload


_HANDLERS: Mapping[str, Callable[[RunState, Event], None]] = {
    e.WORKFLOW_STARTED: _workflow_started,
    e.WORKFLOW_COMPLETED: _workflow_completed,
    e.WORKFLOW_FAILED: _workflow_failed,
    e.WORKFLOW_CANCELLED: _workflow_cancelled,
    e.WORKFLOW_SUSPENDED: _workflow_suspended,
    e.WORKFLOW_RESUMED: _workflow_resumed,
    e.WORKFLOW_INTERRUPTED: _workflow_interrupted,
    e.WORKFLOW_TIMED_OUT: _workflow_timed_out,
    e.SIGNAL_RECEIVED: _signal_received,
    e.WAIT_STARTED: _wait_started,
    e.WAIT_COMPLETED: _wait_completed,
    e.DECISION_REQUESTED: _decision_requested,
    e.DECISION_RESOLVED: _decision_resolved,
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
    e.LOOP_ITER_STARTED: _loop_iter_started,
    e.LOOP_ITER_COMPLETED: _loop_iter_completed,
    e.PARALLEL_STARTED: _parallel_started,
    e.PARALLEL_COMPLETED: _chosen,
}


def _step(state: RunState, event: Event) -> StepState:
    step_id = event.step_id or ""
    step = state.steps.get(step_id)
    if step is None:
        step = state.steps[step_id] = StepState()
    return step


def _forget_inside(state: RunState, prefix: str) -> None:
    for step_id in [key for key in state.steps if key.startswith(prefix)]:
        _forget(state, step_id)


def _forget(state: RunState, step_id: str) -> None:
    state.steps.pop(step_id, None)
    state.parked.pop(step_id, None)
    state.deadlines.pop(step_id, None)


def _end(state: RunState, event: Event, step: StepState, how: str) -> None:
    _move(state, event, step, how)
    step.ended_at = event.timestamp
    state.interruptions = 0
    if step.deadline is not None:
        step.deadline = None
        state.deadlines.pop(event.step_id or "", None)


def _move(state: RunState, event: Event, step: StepState, to: str) -> None:
    before = step.status
    if to not in STEP_MOVES[before]:
        raise OpcodeError(
            ErrorCode.INVALID_TRANSITION,
            f"step {event.step_id} of run {state.id} cannot go from {before} to {to}",
            step_id=event.step_id,
        )
    if before in PARKED:
        state.parked.pop(event.step_id or "", None)
    step.status = to


def _move_run(state: RunState, to: str) -> None:
    if to not in RUN_MOVES[state.status]:
        raise _no_such_move(state, to)
    state.status = to


def _no_such_move(state: RunState, to: str) -> OpcodeError:
    return OpcodeError(ErrorCode.INVALID_TRANSITION, f"run {state.id} cannot go from {state.status} to {to}")
