"""The wait step: for time to pass, or for a signal."""

from typing import TYPE_CHECKING, Any

from opcode_core import events as e
from opcode_core.engine.failure import Halted
from opcode_core.errors import ErrorCode, OpcodeError
from opcode_core.plan import StepPlan, WaitPlan
from opcode_core.scope import Scope
from opcode_core.state import SUSPENDED, StepState

if TYPE_CHECKING:
    from opcode_core.engine.run import Run

HELD = 3.0
"""Seconds of waiting that are held in memory; what takes longer is left to a row."""


async def run_wait(run: "Run", step: StepPlan, step_id: str, scope: Scope) -> dict[str, Any]:
    """Come back when the wait is over; how long it lasts is counted from when it began."""
    flow = step.flow
    assert isinstance(flow, WaitPlan)
    mine = run.state.steps[step_id]
    if mine.waiting is None and mine.choice is None:
        run.record(e.WAIT_STARTED, step_id, _waiting(flow, run.engine.clock.now()))
    if flow.signal is None:
        await _time(run, mine, step_id, scope)
        return {"waited": round((flow.duration or 0.0) * 1000)}
    return {"signal": flow.signal, "payload": _signal(run, mine, step_id, flow)}


def _waiting(flow: WaitPlan, now: float) -> dict[str, Any]:
    if flow.signal is None:
        assert flow.duration is not None
        return {"for": "time", "duration": flow.duration, "until": now + flow.duration}
    until = None if flow.timeout is None else now + flow.timeout
    return {"for": "signal", "signal": flow.signal, "timeout": flow.timeout, "until": until}


async def _time(run: "Run", mine: StepState, step_id: str, scope: Scope) -> None:
    if mine.waiting is None:
        return
    until = mine.waiting["until"]
    left = until - run.engine.clock.now()
    if 0 < left <= HELD and mine.status != SUSPENDED:
        await run.commit()
        await scope.stop.sleep(run.engine.clock, left)
        if (reason := scope.stop.requested) is not None:
            raise Halted(reason)
        left = 0.0 if not run.engine.closing else until - run.engine.clock.now()
    if left > 0:
        if mine.status != SUSPENDED:
            run.record(e.STEP_SUSPENDED, step_id, {"until": until})
        raise run.parked()
    run.resumed()
    run.record(e.WAIT_COMPLETED, step_id)


def _signal(run: "Run", mine: StepState, step_id: str, flow: WaitPlan) -> Any:
    """What came with the signal: one that is kept, or that came when the step was waiting."""
    assert flow.signal is not None
    if mine.waiting is not None:
        kept = run.state.signal_for(step_id, flow.signal)
        if kept is not None:
            run.resumed()
            came = {"signal": flow.signal, "payload": kept.payload, "taken": kept.sequence}
            run.record(e.WAIT_COMPLETED, step_id, came)
        else:
            _go_on_waiting(run, mine, step_id, flow)
    assert mine.choice is not None
    return mine.choice["payload"]


def _go_on_waiting(run: "Run", mine: StepState, step_id: str, flow: WaitPlan) -> None:
    assert mine.waiting is not None
    until = mine.waiting["until"]
    if until is not None and until <= run.engine.clock.now():
        run.resumed()
        raise OpcodeError(
            ErrorCode.TIMEOUT_ERROR,
            f"the signal '{flow.signal}' did not come within {flow.timeout:g} s",
            details={"signal": flow.signal, "timeout": flow.timeout},
        )
    if mine.status != SUSPENDED:
        run.record(e.STEP_SUSPENDED, step_id, {"signal": flow.signal})
    raise run.parked(outside=True)
