"""MCP's transports over HTTP: SSE and Streamable HTTP, side by side."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from anyio import BrokenResourceError, ClosedResourceError
from mcp.server import Server
from mcp.server.sse import SseServerTransport
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

MESSAGES = "/messages/"
IDLE = 1800.0
"""Seconds after which a session over Streamable HTTP that says nothing is forgotten."""


class Transports:
    """One MCP server on two transports; Host and Origin are checked at the gate."""

    def __init__(self, server: "Server[Any]") -> None:
        self.server = server
        self.sse = SseServerTransport(MESSAGES)
        self.http = StreamableHttp(server)

    def routes(self) -> list[BaseRoute]:
        """`/sse` with its two places for messages, and `/mcp`."""
        messages = _Messages(self.sse)
        return [
            Route("/sse", self._connect, methods=["GET"]),
            *(Route(path, messages) for path in (MESSAGES, "/messages", "/message")),
            Route("/mcp", self.http),
        ]

    async def _connect(self, request: Request) -> Response:
        async with self.sse.connect_sse(request.scope, request.receive, request._send) as (read, write):
            await self.server.run(read, write, self.server.create_initialization_options())
        return _Nothing()


class StreamableHttp:
    """Streamable HTTP in two tempers.

    Who accepts a stream is told of progress and asked for decisions on the way; who accepts nothing but
    JSON, as a plain HTTP client does, gets one JSON answer. A client says the same each time, so its
    session is always found.
    """

    def __init__(self, server: "Server[Any]") -> None:
        self.streams = StreamableHTTPSessionManager(app=server, session_idle_timeout=IDLE)
        self.answers = StreamableHTTPSessionManager(app=server, json_response=True, session_idle_timeout=IDLE)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The sessions live in here."""
        async with self.streams.run(), self.answers.run():
            yield

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        accepted = b",".join(value for name, value in scope["headers"] if name == b"accept").lower()
        only_json = b"json" in accepted and b"event-stream" not in accepted
        await (self.answers if only_json else self.streams).handle_request(scope, receive, send)


class _Messages:
    """Where SSE's clients post. Starlette takes an object for an ASGI application, a method for an endpoint."""

    def __init__(self, sse: SseServerTransport) -> None:
        self._sse = sse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with suppress(ClosedResourceError, BrokenResourceError):  # the session went away before it took it
            await self._sse.handle_post_message(scope, receive, send)


class _Nothing(Response):
    """The stream was the answer."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send nothing more."""
