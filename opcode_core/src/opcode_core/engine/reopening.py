"""What has to be done again when a failed run is taken up, and what is kept."""

from collections.abc import Iterator
from dataclasses import dataclass

from opcode_core.plan import Plan
from opcode_core.state import FAILED, SKIPPED, RunState, StepState


@dataclass(frozen=True, slots=True)
class Reopening:
    """Steps by full id.

    Attributes:
        failed: those that failed by themselves, not because of what is inside them.
        again: those that are done anew: the failed ones, and those that never came to their turn.
        reopened: the blocks around them, which go on where they stopped.
    """

    failed: tuple[str, ...]
    again: tuple[str, ...]
    reopened: tuple[str, ...]


def reopening(state: RunState, plan: Plan) -> Reopening:
    """What a failed run has to do again; everything else that is in its log is kept."""
    hooks = {hook.id for hook in (plan.on_complete, plan.on_error) if hook is not None} & state.steps.keys()
    failed, again, reopened = [], [], []
    for step_id, step in state.steps.items():
        if step_id.partition(".")[0] in hooks:
            continue
        if not _is_unfinished(step) or not _is_reachable(step_id, state):
            continue
        if step.block and _has_insides(step_id, state):
            reopened.append(step_id)
            continue
        again.append(step_id)
        if step.status == FAILED:
            failed.append(step_id)
    return Reopening(tuple(failed), (*again, *hooks), tuple(reopened))


def around(step_id: str) -> Iterator[str]:
    """The ids of the blocks around a step, from the nearest; ids go `block.branch.step`."""
    parts = step_id.split(".")
    while len(parts) > 2:
        parts = parts[:-2]
        yield ".".join(parts)


def _is_unfinished(step: StepState) -> bool:
    return (step.status == FAILED and step.fallback is None) or (step.status == SKIPPED and step.halted)


def _is_reachable(step_id: str, state: RunState) -> bool:
    """Whether all blocks around it are unfinished too; what is inside a finished one stays as it is."""
    blocks = (state.steps.get(block_id) for block_id in around(step_id))
    return all(block is not None and _is_unfinished(block) for block in blocks)


def _has_insides(step_id: str, state: RunState) -> bool:
    step = state.steps[step_id]
    return bool(step.results) or any(other.startswith(f"{step_id}.") for other in state.steps)
