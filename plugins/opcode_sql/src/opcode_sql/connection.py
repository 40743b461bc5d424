"""Opening the database file."""

import os
import sqlite3
import time
from pathlib import Path
from typing import Final

from opcode_sql.failures import is_busy
from opcode_sql.location import SYNCHRONOUS, Location

WAL_KEPT: Final = 64 * 1024 * 1024
"""Bytes of the write-ahead log that stay on disk once they are in the database."""


def connect(location: Location) -> sqlite3.Connection:
    """A connection in autocommit mode that waits for others as long as `location` says.

    Raises:
        sqlite3.Error: when it is not a database, or cannot be opened.
    """
    db = sqlite3.connect(
        location.path, timeout=location.busy_timeout, isolation_level=None, cached_statements=256
    )
    try:
        db.execute(f"PRAGMA synchronous = {SYNCHRONOUS[location.durability]}")
        db.execute(f"PRAGMA journal_size_limit = {WAL_KEPT}")
    except BaseException:
        db.close()
        raise
    return db


def create_file(path: Path) -> None:
    """Make the file and the folders above it where they are missing, for their owner alone.

    Raises:
        OSError: when one of them cannot be made.
    """
    missing = [folder for folder in path.parents if not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir(mode=0o700, exist_ok=True)
    # SQLite gives the files beside it, which hold the same rows, the mode of this one.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))


def use_write_ahead_log(db: sqlite3.Connection, location: Location) -> None:
    """Let readers go on while one writes. The database remembers it.

    Raises:
        sqlite3.Error: when the file may not be written, or others keep it busy.
    """
    deadline = time.monotonic() + location.busy_timeout
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            # For this change SQLite does not always wait by itself.
            if not is_busy(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return
