"""Where a worker dies: at the n-th time that it comes to a named place, told by DIE, such as `before:commit:7`.

`before:NAME` and `after:NAME` are around a method of the storage, `statement:NAME` is before one of
the SQL statements inside it; `begin:action` and `end:action` are inside an action, and
`answer:VERB` is right after the answer to who told the worker something.
"""

import os
import signal
import sqlite3
from contextvars import ContextVar
from typing import Any

import opcode_sql.database
from opcode_sql.connection import connect
from opcode_sql.location import Location
from opcode_sql.sqlite import SqliteStorage

METHODS = ("open", "beat", "leave", "claim", "commit", "post", "drop", "add_template", "purge")
_doing: ContextVar[str] = ContextVar("doing", default="nothing")


class Fate:
    """Counts how often a process comes to the place where it dies."""

    def __init__(self, die: str) -> None:
        self.place, _, times = die.rpartition(":")
        self.left = int(times or 0)

    def at(self, place: str) -> None:
        """Come to a place, and die if this is the one."""
        if place == self.place:
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


class MortalStorage(SqliteStorage):
    """The real storage; its process may die around each method, and inside."""

    def __init__(self, location: Location, fate: Fate) -> None:
        super().__init__(location)
        self.fate = fate
        opcode_sql.database.connect = self._connect

    def _connect(self, location: Location) -> sqlite3.Connection:
        db = connect(location)
        db.set_trace_callback(lambda _: self.fate.at(f"statement:{_doing.get()}"))
        return db


def _mortal(name: str) -> Any:
    real = getattr(SqliteStorage, name)

    async def method(self: MortalStorage, *args: Any) -> Any:
        self.fate.at(f"before:{name}")
        token = _doing.set(name)
        try:
            result = await real(self, *args)
        finally:
            _doing.reset(token)
        self.fate.at(f"after:{name}")
        return result

    return method


for _name in METHODS:
    setattr(MortalStorage, _name, _mortal(_name))
