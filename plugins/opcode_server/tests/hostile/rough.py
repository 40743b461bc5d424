"""Clients without manners: plain sockets, so that a test decides what is sent, when, and what is left unread."""

import asyncio
import json
import os
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

LONG = 20.0
"""Seconds after which an answer that did not come is a hang."""
VERSION = "2025-11-25"
HELLO = {
    "jsonrpc": "2.0",
    "id": 0,
    "method": "initialize",
    "params": {
        "protocolVersion": VERSION,
        "capabilities": {},
        "clientInfo": {"name": "rough", "version": "0"},
    },
}
JSON = {"Content-Type": "application/json", "Accept": "application/json"}


@dataclass
class Answer:
    """An answer over HTTP."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """Its body."""
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """Of our error."""
        return self.json()["error"]["code"]


def address(server: Any) -> tuple[str, int]:
    """Where it listens."""
    parts = urlsplit(server.url)
    assert parts.hostname
    assert parts.port
    return parts.hostname, parts.port


def head(server: Any, method: str, path: str, token: str | None = None, **more: str) -> bytes:
    """The beginning of a request, up to the empty line."""
    host, port = address(server)
    headers = {"Host": f"{host}:{port}"}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    headers.update({name.replace("_", "-"): value for name, value in more.items()})
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


async def send(server: Any, sent: bytes, within: float = LONG, source: str | None = None) -> Answer:
    """Send these bytes on a connection of their own, from another address of this machine if need be; the answer."""
    origin = None if source is None else (source, 0)
    async with asyncio.timeout(within):
        reader, writer = await asyncio.open_connection(*address(server), limit=2**24, local_addr=origin)
        try:
            try:
                writer.write(sent)
                await writer.drain()
            except ConnectionError:
                """It did not want to hear more; what it said is still there."""
            return await answered(reader)
        finally:
            writer.close()


async def ask(
    server: Any,
    method: str,
    path: str,
    body: Any = None,
    token: str | None = None,
    *,
    source: str | None = None,
    **headers: str,
) -> Answer:
    """One request; a body that is not bytes is sent as JSON."""
    sent = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    fixed = {"Content-Length": str(len(sent)), "Connection": "close"}
    if body is not None:
        fixed |= JSON
    sent = head(server, method, path, token, **{**fixed, **headers}) + sent
    return await send(server, sent, source=source)


async def answered(reader: asyncio.StreamReader) -> Answer:
    """The next answer that comes from there."""
    status, headers = await _began(reader)
    if headers.get("transfer-encoding") == "chunked":
        body = b"".join([chunk async for chunk in _chunks(reader)])
    elif "content-length" in headers:
        body = await reader.readexactly(int(headers["content-length"]))
    else:
        body = b""
    return Answer(status, headers, body)


async def _began(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    return int(first.split()[1]), headers


async def _chunks(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    while size := int(await reader.readline(), 16):
        yield (await reader.readexactly(size + 2))[:-2]
    await reader.readline()


class Sse:
    """A client over SSE that reads only when it is told to.

    Attributes:
        endpoint: where it has to post its messages.
    """

    def __init__(self, server: Any, token: str | None = None) -> None:
        self.server = server
        self.token = token
        self.endpoint = ""
        self._id = 0

    async def open(self, receive_buffer: int | None = None) -> "Sse":
        """Connect; the stream has begun and nothing more."""
        sock = await connected(self.server, receive_buffer)
        limit = 2**20 if receive_buffer is None else 1024
        self.reader, self.writer = await asyncio.open_connection(sock=sock, limit=limit)
        self.writer.write(head(self.server, "GET", "/sse", self.token, Accept="text/event-stream"))
        status, _ = await _began(self.reader)
        assert status == 200, status
        self._pieces = _chunks(self.reader)
        self._rest = b""
        kind, self.endpoint = await self.event()
        assert kind == "endpoint"
        return self

    async def event(self) -> tuple[str, str]:
        """The next event: its name and its data."""
        while b"\r\n\r\n" not in self._rest:
            self._rest += await anext(self._pieces)
        text, _, self._rest = self._rest.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in text.decode().split("\r\n") if not line.startswith(":"))
        return await self.event() if "data" not in fields else (fields["event"], fields["data"])

    async def post(self, message: Any, token: str | None = None) -> Answer:
        """Send a message; the answer to the post itself."""
        return await ask(self.server, "POST", self.endpoint, message, token or self.token)

    async def shake_hands(self) -> "Sse":
        """As every client of the older era does first."""
        await self.post(HELLO)
        await self.reply(0)
        await self.post({"jsonrpc": "2.0", "method": "notifications/initialized"})
        return self

    async def ask(self, method: str, params: Any = None) -> int:
        """Send a request; its id."""
        self._id += 1
        id_ = self._id
        answer = await self.post({"jsonrpc": "2.0", "id": id_, "method": method, "params": params or {}})
        assert answer.status == 202, answer
        return id_

    async def reply(self, id_: int) -> Any:
        """Read until the answer to that comes."""
        while True:
            _, text = await self.event()
            message = json.loads(text)
            if message.get("id") == id_ and "method" not in message:
                return message

    async def call(self, tool: str, **arguments: Any) -> Any:
        """What a tool gave."""
        id_ = await self.ask("tools/call", {"name": tool, "arguments": arguments})
        return (await self.reply(id_))["result"]

    async def ends(self, within: float) -> bool:
        """Whether the stream comes to its end in time."""
        try:
            async with asyncio.timeout(within):
                while True:
                    await self.event()
        except TimeoutError:
            return False
        except (StopAsyncIteration, ConnectionError, asyncio.IncompleteReadError):
            return True

    def vanish(self) -> None:
        """As a killed process does: no more bytes, and a reset for whatever still comes."""
        self.writer.transport.abort()


async def connected(server: Any, receive_buffer: int | None = None) -> socket.socket:
    """A socket; with a small buffer the other end notices soon that nobody reads."""
    sock = socket.socket()
    if receive_buffer is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, address(server))
    return sock


@asynccontextmanager
async def sse(server: Any, token: str | None = None) -> AsyncIterator[Sse]:
    """A client that is ready to call tools, until the end of the block."""
    client = Sse(server, token)
    try:
        async with asyncio.timeout(LONG):
            await client.open()
            await client.shake_hands()
        yield client
    finally:
        client.vanish()


async def crowd(server: Any, count: int, at_once: int = 50) -> list[Sse]:
    """So many clients, all ready."""
    gate = asyncio.Semaphore(at_once)

    async def one() -> Sse:
        async with gate:
            return await (await Sse(server).open()).shake_hands()

    return await asyncio.gather(*(one() for _ in range(count)))


def rss(server: Any) -> float:
    """MB that the server's process has in memory."""
    pages = int(Path(f"/proc/{server.process.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def open_files(server: Any) -> int:
    """How many descriptors it has."""
    return len(os.listdir(f"/proc/{server.process.pid}/fd"))


async def files_at_rest(server: Any) -> int:
    """How many it has when what went before is over."""
    count, since = open_files(server), time.monotonic()
    while time.monotonic() - since < 0.2:
        await asyncio.sleep(0.02)
        if (now := open_files(server)) != count:
            count, since = now, time.monotonic()
    return count


def cpu_seconds(server: Any) -> float:
    """That it has used so far."""
    fields = Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def becomes(what: Callable[[], Any], within: float = 10.0) -> Any:
    """Wait until that is true; what it gave last."""
    until = time.monotonic() + within
    while not (found := what()) and time.monotonic() < until:
        await asyncio.sleep(0.05)
    return found


async def closed(reader: asyncio.StreamReader, within: float) -> bool:
    """Whether the server ends that connection in time."""
    try:
        async with asyncio.timeout(within):
            while await reader.read(2**16):
                """Whatever it still says."""
    except TimeoutError:
        return False
    except ConnectionError:
        return True
    return True


def errors(log: list[str]) -> list[str]:
    """What the server's log says that is an error of the program, or no line of JSON at all."""
    found = []
    for line in log:
        try:
            is_error = json.loads(line)["level"] in ("error", "critical")
        except (ValueError, KeyError, TypeError):
            is_error = True
        if is_error:
            found.append(line)
    return found
