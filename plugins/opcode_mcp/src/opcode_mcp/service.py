"""The part of an engine that runs tool servers."""

import asyncio
import logging

from opcode_core import Engine, OpcodeError
from opcode_mcp.fleet import Fleet
from opcode_mcp.source import ToolServers

TICK = 1.0
"""Seconds between looks at what other processes said about the servers."""

_log = logging.getLogger("opcode.tools")


class Supervisor:
    """Runs every server beside an engine that goes on with all runs; beside any other only those that are called."""

    name = "tools"

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._fleet: Fleet | None = None
        self._task: asyncio.Task[None] | None = None
        self._turns: dict[str, int] = {}
        self._complaint = ""

    async def start(self) -> None:
        """Begin to start them; nobody waits for that."""
        source = _source(self._engine)
        if source is None:
            return
        fleet = self._fleet = source.fleet(self._engine.storage)
        fleet.vault = self._engine.vault
        self._note_turns(fleet)
        if self._engine.others:
            for link in fleet.links.values():
                link.start()
            self._task = asyncio.create_task(self._watch(fleet), name="tools")

    async def stop(self) -> None:
        """Leave none running."""
        fleet, source = self._fleet, _source(self._engine)
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
        if fleet is None or source is None:
            return
        await fleet.stop()
        source.disband(fleet)
        if self._engine.others:
            try:
                await fleet.book.forget_states(self._engine.owner)
            except OpcodeError as error:
                _log.error("how the tool servers were is still noted: %s", error)

    async def _watch(self, fleet: Fleet) -> None:
        while True:
            try:
                async with asyncio.timeout(TICK):
                    await fleet.nudge.wait()
            except TimeoutError:
                pass
            fleet.nudge.clear()
            try:
                await self._look(fleet)
                self._complaint = ""
            except OpcodeError as error:
                self._complain(str(error))
            except Exception as error:
                self._complain(f"{type(error).__name__}: {error}")

    def _complain(self, what: str) -> None:
        """Once, however often it is tried."""
        if what != self._complaint:
            _log.error("the tool servers cannot be looked after: %s", what)
        self._complaint = what

    async def _look(self, fleet: Fleet) -> None:
        """Do what was said about the servers since, and tell how they are."""
        if await fleet.book.entries() != fleet.entries:
            await self._engine.recall_providers()
            for server_id in await fleet.clear_away():
                await fleet.book.forget(server_id)
            for server_id, link in fleet.links.items():
                if self._turns.get(server_id, 0) != self._turn(fleet, server_id):
                    _log.info("%s is started anew, as somebody asked for", server_id)
                    await link.stop()
                link.start()
                fleet.news.add(server_id)
            self._note_turns(fleet)
        news, fleet.news = fleet.news, set()
        for server_id in news:
            await self._tell(fleet, server_id)

    async def _tell(self, fleet: Fleet, server_id: str) -> None:
        link, entry = fleet.links.get(server_id), fleet.entries.get(server_id)
        if link is not None:
            state = {
                "owner": self._engine.owner,
                "health": link.condition.health,
                "detail": link.condition.detail,
                "since": link.condition.since,
                "pid": link.pid,
                "version": entry.version if entry else 0,
            }
            await fleet.book.tell(server_id, state)

    def _note_turns(self, fleet: Fleet) -> None:
        self._turns = {server_id: self._turn(fleet, server_id) for server_id in fleet.links}

    @staticmethod
    def _turn(fleet: Fleet, server_id: str) -> int:
        entry = fleet.entries.get(server_id)
        return entry.turn if entry else 0


def _source(engine: Engine) -> ToolServers | None:
    return next((each for each in engine.registry.provider_sources if isinstance(each, ToolServers)), None)
