"""One connection to a server, over whatever it is reached by. This module imports the SDK, which takes its time."""

import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import httpx2
import mcp_types as t
from mcp import Client, MCPError
from mcp.client import ClientSession, IncomingMessage
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from opcode_mcp.config import ToolServer, resolved
from opcode_mcp.process import process
from opcode_mcp.tools import MOST_TOOLS
from opcode_mcp.watch import MOST_MESSAGE, Garbage, Watch

MOST_PAGES = 20
LOOK = 10.0
"""Seconds in which a server answers when it is asked how it is."""
QUIET = 86_400.0
"""Seconds for which a stream may be silent; whether the server is there is asked for apart."""
KEY = "opcode/idempotency-key"
"""Where a call's `_meta` carries the key that is the same for every try of a step."""

# The SDK tells its log, with tracebacks, what becomes an error of the connection here.
for _name in ("mcp", "httpx2"):
    logging.getLogger(_name).addHandler(logging.NullHandler())
    logging.getLogger(_name).propagate = False


class Connection:
    """A session that is ready. Use it from any task, but open and close it in one."""

    def __init__(self, session: ClientSession, watch: Watch) -> None:
        self._session = session
        self.watch = watch

    async def tools(self) -> list[dict[str, Any]]:
        """All tools that the server lists, as it wrote them.

        Raises:
            MCPError, ValidationError: when it does not, or writes something else.
        """
        found: list[dict[str, Any]] = []
        cursor: str | None = None
        for _ in range(MOST_PAGES):
            request = t.ListToolsRequest(params=t.PaginatedRequestParams(cursor=cursor))
            page = await self._session.send_request(request, t.ListToolsResult, LOOK)
            found += [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in page.tools]
            cursor = page.next_cursor
            if cursor is None or len(found) > MOST_TOOLS:
                break
        return found

    async def ping(self) -> None:
        """Whether it is there. The newer protocol has no ping; what it lists is asked for anyway."""
        if self._session.protocol_version not in MODERN_PROTOCOL_VERSIONS:
            await self._session.send_request(t.PingRequest(), t.EmptyResult, LOOK)

    async def call(self, tool: str, params: Mapping[str, Any], key: str, timeout: float) -> dict[str, Any]:
        """Call a tool; being cancelled cancels the call at the server too.

        Raises:
            MCPError: what the server or the connection says; ValidationError for an answer that is none.
        """
        said = {"name": tool, "arguments": dict(params), "_meta": {KEY: key}}
        asked = t.CallToolRequestParams.model_validate(said)
        result = await self._session.send_request(t.CallToolRequest(params=asked), t.CallToolResult, timeout)
        return result.model_dump(mode="json", by_alias=True, exclude_none=True)


@asynccontextmanager
async def connected(
    server: ToolServer, secrets: Mapping[str, str], watch: Watch
) -> AsyncIterator[Connection]:
    """Start or reach a server, and shake hands.

    Raises:
        Exception: of any kind, also in groups; `why` makes a sentence of it.
    """

    async def heard(message: IncomingMessage) -> None:
        if isinstance(message, t.ToolListChangedNotification):
            watch.look.set()

    async with Client(_transport(server, secrets, watch), message_handler=heard, cache=None) as client:
        yield Connection(client.session, watch)


def _transport(
    server: ToolServer, secrets: Mapping[str, str], watch: Watch
) -> AbstractAsyncContextManager[Any]:
    if server.transport == "stdio":
        return process(server, resolved(server.env, secrets), watch)
    headers = resolved(server.headers, secrets)
    if server.transport == "sse":

        def http(
            headers: dict[str, str] | None = None,
            timeout: httpx2.Timeout | None = None,
            auth: httpx2.Auth | None = None,
        ) -> httpx2.AsyncClient:
            return _http(watch, headers=headers, timeout=timeout, auth=auth)

        return sse_client(server.url, headers, sse_read_timeout=QUIET, httpx_client_factory=http)
    return _streamable(server.url, headers, watch)


@asynccontextmanager
async def _streamable(url: str, headers: Mapping[str, str], watch: Watch) -> AsyncIterator[Any]:
    timeout = httpx2.Timeout(30.0, read=None)
    async with (
        _http(watch, headers=headers, timeout=timeout) as http,
        streamable_http_client(url, http_client=http, max_sse_event_size=MOST_MESSAGE) as streams,
    ):
        yield streams


def _http(watch: Watch, **options: Any) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(transport=_Bounded(watch), **options)


class _Bounded(httpx2.AsyncBaseTransport):
    """Counts what comes: one answer is bounded in its size, a stream in what comes in a second."""

    def __init__(self, watch: Watch) -> None:
        self._inner = httpx2.AsyncHTTPTransport()
        self._watch = watch

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        response = await self._inner.handle_async_request(request)
        streams = "text/event-stream" in response.headers.get("content-type", "")
        assert isinstance(response.stream, httpx2.AsyncByteStream)
        response.stream = _Counted(response.stream, self._watch, streams=streams)
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()


class _Counted(httpx2.AsyncByteStream):
    def __init__(self, inner: httpx2.AsyncByteStream, watch: Watch, *, streams: bool) -> None:
        self._inner = inner
        self._watch = watch
        self._streams = streams

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size, since_end = 0, 0
        try:
            async for piece in self._inner:
                size += len(piece)
                since_end = len(piece) - piece.rfind(b"\n") if b"\n" in piece else since_end + len(piece)
                for _ in range(piece.count(b"data:") if self._streams else 0):
                    self._watch.count_message()
                if (since_end if self._streams else size) > MOST_MESSAGE:
                    raise Garbage(f"it sent a message of more than {MOST_MESSAGE:,} bytes")
                yield piece
        except Garbage as fault:
            self._watch.give_up(str(fault))
            raise httpx2.ReadError(str(fault)) from None

    async def aclose(self) -> None:
        await self._inner.aclose()


def why(error: BaseException) -> str:
    """What went wrong, in few words, also where it is wrapped in groups."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, TimeoutError):
        return "it did not get ready in time"
    if isinstance(error, httpx2.HTTPStatusError):
        return f"it answered {error.response.status_code} {error.response.reason_phrase}".strip()
    if isinstance(error, MCPError):
        return str(error.message)
    if isinstance(error, httpx2.TransportError):
        return f"it cannot be reached: {error}" if str(error) else "it cannot be reached"
    if type(error).__name__ == "ValidationError":
        return "what it answers is not what the protocol says"
    return str(error) or type(error).__name__
