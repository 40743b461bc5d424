"""What SQLite says, in words that tell a person what to do."""

import sqlite3
from pathlib import Path

from opcode_core import ErrorCode, OpcodeError

_REMEDIES = {
    sqlite3.SQLITE_BUSY: "another process holds its lock; stop that process or try again",
    sqlite3.SQLITE_LOCKED: "another process holds its lock; stop that process or try again",
    sqlite3.SQLITE_FULL: "the disk is full; free some space and try again",
    sqlite3.SQLITE_NOTADB: "the file is not a SQLite database; give another file or move this one away",
    sqlite3.SQLITE_CORRUPT: (
        "the file is damaged; stop OPCODE and restore a copy, or save what can be read with sqlite3 FILE .recover"
    ),
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened; check that the folder exists and may be written",
    sqlite3.SQLITE_PERM: "access is denied; check the permissions of the file and its folder",
    sqlite3.SQLITE_READONLY: "it may only be read; check the permissions of the file and its folder",
    sqlite3.SQLITE_IOERR: "reading or writing failed; check the disk",
    sqlite3.SQLITE_TOOBIG: "a value is larger than SQLite can hold (1 GB)",
}


def store_error(error: Exception, path: Path, doing: str) -> OpcodeError:
    """A STORE_ERROR for what failed while `doing` something with the database at `path`."""
    # The low byte is the kind of the error, the rest says more exactly where it arose.
    code = getattr(error, "sqlite_errorcode", None)
    remedy = _REMEDIES.get(code & 0xFF) if code is not None else None
    return OpcodeError(
        ErrorCode.STORE_ERROR,
        f"{doing} the database {path} failed: {remedy or _plain(error)}",
        details={"path": str(path), "cause": str(error)},
    )


def _plain(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror} ({error.filename}); check the path and its permissions"
    return str(error)
