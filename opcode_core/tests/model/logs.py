"""Logs of runs, written short."""

from typing import Any

from opcode_core import Event
from opcode_core import events as e

ERROR = {"code": "EXECUTION_ERROR", "message": "no", "details": {}, "step_id": "a"}


def started(**fields: Any) -> tuple[str, dict[str, Any]]:
    """The first event of every log."""
    return e.WORKFLOW_STARTED, {"definition": "hash", "inputs": {}, "context": {}, **fields}


def log(*facts: tuple[Any, ...]) -> list[Event]:
    """Events from (type, payload) or (type, payload, step id); the n-th happens at second n."""
    return [
        Event("run-1", n, event_type, step_id[0] if step_id else None, payload, "agent", float(n))
        for n, (event_type, payload, *step_id) in enumerate(facts, 1)
    ]
