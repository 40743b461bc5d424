"""What callers are told about runs, events and templates: the JSON of the command line and of every other front."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from opcode_core.codec import loads
from opcode_core.contracts.storage import RunRecord, TemplateRecord
from opcode_core.events import Event
from opcode_core.plan import Plan
from opcode_core.state import PENDING, SCHEDULED, RunState, StepState


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
    return answer


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
    }


def status_answer(
    state: RunState, plan: Plan | None = None, log: Sequence[Event] | None = None
) -> dict[str, Any]:
    """A run as `status` shows it; with its log when that is asked for."""
    return {
        "workflow_id": state.id,
        "status": state.status,
        "steps": steps_answer(state, plan),
        "pending_decisions": [],
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
