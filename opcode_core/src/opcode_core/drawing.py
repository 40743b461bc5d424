"""Drawings made in threads, each of them once."""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from opcode_core.contracts.renderer import Renderer
from opcode_core.diagram import Diagram

AT_ONCE = 2
"""Drawings in the making; more wait, so that they do not take all threads."""
KEPT = 64
"""Drawings that are remembered."""
KEPT_SIZE = 16 * 2**20
"""Letters or bytes that they may have together."""


@dataclass(slots=True)
class _Gallery:
    """What one event loop draws and drew."""

    places: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    drawn: OrderedDict[tuple[Renderer, Diagram], str | bytes] = field(default_factory=OrderedDict)
    making: dict[tuple[Renderer, Diagram], asyncio.Task[str | bytes]] = field(default_factory=dict)

    async def draw(self, renderer: Renderer, diagram: Diagram) -> str | bytes:
        key = (renderer, diagram)
        if key in self.drawn:
            self.drawn.move_to_end(key)
            return self.drawn[key]
        if key not in self.making:
            self.making[key] = asyncio.create_task(self._make(renderer, diagram))
            self.making[key].add_done_callback(_seen)
        # Shielded: who goes away takes nothing from the others that wait for the same drawing.
        return await asyncio.shield(self.making[key])

    async def _make(self, renderer: Renderer, diagram: Diagram) -> str | bytes:
        try:
            async with self.places:
                drawing = await asyncio.to_thread(renderer.render, diagram)
        finally:
            del self.making[renderer, diagram]
        self.drawn[renderer, diagram] = drawing
        while len(self.drawn) > KEPT or sum(map(len, self.drawn.values())) > KEPT_SIZE:
            self.drawn.popitem(last=False)
        return drawing


def _seen(task: asyncio.Task[str | bytes]) -> None:
    """Nobody may be left to whom an error could be told."""
    if not task.cancelled():
        task.exception()


_galleries: WeakKeyDictionary[asyncio.AbstractEventLoop, _Gallery] = WeakKeyDictionary()


async def draw(renderer: Renderer, diagram: Diagram) -> str | bytes:
    """What `renderer` makes of `diagram`, in a thread; the same one is drawn once, however many ask for it.

    Raises:
        OpcodeError: when the renderer cannot draw it.
    """
    gallery = _galleries.setdefault(asyncio.get_running_loop(), _Gallery())
    return await gallery.draw(renderer, diagram)
