import asyncio
import gzip
import time
import zlib

import pytest

from opcode_core import ErrorCode
from opcode_http.exchange import MAX_BODY
from opcode_http.plugin import opcode_services


async def hang(writer):
    await asyncio.sleep(30)


async def drip(writer):
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1000\r\n\r\n")
    for _ in range(1000):
        writer.write(b".")
        await writer.drain()
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("answer", [hang, drip])
async def test_the_timeout_is_for_the_whole_request(error_of, server, answer):
    server.routes["/slow"] = answer
    started = time.monotonic()
    error = await error_of(url=f"{server.url}/slow?key=hunter2", timeout="200ms")
    assert 0.15 < time.monotonic() - started < 3
    assert error.code == ErrorCode.TIMEOUT_ERROR
    assert error.message == f"GET {server.url}/slow gave no complete response within 200ms"


async def test_the_timeout_goes_over_redirects(error_of, server):
    async def slowly_elsewhere(writer):
        await asyncio.sleep(0.1)
        writer.write(b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n")

    server.routes["/"] = slowly_elsewhere
    error = await error_of(url=server.url, timeout=0.35, max_redirects=100)
    assert error.code == ErrorCode.TIMEOUT_ERROR


@pytest.mark.parametrize("answer", [hang, drip])
async def test_a_cancelled_request_closes_its_connection(http, server, answer):
    server.routes["/"] = answer
    task = asyncio.create_task(http(url=server.url))
    while not server.received:
        await asyncio.sleep(0.01)
    assert not server.closed.is_set()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(server.closed.wait(), 3)


async def test_a_request_cancelled_in_its_tls_handshake_closes_its_connection(error_of):
    greeted, left = asyncio.Event(), asyncio.Event()

    async def silent(reader, writer):
        await reader.read(1)
        greeted.set()
        await reader.read()
        left.set()
        writer.close()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        error = await error_of(url=f"https://127.0.0.1:{port}/", timeout=0.3)
        assert error.code == ErrorCode.TIMEOUT_ERROR
        assert greeted.is_set()
        await asyncio.wait_for(left.wait(), 3)


async def test_after_a_cancelled_request_others_work(http, server):
    server.routes["/slow"] = hang
    server.answer("/", b"fine")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(http(url=f"{server.url}/slow"), 0.1)
    assert (await http(url=server.url))["body"] == "fine"


async def test_a_body_of_exactly_the_bound_is_given(http, server):
    server.answer("/", b"x" * MAX_BODY)
    assert len((await http(url=server.url))["body"]) == MAX_BODY


async def test_a_body_announced_too_large_is_not_read(error_of, server):
    server.routes["/"] = b"HTTP/1.1 200 OK\r\nContent-Length: 10485761\r\n\r\n"
    error = await error_of(url=server.url, timeout=5)
    assert error.code == ErrorCode.EXECUTION_ERROR
    assert f"the response to GET {server.url}/ is larger than 10 MiB" in error.message


async def test_an_endless_body_is_given_up_while_it_streams(error_of, server):
    sent = 0

    async def endless(writer):
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"10000\r\n" + b"x" * 65536 + b"\r\n")
            await writer.drain()
            sent += 65536

    server.routes["/"] = endless
    error = await error_of(url=server.url, timeout=20)
    assert "larger than 10 MiB" in error.message
    assert MAX_BODY <= sent < 4 * MAX_BODY


async def test_a_compressed_bomb_is_given_up_at_the_bound(error_of, server):
    packed = zlib.compressobj(wbits=31)
    bomb = b"".join(packed.compress(bytes(1024 * 1024)) for _ in range(200)) + packed.flush()
    assert len(bomb) < 300_000
    server.answer("/", bomb, "Content-Encoding: gzip")
    started = time.monotonic()
    error = await error_of(url=server.url)
    assert "larger than 10 MiB" in error.message
    assert time.monotonic() - started < 2


async def test_a_bomb_in_a_bomb_is_given_up_too(error_of, server):
    server.answer(
        "/", gzip.compress(gzip.compress(bytes(200 * 1024 * 1024), 1), 9), "Content-Encoding: gzip, gzip"
    )
    error = await error_of(url=server.url)
    assert "larger than 10 MiB" in error.message


@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
async def test_compressed_bodies_are_unpacked(http, server, encoding, pack):
    server.answer("/", pack(b'{"a": 1}'), f"Content-Encoding: {encoding}", kind="application/json")
    assert (await http(url=server.url))["body"] == {"a": 1}


async def test_many_requests_run_side_by_side(http, server):
    async def slowly(writer):
        await asyncio.sleep(0.2)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    server.routes["/"] = slowly
    started = time.monotonic()
    await asyncio.gather(*(http(url=server.url) for _ in range(20)))
    assert time.monotonic() - started < 2


async def test_the_service_closes_pooled_connections(http, server):
    server.answer("/", b"x")
    await http(url=server.url)
    [service] = opcode_services(engine=None)
    await service.start()
    assert not server.closed.is_set()
    await service.stop()
    await asyncio.wait_for(server.closed.wait(), 3)
    assert (await http(url=server.url))["body"] == "x"
    assert server.connections == 2
