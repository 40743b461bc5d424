import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from opcode_core import ActionContext, OpcodeError, PathPolicy, StepLogger
from opcode_http import actions
from opcode_http.pools import close_pools

Answer = bytes | Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Received:
    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Server:
    """A real HTTP server whose answers are written byte by byte."""

    routes: dict[str, Answer] = field(default_factory=dict)
    received: list[Received] = field(default_factory=list)
    connections: int = 0
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    url: str = ""
    port: int = 0

    def answer(
        self, path: str, body: bytes = b"", *headers: str, status: str = "200 OK", kind: str = "text/plain"
    ):
        lines = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", f"Content-Length: {len(body)}", *headers]
        self.routes[path] = "\r\n".join(lines).encode() + b"\r\n\r\n" + body

    def redirect(self, path: str, location: str, status: str = "302 Found"):
        self.answer(path, b"moved", f"Location: {location}", status=status)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while (request := await self.read(reader)) is not None:
                self.received.append(request)
                answer = self.routes[request.target.partition("?")[0]]
                if isinstance(answer, bytes):
                    writer.write(answer)
                else:
                    await self.until_the_client_leaves(reader, answer(writer))
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.closed.set()
            writer.close()

    async def until_the_client_leaves(self, reader: asyncio.StreamReader, answer: Awaitable[None]) -> None:
        answering = asyncio.ensure_future(answer)
        leaving = asyncio.ensure_future(reader.read(1))
        await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
        for task in (answering, leaving):
            task.cancel()
        await asyncio.gather(answering, leaving, return_exceptions=True)

    async def read(self, reader: asyncio.StreamReader) -> Received | None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
        except asyncio.IncompleteReadError:
            return None
        first, *lines = head.strip().split("\r\n")
        method, target, _ = first.split(" ")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        return Received(method, target, headers, body)


async def started(make, host: str = "127.0.0.1", **options):
    server = Server()
    listening = await asyncio.start_server(server.serve, host, 0, **options)
    server.port = listening.sockets[0].getsockname()[1]
    server.url = f"{'https' if options else 'http'}://{host}:{server.port}"
    make.append(listening)
    return server


@pytest.fixture
async def new_server():
    """Start another server."""
    listening: list[asyncio.Server] = []

    async def new(**options) -> Server:
        return await started(listening, **options)

    yield new
    # The client lets go first, so that no handler still waits for a request.
    await close_pools()
    for server in listening:
        server.close()
        await server.wait_closed()
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.fixture
async def server(new_server) -> Server:
    return await new_server()


@pytest.fixture
async def tls_server(new_server) -> Server:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(Path(__file__).with_name("localhost.pem"))
    return await new_server(ssl=context)


@pytest.fixture
def error_of(http):
    """Call an `http.*` action that must fail, and give its error."""

    async def call(**params) -> OpcodeError:
        with pytest.raises(OpcodeError) as caught:
            await http(**params)
        return caught.value

    return call


def context(idempotency_key: str) -> ActionContext:
    return ActionContext(
        run_id="r1",
        step_id="s1",
        agent_id="a1",
        attempt=1,
        idempotency_key=idempotency_key,
        deadline=None,
        logger=StepLogger(logging.getLogger("test")),
        isolator=None,
        paths=PathPolicy(),
        run=None,
    )


@pytest.fixture
async def http(new_server):
    """Call an `http.*` action as the engine does."""

    async def call(action: str = "request", key: str = "r1:s1:1", **params):
        return await getattr(actions, action).call(params, context(key))

    return call
