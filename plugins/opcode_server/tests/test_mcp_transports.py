"""The official client over every transport, in both eras of the protocol."""

import asyncio
from functools import partial

import mcp_types as t
import pytest
from serving import ASK, HELLO, NOTIFY, data, refusal

OVER_HTTP = [(transport, mode) for transport in ("sse", "http") for mode in ("auto", "legacy")]
EVERY_WAY = [*OVER_HTTP, ("stdio", "auto"), ("stdio", "legacy")]
over_http = pytest.mark.parametrize(("transport", "mode"), OVER_HTTP)
every_way = pytest.mark.parametrize(("transport", "mode"), EVERY_WAY)


@pytest.fixture
def connect(server, transport, mode):
    return partial(server.client, transport, mode)


@every_way
async def test_it_speaks_the_era_that_was_asked_for(connect, mode):
    async with connect() as client:
        assert client.server_info.name == "opcode"
        assert client.protocol_version == ("2026-07-28" if mode == "auto" else "2025-11-25")
        assert "opcode://guide" in (client.instructions or "")


@over_http
async def test_from_a_definition_to_its_output(connect):
    async with connect() as client:
        defined = data(
            await client.call_tool("opcode.define", {"name": "hello", "definition": HELLO, "agent_id": "ada"})
        )
        assert defined["name"] == "hello"
        ran = data(
            await client.call_tool(
                "opcode.run", {"template_name": "hello", "agent_id": "ada", "params": {"name": "Grace"}}
            )
        )
        assert ran["status"] == "completed"
        assert ran["output"]["name"] == "Grace"
        assert ran["steps"]["hello"]["status"] == "completed"
        seen = data(await client.call_tool("opcode.status", {"workflow_id": ran["workflow_id"]}))
        assert seen["events"][0]["event_type"] == "workflow_started"
        assert seen["output"] == ran["output"]
        newer = data(await client.call_tool("opcode.status", {"workflow_id": ran["workflow_id"], "since": 1}))
        assert [event["sequence"] for event in newer["events"]] == [e["sequence"] for e in seen["events"][1:]]


@every_way
async def test_a_decision_comes_back_to_the_agent(connect):
    async with connect() as client:
        await client.call_tool("opcode.define", {"name": "ask", "definition": ASK, "agent_id": "ada"})
        ran = data(await client.call_tool("opcode.run", {"template_name": "ask", "agent_id": "ada"}))
        (decision,) = ran["pending_decisions"]
        assert (ran["status"], decision["context"]["prompt"]) == ("suspended", "Do it?")
        wrong = {"workflow_id": ran["workflow_id"], "signal_type": "decision", "payload": {"choice": "ye"}}
        assert refusal(await client.call_tool("opcode.signal", wrong)).startswith(
            "VALIDATION_ERROR: payload.choice"
        )
        said = data(
            await client.call_tool(
                "opcode.signal",
                {**wrong, "payload": {"choice": "yes"}, "agent_id": "ada", "reasoning": "why not"},
            )
        )
        assert said["resumed"] is True
        async with asyncio.timeout(10):
            while (ended := await status(client, ran))["status"] == "active":
                await asyncio.sleep(0.02)
        assert ended["output"] == {"choice": "yes"}
        assert ended["steps"]["ask"]["output"]["reasoning"] == "why not"


async def status(client, ran):
    return data(await client.call_tool("opcode.status", {"workflow_id": ran["workflow_id"], "events": False}))


@every_way
async def test_progress_while_it_waits(connect):
    async with connect() as client:
        told = []

        async def progress(done, total, message):
            told.append((done, total, message))

        await client.call_tool("opcode.define", {"name": "hello", "definition": HELLO, "agent_id": "ada"})
        ran = await client.call_tool(
            "opcode.run", {"template_name": "hello", "agent_id": "ada"}, progress_callback=progress
        )
        assert data(ran)["status"] == "completed"
        async with asyncio.timeout(5):
            while not told:
                await asyncio.sleep(0.01)
        assert told[-1][:2] == (1.0, 1.0)


@every_way
async def test_the_person_at_the_client_decides_within_the_call(connect):
    asked = []

    async def elicited(_, params):
        asked.append(params)
        return t.ElicitResult(action="accept", content={"choice": "no", "reasoning": "too late"})

    async with connect(elicitation_callback=elicited) as client:
        await client.call_tool("opcode.define", {"name": "ask", "definition": ASK, "agent_id": "ada"})
        ran = data(await client.call_tool("opcode.run", {"template_name": "ask", "agent_id": "ada"}))
        left = data(
            await client.call_tool(
                "opcode.run", {"template_name": "ask", "agent_id": "ada", "ask_user": False}
            )
        )
    assert (ran["status"], ran["output"]) == ("completed", {"choice": "no"})
    assert left["status"] == "suspended"
    (form,) = asked
    assert form.message.startswith("Do it?")
    assert form.requested_schema["properties"]["choice"]["enum"] == ["yes", "no"]


