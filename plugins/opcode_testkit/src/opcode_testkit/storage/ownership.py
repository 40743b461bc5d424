"""Who drives which run."""

import asyncio
from dataclasses import replace

import pytest

from opcode_core import Commit, ErrorCode, EventFilter, RunRecord, Storage
from opcode_testkit.storage.rows import a_commit, a_run, ids, refused
from opcode_testkit.storage.suite import MakeStorage, StorageSuite


class Ownership(StorageSuite):
    """A run has one driver; whoever drove it before is refused."""

    async def test_a_claimed_run_is_driven_by_who_claimed_it(self, storage: Storage) -> None:
        """The fence rises, and the run no longer wakes by itself; other runs stay as they are."""
        await storage.commit([a_commit("r1", wakes_at=5.0), a_commit("r2", wakes_at=5.0)])
        claimed = await storage.claim(["r1", "nope", "r1"], "a", 1.0)
        assert list(claimed) == [a_run("r1", 1, owner="a", fence=2)]
        assert await storage.run("r1") == claimed[0]
        assert await storage.run("r2") == a_run("r2", 1, wakes_at=5.0)
        assert list(await storage.claim(["nope"], "a", 1.0)) == []
        assert list(await storage.claim([], "a", 1.0)) == []

    async def test_the_run_of_a_living_owner_cannot_be_claimed(self, storage: Storage) -> None:
        """Until its time is over; then the fence rises once more."""
        await storage.commit([a_commit()])
        await storage.beat("a", 100.0)
        (mine,) = await storage.claim(["r1"], "a", 10.0)
        assert list(await storage.claim(["r1"], "b", 99.0)) == []
        assert await storage.run("r1") == mine
        assert list(await storage.claim(["r1"], "b", 101.0)) == [replace(mine, owner="b", fence=3)]

    async def test_a_beat_prolongs_a_life(self, storage: Storage) -> None:
        """The last one counts."""
        await storage.commit([a_commit(owner="a")])
        await storage.beat("a", 10.0)
        await storage.beat("a", 20.0)
        assert list(await storage.claim(["r1"], "b", 15.0)) == []
        assert ids(await storage.claim(["r1"], "b", 21.0)) == ["r1"]

    async def test_who_leaves_leaves_its_runs(self, storage: Storage) -> None:
        """Leaving is at once, and leaving twice is harmless."""
        await storage.commit([a_commit(owner="a")])
        await storage.beat("a", 100.0)
        await storage.leave("a")
        await storage.leave("a")
        assert ids(await storage.claim(["r1"], "b", 10.0)) == ["r1"]

    async def test_an_owner_that_never_beat_does_not_live(self, storage: Storage) -> None:
        """It cannot keep a run."""
        await storage.commit([a_commit(owner="a")])
        assert ids(await storage.claim(["r1"], "b", 1.0)) == ["r1"]

    async def test_an_own_run_can_be_claimed_again(self, storage: Storage) -> None:
        """Each time with a higher fence, whether one lives or not."""
        await storage.commit([a_commit()])
        await storage.beat("a", 100.0)
        for fence, now in ((2, 1.0), (3, 2.0), (4, 200.0)):
            assert list(await storage.claim(["r1"], "a", now)) == [a_run("r1", 1, owner="a", fence=fence)]

    async def test_all_owners_are_known_until_they_leave(self, storage: Storage) -> None:
        """Also those whose time is over."""
        assert await storage.owners() == {}
        await storage.beat("a", 1.0)
        await storage.beat("b", 2.0)
        await storage.beat("a", 3.0)
        assert await storage.owners() == {"a": 3.0, "b": 2.0}
        await storage.leave("a")
        assert await storage.owners() == {"b": 2.0}

    @pytest.mark.parametrize("count", [0, 2], ids=["nothing logged", "logged"])
    async def test_a_late_writer_is_refused(self, storage: Storage, count: int) -> None:
        """Its commit says from whom it is by the fence; the error says which one is valid."""
        await storage.commit([a_commit(count=count, owner="a")])
        await storage.claim(["r1"], "b", 1.0)
        late = a_commit(first=count + 1, owner="a", status="completed")
        error = await refused(storage.commit([a_commit("r2"), late]))
        assert error.code is ErrorCode.CONFLICT
        assert error.details == {"workflow_id": "r1", "fence": 2}
        assert "r1" in error.message
        assert await storage.run("r1") == a_run(sequence=count, owner="b", fence=2)
        assert len((await storage.events(EventFilter("r1"))).items) == count
        assert await storage.run("r2") is None
        await storage.commit([a_commit(first=count + 1, owner="b", fence=2)])
        assert await storage.run("r1") == a_run(sequence=count + 1, owner="b", fence=2)

    async def test_a_late_writer_learns_of_the_fence_first(self, storage: Storage) -> None:
        """Also when the log has gone on since then, and when it brings no events."""
        await storage.commit([a_commit(owner="a")])
        await storage.claim(["r1"], "b", 1.0)
        await storage.commit([a_commit(first=2, owner="b", fence=2)])
        for late in (a_commit(first=2), Commit(a_run(sequence=1), []), Commit(a_run(sequence=2), [])):
            assert (await refused(storage.commit([late]))).details.get("fence") == 2

    async def test_a_fence_of_the_future_is_refused(self, storage: Storage) -> None:
        """Only the stored one is right."""
        await storage.commit([a_commit()])
        error = await refused(storage.commit([a_commit(first=2, fence=2)]))
        assert error.details == {"workflow_id": "r1", "fence": 1}

    async def test_a_wrong_sequence_is_no_matter_of_the_fence(self, storage: Storage) -> None:
        """The two conflicts are told apart by the error's details."""
        await storage.commit([a_commit()])
        error = await refused(storage.commit([a_commit(first=3)]))
        assert error.details == {"workflow_id": "r1"}

    async def test_a_run_is_let_go_with_a_commit(self, storage: Storage) -> None:
        """Its fence stays until somebody claims it."""
        await storage.commit([a_commit()])
        await storage.beat("a", 100.0)
        await storage.claim(["r1"], "a", 1.0)
        await storage.commit([a_commit(first=2, owner="a", fence=2)])
        await storage.commit([a_commit(first=3, owner=None, wakes_at=50.0, fence=2)])
        assert await storage.run("r1") == a_run(sequence=3, wakes_at=50.0, fence=2)
        assert list(await storage.claim(["r1"], "b", 2.0)) == [a_run(sequence=3, owner="b", fence=3)]

    async def test_of_two_claimers_each_gets_its_own(
        self, make_storage: MakeStorage, storage: Storage
    ) -> None:
        """No run goes to both, and none is left."""
        names = [f"r{number}" for number in range(50)]
        await storage.commit([a_commit(name) for name in names])
        other = make_storage() if self.persistent else storage
        await other.open()
        try:
            await storage.beat("a", 100.0)
            await storage.beat("b", 100.0)

            async def claim(where: Storage, owner: str, order: list[str]) -> list[RunRecord]:
                claims: list[RunRecord] = []
                for at in range(0, len(order), 7):
                    claims += await where.claim(order[at : at + 7], owner, 1.0)
                    await asyncio.sleep(0)
                return claims

            mine, others = await asyncio.gather(
                claim(storage, "a", names), claim(other, "b", list(reversed(names)))
            )
        finally:
            if self.persistent:
                await other.close()
        assert sorted(ids(mine) + ids(others)) == sorted(names)
        assert {run.owner for run in mine} == {"a"}
        assert {run.owner for run in others} == {"b"}
