"""Who gets in, and what they may then."""

import time
from pathlib import Path

import pytest
from serving import ASK, HELLO, data, refusal, serving

MASTER = "a-long-random-text"


@pytest.fixture(scope="module")
def locked(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("home"), OPCODE_TOKEN=MASTER) as server:
        yield server


def token(server, agent, role, *more):
    made = server.opcode("token", "create", "--agent", agent, "--role", role, "--json", *more)
    assert made.returncode == 0, made.stderr
    import json

    return json.loads(made.stdout)


@pytest.mark.parametrize("path", ["/mcp", "/sse", "/messages/", "/message", "/api/v1/query", "/api/v1/audit"])
def test_nobody_gets_in_without_a_token(locked, path):
    status, answer = locked.ask(path, {} if path != "/sse" else None)
    assert (status, answer["error"]["code"]) == (401, "PERMISSION_DENIED")
    assert "Authorization: Bearer" in answer["error"]["message"]
    status, answer = locked.ask(path, {} if path != "/sse" else None, token="wrong")
    assert status == 401


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="there is no /proc")
def test_the_token_is_in_nobody_s_environment(locked):
    """Neither a program that a step starts nor one of the same user finds it."""
    assert MASTER.encode() not in Path(f"/proc/{locked.process.pid}/environ").read_bytes()


def test_health_needs_none(locked):
    assert locked.ask("/healthz")[0] == 200


async def test_the_master_token_opens_everything_on_every_transport(locked):
    for transport in ("sse", "http"):
        for mode in ("auto", "legacy"):
            async with locked.client(transport, mode, token=MASTER) as client:
                call = {"name": "hello", "definition": HELLO, "agent_id": "anybody"}
                assert data(await client.call_tool("opcode.define", call))
    assert locked.ask("/api/v1/audit", token=MASTER)[0] == 200


async def test_a_role_may_do_what_it_may(locked):
    locked.ask("/api/v1/define", {"name": "ask", "definition": ASK, "agent_id": "boss"}, token=MASTER)
    viewer, operator, author = (
        token(locked, role, role)["token"] for role in ("viewer", "operator", "author")
    )
    define = {"name": "mine", "definition": HELLO, "agent_id": "author"}
    run = {"template_name": "ask", "agent_id": "operator"}
    async with locked.client("http", token=viewer) as client:
        assert data(await client.call_tool("opcode.query", {"resource": "templates"}))
        said = refusal(await client.call_tool("opcode.run", {"template_name": "ask", "agent_id": "viewer"}))
        assert said.startswith("PERMISSION_DENIED: opcode.run needs the role operator")
    async with locked.client("http", token=operator) as client:
        assert data(await client.call_tool("opcode.run", run))["status"] == "suspended"
        assert refusal(
            await client.call_tool("opcode.define", {**define, "agent_id": "operator"})
        ).startswith("PERMISSION_DENIED")
        assert "not 'boss's" in refusal(await client.call_tool("opcode.run", {**run, "agent_id": "boss"}))
    async with locked.client("http", token=author) as client:
        assert data(await client.call_tool("opcode.define", define))["name"] == "mine"
    assert locked.ask("/api/v1/audit", token=author)[0] == 403
    outcomes = {
        (entry["action"], entry["agent_id"], entry["outcome"])
        for entry in locked.ask("/api/v1/audit", token=MASTER)[1]["entries"]
    }
    assert ("opcode.run", "viewer", "PERMISSION_DENIED") in outcomes
    assert ("opcode.run", "operator", "ok") in outcomes


def test_a_token_that_is_revoked_opens_nothing(locked):
    made = token(locked, "gone", "viewer")
    query = {"resource": "templates"}
    assert locked.ask("/api/v1/query", query, token=made["token"])[0] == 200
    assert locked.opcode("token", "revoke", made["id"]).returncode == 0
    until = time.monotonic() + 10
    while locked.ask("/api/v1/query", query, token=made["token"])[0] == 200:
        assert time.monotonic() < until
    missing = locked.opcode("token", "revoke", made["id"])
    assert (missing.returncode, made["id"] in missing.stderr) == (2, True)


def test_a_token_whose_time_is_over(locked):
    made = token(locked, "brief", "viewer", "--expires", "1ms")
    assert locked.ask("/api/v1/query", {"resource": "templates"}, token=made["token"])[0] == 401


def test_the_list_shows_tokens_without_themselves(locked):
    made = token(locked, "listed", "operator")
    listed = locked.opcode("token", "list")
    assert made["id"] in listed.stdout
    assert made["token"] not in listed.stdout
    assert made["token"].encode() not in (locked.home / ".opcode/opcode.db").read_bytes()


def test_the_first_token_locks_an_open_server(own_server):
    query = {"resource": "templates"}
    assert own_server.ask("/api/v1/query", query)[0] == 200
    made = token(own_server, "ada", "viewer")
    until = time.monotonic() + 10
    while own_server.ask("/api/v1/query", query)[0] == 200:
        assert time.monotonic() < until
    assert own_server.ask("/api/v1/query", query, token=made["token"])[0] == 200


@pytest.mark.parametrize("path", ["/mcp", "/sse", "/messages/", "/api/v1/query", "/healthz", "/nowhere"])
def test_other_names_and_other_pages_are_refused(server, path):
    assert server.ask(path, Host="evil.example")[0] == 421
    assert server.ask(path, Origin="http://evil.example")[0] == 403
    assert server.ask(path, Origin="null")[0] == 403


def test_our_own_page_is_let_in(server):
    assert server.ask("/healthz", Origin=server.url)[0] == 200
    assert server.ask("/healthz", Origin=server.url.replace("127.0.0.1", "localhost"))[0] == 200
    port = int(server.url.rpartition(":")[2])
    assert server.ask("/healthz", Origin=f"http://127.0.0.1:{port + 1}")[0] == 403
