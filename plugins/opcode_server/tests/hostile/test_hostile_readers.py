"""Clients that do not read, do not finish, or never stop: they are cut off, and nobody else notices."""

import asyncio
import json
import resource
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import rough
import serving as servers
from serving import HELLO, serving

PATIENCE = 1.0
BIG = ("resources/read", {"uri": "opcode://actions"})


@pytest.fixture(scope="module")
def impatient(tmp_path_factory):
    """A server that waits for seconds where others wait for half a minute."""
    home = tmp_path_factory.mktemp("home")
    script = home / "opcode"
    program = Path(__file__).with_name("impatient.py")
    script.write_text(f'#!/bin/sh\nexec {sys.executable} {program} "$@"\n')
    script.chmod(0o755)
    patience = {"UNREAD": PATIENCE, "HEAD": PATIENCE, "BODY": PATIENCE}
    with ExitStack() as stack:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(servers, "OPCODE", str(script))
            server = stack.enter_context(serving(home, IMPATIENT=json.dumps(patience)))
        server.ask("/api/v1/define", {"name": "hello", "definition": HELLO, "agent_id": "a"})
        server.ask("/api/v1/run", {"template_name": "hello", "agent_id": "a"})
        server.ask("/api/v1/openapi.json")
        yield server


async def ask_often(client, times):
    for _ in range(times):
        await client.ask(*BIG)


async def slowest_run(client, seconds):
    """The longest that a run took while time went by."""
    slowest, until = 0.0, time.monotonic() + seconds
    while time.monotonic() < until:
        began = time.monotonic()
        result = await client.call("opcode.run", template_name="hello", agent_id="b")
        assert result["structuredContent"]["status"] == "completed"
        slowest = max(slowest, time.monotonic() - began)
        await asyncio.sleep(0.02)
    return slowest


async def test_who_does_not_read_its_stream_is_cut_off_and_others_notice_nothing(impatient):
    async with rough.sse(impatient) as other:
        files = await rough.files_at_rest(impatient)
        deaf = await (await rough.Sse(impatient).open(receive_buffer=4096)).shake_hands()
        try:
            async with asyncio.TaskGroup() as posts:
                for _ in range(10):
                    posts.create_task(ask_often(deaf, 30))
            assert rough.open_files(impatient) >= files + 1
            assert await slowest_run(other, PATIENCE + 1) < 0.5
            assert await rough.becomes(lambda: rough.open_files(impatient) <= files)
            assert (await deaf.post(rough.HELLO)).status == 404
        finally:
            deaf.vanish()


async def test_who_reads_slowly_is_not_cut_off(impatient):
    client = await (await rough.Sse(impatient).open(receive_buffer=4096)).shake_hands()
    try:
        ids = await asyncio.gather(*(client.ask(*BIG) for _ in range(7)))
        got = []
        async with asyncio.timeout(rough.LONG):
            for _ in ids:
                got.append(json.loads((await client.event())[1])["id"])
                await asyncio.sleep(PATIENCE / 4)
        assert sorted(got) == sorted(ids)
    finally:
        client.vanish()


async def test_who_does_not_read_plain_answers_is_cut_off(impatient):
    files, loop = await rough.files_at_rest(impatient), asyncio.get_running_loop()
    socks = [await rough.connected(impatient, receive_buffer=4096) for _ in range(5)]
    try:
        for sock in socks:  # more than the system keeps for a socket
            await loop.sock_sendall(sock, rough.head(impatient, "GET", "/api/v1/openapi.json") * 400)
        assert await rough.becomes(lambda: rough.open_files(impatient) >= files + 5, 5)
        assert await rough.becomes(lambda: rough.open_files(impatient) <= files, 3 * PATIENCE + 5)
    finally:
        for sock in socks:
            sock.close()


async def test_half_messages_hold_up_nobody_and_are_ended(impatient):
    files = await rough.files_at_rest(impatient)
    half = rough.head(
        impatient, "POST", "/api/v1/query", Content_Length="1000", Content_Type="application/json"
    )
    halves = [
        b"",
        b"GET /healthz HT",
        b"GET /healthz HTTP/1.1\r\nHost: loc",
        half,
        half + b'{"resource":',
        half.replace(b"/api/v1/query", b"/mcp") + b'{"jsonrpc":',
        half.replace(b"/api/v1/query", b"/api/v1/execute") + b"{",
        half.replace(b"Content-Length: 1000", b"Transfer-Encoding: chunked") + b"5\r\n{}",
    ]
    connections = [await asyncio.open_connection(*rough.address(impatient)) for _ in halves * 5]
    for (_, writer), sent in zip(connections, halves * 5, strict=True):
        writer.write(sent)
    began = time.monotonic()
    assert (await rough.ask(impatient, "POST", "/api/v1/query", {"resource": "templates"})).status == 200
    assert time.monotonic() - began < 1.0
    ended = await asyncio.gather(*(rough.closed(reader, PATIENCE + 3) for reader, _ in connections))
    for _, writer in connections:
        writer.close()
    assert all(ended)
    assert await rough.becomes(lambda: rough.open_files(impatient) <= files)


