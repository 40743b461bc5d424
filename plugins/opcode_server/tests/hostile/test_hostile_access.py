"""Strangers, and those who want more than they may."""

import asyncio
import itertools
import json
import socket
import subprocess
import time

import pytest
import rough
from serving import HELLO, NOTIFY, OPCODE, environment_of, serving

MASTER = "a-long-and-random-text"
NOTICED = 4.0
"""Seconds in which a running server knows of a token that was made or revoked."""
SURFACES = [
    ("GET", "/sse"),
    ("POST", "/mcp"),
    ("GET", "/mcp"),
    ("DELETE", "/mcp"),
    ("POST", "/messages/"),
    ("POST", "/messages"),
    ("POST", "/message"),
    ("POST", "/api/v1/query"),
    ("POST", "/api/v1/execute"),
    ("GET", "/api/v1/events?workflow_id=x"),
    ("GET", "/api/v1/openapi.json"),
    ("GET", "/api/v1/audit"),
    ("GET", "/nowhere"),
]
HEALTH = [("GET", "/healthz"), ("GET", "/readyz")]


@pytest.fixture(scope="module")
def open_server(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("home")) as server:
        yield server


@pytest.fixture(scope="module")
def locked(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("home"), OPCODE_TOKEN=MASTER) as server:
        for name, definition in (("hello", HELLO), ("tell", NOTIFY)):
            call = {"name": name, "definition": definition, "agent_id": "boss"}
            assert server.ask("/api/v1/define", call, token=MASTER)[0] == 200
        yield server


_numbers = itertools.count(1)


def stranger():
    """An address of this machine that nobody called from before: wrong tokens are counted by address."""
    number = next(_numbers)
    return f"127.1.{number // 250}.{number % 250 + 1}"


async def make(server, agent, role):
    """A token that the running server lets in."""
    made = await made_only(server, agent, role)
    until = time.monotonic() + NOTICED
    while (await rough.ask(server, "GET", "/api/v1/agents", token=made["token"])).status != 200:
        assert time.monotonic() < until, "not let in in time"
        await asyncio.sleep(0.1)
    return made


async def made_only(server, agent, role):
    options = ("--agent", agent, "--role", role, "--json")
    return json.loads((await asyncio.to_thread(server.opcode, "token", "create", *options)).stdout)


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:80",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "127.0.0.1@evil.example",
        "localhost:1@evil.example",
        "evil.example#127.0.0.1",
        "[::1",
        "localhost:port",
        "",
        "\xff",
    ],
)
async def test_other_names_are_not_ours(open_server, locked, host):
    for method, path in SURFACES + HEALTH:
        answer = await rough.ask(open_server, method, path, b"{}", Host=host)
        assert answer.status == 421, (method, path, answer)
        assert answer.code == "PERMISSION_DENIED"
        assert (await rough.ask(locked, method, path, b"{}", MASTER, Host=host)).status == 421


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "https://127.0.0.1.evil.example",
        "http://127.0.0.1:1",
        "http://localhost",
        "null",
        "",
        "file://",
        "http://[::1",
        "http://user@evil.example",
        "javascript://127.0.0.1",
    ],
)
async def test_pages_of_others_are_refused(open_server, locked, origin):
    for method, path in SURFACES + HEALTH:
        answer = await rough.ask(open_server, method, path, b"{}", Origin=origin)
        assert answer.status == 403, (method, path, answer)
        assert "access-control-allow-origin" not in answer.headers
        assert (await rough.ask(locked, method, path, b"{}", MASTER, Origin=origin)).status == 403


async def test_our_own_names_are_let_in(open_server):
    _, port = rough.address(open_server)
    for host in (f"127.0.0.1:{port}", f"localhost:{port}", f"LOCALHOST:{port}", f"[::1]:{port}"):
        assert (await rough.ask(open_server, "GET", "/healthz", Host=host)).status == 200
        assert (
            await rough.ask(open_server, "GET", "/healthz", Host=host, Origin=f"http://localhost:{port}")
        ).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer "},
        {"Authorization": f"Basic {MASTER}"},
        {"Authorization": MASTER},
        {"Authorization": f"Bearer {MASTER[:-1]}"},
        {"Authorization": f"Bearer {MASTER}x"},
        {"Authorization": f"Bearer {MASTER.upper()}"},
        {"Authorization": "Bearer \xff\xfe"},
        {"Cookie": "opcode_token=wrong"},
        {"Cookie": "opcode_token="},
        {"X-Forwarded-For": "127.0.0.1", "X-Real-IP": "127.0.0.1"},
    ],
)
async def test_every_surface_wants_a_token(locked, headers):
    for method, path in SURFACES:
        answer = await rough.ask(locked, method, path, b"{}", source=stranger(), **headers)
        assert answer.status == 401, (method, path, answer)
        assert answer.code == "PERMISSION_DENIED"
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert MASTER.encode() not in answer.body
    for method, path in HEALTH:
        assert (await rough.ask(locked, method, path, source=stranger(), **headers)).status == 200


