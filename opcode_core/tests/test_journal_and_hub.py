"""Commits that come together share a transaction; committed events reach whoever listens."""

import asyncio

import pytest

from opcode_core import ErrorCode, Event, OpcodeError
from opcode_core.contracts.storage import Commit
from opcode_core.engine.hub import Hub
from opcode_core.engine.journal import Journal
from opcode_core.engine.log import record_of
from opcode_core.memory import MemoryStorage
from opcode_core.state import RunState


def event(run: str, sequence: int) -> Event:
    return Event(run, sequence, "custom", None, {}, "a", 0.0)


def commit(run: str, *sequences: int) -> Commit:
    state = RunState(run, sequence=sequences[-1])
    return Commit(record_of(state), [event(run, sequence) for sequence in sequences])


class Slow(MemoryStorage):
    """Writes when it is told to, and remembers the groups."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.groups: list[list[str]] = []

    async def commit(self, commits):
        await self.gate.wait()
        self.groups.append([c.run.id for c in commits])
        await super().commit(commits)


async def test_what_comes_during_a_write_shares_the_next():
    storage, published = Slow(), []
    journal = Journal(storage, published.extend)
    first = asyncio.create_task(journal.commit(commit("a", 1)))
    await asyncio.sleep(0)
    rest = [asyncio.create_task(journal.commit(commit(run, 1))) for run in "bcd"]
    await asyncio.sleep(0)
    storage.gate.set()
    await asyncio.gather(first, *rest)
    assert storage.groups == [["a"], ["b", "c", "d"]]
    assert [e.workflow_id for e in published] == ["a", "b", "c", "d"]


async def test_one_bad_commit_does_not_take_the_others_with_it():
    storage, published = Slow(), []
    journal = Journal(storage, published.extend)
    first = asyncio.create_task(journal.commit(commit("a", 1)))
    await asyncio.sleep(0)
    rest = [asyncio.create_task(journal.commit(c)) for c in (commit("b", 1), commit("c", 7), commit("d", 1))]
    await asyncio.sleep(0)
    storage.gate.set()
    answers = await asyncio.gather(first, *rest, return_exceptions=True)
    assert [type(answer) for answer in answers] == [type(None), type(None), OpcodeError, type(None)]
    assert answers[2].code is ErrorCode.CONFLICT  # type: ignore[union-attr]
    assert await storage.run("d") is not None
    assert await storage.run("c") is None


async def test_who_waits_may_leave_and_the_commit_is_stored_all_the_same():
    storage = Slow()
    journal = Journal(storage, lambda _: None)
    first = asyncio.create_task(journal.commit(commit("a", 1)))
    await asyncio.sleep(0)
    second = asyncio.create_task(journal.commit(commit("b", 1)))
    await asyncio.sleep(0)
    second.cancel()
    storage.gate.set()
    await first
    with pytest.raises(asyncio.CancelledError):
        await second
    await journal.commit(commit("c", 1))
    assert await storage.run("b") is not None


async def test_subscribers_get_the_events_of_their_run_or_of_all():
    hub = Hub()
    async with hub.subscribe("a") as one, hub.subscribe() as everything:
        hub.publish([event("a", 1), event("b", 1), event("a", 2)])
        assert [(await anext(one)).sequence for _ in range(2)] == [1, 2]
        assert [(await anext(everything)).workflow_id for _ in range(3)] == ["a", "b", "a"]
    hub.publish([event("a", 3)])


async def test_a_subscriber_that_is_too_slow_is_ended_rather_than_given_a_gap():
    hub = Hub(backlog=2)
    async with hub.subscribe() as slow:
        hub.publish([event("a", n) for n in range(1, 6)])
        assert [e.sequence async for e in slow] == [1, 2]
