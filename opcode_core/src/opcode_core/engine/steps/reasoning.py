"""The reasoning step: a decision that is handed to an agent or a person."""

from typing import TYPE_CHECKING, Any

from opcode_core import events as e
from opcode_core.codec import dumps, loads
from opcode_core.decisions import REJECTED, RESOLVED, SYSTEM, TIMED_OUT, TIMEOUT_REASONING, Decision
from opcode_core.errors import ErrorCode, OpcodeError
from opcode_core.plan import ReasoningPlan, StepPlan
from opcode_core.scope import Scope
from opcode_core.state import SUSPENDED
from opcode_core.unfinished import finished

if TYPE_CHECKING:
    from opcode_core.engine.run import Run


async def run_reasoning(run: "Run", step: StepPlan, step_id: str, scope: Scope) -> dict[str, Any]:
    """Ask once, and come back with the answer.

    Raises:
        OpcodeError: TIMEOUT_ERROR when nobody answered in time and there is no fallback;
            NON_RETRYABLE when the decision was rejected.
    """
    flow = step.flow
    assert isinstance(flow, ReasoningPlan)
    mine = run.state.steps[step_id]
    if mine.waiting is None and mine.choice is None:
        run.record(e.DECISION_REQUESTED, step_id, await _question(run, flow, scope))
    if mine.waiting is not None:
        decision = run.state.decisions[mine.waiting["decision_id"]]
        if decision.timeout_at is None or decision.timeout_at > run.engine.clock.now():
            if mine.status != SUSPENDED:
                run.record(e.STEP_SUSPENDED, step_id, {"decision_id": decision.id})
            raise run.parked(outside=True)
        _time_is_over(run, step_id, decision)
    assert mine.choice is not None
    return _output(mine.choice, step_id)


async def _question(run: "Run", flow: ReasoningPlan, scope: Scope) -> dict[str, Any]:
    now = run.engine.clock.now()
    return {
        "decision_id": run.engine.ids.new(),
        "prompt": await finished(flow.prompt.render, scope),
        "data": {name: loads(dumps(await finished(get, scope))) for name, get in flow.data.items()},
        "options": [dict(option) for option in flow.options],
        "response_schema": flow.response_schema,
        "target_agent": flow.target_agent,
        "timeout_at": None if flow.timeout is None else now + flow.timeout,
        "fallback": flow.fallback,
    }


def _time_is_over(run: "Run", step_id: str, decision: Decision) -> None:
    run.resumed()
    answer = {"decision_id": decision.id, "reasoning": TIMEOUT_REASONING, "resolved_by": SYSTEM}
    if decision.fallback is None:
        run.record(e.DECISION_RESOLVED, step_id, {**answer, "status": TIMED_OUT})
    else:
        chosen = {"status": RESOLVED, "choice": decision.fallback, "data": None}
        run.record(e.DECISION_RESOLVED, step_id, {**answer, **chosen})


def _output(answer: Any, step_id: str) -> dict[str, Any]:
    if answer["status"] == TIMED_OUT:
        raise OpcodeError(ErrorCode.TIMEOUT_ERROR, f"nobody decided step '{step_id}' in time")
    if answer["status"] == REJECTED:
        raise OpcodeError(
            ErrorCode.NON_RETRYABLE,
            f"{answer['resolved_by']} rejected the decision: {answer['reasoning'] or 'no reason given'}",
            details={"decision_id": answer["decision_id"]},
        )
    return {key: answer[key] for key in ("choice", "reasoning", "data", "resolved_by")}
