"""The suite finds storages that break a promise."""

import asyncio
import re
from ast import literal_eval
from dataclasses import replace

import pytest

from opcode_core import DecisionFilter, ErrorCode, EventFilter, OpcodeError, Page
from opcode_core.memory import MemoryStorage
from opcode_testkit.storage import StorageConformance


class OneByOne(MemoryStorage):
    async def commit(self, commits):
        for commit in commits:
            await super().commit([commit])


class Trusting(MemoryStorage):
    def _check(self, commit, sequences, keys):
        pass


class ByOffset(MemoryStorage):
    async def runs(self, where, limit=50, cursor=None):
        page = await super().runs(where, 10**6)
        start = int(cursor or 0)
        more = len(page.items) > start + limit
        return Page(page.items[start : start + limit], str(start + limit) if more else None)


class Replacing(MemoryStorage):
    async def commit(self, commits):
        for commit in commits:
            self._contexts.pop(commit.run.id, None)
        await super().commit(commits)


class Unversioned(MemoryStorage):
    async def add_template(self, template):
        self._templates.pop(template.name, None)
        return await super().add_template(template)


def ascii_only(value):
    return repr(value).encode("ascii", "replace").decode()


class Mangling(MemoryStorage):
    async def events(self, where, limit=100, cursor=None):
        page = await super().events(where, limit, cursor)
        items = [event._replace(payload=literal_eval(ascii_only(event.payload))) for event in page.items]
        return replace(page, items=items)


class Forgiving(MemoryStorage):
    async def events(self, where, limit=100, cursor=None):
        try:
            return await super().events(where, limit, cursor)
        except OpcodeError:
            return await super().events(where, limit, None)


class Shared(MemoryStorage):
    async def context(self, run_id):
        return self._contexts.get(run_id, {})


class Unfiltered(MemoryStorage):
    async def events(self, where, limit=100, cursor=None):
        return await super().events(EventFilter(where.workflow_id), limit, cursor)


class Fenceless(MemoryStorage):
    async def commit(self, commits):
        stored = (self._runs.get(commit.run.id, commit.run) for commit in commits)
        fenced = [
            replace(commit, run=replace(commit.run, fence=run.fence))
            for commit, run in zip(commits, stored, strict=True)
        ]
        await super().commit(fenced)


class Greedy(MemoryStorage):
    def _lives(self, owner, now):
        return False


class Immortal(MemoryStorage):
    def _lives(self, owner, now):
        return owner in self._owners


class Loyal(MemoryStorage):
    async def claim(self, run_ids, owner, now):
        others = [run_id for run_id in run_ids if run_id in self._runs and self._runs[run_id].owner != owner]
        return await super().claim(others, owner, now)


class Sleepless(MemoryStorage):
    async def claim(self, run_ids, owner, now):
        wakes = {run_id: self._runs[run_id].wakes_at for run_id in run_ids if run_id in self._runs}
        claimed = await super().claim(run_ids, owner, now)
        for run in claimed:
            self._put_run(replace(run, wakes_at=wakes[run.id]))
        return claimed


class Exclusive(MemoryStorage):
    async def due(self, now, limit=100):
        return [run for run in await super().due(now, limit) if run.wakes_at < now]


class Inclusive(MemoryStorage):
    async def next_due(self, after):
        return await super().next_due(after - 1e-9)


class Overwriting(MemoryStorage):
    async def post(self, message):
        self._messages.pop(message.id, None)
        await super().post(message)


class Hasty(MemoryStorage):
    async def commit(self, commits):
        for commit in commits:
            for message_id in commit.taken:
                await self.drop(message_id)
        await super().commit(commits)


class Credulous(MemoryStorage):
    async def post(self, message):
        self._messages.setdefault(message.id, message)


class AddressedOnly(MemoryStorage):
    async def decisions(self, where, limit=50, cursor=None):
        page = await super().decisions(where, limit, cursor)
        mine = [row for row in page.items if where.agent_id in (None, row.target_agent_id)]
        return replace(page, items=mine)


