"""What happened in a run, as facts that are never changed."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

FORMAT: Final = 1
"""The version of the events' form; it rises when a payload changes its meaning."""

WORKFLOW_STARTED: Final = "workflow_started"
WORKFLOW_COMPLETED: Final = "workflow_completed"
WORKFLOW_FAILED: Final = "workflow_failed"
WORKFLOW_CANCELLED: Final = "workflow_cancelled"
WORKFLOW_SUSPENDED: Final = "workflow_suspended"
WORKFLOW_RESUMED: Final = "workflow_resumed"
WORKFLOW_TIMED_OUT: Final = "workflow_timed_out"
WORKFLOW_INTERRUPTED: Final = "workflow_interrupted"
STEP_STARTED: Final = "step_started"
STEP_COMPLETED: Final = "step_completed"
STEP_FAILED: Final = "step_failed"
STEP_SKIPPED: Final = "step_skipped"
STEP_RETRYING: Final = "step_retrying"
STEP_SUSPENDED: Final = "step_suspended"
STEP_RETRY_ATTEMPT: Final = "step_retry_attempt"
STEP_FALLBACK: Final = "step_fallback"
STEP_IGNORED: Final = "step_ignored"
ERROR_HANDLER_INVOKED: Final = "error_handler_invoked"
DECISION_REQUESTED: Final = "decision_requested"
DECISION_RESOLVED: Final = "decision_resolved"
SIGNAL_RECEIVED: Final = "signal_received"
VARIABLE_SET: Final = "variable_set"
DAG_MUTATED: Final = "dag_mutated"
CIRCUIT_BREAKER_OPEN: Final = "circuit_breaker_open"
CIRCUIT_BREAKER_HALF_OPEN: Final = "circuit_breaker_half_open"
CIRCUIT_BREAKER_CLOSED: Final = "circuit_breaker_closed"
CONDITION_EVALUATED: Final = "condition_evaluated"
LOOP_ITER_STARTED: Final = "loop_iter_started"
LOOP_ITER_COMPLETED: Final = "loop_iter_completed"
LOOP_COMPLETED: Final = "loop_completed"
PARALLEL_STARTED: Final = "parallel_started"
PARALLEL_COMPLETED: Final = "parallel_completed"
WAIT_STARTED: Final = "wait_started"
WAIT_COMPLETED: Final = "wait_completed"

RESERVED: Final = frozenset(
    value for name, value in list(globals().items()) if name.isupper() and isinstance(value, str)
)
"""The engine's own event types; `workflow.emit` may not use them."""


class Event(NamedTuple):
    """One fact of one run's log.

    Attributes:
        workflow_id: the run.
        sequence: its place in the run's log, from 1, without gaps.
        event_type: one of the names above, or a custom one.
        step_id: full id of the step it is about, or None for the run itself.
        payload: JSON; what it holds depends on the type.
        agent_id: the agent that the run belongs to or that caused the event.
        timestamp: seconds since the epoch.
    """

    workflow_id: str
    sequence: int
    event_type: str
    step_id: str | None
    payload: Mapping[str, Any]
    agent_id: str
    timestamp: float

    @property
    def id(self) -> str:
        """Unique over all runs, and made of what the event already knows."""
        return f"{self.workflow_id}:{self.sequence}"
