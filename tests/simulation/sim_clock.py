"""Time as a simulated machine shows it, and names that are the same in every repetition."""

import asyncio
from random import Random

from sim_loop import SimulatedLoop

EPOCH = 1_700_000_000.0


class SimulatedClock:
    """The wall clock of a machine, which may be set; what sleeps until a time looks again then."""

    def __init__(self, loop: SimulatedLoop) -> None:
        self.loop = loop
        self.offset = EPOCH
        self._sleepers: dict[asyncio.Future[None], None] = {}

    def now(self) -> float:
        return self.loop.time() + self.offset

    def monotonic(self) -> float:
        return self.loop.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def sleep_until(self, when: float) -> None:
        while (left := when - self.now()) > 0:
            woken = self.loop.create_future()
            timer = self.loop.call_later(left, _wake, woken)
            self._sleepers[woken] = None
            try:
                await woken
            finally:
                timer.cancel()
                del self._sleepers[woken]

    def jump(self, seconds: float) -> None:
        """Set the clock; sleepers notice within a second."""
        self.offset += seconds
        for sleeper in self._sleepers:
            self.loop.call_later(self.loop.random.random(), _wake, sleeper)


class ClockAhead:
    """The clock of a machine beside, which is some seconds ahead."""

    def __init__(self, clock: SimulatedClock, seconds: float) -> None:
        self.clock = clock
        self.seconds = seconds
        self.monotonic = clock.monotonic
        self.sleep = clock.sleep

    def now(self) -> float:
        return self.clock.now() + self.seconds

    async def sleep_until(self, when: float) -> None:
        await self.clock.sleep_until(when - self.seconds)


def _wake(sleeper: "asyncio.Future[None]") -> None:
    if not sleeper.done():
        sleeper.set_result(None)


class SimulatedIds:
    """`id-00001`, `id-00002`, …: they sort by the time of their making."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._made = 0

    def new(self) -> str:
        self._made += 1
        return f"id-{self._made:05}"

    def fraction(self) -> float:
        return self._random.random()
