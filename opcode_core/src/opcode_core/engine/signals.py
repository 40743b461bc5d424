"""What may be said to a run: a decision, data, cancel, retry, skip."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from opcode_core import events as e
from opcode_core.codec import dumps, loads
from opcode_core.contracts.storage import Message
from opcode_core.decisions import REJECTED, RESOLVED, Decision
from opcode_core.engine.reopening import around, reopening
from opcode_core.errors import ErrorCode, OpcodeError
from opcode_core.schemas import Schema
from opcode_core.state import CANCELLED, COMPLETED, FAILED, RETRYING, STEP_ENDED, SUSPENDED, StepState
from opcode_core.suggestions import available, did_you_mean

if TYPE_CHECKING:
    from opcode_core.engine.run import Run

MOST_KEPT = 1000
"""Signals that a run keeps for steps that do not wait for them yet."""


def checked(kind: str, payload: Any) -> dict[str, Any]:
    """The payload as the log will give it back.

    Raises:
        OpcodeError: VALIDATION_ERROR for an unknown type of signal or a payload that is no JSON object.
    """
    if kind not in SIGNALS:
        hint = did_you_mean(kind, SIGNALS) or available(sorted(SIGNALS))
        raise OpcodeError(ErrorCode.VALIDATION_ERROR, f"there is no signal '{kind}'; {hint}")
    if not isinstance(payload, Mapping):
        raise OpcodeError(
            ErrorCode.VALIDATION_ERROR, f"the payload is {payload!r:.80}; it must be a JSON object"
        )
    try:
        return dict(loads(dumps(dict(payload))))
    except ValueError as error:
        raise OpcodeError(ErrorCode.VALIDATION_ERROR, f"the payload is not JSON: {error}") from None


def apply(run: "Run", message: Message) -> None:
    """Let a run receive a message.

    Raises:
        OpcodeError: when the run cannot do what it says; nothing is recorded then.
    """
    state = run.state
    if state.status in (COMPLETED, CANCELLED):
        raise OpcodeError(ErrorCode.INVALID_TRANSITION, f"run {state.id} has already ended: {state.status}")
    if message.id not in run.log.taken:
        if message.kind != "child":
            SIGNALS[message.kind](run, message)
        run.log.taken.append(message.id)


def _decision(run: "Run", message: Message) -> None:
    decision = _asked(run, message)
    target = decision.target_agent_id
    if target is not None and target != message.agent_id:
        raise OpcodeError(
            ErrorCode.PERMISSION_DENIED,
            f"this decision is asked of agent '{target}', not of '{message.agent_id}'",
            step_id=decision.step_id,
        )
    answer = _answer(decision, message)
    _received(run, message, decision.step_id)
    run.resumed()
    run.record(e.DECISION_RESOLVED, decision.step_id, answer, message.agent_id)


def _asked(run: "Run", message: Message) -> Decision:
    """The pending decision that a signal is about."""
    state, step_id = run.state, message.step_id
    wanted = message.payload.get("decision_id")
    pending = [
        decision
        for decision in state.decisions.values()
        if step_id in (None, decision.step_id) and wanted in (None, decision.id)
    ]
    if len(pending) == 1:
        return pending[0]
    if pending:
        ids = ", ".join(decision.step_id for decision in pending)
        raise OpcodeError(
            ErrorCode.VALIDATION_ERROR, f"{len(pending)} decisions are pending; name one by step_id: {ids}"
        )
    step = state.steps.get(step_id or "")
    if step is not None and step.choice is not None and "resolved_by" in step.choice:
        raise OpcodeError(
            ErrorCode.CONFLICT,
            f"step '{step_id}' is decided already: {step.choice.get('choice')!r}"
            f" by {step.choice['resolved_by']}",
            step_id=step_id,
        )
    others = ", ".join(decision.step_id for decision in state.decisions.values())
    about = f"step '{step_id}'" if step_id else f"run {state.id}"
    hint = f"; these are: {others}" if others else ""
    raise OpcodeError(ErrorCode.NOT_FOUND, f"no decision of {about} is pending{hint}", step_id=step_id)


def _answer(decision: Decision, message: Message) -> dict[str, Any]:
    payload = message.payload
    answer = {
        "decision_id": decision.id,
        "reasoning": str(payload.get("reasoning") or ""),
        "resolved_by": message.agent_id,
    }
    if payload.get("reject"):
        reason = payload["reject"] if isinstance(payload["reject"], str) else answer["reasoning"]
        return {**answer, "status": REJECTED, "reasoning": reason}
    choice, data = payload.get("choice"), payload.get("data")
    _check_choice(decision, choice)
    if decision.response_schema is not None:
        issues = Schema(decision.response_schema).issues(data, "payload.data")
        if issues:
            raise OpcodeError(
                ErrorCode.VALIDATION_ERROR,
                f"{issues[0]}",
                details={"issues": [issue.to_dict() for issue in issues]},
                step_id=decision.step_id,
            )
    return {**answer, "status": RESOLVED, "choice": choice, "data": data}


def _check_choice(decision: Decision, choice: Any) -> None:
    ids = [option["id"] for option in decision.options]
    if ids and choice not in ids:
        hint = did_you_mean(choice, ids) if isinstance(choice, str) else None
        raise OpcodeError(
            ErrorCode.VALIDATION_ERROR,
            f"payload.choice is {choice!r}; {hint or 'the options are ' + ', '.join(ids)}",
            step_id=decision.step_id,
        )
    if choice is None or (isinstance(choice, str) and not choice.strip()):
        raise OpcodeError(
            ErrorCode.VALIDATION_ERROR,
            "payload.choice is missing; give the answer there, as any text",
            step_id=decision.step_id,
        )


def _data(run: "Run", message: Message) -> None:
    payload = dict(message.payload)
    name = payload.pop("signal", None)
    if name is not None and not isinstance(name, str):
        raise OpcodeError(ErrorCode.VALIDATION_ERROR, f"payload.signal is {name!r}; it is a signal's name")
    step = run.state.steps.get(message.step_id or "")
    if step is not None and step.status in STEP_ENDED:
        raise OpcodeError(
            ErrorCode.INVALID_TRANSITION,
            f"step '{message.step_id}' waits for nothing: it is {step.status}",
            step_id=message.step_id,
        )
    if len(run.state.signals) >= MOST_KEPT:
        raise OpcodeError(
            ErrorCode.CONFLICT, f"run {run.state.id} keeps {MOST_KEPT} signals that nobody waited for"
        )
    what = {"signal_type": "data", "payload": payload, **({} if name is None else {"signal": name})}
    run.record(e.SIGNAL_RECEIVED, message.step_id, what, message.agent_id)
    if payload:
        run.record(e.VARIABLE_SET, message.step_id, {"data": payload}, message.agent_id)


def _cancel(run: "Run", message: Message) -> None:
    reason = str(message.payload.get("reason") or f"cancelled by {message.agent_id}")
    what = {"signal_type": "cancel", "payload": dict(message.payload), "reason": reason}
    run.record(e.SIGNAL_RECEIVED, message.step_id, what, message.agent_id)
    if run.state.status == FAILED:
        run.record(e.WORKFLOW_CANCELLED, None, {"reason": reason, "error": run.state.error})
    else:
        run.cancel()


def _retry(run: "Run", message: Message) -> None:
    if run.state.status == FAILED:
        _reopen(run, message, ())
        return
    step_id = message.step_id
    stopped = _stopped(run) if step_id is None else [_step(run, step_id)[0]]
    if run.state.held is None and not stopped:
        raise OpcodeError(
            ErrorCode.INVALID_TRANSITION,
            f"run {run.state.id} is {run.state.status}, and no step of it waits to be tried again",
        )
    for one in stopped:
        step = run.state.steps[one]
        if not _can_be_tried(step):
            raise OpcodeError(
                ErrorCode.INVALID_TRANSITION,
                f"step '{one}' is {step.status}; there is nothing to try again",
                step_id=one,
            )
    if not stopped:
        _received(run, message)
    for one in stopped:
        _received(run, message, one)
    if run.state.held is not None:
        run.record(e.WORKFLOW_RESUMED, None, {"reason": "retry"})


def _skip(run: "Run", message: Message) -> None:
    if run.state.status == FAILED:
        failed = reopening(run.state, run.plan).failed
        skipped = failed if message.step_id is None else (_step(run, message.step_id)[0],)
        _reopen(run, message, skipped)
        return
    if message.step_id is None:
        raise OpcodeError(
            ErrorCode.VALIDATION_ERROR,
            f"run {run.state.id} is {run.state.status}; name the step to skip by step_id",
        )
    step_id, step = _step(run, message.step_id)
    if step.status in STEP_ENDED:
        raise OpcodeError(
            ErrorCode.INVALID_TRANSITION,
            f"step '{step_id}' has already ended: {step.status}",
            step_id=step_id,
        )
    _received(run, message, step_id)
    run.resumed()
    run.door.skip(step_id, _why_skipped(message))


def _reopen(run: "Run", message: Message, skipped: tuple[str, ...]) -> None:
    """Take a failed run up again where it failed."""
    what = reopening(run.state, run.plan)
    if message.step_id is not None and message.step_id not in (*what.failed, *what.reopened):
        raise OpcodeError(
            ErrorCode.INVALID_TRANSITION,
            f"step '{message.step_id}' did not fail; {available(what.failed)}",
            step_id=message.step_id,
        )
    again = {*what.again, *skipped}
    reopened = [
        step_id
        for step_id in what.reopened
        if step_id not in skipped and not set(around(step_id)) & set(skipped)
    ]
    _received(run, message, message.step_id)
    resumed = {"reason": message.kind, "again": sorted(again), "reopened": reopened}
    run.record(e.WORKFLOW_RESUMED, None, resumed)
    for step_id in skipped:
        run.record(e.STEP_SKIPPED, step_id, {"reason": _why_skipped(message)})


def _why_skipped(message: Message) -> str:
    reason = message.payload.get("reason")
    return f"skipped by {message.agent_id}" + (f": {reason}" if reason else "")


def _stopped(run: "Run") -> list[str]:
    """The steps that somebody has to say something about, or else those that are to be tried later."""
    steps = run.state.steps.items()
    held = [step_id for step_id, step in steps if step.status == SUSPENDED and _can_be_tried(step)]
    return held or [step_id for step_id, step in steps if step.status == RETRYING]


def _can_be_tried(step: StepState) -> bool:
    if step.status == SUSPENDED:
        return step.waiting is not None and step.waiting["for"] == "operator"
    return step.status == RETRYING


def _step(run: "Run", step_id: str) -> tuple[str, StepState]:
    step = run.state.steps.get(step_id)
    if step is None:
        hint = did_you_mean(step_id, run.state.steps) or available(sorted(run.state.steps)[:20])
        raise OpcodeError(
            ErrorCode.NOT_FOUND,
            f"no step '{step_id}' of run {run.state.id} has begun; {hint}",
            step_id=step_id,
        )
    return step_id, step


def _received(run: "Run", message: Message, step_id: str | None = None) -> None:
    what = {"signal_type": message.kind, "payload": dict(message.payload)}
    run.record(e.SIGNAL_RECEIVED, step_id or message.step_id, what, message.agent_id)


SIGNALS: Mapping[str, Callable[["Run", Message], None]] = {
    "decision": _decision,
    "data": _data,
    "cancel": _cancel,
    "retry": _retry,
    "skip": _skip,
}
