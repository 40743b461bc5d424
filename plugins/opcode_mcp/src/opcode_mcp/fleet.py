"""All servers of one engine."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from opcode_core import ErrorCode, OpcodeError, Storage, Vault
from opcode_mcp.book import Book, Entry, Pins, servers
from opcode_mcp.link import Condition, Link
from opcode_mcp.provider import ServerTools


class Fleet:
    """The servers that a storage and the settings name, as this process knows them.

    Attributes:
        vault: where their secrets are; None as long as nobody needs any.
        nudge: set when something was said about them in this process.
        news: ids of those that are in another condition than was told.
    """

    def __init__(self, storage: Storage) -> None:
        self.book = Book(storage)
        self.vault: Vault | None = None
        self.links: dict[str, Link] = {}
        self.providers: dict[str, ServerTools] = {}
        self.entries: dict[str, Entry] = {}
        self.retired: list[Link] = []
        self.news: set[str] = set()
        self.nudge = asyncio.Event()

    async def recall(self) -> list[ServerTools]:
        """Read what is remembered now; servers that are said to be otherwise than before are replaced."""
        self.entries = await self.book.entries()
        wanted = servers(self.entries)
        for server_id in set(self.links) - set(wanted):
            self.retired.append(self.links.pop(server_id))
            del self.providers[server_id]
        for server_id, server in wanted.items():
            known = self.links.get(server_id)
            if known is None or known.server != server:
                if known is not None:
                    self.retired.append(known)
                self.links[server_id] = Link(server, self.book, self._secrets, self._changed)
                self.providers.setdefault(server_id, ServerTools(server_id, self._look, self._call))
            await self.links[server_id].reload()
        return list(self.providers.values())

    async def clear_away(self) -> list[str]:
        """Stop the servers that were replaced or removed; the ids of those that are no more."""
        retired, self.retired = self.retired, []
        await asyncio.gather(*(link.stop() for link in retired))
        return [link.server.id for link in retired if link.server.id not in self.links]

    async def stop(self) -> None:
        """Stop all."""
        await asyncio.gather(*(link.stop() for link in (*self.links.values(), *self.retired)))

    def _changed(self, link: Link) -> None:
        if self.links.get(link.server.id) is link:
            self.news.add(link.server.id)
            self.nudge.set()
            if link.server.id in self.providers:
                self.providers[link.server.id].tell()

    def _look(self, server_id: str) -> tuple[Condition, Pins]:
        link = self.links.get(server_id)
        return (Condition(), Pins(known=True)) if link is None else (link.condition, link.pins)

    async def _call(self, server_id: str, tool: str, params: Mapping[str, Any], key: str) -> Any:
        link = self.links.get(server_id)
        if link is None:
            what = f"{server_id}.{tool} cannot be called: the tool server '{server_id}' was removed"
            raise OpcodeError(ErrorCode.ACTION_UNAVAILABLE, what, details={"tool_server": server_id})
        return await link.call(tool, params, key)

    async def _secrets(self, names: Iterable[str]) -> dict[str, str]:
        wanted = sorted(names)
        if wanted and self.vault is None:
            what = (
                f"the secret '{wanted[0]}' cannot be read: no vault is installed (pip install opcode-vault)"
            )
            raise OpcodeError(ErrorCode.VAULT_ERROR, what)
        return {name: await self.vault.get(name) for name in wanted} if self.vault else {}
