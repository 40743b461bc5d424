"""Where the engine, the command line and the panel find the tool servers."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from opcode_core import ErrorCode, OpcodeError, Provided, Storage
from opcode_core.hosting import did_you_mean
from opcode_mcp.book import Book, Pins, from_settings, servers
from opcode_mcp.config import ToolServer, read_config

if TYPE_CHECKING:
    from opcode_mcp.fleet import Fleet
    from opcode_mcp.provider import ServerTools


class ToolServers:
    """A ProviderSource."""

    name = "mcp"

    def __init__(self) -> None:
        self._fleets: list[Fleet] = []

    def fleet(self, storage: Storage) -> "Fleet":
        """The servers on that storage, as this process knows them."""
        for fleet in self._fleets:
            if fleet.book.storage is storage:
                return fleet
        from opcode_mcp.fleet import Fleet  # not for commands that only list plugins

        self._fleets.append(Fleet(storage))
        return self._fleets[-1]

    @property
    def retired(self) -> frozenset[str]:
        """Ids of servers that were removed."""
        return frozenset(
            server_id
            for fleet in self._fleets
            for server_id, entry in fleet.entries.items()
            if entry.removed and server_id not in fleet.links
        )

    def disband(self, fleet: "Fleet") -> None:
        """Forget one whose engine has stopped."""
        self._fleets.remove(fleet)

    async def recall(self, storage: Storage) -> Sequence["ServerTools"]:
        """A provider for each server."""
        return await self.fleet(storage).recall()

    async def overview(self, storage: Storage) -> Sequence[Provided]:
        """Every server, how it is, and its tools."""
        book = Book(storage)
        states, named = await book.states(), from_settings()
        found = []
        for server_id, server in servers(await book.entries()).items():
            state = self._state(storage, server_id) or states.get(server_id, {})
            origin = "settings" if server_id in named else "added"
            found.append(_provided(server, origin, state, await book.pins(server_id)))
        return found

    async def add(self, storage: Storage, config: Mapping[str, Any]) -> str:
        """Remember another server."""
        server = read_config(config)
        if server.id in from_settings():
            what = f"the settings name a tool server '{server.id}' already"
            raise OpcodeError(ErrorCode.CONFLICT, what)
        await Book(storage).add(server)
        self._nudge(storage)
        return server.id

    async def remove(self, storage: Storage, provider_id: str) -> None:
        """Forget a server, its tools and their approvals."""
        if provider_id in from_settings():
            what = (
                f"the tool server '{provider_id}' is in the settings; remove it there (settings.json, tools)"
            )
            raise OpcodeError(ErrorCode.CONFLICT, what)
        await self._known(storage, provider_id)
        await Book(storage).remove(provider_id)
        self._nudge(storage)

    async def restart(self, storage: Storage, provider_id: str) -> None:
        """Let whoever runs the server start it anew."""
        await self._known(storage, provider_id)
        await Book(storage).touch(provider_id, restart=True)
        self._nudge(storage)

    async def approve(self, storage: Storage, provider_id: str, names: Sequence[str] = ()) -> Sequence[str]:
        """Let waiting tools be called."""
        await self._known(storage, provider_id)
        approved = await Book(storage).approve(provider_id, names)
        await Book(storage).touch(provider_id, restart=False)
        self._nudge(storage)
        return approved

    async def _known(self, storage: Storage, server_id: str) -> None:
        known = servers(await Book(storage).entries())
        if server_id not in known:
            hint = did_you_mean(server_id, known) or "`opcode tools list` shows which there are"
            raise OpcodeError(ErrorCode.NOT_FOUND, f"there is no tool server '{server_id}'; {hint}")

    def _state(self, storage: Storage, server_id: str) -> Mapping[str, Any] | None:
        """How a server is that this very process runs."""
        for fleet in self._fleets:
            link = fleet.links.get(server_id)
            if fleet.book.storage is storage and link is not None and link.condition.since is not None:
                condition = link.condition
                return {
                    "health": condition.health,
                    "detail": condition.detail,
                    "since": condition.since,
                    "pid": link.pid,
                }
        return None

    def _nudge(self, storage: Storage) -> None:
        for fleet in self._fleets:
            if fleet.book.storage is storage:
                fleet.nudge.set()


def _provided(server: ToolServer, origin: str, state: Mapping[str, Any], pins: Pins) -> Provided:
    return Provided(
        id=server.id,
        kind=server.transport,
        where=server.where,
        origin=origin,
        health=state.get("health", "inactive"),
        detail=state.get("detail", "") or ("" if state else "nobody has started it"),
        since=state.get("since"),
        pid=state.get("pid"),
        tools=tuple(sorted(pins.approved)),
        waiting=pins.tools_waiting(),
        environment=tuple(sorted({**server.env, **server.headers})),
    )
