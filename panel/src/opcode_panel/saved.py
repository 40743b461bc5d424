"""What the engine saved: steps that ran without anybody reasoning about them."""

import asyncio
import logging
import time
from dataclasses import dataclass

from opcode_core import Engine, OpcodeError

SHELF, KEY = "panel", "work"
EVERY = 1.0
"""Seconds between two counts."""
PATIENCE = 0.05
"""Seconds that a page waits for a count; the first one of a large log takes longer."""

_log = logging.getLogger("opcode.panel")


@dataclass(frozen=True, slots=True)
class Saved:
    """Counted since the beginning, deleted runs included; `place` is how far in the log."""

    steps: int = 0
    decisions: int = 0
    place: int = 0

    @property
    def share(self) -> str:
        """Which part of all steps needed no reasoning."""
        if not self.steps:
            return "0 %"
        part = 100 * max(self.steps - self.decisions, 0) / self.steps
        return f"{part:.1f} %" if 0 < part < 100 else f"{part:.0f} %"


class Savings:
    """Counts on from where it ended, also after a restart."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._known: Saved | None = None
        self._counted_at = float("-inf")
        self._counting: asyncio.Task[None] | None = None

    async def now(self) -> Saved | None:
        """As of the last seconds; None while it is counted for the first time."""
        if self._counting is None and time.monotonic() > self._counted_at + EVERY:
            self._counting = asyncio.create_task(self._count(), name="panel count")
        if self._counting is not None:
            await asyncio.wait({self._counting}, timeout=PATIENCE)
        return self._known

    async def _count(self) -> None:
        try:
            before = self._known or await self._stored()
            work = await self._engine.storage.work(before.place)
            self._known = Saved(before.steps + work.steps, before.decisions + work.decisions, work.place)
            if work.place != before.place:
                value = {"steps": self._known.steps, "decisions": self._known.decisions, "place": work.place}
                await self._engine.storage.put(SHELF, KEY, value, self._engine.clock.now())
        except OpcodeError as error:
            _log.warning("what was saved cannot be counted: %s", error)
        finally:
            self._counting, self._counted_at = None, time.monotonic()

    async def _stored(self) -> Saved:
        item = await self._engine.storage.item(SHELF, KEY)
        return Saved(**item.value) if item else Saved()
