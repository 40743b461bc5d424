"""The testkit's `call` holds an action to its promises."""

import threading
from typing import Any

import pytest
from typing_extensions import TypedDict

from opcode_core import ActionContext, ErrorCode, OpcodeError, PathPolicy, RunEnded, action
from opcode_testkit.actions import RecordedRun, call, make_context


class Greeting(TypedDict):
    text: str


@action("greet.hello", effect="pure")
def hello(name: str, times: int = 1) -> Greeting:
    """Greet."""
    return {"text": f"hello {name}" * times}


async def test_a_plain_an_async_and_a_blocking_action_are_called():
    @action("t.async")
    async def later(name: str) -> Greeting:
        return {"text": name}

    @action("t.blocking", blocking=True)
    def blocking() -> dict[str, bool]:
        return {"elsewhere": threading.current_thread() is not threading.main_thread()}

    assert await call(hello, {"name": "Ada"}) == {"text": "hello Ada"}
    assert await call(later, {"name": "Ada"}) == {"text": "Ada"}
    assert await call(blocking) == {"elsewhere": True}


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({}, "params: 'name' is a required property"),
        ({"name": 1}, "params.name: 1 is not of type 'string'"),
        ({"name": "a", "loud": True}, "'loud' was unexpected"),
        ({"name": "a", "times": float("nan")}, "params are not JSON: NaN"),
        ({"name": {1, 2}}, "params are not JSON"),
    ],
)
async def test_params_that_the_engine_would_refuse_are_refused(params, message: str):
    with pytest.raises(OpcodeError) as refused:
        await call(hello, params)
    assert refused.value.code is ErrorCode.VALIDATION_ERROR
    assert refused.value.message.startswith("action greet.hello: ")
    assert message in refused.value.message


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ({"text": 1}, "broke its output schema: output.text: 1 is not of type 'string'"),
        ({}, "broke its output schema: output: 'text' is a required property"),
        ({"text": "a", "at": object()}, "returned what is not JSON"),
        ({"text": float("inf")}, "returned what is not JSON"),
    ],
)
async def test_an_output_that_was_not_promised_is_a_failure(output, message: str):
    @action("t.broken")
    def broken() -> Greeting:
        return output

    with pytest.raises(AssertionError, match="action t.broken") as failed:
        await call(broken)
    assert message in str(failed.value)


async def test_the_output_is_what_the_log_would_give_back():
    @action("t.tuple")
    def pair() -> Any:
        return {"pair": (1, 2)}

    assert await call(pair) == {"pair": [1, 2]}


async def test_what_an_action_raises_comes_through():
    @action("t.fails")
    def fails() -> Any:
        raise OpcodeError(ErrorCode.NOT_FOUND, "gone")

    with pytest.raises(OpcodeError, match="gone"):
        await call(fails)


async def test_an_action_meets_its_surroundings(tmp_path):
    policy = PathPolicy(deny=(tmp_path,))

    @action("t.surroundings")
    def look(context: ActionContext) -> Any:
        return {"paths": context.paths is policy, "attempt": context.attempt, "deadline": context.deadline}

    seen = await call(look, paths=policy, attempt=3, deadline=9.5)
    assert seen == {"paths": True, "attempt": 3, "deadline": 9.5}
    assert make_context().run.events == []


async def test_what_an_action_does_to_its_run_is_recorded():
    run = RecordedRun(context={"a": {"b": 1}}, others={"other": {}}, values={"1 + 1": 2}, live=False)

    @action("t.busy")
    async def busy(context: ActionContext) -> Any:
        await context.run.emit("seen", {"n": 1})
        await context.run.update_context({"x": 2}, "other")
        (await context.run.read_context())["a"]["b"] = "a copy was changed"
        return {
            "told": await context.run.notify("hi", None),
            "value": await context.run.evaluate("cel", "1 + 1", {}),
            "same_child": await context.run.start_run("t", None, {})
            == await context.run.start_run("t", None, {}),
        }

    assert await call(busy, run=run) == {"told": False, "value": 2, "same_child": True}
    assert (run.events, run.notified) == ([("seen", {"n": 1})], [("hi", None)])
    assert (run.context, run.others) == ({"a": {"b": 1}}, {"other": {"x": 2}})
    assert run.evaluated == [("cel", "1 + 1", {})]
    with pytest.raises(OpcodeError, match="there is no run 'none'"):
        await run.read_context("none")
    with pytest.raises(OpcodeError, match="no value was given for 'x'"):
        await run.evaluate(None, "x", None)


async def test_a_step_that_waits_for_another_run_says_so():
    @action("t.child")
    async def child(context: ActionContext) -> Any:
        return RunEnded(await context.run.start_run("t", "v1", {}))

    assert await call(child) == RunEnded("child-1")