async def guess(server, source, times, path="/api/v1/agents"):
    """Wrong tokens, one after the other; the statuses."""
    return [
        (await rough.ask(server, "GET", path, token=f"guess {n}", source=source)).status for n in range(times)
    ]


async def test_wrong_tokens_are_slowed_down(locked):
    made = await made_only(locked, "grace", "viewer")
    source = stranger()
    statuses = await guess(locked, source, 50)
    assert statuses[:5] == [401] * 5
    assert statuses[-1] == 429
    right = {"token": made["token"], "source": source}
    answer = await rough.ask(locked, "GET", "/api/v1/agents", **right)
    assert answer.status == 429, "a guess that is right is told from one that is wrong"
    assert int(answer.headers["retry-after"]) >= 1
    async with asyncio.timeout(5):
        while (await rough.ask(locked, "GET", "/api/v1/agents", **right)).status != 200:
            await asyncio.sleep(0.2)


async def test_who_guesses_does_not_shut_others_out(locked):
    known, source = await make(locked, "gloria", "viewer"), stranger()
    assert (await guess(locked, source, 50))[-1] == 429
    for token in (known["token"], MASTER):
        assert (await rough.ask(locked, "GET", "/api/v1/agents", token=token, source=source)).status == 200
    fresh = await made_only(locked, "gwen", "viewer")
    guessing = asyncio.create_task(guess(locked, source, 200))
    assert (await rough.ask(locked, "GET", "/api/v1/agents", token=fresh["token"])).status == 200
    await guessing


async def test_health_is_told_to_whoever_asks(locked):
    source = stranger()
    assert set(await guess(locked, source, 50, "/healthz")) == {200}
    assert (await guess(locked, source, 50))[-1] == 429
    assert set(await guess(locked, source, 3, "/readyz")) == {200}


async def test_a_monitor_with_an_old_token_guesses_nothing(locked):
    source = stranger()
    await guess(locked, source, 50, "/healthz")
    assert (await guess(locked, source, 1)) == [401]


async def test_wrong_tokens_do_not_fill_the_audit_log(locked):
    lines, source = len(locked.log), stranger()
    await guess(locked, source, 300, "/flood")
    entries = (await rough.ask(locked, "GET", "/api/v1/audit?limit=1000", token=MASTER)).json()["entries"]
    ours = [entry for entry in entries if entry["about"] == "/flood"]
    assert 1 <= len(ours) <= 50
    assert {(entry["address"], entry["outcome"]) for entry in ours} == {(source, "PERMISSION_DENIED")}
    assert len(locked.log) - lines < 100


async def test_a_viewer_may_look_and_no_more(locked):
    made = await make(locked, "vera", "viewer")
    async with rough.sse(locked, made["token"]) as client:
        looked = await client.call("opcode.query", resource="templates")
        assert {template["name"] for template in looked["structuredContent"]["templates"]} >= {
            "hello",
            "tell",
        }
        for tool, arguments in (
            ("opcode.run", {"template_name": "hello", "agent_id": "vera"}),
            ("opcode.define", {"name": "mine", "definition": HELLO, "agent_id": "vera"}),
            ("opcode.signal", {"workflow_id": "x", "signal_type": "cancel", "payload": {}}),
        ):
            refused = await client.call(tool, **arguments)
            assert refused["isError"] is True
            assert refused["content"][0]["text"].startswith(f"PERMISSION_DENIED: {tool} needs the role ")
    for method, path, body in (
        ("POST", "/api/v1/run", {"template_name": "hello", "agent_id": "vera"}),
        ("POST", "/api/v1/execute", {"definition": HELLO}),
        ("POST", "/api/v1/fork", {"workflow_id": "x", "step_id": "y"}),
        ("DELETE", "/api/v1/inbox/vera?up_to=z", None),
        ("GET", "/api/v1/audit", None),
    ):
        answer = await rough.ask(locked, method, path, body, made["token"])
        assert (answer.status, answer.code) == (403, "PERMISSION_DENIED"), (path, answer)


