"""Resting runs that go on by themselves: one sleeper for the earliest of them."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from opcode_core.contracts.clock import Clock
from opcode_core.contracts.storage import RunRecord, Storage
from opcode_core.errors import OpcodeError

_log = logging.getLogger("opcode.engine")

BATCH = 500
AGAIN = 5.0
"""Seconds after which a storage that refuses to say what is due is asked again."""


class Timers:
    """Wakes the runs whose time has come. The storage knows them all; here only the earliest time is kept.

    Args:
        wake: takes runs that are due into memory, and tells how many it took.
    """

    def __init__(
        self, storage: Storage, clock: Clock, wake: Callable[[Sequence[RunRecord]], Awaitable[int]]
    ) -> None:
        self._storage = storage
        self._clock = clock
        self._wake = wake
        self._earliest: float | None = None
        self._armed = asyncio.Event()

    def arm(self, due: float) -> None:
        """Be sure to look at `due`, seconds since the epoch."""
        if self._earliest is None or due < self._earliest:
            self._earliest = due
            self._armed.set()

    async def serve(self) -> None:
        """For ever: sleep until the earliest time, wake what is due."""
        self.arm(self._clock.now())
        while True:
            self._armed.clear()
            await self._until_earliest()
            if not self._armed.is_set():
                try:
                    await self._fire()
                except OpcodeError as error:
                    _log.error("the runs that are due cannot be found: %s", error)
                    self.arm(self._clock.now() + AGAIN)

    async def _until_earliest(self) -> None:
        """Come back at that time, or when an earlier one is known."""
        waits: set[asyncio.Task[Any]] = {asyncio.create_task(self._armed.wait())}
        if self._earliest is not None:
            waits.add(asyncio.ensure_future(self._clock.sleep_until(self._earliest)))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waits:
                task.cancel()

    async def _fire(self) -> None:
        now = self._clock.now()
        self._earliest = None
        while True:
            due = await self._storage.due(now, BATCH)
            if not await self._wake(due) or len(due) < BATCH:
                break
        following = await self._storage.next_due(now)
        if following is not None:
            self.arm(following)
