"""A workflow made ready to run: everything that can be decided before a run is decided here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from opcode_core.contracts.action import Action
from opcode_core.contracts.expression import Program
from opcode_core.definition import Definition
from opcode_core.issues import Issue
from opcode_core.schemas import Schema
from opcode_core.templates import Getter, Template


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How long to wait before the n-th retry; times in seconds."""

    max: int = 0
    backoff: str = "none"
    delay: float = 0.0
    max_delay: float | None = None
    jitter: bool = False


NO_RETRY = RetryPolicy()


@dataclass(frozen=True, slots=True)
class Block:
    """Steps that run one after another.

    Attributes:
        name: what ids say between the parent's and the steps' own, as `true` or `branch_0`.
        fallbacks: ids of the steps that only run in place of another.
        last: id of the step whose output is the block's, or None.
    """

    name: str
    steps: tuple["StepPlan", ...]
    fallbacks: frozenset[str] = frozenset()

    @property
    def ids(self) -> tuple[str, ...]:
        """The steps' own ids, in order."""
        return tuple(step.id for step in self.steps)


@dataclass(frozen=True, slots=True)
class ConditionPlan:
    """Branches by the text of the expression's result."""

    expression: Program
    source: str
    branches: Mapping[str, Block]
    default: Block | None


@dataclass(frozen=True, slots=True)
class LoopPlan:
    """A body and what repeats it. `fold` lets finished iterations be forgotten; `static`: `over` is literal."""

    mode: str
    body: Block
    over: Getter | None
    condition: Program | None
    source: str
    max_iter: int | None
    concurrency: int
    fold: bool
    static: bool


@dataclass(frozen=True, slots=True)
class ParallelPlan:
    """Branches that run at once."""

    mode: str
    branches: tuple[Block, ...]
    max_concurrency: int | None


@dataclass(frozen=True, slots=True)
class WaitPlan:
    """Seconds to wait, or a signal and how long to wait for it."""

    duration: float | None
    signal: str | None
    timeout: float | None


@dataclass(frozen=True, slots=True)
class ReasoningPlan:
    """What is asked; `data` gives the injected values, null where a path leads nowhere."""

    prompt: Template
    data: Mapping[str, Getter]
    options: tuple[Mapping[str, str], ...]
    timeout: float | None
    fallback: str | None
    target_agent: str | None
    response_schema: Mapping[str, Any] | None


Flow = ConditionPlan | LoopPlan | ParallelPlan | WaitPlan | ReasoningPlan


@dataclass(frozen=True, slots=True)
class StepPlan:
    """One step.

    Attributes:
        check: the schema that rendered params must fit, None when they were checked already.
        secret_inputs: inputs with secret defaults that the params use.
        strategy: of on_error, or None.
        at_once: the step is done as soon as it is called: it needs no task and no commit.
        path: where it stands in the definition.
    """

    id: str
    type: str
    path: str
    action: Action | None
    params: Template
    check: Schema | None
    guard: Program | None
    guard_source: str
    timeout: float | None
    retry: RetryPolicy
    strategy: str | None
    fallback: str | None
    on_crash: str
    flow: Flow | None
    at_once: bool

    @property
    def is_hook(self) -> bool:
        """Whether it is the workflow's `on_complete` or `on_error`."""
        return self.path in ("on_complete", "on_error")


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole workflow, shared by all its runs.

    Attributes:
        hash: of `source`; names the definition in logs.
        source: the definition's JSON.
        steps: the outermost steps, in the order of the definition.
        children: for each step, the indexes of those that wait for it.
        waits: for each step, how many it waits for.
        owners: for a step that only runs in place of others, their indexes.
        leaves: ids of the steps that no other depends on; their outputs are the run's by default.
        inputs: the defaults without secrets; secret_inputs: those with.
        secrets: names of all secrets that its steps may be given.
    """

    hash: str
    source: bytes
    definition: Definition
    steps: tuple[StepPlan, ...]
    index: Mapping[str, int]
    children: tuple[tuple[int, ...], ...]
    waits: tuple[int, ...]
    owners: Mapping[int, tuple[int, ...]]
    leaves: tuple[str, ...]
    inputs: Template
    secret_inputs: Mapping[str, Template]
    output: Template | None
    timeout: float | None
    on_timeout: str
    on_complete: StepPlan | None
    on_error: StepPlan | None
    secrets: frozenset[str] = frozenset()
    warnings: tuple[Issue, ...] = field(default=())
