"""MCP by hand on plain sockets, so that what is measured is the server and not a library at the other end.

`python mcp_client.py WAY URL CLIENTS CALLS` is a crowd in a process of its own: so many clients, each of which
makes so many calls one after the other. It prints how many calls that were in a second.
"""

import json
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Protocol
from urllib.parse import urlsplit

MODERN, LEGACY = "2026-07-28", "2025-11-25"
JSON, EITHER = "application/json", "application/json, text/event-stream"
NAME = "bench"
"""Of the template that is run, and of the agent that runs it."""
PATIENCE = 30.0
"""Seconds that any answer may take."""
WARM_UP = 20
"""Calls of each client of a crowd before the clock starts."""

Headers = Mapping[str, str]
_INFO = {"name": NAME, "version": "1"}
_META = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientInfo": _INFO,
    "io.modelcontextprotocol/clientCapabilities": {},
}
_HELLO = {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": _INFO}


class Client(Protocol):
    """One client of a server."""

    def call(self, tool: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """What a tool gives."""

    def close(self) -> None:
        """Go away."""


class Connection:
    """One connection that is kept, for one request after the other."""

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        self._host = address.netloc
        self._socket = socket.create_connection((address.hostname, address.port or 80), PATIENCE)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._reader = self._socket.makefile("rb")

    def post(self, path: str, message: Mapping[str, Any], headers: Headers) -> tuple[Headers, bytes]:
        """The head and the body of the answer."""
        self.ask("POST", path, {"content-type": JSON, **headers}, json.dumps(message).encode())
        return self.head(), self.body()

    def ask(self, method: str, path: str, headers: Headers, body: bytes = b"") -> None:
        """Send a request."""
        sent = {"host": self._host, **headers, "content-length": str(len(body))}
        lines = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
        self._socket.sendall(f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode() + body)

    def head(self) -> Headers:
        """The headers of the answer, their names in lower case."""
        status = self._reader.readline()
        lines = iter(self._reader.readline, b"\r\n")
        pairs = (line.decode("latin-1").partition(":") for line in lines if line)
        self._answer = {name.lower(): value.strip() for name, _, value in pairs}
        if not status.startswith(b"HTTP/1.1 2"):
            raise ConnectionError(f"the server said {status!r} {self.body()!r}")
        return self._answer

    def body(self) -> bytes:
        """The whole body of the answer whose head was read."""
        if self._answer.get("transfer-encoding") == "chunked":
            return b"".join(iter(self.chunk, b""))
        return self._reader.read(int(self._answer.get("content-length", 0)))

    def chunk(self) -> bytes:
        """The next piece of a body without a known length, empty at its end."""
        size = int(self._reader.readline(), 16)
        return self._reader.read(size + 2)[:size]

    def close(self) -> None:
        """Hang up."""
        self._reader.close()
        self._socket.close()


class Modern:
    """Streamable HTTP as of 2026: each request says all there is to know about it."""

    def __init__(self, url: str, accept: str = EITHER) -> None:
        self._connection = Connection(url)
        self._headers = {"accept": accept, "mcp-protocol-version": MODERN, "mcp-method": "tools/call"}
        self._calls = 0

    def call(self, tool: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """One POST, answered with JSON."""
        self._calls += 1
        params = {"name": tool, "arguments": arguments, "_meta": _META}
        message = _request(self._calls, "tools/call", params)
        _, body = self._connection.post("/mcp", message, {**self._headers, "mcp-name": tool})
        return _given(body)

    def close(self) -> None:
        """There is no session to end."""
        self._connection.close()


class Legacy:
    """Streamable HTTP as of 2025: a handshake, then a session."""

    def __init__(self, url: str, accept: str) -> None:
        self._connection = Connection(url)
        self._calls = 0
        self._headers = {"accept": accept, "mcp-protocol-version": LEGACY}
        head, _ = self._connection.post("/mcp", _request(0, "initialize", _HELLO), self._headers)
        self._headers["mcp-session-id"] = head["mcp-session-id"]
        self._connection.post("/mcp", _notification("notifications/initialized"), self._headers)

    def call(self, tool: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """One POST, answered with JSON or, if that was accepted, with a stream of one event."""
        self._calls += 1
        message = _request(self._calls, "tools/call", {"name": tool, "arguments": arguments})
        head, body = self._connection.post("/mcp", message, self._headers)
        return _given(_data(body) if head["content-type"].startswith("text/event-stream") else body)

    def close(self) -> None:
        """End the session."""
        self._connection.ask("DELETE", "/mcp", self._headers)
        self._connection.head()
        self._connection.close()


class Sse:
    """Server-sent events: one connection on which answers come, one on which calls go."""

    def __init__(self, url: str) -> None:
        self._connection, self._stream = Connection(url), Connection(url)
        self._stream.ask("GET", "/sse", {"accept": "text/event-stream"})
        self._stream.head()
        self._answers = self._events()
        self._path = next(self._answers).decode()
        self._calls = 0
        self._post(_request(0, "initialize", _HELLO))
        next(self._answers)
        self._post(_notification("notifications/initialized"))

    def call(self, tool: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """One POST, answered on the stream."""
        self._calls += 1
        self._post(_request(self._calls, "tools/call", {"name": tool, "arguments": arguments}))
        return _given(next(self._answers))

    def close(self) -> None:
        """The session ends with its stream."""
        self._connection.close()
        self._stream.close()

    def _post(self, message: Mapping[str, Any]) -> None:
        self._connection.post(self._path, message, {"mcp-protocol-version": LEGACY})

    def _events(self) -> Iterator[bytes]:
        unread = b""
        while chunk := self._stream.chunk():
            *events, unread = (unread + chunk).split(b"\r\n\r\n")
            yield from (data for data in map(_data, events) if data)


WAYS: Mapping[str, Callable[[str], Client]] = {
    f"HTTP {MODERN}": Modern,
    f"HTTP {LEGACY}": partial(Legacy, accept=EITHER),
    f"HTTP {LEGACY}, only JSON": partial(Legacy, accept=JSON),
    f"SSE {LEGACY}": Sse,
}
"""What is spoken, and a client that speaks it to a URL."""


def run(client: Client) -> None:
    """One run of the template, from the call to its answer."""
    answer = client.call("opcode.run", {"template_name": NAME, "agent_id": NAME})
    if answer["status"] != "completed":
        raise AssertionError(answer)


def crowd(way: str, url: str, clients: int, calls: int) -> float:
    """Calls a second of so many clients, each of which makes so many calls."""
    ready = threading.Barrier(clients + 1, timeout=PATIENCE)

    def one() -> None:
        client = WAYS[way](url)
        for _ in range(WARM_UP):
            run(client)
        ready.wait()
        for _ in range(calls):
            run(client)

    with ThreadPoolExecutor(clients) as pool:
        working = [pool.submit(one) for _ in range(clients)]
        ready.wait()
        began = time.perf_counter()
        for work in working:
            work.result()
        return clients * calls / (time.perf_counter() - began)


def _request(number: int, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params}


def _notification(method: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "method": method}


def _data(event: bytes) -> bytes:
    """What an event says; nothing when it is only a sign of life."""
    return b"".join(line[6:] for line in event.splitlines() if line.startswith(b"data: "))


def _given(body: bytes) -> dict[str, Any]:
    message = json.loads(body)
    if "error" in message or message["result"].get("isError"):
        raise AssertionError(message)
    given: dict[str, Any] = message["result"]["structuredContent"]
    return given


if __name__ == "__main__":
    print(crowd(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
