"""The in-memory storage: the reference for all others, and the quickest. It ends with the process."""

import base64
from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, NoReturn, TypeVar

from opcode_core.codec import dumps, loads
from opcode_core.contracts.storage import (
    Commit,
    DecisionFilter,
    EventFilter,
    Item,
    Message,
    Page,
    RunFilter,
    RunRecord,
    Tally,
    TemplateRecord,
    Work,
)
from opcode_core.decisions import Decision
from opcode_core.errors import ErrorCode, OpcodeError
from opcode_core.events import DECISION_REQUESTED, STEP_COMPLETED, Event
from opcode_core.shelves import Shelf
from opcode_core.state import RUN_ENDED

Row = TypeVar("Row")
_EMPTY = Shelf()


class MemoryStorage:
    """A Storage of plain dicts and lists. Values are shared with the caller, never copied, but for those of items."""

    def __init__(self) -> None:
        self._runs: dict[str, RunRecord] = {}
        self._run_order: list[tuple[float, str]] = []  # ascending by (started_at, id)
        self._run_by_key: dict[tuple[str, str], str] = {}
        self._logs: dict[str, list[Event]] = {}
        self._all_events: list[Event] = []  # as committed
        self._definitions: dict[str, bytes] = {}
        self._contexts: dict[str, dict[str, Any]] = {}
        self._templates: dict[str, list[TemplateRecord]] = {}
        self._owners: dict[str, float] = {}
        self._owned: dict[str, None] = {}  # runs that have an owner
        self._wakes: list[tuple[float, str]] = []  # ascending
        self._decisions: dict[str, Decision] = {}
        self._messages: dict[str, Message] = {}
        self._snapshots: dict[str, tuple[int, bytes]] = {}
        self._shelves: dict[str, Shelf] = {}

    async def open(self) -> None:
        """Nothing to connect to."""

    async def close(self) -> None:
        """Nothing to let go of: the rows live as long as this object."""

    async def commit(self, commits: Sequence[Commit]) -> None:
        """Check all, then apply all."""
        sequences: dict[str, int] = {}
        keys: dict[tuple[str, str], str] = {}
        for commit in commits:
            self._check(commit, sequences, keys)
        for commit in commits:
            self._apply(commit)

    def _check(self, commit: Commit, sequences: dict[str, int], keys: dict[tuple[str, str], str]) -> None:
        """Raise if `commit` does not follow from what is stored and from the batch before it."""
        run = commit.run
        stored = self._runs.get(run.id)
        if stored is not None and run.fence != stored.fence:
            _refuse_fence(run, stored.fence)
        end = sequences.get(run.id)
        if end is None:
            end = stored.sequence if stored else 0
        for event in commit.events:
            end += 1
            if event.sequence != end or event.workflow_id != run.id:
                _refuse_event(run.id, end, event)
        if run.sequence != end:
            _refuse_row(run, end)
        sequences[run.id] = end
        if run.idempotency_key is not None and stored is None:
            key = (run.agent_id, run.idempotency_key)
            owner = self._run_by_key.get(key) or keys.setdefault(key, run.id)
            if owner != run.id:
                _refuse_key(run, owner)

    def _apply(self, commit: Commit) -> None:
        run = commit.run
        log = self._logs.get(run.id)
        if log is None:
            log = self._logs[run.id] = []
            insort(self._run_order, (run.started_at, run.id))
            if run.idempotency_key is not None:
                self._run_by_key[run.agent_id, run.idempotency_key] = run.id
        self._put_run(run)
        log.extend(commit.events)
        self._all_events.extend(commit.events)
        if commit.definition is not None:
            self._definitions.setdefault(run.definition_hash, commit.definition)
        if commit.context is not None:
            self._contexts.setdefault(run.id, {}).update(commit.context)
        self._decisions.update((decision.id, decision) for decision in commit.decisions)
        for message in commit.messages:
            self._messages.setdefault(message.id, message)
        for message_id in commit.taken:
            self._messages.pop(message_id, None)
        if commit.snapshot is not None:
            self._snapshots[run.id] = (run.sequence, commit.snapshot)

    def _put_run(self, run: RunRecord) -> None:
        before = self._runs.get(run.id)
        self._runs[run.id] = run
        if before is not None and before.wakes_at is not None and before.wakes_at != run.wakes_at:
            del self._wakes[bisect_left(self._wakes, (before.wakes_at, run.id))]
        if run.wakes_at is not None and (before is None or before.wakes_at != run.wakes_at):
            insort(self._wakes, (run.wakes_at, run.id))
        if run.owner is None:
            self._owned.pop(run.id, None)
        else:
            self._owned[run.id] = None

    async def beat(self, owner: str, until: float) -> None:
        """Remember until when."""
        self._owners[owner] = until

    async def owners(self) -> dict[str, float]:
        """All who are remembered."""
        return dict(self._owners)

    async def leave(self, owner: str) -> None:
        """Forget."""
        self._owners.pop(owner, None)

    async def claim(self, run_ids: Sequence[str], owner: str, now: float) -> list[RunRecord]:
        """With the next fence, those that nobody living drives."""
        claimed = []
        for run_id in dict.fromkeys(run_ids):
            run = self._runs.get(run_id)
            if run is None or (run.owner not in (None, owner) and self._lives(run.owner, now)):
                continue
            self._put_run(replace(run, owner=owner, fence=run.fence + 1, wakes_at=None))
            claimed.append(self._runs[run_id])
        return claimed

    def _lives(self, owner: str | None, now: float) -> bool:
        return owner is not None and self._owners.get(owner, now) > now

    async def orphans(self, now: float, limit: int = 100) -> list[RunRecord]:
        """Among the runs that have an owner."""
        _check_limit(limit)
        orphans = [run for run in map(self._runs.__getitem__, self._owned) if not self._lives(run.owner, now)]
        return sorted(orphans, key=lambda run: (run.started_at, run.id))[:limit]

    async def due(self, now: float, limit: int = 100) -> list[RunRecord]:
        """From the beginning of the order."""
        _check_limit(limit)
        until_now = islice(self._wakes, limit)
        return [self._runs[run_id] for wakes_at, run_id in until_now if wakes_at <= now]

    async def next_due(self, after: float) -> float | None:
        """The first of the order behind that time."""
        at = bisect_left(self._wakes, (after, chr(0x10FFFF)))
        return self._wakes[at][0] if at < len(self._wakes) else None

    async def post(self, message: Message) -> None:
        """Keep it beside those of commits."""
        if message.workflow_id not in self._runs:
            raise OpcodeError(ErrorCode.NOT_FOUND, f"there is no run '{message.workflow_id}'")
        self._messages.setdefault(message.id, message)

    async def messages(self, workflow_id: str | None = None, limit: int = 100) -> list[Message]:
        """By their time."""
        _check_limit(limit)
        found = [m for m in self._messages.values() if workflow_id in (None, m.workflow_id)]
        return sorted(found, key=lambda message: (message.created_at, message.id))[:limit]

    async def drop(self, message_id: str) -> None:
        """By its id."""
        self._messages.pop(message_id, None)

    async def snapshot(self, run_id: str) -> tuple[int, bytes] | None:
        """The last that a commit brought."""
        return self._snapshots.get(run_id)

    async def decision(self, decision_id: str) -> Decision | None:
        """By its id."""
        return self._decisions.get(decision_id)

    async def decisions(
        self, where: DecisionFilter, limit: int = 50, cursor: str | None = None
    ) -> Page[Decision]:
        """Sorted when asked: there are few."""
        order = sorted(self._decisions.values(), key=lambda decision: (decision.created_at, decision.id))
        matching = (row for row in order if _decision_matches(row, where))
        if cursor is not None:
            last = _decode(cursor, "decisions", float, str)
            matching = (row for row in matching if (row.created_at, row.id) > last)
        return _page(matching, limit, lambda row: _encode("decisions", float(row.created_at), row.id))

    async def run(self, run_id: str) -> RunRecord | None:
        """By its id."""
        return self._runs.get(run_id)

    async def run_by_key(self, agent_id: str, idempotency_key: str) -> RunRecord | None:
        """By its key."""
        run_id = self._run_by_key.get((agent_id, idempotency_key))
        return None if run_id is None else self._runs[run_id]

    async def runs(self, where: RunFilter, limit: int = 50, cursor: str | None = None) -> Page[RunRecord]:
        """Walk down the order from where the last page ended."""
        end = len(self._run_order)
        if cursor is not None:
            started_at, run_id = _decode(cursor, "runs", float, str)
            end = bisect_left(self._run_order, (started_at, run_id))
        newest_first = (self._runs[self._run_order[at][1]] for at in range(end - 1, -1, -1))
        rows = (run for run in newest_first if _run_matches(run, where))
        return _page(rows, limit, lambda run: _encode("runs", float(run.started_at), run.id))

    async def tally(self) -> list[Tally]:
        """Counted anew each time."""
        found: dict[tuple[str, str], list[int]] = {}
        for run in self._runs.values():
            counts = found.setdefault((run.agent_id, run.status), [0, 0])
            counts[0] += 1
            counts[1] += run.sequence
        return [Tally(*key, *counts) for key, counts in sorted(found.items())]

    async def work(self, after: int = 0) -> Work:
        """Counted in the order of commits."""
        types = [event.event_type for event in self._all_events[after:]]
        return Work(types.count(STEP_COMPLETED), types.count(DECISION_REQUESTED), after + len(types))

    async def events(self, where: EventFilter, limit: int = 100, cursor: str | None = None) -> Page[Event]:
        """Walk up one run's log, or down everybody's."""
        if where.workflow_id is not None:
            start = max(0, where.after or 0)
            if cursor is not None:
                start = max(start, *_decode(cursor, "log", int))
            log = self._logs.get(where.workflow_id, [])
            following = (log[at] for at in range(start, len(log)))  # the n-th event lies at n - 1
            rows = (event for event in following if _event_matches(event, where))
            return _page(rows, limit, lambda event: _encode("log", event.sequence))
        end = len(self._all_events)
        if cursor is not None:
            (position,) = _decode(cursor, "events", int)
            end = min(end, position)
        newest_first = ((at, self._all_events[at]) for at in range(end - 1, -1, -1))
        placed = ((at, event) for at, event in newest_first if _event_matches(event, where))
        page = _page(placed, limit, lambda row: _encode("events", row[0]))
        return Page(tuple(event for _, event in page.items), page.cursor)

    async def context(self, run_id: str) -> dict[str, Any]:
        """All keys that were ever committed, with their last values."""
        return dict(self._contexts.get(run_id, ()))

    async def purge(self, before: float, limit: int = 100) -> int:
        """In the order in which they were first stored."""
        _check_limit(limit)
        going = [run for run in self._runs.values() if run.status not in RUN_ENDED]
        parents, needed = {run.parent_id for run in going}, {run.id for run in going}
        ended = [
            run
            for run in self._runs.values()
            if run.status in RUN_ENDED and run.id not in parents and run.parent_id not in needed
        ]
        old = [run for run in ended if run.completed_at is not None and run.completed_at < before]
        for run in old[:limit]:
            self._delete(run)
        used = {run.definition_hash for run in self._runs.values()}
        used |= {row.definition_hash for versions in self._templates.values() for row in versions}
        self._definitions = {key: body for key, body in self._definitions.items() if key in used}
        return len(old[:limit])

    def _delete(self, run: RunRecord) -> None:
        self._put_run(replace(run, wakes_at=None, owner=None))
        del self._runs[run.id]
        del self._logs[run.id]
        self._run_order.remove((run.started_at, run.id))
        self._all_events = [event for event in self._all_events if event.workflow_id != run.id]
        if run.idempotency_key is not None:
            del self._run_by_key[run.agent_id, run.idempotency_key]
        self._contexts.pop(run.id, None)
        self._snapshots.pop(run.id, None)
        self._decisions = {key: row for key, row in self._decisions.items() if row.workflow_id != run.id}
        self._messages = {key: row for key, row in self._messages.items() if row.workflow_id != run.id}

    async def put(self, shelf: str, key: str, value: Any, now: float, *, version: int | None = None) -> Item:
        """On its shelf, which is made when it is missing."""
        return self._shelves.setdefault(shelf, Shelf()).put(Item(shelf, key, value, 0, now), version)

    async def item(self, shelf: str, key: str) -> Item | None:
        """From its shelf."""
        return self._shelves.get(shelf, _EMPTY).get(key)

    async def items(
        self,
        shelf: str,
        prefix: str = "",
        limit: int = 100,
        cursor: str | None = None,
        *,
        greatest_first: bool = False,
    ) -> Page[Item]:
        """A stretch of its shelf."""
        last = None if cursor is None else _decode(cursor, "items", str)[0]
        kept = self._shelves.get(shelf, _EMPTY)
        found = kept.descending(prefix, last) if greatest_first else kept.ascending(prefix, last)
        return _page(found, limit, lambda item: _encode("items", item.key))

    async def remove(self, shelf: str, keys: Sequence[str]) -> int:
        """From its shelf."""
        return self._shelves.get(shelf, _EMPTY).remove(keys)

    async def check(self) -> list[str]:
        """Nothing here can be damaged."""
        return []

    async def definition(self, definition_hash: str) -> bytes | None:
        """By its hash."""
        return self._definitions.get(definition_hash)

    async def add_template(self, template: TemplateRecord) -> TemplateRecord:
        """Append to the versions of its name."""
        versions = self._templates.setdefault(template.name, [])
        stored = replace(template, version=len(versions) + 1)
        versions.append(stored)
        self._definitions.setdefault(stored.definition_hash, stored.definition)
        return stored

    async def template(self, name: str, version: int | None = None) -> TemplateRecord | None:
        """Versions lie in their order, so the n-th is the one at n - 1."""
        versions = self._templates.get(name, [])
        number = len(versions) if version is None else version
        return versions[number - 1] if 1 <= number <= len(versions) else None

    async def templates(
        self, name: str | None = None, agent_id: str | None = None, limit: int = 50, cursor: str | None = None
    ) -> Page[TemplateRecord]:
        """Names in code point order, or one name's versions from the last."""
        if name is not None:
            versions: Iterable[TemplateRecord] = reversed(self._templates.get(name, []))
            if cursor is not None:
                (below,) = _decode(cursor, "versions", int)
                versions = (row for row in versions if row.version < below)
            mine = (row for row in versions if agent_id in (None, row.agent_id))
            return _page(mine, limit, lambda row: _encode("versions", row.version))
        names: Iterable[str] = sorted(self._templates)
        if cursor is not None:
            (last,) = _decode(cursor, "templates", str)
            names = (each for each in names if each > last)
        return _page(self._newest(names, agent_id), limit, lambda row: _encode("templates", row.name))

    def _newest(self, names: Iterable[str], agent_id: str | None) -> Iterator[TemplateRecord]:
        for name in names:
            for row in reversed(self._templates[name]):
                if agent_id in (None, row.agent_id):
                    yield row
                    break


