"""The storage in a SQLite file."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypeVar

from opcode_core import (
    Commit,
    ErrorCode,
    Event,
    EventFilter,
    OpcodeError,
    Page,
    RunFilter,
    RunRecord,
    TemplateRecord,
    dumps,
    loads,
)
from opcode_sql import lists, rows, schema, statements
from opcode_sql.connection import connect, create_file, use_write_ahead_log
from opcode_sql.cursors import encode
from opcode_sql.failures import store_error
from opcode_sql.location import Location
from opcode_sql.rows import Row

T = TypeVar("T")


class SqliteStorage:
    """A Storage in one file, written and read in the event loop.

    A commit takes less time than handing it to a thread and back would.
    """

    def __init__(self, location: Location) -> None:
        self.location = location
        self._open_db: sqlite3.Connection | None = None

    # -- opening and closing

    async def open(self) -> None:
        """Open the file, make it if it is missing, and migrate it if it is older."""
        if self._open_db is not None:
            return
        with self._failures("opening"):
            create_file(self.location.path)
            db = connect(self.location)
            try:
                self._prepare_schema(db)
            except BaseException:
                db.close()
                raise
        self._open_db = db

    def _prepare_schema(self, db: sqlite3.Connection) -> None:
        current = schema.is_current(db, self.location.path)
        use_write_ahead_log(db, self.location)
        if not current:
            schema.upgrade(lambda: connect(self.location))

    async def close(self) -> None:
        """Close the file; SQLite then puts everything into it."""
        db, self._open_db = self._open_db, None
        if db is not None:
            with self._failures("closing"):
                db.close()

    @property
    def _db(self) -> sqlite3.Connection:
        if self._open_db is None:
            raise OpcodeError(
                ErrorCode.STORE_ERROR,
                f"the database {self.location.path} is not open",
                details={"path": str(self.location.path)},
            )
        return self._open_db

    # -- writing

    async def commit(self, commits: Sequence[Commit]) -> None:
        """One transaction, with one statement for all events."""
        prepared = [rows.prepare(commit) for commit in commits]
        with self._transaction() as db:
            for item in prepared:
                self._put_run(db, item)
                self._put_parts(db, item.commit)
            db.executemany(statements.INSERT_EVENT, [row for item in prepared for row in item.events])

    def _put_run(self, db: sqlite3.Connection, item: rows.Prepared) -> None:
        try:
            if item.base == 0:
                done = db.execute(statements.INSERT_RUN, rows.run_row(item))
            else:
                done = db.execute(statements.UPDATE_RUN, rows.run_changes(item))
        except sqlite3.IntegrityError:
            self._refuse_taken_key(db, item.commit.run)
            raise
        if done.rowcount == 0:
            raise self._not_next(db, item)

    def _put_parts(self, db: sqlite3.Connection, commit: Commit) -> None:
        if commit.definition is not None:
            db.execute(statements.INSERT_DEFINITION, (commit.run.definition_hash, commit.definition))
        if commit.context is not None:
            row = db.execute(statements.CONTEXT, (commit.run.id,)).fetchone()
            merged = {**(loads(row[0]) if row else {}), **commit.context}
            db.execute(statements.SET_CONTEXT, (commit.run.id, dumps(merged).decode()))

    def _not_next(self, db: sqlite3.Connection, item: rows.Prepared) -> OpcodeError:
        run = item.commit.run
        row = db.execute(statements.SEQUENCE, (run.id,)).fetchone()
        stored = row[0] if row else 0
        return rows.conflict(run.id, f"the log goes on with event {stored + 1}, not {item.base + 1}")

    def _refuse_taken_key(self, db: sqlite3.Connection, run: RunRecord) -> None:
        owner = db.execute(statements.RUN_BY_KEY, (run.agent_id, run.idempotency_key)).fetchone()
        if owner:
            raise rows.conflict(
                run.id,
                f"idempotency key {run.idempotency_key!r} of agent {run.agent_id} belongs to run {owner[0]}",
                existing_id=owner[0],
            )

    async def add_template(self, template: TemplateRecord) -> TemplateRecord:
        """The version is counted under the lock that it is written with, so nobody else gives the same."""
        with self._transaction() as db:
            (last,) = db.execute(statements.LAST_VERSION, (template.name,)).fetchone()
            stored = replace(template, version=last + 1)
            db.execute(statements.INSERT_DEFINITION, (stored.definition_hash, stored.definition))
            db.execute(statements.INSERT_TEMPLATE, rows.template_row(stored))
        return stored

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """All that is done inside it, or nothing."""
        db = self._db
        with self._failures("writing to"):
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.execute("COMMIT")
            finally:
                # Some failures, such as a full disk, have rolled back by themselves.
                if db.in_transaction:
                    db.execute("ROLLBACK")

    @contextmanager
    def _failures(self, doing: str) -> Iterator[None]:
        """Turn what SQLite and the file system raise into errors for people."""
        try:
            yield
        except (ValueError, OverflowError) as error:
            # Raised where Python hands a value to SQLite, before anything is run.
            raise OpcodeError(
                ErrorCode.VALIDATION_ERROR, f"a value that no database can hold: {_why(error)}"
            ) from None
        except (sqlite3.Error, OSError) as error:
            raise store_error(error, self.location.path, doing) from error

    # -- reading

    def _read(self, convert: Callable[[Row], T], sql: str, values: Sequence[Any]) -> list[T]:
        db = self._db
        with self._failures("reading"):
            found = db.execute(sql, values).fetchall()
        try:
            return [convert(row) for row in found]
        except ValueError as error:  # what is stored as JSON is none
            raise store_error(error, self.location.path, "reading") from error

    async def run(self, run_id: str) -> RunRecord | None:
        """By its id."""
        return _first(self._read(rows.run_of, statements.RUN, (run_id,)))

    async def run_by_key(self, agent_id: str, idempotency_key: str) -> RunRecord | None:
        """By its key."""
        return _first(self._read(rows.run_of, statements.RUN_BY_KEY, (agent_id, idempotency_key)))

    async def context(self, run_id: str) -> dict[str, Any]:
        """The JSON object of that run."""
        return _first(self._read(rows.context_of, statements.CONTEXT, (run_id,))) or {}

    async def definition(self, definition_hash: str) -> bytes | None:
        """By its hash."""
        return _first(self._read(rows.definition_of, statements.DEFINITION, (definition_hash,)))

    async def template(self, name: str, version: int | None = None) -> TemplateRecord | None:
        """By name, with a version or the newest."""
        if version is None:
            return _first(self._read(rows.template_of, statements.NEWEST_TEMPLATE, (name,)))
        return _first(self._read(rows.template_of, statements.TEMPLATE, (name, version)))

    async def runs(self, where: RunFilter, limit: int = 50, cursor: str | None = None) -> Page[RunRecord]:
        """By the index that the filter allows."""
        found = self._read(rows.run_of, *lists.runs(where, limit, cursor))
        return _page(found, limit, lambda run: encode("runs", run.started_at, run.id))

    async def events(self, where: EventFilter, limit: int = 100, cursor: str | None = None) -> Page[Event]:
        """By the run's log, by type, or from the newest."""
        if where.workflow_id is not None:
            log = self._read(rows.event_of, *lists.log(where, limit, cursor))
            return _page(log, limit, lambda event: encode("log", event.sequence))
        found = self._read(rows.placed_event_of, *lists.events(where, limit, cursor))
        page = _page(found, limit, lambda row: encode("events", row[0]))
        return Page(tuple(event for _, event in page.items), page.cursor)

    async def templates(
        self, name: str | None = None, agent_id: str | None = None, limit: int = 50, cursor: str | None = None
    ) -> Page[TemplateRecord]:
        """By the primary key."""
        if name is None:
            found = self._read(rows.template_of, *lists.templates(agent_id, limit, cursor))
            return _page(found, limit, lambda row: encode("templates", row.name))
        found = self._read(rows.template_of, *lists.versions(name, agent_id, limit, cursor))
        return _page(found, limit, lambda row: encode("versions", row.version))


def _first(found: list[T]) -> T | None:
    return found[0] if found else None


def _page(found: list[T], limit: int, cursor_after: Callable[[T], str]) -> Page[T]:
    """A page of `limit` rows out of at most one more."""
    items = tuple(found[:limit])
    return Page(items, cursor_after(items[-1]) if len(found) > limit else None)


def _why(error: Exception) -> str:
    if isinstance(error, UnicodeEncodeError):
        return "it holds half of a surrogate pair, which is no text"
    return str(error)