class AskedOnce(MemoryStorage):
    async def commit(self, commits):
        known = dict(self._decisions)
        await super().commit(commits)
        self._decisions.update(known)


class FirstSnapshot(MemoryStorage):
    async def commit(self, commits):
        known = dict(self._snapshots)
        await super().commit(commits)
        self._snapshots.update(known)


class Littering(MemoryStorage):
    def _delete(self, run):
        decisions = self._decisions
        super()._delete(run)
        self._decisions = decisions


class Heartless(MemoryStorage):
    async def purge(self, before, limit=100):
        for run in list(self._runs.values()):
            self._runs[run.id] = replace(run, parent_id=None)
        return await super().purge(before, limit)


class Tidy(MemoryStorage):
    async def purge(self, before, limit=100):
        count = await super().purge(before, limit)
        self._definitions.clear()
        return count


class Boundless(MemoryStorage):
    async def purge(self, before, limit=100):
        return await super().purge(before, 10**6)


class LastWins(MemoryStorage):
    async def put(self, shelf, key, value, now, *, version=None):
        return await super().put(shelf, key, value, now)


class Late(MemoryStorage):
    async def put(self, shelf, key, value, now, *, version=None):
        known = await self.item(shelf, key)
        if version is not None and version != (known.version if known else 0):
            raise OpcodeError(ErrorCode.CONFLICT, key, details={"version": known.version if known else 0})
        await asyncio.sleep(0)
        return await super().put(shelf, key, value, now)


class Lending(MemoryStorage):
    def __init__(self):
        super().__init__()
        self._values = {}

    async def put(self, shelf, key, value, now, *, version=None):
        self._values[shelf, key] = value
        return await super().put(shelf, key, value, now, version=version)

    async def item(self, shelf, key):
        return replace(await super().item(shelf, key), value=self._values[shelf, key])


class Patterns(MemoryStorage):
    async def items(self, shelf, prefix="", limit=100, cursor=None, *, greatest_first=False):
        page = await super().items(shelf, "", 10**6, greatest_first=greatest_first)
        pattern = re.compile(re.escape(prefix).replace("%", ".*").replace("_", "."), re.DOTALL)
        return Page(tuple(item for item in page.items if pattern.match(item.key)))


class Alphabetic(MemoryStorage):
    async def items(self, shelf, prefix="", limit=100, cursor=None, *, greatest_first=False):
        page = await super().items(shelf, prefix, limit, cursor, greatest_first=greatest_first)
        items = sorted(page.items, key=lambda item: item.key.casefold(), reverse=greatest_first)
        return replace(page, items=tuple(items))


class ItemsByOffset(MemoryStorage):
    async def items(self, shelf, prefix="", limit=100, cursor=None, *, greatest_first=False):
        page = await super().items(shelf, prefix, 10**6, greatest_first=greatest_first)
        start = int(cursor or 0)
        more = len(page.items) > start + limit
        return Page(page.items[start : start + limit], str(start + limit) if more else None)


class OneShelf(MemoryStorage):
    async def put(self, shelf, key, value, now, *, version=None):
        return replace(await super().put("", key, value, now, version=version), shelf=shelf)


class Counting(MemoryStorage):
    async def remove(self, shelf, keys):
        await super().remove(shelf, keys)
        return len(keys)