@over_http
async def test_a_person_who_does_not_want_to_leaves_it_to_the_agent(connect):
    async def elicited(_, __):
        return t.ElicitResult(action="decline")

    async with connect(elicitation_callback=elicited) as client:
        await client.call_tool("opcode.define", {"name": "ask", "definition": ASK, "agent_id": "ada"})
        ran = data(await client.call_tool("opcode.run", {"template_name": "ask", "agent_id": "ada"}))
    assert ran["status"] == "suspended"


@over_http
async def test_the_same_key_gives_the_same_run(connect, transport, mode):
    async with connect() as client:
        await client.call_tool("opcode.define", {"name": "hello", "definition": HELLO, "agent_id": "ada"})
        call = {"template_name": "hello", "agent_id": "ada", "idempotency_key": f"{transport} {mode}"}
        first, again = [data(await client.call_tool("opcode.run", call)) for _ in range(2)]
        assert first == again


@over_http
async def test_a_run_that_takes_longer_goes_on(connect):
    async with connect() as client:
        definition = {"steps": [{"id": "nap", "type": "wait", "config": {"duration": "600ms"}}]}
        await client.call_tool("opcode.define", {"name": "nap", "definition": definition, "agent_id": "ada"})
        call = {"template_name": "nap", "agent_id": "ada", "timeout": "50ms"}
        ran = data(await client.call_tool("opcode.run", call))
        assert ran["status"] == "active"
        not_waited = data(await client.call_tool("opcode.run", {**call, "wait": False}))
        assert not_waited["status"] == "active"
        async with asyncio.timeout(10):
            while (ended := await status(client, ran))["status"] == "active":
                await asyncio.sleep(0.05)
        assert ended["status"] == "completed"


@over_http
async def test_what_is_wrong_is_a_result_that_says_so(connect):
    async with connect() as client:
        cases = [
            ("opcode.run", {"template_nam": "x"}, "VALIDATION_ERROR", "did you mean 'template_name'"),
            ("opcode.run", {"template_name": "nowhere", "agent_id": "a"}, "NOT_FOUND", "nowhere"),
            (
                "opcode.run",
                {"template_name": 3, "agent_id": "a"},
                "VALIDATION_ERROR",
                "template_name: should be string",
            ),
            ("opcode.status", {"workflow_id": "nope"}, "NOT_FOUND", "nope"),
            ("opcode.query", {"resource": "events"}, "VALIDATION_ERROR", "filter"),
            (
                "opcode.query",
                {"resource": "templates", "filter": {"status": "x"}},
                "VALIDATION_ERROR",
                "filter.status",
            ),
            ("opcode.diagram", {"format": "ascii"}, "VALIDATION_ERROR", "template_name"),
            (
                "opcode.define",
                {"name": "x", "agent_id": "a", "definition": {"steps": []}},
                "VALIDATION_ERROR",
                "steps",
            ),
            ("opcode.nothing", {}, "NOT_FOUND", "did you mean 'opcode.signal'"),
        ]
        for tool, arguments, code, words in cases:
            said = refusal(await client.call_tool(tool, arguments))
            assert said.startswith(f"{code}: "), said
            assert words in said, said


@over_http
async def test_every_fault_of_a_definition_is_told(connect):
    async with connect() as client:
        definition = {
            "steps": [
                {"id": "a", "action": "http.got"},
                {"id": "b", "action": "shell.exec", "params": {"cmd": 1}},
            ]
        }
        said = refusal(
            await client.call_tool("opcode.define", {"name": "x", "definition": definition, "agent_id": "a"})
        )
        assert "steps[0].action" in said
        assert "http.get" in said
        assert "steps[1]" in said


@over_http
async def test_resources_and_prompts(connect):
    async with connect() as client:
        await client.call_tool("opcode.define", {"name": "a/b ü", "definition": HELLO, "agent_id": "ada"})
        ran = data(await client.call_tool("opcode.run", {"template_name": "a/b ü", "agent_id": "ada"}))
        uris = [str(resource.uri) for resource in (await client.list_resources()).resources]
        assert {"opcode://guide", "opcode://actions", "opcode://templates/a%2Fb%20%C3%BC"} <= set(uris)
        texts = [(await client.read_resource(uri)).contents[0].text for uri in uris]
        assert all(texts)
        run = (await client.read_resource(f"opcode://workflows/{ran['workflow_id']}")).contents[0].text
        assert '"completed"' in run
        kinds = (await client.list_resource_templates()).resource_templates
        assert {kind.name for kind in kinds} == {"template", "workflow", "inbox"}
        names = [prompt.name for prompt in (await client.list_prompts()).prompts]
        assert names == ["write_workflow", "review_failed_run"]
        prompt = await client.get_prompt("review_failed_run", {"workflow_id": ran["workflow_id"]})
        assert ran["workflow_id"] in prompt.messages[0].content.text


@over_http
async def test_a_notice_stays_in_the_inbox(connect, transport, mode):
    async with connect() as client:
        agent = f"told {transport} {mode}"
        await client.call_tool("opcode.define", {"name": "tell", "definition": NOTIFY, "agent_id": agent})
        await client.call_tool(
            "opcode.run", {"template_name": "tell", "agent_id": agent, "params": {"text": "ping"}}
        )
        uri = f"opcode://inbox/{agent.replace(' ', '%20')}"
        assert '"ping"' in (await client.read_resource(uri)).contents[0].text