def _run_matches(run: RunRecord, where: RunFilter) -> bool:
    return (
        where.status in (None, run.status)
        and where.agent_id in (None, run.agent_id)
        and where.template_name in (None, run.template_name)
        and where.parent_id in (None, run.parent_id)
        and (where.since is None or run.started_at >= where.since)
    )


def _decision_matches(decision: Decision, where: DecisionFilter) -> bool:
    return (
        where.status in (None, decision.status)
        and where.workflow_id in (None, decision.workflow_id)
        and (where.agent_id is None or decision.target_agent_id in (None, where.agent_id))
    )


def _event_matches(event: Event, where: EventFilter) -> bool:
    return (
        where.step_id in (None, event.step_id)
        and where.event_type in (None, event.event_type)
        and (where.since is None or event.timestamp >= where.since)
        and (where.after is None or event.sequence > where.after)
    )


def _page(rows: Iterator[Row], limit: int, cursor_after: Callable[[Row], str]) -> Page[Row]:
    _check_limit(limit)
    items = tuple(islice(rows, limit))
    more = next(rows, None) is not None
    return Page(items, cursor_after(items[-1]) if more else None)


def _check_limit(limit: int) -> None:
    if limit < 1:
        raise OpcodeError(ErrorCode.VALIDATION_ERROR, f"limit is {limit}; give 1 or more")


