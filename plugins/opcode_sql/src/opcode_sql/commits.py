"""Storing commits inside a transaction."""

import sqlite3
from collections.abc import Sequence

from opcode_core import OpcodeError, RunRecord, dumps, loads
from opcode_sql import statements
from opcode_sql.prepared import Prepared, conflict, taken_over


def store(db: sqlite3.Connection, commits: Sequence[Prepared]) -> None:
    """One statement for each run's row, one for all events, and one for each other thing that there is.

    Raises:
        OpcodeError: CONFLICT when a commit does not follow from what is stored.
    """
    for item in commits:
        _put_run(db, item)
        _put_parts(db, item)
    db.executemany(statements.INSERT_EVENT, [row for item in commits for row in item.events])


def _put_run(db: sqlite3.Connection, item: Prepared) -> None:
    try:
        if item.base == 0:
            done = db.execute(statements.INSERT_RUN, item.run_row())
        else:
            done = db.execute(statements.UPDATE_RUN, item.run_changes())
    except sqlite3.IntegrityError:
        _refuse_taken_key(db, item.commit.run)
        raise
    if done.rowcount == 0:
        raise _not_next(db, item)


def _put_parts(db: sqlite3.Connection, item: Prepared) -> None:
    commit = item.commit
    if commit.definition is not None:
        db.execute(statements.INSERT_DEFINITION, (commit.run.definition_hash, commit.definition))
    if commit.context is not None:
        row = db.execute(statements.CONTEXT, (commit.run.id,)).fetchone()
        merged = {**(loads(row[0]) if row else {}), **commit.context}
        db.execute(statements.SET_CONTEXT, (commit.run.id, dumps(merged).decode()))
    if item.decisions:
        db.executemany(statements.SET_DECISION, item.decisions)
    if item.messages:
        db.executemany(statements.INSERT_MESSAGE, item.messages)
    if commit.taken:
        db.executemany(statements.DELETE_MESSAGE, [(message_id,) for message_id in commit.taken])
    if commit.snapshot is not None:
        db.execute(statements.SET_SNAPSHOT, (commit.run.id, commit.run.sequence, commit.snapshot))


def _not_next(db: sqlite3.Connection, item: Prepared) -> OpcodeError:
    run = item.commit.run
    sequence, fence = db.execute(statements.POSITION, (run.id,)).fetchone() or (0, run.fence)
    if fence != run.fence:
        return taken_over(run.id, fence)
    return conflict(run.id, f"the log goes on with event {sequence + 1}, not {item.base + 1}")


def _refuse_taken_key(db: sqlite3.Connection, run: RunRecord) -> None:
    owner = db.execute(statements.RUN_BY_KEY, (run.agent_id, run.idempotency_key)).fetchone()
    if owner:
        raise conflict(
            run.id,
            f"idempotency key {run.idempotency_key!r} of agent {run.agent_id} belongs to run {owner[0]}",
            existing_id=owner[0],
        )
