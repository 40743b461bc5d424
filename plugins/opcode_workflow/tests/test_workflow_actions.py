"""What the workflow.* actions do to a run."""

import asyncio
import logging

import pytest

from opcode_core import ErrorCode, OpcodeError, RunEnded
from opcode_testkit.actions import RecordedRun, call
from opcode_workflow import actions, expressions


async def test_a_child_is_waited_for_by_default():
    run = RecordedRun()
    made = await call(actions.run, {"template_name": "t", "version": "v2", "params": {"a": 1}}, run=run)
    assert made == RunEnded("child-1")
    assert run.started == [("t", "v2", {"a": 1})]


async def test_a_child_may_be_left_to_itself():
    made = await call(actions.run, {"template_name": "t", "wait": False})
    assert made == {"workflow_id": "child-1", "status": "active"}


@pytest.mark.parametrize("name", ["event_type", "event", "signal"])
@pytest.mark.parametrize("payload", ["payload", "data"])
async def test_an_event_may_be_named_in_each_way(name: str, payload: str):
    run = RecordedRun()
    assert await call(actions.emit, {name: "order_seen", payload: {"n": 1}}, run=run) == {"emitted": True}
    assert run.events == [("order_seen", {"n": 1})]


async def test_an_event_without_a_type_is_refused():
    for params in ({"payload": {}}, {"event": ""}):
        with pytest.raises(OpcodeError, match="'event_type' is missing"):
            await call(actions.emit, params)


async def test_an_event_with_two_names_is_refused():
    run = RecordedRun()
    with pytest.raises(OpcodeError, match="mean the same, but differ: a, b"):
        await call(actions.emit, {"event_type": "b", "signal": "a"}, run=run)
    assert run.events == []
    assert await call(actions.emit, {"event_type": "a", "event": "a"}, run=run) == {"emitted": True}


async def test_the_context_is_read_and_updated():
    run = RecordedRun(context={"intent": "sell"}, others={"other": {"x": 1}})
    updated = await call(
        actions.context_, {"action": "update", "data": {"n": 2}, "agent_notes": "done"}, run=run
    )
    assert updated == {"updated": True}
    assert await call(actions.context_, {}, run=run) == {
        "intent": "sell",
        "n": 2,
        "agent_notes": "done",
    }
    assert await call(actions.context_, {"workflow_id": "other"}, run=run) == {"x": 1}


async def test_an_update_of_nothing_and_an_unknown_action_are_refused():
    with pytest.raises(OpcodeError, match="needs 'data' or 'agent_notes'"):
        await call(actions.context_, {"action": "update"})
    with pytest.raises(OpcodeError, match="params.action: 'delete' is not one of"):
        await call(actions.context_, {"action": "delete"})


async def test_fail_is_never_retried():
    with pytest.raises(OpcodeError, match="enough") as failed:
        await call(actions.fail, {"reason": "enough"})
    assert failed.value.code is ErrorCode.NON_RETRYABLE
    assert not failed.value.retryable
    with pytest.raises(OpcodeError, match="the workflow was told to fail"):
        await call(actions.fail, {"reason": ""})


async def test_log_writes_the_message_its_level_and_every_further_key(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO, "opcode.action")
    params = {"message": "100 % done", "level": "warning", "data": [1], "order": "A-1"}
    assert await call(actions.log, params) == {"logged": True}
    (record,) = caplog.records
    assert (record.levelname, record.getMessage()) == ("WARNING", "100 % done")
    assert record.fields == {"order": "A-1", "data": [1]}  # type: ignore[attr-defined]


@pytest.mark.parametrize("key", ["context", "ctx", "fields", "extra", "msg", "name", "self"])
async def test_a_further_key_of_a_log_line_may_have_any_name(caplog: pytest.LogCaptureFixture, key: str):
    caplog.set_level(logging.INFO, "opcode.action")
    assert await call(actions.log, {"message": "x", key: 1}) == {"logged": True}
    assert caplog.records[0].fields == {key: 1}  # type: ignore[attr-defined]


@pytest.mark.parametrize(("message", "text"), [(3, "3"), ({"a": [None]}, '{"a":[null]}'), (None, "null")])
async def test_what_is_not_a_text_is_told_as_json(caplog: pytest.LogCaptureFixture, message, text: str):
    caplog.set_level(logging.INFO, "opcode.action")
    run = RecordedRun()
    await call(actions.log, {"message": message})
    await call(actions.notify, {"message": message}, run=run)
    assert caplog.records[0].getMessage() == text
    assert run.notified == [(text, None)]


@pytest.mark.parametrize(
    ("level", "name"),
    [("debug", "DEBUG"), ("info", "INFO"), ("warn", "WARNING"), ("warning", "WARNING"), ("error", "ERROR")],
)
async def test_levels(caplog: pytest.LogCaptureFixture, level: str, name: str):
    caplog.set_level(logging.DEBUG, "opcode.action")
    await call(actions.log, {"message": "x", "level": level})
    assert caplog.records[0].levelname == name


async def test_notify_tells_a_live_agent():
    run = RecordedRun()
    assert await call(actions.notify, {"message": "hi", "data": 1}, run=run) == {"notified": True}
    assert run.notified == [("hi", 1)]


async def test_notify_never_fails():
    class Broken(RecordedRun):
        async def notify(self, message, data):
            raise ConnectionError("gone")

    assert (await call(actions.notify, {"message": "hi"}, run=RecordedRun(live=False)))["notified"] is False
    answer = await call(actions.notify, {"message": "hi"}, run=Broken())
    assert answer == {"notified": False, "reason": "gone"}


async def test_notify_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch):
    class Slow(RecordedRun):
        async def notify(self, message, data):
            await asyncio.Event().wait()

    monkeypatch.setattr(actions, "NOTIFY_SECONDS", 0.01)
    answer = await call(actions.notify, {"message": "hi"}, run=Slow())
    assert answer == {"notified": False, "reason": "the agent's session took more than 0.01 s"}


async def test_notify_can_still_be_cancelled():
    class Slow(RecordedRun):
        async def notify(self, message, data):
            begun.set()
            await asyncio.Event().wait()

    begun = asyncio.Event()
    task = asyncio.ensure_future(call(actions.notify, {"message": "hi"}, run=Slow()))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_the_run_chooses_the_language_unless_one_is_named():
    run = RecordedRun(values={"1 + 1": 2})
    assert await call(expressions.evaluate, {"expression": "1 + 1"}, run=run) == {"result": 2}
    assert run.evaluated == [(None, "1 + 1", None)]


async def test_an_expression_is_evaluated_by_the_named_engine():
    run = RecordedRun(values={"data.n": 3})
    params = {"expression": "data.n", "data": {"n": 3}, "engine": "jq"}
    assert await call(expressions.evaluate, params, run=run) == {"result": 3}
    assert run.evaluated == [("jq", "data.n", {"n": 3})]
