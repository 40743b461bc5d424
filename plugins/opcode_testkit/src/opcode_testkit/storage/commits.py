"""What a commit keeps, and what it refuses."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from opcode_core import (
    Commit,
    ErrorCode,
    EventFilter,
    RunFilter,
    Storage,
)
from opcode_testkit.storage.rows import a_commit, a_run, an_event, ids, refused
from opcode_testkit.storage.suite import StorageSuite


class Commits(StorageSuite):
    """All or nothing, without holes."""

    async def test_a_run_is_kept_in_every_field(self, storage: Storage) -> None:
        """Each field of the row comes back as it was given."""
        run = a_run(
            status="failed",
            sequence=1,
            template_name="deploy",
            template_version="v3",
            completed_at=1_700_000_009.125,
            output={"a": [1, None]},
            error={"code": "STEP_FAILED", "message": "no", "details": {}, "step_id": "a"},
            parent_id="r0",
            parent_step_id="child",
            idempotency_key="key",
            name="nightly",
            wakes_at=1_700_000_009.5,
            owner="process",
            fence=3,
        )
        await storage.commit([Commit(run, [an_event("r1", 1)])])
        assert await storage.run("r1") == run
        assert list((await storage.runs(RunFilter())).items) == [run]

    async def test_a_run_begins_without_events_too(self, storage: Storage) -> None:
        """A row whose log is still empty is stored, and goes on with event 1."""
        pending = a_run(status="pending", idempotency_key="key")
        await storage.commit([Commit(pending, [])])
        assert await storage.run("r1") == pending
        await storage.commit([a_commit(idempotency_key="key")])
        assert await storage.run("r1") == a_run(sequence=1, idempotency_key="key")
        error = await refused(storage.commit([a_commit(idempotency_key="key")]))
        assert error.code is ErrorCode.CONFLICT
        assert error.details == {"workflow_id": "r1"}

    async def test_the_row_follows_the_run(self, storage: Storage) -> None:
        """A later commit replaces what may change."""
        await storage.commit([a_commit(count=2)])
        later = a_commit(
            first=3,
            status="completed",
            updated_at=2e9,
            completed_at=2e9,
            output=[1],
            error=None,
            owner="process",
            wakes_at=3e9,
        )
        await storage.commit([later])
        assert await storage.run("r1") == later.run
        await storage.commit([Commit(replace(later.run, status="failed"), [])])
        assert (await storage.run("r1")) == replace(later.run, status="failed")

    async def test_an_output_of_null_or_nothing_is_none(self, storage: Storage) -> None:
        """No output and falsy outputs are told apart."""
        outputs: tuple[Any, ...] = (None, 0, False, "", [], {})
        for number, output in enumerate(outputs):
            await storage.commit([a_commit(f"r{number}", output=output)])
            run = await storage.run(f"r{number}")
            assert run is not None
            assert repr(run.output) == repr(output)

    @pytest.mark.parametrize(
        ("first", "count"),
        [(1, 1), (2, 2), (3, 1), (5, 1), (100, 3)],
        ids=["first again", "overlap", "last again", "gap", "far"],
    )
    async def test_a_sequence_that_does_not_go_on_is_a_conflict(
        self, storage: Storage, first: int, count: int
    ) -> None:
        """Three events are stored, so only the fourth may come next."""
        await storage.commit([a_commit(count=3)])
        error = await refused(storage.commit([a_commit(first=first, count=count, status="completed")]))
        assert error.code is ErrorCode.CONFLICT
        assert error.details["workflow_id"] == "r1"
        assert "r1" in error.message
        assert await storage.run("r1") == a_run(sequence=3)
        assert len((await storage.events(EventFilter("r1"))).items) == 3

    @pytest.mark.parametrize(
        "sequences",
        [(2,), (0,), (-1,), (1, 1), (1, 3), (2, 1), (1, 2, 2, 4), (1, 3, 2, 4)],
        ids=str,
    )
    async def test_a_log_begins_at_one_and_has_no_holes(
        self, storage: Storage, sequences: tuple[int, ...]
    ) -> None:
        """Order matters inside one commit as well."""
        events = [an_event("r1", sequence) for sequence in sequences]
        error = await refused(storage.commit([Commit(a_run(sequence=max(sequences)), events)]))
        assert error.code is ErrorCode.CONFLICT
        assert await storage.run("r1") is None

    @pytest.mark.parametrize("sequence", [0, 1, 3])
    async def test_the_row_and_its_events_must_agree(self, storage: Storage, sequence: int) -> None:
        """The row's sequence is that of the last event."""
        events = [an_event("r1", 1), an_event("r1", 2)]
        error = await refused(storage.commit([Commit(a_run(sequence=sequence), events)]))
        assert error.code is ErrorCode.CONFLICT

    async def test_an_event_of_another_run_is_a_conflict(self, storage: Storage) -> None:
        """A commit is about one run."""
        error = await refused(storage.commit([Commit(a_run(sequence=1), [an_event("r2", 1)])]))
        assert error.code is ErrorCode.CONFLICT
        assert error.details["workflow_id"] == "r1"

    async def test_a_refused_commit_takes_the_whole_batch_with_it(self, storage: Storage) -> None:
        """Nothing of the good commits before and after the bad one is kept."""
        await storage.commit([a_commit("old")])
        batch = [
            replace(a_commit("new"), definition=b"{}", context={"a": 1}),
            a_commit("old", first=3),
            a_commit("newer"),
        ]
        error = await refused(storage.commit(batch))
        assert error.details["workflow_id"] == "old"
        assert await storage.run("new") is None
        assert await storage.run("newer") is None
        assert await storage.context("new") == {}
        assert await storage.definition("hash-1") is None
        assert ids((await storage.runs(RunFilter())).items) == ["old"]
        assert [event.id for event in (await storage.events(EventFilter())).items] == ["old:1"]
        await storage.commit([batch[0], a_commit("old", first=2), batch[2]])
        assert len((await storage.runs(RunFilter())).items) == 3

    async def test_a_batch_may_hold_one_run_twice(self, storage: Storage) -> None:
        """The second goes on where the first ends."""
        await storage.commit([a_commit(count=2), a_commit("r2"), a_commit(first=3, status="completed")])
        assert await storage.run("r1") == a_run(sequence=3, status="completed")
        error = await refused(storage.commit([a_commit(first=4), a_commit(first=4)]))
        assert error.code is ErrorCode.CONFLICT
        assert await storage.run("r1") == a_run(sequence=3, status="completed")

    async def test_a_batch_of_nothing_is_nothing(self, storage: Storage) -> None:
        """No commits, no rows, no error."""
        await storage.commit([])
        assert (await storage.runs(RunFilter())).items == ()

    async def test_an_idempotency_key_belongs_to_one_run_of_an_agent(self, storage: Storage) -> None:
        """Another agent may use the same key, and many runs have none."""
        await storage.commit([a_commit("r1", idempotency_key="key")])
        error = await refused(storage.commit([a_commit("r2", idempotency_key="key")]))
        assert error.code is ErrorCode.CONFLICT
        assert error.details == {"workflow_id": "r2", "existing_id": "r1"}
        assert "key" in error.message
        assert await storage.run("r2") is None
        await storage.commit([a_commit("r3", idempotency_key="key", agent_id="other")])
        await storage.commit([a_commit("r4"), a_commit("r5")])
        await storage.commit([a_commit("r1", first=2, idempotency_key="key")])
        assert (await storage.run_by_key("agent", "key")) == a_run("r1", 2, idempotency_key="key")
        other = await storage.run_by_key("other", "key")
        assert other is not None
        assert other.id == "r3"

    async def test_an_idempotency_key_is_checked_inside_a_batch(self, storage: Storage) -> None:
        """Two new runs of one batch may not share a key."""
        batch = [a_commit("r1", idempotency_key="key"), a_commit("r2", idempotency_key="key")]
        error = await refused(storage.commit(batch))
        assert error.code is ErrorCode.CONFLICT
        assert error.details == {"workflow_id": "r2", "existing_id": "r1"}
        assert await storage.run_by_key("agent", "key") is None

    async def test_fifty_tasks_commit_to_fifty_runs(self, storage: Storage) -> None:
        """Each log ends whole, and the newest-first list holds every event once."""

        async def live(run_id: str) -> None:
            for sequence in range(1, 11):
                await storage.commit([a_commit(run_id, first=sequence)])
                await asyncio.sleep(0)

        await asyncio.gather(*(live(f"r{number}") for number in range(50)))
        events = (await storage.events(EventFilter(), limit=1000)).items
        assert len({event.id for event in events}) == len(events) == 500
        for number in range(50):
            log = (await storage.events(EventFilter(f"r{number}"))).items
            assert [event.sequence for event in log] == list(range(1, 11))

    async def test_of_many_tasks_on_one_sequence_one_wins(self, storage: Storage) -> None:
        """The others get a conflict, and the log has no hole."""
        results = await asyncio.gather(
            *(storage.commit([a_commit(count=2)]) for _ in range(20)), return_exceptions=True
        )
        assert results.count(None) == 1
        assert {getattr(result, "code", None) for result in results} == {None, ErrorCode.CONFLICT}
