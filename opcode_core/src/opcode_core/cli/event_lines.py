"""A run's progress where no terminal is: plain text, a line an event."""

import sys
from datetime import datetime
from typing import Any

from opcode_core import events as e
from opcode_core.cli.tables import one_line
from opcode_core.durations import format_duration
from opcode_core.events import Event
from opcode_core.plan import Plan
from opcode_core.state import RunState

_QUIET = frozenset({e.LOOP_ITER_STARTED, e.LOOP_ITER_COMPLETED, e.PARALLEL_STARTED, e.WAIT_STARTED})
_STEP_ENDS = frozenset({e.STEP_COMPLETED, e.STEP_FAILED, e.STEP_SKIPPED, e.STEP_IGNORED})
_RUN_ENDS = frozenset({e.WORKFLOW_COMPLETED, e.WORKFLOW_FAILED, e.WORKFLOW_CANCELLED})


class Lines:
    """A line for each event that a person cares about."""

    def __init__(self, plan: Plan) -> None:
        self._slow = frozenset(step.id for step in plan.steps if not step.at_once)
        self._began: dict[str | None, float] = {}
        self._ended = False

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
        if not self._ended:
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


def _note(event: Event) -> str:
    """What is worth saying about an event beside its type and step."""
    payload: Any = event.payload
    match event.event_type:
        case e.WORKFLOW_STARTED:
            note = f"run {event.workflow_id}"
        case e.STEP_RETRYING:
            delay = format_duration(payload["delay_ms"] / 1000)
            note = f"try {payload['attempt']} failed, again in {delay}: {payload['error']['message']}"
        case e.STEP_FALLBACK:
            note = f"→ {payload['fallback_step']}"
        case e.ERROR_HANDLER_INVOKED:
            note = str(payload.get("strategy") or f"step {payload.get('handler')}")
        case e.WORKFLOW_FAILED | e.WORKFLOW_CANCELLED:  # the whole of it is said at the end
            note = _error_in(payload, whole=False)
        case e.CONDITION_EVALUATED:
            note = f"{payload['expression']} → {payload['branch']}"
        case _:
            note = _error_in(payload, whole=True) or str(payload.get("reason") or "")
    return one_line(note, 200)


def _error_in(payload: Any, *, whole: bool) -> str:
    error = payload.get("error")
    if not isinstance(error, dict) or "code" not in error:
        return ""
    return f"{error['code']}: {error.get('message', '')}" if whole else str(error["code"])
