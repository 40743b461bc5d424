"""The end, in good order and without: no run is lost."""

import asyncio
import signal
import time

import pytest
import rough
from serving import HELLO, serving


def slow(home, seconds):
    """Sleeps the first time that it is done, and leaves a line for each time."""
    file = f"{home}/begun-${{{{inputs.key}}}}"
    command = f"echo begun >> {file}; test $(wc -l < {file}) -gt 1 || sleep {seconds}; echo done"
    step = {
        "id": "slow",
        "action": "shell.exec",
        "params": {"command": command, "shell": True, "timeout": "60s"},
    }
    after = {"id": "after", "action": "crypto.hash", "depends_on": ["slow"], "params": {"data": "x"}}
    return {
        "inputs": {"key": "run"},
        "steps": [step, after],
        "output": {"said": "${{steps.slow.stdout_raw}}"},
    }


async def begun(home, key="run"):
    path = home / f"begun-{key}"
    assert await rough.becomes(lambda: path.exists() and path.read_text()), "it never began"


async def ended(server, run_id, within):
    """How a run stands when it is no longer active."""
    async with asyncio.timeout(within):
        while True:
            answer = await rough.ask(server, "POST", "/api/v1/status", {"workflow_id": run_id})
            if answer.json()["status"] != "active":
                return answer.json()
            await asyncio.sleep(0.05)


@pytest.fixture
def stopped(stopping):
    """What was seen of a stop in the middle of work."""
    return stopping.result(60)


def stop_in_the_middle(home):
    """Begin work that takes long, stop the server, and tell what was seen."""
    with serving(home) as server:
        seen = asyncio.run(_stop(server, home))
    return seen | {"home": home, "log": list(server.log)}


async def _stop(server, home):
    clients = await rough.crowd(server, 50)
    client, waiting = clients[:2]
    for name, definition in (("slow", slow(home, 30)), ("hello", HELLO)):
        assert not (await client.call("opcode.define", name=name, definition=definition, agent_id="a"))[
            "isError"
        ]
    started = await client.call("opcode.run", template_name="slow", agent_id="a", wait=False)
    run_id = started["structuredContent"]["workflow_id"]
    await begun(home)
    began = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    assert await rough.becomes(lambda: any("SIGTERM" in line for line in server.log))
    arguments = {"template_name": "hello", "agent_id": "a"}
    refused = await client.call("opcode.run", **arguments)
    over_rest = await rough.ask(server, "POST", "/api/v1/run", arguments)
    ready = await rough.ask(server, "GET", "/readyz")
    looked = await waiting.call("opcode.status", workflow_id=run_id)
    code = await asyncio.to_thread(server.process.wait, 20)
    took = time.monotonic() - began
    ends = await asyncio.gather(*(rough.closed(one.reader, 5) for one in clients))
    for one in clients:
        one.vanish()
    return {
        "run_id": run_id,
        "refused": refused,
        "over_rest": over_rest,
        "ready": ready,
        "looked": looked,
        "code": code,
        "took": took,
        "ends": ends,
    }


async def test_a_stop_with_idle_clients_alone_is_quick(tmp_path):
    with serving(tmp_path) as server:
        clients = await rough.crowd(server, 50)
        began = time.monotonic()
        code = await asyncio.to_thread(server.stop)
        took = time.monotonic() - began
        for client in clients:
            client.vanish()
    assert code == 0
    assert took < 3.5


async def test_a_kill_in_the_middle_of_runs(tmp_path):
    with serving(tmp_path) as server:
        server.ask("/api/v1/define", {"name": "slow", "definition": slow(tmp_path, 30), "agent_id": "a"})
        calls = [
            {"template_name": "slow", "agent_id": "a", "params": {"key": key}, "idempotency_key": key}
            for key in ("sse", "rest")
        ]
        client = await (await rough.Sse(server).open()).shake_hands()
        await client.ask("tools/call", {"name": "opcode.run", "arguments": calls[0]})
        await begun(tmp_path, "sse")
        answer = asyncio.create_task(rough.ask(server, "POST", "/api/v1/run", calls[1]))
        await begun(tmp_path, "rest")
        server.process.kill()
        server.process.wait()
        assert await rough.closed(client.reader, 5)
        client.vanish()
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await answer
    with serving(tmp_path) as server:
        _, listed = server.ask("/api/v1/query", {"resource": "workflows"})
        ids = {run["workflow_id"] for run in listed["workflows"]}
        assert len(ids) == 2
        for run_id in ids:
            await ended(server, run_id, 20)
        async with rough.sse(server) as client:
            seen = [(await client.call("opcode.status", workflow_id=id_))["structuredContent"] for id_ in ids]
            again = [(await client.call("opcode.run", **call))["structuredContent"] for call in calls]
        assert not rough.errors(server.log)
    for run in seen:
        assert (run["status"], run["output"]) == ("completed", {"said": "done\n"})
        assert run["steps"]["after"]["status"] == "completed"
        assert [event["sequence"] for event in run["events"]] == list(range(1, len(run["events"]) + 1))
    assert {run["workflow_id"] for run in again} == ids


def test_a_stop_takes_no_new_work_and_ends_in_time(stopped):
    assert stopped["refused"]["isError"] is True
    assert "shutting down" in stopped["refused"]["content"][0]["text"]
    assert stopped["over_rest"].status in (409, 503)
    assert "shutting down" in stopped["over_rest"].json()["error"]["message"]
    assert (stopped["ready"].status, stopped["ready"].json()["status"]) == (503, "shutting down")
    assert stopped["looked"]["structuredContent"]["status"] == "active"
    assert stopped["code"] == 0
    assert stopped["took"] < 13.5
    assert all(stopped["ends"])


def test_a_stop_is_no_error(stopped):
    assert not rough.errors(stopped["log"])


async def test_what_was_in_flight_at_a_stop_ends_after_the_next_start(stopped):
    with serving(stopped["home"]) as server:
        run = await ended(server, stopped["run_id"], 25)
    assert run["status"] == "completed"
    assert run["output"] == {"said": "done\n"}
    assert "workflow_interrupted" in [event["event_type"] for event in run["events"]]
    assert (stopped["home"] / "begun-run").read_text().split() == ["begun", "begun"]
