"""Which step a path means, found once when a workflow is compiled."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from opcode_core.definition import ConditionStep, LoopStep, ParallelStep, StepModel

Segment = str | int


@dataclass(frozen=True, slots=True)
class StepReference:
    """A step, as seen from a place.

    Attributes:
        depth: which of the place's prefixes its id hangs on; 0 is the workflow.
        id: its id below that prefix.
        rest: the path inside it.
    """

    depth: int
    id: str
    rest: tuple[Segment, ...]


class Names:
    """The steps that can be named from a place: its own siblings, then those of what surrounds it."""

    __slots__ = ("blocks",)

    def __init__(self, blocks: tuple[Mapping[str, StepModel], ...]) -> None:
        self.blocks = blocks

    def within(self, steps: Sequence[StepModel]) -> "Names":
        """The names seen from inside a block of `steps`."""
        return Names((*self.blocks, {step.id: step for step in steps}))

    def known(self) -> list[str]:
        """All ids that can be named bare."""
        return [step_id for block in reversed(self.blocks) for step_id in block]

    def find(self, path: Sequence[Segment]) -> StepReference | None:
        """The step that `path` (what follows `steps.`) begins with, the longest id that fits."""
        parts = str(path[0]).split(".")
        for depth in range(len(self.blocks) - 1, -1, -1):
            if parts[0] in self.blocks[depth]:
                length = _longest(self.blocks[depth], (*parts, *path[1:]))
                if length < len(parts):
                    return None
                full = (*parts, *path[1:])
                return StepReference(depth, ".".join(str(part) for part in full[:length]), full[length:])
        return None


def unknown_step(source: str, names: Names) -> str | None:
    """The first step that an expression names and that cannot be there, or None.

    Known by the look of `steps.a` and `steps["a"]`, which all languages share; texts are left alone.
    """
    if _OWN_STEPS.search(source):
        return None
    for match in _MENTION.finditer(source):
        step_id = match["name"] or match["key"]
        if step_id and names.find((step_id,)) is None:
            return str(step_id)
    return None


_MENTION = re.compile(
    r"""(?<![\w.$])steps\s*(?:\??\.\s*(?P<name>\w+)\b(?!\s*\()|\[\s*(?P<quote>["'])(?P<key>[^"'\\]*)(?P=quote)\s*\])"""
    r"""|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'"""
)
_OWN_STEPS = re.compile(r"\(\s*steps\s*,|\blet\s+steps\b")
"""A macro's variable, or one of the expression's own, of that name."""


def _longest(block: Mapping[str, StepModel], path: Sequence[Segment]) -> int:
    """How many segments of `path` are a step's id below `block`."""
    step = block.get(str(path[0]))
    if step is None:
        return 0
    for end in range(2, len(path)):  # a branch's name may hold dots, as 1.5 does
        inner = _inside(step, ".".join(str(part) for part in path[1:end]))
        if inner is not None and (deeper := _longest({child.id: child for child in inner}, path[end:])):
            return end + deeper
    return 1


def _inside(step: StepModel, lane: str) -> Sequence[StepModel] | None:
    if isinstance(step, ConditionStep):
        return step.config.branches.get(lane) or (step.config.default if lane == "default" else None)
    if isinstance(step, LoopStep):
        return (
            step.config.body if lane.removeprefix("iter_").isdecimal() and lane.startswith("iter_") else None
        )
    if isinstance(step, ParallelStep):
        number = lane.removeprefix("branch_")
        if lane.startswith("branch_") and number.isdecimal() and int(number) < len(step.config.branches):
            return step.config.branches[int(number)]
    return None


def lanes(step: StepModel) -> list[tuple[str, str, Sequence[StepModel]]]:
    """The blocks inside a step: what ids say of them, where they stand in the definition, their steps."""
    if isinstance(step, ConditionStep):
        found: list[tuple[str, str, Any]] = [
            (name, f"config.branches.{name}", steps) for name, steps in step.config.branches.items()
        ]
        return found + ([("default", "config.default", step.config.default)] if step.config.default else [])
    if isinstance(step, LoopStep):
        return [("iter_0", "config.body", step.config.body)]
    if isinstance(step, ParallelStep):
        return [
            (f"branch_{i}", f"config.branches[{i}]", steps) for i, steps in enumerate(step.config.branches)
        ]
    return []
