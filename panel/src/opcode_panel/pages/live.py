"""Signs that something changed, for pages that are open: they fetch what they show anew."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Header, Request
from sse_starlette import EventSourceResponse, ServerSentEvent

from opcode_panel.rendering import watches_of
from opcode_panel.watching import PAUSE, Watches

PING = 15
AGAIN = 1000
"""Milliseconds after which a browser that was cut off tries again."""


def add_to(router: APIRouter) -> None:
    """`/-/live`."""

    @router.get("/-/live")
    async def live(
        request: Request,
        workflow_id: str = "",
        seen: str = "",
        last_event_id: Annotated[str | None, Header()] = None,
    ) -> EventSourceResponse:
        """Of one run, or of all; a page that was cut off is told at once when it has missed something."""
        signs = _signs(watches_of(request), workflow_id or None, last_event_id or seen)
        return EventSourceResponse(signs, ping=PING)


async def _signs(watches: Watches, run_id: str | None, seen: str) -> AsyncIterator[ServerSentEvent]:
    yield ServerSentEvent(comment="watching", retry=AGAIN)
    async with watches.of(run_id) as watch:
        while await watch.changed(seen):
            await asyncio.sleep(watch.delay())
            seen = watch.position
            yield ServerSentEvent(event="changed", data=seen, id=seen, retry=AGAIN)
            await asyncio.sleep(PAUSE)
