"""What the workflow.* actions do to a run."""

import logging

import pytest

from opcode_core import ErrorCode, OpcodeError, RunEnded
from opcode_testkit.actions import RecordedRun, call, make_context
from opcode_workflow import actions, expressions


async def test_a_child_is_waited_for_by_default():
    run = RecordedRun()
    made = await call(
        actions.run, {"template_name": "t", "version": "v2", "params": {"a": 1}}, make_context(run)
    )
    assert made == RunEnded("child-1")
    assert run.started == [("t", "v2", {"a": 1})]


async def test_a_child_may_be_left_to_itself():
    made = await call(actions.run, {"template_name": "t", "wait": False}, make_context())
    assert made == {"workflow_id": "child-1"}


@pytest.mark.parametrize("name", ["event_type", "event", "signal"])
@pytest.mark.parametrize("payload", ["payload", "data"])
async def test_an_event_may_be_named_in_each_way(name: str, payload: str):
    run = RecordedRun()
    assert await call(actions.emit, {name: "order_seen", payload: {"n": 1}}, make_context(run)) == {
        "emitted": True
    }
    assert run.events == [("order_seen", {"n": 1})]


async def test_an_event_without_a_type_is_refused():
    with pytest.raises(OpcodeError, match="'event_type' is missing"):
        await call(actions.emit, {"payload": {}}, make_context())


async def test_the_context_is_read_and_updated():
    run = RecordedRun(context={"intent": "sell"}, others={"other": {"x": 1}})
    updated = await call(
        actions.context_, {"action": "update", "data": {"n": 2}, "agent_notes": "done"}, make_context(run)
    )
    assert updated == {"updated": True}
    assert await call(actions.context_, {}, make_context(run)) == {
        "intent": "sell",
        "n": 2,
        "agent_notes": "done",
    }
    assert await call(actions.context_, {"workflow_id": "other"}, make_context(run)) == {"x": 1}


async def test_an_update_of_nothing_and_an_unknown_action_are_refused():
    with pytest.raises(OpcodeError, match="needs 'data' or 'agent_notes'"):
        await call(actions.context_, {"action": "update"}, make_context())
    with pytest.raises(OpcodeError, match=r"\$\.action"):
        await call(actions.context_, {"action": "delete"}, make_context())


async def test_fail_is_never_retried():
    with pytest.raises(OpcodeError, match="enough") as failed:
        await call(actions.fail, {"reason": "enough"})
    assert failed.value.code is ErrorCode.NON_RETRYABLE
    assert not failed.value.retryable


async def test_log_writes_the_message_its_level_and_every_further_key(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO, "opcode.action")
    params = {"message": "100 % done", "level": "warning", "data": [1], "order": "A-1"}
    assert await call(actions.log, params) == {"logged": True}
    (record,) = caplog.records
    assert (record.levelname, record.getMessage()) == ("WARNING", "100 % done")
    assert record.fields == {"order": "A-1", "data": [1]}  # type: ignore[attr-defined]


async def test_notify_tells_a_live_agent():
    run = RecordedRun()
    assert await call(actions.notify, {"message": "hi", "data": 1}, make_context(run)) == {"notified": True}
    assert run.notified == [("hi", 1)]


async def test_notify_never_fails():
    class Broken(RecordedRun):
        async def notify(self, message, data):
            raise ConnectionError("gone")

    assert (await call(actions.notify, {"message": "hi"}, make_context(RecordedRun(live=False))))[
        "notified"
    ] is False
    answer = await call(actions.notify, {"message": "hi"}, make_context(Broken()))
    assert answer == {"notified": False, "reason": "gone"}


async def test_an_expression_is_evaluated_by_the_named_engine():
    run = RecordedRun(values={"data.n": 3})
    params = {"expression": "data.n", "data": {"n": 3}, "engine": "jq"}
    assert await call(expressions.evaluate, params, make_context(run)) == {"result": 3}
    assert run.evaluated == [("jq", "data.n", {"n": 3})]
