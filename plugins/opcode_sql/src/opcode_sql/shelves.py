"""What is remembered beside the runs: items by shelf and key."""

import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from opcode_core import ErrorCode, Item, OpcodeError, dumps, loads
from opcode_sql.cursors import decode
from opcode_sql.lists import Select
from opcode_sql.rows import Row

_COLUMNS: Final = "shelf, key, value, version, updated_at"
ITEM: Final = f"SELECT {_COLUMNS} FROM items WHERE shelf = ? AND key = ?"  # noqa: S608
_VERSION: Final = "SELECT version FROM items WHERE shelf = ? AND key = ?"
_PUT: Final = f"REPLACE INTO items ({_COLUMNS}) VALUES (?, ?, ?, ?, ?)"  # noqa: S608
_REMOVE: Final = "DELETE FROM items WHERE shelf = ? AND key = ?"


def item_of(row: Row) -> Item:
    """The item in a row."""
    shelf, key, value, version, updated_at = row
    return Item(shelf, key, loads(value), version, updated_at)


def put(db: sqlite3.Connection, item: Item, expected: int | None) -> Item:
    """Keep `item` as the next version of its key, and give it as it is then.

    Args:
        db: in a transaction, under the lock that is written with.

    Raises:
        OpcodeError: CONFLICT when `expected` is given and not the stored version, VALIDATION_ERROR when the
            value is not JSON.
    """
    row = db.execute(_VERSION, (item.shelf, item.key)).fetchone()
    stored: int = row[0] if row else 0
    if expected is not None and expected != stored:
        raise _conflict(item, expected, stored)
    db.execute(_PUT, (item.shelf, item.key, _body(item), stored + 1, item.updated_at))
    return replace(item, version=stored + 1)


def remove(db: sqlite3.Connection, shelf: str, keys: Sequence[str]) -> int:
    """Delete items; how many of them were there."""
    return db.executemany(_REMOVE, [(shelf, key) for key in keys]).rowcount if keys else 0


def page(
    shelf: str, prefix: str, limit: int, cursor: str | None, *, greatest_first: bool
) -> tuple[str, list[Any]]:
    """Items by key, a range of the primary key.

    There is one bound on each side: of two on the same side SQLite would search by either.
    """
    select = Select(f"SELECT {_COLUMNS} FROM items").where("shelf = ?", shelf)  # noqa: S608
    last = None if cursor is None else decode(cursor, "items", str)[0]
    end = _behind(prefix)
    if last is not None and greatest_first and (end is None or last < end):
        end = last
    if last is not None and not greatest_first and last >= prefix:
        select.where("key > ?", last)
    else:
        select.where("key >= ?", prefix)
    return select.where_given("key < ?", end).page("key DESC" if greatest_first else "key", limit)


def _behind(prefix: str) -> str | None:
    """The least text that is greater than all which begin with `prefix`; None when there is none."""
    rest = prefix.rstrip(chr(0x10FFFF))
    if not rest:
        return None
    last = ord(rest[-1]) + 1
    return rest[:-1] + chr(0xE000 if last == 0xD800 else last)  # between them there is no text


def _body(item: Item) -> str:
    try:
        return dumps(item.value).decode()
    except ValueError as error:
        raise OpcodeError(
            ErrorCode.VALIDATION_ERROR,
            f"the value of item {item.key!r} on shelf {item.shelf!r} cannot be stored: {error}",
            details={"shelf": item.shelf, "key": item.key},
        ) from None


def _conflict(item: Item, expected: int, stored: int) -> OpcodeError:
    found = f"has version {stored}" if stored else "is not there"
    wanted = f"version {expected} was to be replaced" if expected else "was to be new"
    return OpcodeError(
        ErrorCode.CONFLICT,
        f"item {item.key!r} on shelf {item.shelf!r} {found}, but {wanted}; read it again",
        details={"shelf": item.shelf, "key": item.key, "version": stored},
    )
