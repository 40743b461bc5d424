"""The condition step: one branch of many."""

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from opcode_core import events as e
from opcode_core.codec import dumps
from opcode_core.errors import ErrorCode, OpcodeError
from opcode_core.plan import ConditionPlan, StepPlan
from opcode_core.scope import Scope
from opcode_core.unfinished import finished

if TYPE_CHECKING:
    from opcode_core.engine.run import Run


async def run_condition(run: "Run", step: StepPlan, step_id: str, scope: Scope) -> dict[str, Any]:
    """Evaluate, and do the branch that is named like the result; what was decided stays decided."""
    flow = step.flow
    assert isinstance(flow, ConditionPlan)
    choice = run.state.steps[step_id].choice
    if choice is None:
        value = await finished(lambda here: here.evaluate(flow.expression), scope)
        name = _branch_name(value, flow.source)
        block = flow.branches.get(name) or flow.default
        choice = {
            "expression": flow.source,
            "value": value,
            "branch": name,
            "taken": block.name if block else None,
        }
        run.record(e.CONDITION_EVALUATED, step_id, choice)
    branch, taken = choice["branch"], choice["taken"]
    if taken is None:
        return {"branch": branch, "skipped": True}
    chosen = flow.branches.get(taken) or flow.default
    assert chosen is not None
    inner = scope.within(f"{step_id}.{taken}.")
    last = await run.door.do_block(chosen, inner)
    return {"branch": branch, "output": run.state.output_of(inner.prefix + last) if last else None}


def _branch_name(value: Any, source: str) -> str:
    """The text of a result: true → `true`, 3 → `3`, 1.5 → `1.5`."""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)
    if value is None or isinstance(value, bool | int | float):
        with suppress(ValueError):  # an infinity, or no number at all
            return dumps(value).decode()
    shown = value if isinstance(value, float) else type(value).__name__
    raise OpcodeError(
        ErrorCode.EXECUTION_ERROR,
        f"the condition {source!r} gave {shown}; a branch is chosen by a text, a number or a boolean",
    )
