"""The in-memory storage keeps what every storage promises."""

import time

import pytest

from opcode_core import Commit, Event, EventFilter, RunFilter, RunRecord
from opcode_core.memory import MemoryStorage
from opcode_testkit.storage import StorageConformance


class TestMemoryStorage(StorageConformance):
    persistent = False

    @pytest.fixture
    def make_storage(self):
        return MemoryStorage


def small_run(number: int) -> Commit:
    run_id = f"run-{number:09}"
    events = [Event(run_id, n, "step_completed", "a", {"n": n}, "agent", 1.5) for n in range(1, 23)]
    return Commit(RunRecord(run_id, "completed", "h", None, None, "agent", float(number), 2.0, 22), events)


async def test_values_are_shared_not_copied():
    storage = MemoryStorage()
    commit = small_run(1)
    await storage.commit([commit])
    (event, *_) = (await storage.events(EventFilter("run-000000001"))).items
    assert event is commit.events[0]


async def test_rows_stay_after_closing():
    storage = MemoryStorage()
    await storage.open()
    await storage.commit([small_run(1)])
    await storage.close()
    await storage.open()
    assert len((await storage.runs(RunFilter())).items) == 1


async def test_a_commit_costs_the_same_however_long_the_history_is():
    storage = MemoryStorage()
    commits = [[small_run(number)] for number in range(4000)]
    times = []
    for commit in commits:
        start = time.perf_counter()
        await storage.commit(commit)
        times.append(time.perf_counter() - start)
    early, late = sorted(times[500:1000])[250], sorted(times[-500:])[250]
    assert late < early * 5
    assert late < 100e-6  # far above what it takes (3 µs), so that a busy machine does not fail it


async def test_runs_that_began_earlier_may_come_later():
    storage = MemoryStorage()
    for number in (5, 1, 3, 2, 4):
        await storage.commit([small_run(number)])
    page = await storage.runs(RunFilter(), 2)
    rest = await storage.runs(RunFilter(), 10, page.cursor)
    assert [run.started_at for run in (*page.items, *rest.items)] == [5, 4, 3, 2, 1]
