"""The place of this process among those that share the storage."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from opcode_core.engine.owner import LEASE, is_dead
from opcode_core.errors import OpcodeError

if TYPE_CHECKING:
    from opcode_core.engine.engine import Engine

_log = logging.getLogger("opcode.engine")

TICK = 1.0
"""Seconds between looks for messages that other processes left."""
BEAT = 3
"""Ticks between signs of life, and between looks for the dead."""


async def _every(seconds: float, act: Callable[[], Awaitable[None]]) -> None:
    while True:
        await asyncio.sleep(seconds)
        try:
            await act()
        except OpcodeError as error:
            _log.error("the storage cannot be asked for news: %s", error)
        except Exception:  # without it nobody would know that this process lives
            _log.exception("the watch failed; it goes on")


class Watch:
    """Says that this process lives, takes over from those that do not, and brings messages to runs."""

    def __init__(self, engine: "Engine") -> None:
        self.engine = engine
        self.storage = engine.storage
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_known = False
        self._ticks = 0

    async def begin(self) -> None:
        """Be known as living; from then on runs may be owned. Idempotent."""
        if not self._is_wanted():
            return
        await self._beat()
        if self._is_wanted():
            self._tasks = {
                asyncio.create_task(_every(TICK * BEAT, self._beat), name="heart"),
                asyncio.create_task(_every(TICK, self._look), name="watch"),
            }

    def _is_wanted(self) -> bool:
        return not self._tasks and not self.engine.closing

    async def end(self) -> None:
        """Be known as gone: what is still owned is anybody's."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        self._tasks.clear()
        if not self._is_known:
            return
        try:
            await self.storage.leave(self.engine.owner)
        except OpcodeError as error:
            _log.error("the storage does not take leave; others will wait for the lease's end: %s", error)

    async def _look(self) -> None:
        """See what others left: now and then also runs, each time messages."""
        self._ticks += 1
        if self._ticks % BEAT == 0:
            due = await self.storage.next_due(float("-inf"))
            if due is not None:  # perhaps of a run that a process left which is gone
                self.engine.timers.arm(due)
            if self.engine.others:
                await self.bury()
                await self.engine.runs.recover_orphans()
        await self.engine.runs.retry_doubted()
        for message in await self.storage.messages():
            await self.engine.runs.deliver(message)

    async def _beat(self) -> None:
        self._is_known = True
        await self.storage.beat(self.engine.owner, self.engine.clock.now() + LEASE)

    async def bury(self) -> None:
        """Let owners of this machine that are surely gone count as dead before their lease is over."""
        for owner in await self.storage.owners():
            if owner != self.engine.owner and is_dead(owner):
                await self.storage.leave(owner)