async def pour(server, begin, more, total):
    """Send `more` again and again until so many bytes are sent or the server has had enough; how many those were."""
    reader, writer = await asyncio.open_connection(*rough.address(server))
    writer.write(begin)
    sent = 0
    try:
        async with asyncio.timeout(rough.LONG):
            while sent < total and not reader.at_eof():
                writer.write(more)
                sent += len(more)
                await writer.drain()
    except ConnectionError:
        """It has had enough."""
    answer = b""
    try:
        async with asyncio.timeout(1):
            answer = await reader.read(100)
    except (ConnectionError, TimeoutError):
        """It said nothing."""
    writer.transport.abort()
    return sent, answer


@pytest.mark.parametrize(
    ("begin", "more"),
    [
        pytest.param(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: ", b"y" * 8000, id="one header"),
        pytest.param(
            b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n", b"X-Name: value\r\n" * 500, id="many headers"
        ),
        pytest.param(b"GET /", b"y" * 8000, id="a path"),
        pytest.param(b"", b"\r\n" * 4000, id="empty lines"),
    ],
)
async def test_what_has_no_end_is_ended(impatient, begin, more):
    memory = rough.rss(impatient)
    sent, answer = await pour(impatient, begin, more, 20 * 2**20)
    assert rough.rss(impatient) < memory + 10
    assert sent < 20 * 2**20
    assert answer[9:12] in (b"", b"400", b"414", b"431")


async def test_trailers_without_end_are_not_kept(impatient):
    memory = rough.rss(impatient)
    begin = rough.head(impatient, "POST", "/nope", Transfer_Encoding="chunked") + b"1\r\nx\r\n0\r\n"
    await pour(impatient, begin, b"X-Name: value\r\n" * 500, 20 * 2**20)
    assert rough.rss(impatient) < memory + 10


async def test_a_head_that_is_long_but_not_too_long(impatient):
    fields = "".join(f"X-{n}: {'v' * 100}\r\n" for n in range(300)).encode()
    head = rough.head(impatient, "GET", "/healthz", Connection="close")[:-2] + fields + b"\r\n"
    assert (await rough.send(impatient, head)).status == 200


@dataclass
class Scarcity:
    """What was seen of a server that more connections came to than it has descriptors."""

    cpu: float
    files: int
    ready: int
    log: list[str]


@pytest.fixture(scope="module")
def scarcity(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("home")) as server:
        _, hard = resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (256, hard))
        return asyncio.run(_too_many(server))


async def _too_many(server):
    before = rough.cpu_seconds(server)
    connections = await asyncio.gather(*(asyncio.open_connection(*rough.address(server)) for _ in range(400)))
    await asyncio.sleep(2.0)
    cpu = rough.cpu_seconds(server) - before
    for _, writer in connections:
        writer.transport.abort()
    await rough.becomes(lambda: rough.open_files(server) < 20)
    ready = await rough.ask(server, "GET", "/readyz")
    return Scarcity(cpu, rough.open_files(server), ready.status, server.log)


def test_it_survives_running_out_of_descriptors(scarcity):
    assert scarcity.cpu < 1.0
    assert scarcity.files < 20
    assert scarcity.ready == 200
    assert all(line.startswith("{") for line in scarcity.log)


def test_running_out_of_descriptors_is_not_told_a_hundred_times(scarcity):
    assert len(rough.errors(scarcity.log)) < 50


def test_no_error_of_the_program_was_seen(impatient):
    assert not rough.errors(impatient.log)


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/query",
        "/api/v1/execute",
        "/mcp",
    ],
)
async def test_half_messages_that_are_given_up(impatient, path):
    before = len(impatient.log)
    sent = rough.head(impatient, "POST", path, **rough.JSON, Content_Length="1000") + b'{"a":'
    for end in ("close", "abort"):
        _, writer = await asyncio.open_connection(*rough.address(impatient))
        writer.write(sent)
        await writer.drain()
        await asyncio.sleep(0.05)
        getattr(writer.transport, end)()
    await asyncio.sleep(0.3)
    assert not rough.errors(impatient.log[before:])
