"""Filters and pages."""

from functools import partial

import pytest

from opcode_core import (
    Commit,
    DecisionFilter,
    ErrorCode,
    EventFilter,
    RunFilter,
    Storage,
    Tally,
    Work,
)
from opcode_testkit.storage.rows import a_commit, a_run, all_rows, an_event, ids, refused
from opcode_testkit.storage.suite import StorageSuite

GARBAGE_CURSORS = ("", "x", "!!!", "AAAA", "WzFd", "é", "\ud800", "a" * 10_000, "'; DROP TABLE events; --")


class Lists(StorageSuite):
    """Runs and events."""

    @pytest.mark.parametrize(
        ("where", "expected"),
        [
            (RunFilter(), ["d", "c", "b", "a"]),
            (RunFilter(status="completed"), ["c", "a"]),
            (RunFilter(agent_id="two"), ["d", "c"]),
            (RunFilter(template_name="deploy"), ["b", "a"]),
            (RunFilter(parent_id="a"), ["d"]),
            (RunFilter(since=3.0), ["d", "c"]),
            (RunFilter(status="completed", agent_id="two", since=2.0), ["c"]),
            (RunFilter(status="nope"), []),
            (RunFilter(template_name=""), []),
        ],
        ids=str,
    )
    async def test_runs_by_filter(self, storage: Storage, where: RunFilter, expected: list[str]) -> None:
        """Newest first; all that is given must hold."""
        await storage.commit(
            [
                a_commit("b", started_at=2.0, agent_id="one", template_name="deploy"),
                a_commit("d", started_at=4.0, agent_id="two", parent_id="a"),
                a_commit("a", started_at=1.0, agent_id="one", template_name="deploy", status="completed"),
                a_commit("c", started_at=3.0, agent_id="two", status="completed"),
            ]
        )
        page = await storage.runs(where)
        assert ids(page.items) == expected
        assert page.cursor is None
        paged = await all_rows(lambda cursor: storage.runs(where, 1, cursor))
        assert ids(paged) == expected

    async def test_the_tally(self, storage: Storage) -> None:
        """Each agent's runs in each status, with the events in their logs."""
        assert list(await storage.tally()) == []
        await storage.commit(
            [
                a_commit("a", count=3, agent_id="two", status="completed"),
                a_commit("b", agent_id="one"),
                a_commit("c", count=2, agent_id="two", status="completed"),
                a_commit("d", agent_id="two"),
            ]
        )
        assert list(await storage.tally()) == [
            Tally("one", "active", 1, 1),
            Tally("two", "active", 1, 1),
            Tally("two", "completed", 2, 5),
        ]

    async def test_work_done(self, storage: Storage) -> None:
        """Counted on from where the log ended before."""
        nothing = await storage.work()
        assert (nothing.steps, nothing.decisions) == (0, 0)
        types = ["workflow_started", "step_completed", "decision_requested", "step_completed"]
        log = [an_event("r1", n + 1, event_type=each) for n, each in enumerate(types)]
        await storage.commit([Commit(a_run(sequence=4), log)])
        done = await storage.work()
        assert (done.steps, done.decisions) == (2, 1)
        assert await storage.work(done.place) == Work(0, 0, done.place)
        more = [an_event("r1", 5, event_type="step_completed")]
        await storage.commit([Commit(a_run(sequence=5), more)])
        assert (await storage.work(done.place)).steps == 1

    async def test_pages_of_runs_stay_while_runs_are_added(self, storage: Storage) -> None:
        """Also where many began at the same time."""
        times = (1.0, 2.0, 2.0, 2.0, 2.0, 1 / 3)
        await storage.commit([a_commit(f"r{n}", started_at=at) for n, at in enumerate(times)])
        added = iter(range(100))

        async def add_newer() -> None:
            await storage.commit([a_commit(f"new{next(added)}", started_at=9.0)])

        rows = await all_rows(lambda cursor: storage.runs(RunFilter(), 2, cursor), add_newer)
        assert ids(rows) == ["r4", "r3", "r2", "r1", "r0", "r5"]

    @pytest.mark.parametrize(
        ("where", "expected"),
        [
            (EventFilter("r1"), ["r1:1", "r1:2", "r1:3", "r1:4"]),
            (EventFilter("r1", after=2), ["r1:3", "r1:4"]),
            (EventFilter("r1", after=4), []),
            (EventFilter("r1", after=-1, step_id="a"), ["r1:1", "r1:3"]),
            (EventFilter("r1", event_type="custom"), ["r1:3"]),
            (EventFilter("r1", since=3.0), ["r1:3", "r1:4"]),
            (EventFilter("r1", "a", "custom", 3.0, 2), ["r1:3"]),
            (EventFilter(), ["r1:4", "r1:3", "r2:2", "r2:1", "r1:2", "r1:1"]),
            (EventFilter(event_type="step_completed"), ["r1:4", "r2:1", "r1:2", "r1:1"]),
            (EventFilter(event_type="custom"), ["r1:3", "r2:2"]),
            (EventFilter(step_id="a"), ["r1:3", "r2:1", "r1:1"]),
            (EventFilter(since=2.0, after=1), ["r1:4", "r1:3", "r2:2", "r1:2"]),
            (EventFilter(event_type="nope"), []),
        ],
        ids=str,
    )
    async def test_events_by_filter(self, storage: Storage, where: EventFilter, expected: list[str]) -> None:
        """One run's by sequence, everybody's by what was committed last."""
        r1 = [an_event("r1", n, timestamp=float(n)) for n in (1, 2, 3, 4)]
        r1[0] = r1[0]._replace(step_id="a")
        r1[2] = r1[2]._replace(step_id="a", event_type="custom")
        r1[3] = r1[3]._replace(step_id=None)
        r2 = [an_event("r2", 1, step_id="a"), an_event("r2", 2, event_type="custom", timestamp=9.0)]
        await storage.commit([Commit(a_run("r1", 2), r1[:2])])
        await storage.commit([Commit(a_run("r2", 2), r2), Commit(a_run("r1", 4), r1[2:])])
        page = await storage.events(where)
        assert [event.id for event in page.items] == expected
        assert page.cursor is None
        paged = await all_rows(lambda cursor: storage.events(where, 1, cursor))
        assert [event.id for event in paged] == expected
        by_id = {event.id: event for event in r1 + r2}
        assert list(page.items) == [by_id[event_id] for event_id in expected]

    @pytest.mark.parametrize("event_type", [None, "step_completed"])
    async def test_pages_of_all_events_stay_while_events_are_added(
        self, storage: Storage, event_type: str | None
    ) -> None:
        """What was committed later is not met."""
        await storage.commit([a_commit("r1", count=3), a_commit("r2", count=2)])
        end = iter(range(4, 100))

        async def add_newer() -> None:
            await storage.commit([a_commit("r1", first=next(end))])

        where = EventFilter(event_type=event_type)
        rows = await all_rows(lambda cursor: storage.events(where, 2, cursor), add_newer)
        assert [event.id for event in rows] == ["r2:2", "r2:1", "r1:3", "r1:2", "r1:1"]

    async def test_pages_of_a_log_go_on_into_what_is_added(self, storage: Storage) -> None:
        """A log only grows at its end, which comes last."""
        await storage.commit([a_commit("r1", count=5)])
        first = await storage.events(EventFilter("r1"), 2)
        await storage.commit([a_commit("r1", first=6)])
        assert first.cursor is not None
        rest = await storage.events(EventFilter("r1"), 10, first.cursor)
        assert [event.sequence for event in (*first.items, *rest.items)] == [1, 2, 3, 4, 5, 6]

    @pytest.mark.parametrize("cursor", GARBAGE_CURSORS, ids=lambda text: ascii(text)[:30])
    async def test_a_cursor_of_garbage_is_refused(self, storage: Storage, cursor: str) -> None:
        """By every list, with an error that says what to do."""
        await storage.commit([a_commit()])
        for call in (
            partial(storage.runs, RunFilter(), 10, cursor),
            partial(storage.events, EventFilter(), 10, cursor),
            partial(storage.events, EventFilter("r1"), 10, cursor),
            partial(storage.decisions, DecisionFilter(), 10, cursor),
            partial(storage.templates, None, None, 10, cursor),
            partial(storage.templates, "deploy", None, 10, cursor),
        ):
            error = await refused(call())
            assert error.code is ErrorCode.VALIDATION_ERROR
            assert "cursor" in error.message

    async def test_a_cursor_of_another_list_is_refused(self, storage: Storage) -> None:
        """A cursor belongs to the method that gave it."""
        await storage.commit([a_commit("r1", count=2), a_commit("r2")])
        runs = (await storage.runs(RunFilter(), 1)).cursor
        events = (await storage.events(EventFilter(), 1)).cursor
        assert runs is not None
        assert events is not None
        for call in (
            partial(storage.events, EventFilter(), 1, runs),
            partial(storage.runs, RunFilter(), 1, events),
        ):
            assert (await refused(call())).code is ErrorCode.VALIDATION_ERROR

    @pytest.mark.parametrize("limit", [0, -1])
    async def test_a_limit_below_one_is_refused(self, storage: Storage, limit: int) -> None:
        """Nothing and less than nothing are no pages."""
        for call in (
            partial(storage.runs, RunFilter(), limit),
            partial(storage.events, EventFilter(), limit),
            partial(storage.events, EventFilter("r1"), limit),
            partial(storage.decisions, DecisionFilter(), limit),
            partial(storage.templates, limit=limit),
            partial(storage.messages, limit=limit),
            partial(storage.messages, "r1", limit),
            partial(storage.due, 1.0, limit),
            partial(storage.orphans, 1.0, limit),
            partial(storage.purge, 1.0, limit),
        ):
            error = await refused(call())
            assert error.code is ErrorCode.VALIDATION_ERROR
            assert "limit" in error.message