def _encode(kind: str, *key: float | str) -> str:
    return base64.urlsafe_b64encode(dumps([kind, *key])).rstrip(b"=").decode("ascii")


def _decode(cursor: str, kind: str, *types: type) -> tuple[Any, ...]:
    """The key in `cursor`, when it is of that kind and exactly what `_encode` writes."""
    try:
        found, *key = loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        good = found == kind and [type(part) for part in key] == list(types) and _encode(kind, *key) == cursor
    except (ValueError, TypeError, RecursionError):
        good = False
    if not good:
        raise OpcodeError(
            ErrorCode.VALIDATION_ERROR,
            f"cursor {cursor[:80]!r} is not one of this list; leave it out to begin at the first page",
            details={"cursor": cursor[:80]},
        )
    return tuple(key)


def _refuse_event(run_id: str, expected: int, event: Event) -> NoReturn:
    if event.workflow_id != run_id:
        raise _conflict(run_id, f"event {event.sequence} in its commit is of run {event.workflow_id}")
    raise _conflict(run_id, f"the log goes on with event {expected}, not {event.sequence}")


def _refuse_row(run: RunRecord, end: int) -> NoReturn:
    raise _conflict(run.id, f"its row says that the log ends at event {run.sequence}, but it ends at {end}")


def _refuse_fence(run: RunRecord, fence: int) -> NoReturn:
    raise OpcodeError(
        ErrorCode.CONFLICT,
        f"run {run.id} is driven by somebody else since then",
        details={"workflow_id": run.id, "fence": fence},
    )


def _refuse_key(run: RunRecord, owner: str) -> NoReturn:
    raise _conflict(
        run.id,
        f"idempotency key {run.idempotency_key!r} of agent {run.agent_id} belongs to run {owner}",
        existing_id=owner,
    )


def _conflict(run_id: str, what: str, **details: str) -> OpcodeError:
    return OpcodeError(
        ErrorCode.CONFLICT, f"run {run_id}: {what}", details={"workflow_id": run_id, **details}
    )
