"""The storage in a SQLite file."""

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from opcode_core import (
    Commit,
    Decision,
    DecisionFilter,
    ErrorCode,
    Event,
    EventFilter,
    Item,
    Message,
    OpcodeError,
    Page,
    RunFilter,
    RunRecord,
    Tally,
    TemplateRecord,
    Work,
)
from opcode_sql import checking, lists, purging, rows, shelves, statements
from opcode_sql.commits import store
from opcode_sql.cursors import encode
from opcode_sql.database import Database
from opcode_sql.location import Location
from opcode_sql.prepared import prepare

T = TypeVar("T")


class SqliteStorage:
    """A Storage in one file."""

    def __init__(self, location: Location) -> None:
        self.location = location
        self._database = Database(location)
        self._read = self._database.read
        self._write = self._database.write

    async def open(self) -> None:
        """Open the file, make it if it is missing, and migrate it if it is older."""
        self._database.open()

    async def close(self) -> None:
        """Close the file; SQLite then puts everything into it."""
        self._database.close()

    async def commit(self, commits: Sequence[Commit]) -> None:
        """One transaction, with one statement for all events."""
        prepared = [prepare(commit) for commit in commits]
        await self._write(lambda db: store(db, prepared))

    # -- who drives which run

    async def beat(self, owner: str, until: float) -> None:
        """In its row."""
        await self._write(lambda db: db.execute(statements.BEAT, (owner, until)))

    async def owners(self) -> dict[str, float]:
        """All rows: there are few."""
        return dict(await self._read(tuple, statements.OWNERS))

    async def leave(self, owner: str) -> None:
        """Delete its row."""
        await self._write(lambda db: db.execute(statements.LEAVE, (owner,)))

    async def claim(self, run_ids: Sequence[str], owner: str, now: float) -> list[RunRecord]:
        """Under the lock that it is written with, so nobody else claims the same."""
        wanted = dict.fromkeys(run_ids)
        claimed = await self._write(lambda db: _claim(db, wanted, owner, now)) if wanted else []
        return self._database.converted(rows.run_of, claimed)

    async def orphans(self, now: float, limit: int = 100) -> list[RunRecord]:
        """By the index of runs that have an owner."""
        return await self._read(rows.run_of, *lists.orphans(now, limit))

    async def due(self, now: float, limit: int = 100) -> list[RunRecord]:
        """By the index of runs that wake."""
        return await self._read(rows.run_of, *lists.due(now, limit))

    async def next_due(self, after: float) -> float | None:
        """By the same index."""
        return _first(await self._read(_only, statements.NEXT_DUE, (after,)))

    # -- messages to runs

    async def post(self, message: Message) -> None:
        """Under the lock that runs are deleted with, so none is left behind."""
        await self._write(lambda db: _post(db, message))

    async def messages(self, workflow_id: str | None = None, limit: int = 100) -> list[Message]:
        """By their age."""
        return await self._read(rows.message_of, *lists.messages(workflow_id, limit))

    async def drop(self, message_id: str) -> None:
        """By its id."""
        await self._write(lambda db: db.execute(statements.DELETE_MESSAGE, (message_id,)))

    # -- reading

    async def run(self, run_id: str) -> RunRecord | None:
        """By its id."""
        return _first(await self._read(rows.run_of, statements.RUN, (run_id,)))

    async def run_by_key(self, agent_id: str, idempotency_key: str) -> RunRecord | None:
        """By its key."""
        return _first(await self._read(rows.run_of, statements.RUN_BY_KEY, (agent_id, idempotency_key)))

    async def runs(self, where: RunFilter, limit: int = 50, cursor: str | None = None) -> Page[RunRecord]:
        """By the index that the filter allows."""
        found = await self._read(rows.run_of, *lists.runs(where, limit, cursor))
        return _page(found, limit, lambda run: encode("runs", run.started_at, run.id))

    async def tally(self) -> list[Tally]:
        """In one pass over all runs."""
        return await self._read(lambda row: Tally(*row), statements.TALLY)

    async def work(self, after: int = 0) -> Work:
        """In a thread: the first time it is one pass over all events."""
        row = await self._database.look(lambda db: db.execute(statements.WORK, (after, after)).fetchone())
        return Work(*row)

    async def events(self, where: EventFilter, limit: int = 100, cursor: str | None = None) -> Page[Event]:
        """By the run's log, by type, or from the newest."""
        if where.workflow_id is not None:
            log = await self._read(rows.event_of, *lists.log(where, limit, cursor))
            return _page(log, limit, lambda event: encode("log", event.sequence))
        found = await self._read(rows.placed_event_of, *lists.events(where, limit, cursor))
        page = _page(found, limit, lambda row: encode("events", row[0]))
        return Page(tuple(event for _, event in page.items), page.cursor)

    async def context(self, run_id: str) -> dict[str, Any]:
        """The JSON object of that run."""
        return _first(await self._read(rows.context_of, statements.CONTEXT, (run_id,))) or {}

    async def snapshot(self, run_id: str) -> tuple[int, bytes] | None:
        """The one row of that run."""
        return _first(await self._read(rows.snapshot_of, statements.SNAPSHOT, (run_id,)))

    async def decision(self, decision_id: str) -> Decision | None:
        """By its id."""
        return _first(await self._read(rows.decision_of, statements.DECISION, (decision_id,)))

    async def decisions(
        self, where: DecisionFilter, limit: int = 50, cursor: str | None = None
    ) -> Page[Decision]:
        """By the index that the filter allows."""
        found = await self._read(rows.decision_of, *lists.decisions(where, limit, cursor))
        return _page(found, limit, lambda decision: encode("decisions", decision.created_at, decision.id))

    async def definition(self, definition_hash: str) -> bytes | None:
        """By its hash."""
        return _first(await self._read(rows.definition_of, statements.DEFINITION, (definition_hash,)))

    # -- templates

    async def add_template(self, template: TemplateRecord) -> TemplateRecord:
        """The version is counted under the lock that it is written with, so nobody else gives the same."""
        return await self._write(lambda db: _add_version(db, template))

    async def template(self, name: str, version: int | None = None) -> TemplateRecord | None:
        """By name, with a version or the newest."""
        if version is None:
            return _first(await self._read(rows.template_of, statements.NEWEST_TEMPLATE, (name,)))
        return _first(await self._read(rows.template_of, statements.TEMPLATE, (name, version)))

    async def templates(
        self, name: str | None = None, agent_id: str | None = None, limit: int = 50, cursor: str | None = None
    ) -> Page[TemplateRecord]:
        """By the primary key."""
        if name is None:
            found = await self._read(rows.template_of, *lists.templates(agent_id, limit, cursor))
            return _page(found, limit, lambda row: encode("templates", row.name))
        found = await self._read(rows.template_of, *lists.versions(name, agent_id, limit, cursor))
        return _page(found, limit, lambda row: encode("versions", row.version))

    # -- what else is remembered

    async def put(self, shelf: str, key: str, value: Any, now: float, *, version: int | None = None) -> Item:
        """Its version is looked at under the lock that it is written with."""
        item = Item(shelf, key, value, 0, now)
        return await self._write(lambda db: shelves.put(db, item, version))

    async def item(self, shelf: str, key: str) -> Item | None:
        """By the primary key."""
        return _first(await self._read(shelves.item_of, shelves.ITEM, (shelf, key)))

    async def items(
        self,
        shelf: str,
        prefix: str = "",
        limit: int = 100,
        cursor: str | None = None,
        *,
        greatest_first: bool = False,
    ) -> Page[Item]:
        """A range of the primary key."""
        select = shelves.page(shelf, prefix, limit, cursor, greatest_first=greatest_first)
        return _page(
            await self._read(shelves.item_of, *select), limit, lambda item: encode("items", item.key)
        )

    async def remove(self, shelf: str, keys: Sequence[str]) -> int:
        """One transaction."""
        return await self._write(lambda db: shelves.remove(db, shelf, keys))

    # -- housekeeping

    async def purge(self, before: float, limit: int = 100) -> int:
        """One transaction; the space is used again, and the file does not shrink."""
        lists.check_limit(limit)
        return await self._write(lambda db: purging.purge(db, before, limit))

    async def check(self) -> list[str]:
        """In a thread and over a connection of its own, as it reads the whole file."""
        return await self._database.look(checking.problems)


