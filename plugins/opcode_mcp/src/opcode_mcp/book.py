"""What is remembered about tool servers in the engine's storage: their settings, their approved tools, how they are."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from opcode_core import ErrorCode, Item, OpcodeError, Storage, WaitingTool
from opcode_core.hosting import did_you_mean, in_use
from opcode_mcp.config import ToolServer, read_config
from opcode_mcp.tools import Tool, from_json

SERVERS, PINS, STATES = "tools.servers", "tools.pins", "tools.states"
"""Shelves; the keys are the servers' ids."""
MOST_SERVERS, MOST_REMEMBERED = 100, 1000
TRIES = 20
SHORT_HASH = 12
"""Digits of a hash that are enough to name a tool."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A server that is remembered.

    Attributes:
        server: None when settings.json has it; the entry only counts restarts and approvals then.
        turn: how often a restart was asked for.
        version: of the item; another one says that something about the server has changed.
        removed: it was removed; only its id is remembered, for workflows that still name its tools.
    """

    server: ToolServer | None
    turn: int
    version: int
    removed: bool = False


@dataclass(frozen=True, slots=True)
class Pins:
    """Which tools of a server may be called.

    Attributes:
        known: whether the server was ever asked.
        approved, waiting: tools by name.
        version: of the item, 0 when there is none.
    """

    known: bool = False
    approved: Mapping[str, Tool] = field(default_factory=dict)
    waiting: Mapping[str, Tool] = field(default_factory=dict)
    version: int = 0

    def compared(self, listed: Mapping[str, Tool]) -> "Pins":
        """The same after the server listed its tools: the first list is believed, later news wait."""
        if not self.known:
            return Pins(True, dict(listed), {}, self.version)
        fresh = {
            name: tool
            for name, tool in listed.items()
            if name not in self.approved or self.approved[name].hash != tool.hash
        }
        return Pins(True, self.approved, fresh, self.version)

    def tools_waiting(self) -> tuple[WaitingTool, ...]:
        """For people."""
        return tuple(
            WaitingTool(
                name,
                "changed" if name in self.approved else "new",
                tool.description,
                tool.hash,
                tool.effect,
                tool.params_schema,
            )
            for name, tool in sorted(self.waiting.items())
        )


