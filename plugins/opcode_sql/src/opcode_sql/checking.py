"""Looking for damage: in the file, and in what its rows say about each other."""

import sqlite3
from collections.abc import Iterator
from itertools import islice
from typing import Final

from opcode_sql.failures import kind_of

MOST_PROBLEMS: Final = 100

_GAPS: Final = """
    SELECT 'run ' || workflow_id || ': its log has gaps; of events 1 to ' || max(sequence)
        || ' there are ' || count(*)
    FROM events GROUP BY workflow_id HAVING min(sequence) != 1 OR max(sequence) != count(*)
"""
_LENGTHS: Final = """
    SELECT 'run ' || id || ': its row says that its log ends at event ' || sequence
        || ', but it ends at ' || last
    FROM (
        SELECT id, sequence,
            coalesce((SELECT max(sequence) FROM events WHERE workflow_id = workflows.id), 0) AS last
        FROM workflows
    )
    WHERE sequence != last
"""
_SNAPSHOTS: Final = """
    SELECT 'run ' || id || ': its snapshot stands for event ' || snapshots.sequence
        || ', but its log ends at ' || workflows.sequence
    FROM snapshots JOIN workflows ON id = workflow_id WHERE snapshots.sequence > workflows.sequence
"""
_STRAYS: Final = """
    SELECT 'run ' || workflow_id || ' does not exist, but has {what}: ' || count(*)
    FROM {table} WHERE workflow_id NOT IN (SELECT id FROM workflows) GROUP BY workflow_id
"""
_LOOKS: Final = (
    ("the logs", _GAPS),
    ("the runs", _LENGTHS),
    ("the snapshots", _SNAPSHOTS),
    *(
        (f"the {what}", _STRAYS.format(table=table, what=what))
        for table, what in (
            ("events", "events"),
            ("decisions", "decisions"),
            ("snapshots", "snapshots"),
            ("workflow_context", "contexts"),
        )
    ),
)


def problems(db: sqlite3.Connection) -> list[str]:
    """What is wrong with the database, at most `MOST_PROBLEMS` sentences. Takes long for a big file.

    Raises:
        sqlite3.Error: when it cannot be read for a reason other than damage.
    """
    return list(islice(_all_problems(db), MOST_PROBLEMS))


def _all_problems(db: sqlite3.Connection) -> Iterator[str]:
    for found in _look(db, "the file", f"PRAGMA integrity_check({MOST_PROBLEMS})"):
        if found != "ok":
            yield f"the file is damaged: {found}"
    for what, query in _LOOKS:
        yield from _look(db, what, query)


def _look(db: sqlite3.Connection, what: str, query: str) -> Iterator[str]:
    """The sentences that a query gives; one more when it meets damage and cannot go on."""
    try:
        for (sentence,) in db.execute(query):
            yield sentence
    except sqlite3.DatabaseError as error:
        if kind_of(error) not in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_IOERR):
            raise
        yield f"{what} cannot be read to the end: {error}"
