"""The open database, read and written in the event loop."""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from functools import partial
from typing import Any, Final, TypeVar

from opcode_core import ErrorCode, OpcodeError
from opcode_sql import schema
from opcode_sql.connection import connect, create_file, use_write_ahead_log
from opcode_sql.failures import failures, is_busy, store_error
from opcode_sql.location import Location
from opcode_sql.rows import Row

T = TypeVar("T")

FIRST_PAUSE: Final = 0.001
LONGEST_PAUSE: Final = 0.05
"""Seconds between tries while another process holds the lock; each pause is twice the one before."""


class Database:
    """One connection. A transaction takes less time than handing it to a thread and back would.

    A transaction is never left open while something else runs. When another process is in the way
    it is undone and tried again later, and the loop goes on meanwhile.
    """

    def __init__(self, location: Location) -> None:
        self.location = location
        self._connection: sqlite3.Connection | None = None
        self._turn = asyncio.Lock()
        self._waiting = 0

    def open(self) -> None:
        """Open the file, make it if it is missing, and migrate it if it is older. Idempotent."""
        if self._connection is not None:
            return
        with failures(self.location.path, "opening"):
            create_file(self.location.path)
            db = connect(self.location)
            try:
                self._prepare(db)
            except BaseException:
                db.close()
                raise
        self._connection = db
        self._turn = asyncio.Lock()  # one of this loop

    def _prepare(self, db: sqlite3.Connection) -> None:
        current = schema.is_current(db, self.location.path)
        use_write_ahead_log(db, self.location)
        if not current:
            schema.upgrade(lambda: connect(self.location))
        # From here on waiting is the loop's business.
        db.execute("PRAGMA busy_timeout = 0")

    def close(self) -> None:
        """Close the file; SQLite then puts everything into it. Idempotent."""
        db, self._connection = self._connection, None
        if db is not None:
            with failures(self.location.path, "closing"):
                db.close()

    @property
    def connection(self) -> sqlite3.Connection:
        """The connection, in autocommit mode.

        Raises:
            OpcodeError: STORE_ERROR when it is not open.
        """
        if self._connection is None:
            raise self._not_open()
        return self._connection

    def _not_open(self) -> OpcodeError:
        path = self.location.path
        return OpcodeError(
            ErrorCode.STORE_ERROR, f"the database {path} is not open", details={"path": str(path)}
        )

    async def read(self, convert: Callable[[Row], T], sql: str, values: Sequence[Any] = ()) -> list[T]:
        """All rows of a query."""
        with failures(self.location.path, "reading"):
            try:
                found = self._select(sql, values)
            except sqlite3.OperationalError as error:
                if not is_busy(error):
                    raise
                found = await self._patiently(partial(self._select, sql, values))
        return self.converted(convert, found)

    def converted(self, convert: Callable[[Row], T], found: Iterable[Row]) -> list[T]:
        """What the rows stand for.

        Raises:
            OpcodeError: STORE_ERROR when what is stored as JSON is none.
        """
        try:
            return [convert(row) for row in found]
        except ValueError as error:
            raise store_error(error, self.location.path, "reading") from error

    def _select(self, sql: str, values: Sequence[Any]) -> list[Row]:
        return self.connection.execute(sql, values).fetchall()

    async def look(self, at: Callable[[sqlite3.Connection], T]) -> T:
        """What takes long: in a thread, over a connection of its own that sees one moment of the database."""
        if self._connection is None:
            raise self._not_open()
        with failures(self.location.path, "checking"):
            return await asyncio.to_thread(self._aside, at)

    def _aside(self, look: Callable[[sqlite3.Connection], T]) -> T:
        with closing(connect(self.location)) as db:
            db.execute("BEGIN")
            return look(db)

    async def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do `work` in one transaction: all of it, or nothing.

        It is called again from the start after another process was in the way, so it may have no
        effect but on the database.
        """
        with failures(self.location.path, "writing to"):
            if self._waiting == 0:
                try:
                    return self._transaction(work)
                except sqlite3.OperationalError as error:
                    if not is_busy(error):
                        raise
            return await self._in_turn(partial(self._transaction, work))

    def _transaction(self, work: Callable[[sqlite3.Connection], T]) -> T:
        db = self.connection
        db.execute("BEGIN IMMEDIATE")
        try:
            result = work(db)
            db.execute("COMMIT")
        finally:
            # Some failures, such as a full disk, have rolled back by themselves.
            if db.in_transaction:
                db.execute("ROLLBACK")
        return result

    async def _in_turn(self, attempt: Callable[[], T]) -> T:
        """First come, first served; only who is first asks for the lock."""
        deadline = time.monotonic() + self.location.busy_timeout
        self._waiting += 1
        try:
            async with self._turn:
                return await self._patiently(attempt, deadline)
        finally:
            self._waiting -= 1

    async def _patiently(self, attempt: Callable[[], T], deadline: float | None = None) -> T:
        """Try until no other process is in the way, or the time for that is over."""
        if deadline is None:
            deadline = time.monotonic() + self.location.busy_timeout
        pause = FIRST_PAUSE
        while True:
            try:
                return attempt()
            except sqlite3.OperationalError as error:
                left = deadline - time.monotonic()
                if left <= 0 or not is_busy(error):
                    raise
            await asyncio.sleep(min(pause, left))
            pause = min(2 * pause, LONGEST_PAUSE)
