"""Tokens: what a caller brings along to be known. Only their hashes are stored."""

import hashlib
import secrets
from dataclasses import asdict, dataclass
from typing import Any

from opcode_core import ErrorCode, OpcodeError, Storage
from opcode_server.callers import ROLES

SHELF = "tokens"
PREFIX = "opc_"


@dataclass(frozen=True, slots=True)
class Token:
    """What is known about a token.

    Attributes:
        id: its name in lists and in the audit log; the token itself is nowhere.
        agent_id: the only agent that it speaks for.
        role: what it may do.
        created_at: seconds since the epoch.
        expires_at: seconds since the epoch, None for never.
    """

    id: str
    agent_id: str
    role: str
    created_at: float
    expires_at: float | None = None


class Tokens:
    """The tokens of a storage."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage

    async def create(
        self, agent_id: str, role: str, now: float, seconds: float | None = None
    ) -> tuple[str, Token]:
        """A new token and what is known about it; the text is given here and never again.

        Raises:
            OpcodeError: VALIDATION_ERROR for an unknown role or an empty agent.
        """
        if role not in ROLES:
            raise OpcodeError(
                ErrorCode.VALIDATION_ERROR, f"role is {role!r}; it must be one of {', '.join(ROLES)}"
            )
        if not agent_id or not agent_id.isprintable() or len(agent_id) > 200:
            raise OpcodeError(
                ErrorCode.VALIDATION_ERROR, f"agent is {agent_id!r}; it must be 1 to 200 printable characters"
            )
        text = PREFIX + secrets.token_urlsafe(32)
        expires_at = None if seconds is None else now + seconds
        token = Token(secrets.token_hex(4), agent_id, role, now, expires_at)
        await self.storage.put(SHELF, _hash(text), asdict(token), now, version=0)
        return text, token

    async def find(self, text: str, now: float) -> Token | None:
        """What is known about a token; None when it is unknown or over."""
        item = await self.storage.item(SHELF, _hash(text))
        if item is None:
            return None
        token = Token(**item.value)
        return None if token.expires_at is not None and token.expires_at <= now else token

    async def all(self) -> list[Token]:
        """Every token, the oldest first."""
        tokens = [Token(**value) for _, value in await self._items()]
        return sorted(tokens, key=lambda token: (token.created_at, token.id))

    async def revoke(self, token_id: str) -> bool:
        """Forget a token; whether there was one."""
        keys = [key for key, value in await self._items() if value["id"] == token_id]
        return await self.storage.remove(SHELF, keys) > 0

    async def _items(self) -> list[tuple[str, dict[str, Any]]]:
        found: list[tuple[str, dict[str, Any]]] = []
        cursor: str | None = None
        while True:
            page = await self.storage.items(SHELF, cursor=cursor)
            found.extend((item.key, item.value) for item in page.items)
            cursor = page.cursor
            if cursor is None:
                return found


def _hash(text: str) -> str:
    """Tokens are random and long, so a plain hash cannot be undone by guessing."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
