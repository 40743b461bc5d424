"""What SQLite says, in words that tell a person what to do."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
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

_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


@contextmanager
def failures(path: Path, doing: str) -> Iterator[None]:
    """Turn what SQLite and the file system raise into errors for people."""
    try:
        yield
    except (ValueError, OverflowError) as error:
        # Raised where Python hands a value to SQLite, before anything is run.
        raise OpcodeError(
            ErrorCode.VALIDATION_ERROR, f"a value that no database can hold: {_why(error)}"
        ) from None
    except (sqlite3.Error, OSError) as error:
        raise store_error(error, path, doing) from error


def is_busy(error: sqlite3.Error) -> bool:
    """Whether another process was in the way, so that the same may succeed a moment later."""
    return kind_of(error) == sqlite3.SQLITE_BUSY


def kind_of(error: Exception) -> int | None:
    """SQLite's code for the kind of the error; None when it is not SQLite's own."""
    # The low byte is the kind, the rest says more exactly where it arose.
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


def store_error(error: Exception, path: Path, doing: str) -> OpcodeError:
    """A STORE_ERROR for what failed while `doing` something with the database at `path`."""
    kind = kind_of(error)
    remedy = None if kind is None else _REMEDIES.get(kind)
    return OpcodeError(
        ErrorCode.STORE_ERROR,
        f"{doing} the database {path} failed: {remedy or _plain(error)}",
        details={"path": str(path), "cause": str(error), **({"busy": True} if kind in _BUSY else {})},
    )


def _plain(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror} ({error.filename}); check the path and its permissions"
    return str(error)


def _why(error: Exception) -> str:
    if isinstance(error, UnicodeEncodeError):
        return "it holds half of a surrogate pair, which is no text"
    return str(error)
