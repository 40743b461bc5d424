"""Live events: committed ones, handed to whoever listens."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from opcode_core.contracts.observer import Observer
from opcode_core.events import Event

_log = logging.getLogger("opcode.hub")


class Hub:
    """Spreads each committed batch to observers and subscribers; a slow one holds up nobody."""

    def __init__(self, observers: Sequence[Observer] = (), backlog: int = 10_000) -> None:
        self._observers = tuple(observers)
        self._backlog = backlog
        self._queues: dict[asyncio.Queue[Event | None], str | None] = {}

    def publish(self, events: Sequence[Event]) -> None:
        """Hand out a batch."""
        for observer in self._observers:
            try:
                observer.committed(events)
            except Exception:
                _log.exception("observer %r failed", observer)
        for queue, run_id in list(self._queues.items()):
            for event in events:
                if run_id is None or event.workflow_id == run_id:
                    self._offer(queue, event)

    def _offer(self, queue: "asyncio.Queue[Event | None]", event: Event) -> None:
        if queue.qsize() < self._backlog:
            queue.put_nowait(event)
        elif self._queues.pop(queue, False) is not False:
            queue.put_nowait(None)  # it lost events: better an end that it notices than a gap

    @asynccontextmanager
    async def subscribe(self, run_id: str | None = None) -> AsyncIterator[AsyncIterator[Event]]:
        """Events of one run, or of all, from now on; it ends when the listener is too slow."""
        queue: asyncio.Queue[Event | None] = asyncio.Queue()
        self._queues[queue] = run_id
        try:
            yield _until_none(queue)
        finally:
            self._queues.pop(queue, None)


async def _until_none(queue: "asyncio.Queue[Event | None]") -> AsyncIterator[Event]:
    while (event := await queue.get()) is not None:
        yield event
