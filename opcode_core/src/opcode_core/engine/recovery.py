"""What becomes of a run whose process died."""

from typing import TYPE_CHECKING

from opcode_core import events as e
from opcode_core.errors import ErrorCode, OpcodeError
from opcode_core.state import ACTIVE, RUNNING, RunState

if TYPE_CHECKING:
    from opcode_core.engine.run import Run

MOST_DEATHS = 5
"""Processes that may die in a row while a run goes on and comes no further; then it is set aside."""
SUSPECT = 2
"""Deaths after which a run is taken up apart from others, so that it alone is blamed for the next."""


def is_at_rest(state: RunState) -> bool:
    """Whether nothing of it was going on, so that nothing was interrupted."""
    return state.status != ACTIVE or (bool(state.parked) and not _in_flight(state))


def interrupted(run: "Run", recovery: str) -> None:
    """Record that a process died, and what follows: the run goes on, is held, or is given up.

    Args:
        run: folded from its log and not yet driven.
        recovery: `resume` or `suspend`.
    """
    state = run.state
    in_flight = _in_flight(state)
    run.record(e.WORKFLOW_INTERRUPTED, None, {"steps": in_flight})
    if state.interruptions >= MOST_DEATHS:
        run.end(lambda: run.set_aside(_given_up(state.interruptions, in_flight)))
    elif recovery == "suspend":
        run.record(e.WORKFLOW_SUSPENDED, None, {"reason": "interrupted", "held": "interrupted"})
        run.tell_parent()
    else:
        run.record(e.WORKFLOW_RESUMED, None, {"reason": "interrupted"})


def _in_flight(state: RunState) -> list[str]:
    """The actions whose end is not known."""
    return [
        step_id
        for step_id, step in state.steps.items()
        if step.status == RUNNING and not step.block and step.child is None
    ]


def _given_up(deaths: int, in_flight: list[str]) -> OpcodeError:
    where = f" in step {', '.join(in_flight)}" if in_flight else ""
    return OpcodeError(
        ErrorCode.EXECUTION_ERROR,
        f"the process ended {deaths} times in a row while this run went on{where};"
        " it is set aside. Signal retry takes it up again",
        details={"interruptions": deaths, "steps": in_flight},
        step_id=in_flight[0] if len(in_flight) == 1 else None,
    )
