"""A sign that nothing new may begin."""

import asyncio

from opcode_core.contracts.clock import Clock


class Stop:
    """Holds for one place in a run and for all places inside it."""

    __slots__ = ("_sleepers", "parent", "reason")

    def __init__(self, parent: "Stop | None" = None) -> None:
        self.parent = parent
        self.reason: str | None = None
        self._sleepers: set[asyncio.Future[None]] = set()

    @property
    def requested(self) -> str | None:
        """Why, or None while steps may begin."""
        stop: Stop | None = self
        while stop is not None:
            if stop.reason is not None:
                return stop.reason
            stop = stop.parent
        return None

    def request(self, reason: str) -> None:
        """Let nothing new begin, and wake who only waits to begin."""
        if self.reason is None:
            self.reason = reason
            self.rouse()

    def rouse(self) -> None:
        """Wake who sleeps here or further in; whoever it is looks by itself at what has changed."""
        for sleeper in self._sleepers:
            if not sleeper.done():
                sleeper.set_result(None)

    async def sleep(self, clock: Clock, seconds: float) -> None:
        """Come back after that long, or as soon as a stop is, or was, requested here or further out."""
        if self.requested is not None:
            return
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        slept = asyncio.ensure_future(clock.sleep(seconds))
        chain: list[Stop] = []
        stop: Stop | None = self
        while stop is not None:
            chain.append(stop)
            stop._sleepers.add(woken)
            stop = stop.parent
        try:
            await asyncio.wait({woken, slept}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            slept.cancel()
            for stop in chain:
                stop._sleepers.discard(woken)
