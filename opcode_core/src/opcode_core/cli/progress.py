"""A run as it goes: a live picture on a terminal, a line for each event elsewhere. Both on standard error."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

from rich.console import Console
from rich.live import Live

from opcode_core.cli.event_lines import Lines
from opcode_core.cli.picture import Picture
from opcode_core.events import Event
from opcode_core.plan import Plan
from opcode_core.state import RunState

PAUSE = 0.08
"""Seconds between two frames."""


class Progress(Protocol):
    """Shows the events of one run."""

    def show(self, event: Event) -> None:
        """One more has been committed."""
        ...

    def finish(self, state: RunState) -> None:
        """It has come to this, whether or not every event was shown."""
        ...


@asynccontextmanager
async def progress(run_id: str, title: str, plan: Plan) -> AsyncIterator[Progress]:
    """The progress that fits where standard error goes."""
    console = Console(stderr=True, highlight=False)
    if not console.is_terminal or console.is_dumb_terminal:
        yield Lines(plan)
        return
    picture = Picture(run_id, title, plan)
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
