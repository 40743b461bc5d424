"""Which sessions an agent has, so that it alone is told what is meant for it."""

import asyncio
import logging
from typing import Any
from urllib.parse import quote, unquote

import mcp_types as t
from mcp.server.connection import Connection
from mcp.server.context import ServerRequestContext
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler, ResourceUpdated

from opcode_core import Engine
from opcode_server.mcp.clean import clean

INBOX = "opcode://inbox/"
RUN = "opcode://workflows/"
PUSHED = 2.0
"""Seconds that a session may take to accept a push; one that does not read holds up nobody."""
MOST_SUBSCRIPTIONS = 1000
LEVEL = "notice"
"""Of the log message that goes with a notice."""
LEVELS = ("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency")
_NEWS = frozenset(
    {
        "workflow_started",
        "workflow_completed",
        "workflow_failed",
        "workflow_cancelled",
        "workflow_suspended",
        "workflow_resumed",
        "decision_requested",
        "decision_resolved",
    }
)

_log = logging.getLogger("opcode.server")
Context = ServerRequestContext[Any, Any]


class Sessions:
    """Live sessions by agent, and what they want to hear of."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.bus = InMemorySubscriptionBus()
        self.listen = ListenHandler(self.bus)
        self._of_agent: dict[str, set[Connection]] = {}
        self._subscribed: dict[str, set[Connection]] = {}
        self._listening: dict[str, int] = {}
        self._watch: asyncio.Task[None] | None = None

    def note(self, agent_id: str, context: Context) -> None:
        """Remember that this session speaks for that agent."""
        connection = _connection(context)
        if connection.has_standalone_channel:
            self._keep(self._of_agent, agent_id, connection)

    def subscribe(self, uri: str, context: Context) -> bool:
        """Whether it could still be taken on."""
        connection = _connection(context)
        if sum(connection in those for those in self._subscribed.values()) >= MOST_SUBSCRIPTIONS:
            return False
        self._keep(self._subscribed, uri, connection)
        self._watch_runs()
        return True

    def unsubscribe(self, uri: str, context: Context) -> None:
        """Unknown ones are ignored."""
        _drop(self._subscribed, uri, _connection(context))

    def set_level(self, level: str, context: Context) -> None:
        """Send this session no log messages below that level."""
        _connection(context).state["log_level"] = LEVELS.index(level)

    async def listened(
        self, context: Context, params: t.SubscriptionsListenRequestParams
    ) -> t.SubscriptionsListenResult:
        """Serve one stream of the newer era."""
        uris = list(params.notifications.resource_subscriptions or ())
        for uri in uris:
            self._listening[uri] = self._listening.get(uri, 0) + 1
        self._watch_runs()
        try:
            return await self.listen(context, params)
        finally:
            for uri in uris:
                self._listening[uri] -= 1
                if self._listening[uri] == 0:
                    del self._listening[uri]

    async def push(self, agent_id: str, notice: dict[str, Any]) -> bool:
        """Tell an agent's sessions of a notice; whether there was one."""
        uri = inbox_uri(agent_id)
        told = await self._updated(uri)
        message = {"level": LEVEL, "logger": "workflow.notify", "data": clean(notice)}
        for connection in tuple(self._of_agent.get(agent_id, ())):
            if LEVELS.index(LEVEL) >= connection.state.get("log_level", 0):
                told |= await _sent(connection, "notifications/message", message)
            if connection not in self._subscribed.get(uri, ()):
                told |= await _sent(connection, "notifications/resources/updated", {"uri": uri})
        return told

    async def close(self) -> None:
        """End all streams."""
        self.listen.close()
        if self._watch is not None:
            self._watch.cancel()

    async def _updated(self, uri: str) -> bool:
        told = self._listening.get(uri, 0) > 0
        if told:
            await self.bus.publish(ResourceUpdated(uri=uri))
        for connection in tuple(self._subscribed.get(uri, ())):
            told |= await _sent(connection, "notifications/resources/updated", {"uri": uri})
        return told

    def _watch_runs(self) -> None:
        """From the first subscription on, follow the runs."""
        if self._watch is None or self._watch.done():
            self._watch = asyncio.create_task(self._follow_runs(), name="subscriptions")

    async def _follow_runs(self) -> None:
        while True:
            async with self.engine.hub.subscribe() as events:  # it ends when this is too slow for it
                async for event in events:
                    if event.event_type in _NEWS:
                        await self._updated(run_uri(event.workflow_id))

    def _keep(self, kept: dict[str, set[Connection]], key: str, connection: Connection) -> None:
        those = kept.setdefault(key, set())
        if connection not in those:
            those.add(connection)
            connection.exit_stack.callback(_drop, kept, key, connection)


def inbox_uri(agent_id: str) -> str:
    """The resource that holds an agent's notices."""
    return INBOX + quote(agent_id, safe="")


def run_uri(run_id: str) -> str:
    """The resource that shows a run."""
    return RUN + quote(run_id, safe="")


def agent_of(uri: str) -> str | None:
    """Whose inbox that is; None when it is no inbox."""
    return unquote(uri.removeprefix(INBOX)) if uri.startswith(INBOX) else None


def _connection(context: Context) -> Connection:
    """The SDK hands out one session a request; what lasts as long as the client is its connection."""
    return context.session._connection


def _drop(kept: dict[str, set[Connection]], key: str, connection: Connection) -> None:
    those = kept.get(key)
    if those is not None:
        those.discard(connection)
        if not those:
            del kept[key]


async def _sent(connection: Connection, method: str, params: dict[str, Any]) -> bool:
    try:
        async with asyncio.timeout(PUSHED):
            await connection.notify(method, params)
    except TimeoutError:
        _log.warning("a client does not read; %s was not delivered to it", method)
        return False
    return True
