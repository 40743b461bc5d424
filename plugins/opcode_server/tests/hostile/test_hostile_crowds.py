"""Many at once, and many that come and go: all are answered, and nothing stays behind."""

import asyncio
import json
import signal
import subprocess
import time

import pytest
import rough
from serving import HELLO, OPCODE, environment_of, serving

SLEEPY = {
    "inputs": {"seconds": 0.6},
    "steps": [
        {
            "id": "sleep",
            "action": "shell.exec",
            "params": {"command": "sleep", "args": ["${{inputs.seconds}}"]},
        },
        {"id": "after", "action": "crypto.hash", "depends_on": ["sleep"], "params": {"data": "x"}},
    ],
}


@pytest.fixture(scope="module")
def busy(tmp_path_factory):
    """A server that has done everything once, so that what it imports late is in memory."""
    with serving(tmp_path_factory.mktemp("home")) as server:
        for name, definition in (("hello", HELLO), ("sleepy", SLEEPY)):
            server.ask("/api/v1/define", {"name": name, "definition": definition, "agent_id": "a"})
        server.ask("/api/v1/run", {"template_name": "hello", "agent_id": "a"})
        asyncio.run(_crowded(server))
        yield server


async def _crowded(server):
    for client in await rough.crowd(server, 20):
        await client.call("opcode.run", template_name="hello", agent_id="a")
        client.vanish()
    assert await rough.becomes(lambda: rough.open_files(server) < 20)


async def test_two_hundred_clients_and_fifty_runs_at_once(busy):
    memory, files = rough.rss(busy), await rough.files_at_rest(busy)
    clients = await rough.crowd(busy, 200)
    try:
        async with asyncio.timeout(rough.LONG):
            results = await asyncio.gather(*(_run(client, n) for n, client in enumerate(clients[::4])))
        assert len(results) == 50
        for n, result in enumerate(results):
            assert result["structuredContent"]["status"] == "completed"
            assert result["structuredContent"]["output"]["name"] == f"number {n}"
        ids = {result["structuredContent"]["workflow_id"] for result in results}
        assert len(ids) == 50
        quiet = await clients[1].call("opcode.query", resource="workflows", filter={"limit": 1})
        assert len(quiet["structuredContent"]["workflows"]) == 1
    finally:
        for client in clients:
            client.vanish()
    assert await rough.becomes(lambda: rough.open_files(busy) <= files + 2)
    assert rough.rss(busy) < memory + 40


async def _run(client, n):
    return await client.call(
        "opcode.run", template_name="hello", agent_id=f"agent {n}", params={"name": f"number {n}"}
    )


async def test_a_burst_of_connections_waits_for_no_second_try(busy):
    """What comes while the server is busy has to queue: the system tries again only after a second."""

    async def healthy():
        assert (await rough.ask(busy, "GET", "/healthz")).status == 200

    took = []
    for _ in range(3):  # so that a machine which is slow for a moment is not taken for it
        began = time.monotonic()
        busy.process.send_signal(signal.SIGSTOP)
        try:
            burst = [asyncio.create_task(healthy()) for _ in range(200)]
            await asyncio.sleep(0.1)
        finally:
            busy.process.send_signal(signal.SIGCONT)
        await asyncio.gather(*burst)
        took.append(time.monotonic() - began)
        if took[-1] < 0.9:
            return
    raise AssertionError(took)


async def test_a_thousand_connections_opened_and_dropped(busy):
    memory, files = rough.rss(busy), await rough.files_at_rest(busy)

    async def drop(n):
        _, writer = await asyncio.open_connection(*rough.address(busy))
        writer.write([b"", b"GET /healthz HT", rough.head(busy, "GET", "/healthz"), b"\0"][n % 4])
        writer.transport.abort()

    async with asyncio.timeout(rough.LONG):
        await asyncio.gather(*(drop(n) for n in range(1000)))
    assert await rough.becomes(lambda: rough.open_files(busy) <= files + 2), rough.open_files(busy)
    assert rough.rss(busy) < memory + 40
    assert (await rough.ask(busy, "GET", "/readyz")).status == 200


