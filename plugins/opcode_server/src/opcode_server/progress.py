"""Telling a caller who waits how far a run is."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from opcode_core import Engine
from opcode_core.hosting import STEP_ENDED, Plan

Progress = Callable[[float, float | None, str], Awaitable[None]]
"""How many steps have ended, of how many if that is known, and what happened last."""

HOLDING = frozenset({"condition", "loop", "parallel"})
ENDS = {"step_completed": "completed", "step_failed": "failed", "step_skipped": "skipped"}


@asynccontextmanager
async def telling(engine: Engine, run_id: str, progress: Progress) -> AsyncIterator[None]:
    """Tell of each step that ends while the block lasts, and at its end of those that were not told yet."""
    teller = _Teller(engine, run_id, progress)
    task = asyncio.create_task(teller.follow(), name=f"progress of {run_id}")
    try:
        yield
    finally:
        async with teller.sending:  # what is on its way arrives whole
            task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    await teller.catch_up()


class _Teller:
    def __init__(self, engine: Engine, run_id: str, progress: Progress) -> None:
        self.engine = engine
        self.run_id = run_id
        self.progress = progress
        self.sending = asyncio.Lock()
        self._ended: set[str] = set()
        self._told = 0
        self._total: float | None = None

    async def follow(self) -> None:
        """As events come."""
        async with self.engine.hub.subscribe(self.run_id) as events:
            await self.catch_up()
            async for event in events:
                if event.event_type in ENDS and event.step_id is not None:
                    self._ended.add(event.step_id)
                    await self._tell(f"step {event.step_id}: {ENDS[event.event_type]}")

    async def catch_up(self) -> None:
        """What happened before, or too quickly."""
        state = await self.engine.state(self.run_id)
        self._total = _total(await self.engine.plan_of(state))
        self._ended |= {step_id for step_id, step in state.steps.items() if step.status in STEP_ENDED}
        await self._tell(f"{len(self._ended)} steps have ended")

    async def _tell(self, message: str) -> None:
        async with self.sending:
            if len(self._ended) > self._told:
                self._told = len(self._ended)
                await self.progress(self._told, self._total, message)


def _total(plan: Plan) -> float | None:
    """How many steps there are, when nothing decides that on the way."""
    return None if any(step.type in HOLDING for step in plan.steps) else float(len(plan.steps))
