"""The suite finds storages that break a promise."""

from ast import literal_eval
from dataclasses import replace

import pytest

from opcode_core import EventFilter, OpcodeError, Page
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
