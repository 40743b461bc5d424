"""A run's state; only `folding.evolve` changes it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from opcode_core.decisions import Decision

PENDING, SCHEDULED, RUNNING, RETRYING = "pending", "scheduled", "running", "retrying"
ACTIVE, COMPLETED, FAILED, SKIPPED = "active", "completed", "failed", "skipped"
SUSPENDED, CANCELLED = "suspended", "cancelled"

STEP_ENDED = frozenset({COMPLETED, FAILED, SKIPPED})
PARKED = frozenset({SUSPENDED, RETRYING})
RUN_ENDED = frozenset({COMPLETED, FAILED, CANCELLED})

# A step is `scheduled` from the moment that all it depends on has ended; that follows from the
# other steps' states, so it has no event of its own and `pending` may go straight to `running`.
STEP_MOVES: Mapping[str, frozenset[str]] = {
    PENDING: frozenset({SCHEDULED, RUNNING, SKIPPED}),
    SCHEDULED: frozenset({RUNNING, SKIPPED}),
    RUNNING: frozenset({COMPLETED, FAILED, SKIPPED, SUSPENDED, RETRYING}),
    SUSPENDED: frozenset({RUNNING, FAILED, SKIPPED}),
    RETRYING: frozenset({RUNNING, FAILED, SKIPPED}),
    COMPLETED: frozenset(),
    FAILED: frozenset(),
    SKIPPED: frozenset(),
}
RUN_MOVES: Mapping[str, frozenset[str]] = {
    PENDING: frozenset({ACTIVE}),
    ACTIVE: frozenset({COMPLETED, FAILED, CANCELLED, SUSPENDED}),
    SUSPENDED: frozenset({ACTIVE, CANCELLED, FAILED}),
    COMPLETED: frozenset(),
    FAILED: frozenset({ACTIVE, CANCELLED}),  # only a person or an agent brings it back
    CANCELLED: frozenset(),
}


@dataclass(slots=True)
class StepState:
    """What is known of one step.

    Attributes:
        attempt: the number of the latest try, from 1.
        failures: how many tries failed and were followed by another.
        retry_at: when the next try is due, while retrying.
        deadline: when the latest try is given up.
        fallback: full id of the step that stands in for this one, which failed.
        reason: why it was skipped.
        halted: it was skipped only because something around it stopped.
        items: of a loop, what it goes through.
        begun: of a loop, how many iterations began; of a parallel step, 1 once its branches did.
        results: of a loop, each finished iteration's output by its index.
        block: it may hold steps of its own, or waits; it can be taken up again where it stands.
        choice: what a condition or a race decided, or what came of a wait; it is never decided again.
        waiting: what it waits for: `for` (`time`, `signal`, `decision`, `run`, `operator`), `until`,
            and what that needs.
        child: the run that it waits for, or waited.
        group: goes into the idempotency key; another one means that the call is meant anew.
    """

    status: str = PENDING
    output: Any = None
    error: dict[str, Any] | None = None
    attempt: int = 0
    failures: int = 0
    started_at: float | None = None
    ended_at: float | None = None
    retry_at: float | None = None
    deadline: float | None = None
    fallback: str | None = None
    reason: str | None = None
    halted: bool = False
    items: list[Any] | None = None
    begun: int = 0
    results: dict[int, Any] | None = None
    block: bool = False
    choice: Mapping[str, Any] | None = None
    waiting: Mapping[str, Any] | None = None
    child: str | None = None
    group: int = 0


@dataclass(frozen=True, slots=True)
class KeptSignal:
    """A signal that no step has waited for yet; for the named step, or for whoever waits for its name."""

    sequence: int
    name: str | None
    step_id: str | None
    payload: Mapping[str, Any]


@dataclass(slots=True)
class RunState:
    """What is known of one run.

    Attributes:
        steps: those that have begun or ended, by full id.
        handled_error: what the workflow's `on_error` step is told about.
        deadline: when the run times out; None when it never does, or has.
        timed_out: its deadline has passed, and that is not settled yet.
        held: why it goes on only when somebody says so, or None.
        cancelling: why it was cancelled, which may not have come to its end yet.
        parked: the steps that wait or are to be tried again, with the time when that is due.
        deadlines: of the steps that have one and have not ended.
        decisions: those that are pending, by id.
        signals: those that nobody has waited for.
        interruptions: how many processes died in a row without the run coming any further.
        generation: rises when steps are forgotten to be done again.
        forked_from: run and step from which it took over what came before.
        depth: how many runs wait for it, one in the other.
    """

    id: str
    status: str = PENDING
    definition_hash: str = ""
    agent_id: str = ""
    inputs: dict[str, Any] = field(default_factory=dict)
    context: dict[str, Any] = field(default_factory=dict)
    steps: dict[str, StepState] = field(default_factory=dict)
    output: Any = None
    error: dict[str, Any] | None = None
    sequence: int = 0
    started_at: float = 0.0
    updated_at: float = 0.0
    ended_at: float | None = None
    name: str | None = None
    template_name: str | None = None
    template_version: str | None = None
    handled_error: Mapping[str, Any] | None = None
    _workflow: dict[str, Any] | None = field(default=None, compare=False, repr=False)
    parent_id: str | None = None
    parent_step_id: str | None = None
    idempotency_key: str | None = None
    deadline: float | None = None
    timed_out: bool = False
    held: str | None = None
    cancelling: str | None = None
    parked: dict[str, float | None] = field(default_factory=dict)
    deadlines: dict[str, float] = field(default_factory=dict)
    decisions: dict[str, Decision] = field(default_factory=dict)
    signals: list[KeptSignal] = field(default_factory=list)
    interruptions: int = 0
    generation: int = 0
    forked_from: Mapping[str, str] | None = None
    depth: int = 0

    @property
    def ended(self) -> bool:
        """Whether nothing more can happen to it."""
        return self.status in RUN_ENDED

    @property
    def wakes_at(self) -> float | None:
        """When it goes on by itself, if nothing else happens to it."""
        if self.ended or (self.held is not None and self.cancelling is None):
            return None
        if self.cancelling is not None:
            return self.updated_at
        times = [*self.parked.values(), *self.deadlines.values(), self.deadline]
        return min((time for time in times if time is not None), default=None)

    def copy(self) -> "RunState":
        """As it is now, for who looks at it while it changes."""
        return replace(
            self,
            steps={step_id: replace(step) for step_id, step in self.steps.items()},
            context=dict(self.context),
            parked=dict(self.parked),
            deadlines=dict(self.deadlines),
            decisions=dict(self.decisions),
            signals=list(self.signals),
        )

    def signal_for(self, step_id: str, name: str) -> KeptSignal | None:
        """The oldest signal that a step which waits for `name` may take."""
        for kept in self.signals:
            if kept.step_id == step_id or (kept.step_id is None and kept.name == name):
                return kept
        return None

    @property
    def workflow(self) -> dict[str, Any]:
        """What expressions see as `workflow`; made when one first looks."""
        if self._workflow is not None:
            return self._workflow
        self._workflow = {
            "run_id": self.id,
            "name": self.name,
            "template_name": self.template_name,
            "template_version": self.template_version,
            "agent_id": self.agent_id,
            "started_at": datetime.fromtimestamp(self.started_at, UTC).isoformat(),
            "error": self.handled_error,
        }
        return self._workflow

    def output_of(self, step_id: str) -> Any:
        """A step's output, or that of the step that stands in for it."""
        step = self.steps[step_id]
        while step.fallback is not None and step.fallback in self.steps:
            step = self.steps[step.fallback]
        return step.output
