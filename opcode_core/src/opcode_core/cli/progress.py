"""A run as it goes: a live picture on a terminal, a line for each event elsewhere. Both on standard error."""

import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Protocol

from rich.console import Console, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from opcode_core import events as e
from opcode_core.cli.tables import MARKS, one_line, status_text
from opcode_core.durations import format_duration
from opcode_core.events import Event
from opcode_core.plan import Plan
from opcode_core.state import RunState, StepState, evolve

MOST_ROWS = 30
_QUIET = frozenset(
    {e.STEP_STARTED, e.LOOP_ITER_STARTED, e.LOOP_ITER_COMPLETED, e.PARALLEL_STARTED, e.WAIT_STARTED}
)


class Progress(Protocol):
    """Shows the events of one run."""

    def show(self, event: Event) -> None:
        """One more has been committed."""
        ...


@contextmanager
def progress(run_id: str, plan: Plan) -> Iterator[Progress]:
    """The progress that fits where standard error goes."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield Lines()
        return
    picture = Picture(run_id, plan)
    with Live(get_renderable=picture.render, console=console, refresh_per_second=12, transient=False):
        yield picture


class Lines:
    """A line for each event that a person cares about."""

    def show(self, event: Event) -> None:
        """Print it."""
        if event.event_type in _QUIET:
            return
        when = datetime.fromtimestamp(event.timestamp).astimezone().strftime("%H:%M:%S.%f")[:-3]
        note = one_line(note_of(event), 160)
        print(
            f"{when}  {event.event_type:<22} {event.step_id or ''}  {note}".rstrip(),
            file=sys.stderr,
            flush=True,
        )


def note_of(event: Event) -> str:
    """What is worth saying about an event beside its type and step."""
    payload: Any = event.payload
    if event.event_type == e.STEP_RETRYING:
        return f"try {payload['attempt']} failed, again in {payload['delay_ms']} ms: {payload['error']['message']}"
    if "error" in payload and isinstance(payload["error"], dict):
        return f"{payload['error']['code']}: {payload['error']['message']}"
    if event.event_type == e.CONDITION_EVALUATED:
        return f"{payload['expression']} → {payload['branch']}"
    return str(payload.get("reason") or payload.get("fallback_step") or "")


class Picture:
    """The outermost steps with what happens inside them, redrawn as time goes on."""

    def __init__(self, run_id: str, plan: Plan) -> None:
        self.plan = plan
        self.state = RunState(run_id)
        self._spinners: dict[str, Spinner] = {}

    def show(self, event: Event) -> None:
        """Fold it in."""
        evolve(self.state, event)

    def render(self) -> RenderableType:
        """The picture of this moment."""
        table = Table(box=None, pad_edge=False, show_header=False, expand=True)
        for justify in ("left", "left", "left", "right"):
            table.add_column(justify=justify, no_wrap=True)
        table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)  # whatever room is left
        rows = list(self._rows())
        for row in rows[:MOST_ROWS]:
            table.add_row(*row)
        if len(rows) > MOST_ROWS:
            table.add_row("", Text(f"… {len(rows) - MOST_ROWS} more steps", "dim"))
        table.add_row("", self._summary())
        return table

    def _rows(self) -> Iterable[tuple[RenderableType, ...]]:
        for step in self.plan.steps:
            known = self.state.steps.get(step.id)
            if known is None:
                continue
            what = step.action.name if step.action else step.type
            yield self._row(step.id, Text(step.id), what, known)
            if known.ended_at is None and known.block:
                yield from self._inside(step.id)

    def _inside(self, step_id: str) -> Iterable[tuple[RenderableType, ...]]:
        """What goes on at this moment inside a block."""
        prefix = f"{step_id}."
        for inner_id, inner in self.state.steps.items():
            if inner_id.startswith(prefix) and inner.ended_at is None and not inner.block:
                yield self._row(inner_id, Text("  " + inner_id.removeprefix(prefix), "dim"), "", inner)

    def _row(self, step_id: str, label: Text, what: str, known: StepState) -> tuple[RenderableType, ...]:
        running = known.ended_at is None and known.status in ("running", "retrying")
        mark: RenderableType = Text(MARKS.get(known.status, "·"), status_text(known.status).style)
        if running:
            mark = self._spinners.setdefault(step_id, Spinner("dots", style="cyan"))
        took = (known.ended_at or time.time()) - (known.started_at or time.time())
        return mark, label, Text(what, "dim"), format_duration(max(took, 0.0)), _note(known)

    def _summary(self) -> Text:
        state = self.state
        if not state.started_at:
            return Text("")
        took = format_duration((state.ended_at or time.time()) - state.started_at)
        return Text.assemble(status_text(state.status), f" in {took}" if state.ended_at else f" for {took}")


def _note(known: StepState) -> Text:
    notes = []
    if known.results is not None:
        notes.append(f"{len(known.results)} iterations")
    if known.attempt > 1 or known.status == "retrying":
        notes.append(f"try {known.attempt}")
    if known.error:
        notes.append(f"{known.error['code']}: {known.error['message']}")
    elif known.reason:
        notes.append(known.reason)
    colour = "red" if known.status == "failed" else "yellow" if known.status == "retrying" else "dim"
    return Text(one_line(" · ".join(notes), 120), colour)
