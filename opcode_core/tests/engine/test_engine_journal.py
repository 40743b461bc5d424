"""The journal and the hub: what is due together is stored together, and then told."""

import asyncio
import logging

import pytest

from opcode_core import Commit, Event, OpcodeError, RunRecord
from opcode_core.engine.hub import Hub
from opcode_core.engine.journal import Journal
from opcode_core.errors import ErrorCode
from opcode_core.memory import MemoryStorage


def commit(run_id, sequence=1):
    event = Event(run_id, sequence, "custom", None, {}, "agent", 1.0)
    return Commit(RunRecord(run_id, "active", "h", None, None, "agent", 1.0, 1.0, sequence), [event])


class Slow(MemoryStorage):
    def __init__(self):
        super().__init__()
        self.groups = []
        self.may_go_on = asyncio.Event()
        self.refused = set()

    async def commit(self, commits):
        self.groups.append([commit.run.id for commit in commits])
        await self.may_go_on.wait()
        if self.refused & {commit.run.id for commit in commits}:
            raise OpcodeError(ErrorCode.STORE_ERROR, "refused")
        await super().commit(commits)


@pytest.fixture
def told():
    return []


@pytest.fixture
def storage():
    return Slow()


@pytest.fixture
def journal(storage, told):
    return Journal(storage, lambda events: told.append([event.workflow_id for event in events]))


async def begin(journal, *commits):
    tasks = []
    for one in commits:
        tasks.append(asyncio.create_task(journal.commit(one)))
        await asyncio.sleep(0)
    return tasks


async def test_what_comes_while_one_is_written_shares_the_next_transaction(journal, storage, told):
    tasks = await begin(journal, *(commit(name) for name in "abcd"))
    assert storage.groups == [["a"]]
    storage.may_go_on.set()
    await asyncio.gather(*tasks)
    assert storage.groups == [["a"], ["b", "c", "d"]]
    assert told == [["a"], ["b", "c", "d"]]


async def test_commits_of_one_run_keep_their_order(journal, storage):
    tasks = await begin(journal, commit("a", 1), commit("b", 1), commit("a", 2), commit("a", 3))
    storage.may_go_on.set()
    await asyncio.gather(*tasks)
    assert (await storage.run("a")).sequence == 3


async def test_one_bad_commit_does_not_take_the_others_with_it(journal, storage, told):
    storage.refused = {"c"}
    tasks = await begin(journal, *(commit(name) for name in "abcd"))
    storage.may_go_on.set()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [type(None), type(None), OpcodeError, type(None)]
    assert told == [["a"], ["b"], ["d"]]
    assert await storage.run("c") is None


async def test_after_a_failure_the_next_is_written(journal, storage):
    storage.refused = {"a"}
    storage.may_go_on.set()
    with pytest.raises(OpcodeError, match="refused"):
        await journal.commit(commit("a"))
    await journal.commit(commit("b"))
    assert (await storage.run("b")).sequence == 1


async def test_who_waits_may_go_away(journal, storage):
    tasks = await begin(journal, *(commit(name) for name in "abc"))
    tasks[1].cancel()
    await asyncio.wait({tasks[1]})
    storage.may_go_on.set()
    await asyncio.gather(tasks[0], tasks[2])
    assert (await storage.run("b")).sequence == 1  # it was handed over


async def test_commits_that_come_while_a_group_is_written_form_the_next(journal, storage):
    first = await begin(journal, commit("a"), commit("b"))
    storage.may_go_on.set()
    await asyncio.gather(*first)
    storage.may_go_on.clear()
    later = await begin(journal, commit("c"), commit("d"))
    storage.may_go_on.set()
    await asyncio.gather(*later)
    assert storage.groups == [["a"], ["b"], ["c"], ["d"]]


# ---- the hub ---------------------------------------------------------------------------------


def event(sequence, run_id="r"):
    return Event(run_id, sequence, "custom", None, {}, "agent", 1.0)


async def test_observers_are_told_of_every_batch_and_their_faults_change_nothing(caplog):
    class Observer:
        def __init__(self, faulty):
            self.seen, self.faulty = [], faulty

        def committed(self, events):
            self.seen.append([event.sequence for event in events])
            if self.faulty:
                raise ValueError("broken observer")

    bad, good = Observer(True), Observer(False)
    hub = Hub([bad, good])
    with caplog.at_level(logging.ERROR):
        hub.publish([event(1), event(2)])
        hub.publish([event(3)])
    assert bad.seen == good.seen == [[1, 2], [3]]
    assert "broken observer" in caplog.text


async def test_a_subscriber_hears_of_its_run_from_now_on():
    hub = Hub()
    hub.publish([event(1)])
    async with hub.subscribe("r") as one, hub.subscribe() as everything:
        hub.publish([event(2), event(1, "other")])
        hub.publish([event(3)])
        assert [(await anext(one)).sequence for _ in range(2)] == [2, 3]
        assert [((await anext(everything)).workflow_id) for _ in range(3)] == ["r", "other", "r"]
    hub.publish([event(4)])  # nobody listens any more


async def test_a_subscriber_that_is_too_slow_is_ended_and_holds_up_nobody():
    hub = Hub(backlog=3)
    async with hub.subscribe() as slow, hub.subscribe() as quick:
        heard = []
        for sequence in range(1, 8):
            hub.publish([event(sequence)])
            heard.append((await anext(quick)).sequence)
        assert heard == list(range(1, 8))
        assert [found.sequence async for found in slow] == [1, 2, 3]


async def test_a_batch_that_is_too_much_ends_the_subscription_once():
    hub = Hub(backlog=2)
    async with hub.subscribe() as slow:
        hub.publish([event(sequence) for sequence in range(1, 6)])
        assert [found.sequence async for found in slow] == [1, 2]
