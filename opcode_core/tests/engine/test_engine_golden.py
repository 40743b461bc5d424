"""Histories that earlier versions wrote: this one folds them to the same end, and goes on from any place in them."""

import json
from pathlib import Path

import pytest
from engine_stories import left_behind, live

from opcode_core import Event, dumps
from opcode_core.contracts.storage import Commit
from opcode_core.engine.log import record_of
from opcode_core.folding import fold

GOLDEN = Path(__file__).parents[3] / "tests" / "golden"
HISTORIES = sorted(GOLDEN.glob("*.json"))


def test_there_are_histories_of_every_feature():
    assert len(HISTORIES) >= 30


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)
def test_it_folds_to_the_same_end(path):
    told = json.loads(path.read_text("utf-8"))
    state = fold(told["run"], log_of(told, told["run"]))
    end = told["end"]
    assert (state.status, dumps(state.output), state.error) == (
        end["status"],
        dumps(end["output"]),
        end["error"],
    )
    assert {s: [step.status, step.attempt] for s, step in state.steps.items()} == end["steps"]


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)
async def test_it_is_finished_from_any_place(make_bench, path):
    told = json.loads(path.read_text("utf-8"))
    log = log_of(told, told["run"])
    first = await make_bench()
    await first.engine.define("child", told["child"])
    for run_id in told["logs"]:
        events = log_of(told, run_id)
        source = told["definition"] if run_id == told["run"] else told["child"]
        plan = await first.engine.plan(source)
        assert events[0].payload["definition"] == plan.hash, "a definition must keep its hash"
        state = fold(run_id, events)
        await first.storage.commit([Commit(record_of(state), events, plan.source)])
    state = fold(told["run"], log)
    for sequence in range(1, len(log), max(1, len(log) // 6)):
        bench = await make_bench(await left_behind(first.storage, state, log, sequence))
        bench.clock.time = log[sequence - 1].timestamp
        bench.ids.made = 1000 * sequence
        bench.lab.tries.update(tried(log[:sequence]))
        after = await live(bench, told["run"])
        assert (after.status, dumps(after.output)) == (told["end"]["status"], dumps(told["end"]["output"]))


def log_of(told, run_id):
    return [Event(*event) for event in told["logs"][run_id]]


def tried(log):
    """How often flaky steps have failed so far."""
    counted = ("step_retrying", "step_failed", "step_ignored")
    counts = {}
    for event in log:
        if event.event_type in counted and "interrupted" not in event.payload:
            counts[event.step_id] = counts.get(event.step_id, 0) + 1
    return counts
