"""A run as it goes: a live picture on a terminal, a line for each event elsewhere. Both on standard error."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

from rich.console import Console
from rich.live import Live

from opcode_core.cli.event_lines import Lines
from opcode_core.cli.picture import Picture
from opcode_core.contracts.storage import EventFilter
from opcode_core.engine.engine import Engine
from opcode_core.events import Event
from opcode_core.plan import Plan
from opcode_core.state import RunState

PAUSE = 0.08
"""Seconds between two frames."""
PAGE = 1000


class Progress(Protocol):
    """Shows the events of one run."""

    def show(self, event: Event) -> None:
        """One more has been committed."""
        ...

    def finish(self, state: RunState) -> None:
        """It has come to this, whether or not every event was shown."""
        ...


@asynccontextmanager
async def progress(title: str, plan: Plan, state: RunState) -> AsyncIterator[Progress]:
    """The progress that fits where standard error goes, from `state` on, which belongs to it then."""
    console = Console(stderr=True, highlight=False)
    if not console.is_terminal or console.is_dumb_terminal:
        yield Lines(plan, state)
        return
    picture = Picture(title, plan, state)
    # Drawn by a task, not by rich's own thread: the state must not change while it is being read.
    with Live(
        get_renderable=lambda: picture.render(console.height), console=console, auto_refresh=False
    ) as live:
        drawing = asyncio.create_task(_draw(live))
        try:
            yield picture
        finally:
            drawing.cancel()


async def _draw(live: Live) -> None:
    while True:
        live.refresh()
        await asyncio.sleep(PAUSE)


class Follower:
    """Hands a run's events to its progress, each once and in order.

    Args:
        ready: the engine that has the log.
        run_id: whose events.
        seen: the sequence of the last one that is known already.
        shown: what shows them.
    """

    def __init__(self, ready: Engine, run_id: str, seen: int, shown: Progress) -> None:
        self.seen = seen
        self._ready = ready
        self._run_id = run_id
        self._shown = shown
        self._news = asyncio.Event()

    async def follow(self, events: AsyncIterator[Event]) -> None:
        """As long as they come."""
        async for event in events:
            if event.workflow_id != self._run_id or event.sequence <= self.seen:
                continue
            if event.sequence > self.seen + 1:  # another process went on with it for a while
                await self._catch_up(event.sequence)
            self._show(event)

    async def reach(self, sequence: int) -> None:
        """Come back when that event is shown."""
        while self.seen < sequence:
            self._news.clear()
            await self._news.wait()

    async def _catch_up(self, before: int) -> None:
        while self.seen + 1 < before:
            where = EventFilter(workflow_id=self._run_id, after=self.seen)
            for event in (await self._ready.storage.events(where, PAGE)).items:
                if event.sequence < before:
                    self._show(event)

    def _show(self, event: Event) -> None:
        self._shown.show(event)
        self.seen = event.sequence
        self._news.set()
