"""A plan, and what became of it in a run, as a diagram."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from opcode_core.answers import steps_answer
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
from opcode_core.state import PENDING, SKIPPED, STEP_ENDED, RunState, StepState

START, END = "(start)", "(end)"  # no step can have these ids
_KINDS: dict[str, NodeKind] = {
    "action": "action",
    "condition": "condition",
    "loop": "loop",
    "parallel": "parallel",
    "wait": "wait",
    "reasoning": "reasoning",
}


def outline(plan: Plan, title: str, state: RunState | None = None) -> Diagram:
    """The diagram of a plan; with a run's state its nodes have a status and, once they ended, a duration.

    A loop's body is shown once, as its latest iteration stands.
    """
    order = _topological(plan)
    shown = _Shown(state, _outermost(state, plan)) if state else None
    ids = [step.id for step in plan.steps]
    nodes = [_node(plan.steps[i], "", shown) for i in order]
    return Diagram(
        title,
        (Node(START, "start", "start"), *nodes, Node(END, "end", "end")),
        (
            *(Edge(START, ids[i]) for i in order if plan.waits[i] == 0),
            *_edges(plan, order),
            *(Edge(ids[i], END) for i in order if not plan.children[i]),
        ),
    )


def iterations_of(loop: StepState) -> int | None:
    """How many iterations a loop has finished; None when it did not get that far."""
    if loop.results is not None:
        return len(loop.results)
    if isinstance(loop.output, Mapping) and isinstance(loop.output.get("iterations"), int):
        return int(loop.output["iterations"])
    return None


@dataclass(frozen=True, slots=True)
class _Shown:
    """The run that is shown.

    Attributes:
        outermost: the status of every outermost step, begun or not.
        over: the block that the steps belong to has ended, so what has not begun never will.
    """

    state: RunState
    outermost: Mapping[str, str]
    over: bool = False

    def inside(self, step_id: str) -> "_Shown":
        """The same run as seen from inside a block."""
        known = self.state.steps.get(step_id)
        ended = self.over or self.state.ended or (known is not None and known.status in STEP_ENDED)
        return _Shown(self.state, self.outermost, ended)

    def status(self, step_id: str) -> str:
        """Of any step."""
        known = self.state.steps.get(step_id)
        if known is not None:
            return known.status
        return self.outermost.get(step_id) or (SKIPPED if self.over else PENDING)


def _outermost(state: RunState, plan: Plan) -> dict[str, str]:
    """`scheduled` too, which follows from the other steps."""
    answers = steps_answer(state, plan)
    unknown = SKIPPED if state.ended else PENDING
    return {step.id: answers[step.id]["status"] if step.id in answers else unknown for step in plan.steps}


def _topological(plan: Plan) -> list[int]:
    waits = list(plan.waits)
    order = [i for i, count in enumerate(waits) if count == 0]
    for i in order:
        for child in plan.children[i]:
            waits[child] -= 1
            if waits[child] == 0:
                order.append(child)
    return order


def _edges(plan: Plan, order: Sequence[int]) -> list[Edge]:
    fallbacks = {(owner, index) for index, owners in plan.owners.items() for owner in owners}
    edges = []
    for i in order:
        for child in plan.children[i]:
            ends = plan.steps[i].id, plan.steps[child].id
            edges.append(Edge(*ends, "on error", "fallback") if (i, child) in fallbacks else Edge(*ends))
    return edges


def _node(step: StepPlan, prefix: str, shown: _Shown | None) -> Node:
    step_id = prefix + step.id
    known = shown.state.steps.get(step_id) if shown else None
    return Node(
        id=step_id,
        label=step.id,
        kind=_KINDS[step.type],
        detail=_detail(step, known),
        status=shown.status(step_id) if shown else None,
        duration=_duration(known),
        lanes=tuple(_lanes(step, step_id, shown.inside(step_id) if shown else None)),
    )


def _duration(known: StepState | None) -> float | None:
    if known is None or known.started_at is None or known.ended_at is None:
        return None
    return max(known.ended_at - known.started_at, 0.0)


def _detail(step: StepPlan, known: StepState | None) -> str:
    match step.flow:
        case ConditionPlan(source=source):
            return source
        case LoopPlan() as loop:
            done = iterations_of(known) if known else None
            what = f"{loop.mode} {loop.source}"
            return what if done is None else f"{what}, {done} iteration{'' if done == 1 else 's'}"
        case ParallelPlan(mode=mode):
            return mode
        case WaitPlan(duration=duration, signal=signal):
            return f"signal {signal}" if duration is None else format_duration(duration)
        case ReasoningPlan(target_agent=agent):
            return f"asks {agent}" if agent else "asks"
    return step.action.name if step.action else ""


def _lanes(step: StepPlan, step_id: str, shown: _Shown | None) -> Sequence[Lane]:
    match step.flow:
        case ConditionPlan(branches=branches, default=default):
            blocks = [*branches.values(), *([default] if default else [])]
            return [_lane(block.name, block, f"{step_id}.{block.name}.", shown) for block in blocks]
        case ParallelPlan(branches=branches):
            return [_lane(block.name, block, f"{step_id}.{block.name}.", shown) for block in branches]
        case LoopPlan(body=body):
            return [_lane("body", body, f"{step_id}.iter_{_latest_iteration(step_id, shown)}.", shown)]
    return []


def _lane(label: str, block: Block, prefix: str, shown: _Shown | None) -> Lane:
    return Lane(label, tuple(_node(step, prefix, shown) for step in block.steps))


def _latest_iteration(loop_id: str, shown: _Shown | None) -> int:
    """The newest iteration whose steps are known."""
    pattern = re.compile(rf"{re.escape(loop_id)}\.iter_(\d+)\.")
    found = (pattern.match(step_id) for step_id in (shown.state.steps if shown else ()))
    return max((int(match.group(1)) for match in found if match), default=0)
