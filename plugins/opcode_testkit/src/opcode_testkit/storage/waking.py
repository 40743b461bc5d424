"""Which runs have to be looked at."""

from opcode_core import Commit, Storage
from opcode_testkit.storage.rows import a_commit, a_run, ids
from opcode_testkit.storage.suite import StorageSuite


class Waking(StorageSuite):
    """Runs that wake by themselves, and runs whose owner died."""

    async def test_what_is_due_comes_the_earliest_first(self, storage: Storage) -> None:
        """Up to that time and with it, whatever the run's status."""
        times = {"a": 3.0, "b": 1.0, "c": None, "d": 2.0, "e": 2.5}
        await storage.commit([a_commit(name, wakes_at=at) for name, at in times.items()])
        assert ids(await storage.due(0.5)) == []
        assert ids(await storage.due(2.5)) == ["b", "d", "e"]
        assert ids(await storage.due(9.0)) == ["b", "d", "e", "a"]
        assert ids(await storage.due(9.0, 2)) == ["b", "d"]
        assert list(await storage.due(1.0)) == [a_run("b", 1, wakes_at=1.0)]

    async def test_the_next_time_is_after_the_given_one(self, storage: Storage) -> None:
        """None when nothing wakes later."""
        assert await storage.next_due(0.0) is None
        await storage.commit([a_commit("a", wakes_at=3.0), a_commit("b", wakes_at=1.0), a_commit("c")])
        assert [await storage.next_due(after) for after in (0.0, 1.0, 2.0, 3.0)] == [1.0, 3.0, 3.0, None]

    async def test_a_time_changes_with_the_row(self, storage: Storage) -> None:
        """Only the last one counts, and a claim ends the wait."""
        await storage.commit([a_commit("r1", wakes_at=1.0), a_commit("r2", wakes_at=2.0)])
        await storage.commit([a_commit("r1", first=2, wakes_at=3.0)])
        assert ids(await storage.due(9.0)) == ["r2", "r1"]
        await storage.commit([Commit(a_run("r1", 2, wakes_at=1.5), [])])
        assert ids(await storage.due(9.0)) == ["r1", "r2"]
        await storage.claim(["r1"], "a", 1.0)
        assert ids(await storage.due(9.0)) == ["r2"]
        await storage.commit([a_commit("r2", first=2, wakes_at=None)])
        assert ids(await storage.due(9.0)) == []
        assert await storage.next_due(0.0) is None

    async def test_many_may_wake_at_the_same_time(self, storage: Storage) -> None:
        """None hides another."""
        await storage.commit([a_commit(f"r{number}", wakes_at=1.0) for number in range(5)])
        await storage.claim(["r3"], "a", 1.0)
        assert sorted(ids(await storage.due(1.0))) == ["r0", "r1", "r2", "r4"]

    async def test_runs_of_the_dead_come_the_oldest_first(self, storage: Storage) -> None:
        """Not those of the living, nor those that rest."""
        began = {"c": ("dead", 3.0), "a": ("dead", 1.0), "rests": (None, 0.0), "b": ("unknown", 2.0)}
        began["lives"] = ("living", 0.5)
        await storage.commit(
            [a_commit(name, owner=owner, started_at=at) for name, (owner, at) in began.items()]
        )
        await storage.beat("dead", 10.0)
        await storage.beat("living", 30.0)
        assert ids(await storage.orphans(9.0)) == ["b"]
        assert ids(await storage.orphans(20.0)) == ["a", "b", "c"]
        assert ids(await storage.orphans(20.0, 2)) == ["a", "b"]
        await storage.leave("living")
        assert ids(await storage.orphans(20.0, 1)) == ["lives"]

    async def test_an_orphan_is_one_until_it_is_claimed_or_let_go(self, storage: Storage) -> None:
        """The rows are those that are stored."""
        await storage.commit([a_commit("r1", owner="dead"), a_commit("r2", owner="dead")])
        await storage.beat("a", 10.0)
        assert list(await storage.orphans(1.0)) == [
            a_run("r1", 1, owner="dead"),
            a_run("r2", 1, owner="dead"),
        ]
        await storage.claim(["r1"], "a", 1.0)
        await storage.commit([a_commit("r2", first=2, owner=None)])
        assert list(await storage.orphans(1.0)) == []
