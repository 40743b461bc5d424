"""What agents are told: kept until they have read it, and pushed to those who listen."""

import logging
from collections.abc import Awaitable, Callable
from secrets import token_hex
from typing import Any
from urllib.parse import quote

from opcode_core import Clock, Storage
from opcode_core.hosting import iso

SHELF = "inbox"
MOST_KEPT = 1000
"""Notices of one agent; older ones go."""

Push = Callable[[str, dict[str, Any]], Awaitable[bool]]

_log = logging.getLogger("opcode.inbox")


class Inbox:
    """The notices of all agents.

    Attributes:
        push: tells an agent's live sessions; gives whether there was one.
    """

    def __init__(self, storage: Storage, clock: Clock) -> None:
        self.storage = storage
        self.clock = clock
        self.push: Push | None = None
        self._added: dict[str, int] = {}

    async def notify(self, agent_id: str, message: str, data: Any) -> bool:
        """Keep a notice, and push it; whether a live session got it."""
        now = self.clock.now()
        notice = {
            "id": f"{now * 1000:015.0f}-{token_hex(4)}",
            "time": iso(now),
            "message": message,
            "data": data,
        }
        await self.storage.put(SHELF, _key(agent_id, notice["id"]), notice, now)
        await self._drop_old(agent_id)
        return self.push is not None and await self.push(agent_id, notice)

    async def read(self, agent_id: str, limit: int = 100) -> list[dict[str, Any]]:
        """An agent's notices, the newest first."""
        page = await self.storage.items(SHELF, _key(agent_id), limit, greatest_first=True)
        return [item.value for item in page.items]

    async def clear(self, agent_id: str, up_to: str) -> int:
        """Forget an agent's notices up to that id; how many there were."""
        last, removed = _key(agent_id, up_to), 0
        while True:
            page = await self.storage.items(SHELF, _key(agent_id))
            keys = [item.key for item in page.items if item.key <= last]
            if not keys:
                return removed
            removed += await self.storage.remove(SHELF, keys)

    async def _drop_old(self, agent_id: str) -> None:
        """Now and then, for it costs a look at all of them."""
        self._added[agent_id] = self._added.get(agent_id, 0) + 1
        if self._added[agent_id] % 100:
            return
        page = await self.storage.items(SHELF, _key(agent_id), MOST_KEPT, greatest_first=True)
        if page.cursor is not None:
            older = await self.storage.items(SHELF, _key(agent_id), 1000, page.cursor, greatest_first=True)
            await self.storage.remove(SHELF, [item.key for item in older.items])


def _key(agent_id: str, notice_id: str = "") -> str:
    """A slash in an agent's name must not make it another agent's prefix."""
    return f"{quote(agent_id, safe='')}/{notice_id}"
