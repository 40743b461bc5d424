"""A plan, and what became of it in a run, as a diagram."""

import re
from collections.abc import Sequence

from opcode_core.diagram import Diagram, Edge, Lane, Node, NodeKind
from opcode_core.durations import format_duration
from opcode_core.plan import (
    Block,
    ConditionPlan,
    LoopPlan,
    ParallelPlan,
    Plan,
    ReasoningPlan,
    StepPlan,
    WaitPlan,
)
from opcode_core.state import PENDING, SKIPPED, RunState, StepState

START, END = "start", "end"
_KINDS: dict[str, NodeKind] = {
    "action": "action",
    "condition": "condition",
    "loop": "loop",
    "parallel": "parallel",
    "wait": "wait",
    "reasoning": "reasoning",
}


def outline(plan: Plan, title: str, state: RunState | None = None) -> Diagram:
    """The diagram of a plan; with a run's state its nodes have a status and a duration."""
    order = _topological(plan)
    ids = [step.id for step in plan.steps]
    roots = [i for i in order if plan.waits[i] == 0]
    leaves = [i for i in order if not plan.children[i]]
    fallbacks = {(owner, index) for index, owners in plan.owners.items() for owner in owners}
    edges = [Edge(START, ids[i]) for i in roots]
    for i in order:
        for child in plan.children[i]:
            if (i, child) in fallbacks:
                edges.append(Edge(ids[i], ids[child], "on error", "fallback"))
            else:
                edges.append(Edge(ids[i], ids[child]))
    edges.extend(Edge(ids[i], END) for i in leaves)
    nodes = [_node(plan.steps[i], "", state) for i in order]
    return Diagram(
        title,
        (Node(START, "start", "start"), *nodes, Node(END, "end", "end")),
        tuple(edges),
    )


def _topological(plan: Plan) -> list[int]:
    waits = list(plan.waits)
    order = [i for i, count in enumerate(waits) if count == 0]
    for i in order:
        for child in plan.children[i]:
            waits[child] -= 1
            if waits[child] == 0:
                order.append(child)
    return order


def _node(step: StepPlan, prefix: str, state: RunState | None) -> Node:
    step_id = prefix + step.id
    known = state.steps.get(step_id) if state else None
    return Node(
        id=step_id,
        label=step.id,
        kind=_KINDS[step.type],
        detail=_detail(step, known),
        status=_status(known, state),
        duration=_duration(known),
        lanes=tuple(_lanes(step, step_id, state)),
    )


def _status(known: StepState | None, state: RunState | None) -> str | None:
    if state is None:
        return None
    if known is not None:
        return known.status
    return SKIPPED if state.ended else PENDING


def _duration(known: StepState | None) -> float | None:
    if known is None or known.started_at is None or known.ended_at is None:
        return None
    return max(known.ended_at - known.started_at, 0.0)


def _detail(step: StepPlan, known: StepState | None) -> str:
    match step.flow:
        case ConditionPlan(source=source):
            return source
        case LoopPlan() as loop:
            done = len(known.output["results"]) if known and isinstance(known.output, dict) else 0
            return f"{loop.mode} {loop.source}" + (f", {done} iterations" if done else "")
        case ParallelPlan(mode=mode):
            return mode
        case WaitPlan(duration=duration, signal=signal):
            return f"signal {signal}" if duration is None else format_duration(duration)
        case ReasoningPlan(target_agent=agent):
            return f"asks {agent}" if agent else "asks"
    return step.action.name if step.action else ""


def _lanes(step: StepPlan, step_id: str, state: RunState | None) -> Sequence[Lane]:
    match step.flow:
        case ConditionPlan(branches=branches, default=default):
            blocks = [*branches.values(), *([default] if default else [])]
            return [_lane(block.name, block, f"{step_id}.{block.name}.", state) for block in blocks]
        case ParallelPlan(branches=branches):
            return [_lane(block.name, block, f"{step_id}.{block.name}.", state) for block in branches]
        case LoopPlan(body=body):
            return [_lane("body", body, f"{step_id}.iter_{_latest_iteration(step_id, state)}.", state)]
    return []


def _lane(label: str, block: Block, prefix: str, state: RunState | None) -> Lane:
    return Lane(label, tuple(_node(step, prefix, state) for step in block.steps))


def _latest_iteration(loop_id: str, state: RunState | None) -> int:
    """The newest iteration whose steps are known."""
    pattern = re.compile(rf"{re.escape(loop_id)}\.iter_(\d+)\.")
    found = (pattern.match(step_id) for step_id in (state.steps if state else ()))
    return max((int(match.group(1)) for match in found if match), default=0)