SUITE = StorageConformance()
BROKEN = [
    (OneByOne, SUITE.test_a_refused_commit_takes_the_whole_batch_with_it, ()),
    (Trusting, SUITE.test_an_idempotency_key_belongs_to_one_run_of_an_agent, ()),
    (Trusting, SUITE.test_a_sequence_that_does_not_go_on_is_a_conflict, (5, 1)),
    (Trusting, SUITE.test_a_log_begins_at_one_and_has_no_holes, ((1, 3),)),
    (ByOffset, SUITE.test_pages_of_runs_stay_while_runs_are_added, ()),
    (Replacing, SUITE.test_a_context_is_merged_key_by_key, ()),
    (Unversioned, SUITE.test_versions_rise_from_one_and_never_change, ()),
    (Mangling, SUITE.test_values_come_back_as_they_were, ("emoji",)),
    (Forgiving, SUITE.test_a_cursor_of_garbage_is_refused, ("AAAA",)),
    (Unfiltered, SUITE.test_events_by_filter, (EventFilter("r1", after=2), ["r1:3", "r1:4"])),
    (Shared, SUITE.test_a_context_is_merged_key_by_key, ()),
    (Fenceless, SUITE.test_a_late_writer_is_refused, (2,)),
    (Fenceless, SUITE.test_a_fence_of_the_future_is_refused, ()),
    (Greedy, SUITE.test_the_run_of_a_living_owner_cannot_be_claimed, ()),
    (Greedy, SUITE.test_runs_of_the_dead_come_the_oldest_first, ()),
    (Immortal, SUITE.test_the_run_of_a_living_owner_cannot_be_claimed, ()),
    (Loyal, SUITE.test_an_own_run_can_be_claimed_again, ()),
    (Sleepless, SUITE.test_a_time_changes_with_the_row, ()),
    (Exclusive, SUITE.test_what_is_due_comes_the_earliest_first, ()),
    (Inclusive, SUITE.test_the_next_time_is_after_the_given_one, ()),
    (Overwriting, SUITE.test_a_message_that_is_stored_stays_as_it_is, ()),
    (Hasty, SUITE.test_a_refused_commit_takes_nothing_and_posts_nothing, ()),
    (Credulous, SUITE.test_nobody_can_tell_a_run_that_is_not, ()),
    (AddressedOnly, SUITE.test_decisions_by_filter, (DecisionFilter(agent_id="ada"), ["b", "a", "c"])),
    (AskedOnce, SUITE.test_a_decision_is_kept_in_every_field, ()),
    (FirstSnapshot, SUITE.test_a_snapshot_stands_for_the_events_of_its_commit, ()),
    (Littering, SUITE.test_all_that_belongs_to_a_run_goes_with_it, ()),
    (Heartless, SUITE.test_a_parent_stays_while_a_child_goes_on, ("active",)),
    (Tidy, SUITE.test_a_definition_stays_while_anything_uses_it, ()),
    (Boundless, SUITE.test_a_limit_goes_on_with_the_next_call, ()),
    (LastWins, SUITE.test_another_version_is_a_conflict, (2, 1)),
    (LastWins, SUITE.test_of_many_who_put_something_new_one_wins, ()),
    (Late, SUITE.test_of_many_who_put_something_new_one_wins, ()),
    (Late, SUITE.test_no_change_is_lost, ()),
    (Lending, SUITE.test_what_was_read_may_be_changed, ()),
    (Patterns, SUITE.test_prefixes_are_taken_literally, (False,)),
    (Alphabetic, SUITE.test_prefixes_are_taken_literally, (True,)),
    (ItemsByOffset, SUITE.test_pages_of_items_stay_while_items_are_added, (True,)),
    (ItemsByOffset, SUITE.test_pages_of_items_stay_while_items_are_removed, (False,)),
    (OneShelf, SUITE.test_shelves_are_apart, ()),
    (Counting, SUITE.test_removing_tells_how_many_were_there, ()),
]


@pytest.mark.parametrize(
    ("broken", "check", "arguments"), BROKEN, ids=lambda each: getattr(each, "__name__", "")
)
async def test_a_broken_promise_is_found(broken, check, arguments):
    await check(MemoryStorage(), *arguments)
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        await check(broken(), *arguments)


def test_the_suite_asks_for_a_storage():
    with pytest.raises(NotImplementedError, match="make_storage"):
        SUITE.make_storage.__wrapped__(SUITE)
