"""Opening, closing, and more than one connection."""

from dataclasses import replace

import pytest

from opcode_core import (
    ErrorCode,
    EventFilter,
    Storage,
)
from opcode_testkit.storage.rows import a_commit, a_decision, a_message, a_run, a_template, refused
from opcode_testkit.storage.suite import MakeStorage, StorageSuite


class Opening(StorageSuite):
    """Nothing is lost between one connection and the next."""

    async def test_opening_and_closing_twice_is_harmless(self, make_storage: MakeStorage) -> None:
        """Open and close are idempotent, and a storage that was never opened can be closed."""
        storage = make_storage()
        await storage.close()
        await storage.open()
        await storage.commit([a_commit()])
        await storage.open()
        assert await storage.run("r1") is not None
        await storage.close()
        await storage.close()

    async def test_everything_is_there_after_reopening(self, make_storage: MakeStorage) -> None:
        """What was committed outlives the connection."""
        if not self.persistent:
            pytest.skip("this storage forgets when it is closed")
        first = make_storage()
        await first.open()
        commit = a_commit(count=3, output={"a": 1}, idempotency_key="key")
        await first.commit(
            [
                replace(
                    commit,
                    definition=b"{}",
                    context={"intent": "x"},
                    decisions=[a_decision()],
                    snapshot=b"state",
                )
            ]
        )
        await first.post(a_message())
        await first.beat("process", 9.0)
        template = await first.add_template(a_template())
        await first.close()
        second = make_storage()
        await second.open()
        try:
            assert await second.run("r1") == commit.run
            assert list((await second.events(EventFilter("r1"))).items) == list(commit.events)
            assert await second.context("r1") == {"intent": "x"}
            assert await second.definition("hash-1") == b"{}"
            assert await second.decision("d1") == a_decision()
            assert await second.snapshot("r1") == (3, b"state")
            assert list(await second.messages()) == [a_message()]
            assert await second.owners() == {"process": 9.0}
            assert await second.template("deploy") == template
            assert (await second.run_by_key("agent", "key")) == commit.run
            await second.commit([a_commit(first=4)])
        finally:
            await second.close()

    async def test_two_connections_see_each_other(self, make_storage: MakeStorage, storage: Storage) -> None:
        """Whoever comes second on the same sequence is refused, whatever connection it uses."""
        if not self.persistent:
            pytest.skip("this storage belongs to one process")
        other = make_storage()
        await other.open()
        try:
            await storage.commit([a_commit(count=2)])
            assert (await other.run("r1")) == a_run(sequence=2)
            await other.commit([a_commit(first=3)])
            error = await refused(storage.commit([a_commit(first=3)]))
            assert error.code is ErrorCode.CONFLICT
            assert (await other.add_template(a_template())).version == 1
            assert (await storage.add_template(a_template())).version == 2
        finally:
            await other.close()
