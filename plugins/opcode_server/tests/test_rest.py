"""REST beside MCP: the same tools, and what only programs ask for."""

import json
import socket
import time
import urllib.parse

import pytest
from serving import ASK, HELLO, NOTIFY


@pytest.fixture(scope="module")
def made(server):
    for name, definition in (("hello", HELLO), ("ask", ASK), ("tell", NOTIFY)):
        status, answer = server.ask(
            "/api/v1/define", {"name": name, "definition": definition, "agent_id": "ada"}
        )
        assert (status, answer["version"]) == (200, "v1")
    return server


def run(server, name, **more):
    status, answer = server.ask("/api/v1/run", {"template_name": name, "agent_id": "ada", **more})
    assert status == 200
    return answer


def until(server, run_id, wanted, within=10.0):
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        _, answer = server.ask("/api/v1/status", {"workflow_id": run_id, "events": False})
        if answer["status"] == wanted:
            return answer
    raise AssertionError(answer)


def test_the_six_tools(made):
    ran = run(made, "hello", params={"name": "Grace"})
    assert ran["output"]["name"] == "Grace"
    _, listed = made.ask("/api/v1/query", {"resource": "workflows", "filter": {"template_name": "hello"}})
    assert ran["workflow_id"] in [row["workflow_id"] for row in listed["workflows"]]
    _, drawn = made.ask("/api/v1/diagram", {"format": "ascii", "workflow_id": ran["workflow_id"]})
    assert "hello" in drawn["diagram"]
    asked = run(made, "ask")
    status, said = made.ask(
        "/api/v1/signal",
        {"workflow_id": asked["workflow_id"], "signal_type": "decision", "payload": {"choice": "no"}},
    )
    assert (status, said["resumed"]) == (200, True)
    assert until(made, asked["workflow_id"], "completed")["output"] == {"choice": "no"}


def test_a_definition_that_is_not_stored(made):
    status, ran = made.ask("/api/v1/execute", {"definition": HELLO, "params": {"name": "x"}, "name": "mine"})
    assert (status, ran["status"]) == (200, "completed")
    status, refused = made.ask("/api/v1/execute", {"definition": {"steps": []}})
    assert (status, refused["error"]["code"]) == (422, "VALIDATION_ERROR")


def test_again_from_a_step(made):
    ran = run(made, "ask")
    status, forked = made.ask("/api/v1/fork", {"workflow_id": ran["workflow_id"], "step_id": "ask"})
    assert status == 200
    assert until(made, forked["workflow_id"], "suspended")["pending_decisions"]


@pytest.mark.parametrize(
    ("path", "body", "status", "code", "words"),
    [
        ("/api/v1/run", {"template_name": "nope", "agent_id": "a"}, 404, "NOT_FOUND", "nope"),
        ("/api/v1/run", {"template_name": "hello"}, 422, "VALIDATION_ERROR", "'agent_id' is missing"),
        ("/api/v1/run", b"{", 422, "VALIDATION_ERROR", "not JSON"),
        ("/api/v1/run", b"[]", 422, "VALIDATION_ERROR", "JSON object"),
        ("/api/v1/execute", {}, 422, "VALIDATION_ERROR", "definition"),
        ("/api/v1/execute", {"definition": HELLO, "timeout": -1}, 422, "VALIDATION_ERROR", "timeout"),
        ("/api/v1/signal", {"workflow_id": "x"}, 422, "VALIDATION_ERROR", "signal_type"),
        ("/api/v1/nowhere", {}, 404, "NOT_FOUND", "/api/v1/nowhere"),
    ],
)
def test_errors_have_a_status_and_a_path(made, path, body, status, code, words):
    got, answer = made.ask(path, body)
    assert (got, answer["error"]["code"]) == (status, code)
    assert words in answer["error"]["message"]


def test_the_description_names_every_route(made):
    status, description = made.ask("/api/v1/openapi.json")
    assert status == 200
    assert {
        f"/api/v1/{name}" for name in ("define", "run", "status", "signal", "query", "diagram", "events")
    } <= set(description["paths"])
    run = description["paths"]["/api/v1/run"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert run["required"] == ["template_name", "agent_id"]


def test_health(made):
    assert made.ask("/healthz")[1]["status"] == "ok"
    assert made.ask("/readyz") == (200, {"status": "ready"})


def test_what_else_can_be_read(made):
    names = [action["name"] for action in made.ask("/api/v1/actions")[1]["actions"]]
    assert "http.get" in names
    assert "# How to write" in made.ask("/api/v1/guide")[1]
    ran = run(made, "ask")
    open_ = made.ask("/api/v1/decisions?limit=1000")[1]["decisions"]
    assert ran["workflow_id"] in [decision["workflow_id"] for decision in open_]
    agents = {agent["id"]: agent for agent in made.ask("/api/v1/agents")[1]["agents"]}
    assert agents["ada"]["type"] == "llm"
    assert agents["ada"]["last_seen_at"]


def test_the_audit_log_says_who_did_what(made):
    ran = run(made, "hello")
    entries = made.ask("/api/v1/audit")[1]["entries"]
    (entry,) = [entry for entry in entries if ran["workflow_id"] in entry["about"]]
    assert entry["action"] == "opcode.run"
    assert (entry["agent_id"], entry["caller"], entry["outcome"]) == ("ada", "local", "ok")


def test_an_inbox_is_read_and_cleared(made):
    for text in ("one", "two"):
        run(made, "tell", params={"text": text})
    notices = made.ask("/api/v1/inbox/ada")[1]["notices"]
    assert [notice["message"] for notice in notices] == ["two", "one"]
    up_to = urllib.parse.quote(notices[1]["id"])
    assert made.ask(f"/api/v1/inbox/ada?up_to={up_to}", method="DELETE")[1] == {"removed": 1}
    assert [notice["message"] for notice in made.ask("/api/v1/inbox/ada")[1]["notices"]] == ["two"]


def stream(server, path, until, **headers):
    """Server-sent events up to the one of type `until`, as (id, type, data)."""
    host = server.url.removeprefix("http://")
    lines = [
        f"GET {path} HTTP/1.1",
        f"Host: {host}",
        *(f"{k.replace('_', '-')}: {v}" for k, v in headers.items()),
    ]
    got = []
    with socket.create_connection(tuple(host.split(":")), timeout=20) as wire:
        wire.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        event = {}
        for line in wire.makefile("r", encoding="utf-8"):
            name, colon, value = line.strip().partition(": ")
            if colon and name in ("id", "event", "data"):
                event[name] = value
            elif not line.strip() and "data" in event:
                got.append((event.get("id"), event["event"], json.loads(event["data"])))
                event = {}
                if got[-1][1] == until:
                    return got
    return got


def test_events_as_they_come_and_on_from_where_one_was_cut_off(made):
    ran = run(made, "ask")
    path = f"/api/v1/events?workflow_id={ran['workflow_id']}"
    first = stream(made, path, "workflow_suspended")
    assert [int(id_) for id_, _, _ in first] == list(range(1, len(first) + 1))
    said = {"workflow_id": ran["workflow_id"], "signal_type": "decision", "payload": {"choice": "yes"}}
    made.ask("/api/v1/signal", said)
    rest = stream(made, path, "end", Last_Event_ID=first[-1][0])
    assert rest[-1][1] == "end"
    assert rest[-2][1] == "workflow_completed"
    assert [int(id_) for id_, _, _ in rest[:-1]] == list(range(len(first) + 1, len(first) + len(rest)))
    status, _ = made.ask("/api/v1/events?workflow_id=nope")
    assert status == 404
