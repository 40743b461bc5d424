"""The real clock and the real dice."""

import asyncio
import os
import random
import time

LONGEST_SLEEP = 1.0
"""Seconds after which a sleeper looks at the clock again: it may have been set, or the machine suspended."""


class SystemClock:
    """The machine's time."""

    now = staticmethod(time.time)
    monotonic = staticmethod(time.monotonic)
    sleep = staticmethod(asyncio.sleep)

    async def sleep_until(self, when: float) -> None:
        """In short sleeps, because the loop's time stands still while the machine is suspended."""
        while (left := when - self.now()) > 0:  # noqa: ASYNC110 - nothing tells that the clock was set
            await asyncio.sleep(min(left, LONGEST_SLEEP))


class RandomIds:
    """Identifiers of 32 hexadecimal digits: milliseconds since the epoch, then 80 random bits."""

    def __init__(self) -> None:
        self._random = random.Random(os.urandom(32))  # noqa: S311

    def new(self) -> str:
        """A new identifier."""
        return f"{time.time_ns() // 1_000_000:012x}{self._random.getrandbits(80):020x}"

    def fraction(self) -> float:
        """A random number in [0, 1)."""
        return self._random.random()
