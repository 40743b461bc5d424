"""The audit log: who did what, and who was refused."""

import asyncio
import logging
from collections import deque
from secrets import token_hex
from typing import Any

from opcode_core import Clock, OpcodeError, Storage
from opcode_core.hosting import iso
from opcode_server.callers import Caller

SHELF = "audit"
PAUSE = 0.5
"""Seconds in which entries gather, so that many calls cost one write."""
MOST_KEPT = 10_000
"""Entries that wait for a storage which does not take them; older ones are only in the program's log."""

_log = logging.getLogger("opcode.audit")


class Audit:
    """Writes entries in batches, each an item whose key rises with time."""

    def __init__(self, storage: Storage, clock: Clock) -> None:
        self.storage = storage
        self.clock = clock
        self._waiting: deque[dict[str, Any]] = deque(maxlen=MOST_KEPT)
        self._task: asyncio.Task[None] | None = None

    def note(
        self, caller: Caller, what: str, about: str = "", outcome: str = "ok", agent_id: str = ""
    ) -> None:
        """Add an entry.

        Args:
            caller: who.
            what: as `opcode.run` or `token.create`.
            about: the run, template or token that it was about.
            outcome: `ok`, or the error's code.
            agent_id: whom they spoke for.
        """
        entry = {
            "time": iso(self.clock.now()),
            "caller": caller.name,
            "role": caller.role,
            "agent_id": agent_id,
            "address": caller.address,
            "action": what,
            "about": about[:200],
            "outcome": outcome,
        }
        self._waiting.append(entry)
        _log.debug("%s %s: %s", what, about[:200], outcome, extra={"agent_id": agent_id, "fields": entry})
        if self._task is None:
            self._task = asyncio.create_task(self._write_soon(), name="audit")

    async def _write_soon(self) -> None:
        await asyncio.sleep(PAUSE)
        self._task = None
        await self.flush()

    async def flush(self) -> None:
        """Write what has gathered."""
        if not self._waiting:
            return
        batch = list(self._waiting)
        self._waiting.clear()
        now = self.clock.now()
        try:
            await self.storage.put(SHELF, f"{now * 1000:015.0f}-{token_hex(4)}", batch, now)
        except OpcodeError as error:
            _log.error("%d entries of the audit log are only here: %s", len(batch), error)

    async def close(self) -> None:
        """Write the last entries."""
        if self._task is not None:
            self._task.cancel()
        await self.flush()

    async def page(
        self, limit: int = 100, cursor: str | None = None
    ) -> tuple[list[dict[str, Any]], str | None]:
        """Entries, the newest first; `limit` counts batches."""
        await self.flush()
        found = await self.storage.items(SHELF, limit=limit, cursor=cursor, greatest_first=True)
        return [entry for item in found.items for entry in reversed(item.value)], found.cursor
