"""One look at the log for all who watch the same: a run, or everything."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from zlib import crc32

from opcode_core import Engine, EventFilter, OpcodeError

PAUSE = 0.25
"""Seconds in which changes gather, so that a busy run does not keep its watchers busy."""
SHARE = 0.1
"""Seconds between two who are told, on average: a crowd costs the engine no more than a few do."""
FAR = 1e11
"""A time that everything which waits for time comes before."""
NEXT = 6
"""How many of those that wait for time are watched."""
LOOK = 2.0
"""Seconds between looks for what another process wrote."""


class Watch:
    """Where a log stands, while anybody wants to know.

    Attributes:
        position: something that is another whenever more is in the log.
        watchers: how many wait for changes.
        over: it cannot look any more; who watches begins anew.
    """

    def __init__(self, engine: Engine, run_id: str | None) -> None:
        self.position = ""
        self.watchers = 0
        self.over = False
        self._engine = engine
        self._run_id = run_id
        self._news = asyncio.Event()

    async def changed(self, seen: str) -> bool:
        """Wait until it stands elsewhere than where one has seen it; False when it is over."""
        while not self.over and self.position in ("", seen):
            await self._news.wait()
        return not self.over

    def delay(self) -> float:
        """Seconds after which one watcher is told: soon when there are few, and a crowd one after the other."""
        return random.uniform(0, 2 * SHARE * self.watchers)  # noqa: S311

    async def look(self) -> None:
        """Until cancelled, or until the storage does not answer."""
        try:
            while True:
                async with self._engine.hub.subscribe(self._run_id) as events:
                    self._tell(await position(self._engine, self._run_id))
                    with suppress(TimeoutError):
                        async with asyncio.timeout(LOOK):
                            await anext(events, None)
                await asyncio.sleep(PAUSE)
        except OpcodeError:
            self.over = True
            self._wake()

    def _tell(self, position: str) -> None:
        if position != self.position:
            self.position = position
            self._wake()

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()


class Watches:
    """All watches of an engine, each as long as somebody needs it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._watches: dict[str | None, tuple[Watch, asyncio.Task[None]]] = {}

    @asynccontextmanager
    async def of(self, run_id: str | None) -> AsyncIterator[Watch]:
        """The watch of one run, or of everything."""
        watch, task = self._watches.get(run_id, (None, None))
        if watch is None or task is None or watch.over:
            watch = Watch(self._engine, run_id)
            task = asyncio.create_task(watch.look(), name="panel watch")
            self._watches[run_id] = watch, task
        watch.watchers += 1
        try:
            yield watch
        finally:
            watch.watchers -= 1
            if not watch.watchers:
                task.cancel()
                if self._watches.get(run_id) == (watch, task):
                    del self._watches[run_id]


async def position(engine: Engine, run_id: str | None) -> str:
    """Where the log of a run stands, or that of all."""
    if run_id is not None:
        record = await engine.storage.run(run_id)
        return "none" if record is None else str(record.sequence)
    newest = (await engine.storage.events(EventFilter(), 1)).items
    waiting = await engine.storage.due(FAR, NEXT)  # a run goes to rest without an event
    times = ",".join(f"{run.id} {run.wakes_at}" for run in waiting)
    return f"{newest[0].id if newest else 'none'}-{crc32(times.encode()):08x}"
