"""Whoever uses no secrets pays nothing for those who do."""

from engine_workbench import echo, step, workflow

from opcode_core import redaction


async def test_nothing_is_looked_through(make_bench, monkeypatch):
    searched = []
    monkeypatch.setattr(redaction, "_prepared", searched.append)
    bench = await make_bench()
    state = await bench.run(
        workflow(
            echo("a", {"text": "x" * 100}),
            step("b", "t.aecho", {"value": "${{steps.a}}"}),
            step(
                "c",
                "t.araise",
                {"kind": "value", "message": "no"},
                after="b",
                on_error={"strategy": "ignore"},
            ),
            step("d", "t.remember", {"data": {"k": "${{steps.b}}"}}, after="b"),
            step("e", "t.emit", {"event_type": "mine", "payload": {"k": "v"}}, after="b"),
        )
    )
    assert {name: one.status for name, one in state.steps.items()} == {
        "a": "completed",
        "b": "completed",
        "c": "skipped",
        "d": "completed",
        "e": "completed",
    }
    assert searched == []
