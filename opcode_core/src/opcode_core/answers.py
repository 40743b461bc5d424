"""What callers are told about runs, events and templates: the JSON of the command line and of every other front."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from opcode_core.codec import dumps, loads
from opcode_core.contracts.storage import RunRecord, TemplateRecord
from opcode_core.decisions import PENDING as UNDECIDED
from opcode_core.decisions import Decision
from opcode_core.events import Event
from opcode_core.plan import Plan
from opcode_core.state import COMPLETED, PARKED, PENDING, RETRYING, SCHEDULED, SUSPENDED, RunState, StepState

MOST_OF_A_VALUE = 16 * 1024
"""Bytes of JSON of one step's output that a decision shows; whoever needs more asks for the run."""


def iso(seconds: float | None) -> str | None:
    """RFC 3339 in UTC, with milliseconds."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def step_answer(step_id: str, step: StepState, status: str | None = None) -> dict[str, Any]:
    """One step."""
    answer = {
        "step_id": step_id,
        "status": status or step.status,
        "output": step.output,
        "error": step.error,
        "duration_ms": _milliseconds(step.started_at, step.ended_at),
    }
    if step.attempt > 1:
        answer["attempts"] = step.attempt
    if step.reason is not None:
        answer["reason"] = step.reason
    if step.status in PARKED:
        answer["waiting"] = waiting_answer(step)
    return answer


def waiting_answer(step: StepState) -> dict[str, Any] | None:
    """What a step waits for: `for` is `time`, `retry`, `signal`, `decision`, `run` or `operator`."""
    if step.status == RETRYING:
        return {"for": "retry", "until": iso(step.retry_at)}
    waiting = step.waiting
    if step.status != SUSPENDED or waiting is None:
        return None
    about = {key: waiting[key] for key in ("signal", "decision_id", "reason") if key in waiting}
    if "run_id" in waiting:
        about["workflow_id"] = waiting["run_id"]
    return {"for": waiting["for"], **about, "until": iso(waiting.get("until"))}


def steps_answer(state: RunState, plan: Plan | None = None) -> dict[str, Any]:
    """All steps by full id: those that began, and with a plan the outermost ones that did not."""
    answers = {step_id: step_answer(step_id, step) for step_id, step in state.steps.items()}
    if plan is not None and not state.ended:
        held = _held_up(state, plan)
        for index, step in enumerate(plan.steps):
            if step.id not in answers:
                answers[step.id] = step_answer(step.id, StepState(), PENDING if index in held else SCHEDULED)
    return answers


def run_answer(state: RunState, plan: Plan | None = None) -> dict[str, Any]:
    """A run with its steps and its output."""
    return {
        "workflow_id": state.id,
        "status": state.status,
        "output": state.output,
        "error": state.error,
        "started_at": iso(state.started_at),
        "completed_at": iso(state.ended_at),
        "steps": steps_answer(state, plan),
        "pending_decisions": pending_answer(state),
    }


def status_answer(
    state: RunState, plan: Plan | None = None, log: Sequence[Event] | None = None
) -> dict[str, Any]:
    """A run as `status` shows it; with its log when that is asked for."""
    return {
        "workflow_id": state.id,
        "name": state.name,
        "status": state.status,
        "held": state.held,
        "steps": steps_answer(state, plan),
        "pending_decisions": pending_answer(state),
        "context": state.context,
        "events": None if log is None else [event_answer(event) for event in log],
        "output": state.output,
        "error": state.error,
        "template_name": state.template_name,
        "template_version": state.template_version,
        "agent_id": state.agent_id,
        "started_at": iso(state.started_at),
        "completed_at": iso(state.ended_at),
    }


def record_answer(run: RunRecord) -> dict[str, Any]:
    """A run's row, as lists show it."""
    return {
        "workflow_id": run.id,
        "name": run.name,
        "status": run.status,
        "template_name": run.template_name,
        "template_version": run.template_version,
        "agent_id": run.agent_id,
        "started_at": iso(run.started_at),
        "completed_at": iso(run.completed_at),
        "duration_ms": _milliseconds(run.started_at, run.completed_at),
        "parent_id": run.parent_id,
        "output": run.output,
        "error": run.error,
    }