async def test_nobody_speaks_for_another(locked):
    made = await make(locked, "oscar", "author")
    run = {"template_name": "hello", "agent_id": "boss"}
    async with rough.sse(locked, made["token"]) as client:
        for tool, arguments in (
            ("opcode.run", run),
            ("opcode.define", {"name": "mine", "definition": HELLO, "agent_id": "boss"}),
            (
                "opcode.signal",
                {"workflow_id": "x", "signal_type": "cancel", "payload": {}, "agent_id": "boss"},
            ),
        ):
            refused = await client.call(tool, **arguments)
            assert refused["isError"] is True
            assert refused["content"][0]["text"].startswith("PERMISSION_DENIED: agent_id: ")
        own = await client.call("opcode.run", template_name="hello", agent_id="oscar")
        assert own["structuredContent"]["status"] == "completed"
    for path, body in (("/api/v1/run", run), ("/api/v1/execute", {"definition": HELLO, "agent_id": "boss"})):
        answer = await rough.ask(locked, "POST", path, body, made["token"])
        assert (answer.status, answer.code) == (403, "PERMISSION_DENIED")
    answer = await rough.ask(locked, "POST", "/api/v1/execute", {"definition": HELLO}, made["token"])
    listed = {"resource": "workflows", "filter": {"agent_id": "oscar"}}
    found = (await rough.ask(locked, "POST", "/api/v1/query", listed, MASTER)).json()["workflows"]
    assert answer.json()["workflow_id"] in {workflow["workflow_id"] for workflow in found}


async def test_sessions_belong_to_their_token(locked):
    mine, yours = await make(locked, "mine", "admin"), await make(locked, "yours", "admin")
    ping = {"jsonrpc": "2.0", "id": 7, "method": "ping"}
    async with rough.sse(locked, mine["token"]) as client:
        for other in (yours["token"], MASTER):
            answer = await client.post(ping, other)
            assert (answer.status, answer.body) == (404, b"Could not find session")
        assert (await client.post(ping)).status == 202
        assert (await client.reply(7))["result"] == {}
    async with rough.sse(locked, MASTER) as client:
        assert (await client.post(ping, mine["token"])).status == 404
    accept = {"Accept": "application/json, text/event-stream"}
    hello = await rough.ask(locked, "POST", "/mcp", rough.HELLO, mine["token"], **accept)
    session = {"Mcp-Session-Id": hello.headers["mcp-session-id"], **accept}
    for other in (yours["token"], MASTER):
        assert (await rough.ask(locked, "POST", "/mcp", ping, other, **session)).status == 404
        assert (await rough.ask(locked, "DELETE", "/mcp", None, other, **session)).status == 404
        assert (await rough.ask(locked, "GET", "/mcp", None, other, **session)).status == 404
    assert (await rough.ask(locked, "POST", "/mcp", ping, mine["token"], **session)).status == 200


@pytest.mark.parametrize("name", ["boss", "%62oss", "/boss", "spy/../boss", "boss?spy", "", "Spy"])
async def test_another_agents_inbox_is_closed(locked, name):
    if "spy" not in MADE:
        MADE["spy"] = await make(locked, "spy", "author")
    token, uri = MADE["spy"]["token"], f"opcode://inbox/{name}"
    async with rough.sse(locked, token) as client:
        for method in ("resources/read", "resources/subscribe"):
            error = (await client.reply(await client.ask(method, {"uri": uri})))["error"]
            assert error["message"].startswith(("PERMISSION_DENIED", "NOT_FOUND")), error
        own = await client.reply(await client.ask("resources/read", {"uri": "opcode://inbox/spy"}))
        assert own["result"]["contents"]
    listen = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "subscriptions/listen",
        "params": {"notifications": {"resourceSubscriptions": [uri]}, "_meta": META},
    }
    headers = {
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": "2026-07-28",
        "Mcp-Method": "subscriptions/listen",
    }
    answer = await rough.ask(locked, "POST", "/mcp", listen, token, **headers)
    assert b"PERMISSION_DENIED" in answer.body
    if name in ("boss", "%62oss"):
        for method in ("GET", "DELETE"):
            answer = await rough.ask(locked, method, f"/api/v1/inbox/{name}?up_to=z", None, token)
            assert (answer.status, answer.code) == (403, "PERMISSION_DENIED")


