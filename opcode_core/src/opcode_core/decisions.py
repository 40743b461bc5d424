"""A decision: a question that a run asks an agent or a person, and the answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

PENDING, RESOLVED, REJECTED, CANCELLED, TIMED_OUT = (
    "pending",
    "resolved",
    "rejected",
    "cancelled",
    "timed_out",
)

SYSTEM = "system"
"""Who resolves a decision when its time is over."""
TIMEOUT_REASONING = "timeout_auto_resolved"


@dataclass(frozen=True, slots=True)
class Decision:
    """One question; times are seconds since the epoch.

    Attributes:
        target_agent_id: who alone may answer, or None for anybody.
        prompt: what is asked.
        data: values by name that help to answer.
        options: each with `id` and `description`; none when any answer is allowed.
        response_schema: JSON Schema of the answer's `data`, or None.
        timeout_at: when `fallback`, an option's id, is chosen, or the step fails if that is None.
        status: `pending`, then `resolved`, `rejected`, `cancelled` or `timed_out`.
        answer: the answer's `data`.
    """

    id: str
    workflow_id: str
    step_id: str
    target_agent_id: str | None
    prompt: str
    data: Mapping[str, Any]
    options: Sequence[Mapping[str, Any]]
    response_schema: Mapping[str, Any] | None
    timeout_at: float | None
    fallback: str | None
    created_at: float
    status: str = PENDING
    choice: Any = None
    reasoning: str = ""
    answer: Any = None
    resolved_by: str | None = None
    resolved_at: float | None = None


def requested(workflow_id: str, step_id: str, payload: Mapping[str, Any], at: float) -> Decision:
    """The decision that a `decision_requested` event tells of."""
    return Decision(
        id=payload["decision_id"],
        workflow_id=workflow_id,
        step_id=step_id,
        target_agent_id=payload["target_agent"],
        prompt=payload["prompt"],
        data=payload["data"],
        options=payload["options"],
        response_schema=payload["response_schema"],
        timeout_at=payload["timeout_at"],
        fallback=payload["fallback"],
        created_at=at,
    )


def resolved(decision: Decision, payload: Mapping[str, Any], at: float) -> Decision:
    """The same decision after a `decision_resolved` event."""
    return replace(
        decision,
        status=payload["status"],
        choice=payload.get("choice"),
        reasoning=payload.get("reasoning", ""),
        answer=payload.get("data"),
        resolved_by=payload.get("resolved_by"),
        resolved_at=at,
    )
