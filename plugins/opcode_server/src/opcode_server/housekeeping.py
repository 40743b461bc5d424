"""What a server does now and then: delete runs that ended long ago."""

import asyncio
import logging

from opcode_core import Engine, OpcodeError

EVERY = 3600.0
BATCH = 100

_log = logging.getLogger("opcode.server")


class Housekeeping:
    """Obeys the setting `retention`.

    Args:
        engine: whose runs.
        retention: seconds for which a run is kept after its end; None keeps all.
    """

    def __init__(self, engine: Engine, retention: float | None) -> None:
        self.engine = engine
        self.retention = retention

    async def serve(self) -> None:
        """Every hour, until cancelled."""
        while self.retention is not None:
            try:
                await self.tidy(self.retention)
            except OpcodeError as error:
                _log.error("old runs are still there: %s", error)
            await asyncio.sleep(EVERY)

    async def tidy(self, retention: float) -> int:
        """Delete what is older, a little at a time; how many runs that were."""
        removed = 0
        while True:
            count = await self.engine.storage.purge(self.engine.clock.now() - retention, BATCH)
            removed += count
            if count < BATCH:
                break
            await asyncio.sleep(0.05)  # others want the storage too
        if removed:
            _log.info("%d runs that ended more than %g s ago are deleted", removed, retention)
        return removed