async def test_a_thousand_sessions_opened_and_dropped(busy):
    memory, files = rough.rss(busy), await rough.files_at_rest(busy)
    places = asyncio.Semaphore(100)

    async def drop(n):
        async with places:
            client = await rough.Sse(busy).open()
            if n % 10 == 0:
                await client.post(rough.HELLO)
            client.vanish()
        return client.endpoint

    async with asyncio.timeout(rough.LONG):
        endpoints = await asyncio.gather(*(drop(n) for n in range(1000)))
    assert await rough.becomes(lambda: rough.open_files(busy) <= files + 2), rough.open_files(busy)
    assert rough.rss(busy) < memory + 40
    await asyncio.sleep(0.3)  # the last ones are still being taken down
    statuses = [(await rough.ask(busy, "POST", endpoint, rough.HELLO)).status for endpoint in endpoints[::50]]
    assert set(statuses) == {404}


@pytest.mark.parametrize("surface", ["/sse", "/mcp with a stream", "/mcp with JSON", "/api/v1/run"])
async def test_who_vanishes_in_the_middle_of_a_run_does_not_end_it(busy, surface):
    arguments = {"template_name": "sleepy", "agent_id": f"gone from {surface}"}
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call"}
    call["params"] = {"name": "opcode.run", "arguments": arguments}
    if surface == "/sse":
        client = await (await rough.Sse(busy).open()).shake_hands()
        await client.ask(call["method"], call["params"])
        writer = client.writer
    elif surface == "/api/v1/run":
        writer = await _sent(busy, "/api/v1/run", arguments)
    else:
        accept = "application/json" + (", text/event-stream" if "stream" in surface else "")
        hello = await rough.ask(busy, "POST", "/mcp", rough.HELLO, Accept=accept)
        writer = await _sent(
            busy, "/mcp", call, Accept=accept, Mcp_Session_Id=hello.headers["mcp-session-id"]
        )
    filters = {"resource": "workflows", "filter": {"agent_id": arguments["agent_id"]}}

    async def the_run():
        found = (await rough.ask(busy, "POST", "/api/v1/query", filters)).json()["workflows"]
        return found[0] if found else {"status": "none yet"}

    async with asyncio.timeout(rough.LONG):
        while (await the_run())["status"] == "none yet":
            await asyncio.sleep(0.02)
        writer.transport.abort()
        assert (await the_run())["status"] == "active"
        while (run := await the_run())["status"] == "active":
            await asyncio.sleep(0.05)
    assert run["status"] == "completed"


async def _sent(server, path, body, **headers):
    body = json.dumps(body).encode()
    fields = {"Content-Length": str(len(body)), "Content-Type": "application/json", **headers}
    _, writer = await asyncio.open_connection(*rough.address(server))
    writer.write(rough.head(server, "POST", path, **fields) + body)
    return writer


async def test_an_idle_server_with_fifty_clients_uses_next_to_no_cpu(busy):
    clients = await rough.crowd(busy, 50)
    try:
        await asyncio.sleep(1.0)  # what the tests before it left to do
        before = rough.cpu_seconds(busy)
        await asyncio.sleep(3.0)
        assert rough.cpu_seconds(busy) - before <= 0.15
    finally:
        for client in clients:
            client.vanish()


def test_it_is_ready_and_warns_of_nothing_else(tmp_path):
    process = subprocess.Popen(
        [OPCODE, "serve", "--listen", "127.0.0.1:0"],
        env=environment_of(tmp_path),
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    )
    try:
        assert process.stderr is not None
        lines = map(json.loads, process.stderr)
        first = next(line for line in lines if line["level"] != "warning")
    finally:
        process.terminate()
        process.communicate(timeout=15)
    assert first["message"] == "ready"


def test_no_error_of_the_program_was_seen(busy):
    assert not rough.errors(busy.log)


async def test_who_posts_and_vanishes_is_no_error(busy):
    before = len(busy.log)
    client = await (await rough.Sse(busy).open(receive_buffer=4096)).shake_hands()
    posts = [client.ask("resources/read", {"uri": "opcode://actions"}) for _ in range(200)]
    await asyncio.gather(*posts)
    client.vanish()
    assert await rough.becomes(lambda: busy.ask(client.endpoint, rough.HELLO)[0] == 404)
    await asyncio.sleep(0.2)
    assert not rough.errors(busy.log[before:])
