"""Tools of a server as actions of real workflows: what goes in, what comes out, what goes wrong."""

import asyncio
import json

import pytest
from toolhouse import HERE, beside, eventually, housed

from opcode_core import OpcodeError
from opcode_core.hosting import InvalidDefinition


@pytest.fixture
async def tools(house):
    await house.add("t")
    await house.until("t", "active")
    return house


@pytest.mark.parametrize(
    ("tool", "params", "output"),
    [
        ("echo", {"text": "hello"}, {"text": "hello"}),
        ("echo", {"text": "12"}, {"text": "12"}),
        ("echo", {"text": "{no json"}, {"text": "{no json"}),
        ("echo", {"text": "${{ '${' + '{ 1 + 1 }}' }}"}, {"text": "${{ 1 + 1 }}"}),
        ("json", {}, {"a": [1, 2.5, None]}),
        ("structured", {}, {"n": 1}),
        (
            "image",
            {},
            {"text": "a picture", "content": [
                {"type": "text", "text": "a picture"}, {"type": "image", "mimeType": "image/png", "data": "UE5H"}]},
        ),
        (
            "resource",
            {},
            {"text": "", "content": [
                {"type": "resource", "mimeType": "application/x", "uri": "file:///x", "data": "eHh4"}]},
        ),
        (
            "resource",
            {"size": 4_000_000},
            {"text": "", "content": [
                {"type": "resource", "mimeType": "application/x", "uri": "file:///x", "data": None,
                 "omitted": "4,000,002 bytes; at most 3,145,728 are kept"}]},
        ),
    ],
)  # fmt: skip
async def test_what_a_tool_gives_is_the_output_of_its_step(tools, tool, params, output):
    assert await tools.output(f"t.{tool}", params) == output


async def test_steps_pass_what_tools_gave_to_each_other(tools):
    steps = [
        {"id": "a", "action": "t.json"},
        {"id": "b", "action": "t.echo", "params": {"text": "${{steps.a.a[1]}} is it"}, "depends_on": ["a"]},
    ]
    state = await tools.engine.run({"steps": steps})
    assert state.output == {"b": {"text": "2.5 is it"}}


@pytest.mark.parametrize(
    ("tool", "params", "code", "words"),
    [
        ("error", {}, "EXECUTION_ERROR", "t.error failed: it is broken"),
        ("refuse", {}, "VALIDATION_ERROR", "t.refuse: not like this"),
        ("shapeless", {}, "EXECUTION_ERROR", "what it answers is not what the protocol says"),
        ("crash", {}, "EXECUTION_ERROR", "lost during the call: it ended with exit code 7: I die of sorrow"),
        ("many", {}, "EXECUTION_ERROR", "it sends more than 1000 messages a second"),
        ("huge", {}, "EXECUTION_ERROR", "a message of more than 8,388,608 bytes"),
    ],
)
async def test_what_goes_wrong_is_an_error_in_words(tools, tool, params, code, words):
    error = await tools.error(f"t.{tool}", params)
    assert (error["code"], words in error["message"]) == (code, True), error
    assert "Traceback" not in error["message"]
    if code != "VALIDATION_ERROR":
        await tools.until("t", "active")
        assert await tools.output("t.echo", {"text": "again"}) == {"text": "again"}


async def test_a_long_error_is_cut(tools):
    error = await tools.error("t.error", {"more": 100_000})
    assert len(error["message"]) < 2100


async def test_a_lost_call_is_tried_again_where_the_step_says_so(tools, tmp_path):
    error = await tools.error("t.crash", retry={"max": 2, "delay": "300ms"})
    assert (error["code"], error["details"]["retries"]) == ("RETRY_EXHAUSTED", 2)


async def test_a_definition_is_checked_against_the_tools(tools):
    for action, params, words in (
        ("t.echo", {}, "'text' is missing"),
        ("t.echo", {"text": "x", "txt": 1}, "unknown param 'txt'"),
        ("t.ecko", {}, "did you mean 't.echo'?"),
    ):
        with pytest.raises(InvalidDefinition, match=words.replace("?", r"\?")):
            await tools.engine.plan({"steps": [{"id": "a", "action": action, "params": params}]})


async def test_params_that_only_the_run_knows_are_checked_before_the_call(tools):
    error = await tools.error("t.echo", {"text": "${{ 1 + 1 }}"})
    assert error["code"] == "VALIDATION_ERROR"
    assert "params.text" in error["message"]


async def test_annotations_say_what_a_repetition_does(tools):
    effects = {name: tools.engine.registry.action(f"t.{name}").effect for name in ("echo", "put", "sleep")}
    assert effects == {"echo": "pure", "put": "idempotent", "sleep": "external"}


