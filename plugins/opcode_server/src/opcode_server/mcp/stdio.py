"""MCP over standard input and output: with an engine of its own, or as a bridge to the running server."""

import os
import sys
import urllib.request
from typing import Any

import anyio
from mcp.client.sse import sse_client
from mcp.server.stdio import stdio_server
from mcp.shared.message import SessionMessage

from opcode_core import Engine
from opcode_core.hosting import PluginManager, Running, Settings, say
from opcode_server.house import House
from opcode_server.mcp.server import Desk
from opcode_server.mcp.sessions import Sessions

GRACE = 10.0
"""Seconds that steps in flight have when the client goes away; what is left goes on at the next start."""


def answers(server: Running) -> bool:
    """Whether it is really there."""
    try:
        with urllib.request.urlopen(f"{server.url}/healthz", timeout=2.0):  # noqa: S310 - from our own file
            return True
    except (OSError, ValueError):
        return False


async def serve(settings: Settings, plugins: PluginManager) -> None:
    """Serve until standard input ends."""
    storage = plugins.registry().storages[settings.storage_url.partition(":")[0]](settings.storage_url)
    engine = Engine(
        storage,
        plugins,
        pool_size=settings.pool_size,
        recovery=settings.recovery,
        paths=settings.paths,
        network=settings.network,
        breaker_policies=settings.breakers,
    )
    house = House(engine, settings)
    sessions = Sessions(engine)
    house.inbox.push = sessions.push
    await engine.start_up()
    try:
        server = Desk(house, sessions).server()
        async with stdio_server() as (read, write):
            await server.run(read, write, server.create_initialization_options())
    finally:
        await sessions.close()
        await house.audit.close()
        await engine.shut_down(GRACE)


async def bridge(server: Running) -> None:
    """Hand messages on, both ways, until the client goes away."""
    headers = {"Authorization": f"Bearer {server.key}"}
    async with (
        stdio_server() as (from_client, to_client),
        to_client,
        sse_client(f"{server.url}/sse", headers=headers) as (from_server, to_server),
        anyio.create_task_group() as both,
    ):
        both.start_soon(_carry_back, from_server, to_client, server)
        await _carry(from_client, to_server)
        both.cancel_scope.cancel()


async def _carry_back(source: Any, target: Any, server: Running) -> None:
    await _carry(source, target)
    # The thread that reads standard input cannot be stopped, and a client sees the end of the process only.
    say(f"the server at {server.url} is gone; start this again, and it goes on by itself")
    sys.stderr.flush()
    os._exit(1)


async def _carry(source: Any, target: Any) -> None:
    async for message in source:
        if isinstance(message, SessionMessage):
            await target.send(SessionMessage(message.message))
