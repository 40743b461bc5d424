"""A step that waits for another run."""

from typing import TYPE_CHECKING, Any

from opcode_core import events as e
from opcode_core.contracts.storage import RunRecord
from opcode_core.engine.failure import LogFailed, Parked
from opcode_core.errors import ErrorCode, OpcodeError
from opcode_core.state import COMPLETED, RUN_ENDED, SUSPENDED

if TYPE_CHECKING:
    from opcode_core.engine.run import Run


async def output_of_child(run: "Run", step_id: str, child_id: str) -> Any:
    """A child run's output once it has ended; until then the step waits, and holds nothing.

    Raises:
        OpcodeError: the child's own error when it failed or was cancelled.
    """
    mine = run.state.steps[step_id]
    if mine.choice is None:
        await run.commit()
        wakes = run.wakes
        child = await _row(run, child_id)
        if child is None or child.status not in RUN_ENDED:
            if mine.status != SUSPENDED:
                run.record(e.STEP_SUSPENDED, step_id, {"run_id": child_id})
            raise Parked(child is not None and child.status == SUSPENDED, wakes)
        run.resumed()
        run.record(e.WAIT_COMPLETED, step_id, _outcome(child))
    assert mine.choice is not None
    return _output(child_id, mine.choice)


async def _row(run: "Run", child_id: str) -> RunRecord | None:
    """The child's row; that it cannot be read is no failure of the step."""
    try:
        return await run.engine.storage.run(child_id)
    except OpcodeError as error:
        raise LogFailed(error) from error


def _outcome(child: RunRecord) -> dict[str, Any]:
    if child.status == COMPLETED:
        return {"run_id": child.id, "status": child.status, "output": child.output}
    return {"run_id": child.id, "status": child.status, "error": child.error}


def _output(child_id: str, outcome: Any) -> Any:
    if outcome["status"] == COMPLETED:
        return outcome["output"]
    error = outcome["error"] or {"code": "STEP_FAILED", "message": f"the child run is {outcome['status']}"}
    details = error.get("details") or {}
    # One that failed by a child of its own: the first cause says why.
    if {"workflow_id", "error"}.issubset(details):
        error = details["error"]
    raise OpcodeError(
        ErrorCode(error["code"]),
        f"child run {child_id} {outcome['status']}: {error['message']}",
        details={"workflow_id": child_id, "error": dict(error)},
    )
