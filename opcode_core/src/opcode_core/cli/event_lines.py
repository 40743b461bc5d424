"""A run's progress where no terminal is: plain text, a line an event."""

import sys
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from opcode_core import events as e
from opcode_core.cli.tables import one_line, title_of
from opcode_core.cli.waits import until_when, wait_of
from opcode_core.durations import format_duration
from opcode_core.events import Event
from opcode_core.plan import Plan
from opcode_core.state import RunState

MOST_WAITS = 20
_QUIET = frozenset({e.LOOP_ITER_STARTED, e.LOOP_ITER_COMPLETED, e.PARALLEL_STARTED, e.WAIT_STARTED})
_STEP_ENDS = frozenset({e.STEP_COMPLETED, e.STEP_FAILED, e.STEP_SKIPPED, e.STEP_IGNORED})
_RUN_ENDS = frozenset({e.WORKFLOW_COMPLETED, e.WORKFLOW_FAILED, e.WORKFLOW_CANCELLED})


class Lines:
    """A line for each event that a person cares about."""

    def __init__(self, plan: Plan, state: RunState) -> None:
        self._slow = frozenset(step.id for step in plan.steps if not step.at_once)
        self._began: dict[str | None, float] = {
            step_id: step.started_at
            for step_id, step in state.steps.items()
            if step.started_at is not None and step.ended_at is None
        }
        if state.sequence:
            self._began[None] = state.started_at
        self._ended = False
        if state.sequence:
            _introduce(state)

    def show(self, event: Event) -> None:
        """Print it."""
        if event.event_type == e.STEP_STARTED or event.event_type == e.WORKFLOW_STARTED:
            self._began[event.step_id] = event.timestamp
        took = self._took(event)
        if not self._matters(event):
            return
        when = datetime.fromtimestamp(event.timestamp).astimezone().strftime("%H:%M:%S.%f")[:-3]
        parts = (when, f"{one_line(event.event_type):<21}", event.step_id or "", took, _note(event))
        print("  ".join(part for part in parts if part).rstrip(), file=sys.stderr, flush=True)

    def finish(self, state: RunState) -> None:
        """Say so when the last events came too fast to be shown."""
        if not self._ended and state.ended:
            print(f"          {state.status}; the log has all of its events", file=sys.stderr)

    def _matters(self, event: Event) -> bool:
        self._ended = self._ended or event.event_type in _RUN_ENDS
        if event.event_type == e.STEP_STARTED:  # what is done at once needs no line for its beginning
            return event.step_id in self._slow
        return event.event_type not in _QUIET

    def _took(self, event: Event) -> str:
        if event.event_type not in _STEP_ENDS and event.event_type not in _RUN_ENDS:
            return ""
        began = self._began.pop(event.step_id, None)
        return "" if began is None else format_duration(max(event.timestamp - began, 0.0))


def _introduce(state: RunState) -> None:
    """How a run stands that is taken up."""
    lines = [f"{title_of(state)}  run {state.id}"]
    lines += [f"{step_id} {wait_of(state.steps[step_id])}" for step_id in list(state.parked)[:MOST_WAITS]]
    for line in lines:
        print(f"{'':14}{one_line(line)}", file=sys.stderr, flush=True)


def _note(event: Event) -> str:
    """What is worth saying about an event beside its type and step."""
    payload: Any = event.payload
    say = _NOTES.get(event.event_type)
    note = say(event, payload) if say else _error_in(payload, whole=True) or str(payload.get("reason") or "")
    return one_line(note, 200)


def _retrying(_: Event, payload: Any) -> str:
    delay = format_duration(payload["delay_ms"] / 1000)
    return f"try {payload['attempt']} failed, again in {delay}: {payload['error']['message']}"


def _resolved(_: Event, payload: Any) -> str:
    return f"{payload.get('choice') or payload['status']} by {payload.get('resolved_by') or 'nobody'}"


def _ended(_: Event, payload: Any) -> str:
    return _error_in(payload, whole=False)  # the whole of it is said at the end


def _wait(_: Event, payload: Any) -> str:
    """What a step that is suspended waits for."""
    if "until" in payload:
        return until_when(payload["until"])
    if "signal" in payload:
        return f"until the signal '{payload['signal']}'"
    if "decision_id" in payload:
        return "until it is decided"
    if "run_id" in payload:
        return f"until run {payload['run_id']} ends"
    return "until somebody says how it goes on"


_NOTES: Mapping[str, Callable[[Event, Any], str]] = {
    e.WORKFLOW_STARTED: lambda event, _: f"run {event.workflow_id}",
    e.WORKFLOW_SUSPENDED: lambda _, payload: ", ".join(payload.get("waiting", ())) or payload["reason"],
    e.WORKFLOW_FAILED: _ended,
    e.WORKFLOW_CANCELLED: _ended,
    e.STEP_RETRYING: _retrying,
    e.STEP_SUSPENDED: _wait,
    e.STEP_FALLBACK: lambda _, payload: f"→ {payload['fallback_step']}",
    e.SIGNAL_RECEIVED: lambda event, payload: f"{payload['signal_type']} by {event.agent_id}",
    e.DECISION_REQUESTED: lambda _, payload: str(payload["prompt"]),
    e.DECISION_RESOLVED: _resolved,
    e.ERROR_HANDLER_INVOKED: lambda _, payload: str(
        payload.get("strategy") or f"step {payload.get('handler')}"
    ),
    e.CONDITION_EVALUATED: lambda _, payload: f"{payload['expression']} → {payload['branch']}",
}


def _error_in(payload: Any, *, whole: bool) -> str:
    error = payload.get("error")
    if not isinstance(error, dict) or "code" not in error:
        return ""
    return f"{error['code']}: {error.get('message', '')}" if whole else str(error["code"])
