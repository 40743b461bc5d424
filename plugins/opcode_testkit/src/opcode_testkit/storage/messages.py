"""What a run is told by who does not drive it."""

from dataclasses import replace

import pytest

from opcode_core import Commit, ErrorCode, Storage
from opcode_testkit.storage.rows import a_commit, a_message, a_run, ids, refused
from opcode_testkit.storage.suite import StorageSuite
from opcode_testkit.storage.values import HARD_VALUES


class Messages(StorageSuite):
    """Kept until a commit takes them."""

    async def test_a_message_is_kept_in_every_field(self, storage: Storage) -> None:
        """With a step or without one."""
        await storage.commit([a_commit()])
        first = a_message("m1", kind="decision", payload={"choice": "yes"}, agent_id="ada", created_at=1.25)
        second = a_message("m2", step_id=None, created_at=2.0)
        await storage.post(second)
        await storage.post(first)
        assert list(await storage.messages("r1")) == [first, second]

    @pytest.mark.parametrize("name", HARD_VALUES)
    async def test_a_payload_comes_back_as_it_was(self, storage: Storage, name: str) -> None:
        """Whether it was posted or committed."""
        await storage.commit([a_commit()])
        value = {"value": HARD_VALUES[name]}
        await storage.post(a_message("m1", payload=value))
        await storage.commit([replace(a_commit("r2"), messages=[a_message("m2", payload=value)])])
        assert [repr(each.payload) for each in await storage.messages()] == [repr(value)] * 2

    async def test_messages_come_the_oldest_first(self, storage: Storage) -> None:
        """Then by id; to one run or to all."""
        await storage.commit([a_commit("r1"), a_commit("r2")])
        for message_id, run_id, at in (
            ("d", "r1", 2.0),
            ("b", "r2", 1.0),
            ("c", "r1", 1.0),
            ("a", "r1", 3.0),
        ):
            await storage.post(a_message(message_id, run_id, created_at=at))
        assert ids(await storage.messages()) == ["b", "c", "d", "a"]
        assert ids(await storage.messages(limit=3)) == ["b", "c", "d"]
        assert ids(await storage.messages("r1")) == ["c", "d", "a"]
        assert ids(await storage.messages("r1", 1)) == ["c"]

    async def test_a_message_that_is_stored_stays_as_it_is(self, storage: Storage) -> None:
        """However it comes a second time."""
        await storage.commit([a_commit()])
        await storage.post(a_message())
        again = a_message(payload={"n": 2}, created_at=9.0)
        await storage.post(again)
        await storage.commit([replace(a_commit("r2"), messages=[again])])
        assert list(await storage.messages()) == [a_message()]

    async def test_nobody_can_tell_a_run_that_is_not(self, storage: Storage) -> None:
        """And nothing is kept for it."""
        error = await refused(storage.post(a_message(run_id="nope")))
        assert error.code is ErrorCode.NOT_FOUND
        assert "nope" in error.message
        assert list(await storage.messages()) == []

    async def test_a_message_is_taken_with_the_events_that_account_for_it(self, storage: Storage) -> None:
        """Others stay; what was taken already, or never was, is ignored."""
        await storage.commit([a_commit()])
        for message_id in ("m1", "m2", "m3"):
            await storage.post(a_message(message_id))
        await storage.commit([replace(a_commit(first=2), taken=["m1", "m3"])])
        assert ids(await storage.messages()) == ["m2"]
        await storage.commit([Commit(a_run(sequence=2), [], taken=["m2", "m1", "nope"])])
        assert list(await storage.messages()) == []

    async def test_a_refused_commit_takes_nothing_and_posts_nothing(self, storage: Storage) -> None:
        """Nor do the good commits beside it."""
        await storage.commit([a_commit("r1"), a_commit("r2")])
        await storage.post(a_message("m1", "r1"))
        await storage.post(a_message("m2", "r2"))
        good = replace(a_commit("r1", first=2), taken=["m1"], messages=[a_message("m3", "r2")])
        bad = replace(a_commit("r2", first=3), taken=["m2"], messages=[a_message("m4", "r1")])
        for batch in ([good, bad], [bad, good]):
            assert (await refused(storage.commit(batch))).details == {"workflow_id": "r2"}
            assert ids(await storage.messages()) == ["m1", "m2"]

    async def test_one_commit_may_take_what_another_of_its_batch_sends(self, storage: Storage) -> None:
        """They are stored in the given order."""
        await storage.commit([a_commit("r1"), a_commit("r2")])
        sends = replace(a_commit("r1", first=2), messages=[a_message("m1", "r2"), a_message("m2", "r2")])
        await storage.commit([sends, replace(a_commit("r2", first=2), taken=["m1"])])
        assert ids(await storage.messages()) == ["m2"]

    async def test_a_message_that_came_too_late_is_dropped(self, storage: Storage) -> None:
        """Dropping it twice is harmless."""
        await storage.commit([a_commit()])
        await storage.post(a_message("m1"))
        await storage.post(a_message("m2"))
        await storage.drop("m1")
        await storage.drop("m1")
        assert ids(await storage.messages("r1")) == ["m2"]
