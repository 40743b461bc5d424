"""A secret is used by every installed action, well and badly, and looked for everywhere. docs/secrets.md."""

import base64
import json
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE / "canary"), str(HERE.parent / "plugins/opcode_server/tests")]

from canary_cases import CASES, ENGINES, FLOWS, S, one  # noqa: E402
from canary_house import CANARIES, KINDS, ODD, PLAIN, REGISTRY, Sight, canary_house  # noqa: E402
from canary_search import forms, hits  # noqa: E402


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    home = tmp_path_factory.mktemp("canary")
    with canary_house(home) as made:
        yield made
    made.server.process.wait()
    look_at_what_is_left(made, "after the end")


def look_at_what_is_left(house, when):
    seen = Sight(when)
    for name, content in house.files().items():
        seen.look(name, content)
    seen.look("the log", "".join(house.server.log))
    assert seen.looked > 1


def test_every_installed_action_and_engine_has_a_case():
    """Whoever adds one says here how a secret goes through it."""
    assert set(REGISTRY.actions) == set(CASES)
    assert set(REGISTRY.engines) == set(ENGINES)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("action", CASES)
async def test_nobody_sees_what_an_action_was_given(house, action, kind):
    await go_through(house, action, kind, CASES[action])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("engine", ENGINES)
async def test_nobody_sees_what_an_expression_made_of_it(house, engine, kind):
    cases = [
        (end, one("expr.eval", {"expression": text, "engine": engine, "data": {"t": S}}))
        for end, text in ENGINES[engine]
    ]
    await go_through(house, f"expr.eval in {engine}", kind, cases)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("flow", FLOWS)
async def test_nobody_sees_it_in_a_flow(house, flow, kind):
    await go_through(house, flow, kind, [("?", FLOWS[flow])])


async def go_through(house, name, kind, cases):
    async with house.server.client("http") as client:
        for number, (end, case) in enumerate(cases):
            briefly = number > 0 and (kind != "PLAIN" or end == "ok")
            ran = await house.run(
                client, f"{name} {number} {kind}", house.filled(case, kind), briefly=briefly
            )
            if end == "ok":
                assert ran["status"] == "completed", ran
            elif end != "?":
                assert (ran["status"], ran["error"]["code"]) == ("failed", end), ran
            else:
                assert ran["status"] in ("completed", "failed"), ran
                assert (ran["error"] or {}).get("code") != "CIRCUIT_OPEN", "the case was not tried"


async def test_nobody_sees_it_in_the_lists(house):
    """What is asked of the server as a whole, when all has happened."""
    async with house.server.client("http") as client:
        ran = await house.run(client, "the last", house.filled(one("workflow.log", {"message": S}), "PLAIN"))
        assert ran["status"] == "completed"
        seen = Sight("lists")
        for resource in ("workflows", "templates"):
            await look_at_all(client, seen, resource, {})
        for event_type in ("step_failed", "step_completed", "workflow_failed", "mine", "variable_set"):
            await look_at_all(client, seen, "events", {"event_type": event_type})
        for resource in (await client.list_resources()).resources:
            seen.look(resource.uri, (await client.read_resource(str(resource.uri))).model_dump_json())
    pages = ("/", "/workflows", "/events", "/templates", "/agents", "/plugins", "/secrets", "/decisions")
    for path in (
        "/api/v1/audit?limit=1000",
        "/api/v1/inbox/ada",
        "/api/v1/agents",
        "/api/v1/actions",
        *pages,
    ):
        seen.look(path, house.fetch(path, Accept="text/html" if path in pages else "*/*"))
    run_id = ran["workflow_id"]
    for arguments in (
        ("status", run_id),
        ("query", "events", "--workflow-id", run_id),
        ("eval", "steps", "--run", run_id),
        ("doctor",),
    ):
        done = house.server.opcode(*arguments)
        seen.look(arguments, done.stdout + done.stderr)
    look_at_what_is_left(house, "while it runs")


async def look_at_all(client, seen, resource, where):
    """Page by page."""
    asked = {"resource": resource, "filter": {**where, "limit": 200}}
    while True:
        result = await client.call_tool("opcode.query", asked)
        assert not result.is_error, result
        seen.look(asked, result.model_dump_json())
        if not result.structured_content.get("cursor"):
            return
        asked["filter"]["cursor"] = result.structured_content["cursor"]


def test_the_canaries_really_went_out(house):
    """Otherwise all of this proves nothing: who was meant to get them has them."""
    for kind, (value, _) in KINDS.items():
        params = {"path": f"{house.folder}/{kind}/proof", "content": S.replace("{KEY}", kind)}
        sent = {"url": f"{house.url}/echo", "body": S.replace("{KEY}", kind), "body_encoding": "text"}
        steps = [
            {"id": "w", "action": "fs.write", "params": params},
            {"id": "h", "action": "http.post", "params": sent},
        ]
        _, ran = house.server.ask("/api/v1/execute", {"definition": {"steps": steps}, "agent_id": "ada"})
        assert ran["status"] == "completed", ran
        assert (house.folder / kind / "proof").read_bytes() == value.encode()
        assert json.loads(house.told[-1])["body"].encode("latin-1") == value.encode()


def test_the_search_finds_what_is_there():
    for canary in CANARIES:
        for name, form in forms(canary).items():
            assert name in hits(canary, b"before " + form + b" after")
        lines = base64.encodebytes(b"some text before it: " + canary.encode() * 3)
        assert hits(canary, lines)
        assert hits(canary, json.dumps(lines.decode()).encode())
        assert not hits(canary, b"something else " * 100)


def test_it_stays_hidden_after_a_restart(tmp_path):
    """The run got its secret in a process that is gone; the one that goes on with it hides it all the same."""
    path = str(tmp_path / "kept")
    definition = {
        "steps": [
            {
                "id": "w",
                "action": "fs.write",
                "params": {"path": path, "content": "${{secrets.PLAIN}} ${{secrets.ODD}}"},
            },
            {"id": "ask", "type": "reasoning", "depends_on": ["w"], "config": {"prompt_context": "go on?"}},
            {"id": "r", "action": "fs.read", "depends_on": ["ask"], "params": {"path": path}},
            {
                "id": "l",
                "action": "workflow.log",
                "depends_on": ["r"],
                "params": {"message": "${{steps.r.content}}"},
            },
        ],
    }
    with canary_house(tmp_path) as house:
        _, ran = house.server.ask("/api/v1/execute", {"definition": definition, "name": "kept"})
        assert ran["status"] == "suspended", ran
    assert Path(path).read_text() == f"{PLAIN} {ODD}"
    with canary_house(tmp_path) as house:
        said = {"workflow_id": ran["workflow_id"], "signal_type": "decision", "payload": {"choice": "yes"}}
        status, answer = house.server.ask("/api/v1/signal", said)
        assert status == 200, answer
        ended = until_ended(house, ran["workflow_id"])
        assert ended["status"] == "completed", ended
        assert ended["steps"]["r"]["output"]["content"] == "*** ***"
    look_at_what_is_left(house, "after a restart")


def until_ended(house, run_id):
    for _ in house.fetch(f"/api/v1/events?workflow_id={run_id}").splitlines():
        """The stream ends when the run does."""
    return house.server.ask("/api/v1/status", {"workflow_id": run_id})[1]