MADE: dict[str, dict[str, str]] = {}
P = "io.modelcontextprotocol/"
META = {
    P + "protocolVersion": "2026-07-28",
    P + "clientInfo": {"name": "r", "version": "0"},
    P + "clientCapabilities": {},
}


async def test_a_notice_reaches_its_agent_alone(locked):
    anna, ben = await make(locked, "anna", "operator"), await make(locked, "ben", "operator")
    call = {"name": "opcode.run", "arguments": {"template_name": "tell", "agent_id": "anna"}}
    async with rough.sse(locked, anna["token"]) as hers, rough.sse(locked, ben["token"]) as his:
        await his.call("opcode.query", resource="templates")
        await hers.ask("tools/call", call)
        async with asyncio.timeout(5):
            while "notifications/message" not in (await hers.event())[1]:
                """The answer to her call, and what else comes."""
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await his.event()


async def heard(client, until, agent_id, token):
    """What a stream that has not ended by then says when its agent is told a secret."""
    if await client.ends(until - time.monotonic()):
        return b""
    call = {"template_name": "tell", "agent_id": agent_id, "params": {"text": "a secret"}}
    assert (await rough.ask(client.server, "POST", "/api/v1/run", call, token)).status == 200
    said = b""
    try:
        async with asyncio.timeout(1.0):
            while more := await client.reader.read(2**16):
                said += more
    except (TimeoutError, ConnectionError):
        """Nothing more came."""
    return said


async def test_a_revoked_token_is_out_and_hears_nothing_more(locked):
    made = await make(locked, "ruth", "operator")
    client = await (await rough.Sse(locked, made["token"]).open()).shake_hands()
    try:
        await client.call("opcode.run", template_name="hello", agent_id="ruth")
        assert (await asyncio.to_thread(locked.opcode, "token", "revoke", made["id"])).returncode == 0
        until = time.monotonic() + NOTICED
        while (await rough.ask(locked, "GET", "/api/v1/agents", token=made["token"])).status == 200:
            assert time.monotonic() < until, "still let in"
            await asyncio.sleep(0.1)
        for method, path in SURFACES:
            answer = await rough.ask(locked, method, path, b"{}", made["token"], source=stranger())
            assert answer.status == 401, (method, path, answer)
        assert b"a secret" not in await heard(client, until, "ruth", MASTER)
    finally:
        client.vanish()


async def test_strangers_hear_nothing_more_when_the_server_is_locked(tmp_path):
    with serving(tmp_path) as server:
        server.ask("/api/v1/define", {"name": "tell", "definition": NOTIFY, "agent_id": "a"})
        async with rough.sse(server) as client:
            assert not (await client.call("opcode.run", template_name="tell", agent_id="ada"))["isError"]
            made = await made_only(server, "ada", "operator")
            until = time.monotonic() + NOTICED
            while (await rough.ask(server, "GET", "/api/v1/agents")).status == 200:
                assert time.monotonic() < until, "still let in"
                await asyncio.sleep(0.1)
            assert b"a secret" not in await heard(client, until, "ada", made["token"])


def serve(home, *arguments, **variables):
    return subprocess.run(
        [OPCODE, "serve", *arguments],
        env=environment_of(home, **variables),
        capture_output=True,
        text=True,
        check=False,
        timeout=15,
        cwd=home,
    )


@pytest.mark.parametrize("host", ["0.0.0.0", "[::]"])
def test_an_address_that_others_reach_needs_a_token(tmp_path, host):
    refused = serve(tmp_path, "--listen", f"{host}:0")
    assert refused.returncode == 2
    (line,) = refused.stderr.splitlines()
    assert f"{host}:0 can be reached from other machines" in line
    assert "OPCODE_TOKEN" in line


def test_a_port_that_is_taken(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = serve(tmp_path, "--listen", f"127.0.0.1:{port}")
    assert refused.returncode == 2
    (line,) = refused.stderr.splitlines()
    assert f"port {port} is in use" in line
    assert "--listen" in line
    assert not (tmp_path / ".opcode/opcode.pid").exists()


def test_no_error_of_the_program_was_seen(open_server, locked):
    assert not rough.errors(open_server.log)
    assert not rough.errors(locked.log)
    assert MASTER not in "".join(locked.log)
