"""The wait step: for time to pass."""

from typing import TYPE_CHECKING, Any

from opcode_core import events as e
from opcode_core.engine.failure import Halted
from opcode_core.errors import ErrorCode, OpcodeError
from opcode_core.plan import StepPlan, WaitPlan
from opcode_core.scope import Scope

if TYPE_CHECKING:
    from opcode_core.engine.run import Run


async def run_wait(run: "Run", step: StepPlan, step_id: str, scope: Scope) -> dict[str, Any]:
    """Come back when the time is over, counted from when the step began."""
    flow = step.flow
    assert isinstance(flow, WaitPlan)
    if flow.duration is None:
        raise OpcodeError(ErrorCode.SIGNAL_FAILED, f"nothing can send the signal '{flow.signal}' to this run")
    run.record(e.WAIT_STARTED, step_id, {"duration": flow.duration})
    await run.commit()
    await scope.stop.sleep(run.engine.clock, flow.duration)
    if (reason := scope.stop.requested) is not None:
        raise Halted(reason)
    run.record(e.WAIT_COMPLETED, step_id)
    return {"waited": round(flow.duration * 1000)}
