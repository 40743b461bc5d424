"""States of runs, kept beside their logs."""

from dataclasses import replace

from opcode_core import Commit, Storage
from opcode_testkit.storage.rows import a_commit, a_run, refused
from opcode_testkit.storage.suite import StorageSuite


class Snapshots(StorageSuite):
    """The latest one counts."""

    async def test_a_snapshot_stands_for_the_events_of_its_commit(self, storage: Storage) -> None:
        """It stays until another comes; its bytes are kept exactly."""
        body = bytes(range(256))
        await storage.commit([replace(a_commit(count=2), snapshot=body)])
        assert await storage.snapshot("r1") == (2, body)
        await storage.commit([a_commit(first=3)])
        assert await storage.snapshot("r1") == (2, body)
        await storage.commit([replace(a_commit(first=4), snapshot=b"")])
        assert await storage.snapshot("r1") == (4, b"")
        await storage.commit([Commit(a_run(sequence=4), [], snapshot=b"\0")])
        assert await storage.snapshot("r1") == (4, b"\0")

    async def test_each_run_has_its_own(self, storage: Storage) -> None:
        """Or none."""
        await storage.commit([replace(a_commit("r1"), snapshot=b"one"), a_commit("r2")])
        assert await storage.snapshot("r1") == (1, b"one")
        assert await storage.snapshot("r2") is None

    async def test_a_refused_commit_leaves_the_older_one(self, storage: Storage) -> None:
        """Like everything else in it."""
        await storage.commit([replace(a_commit(), snapshot=b"good")])
        await refused(storage.commit([replace(a_commit(first=3), snapshot=b"bad")]))
        assert await storage.snapshot("r1") == (1, b"good")
