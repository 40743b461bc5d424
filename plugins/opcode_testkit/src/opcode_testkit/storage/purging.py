"""What is deleted after a time, and what stays."""

from dataclasses import replace
from typing import Any

import pytest

from opcode_core import Commit, DecisionFilter, EventFilter, RunFilter, Storage
from opcode_testkit.storage.rows import a_commit, a_decision, a_message, a_run, a_template, ids
from opcode_testkit.storage.suite import StorageSuite


def an_old(run_id: str, **changes: Any) -> Commit:
    """The commit of a run that ended at 10."""
    return a_commit(run_id, **{"status": "completed", "completed_at": 10.0, **changes})


class Purging(StorageSuite):
    """And how a storage that is well looks to itself."""

    async def test_what_ended_long_ago_goes(self, storage: Storage) -> None:
        """Whether it began before that or not; what goes on stays, however old."""
        await storage.commit(
            [
                an_old("done"),
                an_old("failed", status="failed"),
                an_old("cancelled", status="cancelled"),
                an_old("later", completed_at=30.0, started_at=1.0),
                a_commit("goes on", started_at=1.0),
                a_commit("waits", status="suspended", started_at=1.0),
                an_old("taken up again", status="active"),
            ]
        )
        assert await storage.purge(20.0) == 3
        left = ["goes on", "later", "taken up again", "waits"]
        assert sorted(ids((await storage.runs(RunFilter())).items)) == left
        assert await storage.purge(20.0) == 0
        assert await storage.purge(40.0) == 1

    async def test_all_that_belongs_to_a_run_goes_with_it(self, storage: Storage) -> None:
        """And nothing of another run."""
        full = {
            run_id: replace(
                an_old(run_id, completed_at=at, definition_hash=run_id, idempotency_key=run_id),
                definition=b"{}",
                context={"a": 1},
                decisions=[a_decision(f"d-{run_id}", run_id)],
                snapshot=b"state",
            )
            for run_id, at in (("old", 10.0), ("new", 30.0))
        }
        await storage.commit(list(full.values()))
        for run_id in full:
            await storage.post(a_message(f"m-{run_id}", run_id))
        assert await storage.purge(20.0) == 1
        assert await storage.run("old") is None
        assert await storage.run_by_key("agent", "old") is None
        assert (await storage.events(EventFilter("old"))).items == ()
        assert await storage.context("old") == {}
        assert await storage.decision("d-old") is None
        assert await storage.snapshot("old") is None
        assert await storage.definition("old") is None

        assert ids((await storage.runs(RunFilter())).items) == ["new"]
        assert await storage.run_by_key("agent", "new") == full["new"].run
        assert [event.id for event in (await storage.events(EventFilter())).items] == ["new:1"]
        assert await storage.context("new") == {"a": 1}
        assert ids((await storage.decisions(DecisionFilter())).items) == ["d-new"]
        assert ids(await storage.messages()) == ["m-new"]
        assert await storage.snapshot("new") == (1, b"state")
        assert await storage.definition("new") == b"{}"

    async def test_what_is_gone_may_begin_anew(self, storage: Storage) -> None:
        """With the same id and key; nothing of the old run comes back."""
        old = replace(an_old("r1", idempotency_key="key"), context={"a": 1}, snapshot=b"state")
        await storage.commit([old])
        await storage.purge(20.0)
        await storage.commit([a_commit("r1", idempotency_key="key")])
        assert await storage.run_by_key("agent", "key") == a_run("r1", 1, idempotency_key="key")
        assert await storage.context("r1") == {}
        assert await storage.snapshot("r1") is None
        assert len((await storage.events(EventFilter("r1"))).items) == 1

    async def test_a_definition_stays_while_anything_uses_it(self, storage: Storage) -> None:
        """Another run, or a template."""
        await storage.add_template(a_template(definition_hash="of template"))
        await storage.commit(
            [
                an_old("r1", definition_hash="of template"),
                replace(an_old("r2", definition_hash="shared"), definition=b"1"),
                a_commit("r3", definition_hash="shared", template_name="other"),
                replace(an_old("r4", definition_hash="alone"), definition=b"2"),
                an_old("r5", definition_hash="alone"),
            ]
        )
        assert await storage.purge(20.0) == 4
        assert await storage.definition("of template") == a_template().definition
        assert await storage.definition("shared") == b"1"
        assert await storage.definition("alone") is None
        assert await storage.template("deploy") is not None

    @pytest.mark.parametrize("status", ["active", "suspended", "pending"])
    async def test_a_parent_stays_while_a_child_goes_on(self, storage: Storage, status: str) -> None:
        """A child that has ended goes, whatever its parent does."""
        await storage.commit(
            [
                an_old("parent"),
                a_commit("child", parent_id="parent", status=status),
                an_old("old child", parent_id="parent"),
            ]
        )
        assert await storage.purge(20.0) == 1
        assert sorted(ids((await storage.runs(RunFilter())).items)) == ["child", "parent"]
        await storage.commit([an_old("child", first=2, parent_id="parent")])
        assert await storage.purge(20.0) == 2

    async def test_a_child_stays_while_its_parent_goes_on(self, storage: Storage) -> None:
        """The parent may not have looked at how it ended."""
        await storage.commit([a_commit("parent"), an_old("child", parent_id="parent")])
        assert await storage.purge(20.0) == 0
        await storage.commit([an_old("parent", first=2)])
        assert await storage.purge(20.0) == 2

    async def test_a_limit_goes_on_with_the_next_call(self, storage: Storage) -> None:
        """Less than the limit means that nothing is left."""
        await storage.commit([an_old(f"r{number}") for number in range(5)])
        await storage.commit([an_old("parent"), a_commit("child", parent_id="parent")])
        assert [await storage.purge(20.0, 2) for _ in range(3)] == [2, 2, 1]
        assert sorted(ids((await storage.runs(RunFilter())).items)) == ["child", "parent"]

    async def test_what_is_due_or_orphaned_goes_too(self, storage: Storage) -> None:
        """A run that ended is no longer looked at once it is gone."""
        await storage.commit([an_old("r1", wakes_at=1.0), an_old("r2", owner="dead")])
        assert await storage.purge(20.0) == 2
        assert ids(await storage.due(9.0)) == []
        assert ids(await storage.orphans(9.0)) == []

    async def test_a_storage_that_is_well_has_no_problems(self, storage: Storage) -> None:
        """Empty, full, and purged."""
        assert list(await storage.check()) == []
        await storage.add_template(a_template())
        full = replace(a_commit("r1", count=3), context={"a": 1}, decisions=[a_decision()], snapshot=b"x")
        await storage.commit([full, Commit(a_run("empty"), []), an_old("old", count=2)])
        await storage.post(a_message())
        await storage.claim(["r1"], "a", 1.0)
        assert list(await storage.check()) == []
        await storage.purge(20.0)
        assert list(await storage.check()) == []