def signal_answer(state: RunState, signal_type: str) -> dict[str, Any]:
    """That a run was told something, and how it stands then."""
    answer = {"ok": True, "workflow_id": state.id, "signal_type": signal_type}
    if signal_type == "decision":
        answer["resumed"] = True
    return {**answer, "status": state.status}


def pending_answer(state: RunState) -> list[dict[str, Any]]:
    """The decisions that a run waits for, oldest first, with what the run knows so far."""
    if not state.decisions:
        return []
    known = {
        "step_outputs": {
            step_id: _bounded(step.output)
            for step_id, step in state.steps.items()
            if step.status == COMPLETED
        },
        "workflow_intent": state.context.get("intent"),
        "agent_notes": state.context.get("agent_notes", state.context.get("notes")),
        "accumulated_data": {
            key: value
            for key, value in state.context.items()
            if key not in ("intent", "notes", "agent_notes")
        },
    }
    oldest_first = sorted(state.decisions.values(), key=lambda decision: (decision.created_at, decision.id))
    return [decision_answer(decision, known) for decision in oldest_first]


def decision_answer(decision: Decision, known: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A decision; `known` is what its context holds beside the question itself."""
    answer = {
        "id": decision.id,
        "workflow_id": decision.workflow_id,
        "step_id": decision.step_id,
        "target_agent_id": decision.target_agent_id,
        "context": {
            "prompt_context": decision.prompt,
            "prompt": decision.prompt,
            "data_inject": decision.data,
            "data": decision.data,
            **(known or {}),
        },
        "options": decision.options,
        "response_schema": decision.response_schema,
        "timeout_at": iso(decision.timeout_at),
        "fallback": decision.fallback,
        "status": decision.status,
        "created_at": iso(decision.created_at),
    }
    if decision.status != UNDECIDED:
        answer["resolution"] = {
            "choice": decision.choice,
            "reasoning": decision.reasoning,
            "data": decision.answer,
            "resolved_by": decision.resolved_by,
            "resolved_at": iso(decision.resolved_at),
        }
    return answer


def event_answer(event: Event) -> dict[str, Any]:
    """An event."""
    return {
        "id": event.id,
        "workflow_id": event.workflow_id,
        "step_id": event.step_id,
        "event_type": event.event_type,
        "payload": event.payload,
        "agent_id": event.agent_id,
        "timestamp": iso(event.timestamp),
        "sequence": event.sequence,
    }


def template_answer(template: TemplateRecord) -> dict[str, Any]:
    """A template's version."""
    return {
        "name": template.name,
        "version": f"v{template.version}",
        "description": template.description,
        "agent_id": template.agent_id,
        "created_at": iso(template.created_at),
        "input_schema": template.input_schema,
        "output_schema": template.output_schema,
        "triggers": template.triggers,
        "definition": loads(template.definition),
    }


def error_answer(error: Mapping[str, Any]) -> str:
    """One line about an error."""
    where = f" (step {error['step_id']})" if error.get("step_id") else ""
    return f"{error['code']}: {error['message']}{where}"


def _bounded(value: Any) -> Any:
    """The value, or how many bytes it has when it is too large to be shown beside others."""
    size = len(dumps(value))
    return value if size <= MOST_OF_A_VALUE else {"truncated": size}


def _held_up(state: RunState, plan: Plan) -> set[int]:
    """The outermost steps that wait for one that has not ended."""
    held: set[int] = set()
    for index, step in enumerate(plan.steps):
        known = state.steps.get(step.id)
        if known is None or known.ended_at is None:
            held.update(plan.children[index])
    return held


def _milliseconds(start: float | None, end: float | None) -> int | None:
    return None if start is None or end is None else round((end - start) * 1000)
