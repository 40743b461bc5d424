import asyncio
import socket

import pytest

from opcode_core import ErrorCode


@pytest.fixture
def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


async def test_nothing_listens(error_of, free_port):
    error = await error_of(url=f"http://127.0.0.1:{free_port}/x?key=hunter2")
    assert error.code == ErrorCode.EXECUTION_ERROR
    assert error.message == (
        f"GET http://127.0.0.1:{free_port}/x failed: "
        f"127.0.0.1:{free_port} refused the connection; nothing listens there"
    )


async def test_an_unknown_host(error_of):
    error = await error_of(url="http://no-such-host.invalid/", timeout=10)
    assert error.code == ErrorCode.EXECUTION_ERROR
    assert error.message.startswith("cannot find the host 'no-such-host.invalid': ")


async def test_a_host_that_is_no_name(error_of):
    error = await error_of(url=f"http://{'a' * 70}.example/")
    assert error.code in (ErrorCode.EXECUTION_ERROR, ErrorCode.VALIDATION_ERROR)
    assert "a" * 70 in error.message or "not a URL" in error.message


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"this is no HTTP\r\n\r\n", "is not valid HTTP or ended too early"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort", "is not valid HTTP or ended too early"),
        (b"", "is not valid HTTP or ended too early (Server disconnected without sending a response.)"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello",
            "the response is not in the compression that it claims",
        ),
    ],
)
async def test_a_broken_response(error_of, server, answer, reason):
    async def broken(writer):
        writer.write(answer)
        await writer.drain()
        writer.close()

    server.routes["/"] = broken
    error = await error_of(url=server.url)
    assert error.code == ErrorCode.EXECUTION_ERROR
    assert error.message.startswith(f"GET {server.url}/ failed: ")
    assert reason in error.message


async def test_a_connection_that_is_reset(error_of, server):
    async def reset(writer):
        linger = b"\1\0\0\0\0\0\0\0"
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.transport.abort()

    server.routes["/"] = reset
    error = await error_of(url=server.url)
    assert error.code == ErrorCode.EXECUTION_ERROR
    assert f"127.0.0.1:{server.port}" in error.message


async def test_a_certificate_that_nobody_vouches_for(error_of, tls_server):
    error = await error_of(url=tls_server.url)
    assert error.code == ErrorCode.EXECUTION_ERROR
    assert (
        f"the certificate of 127.0.0.1:{tls_server.port} was not accepted (self-signed certificate)"
        in error.message
    )
    assert "tls_skip_verify: true" in error.message


async def test_tls_skip_verify(http, error_of, tls_server):
    tls_server.answer("/", b"private")
    assert (await http(url=tls_server.url, tls_skip_verify=True))["body"] == "private"
    # The unchecked connection is not lent to a call that wants it checked.
    assert "was not accepted" in (await error_of(url=tls_server.url)).message


async def test_tls_on_a_plain_port(error_of):
    async def plain(reader, writer):
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(plain, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        error = await error_of(url=f"https://127.0.0.1:{port}/", timeout=5)
    assert error.code == ErrorCode.EXECUTION_ERROR
    assert f"no TLS connection with 127.0.0.1:{port}" in error.message