async def test_the_key_of_the_step_goes_with_the_call(tools):
    state = await tools.run("t.meta")
    assert state.steps["a"].output["opcode/idempotency-key"].startswith(f"{state.id}:a:")


@pytest.mark.parametrize("how", ["timeout", "cancel"])
async def test_giving_up_a_step_cancels_the_call_at_the_server(house, tmp_path, how):
    note = tmp_path / "note"
    await house.add("t", "--note", str(note))
    await house.until("t", "active")
    if how == "timeout":
        error = await house.error("t.sleep", {"seconds": 60}, timeout="300ms")
        assert error["code"] == "TIMEOUT_ERROR"
    else:
        steps = [{"id": "a", "action": "t.sleep", "params": {"seconds": 60}}]
        run_id = await house.engine.start({"steps": steps})
        await eventually(lambda: "begin" in note.read_text(), note.read_text)
        assert (await house.engine.cancel(run_id)).status == "cancelled"
    await eventually(lambda: "cancelled" in note.read_text(), note.read_text)
    assert await house.output("t.echo", {"text": "still there"}) == {"text": "still there"}


async def test_a_call_has_an_end_where_its_step_says_nothing(house):
    await house.add("t", timeout="300ms")
    error = await house.error("t.sleep", {"seconds": 60})
    assert (error["code"], "took longer than 0.3 s" in error["message"]) == ("TIMEOUT_ERROR", True)


async def test_calls_go_on_side_by_side_but_not_too_many(house, tmp_path, monkeypatch):
    monkeypatch.setattr("opcode_mcp.link.MOST_CALLS", 3)
    note = tmp_path / "note"
    await house.add("t", "--note", str(note))
    await house.until("t", "active")
    steps = [{"id": f"s{i}", "action": "t.sleep", "params": {"seconds": 0.3}} for i in range(6)]
    state = await house.engine.run({"steps": steps})
    assert state.status == "completed", state.error
    told = [line.split()[0] for line in note.read_text().splitlines() if not line.startswith("pid")]
    at_once = most = 0
    for line in told:
        at_once += 1 if line == "begin" else -1
        most = max(most, at_once)
    assert most == 3


@pytest.mark.parametrize("way", ["stdio", "http", "sse"])
async def test_servers_of_the_sdk_over_every_transport(house, way):
    if way == "stdio":
        await house.add("sdk", command=house.python, args=[str(HERE / "sdk_server.py"), "stdio"])
        assert await house.output("sdk.add", {"a": 1, "b": 2}) == {"sum": 3}
        return
    with beside(str(HERE / "sdk_server.py"), way) as (port, process):
        path = "sse" if way == "sse" else "mcp"
        await house.add("sdk", url=f"http://127.0.0.1:{port}/{path}")
        assert house.link("sdk").server.transport == way
        assert await house.output("sdk.add", {"a": 1, "b": 2}) == {"sum": 3}
        process.kill()
        process.wait()
        error = await house.error("sdk.add", {"a": 1, "b": 2})
        assert error["code"] in ("EXECUTION_ERROR", "ACTION_UNAVAILABLE"), error
        await house.until("sdk", "error")
        assert (await house.error("sdk.add", {"a": 1, "b": 2}))["code"] == "ACTION_UNAVAILABLE"


async def test_an_http_server_of_another_make_and_its_end(house):
    with beside(str(HERE / "naughty.py"), "--http") as (port, _):
        await house.add("h", url=f"http://127.0.0.1:{port}/mcp")
        assert await house.output("h.echo", {"text": "hello"}) == {"text": "hello"}
        error = await house.error("h.huge")
        assert "more than 8,388,608 bytes" in error["message"]
        await house.until("h", "active")
    error = await house.error("h.echo", {"text": "x"})
    await house.until("h", "error")
    with beside(str(HERE / "naughty.py"), "--http", "--port", str(port)):
        await house.until("h", "active")
        assert await house.output("h.echo", {"text": "back"}) == {"text": "back"}


async def test_an_engine_for_one_run_starts_a_server_only_when_it_is_called(tmp_path):
    note = tmp_path / "note"
    async with housed(others=False) as house:
        config = {"id": "t", "command": house.python, "args": [str(HERE / "naughty.py"), "--note", str(note)]}
        await house.source.add(house.storage, config)
        await house.engine.recall_providers()
        assert await house.output("crypto.uuid")
        assert not note.exists()
        assert await house.output("t.echo", {"text": "x"}) == {"text": "x"}
        assert note.exists()


async def test_an_action_without_context_still_calls(tools):
    action = tools.engine.registry.action("t.echo")
    assert await action.call({"text": "x"}, None) == {"text": "x"}
    with pytest.raises(OpcodeError, match="'text' is missing"):
        await action.call({}, None)
    assert json.loads(json.dumps(action.params_schema))["required"] == ["text"]
    await asyncio.sleep(0)
