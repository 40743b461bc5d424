"""Signs that something changed, for pages that are open: they fetch what they show anew."""

import asyncio
from collections.abc import AsyncIterator

from fastapi import APIRouter, Request
from sse_starlette import EventSourceResponse, ServerSentEvent

from opcode_core import Engine, EventFilter
from opcode_panel.rendering import house_of

PAUSE = 0.25
"""Seconds in which changes gather, so that a busy run does not keep its watchers busy."""
LOOK = 2.0
"""Seconds between looks for what another process wrote."""
PING = 15


def add_to(router: APIRouter) -> None:
    """`/-/live`."""

    @router.get("/-/live")
    async def live(request: Request, workflow_id: str = "") -> EventSourceResponse:
        """Of one run, or of all; the first sign comes at once, so a page that was cut off catches up."""
        return EventSourceResponse(_signs(house_of(request).engine, workflow_id or None), ping=PING)


async def _signs(engine: Engine, run_id: str | None) -> AsyncIterator[ServerSentEvent]:
    seen: object = None
    while True:
        async with engine.hub.subscribe(run_id) as events:
            now = await _position(engine, run_id)
            if now != seen:
                seen = now
                yield ServerSentEvent(event="changed", data=str(now))
                await asyncio.sleep(PAUSE)
                continue
            try:
                async with asyncio.timeout(LOOK):
                    await anext(events, None)
            except TimeoutError:
                continue


async def _position(engine: Engine, run_id: str | None) -> object:
    """Something that is another whenever more is in the log."""
    if run_id is not None:
        record = await engine.storage.run(run_id)
        return None if record is None else record.sequence

    newest = (await engine.storage.events(EventFilter(), 1)).items
    return newest[0].id if newest else ""
