"""What many look at is made once: the changing part of a page, for all who ask for it."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

TIMES = 24
"""Something is made anew at the earliest after so many times what it took to make: a busy run that is
watched loses at most a twenty-fifth of the processor to whoever looks."""
FRESH = 5.0
"""Seconds for which something that did not change is good, since it says how long ago things were."""
MOST = 64


@dataclass(slots=True)
class _Made:
    text: str = ""
    position: str | None = None
    begun: float = 0.0
    ended: float = 0.0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Shared:
    """Texts by name; the ones that nobody asked for lately are forgotten."""

    def __init__(self) -> None:
        self._made: OrderedDict[object, _Made] = OrderedDict()

    async def get(self, name: object, position: str, make: Callable[[], Awaitable[str]]) -> str:
        """The text, made at that position or later.

        Args:
            name: what it is, and for whom.
            position: where the log stood when it was asked for.
            make: makes it.
        """
        asked = time.monotonic()
        made = self._made.setdefault(name, _Made())
        self._made.move_to_end(name)
        if len(self._made) > MOST:
            self._made.popitem(last=False)
        async with made.lock:
            if made.begun >= asked or (made.position == position and made.ended + FRESH > asked):
                return made.text
            if made.position != position:
                await asyncio.sleep(max(0.0, made.ended + TIMES * (made.ended - made.begun) - asked))
            begun = time.monotonic()
            made.text = await make()
            made.position, made.begun, made.ended = position, begun, time.monotonic()
            return made.text
