"""A run's progress on a terminal: its steps, what goes on inside them, how long, how often."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from opcode_core.cli.problems import count
from opcode_core.cli.tables import COLOURS, MARKS, one_line, status_text
from opcode_core.cli.waits import wait_of
from opcode_core.durations import format_duration
from opcode_core.events import Event
from opcode_core.folding import evolve
from opcode_core.outline import iterations_of
from opcode_core.plan import LoopPlan, Plan, StepPlan
from opcode_core.state import FAILED, RETRYING, RUNNING, SUSPENDED, RunState, StepState

MOST_ROWS = 40
_BESIDES = 6
"""Lines of a screen that are not steps."""


@dataclass(frozen=True, slots=True)
class Row:
    """One step: its full id, what it is called here, what it does, and its state."""

    step_id: str
    label: str
    what: str
    state: StepState
    step: StepPlan | None = None

    @property
    def settled(self) -> bool:
        """It ended, and not badly: the first to go when there is no room."""
        return self.state.ended_at is not None and self.state.status != FAILED


class Picture:
    """The outermost steps with what happens inside them, drawn anew as time goes on."""

    def __init__(self, title: str, plan: Plan, state: RunState) -> None:
        self.title = title
        self.plan = plan
        self.state = state
        self._spinner = Spinner("dots", style="cyan")
        self._last: RunState | None = None

    def show(self, event: Event) -> None:
        """Fold it in."""
        if self._last is None:
            evolve(self.state, event)

    def finish(self, state: RunState) -> None:
        """Show the run as it ended."""
        self._last = self.state = state

    def render(self, height: int = MOST_ROWS) -> RenderableType:
        """The picture of this moment, on a screen of so many lines."""
        every = list(self._rows())
        rows, done = _fitting(every, max(min(MOST_ROWS, height - _BESIDES), 3))
        table = Table(box=None, pad_edge=False, show_header=False, expand=True)
        for justify in ("left", "left", "left", "right"):
            table.add_column(justify=justify, no_wrap=True)
        table.add_column(overflow="ellipsis", ratio=1)  # whatever room is left
        if done:
            table.add_row(Text("✓", "green"), Text(f"{count(done, 'step')} done", "dim"))
        for row in rows:
            table.add_row(*self._cells(row))
        if len(every) > len(rows) + done:
            table.add_row("", Text(f"… and {len(every) - len(rows) - done} more", "dim"))
        return Group(table, self._summary())

    def _rows(self) -> Iterable[Row]:
        for step in self.plan.steps:
            known = self.state.steps.get(step.id)
            if known is None:
                continue
            yield Row(step.id, step.id, step.action.name if step.action else step.type, known, step)
            if known.ended_at is None and known.block:
                yield from self._inside(step.id)

    def _inside(self, step_id: str) -> Iterable[Row]:
        """What goes on at this moment inside a block."""
        prefix = f"{step_id}."
        for inner_id, inner in self.state.steps.items():
            open_ = inner.ended_at is None and (not inner.block or inner.waiting is not None)
            if open_ and inner_id.startswith(prefix):
                yield Row(inner_id, "  " + inner_id.removeprefix(prefix), "", inner)

    def _cells(self, row: Row) -> Sequence[RenderableType]:
        state = row.state
        mark: RenderableType = Text(MARKS.get(state.status, "·"), COLOURS.get(state.status, "dim"))
        if state.status == RUNNING:
            mark = self._spinner
        took = ""
        if state.started_at is not None:
            took = format_duration(max((state.ended_at or time.time()) - state.started_at, 0.0))
        label = Text(row.label, "" if row.step else "dim")
        note = _note(row)
        # One line while things move; in the picture that stays, a failure is told in full.
        note.no_wrap = self._last is None or state.status != FAILED
        note.overflow = "ellipsis" if note.no_wrap else "fold"
        return mark, label, Text(row.what, "dim"), took, note

    def _summary(self) -> Text:
        state = self.state
        took = ""
        if state.started_at:
            took = format_duration(max((state.ended_at or time.time()) - state.started_at, 0.0))
            took = f" in {took}" if state.ended_at else f" for {took}"
        title = Text(f"  {one_line(self.title, 40)}  {state.id}", "dim")
        return Text.assemble(status_text(state.status), took, title, overflow="ellipsis", no_wrap=True)


def _fitting(rows: list[Row], room: int) -> tuple[list[Row], int]:
    """At most `room` rows, the earliest settled ones left out first; and how many steps those were."""
    surplus = len(rows) - room + 1 if len(rows) > room else 0
    settled = [row.step_id for row in rows if row.settled and row.step][:surplus]
    dropped = frozenset(settled)
    return [row for row in rows if row.step_id not in dropped][:room], len(dropped)


def _note(row: Row) -> Text:
    state = row.state
    notes = []
    if row.step is not None and isinstance(row.step.flow, LoopPlan):
        done = iterations_of(state)
        if done is not None:
            notes.append(count(done, "iteration"))
    notes.append(_trouble(state))
    colour = COLOURS[state.status] if state.status in (FAILED, RETRYING) else "dim"
    return Text(one_line(" · ".join(note for note in notes if note), 300), colour)


def _trouble(state: StepState) -> str:
    """What went wrong so far, the cause first, for there is little room."""
    message = state.error["message"] if state.error else ""
    tries = f"{state.attempt} tries"
    if state.status == RETRYING and state.retry_at is not None:
        left = format_duration(max(state.retry_at - time.time(), 0.0))
        return f"try {state.attempt} failed, again in {left}: {message}"
    if state.status == SUSPENDED:
        return wait_of(state)
    if state.status == RUNNING and state.attempt > 1:
        return f"try {state.attempt} after: {message}"
    if state.status == FAILED:
        cause = (state.error or {}).get("details", {}).get("cause")
        return message if cause is None else f"{tries}: {cause['message']}"
    if state.attempt > 1:
        return tries
    return state.reason or ""