def _claim(db: sqlite3.Connection, run_ids: Iterable[str], owner: str, now: float) -> list[rows.Row]:
    claims = [db.execute(statements.CLAIM, (run_id, owner, now)).fetchall() for run_id in run_ids]
    return [row for found in claims for row in found]


def _post(db: sqlite3.Connection, message: Message) -> None:
    if db.execute(statements.POSITION, (message.workflow_id,)).fetchone() is None:
        raise OpcodeError(ErrorCode.NOT_FOUND, f"there is no run '{message.workflow_id}'")
    db.execute(statements.INSERT_MESSAGE, rows.message_row(message))


def _add_version(db: sqlite3.Connection, template: TemplateRecord) -> TemplateRecord:
    (last,) = db.execute(statements.LAST_VERSION, (template.name,)).fetchone()
    stored = replace(template, version=last + 1)
    db.execute(statements.INSERT_DEFINITION, (stored.definition_hash, stored.definition))
    db.execute(statements.INSERT_TEMPLATE, rows.template_row(stored))
    return stored


def _only(row: rows.Row) -> Any:
    return row[0]


def _first(found: list[T]) -> T | None:
    return found[0] if found else None


def _page(found: list[T], limit: int, cursor_after: Callable[[T], str]) -> Page[T]:
    """A page of `limit` rows out of at most one more."""
    items = tuple(found[:limit])
    return Page(items, cursor_after(items[-1]) if len(found) > limit else None)
