"""A new run from any step of an old one, with what came before taken over."""

from collections.abc import Iterator, Mapping
from typing import Any

from opcode_core import events as e
from opcode_core.engine.reopening import around
from opcode_core.errors import ErrorCode, OpcodeError
from opcode_core.plan import Plan
from opcode_core.state import COMPLETED, FAILED, SKIPPED, RunState, StepState
from opcode_core.suggestions import available, did_you_mean

Fact = tuple[str, str, Mapping[str, Any]]
"""Event type, step, payload."""


def taken_over(state: RunState, plan: Plan, step_id: str) -> Iterator[Fact]:
    """What the old run did that does not depend on the step, as events for the new one.

    Steps that ended are taken over with their outputs. The step itself, what comes after it, and
    what was still going on, is left to the new run. A block around the step goes on where it was.

    Raises:
        OpcodeError: NOT_FOUND when the step did not begin in that run.
    """
    if step_id not in state.steps:
        hint = did_you_mean(step_id, state.steps) or available(sorted(state.steps))
        raise OpcodeError(ErrorCode.NOT_FOUND, f"no step '{step_id}' of run {state.id} has begun; {hint}")
    blocks, again = set(around(step_id)), _again(state, plan, step_id)
    for one, step in state.steps.items():
        if one in blocks:
            yield from _begun(one, step, step_id)
        elif _has_ended(step) and not again & {one, *around(one)} and not _in_later_turn(one, step_id):
            yield from _ended(one, step)


def _again(state: RunState, plan: Plan, step_id: str) -> set[str]:
    """The step, those that began after it in its block and in the blocks around, and all that wait for these."""
    *inside, outermost = step_id, *around(step_id)
    again = {step_id, outermost} if not inside else {step_id}
    begun = list(state.steps)
    for place in inside:
        prefix = place.rpartition(".")[0]
        later = begun[begun.index(place) + 1 :] if place in state.steps else begun
        again.update(one for one in later if one.rpartition(".")[0] == prefix)
    waiting = [plan.index[outermost]] if outermost in plan.index else []
    while waiting:
        for child in plan.children[waiting.pop()]:
            if plan.steps[child].id not in again:
                again.add(plan.steps[child].id)
                waiting.append(child)
    return again | {hook.id for hook in (plan.on_complete, plan.on_error) if hook is not None}


def _in_later_turn(one: str, step_id: str) -> bool:
    """Whether `one` belongs to an iteration after that of the step, of a loop around both."""
    for loop_id in around(step_id):
        prefix = f"{loop_id}.iter_"
        if step_id.startswith(prefix) and one.startswith(prefix):
            turn, other = (int(text[len(prefix) :].partition(".")[0]) for text in (step_id, one))
            if other > turn:
                return True
    return False


def _has_ended(step: StepState) -> bool:
    if step.status == FAILED:
        return step.fallback is not None
    return step.status == COMPLETED or (step.status == SKIPPED and not step.halted)


def _ended(step_id: str, step: StepState) -> Iterator[Fact]:
    if step.status == SKIPPED and step.error is None:
        yield e.STEP_SKIPPED, step_id, {"reason": step.reason}
        return
    yield e.STEP_STARTED, step_id, {"block": True} if step.block else {}
    if step.status == COMPLETED:
        yield e.STEP_COMPLETED, step_id, {"output": step.output}
    elif step.status == FAILED:
        yield e.STEP_FAILED, step_id, {"error": step.error, "fallback_step": step.fallback}
    else:
        yield e.STEP_IGNORED, step_id, {"error": step.error}


def _begun(block_id: str, block: StepState, step_id: str) -> Iterator[Fact]:
    """A block around the step, as it was when the step began."""
    yield e.STEP_STARTED, block_id, {"block": True}
    branch = step_id[len(block_id) + 1 :].partition(".")[0]
    if branch.startswith("iter_"):
        yield from _turns(block_id, block, int(branch.removeprefix("iter_")))
    elif block.choice is not None and "taken" in block.choice:
        yield e.CONDITION_EVALUATED, block_id, block.choice
    elif block.begun:
        yield e.PARALLEL_STARTED, block_id, {}


def _turns(loop_id: str, loop: StepState, turn: int) -> Iterator[Fact]:
    done = loop.results
    if done is None:
        done = dict(enumerate((loop.output or {}).get("results", ())))
    for index in range(turn + 1):
        items = {"items": loop.items} if index == 0 and loop.items is not None else {}
        yield e.LOOP_ITER_STARTED, loop_id, {"index": index, **items}
        if index < turn and index in done:
            yield e.LOOP_ITER_COMPLETED, loop_id, {"index": index, "last": None, "result": done[index]}
