"""A run's events as they come: from the log, so that nothing is missed and nothing comes twice."""

import asyncio
from collections.abc import AsyncIterator

from opcode_core import Engine, Event, EventFilter
from opcode_core.hosting import RUN_ENDED

PAGE = 500
LOOK = 1.0
"""Seconds between looks for what another process wrote."""


async def events_of(engine: Engine, run_id: str, after: int = 0) -> AsyncIterator[Event]:
    """The events of a run with a greater sequence, until it has ended.

    Raises:
        OpcodeError: NOT_FOUND.
    """
    await engine.state(run_id)
    while True:
        async with engine.hub.subscribe(run_id) as news:  # before the look, so that nothing falls between
            record = await engine.storage.run(run_id)
            async for event in _stored(engine, run_id, after):
                after = event.sequence
                yield event
            if record is None or (record.status in RUN_ENDED and record.sequence <= after):
                return
            try:
                async with asyncio.timeout(LOOK):
                    await anext(news, None)
            except TimeoutError:
                continue


async def _stored(engine: Engine, run_id: str, after: int) -> AsyncIterator[Event]:
    while True:
        page = await engine.storage.events(EventFilter(workflow_id=run_id, after=after), PAGE)
        for event in page.items:
            after = event.sequence
            yield event
        if len(page.items) < PAGE:
            return
