"""Deleting runs that ended long ago, with all that belongs to them."""

import sqlite3
from typing import Final

_ENDED: Final = "('completed', 'failed', 'cancelled')"
# The plus keeps SQLite from the index by status, which holds all runs that ever ended.
PAST: Final = f"""
    SELECT id, definition_hash FROM workflows
    WHERE completed_at < ? AND +status IN {_ENDED} AND NOT EXISTS (
        SELECT 1 FROM workflows AS child WHERE child.parent_id = workflows.id AND child.status NOT IN {_ENDED}
    ) AND NOT EXISTS (
        SELECT 1 FROM workflows AS parent WHERE parent.id = workflows.parent_id AND parent.status NOT IN {_ENDED}
    )
    ORDER BY completed_at LIMIT ?
"""  # noqa: S608
_PARTS: Final = ("events", "workflow_context", "decisions", "signals", "snapshots")
_DELETES: Final = (
    *(f"DELETE FROM {table} WHERE workflow_id = ?" for table in _PARTS),  # noqa: S608
    "DELETE FROM workflows WHERE id = ?",
)
DELETE_UNUSED: Final = """
    DELETE FROM definitions WHERE hash = ?1
        AND NOT EXISTS (SELECT 1 FROM workflows WHERE definition_hash = ?1)
        AND NOT EXISTS (SELECT 1 FROM templates WHERE definition_hash = ?1)
"""


def purge(db: sqlite3.Connection, before: float, limit: int) -> int:
    """Delete up to `limit` runs that ended before that time, the oldest first; how many they were.

    Args:
        db: in a transaction.
    """
    past = db.execute(PAST, (before, limit)).fetchall()
    for statement in _DELETES:
        db.executemany(statement, [(run_id,) for run_id, _ in past])
    db.executemany(DELETE_UNUSED, [(each,) for each in {definition_hash for _, definition_hash in past}])
    return len(past)
