"""What a dead process left in its database, read without the engine."""

import json
import shutil
import sqlite3
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from opcode_core.decisions import PENDING
from opcode_core.events import DECISION_RESOLVED, SIGNAL_RECEIVED, Event
from opcode_core.folding import fold
from opcode_core.state import RunState
from opcode_sql.checking import problems
from opcode_sql.schema import MIGRATIONS, is_current

EVENTS = (
    "SELECT workflow_id, sequence, event_type, step_id, payload, agent_id, timestamp FROM events"
    " ORDER BY workflow_id, sequence"
)
AS_IN_THE_LOG = {
    "status": "status",
    "sequence": "sequence",
    "started_at": "started_at",
    "updated_at": "updated_at",
    "completed_at": "ended_at",
    "agent_id": "agent_id",
    "definition_hash": "definition_hash",
    "idempotency_key": "idempotency_key",
    "parent_id": "parent_id",
    "parent_step_id": "parent_step_id",
}
"""Columns of a run's row, and what they are called in its state."""


class Left:
    """All that is in a database.

    Attributes:
        rows: of the runs, by id.
        logs: their events.
        states: their logs, folded.
        damage: what SQLite and the storage's own check find.
    """

    def __init__(self, path: Path) -> None:
        with closing(sqlite3.connect(path, timeout=30)) as db:
            db.execute("BEGIN")
            db.row_factory = sqlite3.Row
            self.rows = {row["id"]: row for row in db.execute("SELECT * FROM workflows")}
            self.decisions = db.execute("SELECT * FROM decisions").fetchall()
            self.messages = db.execute("SELECT * FROM signals").fetchall()
            self.owners = {row["id"] for row in db.execute("SELECT * FROM owners")}
            contexts = db.execute("SELECT workflow_id, data FROM workflow_context")
            self.contexts = {run_id: json.loads(data) for run_id, data in contexts}
            self.logs = _logs(db)
            self.damage = list(db.execute("PRAGMA integrity_check").fetchone())
            db.row_factory = None
            self.damage += problems(db)
        self.states = {run_id: fold(run_id, log) for run_id, log in self.logs.items()}

    def nonces(self) -> set[str]:
        """Of every signal and decision that is in a log."""
        found = set()
        for log in self.logs.values():
            for event in log:
                if event.event_type == SIGNAL_RECEIVED:
                    found.add(event.payload["payload"].get("nonce"))
                elif event.event_type == DECISION_RESOLVED:
                    found.add((event.payload.get("data") or {}).get("nonce"))
        return found

    def posted(self) -> set[str]:
        """Of every one that waits for its run's process."""
        payloads = [json.loads(row["payload"]) for row in self.messages]
        return {(payload.get("data") or payload).get("nonce") for payload in payloads}


def read(path: Path, alive: bool) -> Left | None:
    """What is stored now; None when its schema is not there yet, or is an older one.

    The files of a dead process are left exactly as they are for the next one.
    """
    if not alive:
        path = _copy(path)
    return Left(path) if _is_current(path) else None


def unended(path: Path) -> int:
    """How many runs have not ended, and messages were not taken; 1 when that cannot be known yet."""
    if not _is_current(path):
        return 1
    with closing(sqlite3.connect(path, timeout=30)) as db:
        ((count,),) = db.execute(
            "SELECT (SELECT count(*) FROM workflows WHERE completed_at IS NULL) + (SELECT count(*) FROM signals)"
        )
        return int(count)


def owned_by(path: Path, pid: int) -> list[str]:
    """The runs that a process drives."""
    with closing(sqlite3.connect(path, timeout=30)) as db:
        return [
            run_id for (run_id,) in db.execute("SELECT id FROM workflows WHERE owner LIKE ?", (f"%/{pid}/%",))
        ]


def lives_until(path: Path, pid: int) -> float:
    """Until when a process counts as living, seconds since the epoch; 0 when it does not."""
    with closing(sqlite3.connect(path, timeout=30)) as db:
        found = db.execute("SELECT lives_until FROM owners WHERE id LIKE ?", (f"%/{pid}/%",)).fetchone()
        return found[0] if found else 0.0


def is_locked(path: Path) -> bool:
    """Whether somebody is in the middle of a transaction."""
    with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as db:
        try:
            db.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return True
        return False


def downgrade(path: Path) -> None:
    """Make a database what it would be if the first version had made it."""
    from alembic import command
    from alembic.config import Config
    from sqlalchemy import create_engine

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0001")
    engine.dispose()


def _is_current(path: Path) -> bool:
    if not path.exists():
        return False
    with closing(sqlite3.connect(path, timeout=30)) as db:
        ((damage,),) = db.execute("PRAGMA integrity_check(1)")
        assert damage == "ok", damage
        return is_current(db, path)


def _copy(path: Path) -> Path:
    copy = path.with_name("copy.db")
    for suffix in ("", "-wal"):
        copy.with_name(copy.name + suffix).unlink(missing_ok=True)
        if path.with_name(path.name + suffix).exists():
            shutil.copy(path.with_name(path.name + suffix), copy.with_name(copy.name + suffix))
    return copy


def _logs(db: sqlite3.Connection) -> dict[str, list[Event]]:
    logs: defaultdict[str, list[Event]] = defaultdict(list)
    for row in db.execute(EVENTS):
        values: list[Any] = list(row)
        values[4] = json.loads(values[4])
        logs[values[0]].append(Event(*values))
    return dict(logs)


def wrong_rows(left: Left) -> Iterator[str]:
    """Where what is derived from the logs does not follow from them."""
    yield from (f"the database is damaged: {what}" for what in left.damage if what != "ok")
    if left.rows.keys() != left.logs.keys():
        yield f"runs without a log, or the other way round: {left.rows.keys() ^ left.logs.keys()}"
    for run_id, state in left.states.items():
        yield from (f"run {run_id}: {what}" for what in _differences(left, run_id, state))


def _differences(left: Left, run_id: str, state: RunState) -> Iterator[str]:
    row = left.rows[run_id]
    for column, name in AS_IN_THE_LOG.items():
        if row[column] != getattr(state, name):
            yield f"its row has {column} {row[column]!r}, its log says {getattr(state, name)!r}"
    for column in ("output", "error"):
        stored = None if row[column] is None else json.loads(row[column])
        if stored != getattr(state, column):
            yield f"its row has {column} {stored!r}, its log says {getattr(state, column)!r}"
    if left.contexts.get(run_id, state.context if not state.context else None) != state.context:
        yield f"its context is {left.contexts.get(run_id)!r}, its log says {state.context!r}"
    pending = {
        row["id"] for row in left.decisions if row["workflow_id"] == run_id and row["status"] == PENDING
    }
    if pending != state.decisions.keys():
        yield f"its pending decisions are {pending}, its log says {set(state.decisions)}"
    if row["owner"] is None and not _wakes_in_time(row["wakes_at"], state.wakes_at):
        yield f"it rests until {row['wakes_at']!r}, its log says {state.wakes_at!r}"


def _wakes_in_time(stored: float | None, due: float | None) -> bool:
    """Whether a run that rests is looked at when it is due, or a moment later; to look earlier does no harm."""
    return due is None or (stored is not None and stored <= max(due, time.time() + 1.0))
