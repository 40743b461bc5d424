"""Agents: everyone who ever called, registered by doing so."""

from typing import Any

from opcode_core import ErrorCode, OpcodeError, Storage
from opcode_core.hosting import iso

SHELF = "agents"
TYPES = ("llm", "system", "human", "service")
SEEN_EVERY = 60.0
"""Seconds between two notes of when an agent was last seen."""
MOST_REMEMBERED = 10_000


class Agents:
    """The agents of a storage."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self._seen: dict[str, float] = {}

    async def seen(self, agent_id: str, now: float, kind: str = "llm") -> None:
        """Note that an agent called; the first call registers it.

        Raises:
            OpcodeError: VALIDATION_ERROR when that cannot be an agent's id.
        """
        if now - self._seen.get(agent_id, float("-inf")) < SEEN_EVERY:
            return
        if not agent_id or len(agent_id) > 200 or not agent_id.isprintable():
            raise OpcodeError(
                ErrorCode.VALIDATION_ERROR,
                f"agent_id is {agent_id!r:.80}; it must be 1 to 200 printable characters",
                details={"path": "agent_id"},
            )
        item = await self.storage.item(SHELF, agent_id)
        known = item.value if item else {"id": agent_id, "type": kind, "registered_at": iso(now)}
        await self.storage.put(SHELF, agent_id, {**known, "last_seen_at": iso(now)}, now)
        if len(self._seen) >= MOST_REMEMBERED:
            self._seen.clear()
        self._seen[agent_id] = now

    async def page(
        self, limit: int = 100, cursor: str | None = None
    ) -> tuple[list[dict[str, Any]], str | None]:
        """Agents by id, each with `id`, `type`, `registered_at` and `last_seen_at`."""
        found = await self.storage.items(SHELF, limit=limit, cursor=cursor)
        return [item.value for item in found.items], found.cursor