class Book:
    """Reads and writes it."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage

    async def entries(self) -> dict[str, Entry]:
        """All that were added or touched, by id."""
        page = await self.storage.items(SERVERS, limit=MOST_REMEMBERED)
        return {item.key: _entry(item) for item in page.items}

    async def add(self, server: ToolServer) -> int:
        """Remember a new one; the version of its entry.

        Raises:
            OpcodeError: CONFLICT when the id is taken or there are too many.
        """
        entries = await self.entries()
        if sum(not entry.removed for entry in entries.values()) >= MOST_SERVERS:
            raise OpcodeError(
                ErrorCode.CONFLICT, f"there are {MOST_SERVERS} tool servers already; remove one"
            )
        known = entries.get(server.id)
        replaced = known.version if known is not None and known.removed else 0
        value = {"server": server.to_json(), "turn": 0}
        try:
            return (await self.storage.put(SERVERS, server.id, value, time.time(), version=replaced)).version
        except OpcodeError as error:
            if error.code is not ErrorCode.CONFLICT:
                raise
            what = f"there is a tool server '{server.id}' already; remove it first: opcode tools remove {server.id}"
            raise OpcodeError(ErrorCode.CONFLICT, what) from None

    async def remove(self, server_id: str) -> None:
        """Forget one with everything about it but that it was there."""
        value = {"server": None, "turn": 0, "removed": True}
        await self.storage.put(SERVERS, server_id, value, time.time())
        await self.forget(server_id)

    async def forget(self, server_id: str) -> None:
        """Its tools and how it is."""
        await self.storage.remove(PINS, [server_id])
        await self.storage.remove(STATES, [server_id])

    async def touch(self, server_id: str, *, restart: bool) -> int:
        """Let whoever runs the server see that something about it has changed; the version from then on."""
        for _ in range(TRIES):
            item = await self.storage.item(SERVERS, server_id)
            value: dict[str, Any] = {"server": None, "turn": 0} if item is None else dict(item.value)
            value["turn"] += restart
            try:
                version = 0 if item is None else item.version
                put = await self.storage.put(SERVERS, server_id, value, time.time(), version=version)
            except OpcodeError as error:
                if error.code is not ErrorCode.CONFLICT:
                    raise
                continue
            return put.version
        raise _too_busy(server_id)

    async def pins(self, server_id: str) -> Pins:
        """Its tools."""
        item = await self.storage.item(PINS, server_id)
        if item is None:
            return Pins()
        approved, waiting = (
            {name: from_json(tool) for name, tool in item.value[kind].items()}
            for kind in ("approved", "waiting")
        )
        return Pins(True, approved, waiting, item.version)

    async def listed(self, server_id: str, tools: Mapping[str, Tool]) -> Pins:
        """Note what a server offers now; what of it may be called."""
        for _ in range(TRIES):
            before = await self.pins(server_id)
            after = before.compared(tools)
            if before.known and after.waiting == before.waiting:
                return before
            if await self._kept(server_id, after):
                return after
        raise _too_busy(server_id)

    async def approve(self, server_id: str, names: Sequence[str]) -> Sequence[str]:
        """Let waiting tools be called, each named by its name or 12 digits of its hash; all when none is.

        Raises:
            OpcodeError: NOT_FOUND for one that does not wait.
        """
        for _ in range(TRIES):
            pins = await self.pins(server_id)
            chosen = {tool.name: tool for tool in (_chosen(pins, name, server_id) for name in names)}
            chosen = chosen if names else dict(pins.waiting)
            rest = {name: tool for name, tool in pins.waiting.items() if name not in chosen}
            if await self._kept(server_id, Pins(True, {**pins.approved, **chosen}, rest, pins.version)):
                return sorted(chosen)
        raise _too_busy(server_id)

    async def _kept(self, server_id: str, pins: Pins) -> bool:
        value = {
            "approved": {name: tool.to_json() for name, tool in pins.approved.items()},
            "waiting": {name: tool.to_json() for name, tool in pins.waiting.items()},
        }
        try:
            await self.storage.put(PINS, server_id, value, time.time(), version=pins.version)
        except OpcodeError as error:
            if error.code is not ErrorCode.CONFLICT:
                raise
            return False
        return True

    async def tell(self, server_id: str, state: Mapping[str, Any]) -> None:
        """Let other processes see how a server is."""
        await self.storage.put(STATES, server_id, dict(state), time.time())

    async def states(self) -> dict[str, Mapping[str, Any]]:
        """How the servers are, as far as a process lives that runs them."""
        owners = await self.storage.owners()
        page = await self.storage.items(STATES, limit=MOST_SERVERS)
        return {
            item.key: item.value for item in page.items if owners.get(item.value["owner"], 0.0) > time.time()
        }

    async def forget_states(self, owner: str) -> None:
        """Those that this process told."""
        page = await self.storage.items(STATES, limit=MOST_SERVERS)
        await self.storage.remove(STATES, [item.key for item in page.items if item.value["owner"] == owner])


def _chosen(pins: Pins, name: str, server_id: str) -> Tool:
    if name in pins.waiting:
        return pins.waiting[name]
    for tool in pins.waiting.values():
        if len(name) >= SHORT_HASH and tool.hash.startswith(name):
            return tool
    hint = (
        did_you_mean(name, pins.waiting)
        or f"`opcode tools show {server_id}` lists those that do, as they are now"
    )
    raise OpcodeError(ErrorCode.NOT_FOUND, f"no tool '{name}' of {server_id} waits for approval; {hint}")


def from_settings() -> dict[str, ToolServer]:
    """The servers that the settings name.

    Raises:
        OpcodeError: VALIDATION_ERROR naming the path; CONFLICT when two have one id.
    """
    settings = in_use()
    found: dict[str, ToolServer] = {}
    for i, raw in enumerate(settings.tools if settings else ()):
        server = read_config(raw, f"settings: tools[{i}]")
        if server.id in found:
            raise OpcodeError(ErrorCode.CONFLICT, f"settings: tools[{i}].id: there are two '{server.id}'")
        found[server.id] = server
    return found


def servers(entries: Mapping[str, Entry]) -> dict[str, ToolServer]:
    """All by id; what the settings say goes over what was added."""
    added = {server_id: entry.server for server_id, entry in entries.items() if entry.server is not None}
    return dict(sorted({**added, **from_settings()}.items()))


def _entry(item: Item) -> Entry:
    stored = item.value["server"]
    server = None if stored is None else read_config(stored, f"tool server {item.key}")
    return Entry(server, item.value["turn"], item.version, item.value.get("removed", False))


def _too_busy(server_id: str) -> OpcodeError:
    return OpcodeError(ErrorCode.CONFLICT, f"others keep changing the tool server '{server_id}'; try again")
