"""A process dies after any event of a run: the next one goes on as if nothing had happened.

For each workflow the whole log is recorded once. Then, for every place in it, a storage is made that
ends there, as a dead process would have left it, and an engine is started on it.
"""

from collections import Counter

import pytest
from engine_stories import WORKFLOWS, left_behind, live, recorded

from opcode_core import dumps
from opcode_core import events as e


def ends_of(log):
    return {event.step_id for event in log if event.event_type in (e.STEP_COMPLETED, e.STEP_SKIPPED)}


@pytest.mark.parametrize("name", WORKFLOWS)
async def test_a_run_goes_on_from_wherever_its_process_died(make_bench, name):
    first = await make_bench()
    state, log = await recorded(first, name)
    expected = (state.status, dumps(state.output), state.error and state.error["code"])
    for sequence in range(1, len(log)):
        storage = await left_behind(first.storage, state, log, sequence)
        bench = await make_bench(storage)
        bench.clock.time = log[sequence - 1].timestamp
        bench.ids.made = 1000 * sequence
        bench.lab.tries.update(tries_of(log[:sequence]))
        after = await live(bench, state.id)
        where = f"died after {log[sequence - 1].event_type} {log[sequence - 1].step_id}"
        assert (after.status, dumps(after.output), after.error and after.error["code"]) == expected, where
        retried = {event.step_id for event in log if event.event_type == e.STEP_RETRYING}
        again = [call for call in bench.lab.calls if call in ends_of(log[:sequence])]
        assert [call for call in again if not any(call.startswith(f"{block}.") for block in retried)] == [], (
            where
        )
        new = (await bench.events(state.id))[sequence:]
        assert_nothing_twice(log[:sequence], new, where)


def tries_of(log):
    """How often flaky steps were tried, as the world remembers it: an attempt in flight may not count."""
    failed = (e.STEP_RETRYING, e.STEP_FAILED, e.STEP_IGNORED)
    return Counter(
        event.step_id for event in log if event.event_type in failed and "interrupted" not in event.payload
    )


def assert_nothing_twice(before, after, where):
    """What was decided, taken or answered before is not decided, taken or answered again."""
    for event_type in (
        e.CONDITION_EVALUATED, e.PARALLEL_STARTED, e.WAIT_STARTED, e.DECISION_REQUESTED, e.DECISION_RESOLVED,
    ):  # fmt: skip
        once = [event.step_id for event in before if event.event_type == event_type]
        twice = [event.step_id for event in after if event.event_type == event_type and event.step_id in once]
        retried = {event.step_id for event in (*before, *after) if event.event_type == e.STEP_RETRYING}
        twice = [step_id for step_id in twice if not any(step_id.startswith(other) for other in retried)]
        assert twice == [], f"{event_type} again: {where}"
